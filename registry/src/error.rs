//! One opaque error whose kind says what the caller should do, and whose hint says how.

use crate::refusal::Refusal;
use crate::seal::Broken;
use crate::store::{StoreError, StoreErrorKind};

/// What the caller should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Try again with the same nonce: nothing or all of it was done.
    Retry,
    /// Stop: another process owns what this one wrote to.
    Fenced,
    /// Look again and decide anew: an alias was moved in the meantime.
    Moved,
    /// Stop: the same id stands for other content.
    Conflict,
    /// Something named is not there.
    Missing,
    /// The request must be changed.
    Invalid,
    /// A stored file is damaged; the message names it.
    Corrupt,
    /// The store is full.
    Full,
    /// The store cannot be written to.
    ReadOnly,
}

/// Why the registry could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<&'static str>,
    refusal: Option<Box<Refusal>>,
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
        self.hint
    }

    /// The decision that said no, if one did.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_deref()
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, refusal: None, source: None }
    }

    pub(crate) fn corrupt(path: &str, what: &str) -> Self {
        Self::new(ErrorKind::Corrupt, format!("{what}: `{path}`"))
            .with_hint("restore the file from a copy; a verification of the model lists all damage")
    }

    pub(crate) fn broken(path: &str, broken: &Broken) -> Self {
        match broken {
            Broken::Damaged(what) => Self::corrupt(path, &format!("damaged file, see {what}")),
            Broken::Format(found) => {
                Self::new(ErrorKind::Invalid, format!("file has unknown format {found}: `{path}`"))
                    .with_hint("read it with the version of this program that wrote it")
            }
        }
    }

    pub(crate) fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let kind = match error.kind() {
            StoreErrorKind::Retry => ErrorKind::Retry,
            StoreErrorKind::Missing => ErrorKind::Missing,
            StoreErrorKind::Invalid => ErrorKind::Invalid,
            StoreErrorKind::Corrupt => ErrorKind::Corrupt,
            StoreErrorKind::Full => ErrorKind::Full,
            StoreErrorKind::ReadOnly => ErrorKind::ReadOnly,
        };
        let mut made = Self::new(kind, error.to_string());
        made.hint = error.hint();
        // Its words are said already.
        made.source = error.into_cause();
        made
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let (kind, hint) = match &refusal {
            Refusal::Fenced { .. } => {
                (ErrorKind::Fenced, "stop this process, another one runs the shard")
            }
            Refusal::Moved { .. } => (ErrorKind::Moved, "look at the alias and decide anew"),
            Refusal::Held { .. } => {
                (ErrorKind::Moved, "let the shard obey that entry, or promote a version by hand")
            }
            Refusal::Conflict { .. } => {
                (ErrorKind::Conflict, "two runs of one definition differ: compare their inputs")
            }
            Refusal::NoVersion { .. } | Refusal::NoAlias { .. } => {
                (ErrorKind::Missing, "list the versions and aliases of the model")
            }
            Refusal::Collected { .. } => (ErrorKind::Missing, "keep more versions from now on"),
            Refusal::Forgotten { .. } => (ErrorKind::Missing, "keep a longer history from now on"),
            Refusal::Quarantined { .. } => (ErrorKind::Invalid, "choose another version"),
            Refusal::Parent { .. } => (ErrorKind::Invalid, "publish a base first"),
            Refusal::NoPrevious { .. } => {
                (ErrorKind::Invalid, "name a version, or go back to the primary estimate alone")
            }
        };
        let mut made = Self::new(kind, refusal.to_string()).with_hint(hint);
        made.refusal = Some(Box::new(refusal));
        made
    }
}
