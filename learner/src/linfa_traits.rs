//! linfa's traits for our learners, so that a linfa user can fit, evaluate and swap them.
//!
//! [`OnlineParams`] names a learner and what its columns are; [`Fit`] and [`FitWith`] feed it the
//! rows of a dataset in their order, each asked before it is learned; [`OnlineModel`] predicts.
//! Fitting two halves one after the other gives the model of the whole, bit for bit.
//!
//! linfa knows no event time, so rows are `row_every` apart: the first row ever learned is at
//! 1970-01-01T00:00:00Z, and predictions are for the moment after the last one. Half-lives and
//! windows of the learners are measured on that clock.
//!
//! ```
//! use linfa::prelude::*;
//! use ndarray::{Array1, Array2};
//! use trueup_learner::learners::{LearnerSpec, linear::LinearParams};
//! use trueup_learner::linfa_traits::OnlineParams;
//!
//! // How wrong a dispatcher's estimate was, by depot (a category) and load (a number).
//! let depot = |row: usize| (row * 7 % 3) as f64;
//! let load = |row: usize| (row * 31 % 10) as f64;
//! let records = Array2::from_shape_fn((600, 2), |(row, column)| {
//!     if column == 0 { depot(row) } else { load(row) }
//! });
//! let late = |row: usize| [4.0, -2.0, 1.0][depot(row) as usize] + load(row);
//! let targets = Array1::from_shape_fn(600, late);
//! let dataset = Dataset::new(records, targets);
//!
//! let learner = LearnerSpec::Linear(LinearParams::default());
//! let model = OnlineParams::new(learner).category("depot", 0).fit(&dataset)?;
//! let answers = model.predict(&dataset);
//! assert!(answers.r2(&dataset)? > 0.95);
//! # Ok::<(), trueup_learner::linfa_traits::OnlineError>(())
//! ```

use crate::learners::{BuildError, Features, Learner, LearnerSpec, Shape};
use crate::spec::Objective;
use linfa::dataset::AsSingleTargets;
use linfa::traits::{Fit, FitWith, PredictInplace};
use linfa::{DatasetBase, ParamGuard};
use ndarray::{Array1, ArrayBase, ArrayView1, Data, Ix2};
use trueup_event::{Duration, EventTime, hash};

/// A learner and what the columns of its records are, not yet checked.
#[derive(Debug, Clone, PartialEq)]
pub struct OnlineParams(OnlineValidParams);

/// A learner and what the columns of its records are, checked by [`ParamGuard::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct OnlineValidParams {
    learner: LearnerSpec,
    objective: Objective,
    categories: Vec<(String, usize)>,
    row_every: Duration,
}

/// Why a learner cannot be fitted or used.
#[derive(Debug, thiserror::Error)]
pub enum OnlineError {
    /// The learner cannot be built as declared.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Two categories have the same name or column.
    #[error("category is declared twice: `{0}`")]
    CategoryTwice(String),
    /// The time between rows is not above zero, or the quantile not within 0 and 1.
    #[error("{name} must be {range}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// A category's column is not among the records'.
    #[error("category `{name}` is column `{column}`, but records have `{columns}` columns")]
    NoSuchColumn {
        /// The category.
        name: String,
        /// Its column.
        column: usize,
        /// How many columns there are.
        columns: usize,
    },
    /// The records have another number of columns than those the model was made for.
    #[error("model is for `{expected}` columns, but records have `{found}`")]
    Columns {
        /// The model's.
        expected: usize,
        /// The records'.
        found: usize,
    },
    /// A target is NaN or infinite.
    #[error("target of row `{0}` is not finite")]
    Target(usize),
    /// linfa's own.
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
}

impl OnlineParams {
    /// This learner, for the mean, all columns numbers, a second from row to row.
    #[must_use]
    pub const fn new(learner: LearnerSpec) -> Self {
        Self(OnlineValidParams {
            learner,
            objective: Objective::Mean,
            categories: Vec::new(),
            row_every: Duration::from_micros(1_000_000),
        })
    }

    /// What is learned of the targets.
    #[must_use]
    pub const fn objective(mut self, objective: Objective) -> Self {
        self.0.objective = objective;
        self
    }

    /// Takes a column of the records as a category: each of its values stands for itself. `name` is
    /// what crosses, levels and segments of the learner call it.
    #[must_use]
    pub fn category(mut self, name: &str, column: usize) -> Self {
        self.0.categories.push((name.to_owned(), column));
        self
    }

    /// The event time between two rows.
    #[must_use]
    pub const fn row_every(mut self, row_every: Duration) -> Self {
        self.0.row_every = row_every;
        self
    }
}

impl ParamGuard for OnlineParams {
    type Checked = OnlineValidParams;
    type Error = OnlineError;

    fn check_ref(&self) -> Result<&OnlineValidParams, OnlineError> {
        let params = &self.0;
        if params.row_every <= Duration::ZERO {
            return Err(OnlineError::Parameter { name: "row_every", range: "above zero" });
        }
        if let Objective::Quantile(q) = params.objective
            && !(q > 0.0 && q < 1.0)
        {
            return Err(OnlineError::Parameter { name: "quantile", range: "between 0 and 1" });
        }
        for (index, (name, column)) in params.categories.iter().enumerate() {
            let mut earlier = params.categories[..index].iter();
            if earlier.any(|(other, place)| other == name || place == column) {
                return Err(OnlineError::CategoryTwice(name.clone()));
            }
        }
        // How many numbers there are is not known yet: what depends on it is checked when fitting.
        params.learner.build(&params.shape(0))?;
        Ok(params)
    }

    fn check(self) -> Result<OnlineValidParams, OnlineError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl OnlineValidParams {
    fn shape(&self, numbers: usize) -> Shape {
        Shape {
            categories: self.categories.iter().map(|(name, _)| name.clone()).collect(),
            numbers: (0..numbers).map(|number| number.to_string()).collect(),
            objective: self.objective,
        }
    }

    /// A model that has learned nothing, for records of this many columns.
    ///
    /// # Errors
    /// When a category's column is not among them or the learner cannot be built for them.
    pub fn fresh(&self, columns: usize) -> Result<OnlineModel, OnlineError> {
        for (name, column) in &self.categories {
            if *column >= columns {
                let (name, column) = (name.clone(), *column);
                return Err(OnlineError::NoSuchColumn { name, column, columns });
            }
        }
        let categories: Vec<usize> = self.categories.iter().map(|(_, column)| *column).collect();
        let numbers: Vec<usize> =
            (0..columns).filter(|column| !categories.contains(column)).collect();
        let learner = self.learner.build(&self.shape(numbers.len()))?;
        Ok(OnlineModel { learner, categories, numbers, row_every: self.row_every, rows: 0 })
    }
}

/// A learner that has learned some rows.
#[derive(Debug)]
pub struct OnlineModel {
    learner: Box<dyn Learner>,
    categories: Vec<usize>,
    numbers: Vec<usize>,
    row_every: Duration,
    rows: i64,
}

/// The features of a row, and what the learner wants back of them.
#[derive(Debug)]
struct Row {
    time: EventTime,
    categories: Vec<u64>,
    numbers: Vec<f64>,
    inputs: Vec<f64>,
}

impl Row {
    fn features(&self) -> Features<'_> {
        Features { time: self.time, categories: &self.categories, numbers: &self.numbers }
    }
}

impl OnlineModel {
    /// The learner, for artifacts and digests.
    pub fn learner_mut(&mut self) -> &mut dyn Learner {
        self.learner.as_mut()
    }

    /// How many rows it has learned.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows.unsigned_abs()
    }

    fn columns(&self) -> usize {
        self.categories.len() + self.numbers.len()
    }

    /// Room for a row of the present moment.
    fn row(&self) -> Row {
        Row {
            time: EventTime::from_micros(self.rows.saturating_mul(self.row_every.micros())),
            categories: vec![0; self.categories.len()],
            numbers: vec![0.0; self.numbers.len()],
            inputs: vec![0.0; self.learner.inputs_len()],
        }
    }

    /// The answer for a record; `row` then holds what learning from it takes.
    fn ask(&self, record: ArrayView1<'_, f64>, row: &mut Row) -> f64 {
        for (category, &column) in row.categories.iter_mut().zip(&self.categories) {
            let value = record[column];
            // Zero is one value whatever its sign, and so is what is missing.
            let value = if value.is_nan() { f64::NAN } else { value + 0.0 };
            *category = hash::mix(1, value.to_bits());
        }
        for (number, &column) in row.numbers.iter_mut().zip(&self.numbers) {
            *number = record[column];
        }
        let features =
            Features { time: row.time, categories: &row.categories, numbers: &row.numbers };
        self.learner.predict_one(&features, &mut row.inputs)
    }

    fn learn<D: Data<Elem = f64>>(
        &mut self,
        records: &ArrayBase<D, Ix2>,
        targets: ArrayView1<'_, f64>,
    ) -> Result<(), OnlineError> {
        if records.ncols() != self.columns() {
            let (expected, found) = (self.columns(), records.ncols());
            return Err(OnlineError::Columns { expected, found });
        }
        if let Some(place) = targets.iter().position(|target| !target.is_finite()) {
            return Err(OnlineError::Target(place));
        }
        let mut row = self.row();
        for (record, &target) in records.rows().into_iter().zip(targets) {
            row.time = EventTime::from_micros(self.rows.saturating_mul(self.row_every.micros()));
            self.ask(record, &mut row);
            self.learner.learn_one(&row.features(), &row.inputs, row.time, target);
            self.rows += 1;
        }
        Ok(())
    }
}

impl<D: Data<Elem = f64>, T: AsSingleTargets<Elem = f64>> Fit<ArrayBase<D, Ix2>, T, OnlineError>
    for OnlineValidParams
{
    type Object = OnlineModel;

    /// Feeds every row to a fresh model.
    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<OnlineModel, OnlineError> {
        self.fit_with(None, dataset)
    }
}

impl<'a, D: Data<Elem = f64> + 'a, T: AsSingleTargets<Elem = f64> + 'a>
    FitWith<'a, ArrayBase<D, Ix2>, T, OnlineError> for OnlineValidParams
{
    type ObjectIn = Option<OnlineModel>;
    type ObjectOut = OnlineModel;

    /// Feeds every row to the model, or to a fresh one. A model that was made by other parameters
    /// goes on as what it is.
    fn fit_with(
        &self,
        model: Option<OnlineModel>,
        dataset: &'a DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<OnlineModel, OnlineError> {
        let records = dataset.records();
        let mut model = model.map_or_else(|| self.fresh(records.ncols()), Ok)?;
        model.learn(records, dataset.as_single_targets())?;
        Ok(model)
    }
}

impl<D: Data<Elem = f64>> PredictInplace<ArrayBase<D, Ix2>, Array1<f64>> for OnlineModel {
    /// # Panics
    /// As linfa's own models do, when `y` has not one place per record or the records have another
    /// number of columns than those that were learned.
    fn predict_inplace(&self, x: &ArrayBase<D, Ix2>, y: &mut Array1<f64>) {
        assert_eq!(x.nrows(), y.len(), "targets must have one place per record");
        assert_eq!(x.ncols(), self.columns(), "records must have the columns that were learned");
        let mut row = self.row();
        for (record, answer) in x.rows().into_iter().zip(y) {
            *answer = self.ask(record, &mut row);
        }
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<f64> {
        Array1::zeros(x.nrows())
    }
}

#[cfg(test)]
mod tests;
