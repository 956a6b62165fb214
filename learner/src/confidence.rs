//! Confidence that stays valid however often one looks: asymptotic confidence sequences.
//!
//! Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, *Time-uniform central limit theory and
//! asymptotic confidence sequences* (Annals of Statistics, 2024), with the exact sub-Gaussian
//! normal mixture of Howard et al. (2021) beside it. Values must be independent of each other (one
//! per trip, not one per row): nothing here can check that.

use crate::metrics::moments::Moments;
use serde::{Deserialize, Serialize};

/// Units seen before a bound is given: the sequence is asymptotic, and before this it lies.
pub const UNITS_MIN: u64 = 200;

/// A running mean with bounds that hold at all times at once, with probability `1 - alpha`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AsymptoticConfidence {
    moments: Moments,
    rho: f64,
}

impl AsymptoticConfidence {
    /// A sequence that is tightest after about `units_best` units when bounds are asked for at
    /// `alpha`. Other alphas may be asked for; they only are a little wider than they could be.
    #[must_use]
    pub fn new(units_best: f64, alpha: f64) -> Self {
        Self { moments: Moments::default(), rho: rho(units_best, alpha) }
    }

    /// Takes in one independent value.
    pub fn update(&mut self, value: f64) {
        self.moments.update(value);
    }

    /// The number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.moments.count()
    }

    /// The mean of the values; `None` before the first.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.moments.mean()
    }

    /// Half the width of the two-sided bounds; `None` before [`UNITS_MIN`] values.
    #[must_use]
    pub fn half_width(&self, alpha: f64) -> Option<f64> {
        let variance = self.moments.population_variance()?;
        (self.count() >= UNITS_MIN)
            .then(|| asymptotic_half_width(self.count() as f64, variance, self.rho, alpha))
    }

    /// The lower bound of the mean; `None` before [`UNITS_MIN`] values.
    ///
    /// Lower and upper bound hold together with probability `1 - alpha`; one alone is safer still.
    #[must_use]
    pub fn lower(&self, alpha: f64) -> Option<f64> {
        Some(self.mean()? - self.half_width(alpha)?)
    }

    /// The upper bound of the mean; `None` before [`UNITS_MIN`] values.
    #[must_use]
    pub fn upper(&self, alpha: f64) -> Option<f64> {
        Some(self.mean()? + self.half_width(alpha)?)
    }

    /// The state as words, in a fixed order, for digests.
    pub fn words(&self) -> impl Iterator<Item = u64> + use<> {
        self.moments.words().into_iter().chain([self.rho.to_bits()])
    }
}

/// The parameter that makes the sequence tightest after `units_best` units, at `alpha`.
#[must_use]
pub fn rho(units_best: f64, alpha: f64) -> f64 {
    let twice = -2.0 * libm::log(alpha);
    ((twice + libm::log(twice + 1.0)) / units_best).sqrt()
}

/// Half the width of the two-sided asymptotic confidence sequence after `units` units of variance
/// `variance`, in the unit of the values.
#[must_use]
pub fn asymptotic_half_width(units: f64, variance: f64, rho: f64, alpha: f64) -> f64 {
    let grown = units * variance * rho * rho + 1.0;
    let scale = 2.0 * grown / (units * units * rho * rho);
    (scale * libm::log(grown.sqrt() / alpha)).sqrt()
}

/// The bound on `|sum of v units|` that a sub-Gaussian sum of intrinsic time `v` stays within at
/// all times, with probability `1 - alpha` (Howard et al., 2021, two-sided normal mixture).
#[must_use]
pub fn normal_mixture_bound(v: f64, rho: f64, alpha: f64) -> f64 {
    let grown = v + rho;
    (grown * libm::log(grown / (rho * alpha * alpha))).sqrt()
}

/// The share of `alpha` that the `k`-th successive challenger (from 1) may spend:
/// `alpha / (k (k + 1))`. The shares of all challengers, however many come, sum to `alpha`.
///
/// # Panics
/// If `k` is 0: challengers are counted from 1.
#[must_use]
pub fn spend(alpha: f64, k: u64) -> f64 {
    assert!(k > 0, "challengers are counted from 1");
    let k = k as f64;
    alpha / (k * (k + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, places: f64) {
        assert!((found - expected).abs() <= places, "found {found}, expected {expected}");
    }

    #[test]
    fn known_bounds() {
        for (units, width) in
            [(10.0, 2.587_557), (100.0, 0.365_639), (1000.0, 0.096_064), (10_000.0, 0.032_730)]
        {
            close(asymptotic_half_width(units, 1.0, 0.1, 0.05), width, 5e-7);
        }
        for (v, bound) in [
            (1.0, 3.656_395),
            (10.0, 9.606_402),
            (100.0, 32.730_186),
            (1000.0, 113.635_908),
            (10_000.0, 389.915_697),
        ] {
            close(normal_mixture_bound(v, 1.0, 0.05), bound, 5e-7);
        }
    }

    #[test]
    fn rho_is_tightest_where_it_says() {
        let best = rho(1000.0, 0.05);
        let width = |rho| asymptotic_half_width(1000.0, 1.0, rho, 0.05);
        assert!(width(best) < width(best * 1.1), "{}", width(best));
        assert!(width(best) < width(best / 1.1), "{}", width(best));
    }

    #[test]
    fn spending_never_exceeds_alpha() {
        let spent: f64 = (1..=100_000).map(|k| spend(0.05, k)).sum();
        assert!(spent < 0.05 && spent > 0.0499, "{spent}");
    }

    #[test]
    fn says_nothing_before_it_can() {
        let mut sequence = AsymptoticConfidence::new(1000.0, 0.05);
        for unit in 1..=UNITS_MIN {
            assert_eq!(sequence.lower(0.05), None);
            sequence.update(unit as f64);
        }
        let (lower, upper) = (sequence.lower(0.05), sequence.upper(0.05));
        assert!(lower < Some(100.5) && Some(100.5) < upper, "{lower:?} {upper:?}");
    }

    struct Xorshift(u64);

    impl Xorshift {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        /// Nearly normal: a sum of twelve uniforms (Irwin-Hall).
        fn normal(&mut self) -> f64 {
            (0..12).map(|_| (self.next() >> 11) as f64 / (1_u64 << 53) as f64).sum::<f64>() - 6.0
        }
    }

    /// Values of Student's t with 5 degrees of freedom, made symmetric: their mean is exactly 0.
    fn heavy_tailed(random: &mut Xorshift) -> Vec<f64> {
        let half: Vec<f64> = (0..2048)
            .map(|_| {
                let square: f64 = (0..5).map(|_| random.normal()).map(|z| z * z).sum();
                random.normal() / (square / 5.0).sqrt()
            })
            .collect();
        half.iter().flat_map(|value| [*value, -*value]).collect()
    }

    #[test]
    fn equal_definitions_are_told_apart_no_more_often_than_alpha() {
        let alpha = 0.05;
        let mut random = Xorshift(0x5EED);
        let noise = heavy_tailed(&mut random);
        let (mut valid, mut naive) = (0, 0);
        for _ in 0..2000 {
            let mut sequence = AsymptoticConfidence::new(1000.0, alpha);
            let (mut valid_rejects, mut naive_rejects) = (false, false);
            for unit in 1..=10_000 {
                sequence.update(noise[(random.next() >> 52) as usize]);
                if unit % 100 == 0 && unit >= UNITS_MIN {
                    let mean = sequence.moments.mean().map_or(0.0, f64::abs);
                    let variance = sequence.moments.variance().unwrap_or(0.0);
                    valid_rejects |= sequence.half_width(alpha).is_some_and(|half| mean > half);
                    naive_rejects |= mean > 1.959_964 * (variance / unit as f64).sqrt();
                }
            }
            valid += u32::from(valid_rejects);
            naive += u32::from(naive_rejects);
        }
        assert!(f64::from(valid) <= alpha * 2000.0, "{valid} of 2000 rejected");
        // The test itself can fail: looking as often with a fixed-sample test rejects many.
        assert!(naive > 500, "{naive} of 2000 rejected by the fixed-sample test");
    }
}
