//! The pipeline object: the same in a file, in Rust and in a notebook.
//!
//! [`RealtimeMlPipeline`] is plain data with a builder. [`Definition`] is the same object with the
//! text it was read from, so that every later complaint has a place. Reading a text that was
//! written by [`RealtimeMlPipeline::to_toml`] gives the object back.

mod builder;
mod read;
mod write;

use crate::diagnostic::Diagnostics;
use crate::source::Source;
use trueup_event::Duration;
use trueup_learner::features::FeatureSpec;
use trueup_learner::learners::LearnerSpec;
use trueup_learner::spec::{
    Correction, GateSpec, Late, Limit, Objective, PublishSpec, QuestionSpec,
};

/// One definition of a real-time machine-learning application.
///
/// ```
/// use trueup_pipeline::RealtimeMlPipeline;
///
/// let pipeline = RealtimeMlPipeline::new("flight_eta")
///     .unit("minutes")
///     .question("departures", "trip_id", "eta_minutes")
///     .label("arrivals", "trip_id", "actual_minutes")
///     .category("carrier")
///     .number("distance_miles");
/// let same = RealtimeMlPipeline::from_toml("flight_eta", &pipeline.to_toml())?;
/// assert_eq!(pipeline, same);
/// # Ok::<(), trueup_pipeline::Diagnostics>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RealtimeMlPipeline {
    /// The name: its file's.
    pub name: String,
    /// The unit of estimate, label, correction and every error.
    pub unit: String,
    /// Where questions come from.
    pub question: QuestionSpec,
    /// Where labels come from.
    pub label: Label,
    /// Question columns with other models' estimates, scored beside ours.
    pub references: Vec<String>,
    /// What a correction may depend on, in the order of declaration.
    pub features: Vec<FeatureSpec>,
    /// The main learner.
    pub learner: LearnerSpec,
    /// Learners that learn beside it.
    pub challengers: Vec<LearnerSpec>,
    /// What is learned.
    pub objective: Objective,
    /// How a correction is applied.
    pub correction: Correction,
    /// How far an answer may leave the estimate.
    pub limit: Limit,
    /// When a candidate may replace the champion.
    pub gate: GateSpec,
    /// When candidates are made and how long they stay good.
    pub publish: PublishSpec,
    /// What happens to events behind the watermark.
    pub late: Late,
    /// The most questions, and the most labels, kept waiting at once.
    pub pending_max: usize,
}

/// Where labels come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The analytics event.
    pub event: String,
    /// The column that joins it to its question.
    pub join: String,
    /// Where the value comes from.
    pub value: LabelSource,
    /// How long after its question a label is waited for.
    pub wait: Duration,
}

/// Where a label's value comes from, as the user says it.
#[derive(Debug, Clone, PartialEq)]
pub enum LabelSource {
    /// A column of the label event.
    Column(String),
    /// The time from one column to another, in the pipeline's unit.
    Elapsed {
        /// A time column of the label event, or else of the question event.
        from: String,
        /// A time column of the label event.
        until: String,
    },
}

/// A pipeline with the text it was read from.
#[derive(Debug, Clone)]
pub struct Definition {
    pub(crate) pipeline: RealtimeMlPipeline,
    pub(crate) source: Source,
}

impl Definition {
    /// Reads the definition called `name` from `text`; `file` is how messages name it.
    ///
    /// # Errors
    /// Everything that is wrong with the text alone.
    pub fn read(name: &str, file: &str, text: &str) -> Result<Self, Diagnostics> {
        read::read(name, file, text)
    }

    /// What the text says.
    #[must_use]
    pub const fn pipeline(&self) -> &RealtimeMlPipeline {
        &self.pipeline
    }

    /// The text.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// The pipeline's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.pipeline.name
    }
}

impl RealtimeMlPipeline {
    /// Reads a definition from the text of its file.
    ///
    /// # Errors
    /// Everything that is wrong with the text alone.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, Diagnostics> {
        Definition::read(name, &format!("pipelines/{name}.toml"), text).map(|read| read.pipeline)
    }

    /// The text of its file: what differs from the defaults, in the order of the reference.
    #[must_use]
    pub fn to_toml(&self) -> String {
        write::to_toml(self)
    }

    /// The same object with a text, so that it can be checked. Its values are held to the same
    /// rules as those of a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, shown in the text that it would have.
    pub fn define(&self) -> Result<Definition, Diagnostics> {
        Definition::read(&self.name, &format!("{} (built in code)", self.name), &self.to_toml())
    }
}
