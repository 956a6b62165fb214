//! Where this crate's waiting happens: one small runtime, guarded threads, and a way to stop.
//!
//! Clients of object stores keep pooled connections that must be driven even while nobody waits,
//! hence one runtime with a worker of its own for the life of the process. Decoding never runs on
//! it: it runs on the threads that wait.

use crate::error::Error;
use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::thread;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

pub(crate) fn runtime() -> Result<&'static Handle, Error> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread().worker_threads(1).thread_name("trueup-io").enable_all().build()
    });
    match runtime {
        Ok(runtime) => Ok(runtime.handle()),
        Err(error) => Err(Error::new(
            crate::ErrorKind::Retry,
            format!("cannot start the threads that read from stores: `{error}`"),
        )),
    }
}

/// Waits for the answers of object stores; every wait ends when the reading is stopped.
#[derive(Debug, Clone)]
pub(crate) struct Io {
    handle: &'static Handle,
    stop: Option<watch::Receiver<()>>,
}

/// Ends all waits of its [`Io`] when it is dropped.
#[derive(Debug)]
pub(crate) struct Stop {
    _sender: watch::Sender<()>,
}

impl Io {
    /// One that cannot be stopped.
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self { handle: runtime()?, stop: None })
    }

    /// One that can, with what stops it.
    pub(crate) fn stoppable() -> Result<(Self, Stop), Error> {
        let (sender, receiver) = watch::channel(());
        Ok((Self { handle: runtime()?, stop: Some(receiver) }, Stop { _sender: sender }))
    }

    /// Whether the reading was stopped; long computations ask between steps.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.has_changed().is_err())
    }

    /// Waits for `future` on this thread.
    pub(crate) fn wait<T>(
        &self,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Some(mut stop) = self.stop.clone() else {
            return self.handle.block_on(future);
        };
        self.handle.block_on(async {
            tokio::select! {
                biased;
                _ = stop.changed() => Err(stopped()),
                done = future => done,
            }
        })
    }
}

/// Nobody sees it: whoever stops a reading no longer asks it for anything.
pub(crate) fn stopped() -> Error {
    Error::new(crate::ErrorKind::Retry, "the reading was stopped")
}

/// Runs `work` on a thread of its own and waits for it, so that it may be called from async code
/// and a panic in a decoder becomes an error. `subject` is what a panic is blamed on.
pub(crate) fn guarded<T: Send>(
    subject: &str,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    thread::scope(|scope| {
        let spawned = thread::Builder::new()
            .name("trueup-open".into())
            .spawn_scoped(scope, work)
            .map_err(|error| {
            Error::new(crate::ErrorKind::Retry, "cannot start a thread").caused_by(error)
        })?;
        match spawned.join() {
            Ok(done) => done,
            Err(panic) => Err(panicked(subject, panic.as_ref())),
        }
    })
}

/// Runs a decoder on this thread; a panic in it becomes an error.
pub(crate) fn caught<T>(subject: &str, work: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panicked(subject, panic.as_ref()))
}

/// The error for a panic in a decoder.
pub(crate) fn panicked(subject: &str, panic: &(dyn Any + Send)) -> Error {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Error::corrupt(format!("the decoder gave up: `{subject}`"))
        .caused_by(said.to_string())
        .with_hint("the file is damaged, or was written by a faulty writer: write it again")
}
