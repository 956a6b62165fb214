//! Adaptive windowing (Bifet and Gavaldà, 2007): the longest window whose two halves, however cut,
//! have the same mean.
//!
//! The window is kept in buckets of 1, 2, 4, ... values. After an alarm it keeps its recent part;
//! arithmetic and defaults follow MOA and River.

use super::{Detector, DetectorKind, Drift, DriftParams, InvalidDetector, within};
use serde::{Deserialize, Serialize};

/// The line of [`super::DETECTORS`].
pub const KIND: DetectorKind = DetectorKind {
    name: "adwin",
    about: "a window that grows while its mean holds and is cut when it changes; few parameters",
    params: || DriftParams::Adwin(AdwinParams::default()),
};

/// Parameters of [`Adwin`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdwinParams {
    /// The probability of an alarm without a change, for each look.
    pub delta: f64,
    /// Looks for a change every so many values.
    pub every: u32,
    /// Buckets of each size before the two oldest become one of the next size.
    pub buckets_max: u32,
    /// The fewest values on either side of a cut.
    pub side_min: u32,
    /// Values in the window before the first look.
    pub values_min: u32,
}

impl Default for AdwinParams {
    fn default() -> Self {
        Self { delta: 0.002, every: 32, buckets_max: 5, side_min: 5, values_min: 10 }
    }
}

impl AdwinParams {
    /// Checks the parameters.
    ///
    /// # Errors
    /// When one is out of its range.
    pub fn check(self) -> Result<Self, InvalidDetector> {
        let positive = (1.0..=f64::from(u32::MAX), "1 or more");
        within(KIND.name, "delta", self.delta, (1e-300..=1.0, "above 0 and at most 1"))?;
        within(KIND.name, "every", self.every.into(), positive.clone())?;
        within(KIND.name, "side_min", self.side_min.into(), positive)?;
        within(KIND.name, "buckets_max", self.buckets_max.into(), (2.0..=64.0, "2 to 64"))?;
        Ok(self)
    }
}

/// The sum of a bucket's values, and of their squared distances from its mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Bucket {
    sum: f64,
    spread: f64,
}

/// Adaptive windowing. Its statistic is the difference of the means on both sides of a cut, its
/// limit the difference that chance allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adwin {
    params: AdwinParams,
    ticks: u64,
    width: f64,
    sum: f64,
    spread: f64,
    /// Row `i` has buckets of `2^i` values, the oldest first.
    rows: Vec<Vec<Bucket>>,
}

impl Adwin {
    /// A window with nothing in it; the parameters are checked.
    #[must_use]
    pub fn new(params: AdwinParams) -> Self {
        let mut adwin =
            Self { params, ticks: 0, width: 0.0, sum: 0.0, spread: 0.0, rows: Vec::new() };
        adwin.rows.reserve(32);
        adwin.grow();
        adwin
    }

    /// The number of values in the window.
    #[must_use]
    pub fn width(&self) -> u64 {
        self.width as u64
    }

    /// The mean of the window; `None` when it is empty.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.width > 0.0).then(|| self.sum / self.width)
    }

    /// The variance of the window; `None` when it is empty.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        (self.width > 0.0).then(|| self.spread / self.width)
    }

    fn grow(&mut self) {
        self.rows.push(Vec::with_capacity(self.params.buckets_max as usize + 1));
    }

    fn insert(&mut self, value: f64) {
        self.rows[0].push(Bucket { sum: value, spread: 0.0 });
        self.width += 1.0;
        if self.width > 1.0 {
            let others = self.width - 1.0;
            let deviation = value - self.sum / others;
            self.spread += others * deviation * deviation / self.width;
        }
        self.sum += value;
        self.compress();
    }

    fn compress(&mut self) {
        let full = self.params.buckets_max as usize + 1;
        let mut row = 0;
        while self.rows[row].len() == full {
            let size = bucket_size(row);
            let (first, second) = (self.rows[row][0], self.rows[row][1]);
            let apart = first.sum / size - second.sum / size;
            let merged = Bucket {
                sum: first.sum + second.sum,
                spread: first.spread + second.spread + size * 0.5 * apart * apart,
            };
            self.rows[row].drain(..2);
            row += 1;
            if row == self.rows.len() {
                self.grow();
            }
            self.rows[row].push(merged);
        }
    }

    fn drop_oldest(&mut self) {
        let row = self.rows.len() - 1;
        let size = bucket_size(row);
        let bucket = self.rows[row].remove(0);
        self.width -= size;
        self.sum -= bucket.sum;
        let apart = bucket.sum / size - self.sum / self.width;
        self.spread -= bucket.spread + size * self.width * apart * apart / (size + self.width);
        while self.rows.len() > 1 && self.rows.last().is_some_and(Vec::is_empty) {
            self.rows.pop();
        }
    }

    /// The first cut, from the oldest, whose sides differ by more than chance allows.
    fn find_cut(&self) -> Option<Drift> {
        let side_min = f64::from(self.params.side_min);
        let confidence = ln_confidence(self.width, self.params.delta);
        let variance = self.spread / self.width;
        let (mut old, mut old_sum) = (0.0, 0.0);
        let (mut new, mut new_sum) = (self.width, self.sum);
        for (row, buckets) in self.rows.iter().enumerate().rev() {
            let size = bucket_size(row);
            for bucket in buckets {
                old += size;
                new -= size;
                old_sum += bucket.sum;
                new_sum -= bucket.sum;
                if new < side_min || old < side_min {
                    continue;
                }
                let reciprocal = 1.0 / (old - side_min + 1.0) + 1.0 / (new - side_min + 1.0);
                let limit = cut_limit(reciprocal, variance, confidence);
                let statistic = (old_sum / old - new_sum / new).abs();
                if statistic > limit {
                    return Some(Drift { statistic, limit, mean: new_sum / new });
                }
            }
        }
        None
    }
}

impl Detector for Adwin {
    fn update(&mut self, value: f64) -> Option<Drift> {
        self.insert(value);
        self.ticks += 1;
        let is_due = self.ticks.is_multiple_of(u64::from(self.params.every));
        if !is_due || self.width <= f64::from(self.params.values_min) {
            return None;
        }
        let mut found = None;
        while let Some(drift) = self.find_cut() {
            found = Some(drift);
            self.drop_oldest();
        }
        found
    }
}

fn bucket_size(row: usize) -> f64 {
    (1_u64 << row) as f64
}

/// `ln(2 / d')` with `d' = delta / ln(width)`.
fn ln_confidence(width: f64, delta: f64) -> f64 {
    libm::log(2.0 * libm::log(width) / delta)
}

/// The difference of means that chance allows: `sqrt(2/m s² c) + 2/(3m) c`, where `reciprocal` is
/// `1/m`, the sum of the reciprocals of both sides' lengths.
fn cut_limit(reciprocal: f64, variance: f64, confidence: f64) -> f64 {
    (2.0 * reciprocal * variance * confidence).sqrt() + 2.0 / 3.0 * confidence * reciprocal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_limits() {
        for (old, new, variance, expected) in
            [(100.0, 100.0, 0.25, 0.407_169), (500.0, 100.0, 1.0, 0.528_721)]
        {
            let limit =
                cut_limit(1.0_f64 / old + 1.0 / new, variance, ln_confidence(old + new, 0.002));
            assert!((limit - expected).abs() < 5e-7, "{limit}");
        }
    }
}
