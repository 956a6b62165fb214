//! The few statistics by which columns are told apart.

/// Pearson's correlation; none when fewer than 20 pairs are known or one side is constant.
pub(super) fn correlation(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> Option<f64> {
    let (mut n, mut x_sum, mut y_sum) = (0.0, 0.0, 0.0);
    for (x, y) in pairs.clone() {
        n += 1.0;
        x_sum += x;
        y_sum += y;
    }
    if n < 20.0 {
        return None;
    }
    let (x_mean, y_mean) = (x_sum / n, y_sum / n);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        xx += (x - x_mean) * (x - x_mean);
        yy += (y - y_mean) * (y - y_mean);
        xy += (x - x_mean) * (y - y_mean);
    }
    (xx > 0.0 && yy > 0.0).then(|| xy / (xx.sqrt() * yy.sqrt()))
}

/// The value below which this share of `sorted` lies; none of none.
pub(super) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((share * last as f64).round() as usize).copied()
}

/// The finite values, sorted.
pub(super) fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// A positive number rounded up to one that a person would write: 1, 2 or 5 times a power of ten.
pub(super) fn round_up(value: f64) -> f64 {
    let mut step = 0.001;
    while step < 1e12 {
        for factor in [1.0, 2.0, 5.0] {
            if step * factor >= value {
                return step * factor;
            }
        }
        step *= 10.0;
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        let line = (0..50).map(|i| (f64::from(i), 3.0 - 2.0 * f64::from(i)));
        let r = correlation(line).expect("enough pairs");
        assert!((r + 1.0).abs() < 1e-12, "{r}");
        assert_eq!(correlation((0..50).map(|i| (f64::from(i), 1.0))), None);
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[], 0.5), None);
        assert!((round_up(31.0) - 50.0).abs() < 1e-9);
    }
}
