//! The family of learners: one file and one line in [`LEARNERS`] each.
//!
//! A learner estimates the residual of the primary estimate. Asking never teaches: only
//! [`Learner::learn_one`] takes `&mut self`. All that a later answer depends on stands in its
//! [`crate::state::Table`]s, which give the digest, the artifact and the served replica.

pub mod elastic_net;
pub mod linear;
pub mod rls;
pub mod scaler;
pub mod segment;
pub mod segments;

use crate::spec::Objective;
use crate::state::{AnyTable, Use};
use serde::{Deserialize, Serialize};
use trueup_event::EventTime;

/// What a learner sees of a question.
#[derive(Debug, Clone, Copy)]
pub struct Features<'a> {
    /// When it was asked.
    pub time: EventTime,
    /// The hash of each category feature's value, in the order of declaration.
    pub categories: &'a [u64],
    /// Each number feature, in the order of declaration; NaN where it is missing.
    pub numbers: &'a [f64],
}

/// Takes each table of a learner in turn, by name.
pub type TableVisitor<'a> = dyn FnMut(&'static str, Use, &mut dyn AnyTable) + 'a;

/// Learns to estimate the residual of the primary estimate.
pub trait Learner: Send + Sync + std::fmt::Debug {
    /// How many inputs it wants kept between a question and its label.
    fn inputs_len(&self) -> usize;

    /// The residual expected for `question`. Writes what learning from its label will need to
    /// `inputs` (of [`Learner::inputs_len`]). Takes `&self`, so that asking can never teach.
    fn predict_one(&self, question: &Features<'_>, inputs: &mut [f64]) -> f64;

    /// Moves the model towards the `residual` that came true for `question`, at event time `now`;
    /// `inputs` are those written when it was asked.
    fn learn_one(&mut self, question: &Features<'_>, inputs: &[f64], now: EventTime, residual: f64);

    /// A copy that goes its own way.
    fn duplicate(&self) -> Box<dyn Learner>;

    /// Visits every table, always in the same order.
    fn tables(&mut self, visit: &mut TableVisitor<'_>);
}

/// The names of a definition's features, and what is learned of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Category features, in the order of declaration.
    pub categories: Vec<String>,
    /// Number features, in the order of declaration.
    pub numbers: Vec<String>,
    /// What is learned.
    pub objective: Objective,
}

impl Shape {
    /// The places of category features named in a cross, level or segment.
    ///
    /// # Errors
    /// When a name is no category feature.
    pub fn places(&self, names: &[String]) -> Result<Vec<usize>, BuildError> {
        names
            .iter()
            .map(|name| {
                self.categories
                    .iter()
                    .position(|category| category == name)
                    .ok_or_else(|| BuildError::NotACategory(name.clone()))
            })
            .collect()
    }
}

/// Why a learner cannot be built as declared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A cross, level or segment names something else than a category feature.
    #[error("not a declared category feature: `{0}`")]
    NotACategory(String),
    /// A parameter is out of its range.
    #[error("{name} must be {range}")]
    Parameter {
        /// The key.
        name: &'static str,
        /// What it may be.
        range: &'static str,
    },
}

/// Refuses a parameter that is out of range.
fn require(holds: bool, name: &'static str, range: &'static str) -> Result<(), BuildError> {
    if holds { Ok(()) } else { Err(BuildError::Parameter { name, range }) }
}

/// The parameters of one learner, by kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearnerSpec {
    /// A batch elastic net, fitted anew on a trailing window.
    ElasticNet(elastic_net::ElasticNetParams),
    /// A hashed linear model with crosses.
    Linear(linear::LinearParams),
    /// Recursive least squares with forgetting.
    Rls(rls::RlsParams),
    /// Decayed means per segment, shrunken to their parents.
    Segment(segment::SegmentParams),
}

impl LearnerSpec {
    /// The kind's name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ElasticNet(_) => "elastic_net",
            Self::Linear(_) => "linear",
            Self::Rls(_) => "rls",
            Self::Segment(_) => "segment",
        }
    }

    /// Builds the learner.
    ///
    /// # Errors
    /// When a parameter is out of range or names what is not declared.
    pub fn build(&self, shape: &Shape) -> Result<Box<dyn Learner>, BuildError> {
        Ok(match self {
            Self::ElasticNet(params) => Box::new(elastic_net::ElasticNet::new(params, shape)?),
            Self::Linear(params) => Box::new(linear::Linear::new(params, shape)?),
            Self::Rls(params) => Box::new(rls::Rls::new(params, shape)?),
            Self::Segment(params) => Box::new(segment::Segment::new(params, shape)?),
        })
    }
}

/// One kind of learner, as help, docs and errors show it.
#[derive(Debug, Clone, Copy)]
pub struct LearnerKind {
    /// The word in `kind = "…"`.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// The kind with its default parameters.
    pub defaults: fn() -> LearnerSpec,
}

/// Every kind, by name.
pub const LEARNERS: &[LearnerKind] = &[elastic_net::KIND, linear::KIND, rls::KIND, segment::KIND];

#[cfg(test)]
mod tests;
