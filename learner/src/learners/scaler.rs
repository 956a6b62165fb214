//! Brings number inputs to unit scale by their running mean and spread, kept in a [`Table`].

use crate::state::Table;

/// Cells per input: count, mean, sum of squared deviations.
const WIDTH: usize = 3;
/// Beyond this many observations older ones fade, so that a change of scale is followed.
const COUNT_MAX: f64 = 100_000.0;
/// Inputs larger than this count as this large: their squares stay finite.
const VALUE_MAX: f64 = 1e150;
/// Inputs further from the mean than this many standard deviations are pulled in.
const SPREAD_MAX: f64 = 6.0;

/// Whether an input's mean is taken off before scaling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Centre {
    /// At its running mean.
    Mean,
    /// At zero, where zero has a meaning.
    Zero,
}

/// Means and spreads of number inputs.
#[derive(Debug, Clone)]
pub(super) struct Scaler {
    pub(super) table: Table<f64>,
    centres: Vec<Centre>,
}

impl Scaler {
    pub(super) fn new(centres: Vec<Centre>) -> Self {
        Self { table: Table::new(centres.len() * WIDTH), centres }
    }

    /// The input at unit scale; 0 when it is missing or nothing is known of its scale yet.
    #[inline]
    pub(super) fn scale(&self, input: usize, value: f64) -> f64 {
        let [count, mean, squares] = self.moments(input);
        if value.is_nan() || count < 2.0 || squares <= 0.0 {
            return 0.0;
        }
        let scaled = (value - mean) / (squares / count).sqrt();
        scaled.clamp(-SPREAD_MAX, SPREAD_MAX)
    }

    /// The spread of an input; 0 when nothing is known of it yet.
    #[inline]
    pub(super) fn spread(&self, input: usize) -> f64 {
        let [count, _, squares] = self.moments(input);
        let spread = (squares / count).sqrt();
        if spread.is_finite() { spread } else { 0.0 }
    }

    /// Takes an input into account (Welford 1962; missing ones count nothing). After the first
    /// hundred, what lies far outside moves mean and spread no further than the edge does.
    #[inline]
    pub(super) fn observe(&mut self, input: usize, value: f64) {
        if value.is_nan() {
            return;
        }
        let [mut count, mut mean, mut squares] = self.moments(input);
        let mut value = value.clamp(-VALUE_MAX, VALUE_MAX);
        if count >= 100.0 && squares > 0.0 {
            let reach = SPREAD_MAX * (squares / count).sqrt();
            value = value.max(mean - reach).min(mean + reach);
        }
        if count >= COUNT_MAX {
            squares -= squares / count;
            count -= 1.0;
        }
        count += 1.0;
        match self.centres[input] {
            Centre::Mean => {
                let off = value - mean;
                mean += off / count;
                squares += off * (value - mean);
            }
            Centre::Zero => squares += value * value,
        }
        let row = self.table.row_mut(input * WIDTH..(input + 1) * WIDTH);
        row.copy_from_slice(&[count, mean, squares]);
    }

    #[inline]
    fn moments(&self, input: usize) -> [f64; WIDTH] {
        let cells = self.table.cells();
        [cells[input * WIDTH], cells[input * WIDTH + 1], cells[input * WIDTH + 2]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wild_units_and_wild_values_come_out_tame() {
        let mut scaler = Scaler::new(vec![Centre::Mean]);
        assert!(scaler.scale(0, 5.0) == 0.0);
        for i in 0..1000 {
            scaler.observe(0, 1e9 + f64::from(i % 10) * 1e6);
        }
        assert!(scaler.scale(0, 1e9 + 9e6) > 1.0 && scaler.scale(0, 1e9 + 9e6) < 2.0);
        scaler.observe(0, 1e300);
        assert!(scaler.scale(0, 1e9 + 9e6) > 1.0);
        assert!(scaler.scale(0, f64::NAN) == 0.0);
        assert!(scaler.scale(0, -1e300) == -SPREAD_MAX);
    }
}
