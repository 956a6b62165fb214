//! `trueup run`: the continuous daemon.

use crate::daemon::{self, Config, Handle};
use crate::failure::Failure;
use crate::setup::Setup;
use crate::{logs, signals, words};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Learn from live events, publish versions, and go on.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// The pipeline.
    #[arg(value_name = "PIPELINE")]
    name: String,

    /// The environment of `trueup.toml`; by default its `default_environment`.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,

    /// Change a key of the pipeline, such as `learner.rate=0.1`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Stop when everything that is there now has been taken.
    #[arg(long)]
    once: bool,

    /// Begin anew from the first event. Published versions stay; recording and dead letters of
    /// earlier runs are removed.
    #[arg(long)]
    fresh: bool,

    /// Answer `/status`, `/metrics`, `/healthz` and `/readyz` at this address.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// Allow `--listen` on an address that other machines reach.
    #[arg(long)]
    allow_remote: bool,

    /// Seconds from one checkpoint to the next; a restart repeats no more than that.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    checkpoint_every: f64,

    /// Write logs as lines of JSON.
    #[arg(long)]
    json_logs: bool,
}

impl Run {
    pub(crate) fn run(&self, project: &Path) -> Result<ExitCode, Failure> {
        if let Some(address) = self.listen {
            words::check_address(address, self.allow_remote)?;
        }
        let checkpoint_every = Duration::try_from_secs_f64(self.checkpoint_every)
            .map_err(|error| Failure::Usage(format!("`--checkpoint-every`: {error}"), None))?;
        logs::begin(self.json_logs);
        let config = Config {
            setup: Setup::load(project, self.env.as_deref())?,
            name: self.name.clone(),
            sets: self.set.clone(),
            once: self.once,
            fresh: self.fresh,
            listen: self.listen,
            checkpoint_every,
        };
        let handle = Handle::default();
        signals::listen(handle.stop())?;
        let status = daemon::start(&config, &handle)?;
        words::say(status.text(daemon::now_micros()).trim_end());
        Ok(ExitCode::SUCCESS)
    }
}
