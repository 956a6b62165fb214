//! Running mean and variance in one pass (Welford, 1962), mergeable (Chan et al., 1979).

use serde::{Deserialize, Serialize};

/// Count, mean and variance of a stream of finite values.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Moments {
    count: u64,
    mean: f64,
    /// Sum of squared distances from the mean.
    spread: f64,
}

impl Moments {
    /// Takes in one value.
    pub fn update(&mut self, value: f64) {
        self.count += 1;
        let from_old = value - self.mean;
        self.mean += from_old / self.count as f64;
        self.spread += from_old * (value - self.mean);
    }

    /// Takes in everything that `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let (own, others) = (self.count as f64, other.count as f64);
        let total = own + others;
        let between = other.mean - self.mean;
        self.mean += between * others / total;
        self.spread += other.spread + between * between * own * others / total;
        self.count += other.count;
    }

    /// The number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean; `None` before the first value.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// The sample variance (divided by n - 1); `None` before the second value.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        (self.count > 1).then(|| self.spread / (self.count - 1) as f64)
    }

    /// The variance divided by n; `None` before the first value.
    #[must_use]
    pub fn population_variance(&self) -> Option<f64> {
        (self.count > 0).then(|| self.spread / self.count as f64)
    }

    /// The state as words, in a fixed order, for digests.
    #[must_use]
    pub fn words(&self) -> [u64; 3] {
        [self.count, self.mean.to_bits(), self.spread.to_bits()]
    }
}
