//! The registry of models: one log per model name, read and written through a store.
//!
//! Files of a model, beneath `models/NAME/`:
//! - `log/<20 digits>.json`: the entries. Created in order, never changed.
//! - `blobs/sha256/<64 digits>`: the artifacts of one commit each.
//! - `checkpoint/<20 digits>.json`: the state after an entry, for readers that begin.
//! - `_last_checkpoint`: a hint where to begin. It may be stale or damaged, never wrong.
//!
//! A commit writes its blob, then its entry. Whoever dies in between leaves an orphan blob that
//! [`ModelRegistry::gc`] removes.

mod blob;
mod commit;
pub(crate) mod gc;
mod load;
mod paths;
pub(crate) mod verify;

pub use blob::{Manifest, NewVersion};
pub use commit::{Commit, Moved, Published};

use crate::entry::{Entry, Slice, VersionSummary};
use crate::error::{Error, ErrorKind};
use crate::names::{AliasName, ModelName};
use crate::refusal::Refusal;
use crate::state::{AliasMove, State};
use crate::store::{Patient, Store};
#[cfg(test)]
pub(crate) use load::{decode_state, encode_state};
use paths::Paths;
pub(crate) use paths::numbered;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All models of a store.
#[derive(Debug, Clone)]
pub struct Registry {
    store: Patient,
}

impl Registry {
    /// The registry in a store; nothing is read or written yet.
    #[must_use]
    pub fn open(store: Arc<dyn Store>) -> Self {
        Self { store: Patient::new(store) }
    }

    /// The names of all models, sorted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn models(&self) -> Result<Vec<ModelName>, Error> {
        let names = self.store.folders("models")?;
        Ok(names.into_iter().filter_map(|name| ModelName::new(name).ok()).collect())
    }

    /// A model, whether it exists or not; nothing is read yet.
    #[must_use]
    pub fn model(&self, name: &ModelName) -> ModelRegistry {
        ModelRegistry {
            store: self.store.clone(),
            paths: Paths::new(name),
            state: State::new(name.clone()),
        }
    }
}

/// One model: a cursor in its log, and what the log says up to there.
#[derive(Debug, Clone)]
pub struct ModelRegistry {
    store: Patient,
    paths: Paths,
    state: State,
}

impl ModelRegistry {
    /// What the log says up to the last [`ModelRegistry::refresh`] or write; before the first of
    /// them, nothing.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The version that a text means: the name of an alias, a number, or at least four digits
    /// with which one state digest begins (the newest version of that state).
    ///
    /// # Errors
    /// When it means none, or states that differ.
    pub fn resolve(&self, text: &str) -> Result<&VersionSummary, Error> {
        let alias = AliasName::new(text).ok();
        if let Some(found) = alias.and_then(|alias| self.state.aliases().get(&alias)) {
            let Some(version) = found.version else {
                let message = format!("alias names no version: `{text}`");
                return Err(Error::new(ErrorKind::Missing, message)
                    .with_hint("the primary estimate answers alone"));
            };
            return Ok(&self.state.version(version)?.summary);
        }
        if let Some(version) = text.parse().ok().and_then(|n| self.state.versions().get(&n)) {
            return Ok(&version.summary);
        }
        let mut found: Option<&VersionSummary> = None;
        let all = self.state.versions().values().map(|version| &version.summary);
        for summary in all.filter(|s| text.len() >= 4 && s.state_digest.starts_with(text)) {
            if found.is_some_and(|found| found.state_digest != summary.state_digest) {
                let message = format!("several states begin with these digits: `{text}`");
                return Err(Error::new(ErrorKind::Invalid, message).with_hint("give more digits"));
            }
            found = Some(summary);
        }
        match (found, text.parse()) {
            (Some(found), _) => Ok(found),
            (None, Ok(version)) => Err(self.absent(version).into()),
            (None, Err(_)) => {
                let message = format!("no such version or alias: `{}`", text.escape_debug());
                Err(Error::new(ErrorKind::Missing, message)
                    .with_hint("list the versions and aliases of the model"))
            }
        }
    }

    fn absent(&self, version: u64) -> Refusal {
        self.state.version(version).err().unwrap_or(Refusal::NoVersion { version })
    }

    /// What is needed to make a version: its base first, then the deltas up to it.
    ///
    /// # Errors
    /// When there is no such version.
    pub fn chain(&self, version: u64) -> Result<Vec<&VersionSummary>, Error> {
        Ok(self.state.chain(version)?)
    }

    /// What every alias named at a point of wall-clock time (microseconds since the Unix epoch).
    ///
    /// # Errors
    /// When the history of that time is forgotten.
    pub fn as_of(&self, at_micros: i64) -> Result<BTreeMap<AliasName, Option<u64>>, Error> {
        Ok(self.state.as_of(at_micros)?)
    }

    /// The moves of an alias, oldest first.
    #[must_use]
    pub fn history(&self, alias: &AliasName) -> Vec<AliasMove> {
        self.state.history(alias).cloned().collect()
    }

    /// The bytes of a slice, which are those that were published.
    ///
    /// # Errors
    /// When the blob is absent, or its bytes are not those that were published.
    pub fn read_slice(&self, slice: &Slice) -> Result<Vec<u8>, Error> {
        blob::read(&self.store, &self.paths, slice)
    }

    /// The lineage record of a version.
    ///
    /// # Errors
    /// When there is no such version, or its record is damaged or absent.
    pub fn manifest(&self, version: u64) -> Result<Manifest, Error> {
        let slice = self.state.version(version)?.summary.manifest;
        let bytes = self.read_slice(&slice)?;
        let path = self.paths.blob(slice.blob);
        blob::manifest(&bytes, &slice).ok_or_else(|| Error::corrupt(&path, "not a lineage record"))
    }

    /// An entry of the log, if it is there still.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn entry(&self, number: u64) -> Result<Option<Entry>, Error> {
        Ok(self.read_entry(number)?.map(|(entry, _)| entry))
    }
}
