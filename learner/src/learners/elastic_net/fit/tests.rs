//! Fits against linfa's own on the uncondensed rows, against closed forms, and against damage.

use super::*;
use linfa::traits::Predict;
use ndarray::Axis;
use trueup_event::hash;

/// A repeatable stream of numbers from 0 to below 1.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 = hash::mix(self.0, 0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

const INPUTS: Inputs = Inputs { numbers: 2, categories: 2, buckets: 4 };
const NET: Penalty = Penalty { weight: 0.02, l1_ratio: 0.5 };

/// Rows of a residual, two numbers and two categories; some numbers are missing.
fn rows(count: usize) -> Vec<Vec<u64>> {
    let mut draws = Draws(7);
    (0..count)
        .map(|_| {
            let (a, b) = (3.0 * draws.next() + 100.0, 1e-3 * draws.next());
            let (c, d) = ((4.0 * draws.next()) as u64, (3.0 * draws.next()) as u64);
            let noise = draws.next() - 0.5;
            let residual = 2.0 * (a - 101.0) - 3e3 * b + [0.0, 4.0, -2.0, 0.5][c as usize] + noise;
            let b = if draws.next() < 0.1 { f64::NAN } else { b };
            vec![residual.to_bits(), a.to_bits(), b.to_bits(), 2 + c, 6 + d]
        })
        .collect()
}

fn fitted(rows: &[Vec<u64>], penalty: Penalty, objective: Objective) -> Option<Fitted> {
    let rows: Vec<&[u64]> = rows.iter().map(Vec::as_slice).collect();
    fit(&INPUTS, &rows, penalty, objective)
}

fn estimate(fitted: &Fitted, row: &[u64]) -> f64 {
    let mut active = Vec::new();
    activate(&INPUTS, row, &fitted.scales, &mut active);
    fitted.intercept + active.iter().map(|&(i, value)| fitted.coefficients[i] * value).sum::<f64>()
}

/// Every row as linfa wants it: each input and the residual at mean 0 and spread 1.
fn uncondensed(rows: &[Vec<u64>], fitted: &Fitted) -> (Dataset<f64, f64, ndarray::Ix1>, Scale) {
    let mut records = Array2::zeros((rows.len(), 10));
    for (place, row) in rows.iter().enumerate() {
        let mut active = Vec::new();
        activate(&INPUTS, row, &fitted.scales, &mut active);
        for (input, value) in active {
            records[(place, input)] = value;
        }
    }
    for mut column in records.axis_iter_mut(Axis(1)) {
        let scale = scale_of(column.iter().copied().collect::<Vec<_>>().into_iter());
        if scale.spread > 0.0 {
            column.mapv_inplace(|value| (value - scale.mean) / scale.spread);
        } else {
            column.fill(0.0);
        }
    }
    let residuals: Vec<f64> = rows.iter().map(|row| f64::from_bits(row[0])).collect();
    let scale = scale_of(residuals.iter().copied());
    let targets = residuals.iter().map(|residual| (residual - scale.mean) / scale.spread).collect();
    (Dataset::new(records, targets), scale)
}

#[test]
fn condensing_the_rows_changes_nothing() {
    let rows = rows(700);
    for (weight, l1_ratio) in [(0.02, 0.5), (0.2, 1.0), (0.001, 0.1), (0.5, 0.9)] {
        let ours = fitted(&rows, Penalty { weight, l1_ratio }, Objective::Mean).expect("it fits");
        let (dataset, scale) = uncondensed(&rows, &ours);
        let theirs = linfa_elasticnet::ElasticNet::params()
            .penalty(weight)
            .l1_ratio(l1_ratio)
            .tolerance(1e-9)
            .max_iterations(20_000)
            .fit(&dataset)
            .expect("it fits");
        let answers = theirs.predict(&dataset);
        for (row, answer) in rows.iter().zip(&answers) {
            let (ours, theirs) = (estimate(&ours, row), answer * scale.spread + scale.mean);
            assert!((ours - theirs).abs() < 1e-5, "{weight} {l1_ratio}: {ours} {theirs}");
        }
    }
}

#[test]
fn without_penalty_it_finds_what_made_the_rows() {
    let mut rows = rows(2000);
    for row in &mut rows {
        row[2] = 0.0_f64.to_bits();
    }
    for (weight, l1_ratio) in [(0.0, 0.0), (1e-6, 0.0), (1e-6, 1.0)] {
        let fitted = fitted(&rows, Penalty { weight, l1_ratio }, Objective::Mean).expect("it fits");
        // Uniform on an interval of length 3: the spread is sqrt(3)/2, and the slope is 2.
        let slope = fitted.coefficients[0] / fitted.scales[0].spread;
        assert!((slope - 2.0).abs() < 0.1, "{slope}");
        let effect = fitted.coefficients[3] - fitted.coefficients[4];
        assert!((effect - 6.0).abs() < 0.2, "{effect}");
    }
}

#[test]
fn ridge_arrives_although_linfa_never_finds_its_gap_closed() {
    let rows = rows(300);
    let ridge = Penalty { weight: 0.1, l1_ratio: 0.0 };
    let fitted = fitted(&rows, ridge, Objective::Mean).expect("it fits");
    assert!(fitted.coefficients.iter().filter(|weight| **weight != 0.0).count() >= 8);
}

#[test]
fn bits_are_frozen() {
    // These bits decide about replays: a release of linfa or ndarray that sums in another order, or
    // a machine that does, must be noticed here.
    let fitted = fitted(&rows(500), NET, Objective::Mean).expect("it fits");
    let bits = fitted.coefficients.iter().chain([&fitted.intercept]);
    let folded = bits.fold(0, |folded, cell| hash::mix(folded, cell.to_bits()));
    assert_eq!(folded, 4_732_698_540_559_966_263, "{:?} {}", fitted.coefficients, fitted.intercept);
}

#[test]
fn the_intercept_serves_the_objective() {
    let rows = rows(1001);
    for (objective, share) in [
        (Objective::Median, 0.5),
        (Objective::Quantile(0.8), 0.8),
        (Objective::Quantile(0.05), 0.05),
    ] {
        let fitted = fitted(&rows, NET, objective).expect("it fits");
        let below = |row: &&Vec<u64>| f64::from_bits(row[0]) < estimate(&fitted, row);
        let found = rows.iter().filter(below).count() as f64 / rows.len() as f64;
        assert!((found - share).abs() < 0.005, "{share}: {found}");
    }
}

#[test]
fn poor_windows_give_a_mean_or_nothing() {
    let few = rows(ROWS_MIN - 1);
    assert!(fitted(&few, NET, Objective::Mean).is_none());
    let mut constant = rows(50);
    for row in &mut constant {
        row[0] = 0.1_f64.to_bits();
        row[1] = f64::NAN.to_bits();
        row[2] = f64::NAN.to_bits();
    }
    let found = fitted(&constant, NET, Objective::Mean).expect("a mean");
    assert!(constant.iter().all(|row| (estimate(&found, row) - 0.1).abs() < 1e-12), "{found:?}");
    let mut overflowing = rows(50);
    overflowing[0][0] = 1e200_f64.to_bits();
    overflowing[1][0] = (-1e200_f64).to_bits();
    assert!(fitted(&overflowing, NET, Objective::Mean).is_none());
    let mut foreign = rows(50);
    foreign[0][3] = u64::MAX;
    foreign[1][1] = 1e308_f64.to_bits();
    foreign[2][1] = (-1e308_f64).to_bits();
    assert!(fitted(&foreign, NET, Objective::Mean).is_some());
}
