//! Prequential metrics: what the errors `actual - estimate` look like, each scored before it is
//! learned from.
//!
//! To add a metric, write a function over [`Errors`] and one over [`ErrorSketch`] and add one line
//! to [`METRICS`]; reports, the gate's guards, help and configuration errors walk that table.

pub mod errors;
pub mod fading;
pub mod histogram;
pub mod moments;
pub mod paired;
pub mod relative;
pub mod sketch;

pub use errors::{Errors, InvalidErrors};
pub use fading::{EwMean, FadingMean};
pub use histogram::ErrorHistogram;
pub use moments::Moments;
pub use paired::{Paired, PairedVerdict};
pub use relative::Relative;
pub use sketch::ErrorSketch;

/// What a metric is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The unit of the estimate.
    Unit,
    /// A share between 0 and 1.
    Share,
}

/// Which of two values of a metric is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The lower one.
    Lower,
    /// The one closer to zero.
    CloserToZero,
    /// The higher one.
    Higher,
}

impl Better {
    /// By how much `candidate` is worse than `champion`, in the metric's own scale; negative when
    /// it is better.
    #[must_use]
    pub fn worse_by(self, candidate: f64, champion: f64) -> f64 {
        match self {
            Self::Lower => candidate - champion,
            Self::CloserToZero => candidate.abs() - champion.abs(),
            Self::Higher => champion - candidate,
        }
    }
}

/// One metric: a line of [`METRICS`].
#[derive(Debug)]
pub struct MetricKind {
    /// Its name in definitions and reports.
    pub name: &'static str,
    /// What it says, in one line.
    pub about: &'static str,
    /// What it is measured in.
    pub scale: Scale,
    /// Which of two values is the better one.
    pub better: Better,
    /// Its value; `None` when there are no errors.
    pub value: fn(&Errors) -> Option<f64>,
    /// Its value from the small sketch kept per segment; `None` when that is empty.
    pub sketched: fn(&ErrorSketch) -> Option<f64>,
    /// How far off that value may be by chance: lower and upper bound at so many standard errors.
    pub bounds: fn(&ErrorSketch, f64) -> Option<[f64; 2]>,
}

const fn unit(
    name: &'static str,
    about: &'static str,
    value: fn(&Errors) -> Option<f64>,
    sketched: fn(&ErrorSketch) -> Option<f64>,
    bounds: fn(&ErrorSketch, f64) -> Option<[f64; 2]>,
) -> MetricKind {
    MetricKind { name, about, scale: Scale::Unit, better: Better::Lower, value, sketched, bounds }
}

const fn within(
    name: &'static str,
    about: &'static str,
    value: fn(&Errors) -> Option<f64>,
    sketched: fn(&ErrorSketch) -> Option<f64>,
    bounds: fn(&ErrorSketch, f64) -> Option<[f64; 2]>,
) -> MetricKind {
    let (scale, better) = (Scale::Share, Better::Higher);
    MetricKind { name, about, scale, better, value, sketched, bounds }
}

const BIAS: MetricKind = MetricKind {
    better: Better::CloserToZero,
    ..unit(
        "bias",
        "mean of actual - estimate",
        Errors::bias,
        ErrorSketch::bias,
        ErrorSketch::bias_bounds,
    )
};

/// Every metric, in the order of reports.
pub const METRICS: &[&MetricKind] = &[
    &unit("mae", "mean absolute error", Errors::mae, ErrorSketch::mae, ErrorSketch::mae_bounds),
    &BIAS,
    &unit(
        "rmse",
        "root of the mean squared error",
        Errors::rmse,
        ErrorSketch::rmse,
        ErrorSketch::rmse_bounds,
    ),
    &unit(
        "p50",
        "median absolute error",
        |e| e.quantile(0.5),
        |s| s.quantile(0.5),
        |s, z| s.quantile_bounds(0.5, z),
    ),
    &unit(
        "p90",
        "absolute error of 9 in 10",
        |e| e.quantile(0.9),
        |s| s.quantile(0.9),
        |s, z| s.quantile_bounds(0.9, z),
    ),
    &unit(
        "p95",
        "absolute error of 19 in 20",
        |e| e.quantile(0.95),
        |s| s.quantile(0.95),
        |s, z| s.quantile_bounds(0.95, z),
    ),
    &unit(
        "p99",
        "absolute error of 99 in 100",
        |e| e.quantile(0.99),
        |s| s.quantile(0.99),
        |s, z| s.quantile_bounds(0.99, z),
    ),
    &within(
        "within_1",
        "share within 1 unit",
        |e| e.share_within(1.0),
        |s| s.share_within(1.0),
        |s, z| s.share_bounds(1.0, z),
    ),
    &within(
        "within_2",
        "share within 2 units",
        |e| e.share_within(2.0),
        |s| s.share_within(2.0),
        |s, z| s.share_bounds(2.0, z),
    ),
    &within(
        "within_5",
        "share within 5 units",
        |e| e.share_within(5.0),
        |s| s.share_within(5.0),
        |s, z| s.share_bounds(5.0, z),
    ),
    &within(
        "within_10",
        "share within 10",
        |e| e.share_within(10.0),
        |s| s.share_within(10.0),
        |s, z| s.share_bounds(10.0, z),
    ),
    &within(
        "within_15",
        "share within 15",
        |e| e.share_within(15.0),
        |s| s.share_within(15.0),
        |s, z| s.share_bounds(15.0, z),
    ),
    &within(
        "within_30",
        "share within 30",
        |e| e.share_within(30.0),
        |s| s.share_within(30.0),
        |s, z| s.share_bounds(30.0, z),
    ),
    &within(
        "within_60",
        "share within 60",
        |e| e.share_within(60.0),
        |s| s.share_within(60.0),
        |s, z| s.share_bounds(60.0, z),
    ),
];

/// The metric of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static MetricKind> {
    METRICS.iter().copied().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests;
