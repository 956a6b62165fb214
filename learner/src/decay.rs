//! How much an old observation still counts: a half for every half-life.

use trueup_event::{Duration, EventTime};

/// The weight left after `age` with this half-life: `2^(-age / half_life)`, 1 for negative ages.
///
/// Computed by splitting off whole half-lives and a Taylor series of `2^f` for `|f| <= 1/2`
/// (relative error below 1e-11). It uses `+`, `-`, `*` and bit shifts only, so that every machine
/// and every compiler gives the same bits; it is several times as fast as a general `exp2`.
#[inline]
#[must_use]
pub fn weight(age: Duration, half_lives_per_micro: f64) -> f64 {
    let halvings = age.micros().max(0) as f64 * half_lives_per_micro;
    if halvings > 1000.0 {
        return 0.0;
    }
    let whole = (halvings + 0.5) as i64;
    let x = (whole as f64 - halvings) * std::f64::consts::LN_2;
    let mut sum = 1.0 + x * (1.0 / 9.0);
    for k in [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0] {
        sum = 1.0 + x * sum * (1.0 / k);
    }
    sum * f64::from_bits(((1023 - whole) as u64) << 52)
}

/// The factor that [`weight`] takes for this half-life.
///
/// # Panics
/// If the half-life is not positive; definitions are checked for that.
#[must_use]
pub fn rate(half_life: Duration) -> f64 {
    assert!(half_life > Duration::ZERO, "a half-life is positive");
    1.0 / half_life.micros() as f64
}

/// The weight left between two points in time.
#[inline]
#[must_use]
pub fn between(earlier: EventTime, later: EventTime, half_lives_per_micro: f64) -> f64 {
    weight(later.since(earlier), half_lives_per_micro)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_exp2() {
        let rate = rate(Duration::from_hours(3));
        for micros in (0..40_000_000_000_i64).step_by(7_654_321) {
            let exact = libm::exp2(-(micros as f64) * rate);
            let ours = weight(Duration::from_micros(micros), rate);
            assert!(((ours - exact) / exact).abs() < 1e-11, "{micros}: {ours} {exact}");
        }
        assert!((weight(Duration::from_hours(3), rate) - 0.5).abs() < 1e-15);
        assert!(weight(Duration::from_hours(-1), rate) == 1.0);
        assert!(weight(Duration::from_micros(i64::MAX), rate) == 0.0);
    }
}
