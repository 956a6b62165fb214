//! `trueup list`: the pipelines of a project, and what pipelines can be made of.

use crate::failure::Failure;
use crate::words;
use std::path::Path;
use std::process::ExitCode;
use trueup_learner::drift::DETECTORS;
use trueup_learner::learners::LEARNERS;
use trueup_learner::metrics::METRICS;
use trueup_pipeline::Project;

/// List the pipelines, or what they can be made of.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// What to list.
    #[arg(value_enum, default_value_t = What::Pipelines)]
    what: What,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum What {
    /// The pipelines of the project.
    Pipelines,
    /// Kinds of learner: `[learner] kind = "…"`.
    Learners,
    /// Metrics that a gate can guard: `guard = [{ metric = "…" }]`.
    Metrics,
    /// Drift detectors.
    Detectors,
}

impl List {
    pub(crate) fn run(&self, project: &Path) -> Result<ExitCode, Failure> {
        let lines: Vec<(String, &str)> = match self.what {
            What::Pipelines => {
                let names = Project::load(project)?.definition_names();
                names.into_iter().map(|name| (name, "")).collect()
            }
            What::Learners => LEARNERS.iter().map(|k| (k.name.to_owned(), k.about)).collect(),
            What::Metrics => METRICS.iter().map(|k| (k.name.to_owned(), k.about)).collect(),
            What::Detectors => DETECTORS.iter().map(|k| (k.name.to_owned(), k.about)).collect(),
        };
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, about) in lines {
            words::out(&format!("{}\n", format!("{name:width$}  {about}").trim_end()));
        }
        Ok(ExitCode::SUCCESS)
    }
}
