//! An orderly end when the program is asked to stop, and a sudden one when it is asked again.

use crate::failure::Failure;
use crate::words;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Whether the program was asked to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    is_asked: Arc<AtomicBool>,
    notify: Arc<Notify>,
}

impl Stop {
    /// Asks it to.
    pub(crate) fn ask(&self) {
        self.is_asked.store(true, Ordering::Relaxed);
        self.notify.notify_one();
    }

    /// Whether it was asked.
    pub(crate) fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
    }

    /// Waits until it is asked; one task may wait.
    pub(crate) async fn stopped(&self) {
        while !self.is_asked() {
            self.notify.notified().await;
        }
    }
}

/// Asks `stop` at SIGTERM and SIGINT. The second one ends the program at once: what is durable
/// then is what a restart goes on from.
pub(crate) fn listen(stop: &Stop) -> Result<(), Failure> {
    let runtime = trueup_connector::runtime()?;
    let stop = stop.clone();
    let _inside = runtime.enter();
    let mut terminate = signal(SignalKind::terminate()).map_err(anyhow::Error::from)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(anyhow::Error::from)?;
    runtime.spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.is_asked() {
                words::interrupted();
            }
            tracing::info!("stopping: what was begun is finished first");
            stop.ask();
        }
    });
    Ok(())
}
