//! Two definitions on the same questions: which one errs less, and whether that is certain.

use crate::confidence::AsymptoticConfidence;
use serde::{Deserialize, Serialize};

/// The paired comparison of two definitions' absolute errors, one value per independent unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    difference: AsymptoticConfidence,
    alpha: f64,
}

/// What a paired comparison has shown so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairedVerdict {
    /// The first errs less.
    First,
    /// The second errs less.
    Second,
    /// The evidence does not tell them apart.
    Undecided,
}

impl Paired {
    /// A comparison that names the wrong winner, or a winner among equals, with probability at
    /// most `alpha`, however often it is asked; tightest after about `units_best` units.
    #[must_use]
    pub fn new(units_best: f64, alpha: f64) -> Self {
        Self { difference: AsymptoticConfidence::new(units_best, alpha), alpha }
    }

    /// Takes in one independent unit (a trip, not a row): each definition's error, or mean
    /// absolute error, over the unit's questions.
    pub fn update(&mut self, first: f64, second: f64) {
        self.difference.update(first.abs() - second.abs());
    }

    /// The number of units.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.difference.count()
    }

    /// How much more the first errs than the second, in the unit of the errors; `None` before the
    /// first unit.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.difference.mean()
    }

    /// Bounds of that difference that hold at all times; `None` before
    /// [`crate::confidence::UNITS_MIN`] units.
    #[must_use]
    pub fn bounds(&self) -> Option<(f64, f64)> {
        self.difference.lower(self.alpha).zip(self.difference.upper(self.alpha))
    }

    /// Who errs less.
    #[must_use]
    pub fn verdict(&self) -> PairedVerdict {
        match self.bounds() {
            Some((lower, _)) if lower > 0.0 => PairedVerdict::Second,
            Some((_, upper)) if upper < 0.0 => PairedVerdict::First,
            Some(_) | None => PairedVerdict::Undecided,
        }
    }
}
