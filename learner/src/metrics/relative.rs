//! Metrics relative to the actual value: MAPE, SMAPE and R².

use super::Moments;
use serde::{Deserialize, Serialize};

/// Relative errors seen so far. Actuals and estimates are finite.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Relative {
    actuals: Moments,
    sum_squared: f64,
    percentage: Moments,
    sum_symmetric: f64,
}

impl Relative {
    /// Takes in one pair.
    pub fn update(&mut self, actual: f64, estimate: f64) {
        let error = actual - estimate;
        self.actuals.update(actual);
        self.sum_squared += error * error;
        if actual != 0.0 {
            self.percentage.update((error / actual).abs());
        }
        let size = actual.abs() + estimate.abs();
        if size > 0.0 {
            self.sum_symmetric += 2.0 * error.abs() / size;
        }
    }

    /// Takes in everything that `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        self.actuals.merge(&other.actuals);
        self.sum_squared += other.sum_squared;
        self.percentage.merge(&other.percentage);
        self.sum_symmetric += other.sum_symmetric;
    }

    /// Mean absolute percentage error, in percent, over the pairs whose actual is not 0; `None`
    /// when there are none.
    #[must_use]
    pub fn mape_percent(&self) -> Option<f64> {
        self.percentage.mean().map(|mean| 100.0 * mean)
    }

    /// Symmetric mean absolute percentage error, in percent (0 to 200); `None` when empty.
    #[must_use]
    pub fn smape_percent(&self) -> Option<f64> {
        let count = self.actuals.count();
        (count > 0).then(|| 100.0 * self.sum_symmetric / count as f64)
    }

    /// The share of the actuals' variance that the estimates explain; `None` when the actuals do
    /// not vary. May be negative.
    #[must_use]
    pub fn r2(&self) -> Option<f64> {
        let total = self.actuals.population_variance()? * self.actuals.count() as f64;
        (total > 0.0).then(|| 1.0 - self.sum_squared / total)
    }
}
