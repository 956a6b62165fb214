//! Reading a log: entry by entry from where one is, or from a checkpoint.
//!
//! A reader asks for the next entry until there is none. Because entries are collected oldest
//! first, finding its own last entry unchanged *after* it has read on proves that what it read was
//! the log, and not the stray entry of a writer that slept through a collection.

use super::ModelRegistry;
use crate::digest::Digest;
use crate::entry::Entry;
use crate::error::Error;
use crate::seal::{self, Broken, FORMAT};
use crate::state::State;
use serde::{Deserialize, Serialize};

/// Where a reader may begin.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hint {
    format: u32,
    pub(super) number: u64,
}

impl Hint {
    pub(super) fn encode(number: u64) -> Vec<u8> {
        seal::seal("hint", &Self { format: FORMAT, number })
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Broken> {
        seal::open("hint", bytes)
    }
}

/// The bytes of a state's checkpoint.
pub(crate) fn encode_state(state: &State) -> Vec<u8> {
    seal::seal("state", state)
}

pub(crate) fn decode_state(bytes: &[u8]) -> Result<State, Broken> {
    seal::open::<State>("state", bytes).map(State::filled)
}

impl ModelRegistry {
    /// Reads what is new, and gives the entries that were read. When this reader slept so long
    /// that entries were collected meanwhile, it goes on from a checkpoint, and the entries before
    /// that are not among them.
    ///
    /// With nothing new, this costs two small requests.
    ///
    /// # Errors
    /// When the store cannot be read, or a next file is damaged; the state goes no further.
    pub fn refresh(&mut self) -> Result<Vec<Entry>, Error> {
        let ahead = match self.state.number() {
            0 => Vec::new(),
            _ => self.read_ahead(&self.state)?,
        };
        if self.is_rooted()? {
            if ahead.is_empty() {
                return Ok(Vec::new());
            }
            return self.take(ahead);
        }
        let state = self.load()?.unwrap_or_else(|| State::new(self.state.model().clone()));
        let ahead = self.read_ahead(&state)?;
        if state.number() + (ahead.len() as u64) < self.state.number() {
            return Err(Error::corrupt(&self.paths.log(), "log is shorter than it was"));
        }
        let before = std::mem::replace(&mut self.state, state);
        let taken = self.take(ahead);
        if taken.is_err() {
            self.state = before;
        }
        taken
    }

    /// Takes the next entries up to the first that says what cannot be.
    fn take(&mut self, ahead: Vec<(Entry, Digest)>) -> Result<Vec<Entry>, Error> {
        let mut taken = Vec::with_capacity(ahead.len());
        for (entry, digest) in ahead {
            let path = self.paths.entry(entry.number);
            self.state.apply(&entry, digest).map_err(|what| Error::corrupt(&path, what))?;
            taken.push(entry);
        }
        Ok(taken)
    }

    /// Whether the last entry that was read is in the log still.
    fn is_rooted(&self) -> Result<bool, Error> {
        let Some(tip) = self.state.tip() else { return Ok(false) };
        let path = self.paths.entry(self.state.number());
        let same = |bytes: Vec<u8>| match Digest::of(&bytes) == tip {
            true => Ok(()),
            false => Err(()),
        };
        Ok(matches!(self.store.read(&path, same)?, Some(Ok(()))))
    }

    /// The entries after a state, as far as there are any.
    fn read_ahead(&self, state: &State) -> Result<Vec<(Entry, Digest)>, Error> {
        let mut entries = Vec::new();
        let mut number = state.number() + 1;
        while let Some(found) = self.read_entry(number)? {
            entries.push(found);
            number += 1;
        }
        Ok(entries)
    }

    pub(super) fn read_entry(&self, number: u64) -> Result<Option<(Entry, Digest)>, Error> {
        let path = self.paths.entry(number);
        let decode = |bytes: Vec<u8>| match Entry::decode(&bytes) {
            Ok(entry) if entry.number != number => {
                Err(Error::corrupt(&path, "entry of another number"))
            }
            Ok(entry) => Ok((entry, Digest::of(&bytes))),
            Err(broken) => Err(Error::broken(&path, &broken)),
        };
        self.store.read(&path, decode)?.transpose()
    }

    /// The state of the newest checkpoint that is whole; none if there is none and the log is
    /// complete from its first entry.
    fn load(&self) -> Result<Option<State>, Error> {
        let decode = |bytes: Vec<u8>| Hint::decode(&bytes);
        let hint = self.store.read(&self.paths.hint(), decode)?.and_then(Result::ok);
        let hinted = hint.map(|hint| self.load_checkpoint(hint.number)).transpose();
        if let Ok(Some(Some(state))) = hinted
            && self.is_followed(&state)?
        {
            return Ok(Some(state));
        }
        let mut damaged = None;
        for number in self.checkpoint_numbers()?.into_iter().rev() {
            match self.load_checkpoint(number) {
                Ok(Some(state)) if self.is_followed(&state)? => return Ok(Some(state)),
                Ok(_) => {}
                Err(error) => damaged = damaged.or(Some(error)),
            }
        }
        match damaged {
            Some(error) if !self.store.exists(&self.paths.entry(1))? => Err(error),
            Some(_) | None => Ok(None),
        }
    }

    /// Whether the log goes on from a state: its entry is there, or the one after it.
    fn is_followed(&self, state: &State) -> Result<bool, Error> {
        Ok(self.store.exists(&self.paths.entry(state.number()))?
            || self.store.exists(&self.paths.entry(state.number() + 1))?)
    }

    /// The numbers of all checkpoints, ascending.
    pub(super) fn checkpoint_numbers(&self) -> Result<Vec<u64>, Error> {
        let listed = self.store.list(&self.paths.checkpoints())?;
        let number = |path: &str| match self.paths.kind(path) {
            super::paths::Kind::Checkpoint(number) => Some(number),
            _ => None,
        };
        Ok(listed.iter().filter_map(|listed| number(&listed.path)).collect())
    }

    pub(super) fn load_checkpoint(&self, number: u64) -> Result<Option<State>, Error> {
        let path = self.paths.checkpoint(number);
        let decode = |bytes: Vec<u8>| match decode_state(&bytes) {
            Ok(state) if state.number() != number || state.model() != self.state.model() => {
                Err(Error::corrupt(&path, "checkpoint of another number or model"))
            }
            Ok(state) => Ok(state),
            Err(broken) => Err(Error::broken(&path, &broken)),
        };
        self.store.read(&path, decode)?.transpose()
    }
}
