//! Recursive least squares with forgetting, over numbers and recent residual means.
//!
//! The inputs are a constant, the number features at unit scale, and, for the whole stream and
//! every declared segment, decayed means of the residuals of recent labels at several half-lives.
//! The coefficients follow by recursive least squares (Plackett 1950; Haykin, *Adaptive Filter
//! Theory*, ch. 10) with exponential forgetting; errors beyond `huber_delta` are downweighted for
//! the median (iteratively reweighted least squares), asymmetrically for other quantiles. Where
//! the inputs stop exciting a direction, its variance is capped so that forgetting cannot blow it
//! up.

use super::scaler::{Centre, Scaler};
use super::segment::{micros, require_segments_max};
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
    name: "rls",
    about: "recursive least squares with forgetting over numbers and recent residual means",
    defaults: || LearnerSpec::Rls(RlsParams::default()),
};

/// Parameters of recursive least squares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RlsParams {
    /// Segments whose recent residual means are inputs, each a list of category features; the whole
    /// stream is always one. Empty: every category feature alone, and all of them together.
    pub recent: Vec<Vec<String>>,
    /// How long until a label counts half in those means, shortest first.
    #[schemars(with = "Vec<String>")]
    pub half_lives: Vec<Duration>,
    /// The share of its weight that an old label keeps at each new one (0.99 to 1).
    pub forgetting: f64,
    /// How uncertain the coefficients are at the start: variance on inputs of unit scale.
    pub prior_variance: f64,
    /// How many labels' weight zero has in a recent mean.
    pub shrink: f64,
    /// Median objective: errors beyond this are downweighted, in spreads (root mean squares) of the
    /// residual.
    pub huber_delta: f64,
    /// The most segments kept; a power of two.
    pub segments_max: usize,
}

impl Default for RlsParams {
    fn default() -> Self {
        Self {
            recent: Vec::new(),
            half_lives: vec![
                Duration::from_hours(3),
                Duration::from_hours(24),
                Duration::from_hours(24 * 7),
            ],
            forgetting: 0.9999,
            prior_variance: 10.0,
            shrink: 1.5,
            huber_delta: 0.25,
            segments_max: 65_536,
        }
    }
}

/// The most inputs: recursive least squares costs their square per label.
const INPUTS_MAX: usize = 128;

/// The recursive least squares learner.
#[derive(Debug, Clone)]
pub struct Rls {
    recent: Vec<Vec<usize>>,
    rates: Vec<f64>,
    numbers: usize,
    forgetting: f64,
    prior_variance: f64,
    shrink: f64,
    huber_delta: f64,
    objective: Objective,
    index: Table<u64>,
    /// Per segment: last update, then a decayed sum and weight per half-life.
    means: Table<f64>,
    /// The scales of the numbers, then that of the residuals, which the recent means share.
    scaler: Scaler,
    coefficients: Table<f64>,
    covariance: Table<f64>,
    gain: Vec<f64>,
}

impl Rls {
    /// Builds it.
    ///
    /// # Errors
    /// When a segment names no category feature or a parameter is out of range.
    pub fn new(params: &RlsParams, shape: &Shape) -> Result<Self, BuildError> {
        let positive = params.half_lives.iter().all(|half_life| *half_life > Duration::ZERO);
        require(positive, "half_lives", "longer than nothing")?;
        require((0.99..=1.0).contains(&params.forgetting), "forgetting", "from 0.99 to 1")?;
        require(
            params.prior_variance > 0.0 && params.prior_variance.is_finite(),
            "prior_variance",
            "above 0",
        )?;
        require(params.shrink >= 0.0 && params.shrink.is_finite(), "shrink", "0 or more")?;
        require(
            params.huber_delta > 0.0 && params.huber_delta.is_finite(),
            "huber_delta",
            "above 0",
        )?;
        require_segments_max(params.segments_max)?;
        let recent = recent(params, shape)?;
        let (numbers, taus) = (shape.numbers.len(), params.half_lives.len());
        let inputs = 1 + numbers + recent.len() * taus;
        require(inputs <= INPUTS_MAX, "recent", "fewer: at most 127 inputs, numbers included")?;
        let mut centres = vec![Centre::Mean; numbers];
        centres.push(Centre::Zero);
        let mut covariance = Table::new(inputs * inputs);
        for input in 0..inputs {
            covariance.set(input * inputs + input, params.prior_variance);
        }
        Ok(Self {
            recent,
            rates: params.half_lives.iter().map(|half_life| decay::rate(*half_life)).collect(),
            numbers,
            forgetting: params.forgetting,
            prior_variance: params.prior_variance,
            shrink: params.shrink,
            huber_delta: params.huber_delta,
            objective: shape.objective,
            index: Table::new(params.segments_max),
            means: Table::new(params.segments_max * (1 + 2 * taus)),
            scaler: Scaler::new(centres),
            coefficients: Table::new(inputs),
            covariance,
            gain: vec![0.0; inputs],
        })
    }

    /// The decayed means of one segment at `now`, one per half-life.
    #[inline]
    fn recent_means(&self, row: Option<usize>, now: EventTime, means: &mut [f64]) {
        let Some(row) = row else { return means.fill(f64::NAN) };
        let cells = &self.means.cells()[row * (1 + 2 * self.rates.len())..];
        let last = micros(cells[0]);
        for (tau, (mean, &rate)) in means.iter_mut().zip(&self.rates).enumerate() {
            let kept = decay::between(last, now, rate);
            *mean = cells[1 + 2 * tau] * kept / (cells[2 + 2 * tau] * kept + self.shrink);
        }
    }

    fn remember(&mut self, categories: &[u64], now: EventTime, residual: f64) {
        if self.rates.is_empty() {
            return;
        }
        let width = 1 + 2 * self.rates.len();
        for (salt, places) in self.recent.iter().enumerate() {
            let hash = segments::hash_of(salt, places, categories);
            let Some(row) = segments::find_or_insert(&mut self.index, hash) else { continue };
            let cells = self.means.row_mut(row * width..(row + 1) * width);
            let (last, is_fresh) = (micros(cells[0]), cells[2] == 0.0);
            for (tau, &rate) in self.rates.iter().enumerate() {
                let kept = decay::between(last, now, rate);
                cells[1 + 2 * tau] = cells[1 + 2 * tau] * kept + residual;
                cells[2 + 2 * tau] = cells[2 + 2 * tau] * kept + 1.0;
            }
            cells[0] =
                if is_fresh { now.micros() as f64 } else { cells[0].max(now.micros() as f64) };
        }
    }

    /// How much a residual counts, from the error it leaves.
    fn weight(&self, error: f64) -> f64 {
        let q = match self.objective {
            Objective::Mean => return 1.0,
            Objective::Median => 0.5,
            Objective::Quantile(q) => q,
        };
        let side = if error > 0.0 { 2.0 * q } else { 2.0 * (1.0 - q) };
        let reach = self.huber_delta * self.scaler.spread(self.numbers);
        side * if error.abs() > reach { reach / error.abs() } else { 1.0 }
    }

    /// One step of recursive least squares.
    fn update(&mut self, inputs: &[f64], residual: f64) {
        let n = inputs.len();
        let error = residual - dot(self.coefficients.cells(), inputs);
        let weight = self.weight(error);
        let gain = &mut self.gain[..n];
        gain.fill(0.0);
        for (row, &input) in self.covariance.cells().chunks_exact(n).zip(inputs) {
            for (gain, cell) in gain.iter_mut().zip(row) {
                *gain += input * cell;
            }
        }
        let denominator = self.forgetting / weight + dot(gain, inputs);
        for (coefficient, gain) in self.coefficients.row_mut(0..n).iter_mut().zip(&*gain) {
            *coefficient += gain / denominator * error;
        }
        // The product of two gains comes first, so that the matrix stays symmetric to the last bit:
        // forgetting would let an asymmetry grow without bound.
        let (grow, shrink) = (1.0 / self.forgetting, 1.0 / denominator);
        let mut trace = 0.0;
        let cells = self.covariance.row_mut(0..n * n);
        for (i, row) in cells.chunks_exact_mut(n).enumerate() {
            let own = gain[i];
            for (cell, gain) in row.iter_mut().zip(&*gain) {
                *cell = (*cell - own * gain * shrink) * grow;
            }
            trace += row[i];
        }
        let cap = self.prior_variance * n as f64;
        if trace > cap {
            let kept = cap / trace;
            cells.iter_mut().for_each(|cell| *cell *= kept);
        }
    }
}

fn recent(params: &RlsParams, shape: &Shape) -> Result<Vec<Vec<usize>>, BuildError> {
    let mut recent = vec![Vec::new()];
    for segment in &params.recent {
        recent.push(shape.places(segment)?);
    }
    if params.recent.is_empty() {
        recent.extend((0..shape.categories.len()).map(|place| vec![place]));
        if shape.categories.len() > 1 {
            recent.push((0..shape.categories.len()).collect());
        }
    }
    Ok(recent)
}

/// The sum of products in four lanes: the order is fixed, and the compiler can use vector
/// registers.
#[inline]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 4];
    let (a_lanes, b_lanes) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a_lanes.remainder().iter().zip(b_lanes.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_lanes.zip(b_lanes) {
        for lane in 0..4 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest
}

impl Learner for Rls {
    fn inputs_len(&self) -> usize {
        self.gain.len()
    }

    fn predict_one(&self, question: &Features<'_>, inputs: &mut [f64]) -> f64 {
        inputs[0] = 1.0;
        for (number, &value) in question.numbers.iter().enumerate() {
            inputs[1 + number] = self.scaler.scale(number, value);
        }
        let taus = self.rates.len();
        for (salt, places) in self.recent.iter().enumerate() {
            let row =
                segments::find(&self.index, segments::hash_of(salt, places, question.categories));
            let start = 1 + self.numbers + salt * taus;
            self.recent_means(row, question.time, &mut inputs[start..start + taus]);
            for input in &mut inputs[start..start + taus] {
                *input = self.scaler.scale(self.numbers, *input);
            }
        }
        dot(self.coefficients.cells(), inputs)
    }

    fn learn_one(
        &mut self,
        question: &Features<'_>,
        inputs: &[f64],
        now: EventTime,
        residual: f64,
    ) {
        self.scaler.observe(self.numbers, residual);
        self.update(inputs, residual);
        for (number, &value) in question.numbers.iter().enumerate() {
            self.scaler.observe(number, value);
        }
        self.remember(question.categories, now, residual);
    }

    fn duplicate(&self) -> Box<dyn Learner> {
        Box::new(self.clone())
    }

    fn tables(&mut self, visit: &mut TableVisitor<'_>) {
        visit("segments", Use::Serving, &mut self.index);
        visit("means", Use::Serving, &mut self.means);
        visit("scales", Use::Serving, &mut self.scaler.table);
        visit("coefficients", Use::Serving, &mut self.coefficients);
        visit("covariance", Use::Training, &mut self.covariance);
    }
}
