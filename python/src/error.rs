//! Errors as Python exceptions. The classes stand in `python/trueup/_errors.py`.

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};
use trueup_backtest::setup::SetupError;
use trueup_pipeline::overrides::OverrideError;
use trueup_pipeline::{Diagnostic, Diagnostics, Severity};

/// Why a call could not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the user declared is wrong, at places.
    Definition(Diagnostics),
    /// The arguments do not go together.
    Usage { message: String, hint: Option<String> },
    /// An operation failed; the kind says what the caller should do.
    Operation { message: String, kind: Option<String>, hint: Option<String> },
    /// The replay was stopped.
    Stopped,
    /// Python itself said no.
    Python(PyErr),
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    /// A failure with all its causes in one line.
    pub(crate) fn operation(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::Operation { message: chain(error), kind: None, hint: None }
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Diagnostics> for Failure {
    fn from(found: Diagnostics) -> Self {
        Self::Definition(found)
    }
}

impl From<OverrideError> for Failure {
    fn from(error: OverrideError) -> Self {
        match error {
            OverrideError::Definition(found) => Self::Definition(found),
            OverrideError::Usage { .. } => {
                let hint = error.hint().map(str::to_owned);
                Self::Usage { message: error.to_string(), hint }
            }
        }
    }
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::Definition(found) => Self::Definition(found),
            SetupError::Source(error) => error.into(),
            SetupError::NoDisk(_) => {
                let hint = error.hint().map(str::to_owned);
                Self::Usage { message: error.to_string(), hint }
            }
        }
    }
}

impl From<trueup_backtest::Error> for Failure {
    fn from(error: trueup_backtest::Error) -> Self {
        use trueup_backtest::Error as Replay;
        let kind = match &error {
            Replay::Stopped => return Self::Stopped,
            Replay::Connector(error) => Some(format!("{:?}", error.kind()).to_lowercase()),
            Replay::Shared(error) => Some(format!("{:?}", error.kind()).to_lowercase()),
            Replay::Registry(error) => Some(format!("{:?}", error.kind()).to_lowercase()),
            Replay::NoTopic { .. } | Replay::NotRecorded { .. } => Some("missing".to_owned()),
            Replay::Record { .. } => Some("corrupt".to_owned()),
            Replay::Artifact(_)
            | Replay::File { .. }
            | Replay::Input(_)
            | Replay::Build(_)
            | Replay::Feature(_)
            | Replay::Predictions(_) => None,
        };
        let hint = error.hint().map(str::to_owned);
        Self::Operation { message: chain(&error), kind, hint }
    }
}

/// A message with its causes, as the command line tells them.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        Python::attach(|py| exception(py, failure).unwrap_or_else(|error| error))
    }
}

fn exception(py: Python<'_>, failure: Failure) -> PyResult<PyErr> {
    let (class, message, about) = match failure {
        Failure::Python(error) => return Ok(error),
        Failure::Stopped => return Ok(PyKeyboardInterrupt::new_err(())),
        Failure::Definition(found) => ("ConfigError", found.to_string(), places(py, &found)?),
        Failure::Usage { message, hint } => {
            ("ConfigError", hinted(&message, hint.as_deref()), [("hint", hint)].into_py_dict(py)?)
        }
        Failure::Operation { message, kind, hint } => {
            let text = hinted(&message, hint.as_deref());
            ("OperationError", text, [("kind", kind), ("hint", hint)].into_py_dict(py)?)
        }
    };
    let class = py.import("trueup._errors")?.getattr(class)?;
    Ok(PyErr::from_value(class.call((message,), Some(&about))?))
}

fn hinted(message: &str, hint: Option<&str>) -> String {
    hint.map_or_else(|| message.to_owned(), |hint| format!("{message}\nhint: {hint}"))
}

/// The place of the first error, and all findings.
fn places<'py>(py: Python<'py>, found: &Diagnostics) -> PyResult<Bound<'py, PyDict>> {
    let about = PyDict::new(py);
    let first = found.iter().find(|one| one.severity == Severity::Error);
    if let Some(Diagnostic { file, line, column, remedy, .. }) = first {
        about.set_item("path", file)?;
        about.set_item("line", Some(line).filter(|line| **line > 0))?;
        about.set_item("column", Some(column).filter(|column| **column > 0))?;
        about.set_item("hint", remedy)?;
    }
    about.set_item("findings", findings(py, found)?)?;
    Ok(about)
}

/// Findings as dictionaries.
pub(crate) fn findings<'py>(py: Python<'py>, found: &Diagnostics) -> PyResult<Bound<'py, PyAny>> {
    let text = serde_json::to_string(found).expect("texts and numbers are JSON");
    py.import("json")?.call_method1("loads", (text,))
}

/// Tells of what is probably not meant, in Python's own way.
pub(crate) fn warn(py: Python<'_>, found: &Diagnostics) -> PyResult<()> {
    if found.is_empty() {
        return Ok(());
    }
    let class = py.import("trueup._errors")?.getattr("ConfigWarning")?;
    py.import("warnings")?.call_method1("warn", (found.to_string(), class))?;
    Ok(())
}
