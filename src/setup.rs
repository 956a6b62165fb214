//! From names on the command line to jobs, with what is probably not meant told in words.

use crate::failure::Failure;
use crate::{overrides, words};
use std::ops::Deref;
use std::path::Path;
use trueup_backtest::Job;
use trueup_backtest::setup::Setup as Found;
use trueup_pipeline::{Definition, Diagnostics, Environment, Schemas};

/// A project in one of its environments.
#[derive(Debug)]
pub(crate) struct Setup(Found);

impl Deref for Setup {
    type Target = Found;

    fn deref(&self) -> &Found {
        &self.0
    }
}

impl Setup {
    pub(crate) fn load(folder: &Path, environment: Option<&str>) -> Result<Self, Failure> {
        Ok(Self(Found::load(folder, environment)?))
    }

    /// The same project in another environment than its file has.
    pub(crate) fn within(&self, environment: Environment) -> Self {
        Self(Found { environment, ..self.0.clone() })
    }

    /// A definition as a job: read, changed as asked, and checked against its data.
    pub(crate) fn job(&self, name: &str, sets: &[String]) -> Result<Job, Failure> {
        let definition = overrides::definition(&self.project, name, sets)?;
        Ok(told(self.0.job(&definition)?))
    }

    /// A definition as a job, checked against these columns.
    pub(crate) fn job_of(
        &self,
        definition: &Definition,
        schemas: &Schemas,
    ) -> Result<Job, Failure> {
        Ok(told(self.0.job_of(definition, schemas)?))
    }
}

fn told((job, warnings): (Job, Diagnostics)) -> Job {
    if !warnings.is_empty() {
        words::say(warnings.to_string().trim_end());
    }
    job
}
