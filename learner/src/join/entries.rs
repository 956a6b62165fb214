//! What the join remembers of questions, labels and keys, and how it counts them.

use super::Ordinal;
use crate::arena::Slot;
use serde::{Deserialize, Serialize};
use trueup_event::{EventTime, Key, Origin, Place, hash};

/// A question, as the join needs it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Its event time.
    pub time: EventTime,
    /// What joins it to its label.
    pub key: Key,
    /// What tells it from other questions of its key.
    pub id: u64,
    /// A hash of its content, to tell a repeat from a contradiction.
    pub content: u64,
    /// Where the rest of it is kept.
    pub slot: Slot,
}

impl Ask {
    /// The hash of key and id.
    pub(super) fn identity(&self) -> u64 {
        hash::mix(self.key.hash64(), self.id)
    }
}

/// A label.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// Its event time.
    pub time: EventTime,
    /// What joins it to its questions.
    pub key: Key,
    /// What came true: a value in the unit, or a point in time in microseconds.
    pub value: f64,
    /// Where it stands in its stream.
    pub place: Place,
    /// The row it was read from.
    pub origin: Origin,
}

/// How a question ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Fate {
    Pending,
    Learned,
    Expired,
    Evicted,
}

/// What is remembered of a question.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Question {
    pub(super) ask: Ask,
    pub(super) fate: Fate,
    /// The next question of the same key.
    pub(super) next: Ordinal,
    pub(super) digest: u128,
}

/// What is remembered of a label.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) label: Label,
    /// Whether it has found a question, or is known to have come too late for one.
    pub(super) is_settled: bool,
    pub(super) digest: u128,
}

/// All that is remembered of one key.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Trip {
    pub(super) key: Key,
    pub(super) first: Ordinal,
    pub(super) last: Ordinal,
    /// No question before this one is pending.
    pub(super) pending: Ordinal,
    pub(super) label: Ordinal,
}

/// What became of the questions fed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All that came.
    pub fed: u64,
    /// Questions learned from; labels that found a question.
    pub learned: u64,
    /// Still waiting.
    pub pending: u64,
    /// Questions whose label did not come in time; labels that came after that.
    pub expired: u64,
    /// Pushed out by the cap on memory.
    pub evicted: u64,
    /// Labels without a question (0 for questions).
    pub orphan: u64,
    /// Malformed, not finite, future or repeated.
    pub quarantined: u64,
    /// Behind the watermark.
    pub late: u64,
}

impl Counts {
    /// Whether nothing was lost: what was fed is the sum of all ends.
    #[must_use]
    pub const fn add_up(&self) -> bool {
        self.fed
            == self.learned
                + self.pending
                + self.expired
                + self.evicted
                + self.orphan
                + self.quarantined
                + self.late
    }
}
