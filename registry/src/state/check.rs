//! Whether an entry can be taken: found out before anything is changed.

use super::State;
use crate::entry::{Change, Entry, VersionSummary};
use std::collections::BTreeSet;

impl State {
    /// Refuses an entry that does not follow, or says what cannot be.
    pub(super) fn check(&self, entry: &Entry) -> Result<(), &'static str> {
        if entry.model != self.model {
            return Err("an entry of another model");
        }
        if entry.number != self.number + 1 || entry.previous != self.tip {
            return Err("an entry that does not follow the one before");
        }
        let last = self.version_last;
        let mut ahead = Ahead { state: self, last, ids: BTreeSet::new(), gone: BTreeSet::new() };
        entry.changes.iter().try_for_each(|change| ahead.change(change))
    }
}

/// A state, and what the first changes of an entry do to it.
#[derive(Debug)]
struct Ahead<'a> {
    state: &'a State,
    last: u64,
    ids: BTreeSet<&'a str>,
    gone: BTreeSet<u64>,
}

impl<'a> Ahead<'a> {
    fn has(&self, version: u64) -> bool {
        let is_new = version > self.state.version_last && version <= self.last;
        (is_new || self.state.versions.contains_key(&version)) && !self.gone.contains(&version)
    }

    fn need(&self, version: u64, what: &'static str) -> Result<(), &'static str> {
        if self.has(version) { Ok(()) } else { Err(what) }
    }

    fn change(&mut self, change: &'a Change) -> Result<(), &'static str> {
        match change {
            Change::Writer { .. } => Ok(()),
            Change::Publish { versions } => {
                versions.iter().try_for_each(|summary| self.publish(summary))
            }
            Change::Alias { to, .. } => match to {
                Some(version) => self.need(*version, "an alias of no version"),
                None => Ok(()),
            },
            Change::Tag { version, .. } => self.need(*version, "a tag of no version"),
            Change::Quarantine { version } => self.need(*version, "a quarantine of no version"),
            Change::Tombstone { versions, .. } => versions.iter().try_for_each(|version| {
                self.need(*version, "a tombstone of no version")?;
                self.gone.insert(*version);
                Ok(())
            }),
        }
    }

    fn publish(&mut self, summary: &'a VersionSummary) -> Result<(), &'static str> {
        if summary.version != self.last + 1 {
            return Err("a version out of order");
        }
        if summary.parent.is_some_and(|parent| !self.has(parent)) {
            return Err("a version without its parent");
        }
        if self.state.ids.contains_key(&summary.id) || !self.ids.insert(&summary.id) {
            return Err("a version published twice");
        }
        self.last = summary.version;
        Ok(())
    }
}
