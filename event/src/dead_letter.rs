//! Why an event could not be used, and where it came from. Nothing is dropped in silence.

use crate::{EventTime, Origin, Place};
use serde::{Deserialize, Serialize};

/// Why an event was set aside. Checks run in this order; the first that fails names the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A needed column is null, has another type, or cannot be read.
    Malformed,
    /// A number that must be finite is NaN or infinite.
    NotFinite,
    /// Further ahead of its record's own timestamp than `future_max`.
    Future,
    /// Strictly behind the watermark.
    Late,
    /// The same identity was seen before, with the same content.
    Duplicate,
    /// The same identity was seen before, with another content.
    Conflict,
    /// A label whose question had already expired.
    Expired,
    /// Pushed out because a cap on memory was reached.
    Evicted,
    /// A label for which no question came in time.
    Orphan,
}

impl Reason {
    /// Every reason, in the order of the checks.
    pub const ALL: [Self; 9] = [
        Self::Malformed,
        Self::NotFinite,
        Self::Future,
        Self::Late,
        Self::Duplicate,
        Self::Conflict,
        Self::Expired,
        Self::Evicted,
        Self::Orphan,
    ];

    /// The word used in reports and dead-letter files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NotFinite => "not_finite",
            Self::Future => "future",
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Expired => "expired",
            Self::Evicted => "evicted",
            Self::Orphan => "orphan",
        }
    }
}

/// One event that was set aside, with the reason and the place it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// Stream, partition and offset.
    pub place: Place,
    /// The row of the file it was read from.
    pub origin: Origin,
    /// Its event time, where one could be read.
    pub time: Option<EventTime>,
    /// Why.
    pub reason: Reason,
    /// What exactly was wrong, and with which column.
    pub detail: std::borrow::Cow<'static, str>,
}
