//! From names on the command line to jobs: project, environment, data sets, checked definitions.

use crate::failure::Failure;
use crate::{overrides, words};
use std::path::Path;
use trueup_backtest::{Job, Source};
use trueup_connector::{Dataset, EpochUnit, TimeColumn};
use trueup_pipeline::{Checked, Definition, Environment, Epoch, Event, Project, Schemas};

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
            let Ok(location) = self.project.location(&self.environment, event) else { continue };
            let Some(location) = location.files() else { continue };
            let dataset = Dataset::open(location, self.project.root())?;
            schemas.insert(event.clone(), dataset.schema().clone());
        }
        Ok(schemas)
    }

    /// A definition as a job: read, changed as asked, and checked against its data.
    pub(crate) fn job(&self, name: &str, sets: &[String]) -> Result<Job, Failure> {
        let definition = overrides::definition(&self.project, name, sets)?;
        // What is wrong without a look at the data is told first: data may be far away.
        definition.check(&self.project, None)?;
        let schemas = self.schemas(&definition)?;
        let Checked { spec, warnings } = definition.check(&self.project, Some(&schemas))?;
        if !warnings.is_empty() {
            words::say(warnings.to_string().trim_end());
        }
        Ok(Job {
            environment: self.environment.name.clone(),
            questions: self.source(&spec.question.event)?,
            labels: self.source(&spec.label.event)?,
            spec,
        })
    }

    fn source(&self, event: &str) -> Result<Source, Failure> {
        let location = self.project.location(&self.environment, event)?;
        let location = location.files().unwrap_or_default().to_owned();
        let time = self.project.event(event).map_or_else(|| TimeColumn::new("time"), time_column);
        Ok(Source { location, base: self.project.root().to_path_buf(), time })
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
