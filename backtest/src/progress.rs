//! How far a replay is, and whether it is still wanted: shared with who waits for it.

use crate::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How far a replay is, and whether it is still wanted. Counts rows of all definitions.
#[derive(Debug, Default)]
pub struct Progress {
    /// Rows to be read; 0 until the data sets are open.
    pub total: AtomicU64,
    /// Rows learned from or set aside.
    pub done: AtomicU64,
    /// Set by who waits for the replay: it then ends with [`Error::Stopped`] at the next batch.
    pub stop: AtomicBool,
}

impl Progress {
    /// Says no when the replay is no longer wanted.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.stop.load(Ordering::Relaxed) { Err(Error::Stopped) } else { Ok(()) }
    }
}
