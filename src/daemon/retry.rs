//! Doing a thing again until it is done, cannot be, or nobody waits for it any more.

use super::Handle;
use crate::failure::Failure;
use std::time::Duration;
use trueup_registry::ErrorKind;

/// The longest wait before a store that fails is asked again.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// How often a store is asked at least, even by a run that is to stop.
const TRIES: u32 = 5;

/// Does something in the registry until it is done or cannot be.
pub(super) fn retry<T>(
    handle: &Handle,
    mut work: impl FnMut() -> Result<T, trueup_registry::Error>,
) -> Result<T, Failure> {
    let mut wait = Duration::from_millis(50);
    for tries in 1.. {
        match work() {
            Ok(done) => return Ok(done),
            Err(error) if error.kind() == ErrorKind::Fenced => return Err(fenced(&error)),
            Err(error) if error.kind() == ErrorKind::Retry => {
                if handle.stop().is_asked() && tries >= TRIES {
                    return Err(error.into());
                }
                tracing::warn!("the registry fails and is asked again: {error}");
                std::thread::sleep(wait);
                wait = (wait * 2).min(WAIT_MAX);
            }
            Err(error) => return Err(error.into()),
        }
    }
    unreachable!("it is tried without end")
}

/// Does something in the store until it is done or cannot be.
pub(super) fn retry_store<T>(
    handle: &Handle,
    mut work: impl FnMut() -> Result<T, trueup_registry::StoreError>,
) -> Result<T, Failure> {
    retry(handle, || work().map_err(trueup_registry::Error::from))
}

/// Another run has taken over.
pub(super) fn fenced(told: &dyn std::fmt::Display) -> Failure {
    let hint = "one run per pipeline and environment: this one has stopped".to_owned();
    Failure::Operation(anyhow::anyhow!("fenced: {told}"), Some(hint))
}
