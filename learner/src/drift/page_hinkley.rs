//! The Page-Hinkley test (Page, 1954): the sum of deviations from the running mean, forgetting
//! slowly, rises or falls too far. Cheapest of the detectors; starts anew after an alarm.

use super::{Detector, DetectorKind, Drift, DriftParams, InvalidDetector, within};
use serde::{Deserialize, Serialize};

/// The line of [`super::DETECTORS`].
pub const KIND: DetectorKind = DetectorKind {
    name: "page_hinkley",
    about: "a running sum leaves its lowest or highest point: cheap, for jumps of the mean",
    params: || DriftParams::PageHinkley(PageHinkleyParams::default()),
};

/// Which changes are alarming.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The mean rises.
    Up,
    /// The mean falls.
    Down,
    /// Either.
    #[default]
    Both,
}

/// Parameters of [`PageHinkley`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PageHinkleyParams {
    /// Values seen before the first alarm.
    pub values_min: u64,
    /// The deviation from the mean that is tolerated, in the unit of the values.
    pub delta: f64,
    /// How far the sum may leave its extreme, in the unit of the values.
    pub threshold: f64,
    /// The share of the sum kept at each value.
    pub alpha: f64,
    /// Which changes are alarming.
    pub direction: Direction,
}

impl Default for PageHinkleyParams {
    fn default() -> Self {
        Self {
            values_min: 30,
            delta: 0.005,
            threshold: 50.0,
            alpha: 0.9999,
            direction: Direction::Both,
        }
    }
}

impl PageHinkleyParams {
    /// Checks the parameters.
    ///
    /// # Errors
    /// When one is out of its range.
    pub fn check(self) -> Result<Self, InvalidDetector> {
        let not_negative = (0.0..=f64::MAX, "0 or more");
        within(KIND.name, "delta", self.delta, not_negative.clone())?;
        within(KIND.name, "threshold", self.threshold, not_negative)?;
        within(KIND.name, "alpha", self.alpha, (0.0..=1.0, "between 0 and 1"))?;
        Ok(self)
    }
}

/// The Page-Hinkley test. Its statistic is how far the sum has left its extreme, its limit the
/// threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PageHinkley {
    params: PageHinkleyParams,
    count: u64,
    mean: f64,
    rise: f64,
    rise_lowest: f64,
    fall: f64,
    fall_highest: f64,
}

impl PageHinkley {
    /// A test that has seen nothing yet; the parameters are checked.
    #[must_use]
    pub fn new(params: PageHinkleyParams) -> Self {
        Self {
            params,
            count: 0,
            mean: 0.0,
            rise: 0.0,
            rise_lowest: 0.0,
            fall: 0.0,
            fall_highest: 0.0,
        }
    }
}

impl Detector for PageHinkley {
    fn update(&mut self, value: f64) -> Option<Drift> {
        let PageHinkleyParams { values_min, delta, threshold, alpha, direction } = self.params;
        self.count += 1;
        self.mean += (value - self.mean) / self.count as f64;
        let deviation = value - self.mean;
        self.rise = alpha * self.rise + deviation - delta;
        self.fall = alpha * self.fall + deviation + delta;
        if self.count == 1 {
            (self.rise_lowest, self.fall_highest) = (self.rise, self.fall);
        }
        self.rise_lowest = self.rise_lowest.min(self.rise);
        self.fall_highest = self.fall_highest.max(self.fall);
        let (rise, fall) = (self.rise - self.rise_lowest, self.fall_highest - self.fall);
        let statistic = match direction {
            Direction::Up => rise,
            Direction::Down => fall,
            Direction::Both => rise.max(fall),
        };
        if self.count < values_min || statistic <= threshold {
            return None;
        }
        let drift = Drift { statistic, limit: threshold, mean: self.mean };
        *self = Self::new(self.params);
        Some(drift)
    }
}
