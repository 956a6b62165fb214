//! Decayed residual means per segment, each shrunken to its parent.
//!
//! Levels go from the whole stream down: the estimate of a level is
//! `(sum + shrink * parent) / (weight + shrink)` over decayed sums, so that a segment with few
//! recent labels answers with its parent (hierarchical shrinkage; `docs` explain the choice of
//! `shrink`). For a median the label is first pulled to within `huber_delta` of the present
//! estimate, which makes the mean a Huber M-estimate; for a quantile the pull is asymmetric.

use super::scaler::{Centre, Scaler};
use super::segments;
use super::{
    BuildError, Features, Learner, LearnerKind, LearnerSpec, Shape, TableVisitor, require,
};
use crate::decay;
use crate::spec::Objective;
use crate::state::{Table, Use};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trueup_event::{Duration, EventTime};

/// The line of this learner in the table of kinds.
pub const KIND: LearnerKind = LearnerKind {
    name: "segment",
    about: "decayed residual means per segment, each shrunken to its parent",
    defaults: || LearnerSpec::Segment(SegmentParams::default()),
};

/// Parameters of the segment learner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SegmentParams {
    /// The levels below the global mean, coarse to fine, each a list of category features.
    /// Empty: one level per declared category feature, each adding one to the level above.
    pub levels: Vec<Vec<String>>,
    /// How long until a label counts half, such as `"7d"`.
    #[schemars(with = "String")]
    pub half_life: Duration,
    /// How many labels' weight the parent's mean has.
    pub shrink: f64,
    /// The most segments kept; later ones answer with their parent. A power of two.
    pub segments_max: usize,
    /// Median objective: how far one label may pull its mean, in spreads (root mean squares) of the
    /// residual.
    pub huber_delta: f64,
}

impl Default for SegmentParams {
    fn default() -> Self {
        Self {
            levels: Vec::new(),
            half_life: Duration::from_hours(48),
            shrink: 10.0,
            segments_max: 65_536,
            huber_delta: 0.5,
        }
    }
}

/// Cells per segment: when it was last updated, decayed sum, decayed weight.
const WIDTH: usize = 3;

/// The segment learner.
#[derive(Debug, Clone)]
pub struct Segment {
    levels: Vec<Vec<usize>>,
    rate: f64,
    shrink: f64,
    huber_delta: f64,
    objective: Objective,
    index: Table<u64>,
    means: Table<f64>,
    /// The scale of the residuals.
    scaler: Scaler,
}

impl Segment {
    /// Builds it.
    ///
    /// # Errors
    /// When a level names no category feature or a parameter is out of range.
    pub fn new(params: &SegmentParams, shape: &Shape) -> Result<Self, BuildError> {
        require(params.half_life > Duration::ZERO, "half_life", "longer than nothing")?;
        require(params.shrink > 0.0 && params.shrink.is_finite(), "shrink", "above 0")?;
        require(params.huber_delta > 0.0, "huber_delta", "above 0")?;
        require_segments_max(params.segments_max)?;
        let mut levels = vec![Vec::new()];
        for level in &params.levels {
            levels.push(shape.places(level)?);
        }
        if params.levels.is_empty() {
            levels.extend((0..shape.categories.len()).map(|last| (0..=last).collect()));
        }
        Ok(Self {
            levels,
            rate: decay::rate(params.half_life),
            shrink: params.shrink,
            huber_delta: params.huber_delta,
            objective: shape.objective,
            index: Table::new(params.segments_max),
            means: Table::new(params.segments_max * WIDTH),
            scaler: Scaler::new(vec![Centre::Zero]),
        })
    }

    fn estimate(&self, categories: &[u64], now: EventTime) -> f64 {
        let mut estimate = 0.0;
        for (salt, places) in self.levels.iter().enumerate() {
            let hash = segments::hash_of(salt, places, categories);
            let Some(row) = segments::find(&self.index, hash) else { break };
            let cells = &self.means.cells()[row * WIDTH..];
            let kept = decay::between(micros(cells[0]), now, self.rate);
            let (sum, weight) = (cells[1] * kept, cells[2] * kept);
            estimate = (sum + self.shrink * estimate) / (weight + self.shrink);
        }
        estimate
    }

    /// The label pulled to where one label may pull the estimate.
    fn pulled(&self, estimate: f64, residual: f64) -> f64 {
        let error = residual - estimate;
        let reach = self.huber_delta * self.scaler.spread(0);
        match self.objective {
            Objective::Mean => residual,
            Objective::Median => estimate + error.clamp(-reach, reach),
            Objective::Quantile(q) => {
                let weight = if error > 0.0 { 2.0 * q } else { 2.0 * (1.0 - q) };
                estimate + error.clamp(-reach, reach) * weight
            }
        }
    }
}

/// Refuses a table size that is no power of two or too small or large.
pub(super) fn require_segments_max(size: usize) -> Result<(), BuildError> {
    let fits = size.is_power_of_two() && (64..=1 << 24).contains(&size);
    require(fits, "segments_max", "a power of two from 64 to 16777216")
}

/// Event time kept in a cell: microseconds, exact below 2^53 (until the year 2255).
pub(super) fn micros(cell: f64) -> EventTime {
    EventTime::from_micros(cell as i64)
}

impl Learner for Segment {
    fn inputs_len(&self) -> usize {
        0
    }

    fn predict_one(&self, question: &Features<'_>, _inputs: &mut [f64]) -> f64 {
        self.estimate(question.categories, question.time)
    }

    fn learn_one(
        &mut self,
        question: &Features<'_>,
        _inputs: &[f64],
        now: EventTime,
        residual: f64,
    ) {
        self.scaler.observe(0, residual);
        let estimate = self.estimate(question.categories, now);
        let residual = self.pulled(estimate, residual);
        for (salt, places) in self.levels.iter().enumerate() {
            let hash = segments::hash_of(salt, places, question.categories);
            let Some(row) = segments::find_or_insert(&mut self.index, hash) else { break };
            let cells = self.means.row_mut(row * WIDTH..(row + 1) * WIDTH);
            let kept = decay::between(micros(cells[0]), now, self.rate);
            let is_fresh = cells[2] == 0.0;
            cells[0] =
                if is_fresh { now.micros() as f64 } else { cells[0].max(now.micros() as f64) };
            cells[1] = cells[1] * kept + residual;
            cells[2] = cells[2] * kept + 1.0;
        }
    }

    fn duplicate(&self) -> Box<dyn Learner> {
        Box::new(self.clone())
    }

    fn tables(&mut self, visit: &mut TableVisitor<'_>) {
        visit("segments", Use::Serving, &mut self.index);
        visit("means", Use::Serving, &mut self.means);
        visit("scales", Use::Training, &mut self.scaler.table);
    }
}
