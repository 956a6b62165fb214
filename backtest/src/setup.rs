//! From names to jobs: project, environment, data sets, checked definitions.
//!
//! The command line and the notebook both begin here, so that one definition means one thing.

use crate::replay::{Job, Source};
use std::path::{Path, PathBuf};
use trueup_connector::{Dataset, EpochUnit, TimeColumn};
use trueup_pipeline::{
    Checked, Definition, Diagnostics, Environment, Epoch, Event, Project, Schemas,
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

/// Where a data set lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path, glob, folder or URL.
    pub location: String,
    /// The folder that relative paths start from.
    pub base: PathBuf,
}

/// Why there is no job.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The project or the definition is wrong.
    #[error(transparent)]
    Definition(#[from] Diagnostics),
    /// A data set cannot be opened.
    #[error(transparent)]
    Connector(#[from] trueup_connector::Error),
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
    /// When a data set cannot be opened.
    pub fn schemas(&self, definition: &Definition) -> Result<Schemas, SetupError> {
        let mut schemas = Schemas::new();
        let pipeline = definition.pipeline();
        let events = [&pipeline.question.event, &pipeline.label.event];
        for (event, other) in events.into_iter().zip([&self.questions, &self.labels]) {
            let Ok(place) = self.place(event, other.as_ref()) else { continue };
            let dataset = Dataset::open(&place.location, &place.base)?;
            schemas.insert(event.clone(), dataset.schema().clone());
        }
        Ok(schemas)
    }

    /// A definition as a job, checked against its data; with it what is probably not meant.
    ///
    /// # Errors
    /// Everything that is wrong with the definition, or a data set that cannot be opened.
    pub fn job(&self, definition: &Definition) -> Result<(Job, Diagnostics), SetupError> {
        // What is wrong without a look at the data is told first: data may be far away.
        definition.check(&self.project, None)?;
        let schemas = self.schemas(definition)?;
        let Checked { spec, warnings } = definition.check(&self.project, Some(&schemas))?;
        let job = Job {
            environment: self.environment.name.clone(),
            questions: self.source(&spec.question.event, self.questions.as_ref())?,
            labels: self.source(&spec.label.event, self.labels.as_ref())?,
            spec,
        };
        Ok((job, warnings))
    }

    fn place(&self, event: &str, other: Option<&Place>) -> Result<Place, Diagnostics> {
        if let Some(place) = other {
            return Ok(place.clone());
        }
        let location = self.project.location(&self.environment, event)?.to_owned();
        Ok(Place { location, base: self.project.root().to_path_buf() })
    }

    fn source(&self, event: &str, other: Option<&Place>) -> Result<Source, Diagnostics> {
        let Place { location, base } = self.place(event, other)?;
        let time = self.project.event(event).map_or_else(|| TimeColumn::new("time"), time_column);
        Ok(Source { location, base, time })
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
