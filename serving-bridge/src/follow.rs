//! Following one alias of one model: look, build, swap.
//!
//! Whatever goes wrong, the version that answered last goes on and the trouble is told, with one
//! exception: where a person went back to a version that cannot be loaded, or put the last one into
//! quarantine, it does not go on; the primary estimate answers alone.

use crate::build::{self, BuildError, Wanted};
use crate::question::Reason;
use crate::slot::{Current, Served, Slot, Troubles};
use std::sync::Arc;
use std::time::{Duration, Instant};
use trueup_registry::{AliasName, AliasState, Error, ModelRegistry};

/// How long a version that could not be loaded is left alone, unless the alias moves.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What an alias says, as far as it concerns serving: its last move, or that there was none and
/// whether versions are there all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Moved { entry: u64 },
    Never { are_versions: bool },
}

/// Follows one alias of one model.
#[derive(Debug)]
pub(crate) struct Following {
    registry: ModelRegistry,
    alias: AliasName,
    slot: Arc<Slot>,
    /// What the alias said when it was obeyed last, or tried and found wanting.
    obeyed: Option<Said>,
    again_at: Option<Instant>,
    /// Swapped out and still in readers' hands: dropped here, never by a reader.
    retired: Vec<Arc<Current>>,
}

impl Following {
    pub(crate) fn new(registry: ModelRegistry, alias: AliasName, slot: Arc<Slot>) -> Self {
        Self { registry, alias, slot, obeyed: None, again_at: None, retired: Vec::new() }
    }

    pub(crate) const fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    /// Looks once, and swaps if the alias names something else.
    pub(crate) fn look(&mut self) {
        // The only other holders are readers, and they can only let go.
        self.retired.retain(|retired| Arc::strong_count(retired) > 1);
        let registry = self.registry.refresh().err();
        let state = self.registry.state();
        let alias = state.aliases().get(&self.alias).cloned();
        let said = match &alias {
            Some(alias) => Said::Moved { entry: alias.entry },
            None => Said::Never { are_versions: !state.versions().is_empty() },
        };
        let mut troubles = self.slot.troubles();
        let is_due = self.again_at.is_some_and(|at| at <= Instant::now());
        let is_read = registry.is_none() || state.number() > 0;
        if is_read && (self.obeyed != Some(said) || is_due) {
            let failed = self.obey(alias.as_ref()).err();
            self.again_at = failed.as_ref().map(|_| Instant::now() + AGAIN_AFTER);
            troubles.version = failed.as_ref().map(|error| told(error));
            self.obeyed = Some(said);
        }
        let registry = registry.as_ref().map(|error: &Error| told(error));
        self.slot.set_troubles(Troubles { registry, ..troubles });
    }

    /// Tells that the registry cannot be read, or does not have the model any more.
    pub(crate) fn complain(&self, trouble: String) {
        let troubles = self.slot.troubles();
        self.slot.set_troubles(Troubles { registry: Some(trouble), ..troubles });
    }

    /// Brings what answers to what the alias says.
    fn obey(&mut self, alias: Option<&AliasState>) -> Result<(), BuildError> {
        let current = self.slot.current();
        let Some(version) = alias.and_then(|alias| alias.version) else {
            let reason = if alias.is_some() { Reason::Withdrawn } else { Reason::NoVersion };
            self.fall_back(&current, reason);
            return Ok(());
        };
        let is_held = alias.is_some_and(|alias| alias.is_held);
        let moved = self.registry.state().history(&self.alias).last();
        let moved_micros = moved.map_or(0, |moved| moved.since_micros);
        let wanted = Wanted { version, is_held, moved_micros };
        let served = current.served.as_ref().ok();
        match build::build(&self.registry, &wanted, served, current.definition.as_ref()) {
            Ok(served) => {
                let definition = Some(Arc::clone(&served.definition));
                self.swap(Current { served: Ok(served), definition });
                let age = crate::bridge::now().micros().saturating_sub(moved_micros).max(0);
                self.slot.metrics.publish_to_serve.observe(age as f64 / 1e6);
                self.slot.metrics.swaps.inc();
                Ok(())
            }
            Err(error) => {
                self.slot.metrics.failures.inc();
                let versions = self.registry.state().versions();
                let is_unwanted = |served: &Served| {
                    let found = versions.get(&served.version);
                    is_held && served.version != version
                        || found.is_some_and(|found| found.is_quarantined)
                };
                if served.is_none_or(is_unwanted) {
                    self.fall_back(&current, Reason::NotLoaded);
                }
                Err(error)
            }
        }
    }

    /// Lets the primary estimate answer alone. Questions are read by the definition known so far,
    /// or else by that of the newest version.
    fn fall_back(&mut self, current: &Current, reason: Reason) {
        let definition = current.definition.clone().or_else(|| {
            let version = *self.registry.state().versions().keys().next_back()?;
            build::definition(&self.registry, version, None).ok()
        });
        self.swap(Current { served: Err(reason), definition });
    }

    fn swap(&mut self, next: Current) {
        let before = self.slot.current.swap(Arc::new(next));
        if Arc::strong_count(&before) > 1 {
            self.retired.push(before);
        }
    }
}

/// An error and what it came of, in one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = error.source();
    }
    text
}
