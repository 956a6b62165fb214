//! Drift detectors: they watch a stream of values, such as errors, and say when it has changed.
//!
//! To add a detector, write one file, one variant of [`DriftParams`] and [`DriftDetector`], and one
//! line in [`DETECTORS`]. A detector is a function of the values alone: no clock, and where it
//! draws lots, its generator is part of its state. What follows from an alarm is decided elsewhere.

pub mod adwin;
pub mod kswin;
pub mod page_hinkley;

pub use adwin::{Adwin, AdwinParams};
pub use kswin::{Kswin, KswinParams};
pub use page_hinkley::{Direction, PageHinkley, PageHinkleyParams};

use serde::{Deserialize, Serialize};

/// Watches a stream of values.
pub trait Detector {
    /// Takes in one finite value, and says whether the stream has changed.
    fn update(&mut self, value: f64) -> Option<Drift>;
}

/// An alarm: the stream has changed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// What the detector measured; what it is depends on the detector.
    pub statistic: f64,
    /// The limit that the statistic has passed.
    pub limit: f64,
    /// The mean of what the detector takes for the stream after the change.
    pub mean: f64,
}

/// A parameter of a detector out of its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{name}` of drift detector `{detector}` must be {expected}: `{found}`")]
pub struct InvalidDetector {
    /// The detector.
    pub detector: &'static str,
    /// The parameter.
    pub name: &'static str,
    /// Its range in words.
    pub expected: &'static str,
    /// The value given.
    pub found: f64,
}

/// One detector: a line of [`DETECTORS`].
#[derive(Debug)]
pub struct DetectorKind {
    /// Its name in definitions.
    pub name: &'static str,
    /// What it is good at, in one line.
    pub about: &'static str,
    /// Its parameters when none are given.
    pub params: fn() -> DriftParams,
}

/// Every detector, by name.
pub const DETECTORS: &[&DetectorKind] = &[&adwin::KIND, &kswin::KIND, &page_hinkley::KIND];

/// The detector of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static DetectorKind> {
    DETECTORS.iter().copied().find(|kind| kind.name == name)
}

/// The parameters of one detector, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftParams {
    /// Adaptive windowing.
    Adwin(AdwinParams),
    /// The Kolmogorov-Smirnov test on a sliding window.
    Kswin(KswinParams),
    /// The Page-Hinkley test.
    PageHinkley(PageHinkleyParams),
}

impl DriftParams {
    /// A detector that has seen nothing yet.
    ///
    /// # Errors
    /// When a parameter is out of its range.
    pub fn build(self) -> Result<DriftDetector, InvalidDetector> {
        Ok(match self {
            Self::Adwin(params) => DriftDetector::Adwin(Adwin::new(params.check()?)),
            Self::Kswin(params) => DriftDetector::Kswin(Kswin::new(params.check()?)),
            Self::PageHinkley(params) => {
                DriftDetector::PageHinkley(PageHinkley::new(params.check()?))
            }
        })
    }
}

/// Any detector, with its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftDetector {
    /// Adaptive windowing.
    Adwin(Adwin),
    /// The Kolmogorov-Smirnov test on a sliding window.
    Kswin(Kswin),
    /// The Page-Hinkley test.
    PageHinkley(PageHinkley),
}

impl Detector for DriftDetector {
    fn update(&mut self, value: f64) -> Option<Drift> {
        match self {
            Self::Adwin(adwin) => adwin.update(value),
            Self::Kswin(kswin) => kswin.update(value),
            Self::PageHinkley(page_hinkley) => page_hinkley.update(value),
        }
    }
}

/// Refuses a parameter that is not within its range.
fn within(
    detector: &'static str,
    name: &'static str,
    found: f64,
    range: (std::ops::RangeInclusive<f64>, &'static str),
) -> Result<(), InvalidDetector> {
    let (range, expected) = range;
    if range.contains(&found) {
        Ok(())
    } else {
        Err(InvalidDetector { detector, name, expected, found })
    }
}

#[cfg(test)]
mod tests;
