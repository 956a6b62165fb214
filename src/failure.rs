//! What a command ends with when it cannot do its work, and how that is told.

use crate::words;
use std::process::ExitCode;
use trueup_backtest::setup::SetupError;
use trueup_pipeline::Diagnostics;
use trueup_pipeline::overrides::OverrideError;

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Files that a user wrote are wrong: exit code 2.
    Definition(Diagnostics),
    /// The arguments do not go together: exit code 2.
    Usage(String, Option<String>),
    /// An operation failed: exit code 3.
    Operation(anyhow::Error, Option<String>),
}

impl Failure {
    /// What went wrong, in one text.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Definition(diagnostics) => diagnostics.to_string(),
            Self::Usage(message, _) => message.clone(),
            Self::Operation(error, _) => format!("{error:#}"),
        }
    }

    /// Tells of it on standard error and gives the exit code.
    pub(crate) fn tell(self) -> ExitCode {
        match self {
            Self::Definition(diagnostics) => {
                words::say(diagnostics.to_string().trim_end());
                ExitCode::from(2)
            }
            Self::Usage(message, hint) => {
                words::say(&format!("error: {message}"));
                tell_hint(hint);
                ExitCode::from(2)
            }
            Self::Operation(error, hint) => {
                words::say(&format!("error: {error:#}"));
                tell_hint(hint);
                ExitCode::from(3)
            }
        }
    }
}

fn tell_hint(hint: Option<String>) {
    if let Some(hint) = hint {
        words::say(&format!("hint: {hint}"));
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Definition(diagnostics)
    }
}

impl From<OverrideError> for Failure {
    fn from(error: OverrideError) -> Self {
        match error {
            OverrideError::Definition(diagnostics) => Self::Definition(diagnostics),
            OverrideError::Usage { message, set } => {
                let hint = "write `--set KEY=VALUE`, such as `--set learner.rate=0.1`".to_owned();
                Self::Usage(format!("{message}: `--set {set}`"), Some(hint))
            }
        }
    }
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        let hint = error.hint().map(str::to_owned);
        match error {
            SetupError::Definition(diagnostics) => Self::Definition(diagnostics),
            SetupError::Source(error) => error.into(),
            SetupError::NoDisk(_) => Self::Usage(error.to_string(), hint),
        }
    }
}

impl From<trueup_connector::Error> for Failure {
    fn from(error: trueup_connector::Error) -> Self {
        let hint = error.hint().map(str::to_owned);
        Self::Operation(error.into(), hint)
    }
}

impl From<trueup_backtest::Error> for Failure {
    fn from(error: trueup_backtest::Error) -> Self {
        let hint = error.hint().map(str::to_owned);
        Self::Operation(error.into(), hint)
    }
}

impl From<trueup_registry::Error> for Failure {
    fn from(error: trueup_registry::Error) -> Self {
        let hint = error.hint().map(str::to_owned);
        Self::Operation(error.into(), hint)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Operation(error, None)
    }
}
