//! A model that answers requests: a definition's features and limits, and a learner that is built
//! from serving artifacts and nothing else.
//!
//! It computes what the core computes when it serves, by the same functions. A model never learns:
//! [`Model::correct`] takes `&self`, and many threads may ask one model at once.

use crate::answer;
use crate::artifact::{self, DecodeError, Form};
use crate::features::{FeatureSet, InvalidFeature, Refusal, Value};
use crate::learners::{BuildError, Features, Learner};
use crate::spec::Spec;
use crate::state::{AnyTable, Use};
use crate::step::shape_of;
use trueup_event::EventTime;

/// A model that answers requests.
#[derive(Debug)]
pub struct Model {
    spec: Spec,
    features: FeatureSet,
    learner: Box<dyn Learner>,
}

/// Why a definition gives no model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A feature cannot be computed.
    #[error(transparent)]
    Features(#[from] InvalidFeature),
    /// The learner cannot be built as declared.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The definition has no such lineage.
    #[error("the definition has no lineage `{0}`")]
    Lineage(usize),
}

/// Buffers of one asker, used again so that an answer allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    categories: Vec<u64>,
    numbers: Vec<f64>,
    inputs: Vec<f64>,
}

impl Model {
    /// The model of one lineage of a definition, which corrects nothing yet.
    ///
    /// # Errors
    /// When the definition does not have the lineage, or a feature or learner cannot be built.
    pub fn new(spec: Spec, lineage: usize) -> Result<Self, ModelError> {
        let features = FeatureSet::new(spec.features.clone())?;
        let learner = spec.learners.get(lineage).ok_or(ModelError::Lineage(lineage))?;
        let learner = learner.build(&shape_of(&spec, &features))?;
        Ok(Self { spec, features, learner })
    }

    /// Takes the bytes of a serving artifact.
    ///
    /// # Errors
    /// When they are not of this learner. The model may then be half changed: discard it.
    pub fn apply(&mut self, form: Form, serving: &[u8]) -> Result<(), DecodeError> {
        artifact::apply(self.learner.as_mut(), Use::Serving, form, serving)
    }

    /// Whether no weight is NaN or infinite.
    pub fn is_finite(&mut self) -> bool {
        let mut is_finite = true;
        self.learner.tables(&mut |_, _, table| {
            is_finite &= table.publish(&mut |_, _| {});
        });
        is_finite
    }

    /// Visits every table that answers depend on, always in the same order.
    pub fn tables(&mut self, visit: &mut dyn FnMut(&'static str, &dyn AnyTable)) {
        self.learner.tables(&mut |name, part, table| {
            if part == Use::Serving {
                visit(name, table);
            }
        });
    }

    /// A copy to which the next delta can be applied while this one answers.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let (spec, features) = (self.spec.clone(), self.features.clone());
        Self { spec, features, learner: self.learner.duplicate() }
    }

    /// The definition.
    #[must_use]
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The features, with the columns that they are computed from.
    #[must_use]
    pub const fn features(&self) -> &FeatureSet {
        &self.features
    }

    /// The corrected answer to a question that was asked at `time` and that the primary model
    /// answered with `estimate`, which must be finite. `lookup` gives a column's value; `None` is
    /// null, as is a column that was not sent.
    ///
    /// # Errors
    /// When a value cannot serve its feature.
    pub fn correct<'v>(
        &self,
        time: EventTime,
        estimate: f64,
        lookup: &dyn Fn(&str) -> Option<Value<'v>>,
        scratch: &mut Scratch,
    ) -> Result<f64, Refusal> {
        let Scratch { categories, numbers, inputs } = scratch;
        self.features.bind_row(lookup, categories, numbers)?;
        inputs.resize(self.learner.inputs_len(), 0.0);
        let question = Features { time, categories, numbers };
        let residual = self.learner.predict_one(&question, inputs);
        Ok(answer::corrected(estimate, residual, self.spec.correction, &self.spec.limit))
    }
}
