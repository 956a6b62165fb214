//! Writing a log: decide, create the next entry, and if another writer was first, decide anew.

use super::ModelRegistry;
use super::blob::{self, NewVersion};
use super::load::{Hint, encode_state};
use crate::decide::{self, Expect, Promotion, RollbackTo};
use crate::digest::Nonce;
use crate::entry::{Change, Entry, Writer};
use crate::error::{Error, ErrorKind};
use crate::names::{AliasName, ShardName};
use crate::refusal::Refusal;
use crate::seal::FORMAT;
use crate::state::State;
use crate::store::StoreErrorKind;
use serde::Serialize;

/// How many entries lie between two checkpoints.
pub(super) const CHECKPOINT_ENTRIES: u64 = 100;

/// Who writes, why and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The wall clock, in microseconds since the Unix epoch.
    pub at_micros: i64,
    /// By which the entry is known again. A call that failed with [`ErrorKind::Retry`] is
    /// repeated with the same nonce; every other call has its own.
    pub nonce: Nonce,
    /// The shard that writes by itself; none when a person does.
    pub writer: Option<Writer>,
    /// The last entry by a person that the writer has obeyed; 0 for none.
    pub seen: u64,
}

/// What became of a publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Published {
    /// The number of each version, in the order given; those published before keep theirs.
    pub numbers: Vec<u64>,
    /// The entry that published; none if all were published before.
    pub entry: Option<u64>,
    /// What became of the alias `champion`.
    pub promotion: Promotion,
}

/// What became of a promotion or rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The entry that moved the alias; none if there was nothing to do.
    pub entry: Option<u64>,
    /// What it named before.
    pub from: Option<u64>,
    /// What it names now.
    pub to: Option<u64>,
}

impl ModelRegistry {
    /// Publishes versions, all at once. A version whose id is published already, with the same
    /// content, is not published again and keeps its number.
    ///
    /// The alias `champion` moves to the last new version that asks for it, unless a person holds
    /// the alias or has moved it after [`Commit::seen`].
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if an id is published with other content, [`ErrorKind::Fenced`] if
    /// the shard has a newer owner, and those of the store.
    pub fn publish(
        &mut self,
        versions: &[NewVersion],
        commit: &Commit,
    ) -> Result<Published, Error> {
        let packed = blob::pack(versions, commit.nonce)?;
        self.refresh()?;
        let path = self.paths.blob(packed.blob);
        let mut promotion = None;
        let mut is_written = false;
        let decide = |this: &Self| {
            let writer = commit.writer.as_ref();
            let (changes, decided) =
                decide::publish(&this.state, &packed.drafts, writer, commit.seen)?;
            promotion = Some(decided);
            if !changes.is_empty() && !is_written {
                blob::write(&this.store, &path, &packed.bytes)?;
                is_written = true;
            }
            Ok(changes)
        };
        let entry = self.commit(commit, decide)?;
        if is_written && entry.is_some() && !self.store.exists(&path)? {
            // This writer slept so long that its blob was taken for an orphan.
            blob::write(&self.store, &path, &packed.bytes)?;
        }
        let promotion = match (promotion, entry) {
            (Some(promotion), _) => promotion,
            (None, Some(entry)) => self.promotion_in(entry)?,
            (None, None) => Promotion::NotAsked,
        };
        let number = |version: &NewVersion| {
            self.state.version_of(&version.id).ok_or_else(|| {
                let message = format!("published version is forgotten: `{}`", version.id);
                Error::new(ErrorKind::Missing, message)
            })
        };
        let numbers = versions.iter().map(number).collect::<Result<_, _>>()?;
        Ok(Published { numbers, entry, promotion })
    }

    /// What an entry did to `champion`, for a publish that was done by an earlier try.
    fn promotion_in(&self, entry: u64) -> Result<Promotion, Error> {
        let changes = self.entry(entry)?.map_or_else(Vec::new, |entry| entry.changes);
        let moved = changes.into_iter().find_map(|change| match change {
            Change::Alias { from, to: Some(to), .. } => Some(Promotion::Moved { from, to }),
            Change::Writer { .. }
            | Change::Publish { .. }
            | Change::Alias { .. }
            | Change::Tag { .. }
            | Change::Quarantine { .. }
            | Change::Tombstone { .. } => None,
        });
        Ok(moved.unwrap_or(Promotion::NotAsked))
    }

    /// Announces the owner of a shard: writers of lower epochs are refused from here on. Gives the
    /// entry, or none if the owner is known already.
    ///
    /// # Errors
    /// [`ErrorKind::Fenced`] if the shard has a newer owner, and those of the store.
    pub fn announce(
        &mut self,
        shard: &ShardName,
        epoch: u64,
        commit: &Commit,
    ) -> Result<Option<u64>, Error> {
        let writer = Writer { shard: shard.clone(), epoch };
        self.decided(commit, |state| decide::owned(state, Some(&writer)))
    }

    /// Moves an alias to a version, and ends a hold.
    ///
    /// # Errors
    /// [`ErrorKind::Moved`] if the alias is not as expected, others if there is no such version or
    /// it is in quarantine, and those of the store.
    pub fn promote(
        &mut self,
        alias: &AliasName,
        version: u64,
        expect: Expect,
        commit: &Commit,
    ) -> Result<Moved, Error> {
        self.shifted(alias, commit, |state| decide::promote(state, alias, version, expect))
    }

    /// Moves an alias back, and begins a hold: it stays until a person promotes a version.
    ///
    /// # Errors
    /// [`ErrorKind::Moved`] if the alias is not as expected, others if there is nothing to go back
    /// to, and those of the store.
    pub fn rollback(
        &mut self,
        alias: &AliasName,
        to: RollbackTo,
        expect: Expect,
        commit: &Commit,
    ) -> Result<Moved, Error> {
        self.shifted(alias, commit, |state| decide::rollback(state, alias, to, expect))
    }

    /// Refuses what [`ModelRegistry::promote`] would refuse now, and changes nothing.
    ///
    /// # Errors
    /// Those of [`ModelRegistry::promote`], but for the store's.
    pub fn check_promote(
        &self,
        alias: &AliasName,
        version: u64,
        expect: Expect,
    ) -> Result<(), Error> {
        decide::promote(&self.state, alias, version, expect)?;
        Ok(())
    }

    /// Refuses what [`ModelRegistry::rollback`] would refuse now, and changes nothing.
    ///
    /// # Errors
    /// Those of [`ModelRegistry::rollback`], but for the store's.
    pub fn check_rollback(
        &self,
        alias: &AliasName,
        to: RollbackTo,
        expect: Expect,
    ) -> Result<(), Error> {
        decide::rollback(&self.state, alias, to, expect)?;
        Ok(())
    }

    /// Gives a version a tag, or another value of it. Gives the entry, or none if it has it.
    ///
    /// # Errors
    /// When there is no such version, and those of the store.
    pub fn tag(
        &mut self,
        version: u64,
        key: &str,
        value: &str,
        commit: &Commit,
    ) -> Result<Option<u64>, Error> {
        self.decided(commit, |state| decide::tag(state, version, (key, value)))
    }

    /// Puts a version into quarantine: it cannot be promoted any more, and aliases that name it
    /// fall back to the good version before it. Gives the entry, or none if it is there already.
    ///
    /// # Errors
    /// When there is no such version, and those of the store.
    pub fn quarantine(&mut self, version: u64, commit: &Commit) -> Result<Option<u64>, Error> {
        self.decided(commit, |state| decide::quarantine(state, version))
    }

    fn shifted(
        &mut self,
        alias: &AliasName,
        commit: &Commit,
        decide: impl Fn(&State) -> Result<Vec<Change>, Refusal>,
    ) -> Result<Moved, Error> {
        let entry = self.decided(commit, |state| {
            if commit.writer.is_some() {
                decide::is_free(state, alias, commit.seen)?;
            }
            decide(state)
        })?;
        let moved = entry.and_then(|entry| self.state.history(alias).find(|m| m.entry == entry));
        let now = self.state.aliases().get(alias).and_then(|alias| alias.version);
        Ok(match moved {
            Some(moved) => Moved { entry, from: moved.from, to: moved.to },
            None => Moved { entry, from: now, to: now },
        })
    }

    /// Commits a decision that is a function of the state, after the owner of the shard is found
    /// to be the writer.
    fn decided(
        &mut self,
        commit: &Commit,
        decide: impl Fn(&State) -> Result<Vec<Change>, Refusal>,
    ) -> Result<Option<u64>, Error> {
        self.refresh()?;
        self.commit(commit, |this| {
            decide::owned(&this.state, commit.writer.as_ref())?;
            Ok(decide(&this.state)?)
        })
    }

    /// Creates the entry of what `decide` gives for the state at the tip; none if it is nothing.
    ///
    /// Whether a create succeeded is not asked of its reply but of the log: the entry is ours if
    /// its nonce is.
    pub(super) fn commit(
        &mut self,
        commit: &Commit,
        mut decide: impl FnMut(&Self) -> Result<Vec<Change>, Error>,
    ) -> Result<Option<u64>, Error> {
        const FAILURES_MAX: usize = 3;
        let mut failures = 0;
        loop {
            if let Some(number) = self.state.entry_of(commit.nonce) {
                return Ok(Some(number));
            }
            let changes = decide(self)?;
            if changes.is_empty() {
                return Ok(None);
            }
            let entry = self.next(commit, changes);
            let path = self.paths.entry(entry.number);
            match self.store.create(&path, &entry.encode()) {
                Ok(_) => {}
                Err(error) if error.kind() == StoreErrorKind::Retry && failures < FAILURES_MAX => {
                    failures += 1;
                }
                Err(error) => return Err(error.into()),
            }
            self.refresh()?;
            self.clear_stray(&entry)?;
            let is_ours = self.state.entry_of(commit.nonce) == Some(entry.number);
            if is_ours && entry.number.is_multiple_of(CHECKPOINT_ENTRIES) {
                // One that fails is made up for by `gc`; the commit is done in any case.
                let _ = self.checkpoint();
            }
        }
    }

    pub(super) fn next(&self, commit: &Commit, changes: Vec<Change>) -> Entry {
        Entry {
            format: FORMAT,
            model: self.state.model().clone(),
            number: self.state.number() + 1,
            previous: self.state.tip(),
            nonce: commit.nonce,
            at_micros: commit.at_micros,
            actor: commit.actor.clone(),
            reason: commit.reason.clone(),
            writer: commit.writer.clone(),
            changes,
        }
    }

    /// Removes our own entry if the log went on without it: this writer slept through a
    /// collection and took a number that had been collected.
    fn clear_stray(&self, entry: &Entry) -> Result<(), Error> {
        let is_past = self.state.number() > entry.number;
        if !is_past || self.state.entry_of(entry.nonce).is_some() {
            return Ok(());
        }
        if self.store.exists(&self.paths.entry(entry.number - 1))? {
            return Ok(());
        }
        match self.read_entry(entry.number)? {
            Some((found, _)) if found == *entry => {
                Ok(self.store.delete(&self.paths.entry(entry.number))?)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Writes a checkpoint of the present state and points the hint to it.
    pub(super) fn checkpoint(&self) -> Result<(), Error> {
        let number = self.state.number();
        let path = self.paths.checkpoint(number);
        // States are equal wherever they are folded, so an existing one serves as well.
        self.store.create(&path, &encode_state(&self.state))?;
        Ok(self.store.put(&self.paths.hint(), &Hint::encode(number))?)
    }
}
