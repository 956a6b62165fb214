//! Answers that are known from formulas.

use super::*;

fn bare(numbers: usize, categories: usize, objective: Objective) -> Shape {
    let names = |prefix: &str, count| (0..count).map(|i| format!("{prefix}{i}")).collect();
    Shape { categories: names("c", categories), numbers: names("n", numbers), objective }
}

fn at(second: i64) -> EventTime {
    EventTime::from_micros(1_700_000_000_000_000 + second * 1_000_000)
}

/// Solves `a x = b` by elimination with pivots; `a` row by row.
fn solved(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for column in 0..n {
        let largest = |&i: &usize, &j: &usize| a[i][column].abs().total_cmp(&a[j][column].abs());
        let pivot = (column..n).max_by(largest).expect("a row is left");
        a.swap(column, pivot);
        b.swap(column, pivot);
        for row in column + 1..n {
            let factor = a[row][column] / a[column][column];
            let (above, below) = a.split_at_mut(row);
            for (cell, over) in below[0][column..].iter_mut().zip(&above[column][column..]) {
                *cell -= factor * over;
            }
            b[row] -= factor * b[column];
        }
    }
    for column in (0..n).rev() {
        for place in column + 1..n {
            b[column] -= a[column][place] * b[place];
        }
        b[column] /= a[column][column];
    }
    b
}

#[test]
fn rls_without_forgetting_is_ordinary_least_squares() {
    let params = rls::RlsParams {
        half_lives: Vec::new(),
        forgetting: 1.0,
        prior_variance: 1e8,
        ..rls::RlsParams::default()
    };
    let mut rls = rls::Rls::new(&params, &bare(3, 0, Objective::Mean)).expect("valid");
    let (n, mut draws) = (4, Draws(3));
    let (mut among, mut with) = (vec![vec![0.0; n]; n], vec![0.0; n]);
    let mut inputs = vec![0.0; n];
    for i in 0..500 {
        let numbers = [40.0 * draws.next(), 1e6 * draws.next(), draws.next() - 3.0];
        let features = Features { time: at(i), categories: &[], numbers: &numbers };
        rls.predict_one(&features, &mut inputs);
        let residual = 3.0 * numbers[0] - 1e-5 * numbers[1] + 7.0 * draws.next();
        rls.learn_one(&features, &inputs, at(i), residual);
        for row in 0..n {
            for column in 0..n {
                among[row][column] += inputs[row] * inputs[column];
            }
            with[row] += inputs[row] * residual;
        }
    }
    let expected = solved(among, with);
    for i in 0..50 {
        let numbers = [f64::from(i), 1e4 * f64::from(i), -2.5];
        let features = Features { time: at(600), categories: &[], numbers: &numbers };
        let found = rls.predict_one(&features, &mut inputs);
        let expected: f64 =
            expected.iter().zip(&inputs).map(|(weight, input)| weight * input).sum();
        assert!(((found - expected) / expected).abs() < 1e-6, "{found} {expected}");
    }
}

#[test]
fn segments_that_forget_nothing_are_shrunken_means() {
    let params = segment::SegmentParams {
        half_life: Duration::from_hours(24 * 365 * 100_000),
        shrink: 4.0,
        ..segment::SegmentParams::default()
    };
    let whole = bare(0, 0, Objective::Mean);
    let mut global = segment::Segment::new(&params, &whole).expect("valid");
    let one = bare(0, 1, Objective::Mean);
    let mut by_value = segment::Segment::new(&params, &one).expect("valid");
    let residuals = [3.0, -1.0, 8.0, 2.5, 2.5, 9.0];
    for (i, &residual) in residuals.iter().enumerate() {
        let categories = [1 + i as u64 % 2];
        let features = Features { time: at(i as i64), categories: &categories, numbers: &[] };
        global.learn_one(&features, &[], features.time, residual);
        by_value.learn_one(&features, &[], features.time, residual);
    }
    // n / (n + k) times the mean: 24 / (6 + 4).
    let parent = 2.4;
    let asked = |categories| Features { time: at(9), categories, numbers: &[] };
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found}");
    near(global.predict_one(&asked(&[]), &mut []), parent);
    near(by_value.predict_one(&asked(&[1]), &mut []), (13.5 + 4.0 * parent) / (3.0 + 4.0));
    near(by_value.predict_one(&asked(&[2]), &mut []), (10.5 + 4.0 * parent) / (3.0 + 4.0));
    near(by_value.predict_one(&asked(&[3]), &mut []), parent);
}

#[test]
fn adagrad_moves_one_weight_as_by_hand() {
    let params = linear::LinearParams {
        rate: 0.5,
        steps: linear::Steps::Adagrad,
        ..linear::LinearParams::default()
    };
    let mut linear = linear::Linear::new(&params, &bare(0, 0, Objective::Mean)).expect("valid");
    // In spreads of the residual (2, 2 and the root of 8/3) the gradients are -1, -1/2 and the
    // second weight.
    let second = 1.0 + 0.5 * 2.0 * 0.5 / 1.25_f64.sqrt();
    let squares = 1.25 + second * second / (8.0 / 3.0);
    let third = second - 0.5 * second / squares.sqrt();
    for (residual, expected) in [(2.0, 1.0), (2.0, second), (0.0, third)] {
        let features = Features { time: at(0), categories: &[], numbers: &[] };
        linear.learn_one(&features, &[], at(0), residual);
        let found = linear.predict_one(&features, &mut []);
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}
