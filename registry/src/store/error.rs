//! The error of the stores: opaque, with a kind that says what to do.

use std::error::Error as StdError;
use std::io;
use std::path::Path;

/// What the caller should do about an error of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// Try again; whether the call was done is not known.
    Retry,
    /// Something named, such as a bucket, is not there.
    Missing,
    /// The place, the path or the permissions must be changed.
    Invalid,
    /// The store returned what was never written.
    Corrupt,
    /// No space is left.
    Full,
    /// Nothing may be written there.
    ReadOnly,
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    hint: Option<&'static str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl StoreError {
    /// An error of this kind: for stores outside of this crate.
    #[must_use]
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    /// What the caller should do.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// What the person at the keyboard can do, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        self.hint
    }

    /// What it comes from.
    pub(crate) fn into_cause(self) -> Option<Box<dyn StdError + Send + Sync>> {
        self.source
    }

    pub(super) fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    pub(super) fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// A failed call of the local disk; `doing` is such as "cannot write".
    pub(super) fn disk(doing: &str, path: &Path, error: io::Error) -> Self {
        let (kind, hint) = io_kind(error.kind());
        let made = Self::new(kind, format!("{doing}: `{}`", path.display())).caused_by(error);
        Self { hint, ..made }
    }

    /// A failed reading of the local disk.
    pub(super) fn reading(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => {
                let message = format!("cannot read: `{}`", path.display());
                let made = Self::new(StoreErrorKind::Invalid, message).caused_by(error);
                made.with_hint("allow this user to read it")
            }
            _ => Self::disk("cannot read", path, error),
        }
    }

    /// A failed call of an object store.
    pub(super) fn object(doing: &str, path: &str, error: object_store::Error) -> Self {
        use object_store::Error as E;
        let permission = "give the credentials of one who may, in the environment";
        let (kind, hint) = match &error {
            E::NotFound { .. } => (StoreErrorKind::Missing, Some("check that the bucket exists")),
            E::PermissionDenied { .. } | E::Unauthenticated { .. } => {
                (StoreErrorKind::Invalid, Some(permission))
            }
            E::NotSupported { .. } | E::NotImplemented { .. } => {
                (StoreErrorKind::Invalid, Some("use a store that can put an object if absent"))
            }
            E::InvalidPath { .. } | E::UnknownConfigurationKey { .. } => {
                (StoreErrorKind::Invalid, None)
            }
            other => match io_cause(other) {
                Some(kind) => io_kind(kind),
                None => (StoreErrorKind::Retry, None),
            },
        };
        let made = Self::new(kind, format!("{doing}: `{path}`")).caused_by(error);
        Self { hint, ..made }
    }
}

fn io_kind(kind: io::ErrorKind) -> (StoreErrorKind, Option<&'static str>) {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (StoreErrorKind::Full, Some("free some space, then start again"))
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            (StoreErrorKind::ReadOnly, Some("allow this user to write there"))
        }
        io::ErrorKind::NotADirectory
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput => {
            (StoreErrorKind::Invalid, Some("name a folder that exists or can be made"))
        }
        _ => (StoreErrorKind::Retry, Some("check the disk")),
    }
}

/// The kind of the I/O error at the bottom of a chain of causes.
fn io_cause(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}
