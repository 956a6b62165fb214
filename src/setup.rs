//! From names on the command line to jobs: project, environment, data sets, checked definitions.

use crate::failure::Failure;
use crate::{overrides, words};
use std::path::{Path, PathBuf};
use trueup_backtest::{Job, Opened, Place as At, Source};
use trueup_connector::{EpochUnit, Store, TimeColumn};
use trueup_pipeline::{Checked, Definition, Environment, Epoch, Event, Place, Project, Schemas};

/// A project in one of its environments.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) project: Project,
    pub(crate) environment: Environment,
}

impl Setup {
    pub(crate) fn load(folder: &Path, environment: Option<&str>) -> Result<Self, Failure> {
        let project = Project::load(folder)?;
        let environment = project.environment(environment)?;
        Ok(Self { project, environment })
    }

    /// The columns of the events of a definition, read from the data themselves.
    pub(crate) fn schemas(&self, definition: &Definition) -> Result<Schemas, Failure> {
        let mut schemas = Schemas::new();
        let pipeline = definition.pipeline();
        for event in [&pipeline.question.event, &pipeline.label.event] {
            if self.project.location(&self.environment, event).is_ok() {
                let opened = Opened::open(&self.source(event)?.at)?;
                schemas.insert(event.clone(), opened.schema());
            }
        }
        Ok(schemas)
    }

    /// A definition as a job: read, changed as asked, and checked against its data.
    pub(crate) fn job(&self, name: &str, sets: &[String]) -> Result<Job, Failure> {
        let definition = overrides::definition(&self.project, name, sets)?;
        // What is wrong without a look at the data is told first: data may be far away.
        definition.check(&self.project, None)?;
        let schemas = self.schemas(&definition)?;
        self.job_of(&definition, &schemas)
    }

    /// A definition as a job, checked against these columns.
    pub(crate) fn job_of(
        &self,
        definition: &Definition,
        schemas: &Schemas,
    ) -> Result<Job, Failure> {
        let Checked { spec, warnings } = definition.check(&self.project, Some(schemas))?;
        if !warnings.is_empty() {
            words::say(warnings.to_string().trim_end());
        }
        Ok(Job {
            environment: self.environment.name.clone(),
            questions: self.source(&spec.question.event)?,
            labels: self.source(&spec.label.event)?,
            orders: Vec::new(),
            spec,
        })
    }

    /// Where the events of a name live.
    pub(crate) fn source(&self, event: &str) -> Result<Source, Failure> {
        let at = match &self.project.location(&self.environment, event)?.at {
            Place::Files(location) => {
                At::Files { location: location.clone(), base: self.project.root().to_path_buf() }
            }
            Place::Log(topic) => At::Log { folder: self.log_folder()?, topic: topic.clone() },
        };
        Ok(Source { at, time: self.time(event) })
    }

    /// The column of an event's time.
    pub(crate) fn time(&self, event: &str) -> TimeColumn {
        self.project.event(event).map_or_else(|| TimeColumn::new("time"), time_column)
    }

    /// The folder of the embedded log, which needs a disk.
    pub(crate) fn log_folder(&self) -> Result<PathBuf, Failure> {
        match self.state("log")? {
            Store::Disk(folder) => Ok(folder),
            Store::Objects { .. } => {
                let message = format!("a log needs a disk: `{}`", self.environment.state);
                let hint = "let `state` be a folder, or read the events from elsewhere".to_owned();
                Err(Failure::Usage(message, Some(hint)))
            }
        }
    }

    /// A folder beneath the environment's `state`.
    pub(crate) fn state(&self, folder: &str) -> Result<Store, Failure> {
        let state = self.environment.state.trim_end_matches('/');
        Ok(trueup_connector::store(&format!("{state}/{folder}"), self.project.root())?)
    }
}

fn time_column(event: &Event) -> TimeColumn {
    let epoch = event.epoch.map(|epoch| match epoch {
        Epoch::Seconds => EpochUnit::Seconds,
        Epoch::Milliseconds => EpochUnit::Milliseconds,
        Epoch::Microseconds => EpochUnit::Microseconds,
        Epoch::Nanoseconds => EpochUnit::Nanoseconds,
    });
    TimeColumn { name: event.time.clone(), zone: event.zone.clone(), epoch }
}
