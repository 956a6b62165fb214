//! From a learner's residual to an answer: the correction is applied, then clamped.
//!
//! The residual is always against the primary estimate, never against a corrected one, and the
//! primary estimate is the fallback: a residual that is not finite corrects nothing.

use crate::spec::{Correction, Limit};

/// The answer for a primary `estimate` and the `residual` a learner expects.
#[inline]
#[must_use]
pub fn corrected(estimate: f64, residual: f64, correction: Correction, limit: &Limit) -> f64 {
    let wanted = match correction {
        Correction::Additive => estimate + residual,
        Correction::Multiplicative => estimate * libm::exp(residual),
    };
    if !wanted.is_finite() {
        return estimate;
    }
    let reach = match (limit.absolute, limit.relative) {
        (None, None) => f64::INFINITY,
        (Some(absolute), None) => absolute,
        (None, Some(relative)) => relative * estimate.abs(),
        (Some(absolute), Some(relative)) => absolute.max(relative * estimate.abs()),
    };
    let answer = wanted.clamp(estimate - reach, estimate + reach);
    limit.floor.map_or(answer, |floor| answer.max(floor))
}

/// What is learned from a label: the residual of the primary `estimate`, on the correction's scale.
#[inline]
#[must_use]
pub fn residual(estimate: f64, actual: f64, correction: Correction) -> f64 {
    match correction {
        Correction::Additive => actual - estimate,
        Correction::Multiplicative => libm::log(actual / estimate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Limit = Limit { absolute: None, relative: None, floor: None };

    #[test]
    fn applies_and_inverts() {
        for correction in [Correction::Additive, Correction::Multiplicative] {
            let learned = residual(20.0, 26.0, correction);
            assert!((corrected(20.0, learned, correction, &FREE) - 26.0).abs() < 1e-12);
        }
    }

    #[test]
    fn the_larger_of_both_limits_holds_and_the_floor_always() {
        let limit = Limit { absolute: Some(5.0), relative: Some(0.3), floor: Some(0.0) };
        let answer =
            |estimate, residual| corrected(estimate, residual, Correction::Additive, &limit);
        assert!(answer(10.0, 50.0) == 15.0);
        assert!(answer(100.0, 50.0) == 130.0);
        assert!(answer(2.0, -50.0) == 0.0);
    }

    #[test]
    fn what_is_not_finite_corrects_nothing() {
        for residual in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(corrected(7.0, residual, Correction::Additive, &FREE) == 7.0);
        }
        assert!(corrected(7.0, 1e6, Correction::Multiplicative, &FREE) == 7.0);
    }
}
