//! The continuous learner: sources in, versions out, and nothing lost when it is killed.
//!
//! Three kinds of threads, each with one job:
//! - one [`feed`] per partition reads batches, and waits when nobody takes them;
//! - the [`run`] loop owns the pure core, gives it what it asks for, and decides when a silent
//!   partition is no longer waited for;
//! - the [`world`] carries out effects in their order: versions to the registry, dead letters,
//!   recordings, control inputs, checkpoints. A checkpoint is written after everything that came
//!   before it, and so a restart repeats at most what the registry knows already.

mod checkpoint;
mod feed;
mod http;
mod letters;
mod live;
mod plan;
mod recover;
mod retry;
pub(crate) mod status;
mod world;

use crate::failure::Failure;
use crate::setup::Setup;
use crate::signals::Stop;
pub(crate) use live::run;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How to run.
#[derive(Debug)]
pub(crate) struct Config {
    /// The project in its environment.
    pub(crate) setup: Setup,
    /// The pipeline.
    pub(crate) name: String,
    /// Changes of keys, as on the command line.
    pub(crate) sets: Vec<String>,
    /// Stop when everything that is there now has been taken.
    pub(crate) once: bool,
    /// Begin anew, whatever earlier runs left.
    pub(crate) fresh: bool,
    /// Where status and metrics are answered; nowhere if absent.
    pub(crate) listen: Option<SocketAddr>,
    /// The wall time from one checkpoint to the next.
    pub(crate) checkpoint_every: Duration,
}

/// What a daemon and those around it share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Handle {
    stop: Stop,
    status: Arc<Mutex<Option<status::Status>>>,
    address: Arc<OnceLock<SocketAddr>>,
}

impl Handle {
    /// Asks the daemon to stop: it finishes what it has, writes a checkpoint and ends.
    pub(crate) const fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Where the daemon stands, once it has begun.
    pub(crate) fn status(&self) -> Option<status::Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where status and metrics are answered, if anywhere.
    fn address(&self) -> Option<SocketAddr> {
        self.address.get().copied()
    }

    fn tell(&self, status: status::Status) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }
}

/// Runs a daemon to its end, with its HTTP server beside it.
pub(crate) fn start(config: &Config, handle: &Handle) -> Result<status::Status, Failure> {
    let _server = config.listen.map(|address| http::serve(address, handle)).transpose()?;
    run(config, handle)
}

/// The wall clock in microseconds since the Unix epoch.
pub(crate) fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
