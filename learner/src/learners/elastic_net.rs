//! linfa's elastic net, fitted anew on a trailing window: the batch challenger.
//!
//! The labels of the window stand in a ring of rows that is part of the state, so that a restored
//! learner fits the very same rows. At the first label at or after each multiple of `refit_every`
//! since the epoch, the coefficients are fitted anew (see `fit`) and serve until the next time;
//! where a fit fails, the old ones stay. Before the first fit the estimate is 0.
//!
//! A category feature is one input per bucket of its hashed values. Values that share a bucket
//! share a coefficient: with `buckets` well above the number of values this is rare, with far more
//! values than buckets the coefficients are means over strangers, and `linear` is the better
//! choice.
//!
//! Least squares aims at the mean; for a median or a quantile the coefficients stay those of least
//! squares, and the intercept is that median or quantile of what they leave over in the window. No
//! estimate leaves the range of the window's residuals.

mod fit;

use super::{
    BuildError, Features, Learner, LearnerKind, LearnerSpec, Shape, TableVisitor, require,
};
use crate::spec::Objective;
use crate::state::{Table, Use};
use fit::{Inputs, Penalty, Scale, scaled};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trueup_event::{Duration, EventTime, hash};

/// The line of this learner in the table of kinds.
pub const KIND: LearnerKind = LearnerKind {
    name: "elastic_net",
    about: "linfa's elastic net, fitted anew on a trailing window: the batch challenger",
    defaults: || LearnerSpec::ElasticNet(ElasticNetParams::default()),
};

/// Parameters of the elastic net.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ElasticNetParams {
    /// How much of the past is fitted.
    #[schemars(with = "String")]
    pub window: Duration,
    /// How often it is fitted anew.
    #[schemars(with = "String")]
    pub refit_every: Duration,
    /// The weight of the penalty, on inputs and residuals of unit spread.
    pub penalty: f64,
    /// The share of the penalty that is L1 (0 is ridge, 1 is lasso).
    pub l1_ratio: f64,
    /// The most labels kept; beyond it the oldest leave first.
    pub rows_max: usize,
    /// Into how many buckets the values of each category feature are hashed.
    pub buckets: usize,
}

impl Default for ElasticNetParams {
    fn default() -> Self {
        Self {
            window: Duration::from_hours(24 * 30),
            refit_every: Duration::from_hours(24),
            penalty: 0.01,
            l1_ratio: 0.5,
            rows_max: 100_000,
            buckets: 32,
        }
    }
}

/// The most inputs: a fit costs their cube.
const INPUTS_MAX: usize = 1024;

/// Words of a row before its numbers: when the label came, and the residual.
const HEAD: usize = 2;

/// Cells of the table of scalars: intercept, lowest and highest residual of the window.
const SCALARS: usize = 3;

/// The elastic net learner.
#[derive(Debug, Clone)]
pub struct ElasticNet {
    window: Duration,
    refit_every: Duration,
    penalty: Penalty,
    objective: Objective,
    inputs: Inputs,
    rows_max: u64,
    coefficients: Table<f64>,
    scalars: Table<f64>,
    /// Per number, mean and spread in the window that was fitted.
    scales: Table<f64>,
    /// Labels taken so far, then the time of the next fit.
    cursor: Table<u64>,
    /// The ring: words rather than `f64` cells, for a missing number is no damage to the state.
    rows: Table<u64>,
}

impl ElasticNet {
    /// Builds it.
    ///
    /// # Errors
    /// When a parameter is out of range.
    pub fn new(params: &ElasticNetParams, shape: &Shape) -> Result<Self, BuildError> {
        require(params.window > Duration::ZERO, "window", "longer than nothing")?;
        require(params.refit_every > Duration::ZERO, "refit_every", "longer than nothing")?;
        let is_weight = params.penalty >= 0.0 && params.penalty.is_finite();
        require(is_weight, "penalty", "0 or more")?;
        require((0.0..=1.0).contains(&params.l1_ratio), "l1_ratio", "from 0 to 1")?;
        require((10..=1 << 24).contains(&params.rows_max), "rows_max", "from 10 to 16777216")?;
        require((2..=INPUTS_MAX).contains(&params.buckets), "buckets", "from 2 to 1024")?;
        let inputs = Inputs {
            numbers: shape.numbers.len(),
            categories: shape.categories.len(),
            buckets: params.buckets,
        };
        let few = "fewer: at most 1024 inputs, one per number and per bucket of a category";
        require(inputs.len() <= INPUTS_MAX, "buckets", few)?;
        Ok(Self {
            window: params.window,
            refit_every: params.refit_every,
            penalty: Penalty { weight: params.penalty, l1_ratio: params.l1_ratio },
            objective: shape.objective,
            rows_max: params.rows_max as u64,
            coefficients: Table::new(inputs.len()),
            scalars: Table::new(SCALARS),
            scales: Table::new(2 * inputs.numbers),
            cursor: Table::new(2),
            rows: Table::new(params.rows_max * inputs.width()),
            inputs,
        })
    }

    fn keep(&mut self, question: &Features<'_>, now: EventTime, residual: f64) {
        let taken = self.cursor.get(0);
        let (start, width) = ((taken % self.rows_max) as usize, self.inputs.width());
        let row = self.rows.row_mut(start * width..(start + 1) * width);
        row[0] = now.micros() as u64;
        row[1] = residual.to_bits();
        let (numbers, buckets) = row[HEAD..].split_at_mut(self.inputs.numbers);
        for (word, &value) in numbers.iter_mut().zip(question.numbers) {
            // One pattern of bits for everything that is missing.
            *word = if value.is_finite() { value.to_bits() } else { f64::NAN.to_bits() };
        }
        for (place, (word, &category)) in buckets.iter_mut().zip(question.categories).enumerate() {
            *word = self.inputs.bucket(place, category) as u64;
        }
        self.cursor.set(0, taken.wrapping_add(1));
    }

    /// Fits the window that ends at `now`; where that fails, the old coefficients stay.
    fn refit(&mut self, now: EventTime) {
        let (taken, width) = (self.cursor.get(0), self.inputs.width());
        let kept = taken.min(self.rows_max);
        let oldest = now.minus(self.window);
        let words = self.rows.cells();
        let rows: Vec<&[u64]> = (taken - kept..taken)
            .map(|label| &words[(label % self.rows_max) as usize * width..][..width])
            .filter(|row| EventTime::from_micros(row[0] as i64) > oldest)
            .map(|row| &row[1..])
            .collect();
        let Some(fitted) = fit::fit(&self.inputs, &rows, self.penalty, self.objective) else {
            return;
        };
        let [low, high] = fitted.range;
        self.scalars.row_mut(0..SCALARS).copy_from_slice(&[fitted.intercept, low, high]);
        self.coefficients.row_mut(0..self.inputs.len()).copy_from_slice(&fitted.coefficients);
        for (number, scale) in fitted.scales.iter().enumerate() {
            self.scales.set(2 * number, scale.mean);
            self.scales.set(2 * number + 1, scale.spread);
        }
    }
}

/// The first multiple of `every` after `time`.
fn next_multiple(time: EventTime, every: Duration) -> EventTime {
    let every = every.micros();
    let multiple = time.micros().div_euclid(every).saturating_add(1);
    EventTime::from_micros(multiple.saturating_mul(every))
}

impl Inputs {
    /// Words of a kept label.
    const fn width(&self) -> usize {
        HEAD + self.numbers + self.categories
    }

    /// The input that stands for this value of the category feature at `place`.
    fn bucket(&self, place: usize, category: u64) -> usize {
        let hash = hash::mix(place as u64 + 1, category) >> 32;
        let bucket = ((hash * self.buckets as u64) >> 32) as usize;
        self.numbers + place * self.buckets + bucket
    }
}

impl Learner for ElasticNet {
    fn inputs_len(&self) -> usize {
        0
    }

    fn predict_one(&self, question: &Features<'_>, _inputs: &mut [f64]) -> f64 {
        let (scalars, coefficients) = (self.scalars.cells(), self.coefficients.cells());
        let mut estimate = scalars[0];
        for (number, &value) in question.numbers.iter().enumerate() {
            let [mean, spread] = [self.scales.get(2 * number), self.scales.get(2 * number + 1)];
            estimate += coefficients[number] * scaled(Scale { mean, spread }, value);
        }
        for (place, &category) in question.categories.iter().enumerate() {
            estimate += coefficients[self.inputs.bucket(place, category)];
        }
        // Not `clamp`: bytes from a foreign artifact may hold bounds that are no range.
        estimate.max(scalars[1]).min(scalars[2])
    }

    fn learn_one(
        &mut self,
        question: &Features<'_>,
        _inputs: &[f64],
        now: EventTime,
        residual: f64,
    ) {
        let is_first = self.cursor.get(0) == 0;
        self.keep(question, now, residual);
        let due = EventTime::from_micros(self.cursor.get(1) as i64);
        if is_first || now >= due {
            if !is_first {
                self.refit(now);
            }
            self.cursor.set(1, next_multiple(now, self.refit_every).micros() as u64);
        }
    }

    fn duplicate(&self) -> Box<dyn Learner> {
        Box::new(self.clone())
    }

    fn tables(&mut self, visit: &mut TableVisitor<'_>) {
        visit("coefficients", Use::Serving, &mut self.coefficients);
        visit("scalars", Use::Serving, &mut self.scalars);
        visit("scales", Use::Serving, &mut self.scales);
        visit("cursor", Use::Training, &mut self.cursor);
        visit("rows", Use::Training, &mut self.rows);
    }
}
