//! What is asked, and what is answered.

use crate::definition::Definition;
use std::borrow::Cow;
use trueup_event::EventTime;
use trueup_learner::effect::StateDigest;
use trueup_learner::features::{Refusal, Value};

/// A question, as the definition's question event has it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// When it is asked, by the question's own clock; none is now. It is the value of the
    /// definition's time column.
    pub time: Option<EventTime>,
    /// What the primary model says, in the definition's unit. It is the value of the definition's
    /// estimate column.
    pub estimate: f64,
    /// The other columns, each at most once. A column that is not there is null, and what is
    /// computed from it is missing; a column that the definition does not know is passed over.
    pub columns: &'a [(&'a str, Value<'a>)],
}

impl<'a> Question<'a> {
    /// The value of a column that a feature is computed from.
    pub(crate) fn column(
        &self,
        definition: &Definition,
        time: EventTime,
        name: &str,
    ) -> Option<Value<'a>> {
        if let Some((_, value)) = self.columns.iter().find(|(column, _)| *column == name) {
            return Some(*value);
        }
        if name == definition.estimate_column() {
            return Some(Value::Number(self.estimate));
        }
        (name == definition.time_column()).then_some(Value::TimeMicros(time.micros()))
    }
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// The answer, in the definition's unit.
    pub answer: f64,
    /// The primary estimate.
    pub estimate: f64,
    /// The answer less the primary estimate.
    pub correction: f64,
    /// Who answered.
    pub status: Status,
    /// The version that answered, by its number in the registry.
    pub version: Option<u64>,
    /// The digest of the state that answered.
    pub digest: Option<StateDigest>,
}

impl Answer {
    /// The primary estimate alone.
    pub(crate) const fn primary(estimate: f64, reason: Reason) -> Self {
        Self {
            answer: estimate,
            estimate,
            correction: 0.0,
            status: Status::Primary(reason),
            version: None,
            digest: None,
        }
    }

    /// Why the primary estimate answers alone, if it does.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        match self.status {
            Status::Corrected => None,
            Status::Primary(reason) => Some(reason),
        }
    }
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// A version.
    Corrected,
    /// The primary estimate alone.
    Primary(Reason),
}

impl Status {
    /// The word of the protocols.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Corrected => "corrected",
            Self::Primary(_) => "primary",
        }
    }
}

/// Why the primary estimate answers alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The version's last label is too old for the question.
    Expired,
    /// What the alias names cannot be loaded, and there is no good version that may stand in.
    NotLoaded,
    /// The alias has never named a version.
    NoVersion,
    /// The alias was moved to no version.
    Withdrawn,
}

impl Reason {
    /// Every reason, by name.
    pub const ALL: [Self; 4] = [Self::Expired, Self::NoVersion, Self::NotLoaded, Self::Withdrawn];

    /// The word of the protocols and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NoVersion => "no_version",
            Self::NotLoaded => "not_loaded",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refused {
    /// The estimate is no number to correct.
    #[error("estimate is not finite: `{0}`")]
    Estimate(f64),
    /// A value cannot serve its feature.
    #[error(transparent)]
    Value(#[from] Refusal),
    /// A column was sent that cannot be read.
    #[error("{0}")]
    Column(Cow<'static, str>),
}
