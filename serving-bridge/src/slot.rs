//! The place where the version that answers stands, and where it is swapped.
//!
//! Readers never block and never wait for a writer. The one writer is [`crate::follow`]; it keeps
//! what it takes out until no reader holds it, so that no reader ever pays for dropping a model.

use crate::definition::Definition;
use crate::question::{Answer, Question, Reason, Refused, Status};
use crate::telemetry::ModelMetrics;
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex, PoisonError};
use trueup_event::EventTime;
use trueup_learner::effect::StateDigest;
use trueup_learner::model::{Model, Scratch};

/// A version that answers.
#[derive(Debug)]
pub struct Served {
    /// Its number in the registry.
    pub version: u64,
    /// The digest of the state that it was made from.
    pub digest: StateDigest,
    /// The time of the last label in it.
    pub trained_until: EventTime,
    /// Whether a person holds it, so that it does not expire.
    pub is_held: bool,
    /// The lineage of its definition that it is of.
    pub lineage: usize,
    /// When the alias was moved to it, by the wall clock of the writer, in microseconds since the
    /// Unix epoch.
    pub moved_micros: i64,
    pub(crate) definition: Arc<Definition>,
    pub(crate) model: Arc<Model>,
}

impl Served {
    /// The definition that it was made by.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The model itself, which answers whether it is fresh or not.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Whether it may answer a question asked at `time`.
    #[must_use]
    pub fn is_fresh(&self, time: EventTime) -> bool {
        let expires = self.definition.spec().publish.expires;
        self.is_held || self.trained_until.plus(expires) >= time
    }

    /// The version's answer, whether it is fresh or not.
    pub(crate) fn correct(
        &self,
        question: &Question<'_>,
        time: EventTime,
        scratch: &mut Scratch,
    ) -> Result<Answer, Refused> {
        let estimate = question.estimate;
        let lookup = |name: &str| question.column(&self.definition, time, name);
        let answer = self.model.correct(time, estimate, &lookup, scratch)?;
        Ok(Answer {
            answer,
            estimate,
            correction: answer - estimate,
            status: Status::Corrected,
            version: Some(self.version),
            digest: Some(self.digest),
        })
    }
}

/// What answers at a moment.
#[derive(Debug)]
pub struct Current {
    /// The version, or why the primary estimate answers alone.
    pub served: Result<Served, Reason>,
    /// The definition of the questions, as soon as any version has been read.
    pub definition: Option<Arc<Definition>>,
}

impl Current {
    /// Before anything is loaded.
    pub(crate) const EMPTY: Self = Self { served: Err(Reason::NotLoaded), definition: None };

    /// Answers a question; `now` is its time unless it has its own.
    pub(crate) fn answer(
        &self,
        question: &Question<'_>,
        now: impl FnOnce() -> EventTime,
        scratch: &mut Scratch,
    ) -> Result<Answer, Refused> {
        if !question.estimate.is_finite() {
            return Err(Refused::Estimate(question.estimate));
        }
        let served = match &self.served {
            Ok(served) => served,
            Err(reason) => return Ok(Answer::primary(question.estimate, *reason)),
        };
        let time = question.time.unwrap_or_else(now);
        if !served.is_fresh(time) {
            return Ok(Answer::primary(question.estimate, Reason::Expired));
        }
        served.correct(question, time, scratch)
    }
}

/// What keeps a model from what the registry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Troubles {
    /// The registry cannot be read.
    pub(crate) registry: Option<String>,
    /// What the alias names cannot be loaded.
    pub(crate) version: Option<String>,
}

/// The place of one model.
#[derive(Debug)]
pub struct Slot {
    pub(crate) model: String,
    pub(crate) alias: String,
    pub(crate) current: ArcSwap<Current>,
    pub(crate) metrics: ModelMetrics,
    troubles: Mutex<Troubles>,
}

impl Slot {
    pub(crate) fn new(model: &str, alias: &str, metrics: ModelMetrics) -> Self {
        Self {
            model: model.to_owned(),
            alias: alias.to_owned(),
            current: ArcSwap::from_pointee(Current::EMPTY),
            metrics,
            troubles: Mutex::new(Troubles { registry: None, version: None }),
        }
    }

    /// The model's name.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The alias that it follows.
    #[must_use]
    pub fn alias(&self) -> &str {
        &self.alias
    }

    /// What answers now; it stays as it is for as long as it is held.
    #[must_use]
    pub fn current(&self) -> Arc<Current> {
        self.current.load_full()
    }

    /// Why the registry cannot be read, if it cannot.
    #[must_use]
    pub fn registry_trouble(&self) -> Option<String> {
        self.troubles().registry
    }

    /// Why what the alias names cannot be loaded, if it cannot.
    #[must_use]
    pub fn version_trouble(&self) -> Option<String> {
        self.troubles().version
    }

    pub(crate) fn troubles(&self) -> Troubles {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_troubles(&self, troubles: Troubles) {
        *self.troubles.lock().unwrap_or_else(PoisonError::into_inner) = troubles;
    }
}
