//! What the pure core needs to know of a definition: plain values, already checked for shape.
//!
//! `pipeline` makes a [`Spec`] from the files a user writes; the artifact of a model carries it, so
//! that serving computes the same features and applies the same limits. Its canonical JSON is what
//! the definition digest covers.

use crate::features::FeatureSpec;
use crate::learners::LearnerSpec;
use crate::loss::Loss;
use serde::{Deserialize, Serialize};
use trueup_event::Duration;

/// Everything that decides what a run computes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The pipeline's name.
    pub name: String,
    /// The unit of estimate, label, correction and error, such as `minutes`.
    pub unit: String,
    /// Where questions come from.
    pub question: QuestionSpec,
    /// Where labels come from.
    pub label: LabelSpec,
    /// The largest disorder of the pipeline's events.
    pub disorder: Duration,
    /// What happens to events behind the watermark.
    pub late: Late,
    /// How far an event may be ahead of its record's own timestamp.
    pub future_max: Duration,
    /// Features of a question, in the order in which the user declared them.
    pub features: Vec<FeatureSpec>,
    /// Columns that hold other models' estimates, scored beside ours.
    pub references: Vec<String>,
    /// The lineages that learn: the first is the definition's learner, the rest challenge it.
    pub learners: Vec<LearnerSpec>,
    /// What is learned: the middle, the mean, or a quantile of what comes true.
    pub objective: Objective,
    /// How a correction is applied to the primary estimate.
    pub correction: Correction,
    /// How far a correction may go.
    pub limit: Limit,
    /// When a candidate may replace the champion.
    pub gate: GateSpec,
    /// When candidates are published and how long they stay good.
    pub publish: PublishSpec,
    /// The most questions and labels kept waiting at once, each.
    pub pending_max: usize,
}

impl Spec {
    /// The digest of a definition: the BLAKE3 of its canonical JSON.
    ///
    /// # Panics
    /// Never: a definition is plain data.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let json = serde_json::to_vec(self).expect("a definition is plain data");
        *blake3::hash(&json).as_bytes()
    }
}

/// The columns of a question event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuestionSpec {
    /// The analytics event.
    pub event: String,
    /// The column that joins it to its label.
    pub join: String,
    /// The column that tells repeated questions of one key apart; by default join and time do.
    pub id: Option<String>,
    /// The primary model's estimate.
    pub estimate: String,
    /// The answer that was really served, where it was recorded.
    pub served_answer: Option<String>,
}

/// The columns of a label event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelSpec {
    /// The analytics event.
    pub event: String,
    /// The column that joins it to its question.
    pub join: String,
    /// Where the value comes from.
    pub value: LabelValue,
    /// How long after its question a label is waited for.
    pub wait: Duration,
}

/// Where a label's value comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelValue {
    /// A column of the label event.
    Column(String),
    /// The time from one column to another, in the definition's unit.
    Elapsed {
        /// The start: a column of the label event, or else of the question event.
        from: String,
        /// Which event holds the start.
        from_event: Side,
        /// The end: a column of the label event.
        until: String,
        /// Microseconds in one of the definition's units.
        unit_micros: i64,
    },
}

/// One side of the join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The question event.
    Question,
    /// The label event.
    Label,
}

/// What happens to events behind the watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// They are dead letters.
    #[default]
    Drop,
    /// They are taken at their place in merge order.
    Apply,
}

/// What is learned of the distribution of what comes true.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The middle: least absolute error. Robust; its mean error is not zero where errors are
    /// skewed.
    #[default]
    Median,
    /// The mean: least squared error, no bias.
    Mean,
    /// The value that the truth stays below with this probability.
    Quantile(f64),
}

impl Objective {
    /// The loss an optimiser minimises for this objective, unless the learner names another:
    /// the median by Huber's loss of `huber_delta`, in the errors' own scale.
    #[must_use]
    pub const fn loss(self, huber_delta: f64) -> Loss {
        match self {
            Self::Median => Loss::Huber { delta: huber_delta },
            Self::Mean => Loss::Squared,
            Self::Quantile(q) => Loss::Quantile { q },
        }
    }
}

/// How a correction is applied to the primary estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// `estimate + c`; learned from `actual - estimate`.
    #[default]
    Additive,
    /// `estimate * exp(c)`; learned from `ln(actual / estimate)`. Estimate and actual must be > 0.
    Multiplicative,
}

/// How far a correction may go. An answer outside is clamped to the nearest allowed one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// Always allowed, in the unit.
    pub absolute: Option<f64>,
    /// Allowed as a share of the estimate. With both, the larger holds.
    pub relative: Option<f64>,
    /// No answer is below this.
    pub floor: Option<f64>,
}

/// When a candidate may replace the champion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateSpec {
    /// The confidence of each admission, valid however often the gate looks.
    pub confidence: f64,
    /// The feature or key whose distinct values vote once each; none is the join key.
    pub independent: Option<String>,
    /// The fewest independent units before the first look.
    pub units_min: u64,
    /// What must not get worse.
    pub guards: Vec<Guard>,
    /// The largest mean change of the correction from one refresh to the next, as a multiple of the
    /// champion's mean absolute error.
    pub change_max: f64,
}

/// A metric that a candidate must not make worse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// One of [`crate::metrics::METRICS`].
    pub metric: String,
    /// By how much it may be worse, in the metric's own unit.
    pub worse_by: f64,
    /// The category feature whose every value is guarded apart; none guards the whole.
    pub per: Option<String>,
    /// The fewest scored questions of a segment before it is judged.
    pub questions_min: u64,
}

/// When candidates are published and how long they stay good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublishSpec {
    /// At event-time boundaries this far apart (multiples since the epoch), or by matured labels.
    pub every: Cadence,
    /// What a passed gate leads to.
    pub promote: Promote,
    /// A version whose last label is older than this answers no more: back to the primary estimate.
    pub expires: Duration,
    /// From publishing to serving.
    pub serving_delay: Duration,
    /// Every how many versions the artifact is a whole base instead of a delta.
    pub base_every: u64,
}

/// What sets the publish points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cadence {
    /// Event time.
    Time(Duration),
    /// A count of matured labels.
    Labels(u64),
}

/// What a passed gate leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promote {
    /// The candidate serves.
    #[default]
    Automatic,
    /// Scored, never served.
    Shadow,
    /// Waits for a person's word.
    Manual,
}
