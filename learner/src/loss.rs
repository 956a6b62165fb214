//! Losses: what an error costs, and which way the prediction must move to cost less.
//!
//! A loss is a function of the residual `actual - prediction`; its gradient is taken with respect
//! to the prediction. Nothing here keeps state or refuses input: residuals are finite before they
//! come.

use serde::{Deserialize, Serialize};

/// What an error costs. Units of `delta` are those of the residual.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Half the squared residual, so that the gradient is `prediction - actual`. Aims at the mean.
    Squared,
    /// The absolute residual. Aims at the median.
    Absolute,
    /// Squared up to `delta`, absolute beyond (Huber, 1964): outliers pull with bounded force.
    Huber {
        /// Where the parabola becomes a line.
        delta: f64,
    },
    /// A smooth Huber: `delta² (sqrt(1 + (residual / delta)²) - 1)`.
    PseudoHuber {
        /// Where the parabola bends into a line.
        delta: f64,
    },
    /// Huber with one weight for under-estimates and another for over-estimates (Hu et al., 2022).
    AsymmetricHuber {
        /// Where the parabola becomes a line.
        delta: f64,
        /// The weight of an under-estimate (actual above prediction); over-estimates weigh
        /// `1 - under`.
        under: f64,
    },
    /// The pinball loss (Koenker and Bassett, 1978). Aims at quantile `q`.
    Quantile {
        /// The quantile, within 0 and 1.
        q: f64,
    },
}

/// A parameter of a loss out of its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{name}` of the loss must be {expected}: `{found}`")]
pub struct InvalidLoss {
    /// The parameter.
    pub name: &'static str,
    /// Its range in words.
    pub expected: &'static str,
    /// The value given.
    pub found: f64,
}

impl Loss {
    /// Checks the parameters.
    ///
    /// # Errors
    /// When `delta` is not positive and finite, or `q` or `under` not strictly within 0 and 1.
    pub fn check(self) -> Result<Self, InvalidLoss> {
        match self {
            Self::Squared | Self::Absolute => {}
            Self::Huber { delta } | Self::PseudoHuber { delta } => positive("delta", delta)?,
            Self::AsymmetricHuber { delta, under } => {
                positive("delta", delta)?;
                share("under", under)?;
            }
            Self::Quantile { q } => share("q", q)?,
        }
        Ok(self)
    }

    /// The cost of `residual` (actual minus prediction); never negative.
    #[must_use]
    pub fn value(self, residual: f64) -> f64 {
        match self {
            Self::Squared => 0.5 * residual * residual,
            Self::Absolute => residual.abs(),
            Self::Huber { delta } => huber(residual, delta),
            Self::PseudoHuber { delta } => {
                let ratio = residual / delta;
                delta * delta * ((1.0 + ratio * ratio).sqrt() - 1.0)
            }
            Self::AsymmetricHuber { delta, under } => {
                side(residual, under) * huber(residual, delta)
            }
            Self::Quantile { q } => side(residual, q) * residual.abs(),
        }
    }

    /// The slope of the cost with respect to the prediction: negative when the prediction is too
    /// low. 0 at a residual of 0.
    #[must_use]
    pub fn gradient(self, residual: f64) -> f64 {
        match self {
            Self::Squared => -residual,
            Self::Absolute => -sign(residual),
            Self::Huber { delta } => -residual.clamp(-delta, delta),
            Self::PseudoHuber { delta } => {
                let ratio = residual / delta;
                -residual / (1.0 + ratio * ratio).sqrt()
            }
            Self::AsymmetricHuber { delta, under } => {
                -side(residual, under) * residual.clamp(-delta, delta)
            }
            Self::Quantile { q } => -side(residual, q) * sign(residual),
        }
    }
}

fn huber(residual: f64, delta: f64) -> f64 {
    let size = residual.abs();
    if size <= delta { 0.5 * size * size } else { delta * (size - 0.5 * delta) }
}

fn side(residual: f64, under: f64) -> f64 {
    if residual > 0.0 { under } else { 1.0 - under }
}

fn sign(residual: f64) -> f64 {
    if residual > 0.0 {
        1.0
    } else if residual < 0.0 {
        -1.0
    } else {
        0.0
    }
}

fn positive(name: &'static str, found: f64) -> Result<(), InvalidLoss> {
    let expected = "positive and finite";
    if found > 0.0 && found.is_finite() {
        Ok(())
    } else {
        Err(InvalidLoss { name, expected, found })
    }
}

fn share(name: &'static str, found: f64) -> Result<(), InvalidLoss> {
    let expected = "between 0 and 1, both excluded";
    if found > 0.0 && found < 1.0 { Ok(()) } else { Err(InvalidLoss { name, expected, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: [Loss; 6] = [
        Loss::Squared,
        Loss::Absolute,
        Loss::Huber { delta: 1.0 },
        Loss::PseudoHuber { delta: 1.0 },
        Loss::AsymmetricHuber { delta: 2.0, under: 0.7 },
        Loss::Quantile { q: 0.9 },
    ];

    fn values(loss: Loss, residuals: &[f64], expected: &[f64]) {
        for (residual, expected) in residuals.iter().zip(expected) {
            let found = loss.value(*residual);
            assert!((found - expected).abs() < 1e-15, "{loss:?} at {residual}: {found}");
        }
    }

    #[test]
    fn known_values() {
        let at = [0.0, 0.5, 1.0, 2.0, 3.0];
        values(Loss::Huber { delta: 1.0 }, &at, &[0.0, 0.125, 0.5, 1.5, 2.5]);
        values(
            Loss::PseudoHuber { delta: 1.0 },
            &at,
            &[
                0.0,
                0.118_033_988_749_894_85,
                0.414_213_562_373_095_03,
                1.236_067_977_499_789_6,
                2.162_277_660_168_379_5,
            ],
        );
        values(
            Loss::AsymmetricHuber { delta: 2.0, under: 0.7 },
            &[-5.0, -2.0, -1.0, 0.0, 1.0, 2.0, 5.0],
            &[2.4, 0.6, 0.15, 0.0, 0.35, 1.4, 5.6],
        );
        values(Loss::Quantile { q: 0.9 }, &[-2.0, -1.0, 0.0, 1.0, 2.0], &[0.2, 0.1, 0.0, 0.9, 1.8]);
    }

    #[test]
    fn gradient_is_the_slope_of_the_value_against_the_prediction() {
        let step = 1e-6;
        for loss in EVERY {
            for residual in [-7.3, -1.6, -0.4, 0.3, 0.9, 1.7, 6.1] {
                // A prediction raised by `step` lowers the residual by it.
                let slope =
                    (loss.value(residual - step) - loss.value(residual + step)) / step / 2.0;
                let found = loss.gradient(residual);
                assert!((found - slope).abs() < 1e-6, "{loss:?} at {residual}: {found} {slope}");
            }
            assert_eq!(loss.gradient(0.0), 0.0, "{loss:?}");
        }
    }

    #[test]
    fn refuses_parameters_out_of_range() {
        for loss in EVERY {
            assert_eq!(loss.check(), Ok(loss));
        }
        for loss in [
            Loss::Huber { delta: 0.0 },
            Loss::PseudoHuber { delta: f64::NAN },
            Loss::AsymmetricHuber { delta: 1.0, under: 1.0 },
            Loss::Quantile { q: 0.0 },
        ] {
            assert!(loss.check().is_err(), "{loss:?}");
        }
        let refusal = Loss::Quantile { q: 1.5 }.check().expect_err("out of range").to_string();
        assert_eq!(refusal, "`q` of the loss must be between 0 and 1, both excluded: `1.5`");
    }
}
