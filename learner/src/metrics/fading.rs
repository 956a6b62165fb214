//! Means that forget: the old counts less with every new value.

use serde::{Deserialize, Serialize};

/// An exponentially weighted mean that starts at its first value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EwMean {
    fading: f64,
    mean: Option<f64>,
}

impl EwMean {
    /// A mean in which the newest value has weight `fading`, within 0 and 1.
    #[must_use]
    pub fn new(fading: f64) -> Self {
        Self { fading, mean: None }
    }

    /// Takes in one finite value.
    pub fn update(&mut self, value: f64) {
        self.mean = Some(match self.mean {
            None => value,
            Some(mean) => self.fading * value + (1.0 - self.fading) * mean,
        });
    }

    /// The mean; `None` before the first value.
    #[must_use]
    pub fn get(&self) -> Option<f64> {
        self.mean
    }
}

/// The prequential estimate with a fading factor (Gama, Sebastião and Rodrigues, 2013): a weighted
/// mean in which a value's weight shrinks by `alpha` with every later one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FadingMean {
    alpha: f64,
    sum: f64,
    weight: f64,
}

impl FadingMean {
    /// A mean with fading factor `alpha`, within 0 and 1; at 1 nothing fades.
    #[must_use]
    pub fn new(alpha: f64) -> Self {
        Self { alpha, sum: 0.0, weight: 0.0 }
    }

    /// Takes in one finite value.
    pub fn update(&mut self, value: f64) {
        self.sum = value + self.alpha * self.sum;
        self.weight = 1.0 + self.alpha * self.weight;
    }

    /// The mean; `None` before the first value.
    #[must_use]
    pub fn get(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}
