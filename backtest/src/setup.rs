//! From names to jobs: project, environment, sources, checked definitions.
//!
//! The command line and the notebook both begin here, so that one definition means one thing.

use crate::error::Error;
use crate::replay::Job;
use crate::source::{Opened, Place, Source};
use std::path::{Path, PathBuf};
use trueup_connector::{EpochUnit, Store, TimeColumn};
use trueup_pipeline::{
    Checked, Definition, Diagnostics, Environment, Epoch, Event, Place as Declared, Project,
    Schemas,
};

/// A project in one of its environments.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The project.
    pub project: Project,
    /// Where its events live.
    pub environment: Environment,
    /// Where questions are read from, if not where the environment says.
    pub questions: Option<Place>,
    /// Where labels are read from, if not where the environment says.
    pub labels: Option<Place>,
}

/// Why there is no job.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The project or the definition is wrong.
    #[error(transparent)]
    Definition(#[from] Diagnostics),
    /// A source cannot be opened.
    #[error(transparent)]
    Source(#[from] Error),
    /// The embedded log is beneath an address.
    #[error("a log needs a disk: `{0}`")]
    NoDisk(String),
}

impl SetupError {
    /// What would be right, where it is not said by the diagnostics.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Definition(_) => None,
            Self::Source(error) => error.hint(),
            Self::NoDisk(_) => Some("let `state` be a folder, or read the events from elsewhere"),
        }
    }
}

impl Setup {
    /// A project in the environment of this name, or in its default one.
    ///
    /// # Errors
    /// When the project cannot be read or has no such environment.
    pub fn load(folder: &Path, environment: Option<&str>) -> Result<Self, Diagnostics> {
        Self::of(Project::load(folder)?, environment)
    }

    /// As [`Setup::load`], of a project that is at hand.
    ///
    /// # Errors
    /// When it has no such environment.
    pub fn of(project: Project, environment: Option<&str>) -> Result<Self, Diagnostics> {
        let environment = project.environment(environment)?;
        Ok(Self { project, environment, questions: None, labels: None })
    }

    /// The columns of the events of a definition, read from the data themselves. Events whose place
    /// is not known are left out.
    ///
    /// # Errors
    /// When a source cannot be opened.
    pub fn schemas(&self, definition: &Definition) -> Result<Schemas, SetupError> {
        let mut schemas = Schemas::new();
        let pipeline = definition.pipeline();
        let events = [&pipeline.question.event, &pipeline.label.event];
        for (event, other) in events.into_iter().zip([&self.questions, &self.labels]) {
            let is_known = self.project.location(&self.environment, event).is_ok();
            if is_known || other.is_some() {
                let opened = Opened::open(&self.place(event, other.as_ref())?)?;
                schemas.insert(event.clone(), opened.schema());
            }
        }
        Ok(schemas)
    }

    /// A definition as a job, checked against its data; with it what is probably not meant.
    ///
    /// # Errors
    /// Everything that is wrong with the definition, or a source that cannot be opened.
    pub fn job(&self, definition: &Definition) -> Result<(Job, Diagnostics), SetupError> {
        // What is wrong without a look at the data is told first: data may be far away.
        definition.check(&self.project, None)?;
        self.job_of(definition, &self.schemas(definition)?)
    }

    /// A definition as a job, checked against these columns; with it what is probably not meant.
    ///
    /// # Errors
    /// Everything that is wrong with the definition.
    pub fn job_of(
        &self,
        definition: &Definition,
        schemas: &Schemas,
    ) -> Result<(Job, Diagnostics), SetupError> {
        let Checked { spec, warnings } = definition.check(&self.project, Some(schemas))?;
        let source = |event: &str, other: &Option<Place>| -> Result<Source, SetupError> {
            Ok(Source { at: self.place(event, other.as_ref())?, time: self.time(event) })
        };
        let job = Job {
            environment: self.environment.name.clone(),
            questions: source(&spec.question.event, &self.questions)?,
            labels: source(&spec.label.event, &self.labels)?,
            orders: Vec::new(),
            spec,
        };
        Ok((job, warnings))
    }

    /// Where the environment says that the events of a name live.
    ///
    /// # Errors
    /// When it does not say, or a log is beneath an address.
    pub fn source(&self, event: &str) -> Result<Source, SetupError> {
        Ok(Source { at: self.place(event, None)?, time: self.time(event) })
    }

    fn place(&self, event: &str, other: Option<&Place>) -> Result<Place, SetupError> {
        if let Some(place) = other {
            return Ok(place.clone());
        }
        Ok(match &self.project.location(&self.environment, event)?.at {
            Declared::Files(location) => {
                let base = self.project.root().to_path_buf();
                Place::Files { location: location.clone(), base }
            }
            Declared::Log(topic) => Place::Log { folder: self.log_folder()?, topic: topic.clone() },
        })
    }

    /// The column of an event's time.
    #[must_use]
    pub fn time(&self, event: &str) -> TimeColumn {
        self.project.event(event).map_or_else(|| TimeColumn::new("time"), time_column)
    }

    /// The folder of the embedded log, which needs a disk.
    ///
    /// # Errors
    /// When the environment's `state` is no folder.
    pub fn log_folder(&self) -> Result<PathBuf, SetupError> {
        match self.state("log")? {
            Store::Disk(folder) => Ok(folder),
            Store::Objects { .. } => Err(SetupError::NoDisk(self.environment.state.clone())),
        }
    }

    /// A folder beneath the environment's `state`.
    ///
    /// # Errors
    /// When `state` is no place that this build knows.
    pub fn state(&self, folder: &str) -> Result<Store, SetupError> {
        let state = self.environment.state.trim_end_matches('/');
        let store = trueup_connector::store(&format!("{state}/{folder}"), self.project.root());
        Ok(store.map_err(Error::from)?)
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
