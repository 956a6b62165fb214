//! A hashed linear model with crosses.
//!
//! Every value of a category, and every declared combination of values, has one weight in a table
//! that is indexed by hash (Weinberger et al. 2009); numbers are brought to unit scale and have a
//! weight each. Weight and accumulator stand side by side in one eight-byte cell.

use super::scaler::{Centre, Scaler};
use super::{
    BuildError, Features, Learner, LearnerKind, LearnerSpec, Shape, TableVisitor, require,
};
use crate::loss::Loss;
use crate::spec::Objective;
use crate::state::{Cell, CellType, Table, Use};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trueup_event::{EventTime, hash};

/// The line of this learner in the table of kinds.
pub const KIND: LearnerKind = LearnerKind {
    name: "linear",
    about: "hashed linear model with crosses; AdaGrad or normalised steps",
    defaults: || LearnerSpec::Linear(LinearParams::default()),
};

/// Parameters of the linear learner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LinearParams {
    /// Combinations of category features that get weights of their own.
    pub crosses: Vec<Vec<String>>,
    /// The size of the weight table: 2^bits slots (8 to 24).
    pub bits: u8,
    /// The learning rate, free of units: with `adagrad` steps, and with losses whose slope does not
    /// grow with the error, it is a multiple of the residual's spread.
    pub rate: f64,
    /// How the rate adapts.
    pub steps: Steps,
    /// The loss; by default the one of the objective.
    pub loss: Option<LossName>,
    /// Where Huber's loss turns linear, in spreads (root mean squares) of the residual.
    pub huber_delta: f64,
    /// The share of a weight that is given up at each of its updates (0 to 1).
    pub l2: f64,
}

/// How the learning rate adapts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Steps {
    /// The same rate for ever, divided by the squared length of the input (normalised least mean
    /// squares): follows drift.
    #[default]
    Normalised,
    /// AdaGrad (Duchi, Hazan, Singer 2011): each weight's rate falls with its own past gradients.
    Adagrad,
}

/// The losses a linear learner can be told to use instead of its objective's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossName {
    /// Least squares.
    Squared,
    /// Huber's, linear beyond `huber_delta`.
    Huber,
    /// Absolute error.
    Absolute,
    /// The quantile of the objective (the median is 0.5).
    Quantile,
}

impl Default for LinearParams {
    fn default() -> Self {
        Self {
            crosses: Vec::new(),
            bits: 18,
            rate: 0.1,
            steps: Steps::Normalised,
            loss: None,
            huber_delta: 0.25,
            l2: 0.0,
        }
    }
}

impl LinearParams {
    fn loss(&self, objective: Objective) -> Loss {
        let q = match objective {
            Objective::Quantile(q) => q,
            Objective::Median | Objective::Mean => 0.5,
        };
        match self.loss {
            None => objective.loss(self.huber_delta),
            Some(LossName::Squared) => Loss::Squared,
            Some(LossName::Huber) => Loss::Huber { delta: self.huber_delta },
            Some(LossName::Absolute) => Loss::Absolute,
            Some(LossName::Quantile) => Loss::Quantile { q },
        }
    }
}

/// A weight and the sum of its squared gradients.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Weight {
    weight: f32,
    squares: f32,
}

impl Cell for Weight {
    const EMPTY: Self = Self { weight: 0.0, squares: 0.0 };
    const TYPE: CellType = CellType::F32Pair;

    fn to_bits(self) -> u64 {
        u64::from(self.weight.to_bits()) | u64::from(self.squares.to_bits()) << 32
    }

    fn from_bits(bits: u64) -> Self {
        Self { weight: f32::from_bits(bits as u32), squares: f32::from_bits((bits >> 32) as u32) }
    }

    fn is_finite(self) -> bool {
        self.weight.is_finite() && self.squares.is_finite()
    }
}

/// The most weights that one question touches, numbers apart.
const ACTIVE_MAX: usize = 64;

/// Weights, sums of squares and gradients end here: their sums and products stay finite.
const CELL_MAX: f64 = 1e30;

/// The hashed linear learner.
#[derive(Debug, Clone)]
pub struct Linear {
    crosses: Vec<Vec<usize>>,
    categories: usize,
    shift: u32,
    rate: f64,
    steps: Steps,
    loss: Loss,
    l2: f64,
    weights: Table<Weight>,
    dense: Table<Weight>,
    /// The scales of the numbers, then that of the residuals.
    scaler: Scaler,
}

impl Linear {
    /// Builds it.
    ///
    /// # Errors
    /// When a cross names no category feature or a parameter is out of range.
    pub fn new(params: &LinearParams, shape: &Shape) -> Result<Self, BuildError> {
        require((8..=24).contains(&params.bits), "bits", "from 8 to 24")?;
        require(params.rate > 0.0 && params.rate.is_finite(), "rate", "above 0")?;
        require((0.0..1.0).contains(&params.l2), "l2", "from 0 to below 1")?;
        require(params.huber_delta > 0.0, "huber_delta", "above 0")?;
        let crosses: Vec<_> =
            params.crosses.iter().map(|cross| shape.places(cross)).collect::<Result<_, _>>()?;
        let active = 1 + shape.categories.len() + crosses.len();
        require(active <= ACTIVE_MAX, "crosses", "at most 63, category features included")?;
        let mut centres = vec![Centre::Mean; shape.numbers.len()];
        centres.push(Centre::Zero);
        Ok(Self {
            crosses,
            categories: shape.categories.len(),
            shift: 64 - u32::from(params.bits),
            rate: params.rate,
            steps: params.steps,
            loss: params.loss(shape.objective),
            l2: params.l2,
            weights: Table::new(1 << params.bits),
            dense: Table::new(shape.numbers.len()),
            scaler: Scaler::new(centres),
        })
    }

    /// The slots of a question's active weights: the bias, each category, each cross.
    #[inline]
    fn slots(&self, categories: &[u64]) -> ([u32; ACTIVE_MAX], usize) {
        let mut slots = [0; ACTIVE_MAX];
        let mut active = 1;
        for (place, &category) in categories[..self.categories].iter().enumerate() {
            slots[active] = (hash::mix(place as u64 + 1, category) >> self.shift) as u32;
            active += 1;
        }
        for (cross, places) in self.crosses.iter().enumerate() {
            let start = (cross as u64 + 1) << 32;
            let hash = places.iter().fold(start, |hash, &p| hash::mix(hash, categories[p]));
            slots[active] = (hash >> self.shift) as u32;
            active += 1;
        }
        (slots, active)
    }

    #[inline]
    fn dot(&self, slots: &[u32], inputs: &[f64]) -> f64 {
        let weights = self.weights.cells();
        let mut sum = 0.0;
        for &slot in slots {
            sum += f64::from(weights[slot as usize].weight);
        }
        for (cell, input) in self.dense.cells().iter().zip(inputs) {
            sum += f64::from(cell.weight) * input;
        }
        sum
    }

    #[inline]
    fn moved(&self, cell: Weight, gradient: f64, rate: f64) -> Weight {
        let kept = f64::from(cell.weight) * (1.0 - self.l2);
        match self.steps {
            Steps::Normalised => Weight { weight: narrow(kept - rate * gradient), ..cell },
            Steps::Adagrad => {
                let squares = f64::from(cell.squares) + gradient * gradient;
                let step = if squares > 0.0 { rate * gradient / squares.sqrt() } else { 0.0 };
                Weight { weight: narrow(kept - step), squares: narrow(squares) }
            }
        }
    }
}

#[inline]
fn narrow(value: f64) -> f32 {
    value.clamp(-CELL_MAX, CELL_MAX) as f32
}

impl Learner for Linear {
    fn inputs_len(&self) -> usize {
        self.dense.cells().len()
    }

    fn predict_one(&self, question: &Features<'_>, inputs: &mut [f64]) -> f64 {
        for (input, value) in inputs.iter_mut().enumerate() {
            *value = self.scaler.scale(input, question.numbers[input]);
        }
        let (slots, active) = self.slots(question.categories);
        self.dot(&slots[..active], inputs)
    }

    fn learn_one(
        &mut self,
        question: &Features<'_>,
        inputs: &[f64],
        _now: EventTime,
        residual: f64,
    ) {
        let (slots, active) = self.slots(question.categories);
        let slots = &slots[..active];
        self.scaler.observe(inputs.len(), residual);
        let spread = self.scaler.spread(inputs.len());
        if spread <= 0.0 {
            return;
        }
        let error = (residual - self.dot(slots, inputs)) / spread;
        let gradient = self.loss.gradient(error).clamp(-CELL_MAX, CELL_MAX);
        let mut rate = self.rate * spread;
        if self.steps == Steps::Normalised {
            let length: f64 = inputs.iter().map(|input| input * input).sum();
            rate /= active as f64 + length;
        }
        for &slot in slots {
            let cell = self.moved(self.weights.get(slot as usize), gradient, rate);
            self.weights.set(slot as usize, cell);
        }
        for (index, &input) in inputs.iter().enumerate() {
            let cell = self.moved(self.dense.get(index), gradient * input, rate);
            self.dense.set(index, cell);
            self.scaler.observe(index, question.numbers[index]);
        }
    }

    fn duplicate(&self) -> Box<dyn Learner> {
        Box::new(self.clone())
    }

    fn tables(&mut self, visit: &mut TableVisitor<'_>) {
        visit("weights", Use::Serving, &mut self.weights);
        visit("dense", Use::Serving, &mut self.dense);
        visit("scales", Use::Serving, &mut self.scaler.table);
    }
}
