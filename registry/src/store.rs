//! What the registry asks of the world: a few blocking calls on named objects.
//!
//! Truth is only ever written by [`Store::create`], which never overwrites. A caller whose call
//! fails with [`StoreErrorKind::Retry`] does not know whether it was done, and one that is told
//! [`Created::Exists`] may meet its own object, for a store may repeat a request whose reply it
//! lost. Hence whoever creates puts a nonce into the bytes and reads back to find out.

mod disk;
mod error;
mod faulty;
mod objects;
mod patient;

pub use disk::Disk;
pub use error::{StoreError, StoreErrorKind};
pub use faulty::{Faults, Faulty};
pub use objects::Objects;
pub(crate) use patient::Patient;

use std::ops::Range;

/// What became of a [`Store::create`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object was not there before and is there now, durably.
    New,
    /// An object of that path is there; nothing was changed by this call or a repetition of it.
    Exists,
}

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its path.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was last written, by the store's clock, in microseconds since the Unix epoch.
    pub modified_micros: i64,
}

/// Named objects that survive.
///
/// Paths are parts joined by `/`, without `.`, `..` or empty parts. Every call blocks; none may be
/// made from inside an async task.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Writes an object if there is none of that path, whole or not at all. It is durable when the
    /// call returns, and so is one that was found.
    ///
    /// # Errors
    /// When the store cannot be written to; after [`StoreErrorKind::Retry`] it may be written.
    fn create(&self, path: &str, bytes: &[u8]) -> Result<Created, StoreError>;

    /// Writes or replaces an object, whole or not at all. For hints only, never for truth.
    ///
    /// # Errors
    /// When the store cannot be written to.
    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// The bytes of an object, or none if it is absent.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Some of the bytes of an object, or none if it is absent. Where the object ends before the
    /// range does, the answer is short.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn read_range(&self, path: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, StoreError>;

    /// All objects beneath a folder, sorted by path; none if there is no such folder.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError>;

    /// The names of the folders directly in a folder, sorted.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError>;

    /// Removes an object; it is no error if it is absent.
    ///
    /// # Errors
    /// When the store cannot be written to.
    fn delete(&self, path: &str) -> Result<(), StoreError>;

    /// Removes what interrupted writes of this store left behind before a point in time of the
    /// store's clock (microseconds since the Unix epoch), and says how many objects that were.
    ///
    /// # Errors
    /// When the store cannot be written to.
    fn sweep(&self, before_micros: i64) -> Result<u64, StoreError> {
        let _ = before_micros;
        Ok(0)
    }
}

/// Refuses a path that could leave the store.
fn check_path(path: &str) -> Result<(), StoreError> {
    let is_good =
        |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0', ':']);
    if path.split('/').all(is_good) {
        return Ok(());
    }
    let message = format!("not a path of this store: `{}`", path.escape_debug());
    Err(StoreError::new(StoreErrorKind::Invalid, message))
}
