//! The Kolmogorov-Smirnov test on a sliding window (Raab, Heusinger and Schleif, 2020): the newest
//! values against a sample of those before them. Sees any change of the distribution, not only of
//! its mean, at a cost of about a microsecond per value.
//!
//! The sample is drawn by a SplitMix64 generator that is part of the state. After an alarm the
//! window keeps its newest part.

use super::{Detector, DetectorKind, Drift, DriftParams, InvalidDetector, within};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The line of [`super::DETECTORS`].
pub const KIND: DetectorKind = DetectorKind {
    name: "kswin",
    about: "the newest values against a sample of older ones: any change of distribution",
    params: || DriftParams::Kswin(KswinParams::default()),
};

/// The largest sample; samples are sorted on the stack.
const SAMPLE_MAX: usize = 256;
/// Distances up to this are never alarming, however small alpha allows them to be.
const DISTANCE_MIN: f64 = 0.1;

/// Parameters of [`Kswin`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KswinParams {
    /// The probability of an alarm without a change, for each value.
    pub alpha: f64,
    /// Values in the window.
    pub window: u32,
    /// The newest values of it, compared with as many drawn from the rest.
    pub sample: u32,
    /// The seed of the draws.
    pub seed: u64,
}

impl Default for KswinParams {
    fn default() -> Self {
        Self { alpha: 0.0001, window: 100, sample: 30, seed: 42 }
    }
}

impl KswinParams {
    /// Checks the parameters.
    ///
    /// # Errors
    /// When one is out of its range.
    pub fn check(self) -> Result<Self, InvalidDetector> {
        within(KIND.name, "alpha", self.alpha, (1e-300..=1.0, "above 0 and at most 1"))?;
        within(KIND.name, "sample", self.sample.into(), (2.0..=SAMPLE_MAX as f64, "2 to 256"))?;
        let window = (2.0 * f64::from(self.sample)..=1e6, "from twice `sample` to 1000000");
        within(KIND.name, "window", self.window.into(), window)?;
        Ok(self)
    }
}

/// The sliding Kolmogorov-Smirnov test. Its statistic is the largest distance of the two
/// distributions, its limit the smallest distance that is alarming.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kswin {
    params: KswinParams,
    random: u64,
    /// The smallest alarming distance, in steps of one value.
    steps_min: u32,
    window: VecDeque<f64>,
}

impl Kswin {
    /// A test that has seen nothing yet; the parameters are checked.
    #[must_use]
    pub fn new(params: KswinParams) -> Self {
        Self {
            params,
            random: params.seed,
            steps_min: steps_min(params.sample, params.alpha),
            window: VecDeque::with_capacity(params.window as usize + 1),
        }
    }

    /// Draws `chosen.len()` of the `count` oldest values, each as likely as any other: Knuth's
    /// algorithm S.
    fn draw(&mut self, count: usize, chosen: &mut [f64]) {
        let mut taken = 0;
        for (place, value) in self.window.iter().take(count).enumerate() {
            let left = (count - place) as f64;
            let wanted = (chosen.len() - taken) as f64;
            if uniform(&mut self.random) * left < wanted {
                chosen[taken] = *value;
                taken += 1;
            }
        }
    }
}

impl Detector for Kswin {
    fn update(&mut self, value: f64) -> Option<Drift> {
        self.window.push_back(value);
        let (size, sample) = (self.params.window as usize, self.params.sample as usize);
        if self.window.len() > size {
            self.window.pop_front();
        }
        if self.window.len() < size {
            return None;
        }
        let (mut old, mut new) = ([0.0; SAMPLE_MAX], [0.0; SAMPLE_MAX]);
        let (old, new) = (&mut old[..sample], &mut new[..sample]);
        self.draw(size - sample, old);
        for (slot, value) in new.iter_mut().zip(self.window.range(size - sample..)) {
            *slot = *value;
        }
        let mean = new.iter().sum::<f64>() / sample as f64;
        let steps = distance_steps(old, new);
        if steps < self.steps_min {
            return None;
        }
        self.window.drain(..size - sample);
        let share = |steps: u32| f64::from(steps) / sample as f64;
        Some(Drift { statistic: share(steps), limit: share(self.steps_min), mean })
    }
}

/// The fewest steps of distance that are alarming at `alpha`; one more than possible if none is.
fn steps_min(sample: u32, alpha: f64) -> u32 {
    let is_alarming = |steps: &u32| {
        f64::from(*steps) > DISTANCE_MIN * f64::from(sample) && p_value(sample, *steps) <= alpha
    };
    (1..=sample).find(is_alarming).unwrap_or(sample + 1)
}

/// The exact two-sided p-value of the two-sample Kolmogorov-Smirnov test for samples of `size`
/// values each whose distributions are `steps / size` apart (Gnedenko and Korolyuk, 1951):
/// `2 (C(2n, n-h) - C(2n, n-2h) + ...) / C(2n, n)`.
#[must_use]
pub fn p_value(size: u32, steps: u32) -> f64 {
    if steps == 0 {
        return 1.0;
    }
    let n = f64::from(size);
    let (mut sum, mut ratio, mut reached, mut sign) = (0.0, 1.0, 0, 1.0);
    while let Some(away) = (reached + steps <= size).then_some(reached + steps) {
        // `ratio` is C(2n, n - reached) / C(2n, n), carried on factor by factor.
        for j in reached..away {
            ratio *= (n - f64::from(j)) / (n + f64::from(j) + 1.0);
        }
        sum += sign * ratio;
        sign = -sign;
        reached = away;
    }
    (2.0 * sum).clamp(0.0, 1.0)
}

/// The largest difference between the counts of both samples up to any value; sorts them.
fn distance_steps(a: &mut [f64], b: &mut [f64]) -> u32 {
    a.sort_unstable_by(f64::total_cmp);
    b.sort_unstable_by(f64::total_cmp);
    let (mut i, mut j, mut largest) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        let value = a[i].min(b[j]);
        while i < a.len() && a[i] <= value {
            i += 1;
        }
        while j < b.len() && b[j] <= value {
            j += 1;
        }
        largest = largest.max(i.abs_diff(j));
    }
    largest as u32
}

/// A number from 0 up to 1, by SplitMix64 (Steele, Lea and Flood, 2014).
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut word = *state;
    word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((word ^ word >> 31) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_p_values() {
        let mut a: Vec<f64> = (1..=10).map(|i| f64::from(i) / 10.0).collect();
        let mut b: Vec<f64> = a.iter().map(|value| value + 0.35).collect();
        assert_eq!(distance_steps(&mut a, &mut b), 4);
        // SciPy 1.17, `ks_2samp(..., method="exact")`.
        for (size, steps, expected) in [
            (10, 4, 0.417_523_652_817_770_43),
            (30, 11, 0.034_580_084_963_334_506),
            (30, 30, 1.691_123_389_214_474_2e-17),
        ] {
            let found = p_value(size, steps);
            assert!((found / expected - 1.0).abs() < 1e-12, "{found}, expected {expected}");
        }
        assert_eq!(p_value(30, 0), 1.0);
        assert_eq!(p_value(30, 1), 1.0);
    }

    #[test]
    fn ties_count_on_both_sides_at_once() {
        let mut a = [0.0, 0.0, 1.0, 1.0, 2.0, 2.0];
        let mut b = [1.0, 2.0, 2.0, 3.0, 3.0, 3.0];
        assert_eq!(distance_steps(&mut a, &mut b), 3);
        let mut same = a;
        assert_eq!(distance_steps(&mut a, &mut same), 0);
    }

    #[test]
    fn draws_each_value_equally_often() {
        let mut kswin = Kswin::new(KswinParams::default());
        kswin.window.extend((0..70).map(f64::from));
        let mut drawn = [0_u32; 70];
        let mut chosen = [0.0; 30];
        for _ in 0..7000 {
            kswin.draw(70, &mut chosen);
            assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]), "without repetition");
            for value in chosen {
                drawn[value as usize] += 1;
            }
        }
        // 3000 expected, with a standard deviation of 41.
        assert!(drawn.iter().all(|count| (2800..=3200).contains(count)), "{drawn:?}");
    }
}
