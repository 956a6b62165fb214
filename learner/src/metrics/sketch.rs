//! A small sketch of a segment's errors: a fixed number of logarithmic buckets that can fade.
//!
//! Under a kilobyte, no allocation, about 3 % relative error of quantiles (a twelfth for the
//! largest of all); for the gate's guards, one per segment and definition. Reports use
//! [`super::Errors`].

use serde::{Deserialize, Serialize};

const OCTAVES: usize = 28;
const PER_OCTAVE: usize = 8;
const BUCKETS: usize = OCTAVES * PER_OCTAVE;
/// Three bits of mantissa make eight buckets in an octave.
const MANTISSA_SHIFT: u32 = 52 - PER_OCTAVE.ilog2();
/// The index that 1.0 has among all floats, at this coarseness.
const INDEX_OF_ONE: u64 = 1023 << PER_OCTAVE.ilog2();

/// Counts of absolute errors in eight buckets per octave, from `lowest` to 2^28 times it. Smaller
/// errors share one bucket; larger ones count as the largest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ErrorSketch {
    lowest: f64,
    count: u32,
    below: u32,
    buckets: [[u32; PER_OCTAVE]; OCTAVES],
    sum: f64,
    sum_absolute: f64,
    sum_squared: f64,
}

impl Default for ErrorSketch {
    /// From 0.001 to 268,000 units.
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl ErrorSketch {
    /// An empty sketch that tells apart absolute errors from `lowest` units (positive and finite).
    #[must_use]
    pub fn new(lowest: f64) -> Self {
        let buckets = [[0; PER_OCTAVE]; OCTAVES];
        let (sum, sum_absolute, sum_squared) = (0.0, 0.0, 0.0);
        Self { lowest, count: 0, below: 0, buckets, sum, sum_absolute, sum_squared }
    }

    /// Takes in one error, `actual - estimate`, which is finite.
    pub fn update(&mut self, error: f64) {
        if self.count == u32::MAX {
            self.halve();
        }
        let size = error.abs();
        match self.bucket_of(size) {
            None => self.below += 1,
            Some(bucket) => self.buckets[bucket / PER_OCTAVE][bucket % PER_OCTAVE] += 1,
        }
        self.count += 1;
        self.sum += error;
        self.sum_absolute += size;
        self.sum_squared += error * error;
    }

    /// Takes in everything that `other` has seen. Both must tell apart errors from the same size.
    ///
    /// # Panics
    /// If they do not: sketches of one guard are made alike.
    pub fn merge(&mut self, other: &Self) {
        assert!(self.lowest.to_bits() == other.lowest.to_bits(), "sketches must be made alike");
        let mut other = *other;
        while self.count.checked_add(other.count).is_none() {
            self.halve();
            other.halve();
        }
        self.count += other.count;
        self.below += other.below;
        for (own, others) in self.buckets.iter_mut().flatten().zip(other.buckets.iter().flatten()) {
            *own += others;
        }
        self.sum += other.sum;
        self.sum_absolute += other.sum_absolute;
        self.sum_squared += other.sum_squared;
    }

    /// Forgets half of everything: counts are halved, rounded down, and sums with them, so that
    /// means stay.
    pub fn halve(&mut self) {
        let before = self.count;
        self.below /= 2;
        self.count = self.below;
        for bucket in self.buckets.iter_mut().flatten() {
            *bucket /= 2;
            self.count += *bucket;
        }
        let kept = if before == 0 { 0.0 } else { f64::from(self.count) / f64::from(before) };
        self.sum *= kept;
        self.sum_absolute *= kept;
        self.sum_squared *= kept;
    }

    /// The number of errors, faded.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
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

    /// The root of the mean squared error.
    #[must_use]
    pub fn rmse(&self) -> Option<f64> {
        self.per_error(self.sum_squared).map(f64::sqrt)
    }

    /// The absolute error that the share `q` of the errors does not exceed, interpolated within
    /// its bucket.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let mut rank = q.clamp(0.0, 1.0) * f64::from(self.count);
        let mut found = None;
        for (count, from, to) in self.spans().filter(|(count, ..)| *count > 0) {
            let count = f64::from(count);
            found = Some(from + (to - from) * (rank / count).min(1.0));
            if rank <= count {
                break;
            }
            rank -= count;
        }
        found
    }

    /// The share of errors of at most `limit` units, interpolated within its bucket.
    #[must_use]
    pub fn share_within(&self, limit: f64) -> Option<f64> {
        let mut within = 0.0;
        for (count, from, to) in self.spans() {
            within += f64::from(count) * ((limit - from) / (to - from)).clamp(0.0, 1.0);
        }
        self.per_error(within)
    }

    /// The mean absolute error within `errors_max` standard errors of the mean.
    #[must_use]
    pub fn mae_bounds(&self, errors_max: f64) -> Option<[f64; 2]> {
        let mean = self.mae()?;
        Some(around(mean, errors_max * self.standard_error(mean)))
    }

    /// The mean error within `errors_max` standard errors of the mean.
    #[must_use]
    pub fn bias_bounds(&self, errors_max: f64) -> Option<[f64; 2]> {
        let mean = self.bias()?;
        Some(around(mean, errors_max * self.standard_error(mean)))
    }

    /// The root of the mean squared error within `errors_max` standard errors, by the delta method:
    /// the squares' own spread is taken from the buckets.
    #[must_use]
    pub fn rmse_bounds(&self, errors_max: f64) -> Option<[f64; 2]> {
        let rmse = self.rmse()?;
        let square = rmse * rmse;
        let mut fourth = 0.0;
        for (count, from, to) in self.spans() {
            let middle = 0.5 * (from + to);
            fourth += f64::from(count) * middle * middle * middle * middle;
        }
        let variance = (fourth / f64::from(self.count) - square * square).max(0.0);
        let error = (variance / f64::from(self.count)).sqrt() / (2.0 * rmse.max(f64::MIN_POSITIVE));
        Some(around(rmse, errors_max * error))
    }

    /// The quantile within `errors_max` standard errors of its rank (binomial order statistics).
    #[must_use]
    pub fn quantile_bounds(&self, q: f64, errors_max: f64) -> Option<[f64; 2]> {
        let reach = errors_max * (q * (1.0 - q) / f64::from(self.count.max(1))).sqrt();
        Some([self.quantile(q - reach)?, self.quantile(q + reach)?])
    }

    /// The share within `limit`, within `errors_max` binomial standard errors.
    #[must_use]
    pub fn share_bounds(&self, limit: f64, errors_max: f64) -> Option<[f64; 2]> {
        let share = self.share_within(limit)?;
        let error = (share * (1.0 - share) / f64::from(self.count)).sqrt();
        Some(around(share, errors_max * error))
    }

    /// The standard error of a mean whose squares sum to this sketch's.
    fn standard_error(&self, mean: f64) -> f64 {
        let count = f64::from(self.count);
        ((self.sum_squared / count - mean * mean).max(0.0) / count).sqrt()
    }

    /// The state as words, in a fixed order, for digests.
    pub fn words(&self) -> impl Iterator<Item = u64> + '_ {
        let sums = [self.lowest, self.sum, self.sum_absolute, self.sum_squared];
        let counts = self.buckets.iter().flat_map(|octave| octave.chunks_exact(2));
        [u64::from(self.count) << 32 | u64::from(self.below)]
            .into_iter()
            .chain(sums.into_iter().map(f64::to_bits))
            .chain(counts.map(|pair| u64::from(pair[0]) << 32 | u64::from(pair[1])))
    }

    /// The bucket of an absolute error; `None` below the lowest. A float's leading bits are its
    /// logarithm, with eight straight pieces to an octave.
    fn bucket_of(&self, size: f64) -> Option<usize> {
        let index = (size / self.lowest).to_bits() >> MANTISSA_SHIFT;
        let bucket = index.checked_sub(INDEX_OF_ONE)?;
        Some((bucket as usize).min(BUCKETS - 1))
    }

    /// Count, lower and upper bound of each bucket, in ascending order.
    fn spans(&self) -> impl Iterator<Item = (u32, f64, f64)> + '_ {
        let bound = |bucket: usize| {
            f64::from_bits((bucket as u64 + INDEX_OF_ONE) << MANTISSA_SHIFT) * self.lowest
        };
        let buckets = self.buckets.iter().flatten().enumerate();
        [(self.below, 0.0, self.lowest)]
            .into_iter()
            .chain(buckets.map(move |(i, count)| (*count, bound(i), bound(i + 1))))
    }

    fn per_error(&self, sum: f64) -> Option<f64> {
        (self.count > 0).then(|| sum / f64::from(self.count))
    }
}

fn around(middle: f64, reach: f64) -> [f64; 2] {
    [middle - reach, middle + reach]
}
