//! Answers in the process: about a microsecond, without a lock and without an allocation.

use crate::bridge::{Bridge, BridgeOptions, Follower, Models, OpenError, now};
use crate::question::{Answer, Question, Refused};
use crate::slot::Slot;
use std::cell::RefCell;
use std::sync::Arc;
use trueup_learner::model::Scratch;
use trueup_registry::{AliasName, ModelName, Registry};

/// Answers the questions of one model with the version that its alias names.
///
/// It may be cloned and asked from many threads at once. The version is swapped beneath it; the
/// following ends when the last clone, and the [`Bridge`] it is of, are gone.
#[derive(Debug, Clone)]
pub struct Corrector {
    slot: Arc<Slot>,
    _follower: Arc<Follower>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Corrector {
    /// Follows one alias of one model of a registry, and waits until it was read once.
    ///
    /// A registry that cannot be read is no error: the primary estimate answers until it can.
    ///
    /// # Errors
    /// When the thread that follows cannot be started.
    pub fn open(registry: Registry, model: ModelName, alias: AliasName) -> Result<Self, OpenError> {
        let models = Models::Named(vec![model.clone()]);
        let options = BridgeOptions { models, alias, ..BridgeOptions::default() };
        let bridge = Bridge::open(registry, options)?;
        Ok(bridge.corrector(model.as_str()).expect("a named model has its place from the start"))
    }

    pub(crate) fn new(slot: Arc<Slot>, follower: Arc<Follower>) -> Self {
        Self { slot, _follower: follower }
    }

    /// Where the version stands that answers, with what keeps a newer one away.
    #[must_use]
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Answers a question, with the primary estimate where no version can.
    ///
    /// # Errors
    /// When the estimate is not finite, or a value cannot serve its feature.
    pub fn correct(&self, question: &Question<'_>) -> Result<Answer, Refused> {
        let current = self.slot.current.load();
        let answer = SCRATCH.with_borrow_mut(|scratch| current.answer(question, now, scratch));
        self.slot.metrics.count(&answer);
        answer
    }
}
