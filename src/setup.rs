//! From names on the command line to jobs.

use crate::failure::Failure;
use crate::words;
use trueup_backtest::Job;
use trueup_backtest::setup::Setup;
use trueup_pipeline::overrides;

/// A definition as a job: read, changed as asked, and checked against its data.
pub(crate) fn job(setup: &Setup, name: &str, sets: &[String]) -> Result<Job, Failure> {
    let definition = overrides::definition(&setup.project, name, sets)?;
    let (job, warnings) = setup.job(&definition)?;
    if !warnings.is_empty() {
        words::say(warnings.to_string().trim_end());
    }
    Ok(job)
}
