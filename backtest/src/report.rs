//! What a replay found, as data: the table, the JSON object and the page are drawn from this.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use trueup_learner::effect::StateDigest;
use trueup_learner::gate::Verdict;
use trueup_learner::join::Counts;

/// The replay of one or more definitions over the same streams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// One entry per definition, in the order of the command line.
    pub runs: Vec<RunReport>,
    /// Every later definition against the first, on the same questions.
    pub comparisons: Vec<Comparison>,
}

/// The replay of one definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// The definition's name.
    pub definition: String,
    /// The environment it ran in.
    pub environment: String,
    /// The unit of every estimate and error.
    pub unit: String,
    /// The learner's kind.
    pub learner: String,
    /// What it aims at: `median`, `mean`, `quantile 0.8`.
    pub objective: String,
    /// The event of the questions.
    pub question_event: StreamReport,
    /// The event of the labels.
    pub label_event: StreamReport,
    /// The primary estimate, over all labelled questions.
    pub primary: Metrics,
    /// The learner's answer as it was when asked.
    pub corrected: Metrics,
    /// What serving would have answered, given publishing, gate and serving delay.
    pub as_served: Metrics,
    /// Other models' estimates, by column.
    pub references: Vec<NamedMetrics>,
    /// The other lineages, by kind.
    pub challengers: Vec<NamedMetrics>,
    /// The same from the moment the first version served; none when none did.
    pub since_admission: Option<SinceAdmission>,
    /// What became of the questions.
    pub counts: QuestionCounts,
    /// What became of the labels.
    pub labels: LabelCounts,
    /// Set-aside events by stream and reason.
    pub dead_letters: Vec<DeadLetterCount>,
    /// Labels matched, as a share of labels fed; none when none was fed.
    pub match_share: Option<f64>,
    /// From question to label, in minutes.
    pub label_delay_minutes: Option<Delay>,
    /// What the gate did.
    pub gate: GateReport,
    /// What publishing would have written.
    pub artifacts: ArtifactReport,
    /// The digest of learner, join and gate at the end.
    pub digest: StateDigest,
    /// Questions and labels per second of the whole replay.
    pub events_per_second: f64,
    /// Seconds from opening the streams to the last event.
    pub elapsed_seconds: f64,
    /// Errors by day of the question (UTC).
    pub days: Vec<Day>,
    /// Errors by the values of each category feature, most questions first.
    pub segments: Vec<SegmentReport>,
    /// The spread of errors.
    pub residuals: Residuals,
    /// Drift alarms on the corrected error.
    pub drifts: Vec<DriftReport>,
}

/// One stream that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamReport {
    /// The event's name.
    pub event: String,
    /// Where it was read from.
    pub location: String,
    /// Events fed.
    pub fed: u64,
    /// The first event's time; none when there was none.
    pub first: Option<String>,
    /// The last event's time.
    pub last: Option<String>,
    /// Rows skipped because their time is null: they have not happened yet.
    pub not_yet: u64,
}

/// Errors of one source of answers; all are none when nothing was scored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Mean absolute error.
    pub mae: Option<f64>,
    /// Mean of actual - answer: above 0 when answers are too low.
    pub bias: Option<f64>,
    /// Root of the mean squared error.
    pub rmse: Option<f64>,
    /// Median absolute error.
    pub p50: Option<f64>,
    /// Absolute error of 9 in 10.
    pub p90: Option<f64>,
    /// Absolute error of 19 in 20.
    pub p95: Option<f64>,
    /// Share within 5 units.
    pub within_5: Option<f64>,
    /// Share within 15 units.
    pub within_15: Option<f64>,
}

/// Errors of an answer that has a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedMetrics {
    /// The column, or the learner's kind.
    pub name: String,
    /// Its errors.
    #[serde(flatten)]
    pub metrics: Metrics,
}

/// The stream after the first version began to serve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SinceAdmission {
    /// The publish point of the admitted version.
    pub admitted_at: String,
    /// Days from the first question to that point.
    pub days_to_admission: f64,
    /// Labelled questions since.
    pub questions: u64,
    /// Mean absolute error of the primary estimate on them.
    pub primary_mae: f64,
    /// Of the learner as it was when asked.
    pub corrected_mae: f64,
    /// Of what was served.
    pub served_mae: f64,
}

/// What became of the questions: `fed` is the sum of all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionCounts {
    /// All that came.
    pub fed: u64,
    /// Learned from.
    pub learned: u64,
    /// Still waiting for a label.
    pub pending: u64,
    /// No label came in time.
    pub expired: u64,
    /// Pushed out by the cap on memory.
    pub evicted: u64,
    /// Malformed, not finite, future or repeated.
    pub quarantined: u64,
    /// Behind the watermark.
    pub late: u64,
}

/// What became of the labels: `fed` is the sum of all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelCounts {
    /// All that came.
    pub fed: u64,
    /// Found a question.
    pub joined: u64,
    /// May still find one.
    pub waiting: u64,
    /// Never found one.
    pub orphan: u64,
    /// Came after its question had expired.
    pub expired: u64,
    /// Pushed out by the cap on memory.
    pub evicted: u64,
    /// Malformed, not finite, future or repeated.
    pub quarantined: u64,
    /// Behind the watermark.
    pub late: u64,
}

impl From<Counts> for QuestionCounts {
    fn from(counts: Counts) -> Self {
        let Counts { fed, learned, pending, expired, evicted, orphan: _, quarantined, late } =
            counts;
        Self { fed, learned, pending, expired, evicted, quarantined, late }
    }
}

impl From<Counts> for LabelCounts {
    fn from(counts: Counts) -> Self {
        let Counts { fed, learned, pending, expired, evicted, orphan, quarantined, late } = counts;
        Self { fed, joined: learned, waiting: pending, orphan, expired, evicted, quarantined, late }
    }
}

/// Events set aside for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterCount {
    /// The event's name.
    pub event: String,
    /// The reason.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The first of them: where it was and what was wrong.
    pub example: String,
}

/// A spread of delays in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Delay {
    /// The median.
    pub p50: f64,
    /// 9 in 10 are shorter.
    pub p90: f64,
    /// 99 in 100 are shorter.
    pub p99: f64,
}

/// What the gate did with the candidates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// Publish points with something new.
    pub candidates: u64,
    /// Publish points at which nothing had changed.
    pub idle: u64,
    /// Candidates whose lineage was admitted by them.
    pub admitted: u64,
    /// Candidates of the serving lineage that passed the checks.
    pub refreshed: u64,
    /// Candidates equal to the one before.
    pub unchanged: u64,
    /// Refused candidates by reason.
    pub refused: BTreeMap<String, u64>,
    /// Independent units seen by the main lineage.
    pub units: u64,
    /// Its improvement per unit over no correction: mean, lower and upper bound.
    pub improvement: Option<[f64; 3]>,
    /// Runs of equal verdicts, in order.
    pub timeline: Vec<VerdictRun>,
}

/// Successive candidates of one lineage with the same kind of verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictRun {
    /// The lineage: 0 is the definition's learner.
    pub lineage: usize,
    /// The first candidate's version.
    pub version: u64,
    /// The first publish point.
    pub from: String,
    /// The last publish point.
    pub until: String,
    /// How many candidates.
    pub count: u64,
    /// The first one's verdict, in full.
    pub verdict: Verdict,
}

/// What publishing would have written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactReport {
    /// Whole artifacts.
    pub bases: u64,
    /// Their bytes.
    pub base_bytes: u64,
    /// Delta artifacts.
    pub deltas: u64,
    /// Their bytes.
    pub delta_bytes: u64,
}

/// Errors of three sources of answers over the same questions, as sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Labelled questions.
    pub questions: u64,
    /// Sums of absolute errors: primary, corrected, as served.
    pub absolute: [f64; 3],
    /// Sums of errors (actual - answer): primary, corrected, as served.
    pub signed: [f64; 3],
}

/// One day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Day {
    /// `2013-01-01`.
    pub day: String,
    /// Errors of the questions asked on it.
    #[serde(flatten)]
    pub sums: Sums,
}

/// Errors by the values of one category feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentReport {
    /// The feature.
    pub feature: String,
    /// How many distinct values were seen.
    pub distinct: u64,
    /// The values with most questions.
    pub values: Vec<SegmentValue>,
}

/// One value of a category feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentValue {
    /// The value.
    pub value: String,
    /// Its errors.
    #[serde(flatten)]
    pub sums: Sums,
}

/// Histograms of errors (actual - answer) over common bins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Residuals {
    /// The left edge of the first bin.
    pub from: f64,
    /// The width of a bin.
    pub width: f64,
    /// Counts per bin: primary, corrected, as served. The first and last bin hold what lies beyond.
    pub counts: [Vec<u64>; 3],
}

/// Drift alarms listed in a report; later ones are left out.
pub const DRIFTS_MAX: usize = 200;

/// One drift alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftReport {
    /// When, in event time.
    pub at: String,
    /// The detector.
    pub detector: String,
    /// The mean absolute error before and after, in the unit.
    pub before: Option<f64>,
    /// See `before`.
    pub after: Option<f64>,
}

/// Two definitions compared on the questions both answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The first definition.
    pub baseline: String,
    /// The one compared with it.
    pub definition: String,
    /// Independent units both answered.
    pub units: u64,
    /// Mean of |error of baseline| - |error of definition| per unit: above 0 when the definition is
    /// better.
    pub difference: Option<f64>,
    /// Bounds of that mean, valid at any time, at 95 %.
    pub bounds: Option<[f64; 2]>,
    /// `better`, `worse` or `undecided`.
    pub verdict: String,
}
