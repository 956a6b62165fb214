//! `trueup status`: where a run stands.

use crate::daemon::{self, status};
use crate::failure::Failure;
use crate::setup::Setup;
use crate::{stores, words};
use std::path::Path;
use std::process::ExitCode;

/// Say where a run stands, and what holds it back.
#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    /// The pipeline.
    #[arg(value_name = "PIPELINE")]
    name: String,

    /// The environment of `trueup.toml`; by default its `default_environment`.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Exit code 1 when the run failed, or says that it runs and has been silent.
    pub(crate) fn run(&self, project: &Path) -> Result<ExitCode, Failure> {
        let setup = Setup::load(project, self.env.as_deref())?;
        let store = stores::open(&setup, "")?;
        let path = stores::path_of_status(&self.name);
        let found = store.read(&path).map_err(trueup_registry::Error::from)?;
        let Some(bytes) = found else {
            let message = format!("no run has begun here: `{}`", self.name);
            let hint = format!("start one with `trueup run {}`", self.name);
            return Err(Failure::Operation(anyhow::anyhow!(message), Some(hint)));
        };
        let status: status::Status = serde_json::from_slice(&bytes)
            .map_err(|error| anyhow::anyhow!("status is of another program: {error}"))?;
        let now = daemon::now_micros();
        if self.json {
            words::json(&status);
        } else {
            words::out(&status.text(now));
        }
        if status.is_silent(now) && status.phase == status::Phase::Running {
            words::say("error: it says that it runs, and has been silent for more than 10 s");
            words::say("hint: start it again: it goes on from its last checkpoint");
            return Ok(ExitCode::from(1));
        }
        let has_failed = status.phase == status::Phase::Failed;
        Ok(if has_failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}
