//! Everything reports say of a stream of errors, kept in one pass.

use super::ErrorHistogram;
use serde::{Deserialize, Serialize};

/// The most limits whose shares are counted exactly.
pub const LIMITS_MAX: usize = 4;

/// Sums must stay finite whatever comes, so that an error counts as no more than this.
const SIZE_MAX: f64 = 1e100;

/// The errors `actual - estimate` seen so far. Its memory is fixed; [`Errors::update`] allocates
/// nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    count: u64,
    sum: f64,
    sum_absolute: f64,
    sum_squared: f64,
    /// Unused limits are infinite, so that the loop over them has no branch.
    limits: [f64; LIMITS_MAX],
    within: [u64; LIMITS_MAX],
    histogram: ErrorHistogram,
}

/// A resolution or limit out of its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidErrors {
    /// The resolution is not positive and finite.
    #[error("resolution of errors must be positive and finite: `{0}`")]
    Resolution(f64),
    /// A limit is not positive and finite.
    #[error("limit of errors must be positive and finite: `{0}`")]
    Limit(f64),
    /// Too many limits.
    #[error("at most {LIMITS_MAX} limits of errors are counted exactly: `{0}`")]
    TooManyLimits(usize),
}

impl Default for Errors {
    /// Resolution 0.01 units; no limit is counted exactly.
    fn default() -> Self {
        Self::with(0.01, [f64::INFINITY; LIMITS_MAX])
    }
}

impl Errors {
    /// No errors yet. `resolution` is the step in units to which quantiles are known (three
    /// significant digits at best); the shares within `limits` are counted exactly.
    ///
    /// # Errors
    /// When the resolution or a limit is not positive and finite, or there are more than
    /// [`LIMITS_MAX`] limits.
    pub fn new(resolution: f64, limits: &[f64]) -> Result<Self, InvalidErrors> {
        let is_positive = |value: f64| value > 0.0 && value.is_finite();
        if !is_positive(resolution) {
            return Err(InvalidErrors::Resolution(resolution));
        }
        if limits.len() > LIMITS_MAX {
            return Err(InvalidErrors::TooManyLimits(limits.len()));
        }
        let mut all = [f64::INFINITY; LIMITS_MAX];
        for (slot, limit) in all.iter_mut().zip(limits) {
            if !is_positive(*limit) {
                return Err(InvalidErrors::Limit(*limit));
            }
            *slot = *limit;
        }
        Ok(Self::with(resolution, all))
    }

    fn with(resolution: f64, limits: [f64; LIMITS_MAX]) -> Self {
        Self {
            count: 0,
            sum: 0.0,
            sum_absolute: 0.0,
            sum_squared: 0.0,
            limits,
            within: [0; LIMITS_MAX],
            histogram: ErrorHistogram::new(resolution),
        }
    }

    /// Takes in one error, `actual - estimate`. What is not finite should have been refused before;
    /// it counts as a very large error.
    pub fn update(&mut self, error: f64) {
        let error = if error.is_nan() { SIZE_MAX } else { error.clamp(-SIZE_MAX, SIZE_MAX) };
        let size = error.abs();
        self.count += 1;
        self.sum += error;
        self.sum_absolute += size;
        self.sum_squared += error * error;
        for (within, limit) in self.within.iter_mut().zip(&self.limits) {
            *within += u64::from(size <= *limit);
        }
        self.histogram.record(size);
    }

    /// Takes in everything that `other` has seen. Limits that `other` does not count exactly are
    /// taken from its histogram.
    pub fn merge(&mut self, other: &Self) {
        for (within, limit) in self.within.iter_mut().zip(&self.limits) {
            *within += other.count_within(*limit);
        }
        self.count += other.count;
        self.sum += other.sum;
        self.sum_absolute += other.sum_absolute;
        self.sum_squared += other.sum_squared;
        self.histogram.merge(&other.histogram);
    }

    /// The number of errors.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The limits counted exactly, as given to [`Errors::new`].
    pub fn limits(&self) -> impl Iterator<Item = f64> + '_ {
        self.limits.iter().copied().filter(|limit| limit.is_finite())
    }

    /// The distribution of the absolute errors.
    #[must_use]
    pub fn histogram(&self) -> &ErrorHistogram {
        &self.histogram
    }

    /// The mean absolute error; `None` when empty, as are all below.
    #[must_use]
    pub fn mae(&self) -> Option<f64> {
        self.per_error(self.sum_absolute)
    }

    /// The mean error: above 0 when the estimates are too low.
    #[must_use]
    pub fn bias(&self) -> Option<f64> {
        self.per_error(self.sum)
    }

    /// The mean squared error, in squared units.
    #[must_use]
    pub fn mse(&self) -> Option<f64> {
        self.per_error(self.sum_squared)
    }

    /// The root of the mean squared error.
    #[must_use]
    pub fn rmse(&self) -> Option<f64> {
        self.mse().map(f64::sqrt)
    }

    /// The absolute error that the share `q` of the errors does not exceed.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.histogram.quantile(q)
    }

    /// The share of errors of at most `limit` units: exact for the limits given to
    /// [`Errors::new`], otherwise to the histogram's resolution.
    #[must_use]
    pub fn share_within(&self, limit: f64) -> Option<f64> {
        match self.exact_within(limit) {
            Some(within) => self.per_error(within as f64),
            None => self.histogram.share_within(limit),
        }
    }

    fn exact_within(&self, limit: f64) -> Option<u64> {
        self.limits.iter().position(|own| own.to_bits() == limit.to_bits()).map(|i| self.within[i])
    }

    fn count_within(&self, limit: f64) -> u64 {
        self.exact_within(limit).unwrap_or_else(|| {
            let share = self.histogram.share_within(limit).unwrap_or(0.0);
            (share * self.count as f64 + 0.5) as u64
        })
    }

    fn per_error(&self, sum: f64) -> Option<f64> {
        (self.count > 0).then(|| sum / self.count as f64)
    }
}
