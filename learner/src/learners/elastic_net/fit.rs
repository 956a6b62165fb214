//! One fit: from the rows of a window to coefficients.
//!
//! The rows are condensed first: inputs and residuals are brought to mean 0 and spread 1, and their
//! correlations `C` (inputs with inputs) and `c` (inputs with residual) are summed up. With `C = L
//! L'`, the elastic net of the few rows `L'` and `L⁻¹ c` has the same objective, up to a constant,
//! as that of all rows, at a cost that does not depend on their number. linfa solves it by
//! coordinate descent.
//!
//! Bits are the same on every machine: the sums here go in the order of the rows; linfa's descent
//! takes products of vectors only, which ndarray without BLAS sums in eight fixed lanes; the
//! kernels that ndarray chooses at run time are those of products of matrices, and linfa takes one
//! only for variances, when there are more rows than inputs, which there never are. A test holds
//! the bits.

use crate::learners::rls::dot;
use crate::spec::Objective;
use linfa::Dataset;
use linfa::traits::Fit;
use ndarray::{Array1, Array2, ShapeBuilder};

/// Fewer rows than this are not fitted.
const ROWS_MIN: usize = 10;
/// Inputs further from the mean than this many spreads are pulled in.
const SPREAD_MAX: f64 = 6.0;
/// Inputs whose variance is below this are left out: they are constant in the window.
const VARIANCE_MIN: f64 = 1e-9;
/// Added to the diagonal of `C`, so that it has a root although the buckets of a category sum to 1.
const RIDGE: f64 = 1e-9;
/// Where linfa's descent stops.
const TOLERANCE: f64 = 1e-8;
const SWEEPS_MAX: u32 = 2000;
/// How far the conditions of the optimum may be missed, as a share of the largest correlation.
const SLACK: f64 = 1e-3;

/// How many inputs of which sort there are: numbers first, then the buckets of each category.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inputs {
    pub(super) numbers: usize,
    pub(super) categories: usize,
    pub(super) buckets: usize,
}

impl Inputs {
    /// How many coefficients there are.
    pub(super) const fn len(&self) -> usize {
        self.numbers + self.categories * self.buckets
    }
}

/// `weight * (l1_ratio * |w|₁ + (1 - l1_ratio) / 2 * |w|₂²)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Penalty {
    pub(super) weight: f64,
    pub(super) l1_ratio: f64,
}

/// Mean and spread of a number; a spread of 0 is that of a number of which nothing is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) mean: f64,
    pub(super) spread: f64,
}

/// What a fit gives. The coefficients are those of scaled numbers and of buckets (0 or 1), in the
/// unit of the residual.
#[derive(Debug)]
pub(super) struct Fitted {
    pub(super) intercept: f64,
    pub(super) coefficients: Vec<f64>,
    pub(super) scales: Vec<Scale>,
    pub(super) range: [f64; 2],
}

/// A number at unit scale; missing ones are at the mean.
#[inline]
pub(super) fn scaled(scale: Scale, value: f64) -> f64 {
    if scale.spread > 0.0 && value.is_finite() {
        ((value - scale.mean) / scale.spread).clamp(-SPREAD_MAX, SPREAD_MAX)
    } else {
        0.0
    }
}

/// Fits rows of a residual, numbers and buckets. `None` when there are too few, their sums
/// overflow, or the descent does not arrive.
pub(super) fn fit(
    inputs: &Inputs,
    rows: &[&[u64]],
    penalty: Penalty,
    objective: Objective,
) -> Option<Fitted> {
    if rows.len() < ROWS_MIN {
        return None;
    }
    let mut residuals: Vec<f64> = rows.iter().map(|row| f64::from_bits(row[0])).collect();
    let target = scale_of(residuals.iter().copied());
    if !(target.mean.is_finite() && target.spread.is_finite()) {
        return None;
    }
    let scales: Vec<Scale> = (1..=inputs.numbers)
        .map(|word| scale_of(rows.iter().map(|row| f64::from_bits(row[word]))))
        .map(
            |scale| if scale.spread.is_finite() { scale } else { Scale { mean: 0.0, spread: 0.0 } },
        )
        .collect();
    let coefficients = if target.spread > 0.0 {
        let sums = Sums::of(inputs, rows, target, &scales);
        sums.solve(penalty)?.iter().map(|weight| weight * target.spread).collect()
    } else {
        vec![0.0; inputs.len()]
    };
    let range =
        residuals.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &residual| {
            [low.min(residual), high.max(residual)]
        });
    let mut active = Vec::new();
    for (residual, row) in residuals.iter_mut().zip(rows) {
        activate(inputs, row, &scales, &mut active);
        *residual -= active.iter().map(|&(input, value)| coefficients[input] * value).sum::<f64>();
    }
    let intercept = middle(residuals, objective);
    let is_finite = intercept.is_finite() && coefficients.iter().all(|weight| weight.is_finite());
    is_finite.then_some(Fitted { intercept, coefficients, scales, range })
}

/// Mean and spread of what is not missing; a spread of 0 when there is nothing.
fn scale_of(values: impl Iterator<Item = f64> + Clone) -> Scale {
    let known = || values.clone().filter(|value| value.is_finite());
    let count = known().count() as f64;
    if count == 0.0 {
        return Scale { mean: 0.0, spread: 0.0 };
    }
    let mean = known().sum::<f64>() / count;
    let squares: f64 = known().map(|value| (value - mean) * (value - mean)).sum();
    Scale { mean, spread: (squares / count).sqrt() }
}

/// The inputs of a row that are not 0, in ascending order.
fn activate(inputs: &Inputs, row: &[u64], scales: &[Scale], active: &mut Vec<(usize, f64)>) {
    active.clear();
    let (numbers, buckets) = row[1..].split_at(inputs.numbers);
    for (number, (&word, &scale)) in numbers.iter().zip(scales).enumerate() {
        let value = scaled(scale, f64::from_bits(word));
        if value != 0.0 {
            active.push((number, value));
        }
    }
    // A bucket beyond the end can only come from a foreign artifact: it counts nothing.
    let len = inputs.len() as u64;
    let buckets = buckets.iter().filter(|bucket| **bucket < len);
    active.extend(buckets.map(|&bucket| (bucket as usize, 1.0)));
}

/// What the intercept must be for the objective, from what the coefficients leave over.
fn middle(mut left: Vec<f64>, objective: Objective) -> f64 {
    let share = match objective {
        Objective::Mean => return left.iter().sum::<f64>() / left.len() as f64,
        Objective::Median => 0.5,
        Objective::Quantile(q) => q,
    };
    let place = (share * (left.len() - 1) as f64 + 0.5) as usize;
    *left.select_nth_unstable_by(place, f64::total_cmp).1
}

/// Sums over the rows of the window.
struct Sums {
    rows: f64,
    inputs: usize,
    /// Of each input.
    firsts: Vec<f64>,
    /// Of products of two inputs, the first not beyond the second.
    seconds: Vec<f64>,
    /// Of the residual at unit scale, and of its products with each input.
    target: f64,
    products: Vec<f64>,
}

impl Sums {
    fn of(inputs: &Inputs, rows: &[&[u64]], target: Scale, scales: &[Scale]) -> Self {
        let len = inputs.len();
        let mut sums = Self {
            rows: rows.len() as f64,
            inputs: len,
            firsts: vec![0.0; len],
            seconds: vec![0.0; len * len],
            target: 0.0,
            products: vec![0.0; len],
        };
        let mut active = Vec::new();
        for row in rows {
            let residual = (f64::from_bits(row[0]) - target.mean) / target.spread;
            activate(inputs, row, scales, &mut active);
            sums.target += residual;
            for (place, &(input, value)) in active.iter().enumerate() {
                sums.firsts[input] += value;
                sums.products[input] += value * residual;
                for &(other, with) in &active[place..] {
                    sums.seconds[input * len + other] += value * with;
                }
            }
        }
        sums
    }

    /// The coefficients of the inputs for a residual of unit scale.
    fn solve(&self, penalty: Penalty) -> Option<Vec<f64>> {
        let n = self.rows;
        let covariance = |low: usize, high: usize| {
            let product = self.firsts[low] / n * (self.firsts[high] / n);
            self.seconds[low * self.inputs + high] / n - product
        };
        let varies = |input: &usize| covariance(*input, *input) > VARIANCE_MIN;
        let varying: Vec<usize> = (0..self.inputs).filter(varies).collect();
        let spreads: Vec<f64> = varying.iter().map(|&i| covariance(i, i).sqrt()).collect();
        let k = varying.len();
        let mut problem = Problem { among: vec![0.0; k * k], with_target: Vec::new() };
        for (row, &input) in varying.iter().enumerate() {
            for (column, &other) in varying[..row].iter().enumerate() {
                let correlation = covariance(other, input) / (spreads[row] * spreads[column]);
                problem.among[row * k + column] = correlation;
                problem.among[column * k + row] = correlation;
            }
            problem.among[row * k + row] = 1.0 + RIDGE;
            let product = self.firsts[input] / n * (self.target / n);
            problem.with_target.push((self.products[input] / n - product) / spreads[row]);
        }
        let mut weights = vec![0.0; self.inputs];
        for ((&input, spread), weight) in varying.iter().zip(spreads).zip(problem.solve(penalty)?) {
            // linfa's negative zero becomes zero, the bits of an empty cell.
            weights[input] = weight / spread + 0.0;
        }
        Some(weights)
    }
}

/// An elastic net in correlations: `C` and `c`.
struct Problem {
    among: Vec<f64>,
    with_target: Vec<f64>,
}

impl Problem {
    fn solve(&self, penalty: Penalty) -> Option<Vec<f64>> {
        let k = self.with_target.len();
        let largest = self.with_target.iter().fold(0.0, |largest: f64, c| largest.max(c.abs()));
        if largest <= penalty.weight * penalty.l1_ratio {
            // The penalty outweighs every correlation.
            return Some(vec![0.0; k]);
        }
        let (root, target) = self.condensed()?;
        let unit = (k as f64).sqrt();
        let rows: Vec<f64> = root.iter().map(|cell| cell * unit).collect();
        let rows = Array2::from_shape_vec((k, k).f(), rows).expect("a root has k times k cells");
        let target: Array1<f64> = target.iter().map(|cell| cell * unit).collect();
        let fitted = linfa_elasticnet::ElasticNet::params()
            .penalty(penalty.weight)
            .l1_ratio(penalty.l1_ratio)
            .with_intercept(false)
            .tolerance(TOLERANCE)
            .max_iterations(SWEEPS_MAX)
            .fit(&Dataset::new(rows, target))
            .ok()?;
        let weights = fitted.hyperplane().to_vec();
        self.is_solved_by(&weights, penalty, SLACK * largest).then_some(weights)
    }

    /// `L`, row by row, and `L⁻¹ c`.
    fn condensed(&self) -> Option<(Vec<f64>, Vec<f64>)> {
        let k = self.with_target.len();
        let mut root = vec![0.0; k * k];
        let mut target = Vec::with_capacity(k);
        for row in 0..k {
            let (above, this) = root.split_at_mut(row * k);
            for column in 0..row {
                let other = &above[column * k..][..=column];
                let rest = self.among[row * k + column] - dot(&this[..column], &other[..column]);
                this[column] = rest / other[column];
            }
            let rest = self.among[row * k + row] - dot(&this[..row], &this[..row]);
            if rest.is_nan() || rest <= 0.0 {
                return None;
            }
            this[row] = rest.sqrt();
            target.push((self.with_target[row] - dot(&this[..row], &target)) / this[row]);
        }
        Some((root, target))
    }

    /// Whether the slope of the objective is 0 wherever a weight is not 0, and within the L1
    /// penalty elsewhere. linfa itself stops without a word, and never finds its gap closed without
    /// L1.
    fn is_solved_by(&self, weights: &[f64], penalty: Penalty, slack: f64) -> bool {
        let edge = penalty.weight * penalty.l1_ratio;
        let shrink = penalty.weight * (1.0 - penalty.l1_ratio);
        let rows = self.among.chunks_exact(weights.len());
        rows.zip(&self.with_target).zip(weights).all(|((row, c), &weight)| {
            let slope = c - dot(row, weights) - shrink * weight;
            let off = if weight == 0.0 {
                slope.abs() - edge
            } else {
                (slope - edge * weight.signum()).abs()
            };
            off <= slack
        })
    }
}

#[cfg(test)]
mod tests;
