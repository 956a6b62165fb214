//! Where other crates of the program keep their own files: a folder on the local disk, or an object
//! store behind a URL.

use crate::error::Error;
use crate::io;
use crate::location::place;
use object_store::ObjectStore;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A place in which to keep files.
#[derive(Debug, Clone)]
pub enum Store {
    /// A folder on the local disk, absolute if `base` is. It need not be there.
    Disk(PathBuf),
    /// An object store, and the keys in it that begin with a prefix.
    Objects {
        /// The store.
        store: Arc<dyn ObjectStore>,
        /// The prefix, without a slash at either end; empty for the whole store.
        prefix: String,
    },
}

/// The store that `location` names: a path or `file://` URL, or with the feature `cloud` an
/// `s3://`, `gs://` or `az://` URL. Relative paths start at `base`. Nothing is asked of it yet.
///
/// # Errors
/// If the location is empty or of an unknown kind.
pub fn store(location: &str, base: &Path) -> Result<Store, Error> {
    place(location, base)
}

/// The runtime on which this crate waits for object stores; for clients that must live as long.
///
/// # Errors
/// If its threads cannot be started.
pub fn runtime() -> Result<tokio::runtime::Handle, Error> {
    io::runtime().cloned()
}
