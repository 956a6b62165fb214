//! linfa's elastic net, fitted anew on a trailing window: the batch challenger.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trueup_event::Duration;

/// Parameters of the elastic net.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ElasticNetParams {
    /// How much of the past is fitted.
    #[schemars(with = "String")]
    pub window: Duration,
    /// How often it is fitted anew.
    #[schemars(with = "String")]
    pub refit_every: Duration,
    /// The weight of the penalty.
    pub penalty: f64,
    /// The share of the penalty that is L1 (0 is ridge, 1 is lasso).
    pub l1_ratio: f64,
    /// The most labels kept; beyond it the oldest leave first.
    pub rows_max: usize,
}

impl Default for ElasticNetParams {
    fn default() -> Self {
        Self {
            window: Duration::from_hours(24 * 30),
            refit_every: Duration::from_hours(24),
            penalty: 0.1,
            l1_ratio: 0.5,
            rows_max: 100_000,
        }
    }
}
