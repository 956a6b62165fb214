//! What can stop a replay.

use trueup_learner::artifact::DecodeError;
use trueup_learner::engine::InputError;
use trueup_learner::features::InvalidFeature;
use trueup_learner::learners::BuildError;

/// What stopped a replay.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading a data set, or writing dead letters.
    #[error(transparent)]
    Connector(#[from] trueup_connector::Error),
    /// The data do not fit the definition.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The learner cannot be built as declared.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A feature cannot be computed as declared.
    #[error(transparent)]
    Feature(#[from] InvalidFeature),
    /// Reading a data set that several definitions share.
    #[error(transparent)]
    Shared(std::sync::Arc<trueup_connector::Error>),
    /// A topic that nothing was appended to yet.
    #[error("no such topic in `{}`: `{topic}`", folder.display())]
    NoTopic {
        /// The topic.
        topic: String,
        /// The folder of topics.
        folder: std::path::PathBuf,
    },
    /// An event that a recording does not have.
    #[error("event is not in the recording `{}`: `{event}`", folder.display())]
    NotRecorded {
        /// The event.
        event: String,
        /// The recording's folder.
        folder: std::path::PathBuf,
    },
    /// A file of a data set, read for its digest.
    #[error("cannot read `{}`: {error}", file.display())]
    File {
        /// The file.
        file: std::path::PathBuf,
        /// What is wrong.
        error: std::io::Error,
    },
    /// Who asked for the replay, or takes its candidates, no longer wants it.
    #[error("the replay was stopped")]
    Stopped,
    /// Reading the registry.
    #[error(transparent)]
    Registry(#[from] trueup_registry::Error),
    /// An artifact is not of the learner that its definition names.
    #[error(transparent)]
    Artifact(#[from] DecodeError),
    /// The record or the definition of a version is not what this program writes.
    #[error("the record of version `{version}` cannot be read: {error}")]
    Record {
        /// The version.
        version: u64,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// Writing the predictions.
    #[error(transparent)]
    Predictions(#[from] crate::predictions::Error),
}

impl Error {
    /// What would be right, where it is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Connector(error) => error.hint(),
            Self::Shared(error) => error.hint(),
            Self::Feature(error) => Some(error.hint()),
            Self::Registry(error) => error.hint(),
            Self::NoTopic { .. } => Some("append events to it with `trueup append`"),
            Self::NotRecorded { .. } => Some("set `record` in the environment and run it first"),
            Self::Record { .. } => Some("read it with the version of this program that wrote it"),
            Self::Artifact(_)
            | Self::Input(_)
            | Self::Build(_)
            | Self::Predictions(_)
            | Self::Stopped
            | Self::File { .. } => None,
        }
    }
}
