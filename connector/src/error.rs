//! One opaque error whose kind says what the caller should do, and whose hint says how.
//!
//! Messages name the file, row group or column; the cause stays behind
//! [`std::error::Error::source`].

use std::io;

/// What the caller should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Try again: a network fault, a busy store, a file that changed while it was read.
    Retry,
    /// Something named is not there: a file, a bucket, a match for a glob.
    Missing,
    /// The request, the definition or the permissions must be changed.
    Invalid,
    /// The data are damaged: restore the file.
    Corrupt,
}

/// Why the world could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// What the caller should do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What the person at the keyboard can do, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Missing, message)
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A failed call of an object store; `doing` is such as "cannot list".
    pub(crate) fn store(doing: &str, what: &str, error: object_store::Error) -> Self {
        use object_store::Error as Store;
        let (kind, hint) = match &error {
            Store::NotFound { .. } => (ErrorKind::Missing, None),
            Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => {
                (ErrorKind::Invalid, Some(PERMISSION_HINT))
            }
            Store::Precondition { .. } | Store::NotModified { .. } => (
                ErrorKind::Retry,
                Some("the file changed while it was read: start again once nobody writes to it"),
            ),
            Store::InvalidPath { .. }
            | Store::NotSupported { .. }
            | Store::NotImplemented { .. }
            | Store::AlreadyExists { .. }
            | Store::UnknownConfigurationKey { .. } => (ErrorKind::Invalid, None),
            other => match io_kind(other) {
                Some(io::ErrorKind::PermissionDenied) => {
                    (ErrorKind::Invalid, Some(PERMISSION_HINT))
                }
                Some(io::ErrorKind::NotFound) => (ErrorKind::Missing, None),
                Some(_) | None => (ErrorKind::Retry, None),
            },
        };
        let made = Self::new(kind, format!("{doing}: `{what}`")).caused_by(error);
        match hint {
            Some(hint) => made.with_hint(hint),
            None => made,
        }
    }

    /// A failed call of the local disk.
    pub(crate) fn disk(doing: &str, path: &std::path::Path, error: io::Error) -> Self {
        let (kind, hint) = match error.kind() {
            io::ErrorKind::NotFound => (ErrorKind::Missing, "check that the folder exists"),
            io::ErrorKind::PermissionDenied => (ErrorKind::Invalid, PERMISSION_HINT),
            io::ErrorKind::StorageFull => {
                (ErrorKind::Invalid, "free some space, or choose another disk")
            }
            _ => (ErrorKind::Retry, "check the disk"),
        };
        Self::new(kind, format!("{doing}: `{}`", path.display())).caused_by(error).with_hint(hint)
    }
}

const PERMISSION_HINT: &str = "allow this user to read it, or give the credentials of one who may";

/// The kind of the I/O error at the bottom of a chain of causes.
fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}

/// A hint for a name that does not exist: the nearest names, else the first few.
pub(crate) fn names_hint<'a>(
    wanted: &str,
    what: &str,
    names: impl Iterator<Item = &'a str>,
) -> String {
    let names: Vec<&str> = names.collect();
    let lower = wanted.to_lowercase();
    let mut near: Vec<(f64, &str)> = names
        .iter()
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), *name))
        .filter(|(similarity, _)| *similarity > 0.75)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let quoted =
        |list: &[&str]| list.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    let nearest: Vec<&str> = near.iter().take(3).map(|(_, name)| *name).collect();
    match (nearest.is_empty(), names.len()) {
        (_, 0) => format!("there are no {what}"),
        (false, _) => format!("the nearest {what} are {}", quoted(&nearest)),
        (true, 1..=12) => format!("the {what} are {}", quoted(&names)),
        (true, many) => format!("the {many} {what} begin with {}", quoted(&names[..12])),
    }
}
