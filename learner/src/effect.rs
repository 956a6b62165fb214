//! What the core wants done about the world, as values; carrying it out is the caller's affair.

use crate::arena::Layout;
use crate::artifact::{Artifact, Form};
use crate::gate::Verdict;
use crate::metrics::Errors;
use crate::step::InputMark;
use serde::{Deserialize, Serialize};
use trueup_event::{DeadLetter, EventTime};

/// Takes the effects of a step, in order.
pub trait Sink {
    /// Takes one.
    fn take(&mut self, effect: Effect<'_>);
}

/// A sink that drops everything, for callers who want the state alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl Sink for NoSink {
    fn take(&mut self, _effect: Effect<'_>) {}
}

/// One effect.
#[derive(Debug)]
pub enum Effect<'a> {
    /// An event was set aside.
    DeadLetter(DeadLetter),
    /// A question came to its end.
    Outcome(Outcome<'a>),
    /// A candidate was published and judged; with its artifacts, in the form that it says.
    Candidate(&'a Candidate, &'a Artifact),
    /// Publish points passed at which nothing had changed.
    Idle {
        /// How many.
        boundaries: u64,
    },
}

/// A question at its end.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// Everything kept of it.
    pub row: &'a [u64],
    /// Where what stands in the row.
    pub layout: &'a Layout,
    /// How it ended.
    pub fate: Fate,
}

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    /// Its label came.
    Learned {
        /// What came true, in the unit.
        actual: f64,
        /// When that was known.
        at: EventTime,
    },
    /// Its label did not come in time.
    Expired,
    /// It left for room.
    Evicted,
    /// It still waits (told at the end of a replay).
    Pending,
}

impl Outcome<'_> {
    /// When it was asked.
    #[must_use]
    pub fn time(&self) -> EventTime {
        EventTime::from_micros(self.row[self.layout.time] as i64)
    }

    /// The primary estimate.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        f64::from_bits(self.row[self.layout.estimate])
    }

    /// The answer of a lineage's learner as it was when asked.
    #[must_use]
    pub fn answer(&self, lineage: usize) -> f64 {
        f64::from_bits(self.row[self.layout.answers.start + lineage])
    }

    /// The answer that serving gave.
    #[must_use]
    pub fn served(&self) -> f64 {
        f64::from_bits(self.row[self.layout.served])
    }

    /// The version that gave it; 0 is the primary estimate alone.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.row[self.layout.version]
    }

    /// Another model's estimate.
    #[must_use]
    pub fn reference(&self, index: usize) -> f64 {
        f64::from_bits(self.row[self.layout.references.start + index])
    }

    /// The hash of a category feature's value.
    #[must_use]
    pub fn category(&self, index: usize) -> u64 {
        self.row[self.layout.categories.start + index]
    }
}

/// A candidate at a publish point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its number.
    pub version: u64,
    /// Its lineage: 0 is the definition's learner, the others challenge it.
    pub lineage: usize,
    /// The publish point, in event time.
    pub boundary: EventTime,
    /// Whether its artifact is a base or a delta.
    pub form: Form,
    /// The candidate of its lineage that a delta is against.
    pub parent: Option<CandidateKey>,
    /// The size of its two artifacts.
    pub artifact_bytes: u64,
    /// What the gate says.
    pub verdict: Verdict,
    /// The time of the last label in it; none before the first.
    pub trained_until: Option<EventTime>,
    /// The number of events merged when it was published.
    pub merged: u64,
    /// A digest of everything it is a function of, the definition apart: events in merge order, and
    /// what was obeyed between them.
    pub history: u64,
    /// How far each partition was merged then, in the order of the engine's partitions.
    pub inputs: Vec<InputMark>,
    /// How the primary estimate, its lineage's learner and what was served did so far.
    pub scores: CandidateScores,
    /// The digest of the whole state at this point.
    pub digest: StateDigest,
}

/// What tells a candidate of a definition from all others, in whatever run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CandidateKey {
    /// Its number.
    pub version: u64,
    /// See [`Candidate::history`].
    pub history: u64,
}

impl Candidate {
    /// Its key.
    #[must_use]
    pub const fn key(&self) -> CandidateKey {
        CandidateKey { version: self.version, history: self.history }
    }
}

/// Prequential errors up to a publish point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CandidateScores {
    /// Questions scored.
    pub questions: u64,
    /// Of the primary estimate.
    pub primary: Option<Score>,
    /// Of the lineage's learner.
    pub corrected: Option<Score>,
    /// Of what was served.
    pub served: Option<Score>,
}

/// Errors in two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean absolute error, in the unit.
    pub mae: f64,
    /// Mean error, in the unit.
    pub bias: f64,
}

impl Score {
    /// Of these errors; none when there are none.
    #[must_use]
    pub fn of(errors: &Errors) -> Option<Self> {
        Some(Self { mae: errors.mae()?, bias: errors.bias()? })
    }
}

/// The digest of learners, join and gate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateDigest(pub [u8; 32]);

impl Serialize for StateDigest {
    /// As 64 hexadecimal digits.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StateDigest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("a digest is 64 hexadecimal digits");
        let mut digest = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        for (place, byte) in digest.iter_mut().enumerate() {
            let pair = &text[2 * place..2 * place + 2];
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(digest))
    }
}

impl std::fmt::Display for StateDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for StateDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}
