//! `trueup check`: what is wrong in pipelines and the project.

use crate::failure::Failure;
use crate::overrides;
use crate::setup::Setup;
use crate::words;
use std::path::Path;
use std::process::ExitCode;
use trueup_pipeline::Diagnostics;

/// Say what is wrong in pipelines and the project, against the data where they are at hand.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The pipelines; by default all of the project.
    #[arg(value_name = "PIPELINE")]
    names: Vec<String>,

    /// The environment whose data are looked at; by default the project's `default_environment`.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,

    /// Only the files: do not look at the data.
    #[arg(long)]
    offline: bool,

    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(crate) fn run(&self, project: &Path) -> Result<ExitCode, Failure> {
        let setup = Setup::load(project, self.env.as_deref())?;
        let names = match self.names.is_empty() {
            true => setup.project.definition_names(),
            false => self.names.clone(),
        };
        let mut found = Diagnostics::new(Vec::new());
        for name in &names {
            found = found.and(self.check(&setup, name)?);
        }
        if self.json {
            words::json(&serde_json::json!({ "pipelines": names, "findings": found }));
        } else if found.is_empty() {
            words::say(&format!("nothing wrong: {}", names.join(", ")));
        } else {
            words::say(found.to_string().trim_end());
        }
        Ok(if found.has_errors() { ExitCode::from(2) } else { ExitCode::SUCCESS })
    }

    fn check(&self, setup: &Setup, name: &str) -> Result<Diagnostics, Failure> {
        let definition = match overrides::definition(&setup.project, name, &[]) {
            Ok(definition) => definition,
            Err(Failure::Definition(found)) => return Ok(found),
            Err(failure) => return Err(failure),
        };
        if let Err(found) = definition.check(&setup.project, None) {
            return Ok(found);
        }
        let schemas = if self.offline { None } else { Some(setup.schemas(&definition)?) };
        match definition.check(&setup.project, schemas.as_ref()) {
            Ok(checked) => Ok(checked.warnings),
            Err(found) => Ok(found),
        }
    }
}
