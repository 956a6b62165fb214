//! The distribution of absolute errors, to three significant digits (hdrhistogram).
//!
//! Its memory is fixed at birth (about 190 KB): for one per segment use [`super::ErrorSketch`].

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer as V2Deserializer, Serializer as _, V2Serializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The largest absolute error told apart, in steps of the resolution.
const STEPS_MAX: u64 = 1 << 32;
const SIGNIFICANT_DIGITS: u8 = 3;

/// Counts of absolute errors in steps of a resolution.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorHistogram {
    resolution: f64,
    counts: Histogram<u64>,
}

impl ErrorHistogram {
    /// An empty histogram that tells apart errors `resolution` units apart, up to 2^32 of them and
    /// never finer than three significant digits. The resolution is positive and finite.
    #[must_use]
    pub fn new(resolution: f64) -> Self {
        let counts = Histogram::new_with_bounds(1, STEPS_MAX, SIGNIFICANT_DIGITS)
            .expect("the bounds are constants that hdrhistogram accepts");
        Self { resolution, counts }
    }

    /// The smallest difference told apart, in the unit.
    #[must_use]
    pub fn resolution(&self) -> f64 {
        self.resolution
    }

    /// Counts one absolute error; what is too large counts as the largest.
    pub fn record(&mut self, size: f64) {
        self.counts.saturating_record(self.steps(size));
    }

    /// The size that the share `q` of the errors does not exceed; `None` when empty.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        if self.counts.is_empty() {
            return None;
        }
        let steps = self.counts.median_equivalent(self.counts.value_at_quantile(q));
        Some(steps.min(self.counts.max()) as f64 * self.resolution)
    }

    /// The share of errors of at most `limit` units; `None` when empty.
    #[must_use]
    pub fn share_within(&self, limit: f64) -> Option<f64> {
        if self.counts.is_empty() {
            return None;
        }
        let within = self.counts.count_between(0, self.steps(limit));
        Some(within as f64 / self.counts.len() as f64)
    }

    /// Counts everything that `other` has counted. Resolutions may differ; the other's errors are
    /// then rounded to this one's.
    pub fn merge(&mut self, other: &Self) {
        if self.resolution.to_bits() == other.resolution.to_bits() {
            self.counts.add(&other.counts).expect("equal bounds hold equal values");
            return;
        }
        for step in other.counts.iter_recorded() {
            let size = step.value_iterated_to() as f64 * other.resolution;
            self.counts.saturating_record_n(self.steps(size), step.count_at_value());
        }
    }

    fn steps(&self, size: f64) -> u64 {
        // `as` saturates, and takes NaN to 0.
        ((size / self.resolution + 0.5) as u64).min(STEPS_MAX)
    }
}

/// What is written: the resolution, and hdrhistogram's own V2 format.
#[derive(Serialize, Deserialize)]
struct Stored {
    resolution: f64,
    counts: Vec<u8>,
}

impl Serialize for ErrorHistogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut counts = Vec::new();
        V2Serializer::new()
            .serialize(&self.counts, &mut counts)
            .map_err(serde::ser::Error::custom)?;
        Stored { resolution: self.resolution, counts }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ErrorHistogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let stored = Stored::deserialize(deserializer)?;
        let is_positive = stored.resolution > 0.0 && stored.resolution.is_finite();
        if !is_positive || !is_plausible(&stored.counts) {
            return Err(D::Error::custom("the histogram of errors is damaged"));
        }
        let counts: Histogram<u64> =
            V2Deserializer::new().deserialize(&mut stored.counts.as_slice()).map_err(|error| {
                D::Error::custom(format!("the histogram of errors is damaged: {error}"))
            })?;
        Ok(Self { resolution: stored.resolution, counts })
    }
}

/// Whether the header says the payload that is really there, so that no length in damaged bytes
/// decides how much is allocated, and no run of zeros has the one length that cannot be negated.
fn is_plausible(bytes: &[u8]) -> bool {
    const HEADER_SIZE_BYTES: usize = 40;
    let Some((header, payload)) = bytes.split_at_checked(HEADER_SIZE_BYTES) else { return false };
    let length = [header[4], header[5], header[6], header[7]];
    let bounds =
        [&[0, 0, 0, SIGNIFICANT_DIGITS][..], &1_u64.to_be_bytes(), &STEPS_MAX.to_be_bytes()];
    u32::from_be_bytes(length) as usize == payload.len()
        && header[12..32] == bounds.concat()
        && !payload.windows(9).any(|bytes| bytes == [0xFF; 9])
}
