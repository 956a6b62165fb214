//! What can stop a replay.

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
    /// Writing the predictions.
    #[error(transparent)]
    Predictions(#[from] crate::predictions::Error),
    /// Who asked for the replay no longer wants it.
    #[error("the replay was stopped")]
    Stopped,
}

impl Error {
    /// What would be right, where it is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Connector(error) => error.hint(),
            Self::Shared(error) => error.hint(),
            Self::Feature(error) => Some(error.hint()),
            Self::Input(_) | Self::Build(_) | Self::Predictions(_) | Self::Stopped => None,
        }
    }
}
