//! What a model's log says: a pure fold of its entries.
//!
//! A state from a checkpoint and the entries after it equals the state from all entries. Nothing
//! here reads a clock or a file.

mod check;

use crate::digest::{Digest, Nonce};
use crate::entry::{Change, Entry, VersionSummary};
use crate::names::{AliasName, ModelName, ShardName};
use crate::refusal::Refusal;
use crate::seal::FORMAT;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// How many nonces of the last entries a state remembers.
const RECENT_MAX: usize = 256;
/// How many versions an alias can go back.
const TRAIL_MAX: usize = 64;

/// What a model's log says up to an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    format: u32,
    model: ModelName,
    number: u64,
    tip: Option<Digest>,
    since_micros: i64,
    version_last: u64,
    versions: BTreeMap<u64, Version>,
    aliases: BTreeMap<AliasName, AliasState>,
    moves: Vec<AliasMove>,
    history_from_micros: i64,
    writers: BTreeMap<ShardName, u64>,
    tombstones: BTreeMap<u64, Tombstone>,
    condemned: BTreeMap<Digest, i64>,
    recent: VecDeque<(u64, Nonce)>,
    #[serde(skip)]
    ids: BTreeMap<String, u64>,
}

/// A version, and what has happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// What was published.
    pub summary: VersionSummary,
    /// The entry that published it.
    pub entry: u64,
    /// When, by the wall clock of the writer, in microseconds since the Unix epoch.
    pub at_micros: i64,
    /// Whether it may not be promoted any more.
    pub is_quarantined: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What an alias names now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasState {
    /// The version; none is the primary estimate alone.
    pub version: Option<u64>,
    /// Whether it stays until a person moves it.
    pub is_held: bool,
    /// The entry of the last move.
    pub entry: u64,
    /// The entry of the last move by a person; 0 if there was none.
    pub person_entry: u64,
    /// The versions it can go back to, the present one last.
    pub trail: Vec<u64>,
}

/// A move of an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasMove {
    /// The alias.
    pub alias: AliasName,
    /// The entry that moved it.
    pub entry: u64,
    /// When, in microseconds since the Unix epoch: the writer's wall clock, or that of an earlier
    /// entry if it is later, so that time never runs backwards along the log.
    pub since_micros: i64,
    /// Who moved it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Whether a person did, and not a shard by itself.
    pub is_by_person: bool,
    /// What it named before.
    pub from: Option<u64>,
    /// What it names since.
    pub to: Option<u64>,
    /// Whether it stays until a person moves it.
    pub is_held: bool,
}

/// What is left of a version that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tombstone {
    /// Its id, so that publishing it again stays without effect.
    pub id: String,
    /// The digest of what two versions of one id must have in common.
    pub fingerprint: Digest,
    /// When it was given up, in microseconds since the Unix epoch.
    pub since_micros: i64,
}

impl State {
    /// The state before the first entry.
    #[must_use]
    pub fn new(model: ModelName) -> Self {
        Self {
            format: FORMAT,
            model,
            number: 0,
            tip: None,
            since_micros: i64::MIN,
            version_last: 0,
            versions: BTreeMap::new(),
            aliases: BTreeMap::new(),
            moves: Vec::new(),
            history_from_micros: i64::MIN,
            writers: BTreeMap::new(),
            tombstones: BTreeMap::new(),
            condemned: BTreeMap::new(),
            recent: VecDeque::new(),
            ids: BTreeMap::new(),
        }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &ModelName {
        &self.model
    }

    /// The number of the last entry; 0 before the first.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The digest of the last entry's bytes.
    #[must_use]
    pub fn tip(&self) -> Option<Digest> {
        self.tip
    }

    /// The highest number ever given to a version; 0 before the first.
    #[must_use]
    pub fn version_last(&self) -> u64 {
        self.version_last
    }

    /// All versions that were not given up, by number.
    #[must_use]
    pub fn versions(&self) -> &BTreeMap<u64, Version> {
        &self.versions
    }

    /// All aliases that were ever moved.
    #[must_use]
    pub fn aliases(&self) -> &BTreeMap<AliasName, AliasState> {
        &self.aliases
    }

    /// The epoch of each shard's owner.
    #[must_use]
    pub fn writers(&self) -> &BTreeMap<ShardName, u64> {
        &self.writers
    }

    /// The versions that were given up and are not forgotten yet.
    #[must_use]
    pub fn tombstones(&self) -> &BTreeMap<u64, Tombstone> {
        &self.tombstones
    }

    /// The blobs that no version refers to any more, with the wall clock (microseconds since the
    /// Unix epoch) since when.
    #[must_use]
    pub fn condemned(&self) -> &BTreeMap<Digest, i64> {
        &self.condemned
    }

    /// Where the kept history begins, in microseconds since the Unix epoch.
    #[must_use]
    pub fn history_from_micros(&self) -> i64 {
        self.history_from_micros
    }

    /// The number of the version with this id, given up or not.
    #[must_use]
    pub fn version_of(&self, id: &str) -> Option<u64> {
        self.ids.get(id).copied()
    }

    /// The moves of an alias, oldest first.
    pub fn history<'a>(&'a self, alias: &'a AliasName) -> impl Iterator<Item = &'a AliasMove> {
        self.moves.iter().filter(move |moved| moved.alias == *alias)
    }

    /// What every alias named at a point of wall-clock time.
    ///
    /// # Errors
    /// When the history of that time is forgotten.
    pub fn as_of(&self, at_micros: i64) -> Result<BTreeMap<AliasName, Option<u64>>, Refusal> {
        let from_micros = self.history_from_micros;
        if at_micros < from_micros {
            return Err(Refusal::Forgotten { from_micros, asked_micros: at_micros });
        }
        let moves = self.moves.iter().take_while(|moved| moved.since_micros <= at_micros);
        Ok(moves.map(|moved| (moved.alias.clone(), moved.to)).collect())
    }

    /// The number of the entry with this nonce, if it is among the last few hundred.
    #[must_use]
    pub fn entry_of(&self, nonce: Nonce) -> Option<u64> {
        self.recent.iter().rev().find(|(_, found)| *found == nonce).map(|(number, _)| *number)
    }

    /// A version that was not given up.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn version(&self, version: u64) -> Result<&Version, Refusal> {
        match self.versions.get(&version) {
            Some(found) => Ok(found),
            None if version == 0 || version > self.version_last => {
                Err(Refusal::NoVersion { version })
            }
            None => Err(Refusal::Collected { version }),
        }
    }

    /// What is needed to make a version: its base first, then the deltas up to it.
    ///
    /// # Errors
    /// When there is no such version.
    pub fn chain(&self, version: u64) -> Result<Vec<&VersionSummary>, Refusal> {
        let mut chain = vec![&self.version(version)?.summary];
        // A parent has a lower number, so this ends.
        while let Some(parent) = chain.last().and_then(|summary| summary.parent) {
            chain.push(&self.version(parent)?.summary);
        }
        chain.reverse();
        Ok(chain)
    }

    /// The version that an alias would go back to.
    #[must_use]
    pub fn previous(&self, alias: &AliasName) -> Option<u64> {
        let alias = self.aliases.get(alias)?;
        let is_good = |version: &&u64| {
            Some(**version) != alias.version
                && self.versions.get(version).is_some_and(|found| !found.is_quarantined)
        };
        alias.trail.iter().rev().find(is_good).copied()
    }

    /// Takes the next entry, whose bytes have the digest `tip`.
    ///
    /// # Errors
    /// When the entry does not follow, or says what cannot be; the state is as it was.
    pub(crate) fn apply(&mut self, entry: &Entry, tip: Digest) -> Result<(), &'static str> {
        self.check(entry)?;
        self.since_micros = self.since_micros.max(entry.at_micros);
        for change in &entry.changes {
            self.change(entry, change);
        }
        self.number = entry.number;
        self.tip = Some(tip);
        self.recent.push_back((entry.number, entry.nonce));
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
        Ok(())
    }

    fn change(&mut self, entry: &Entry, change: &Change) {
        match change {
            Change::Writer { shard, epoch } => {
                self.writers.insert(shard.clone(), *epoch);
            }
            Change::Publish { versions } => {
                versions.iter().for_each(|summary| self.publish(entry, summary));
            }
            Change::Alias { alias, from, to, hold } => {
                self.shift(AliasMove {
                    alias: alias.clone(),
                    entry: entry.number,
                    since_micros: self.since_micros,
                    actor: entry.actor.clone(),
                    reason: entry.reason.clone(),
                    is_by_person: entry.is_by_person(),
                    from: *from,
                    to: *to,
                    is_held: *hold,
                });
            }
            Change::Tag { version, key, value } => {
                self.found(*version).tags.insert(key.clone(), value.clone());
            }
            Change::Quarantine { version } => self.found(*version).is_quarantined = true,
            Change::Tombstone { versions, condemned, collected, history_from_micros } => {
                versions.iter().for_each(|version| self.bury(*version));
                let since = self.since_micros;
                self.condemned.extend(condemned.iter().map(|blob| (*blob, since)));
                for blob in collected {
                    self.condemned.remove(blob);
                }
                self.forget(*history_from_micros);
            }
        }
    }

    /// A version of which an entry speaks that was checked.
    fn found(&mut self, version: u64) -> &mut Version {
        self.versions.get_mut(&version).expect("the entry was checked")
    }

    fn publish(&mut self, entry: &Entry, summary: &VersionSummary) {
        self.ids.insert(summary.id.clone(), summary.version);
        self.version_last = summary.version;
        let version = Version {
            summary: summary.clone(),
            entry: entry.number,
            at_micros: self.since_micros,
            is_quarantined: false,
            tags: BTreeMap::new(),
        };
        self.versions.insert(summary.version, version);
    }

    fn shift(&mut self, moved: AliasMove) {
        let alias = self.aliases.entry(moved.alias.clone()).or_default();
        match moved.to {
            None => {}
            Some(to) => match alias.trail.iter().position(|version| *version == to) {
                Some(at) => alias.trail.truncate(at + 1),
                None => {
                    if moved.is_held {
                        // What is newer than where it was rolled back to is not gone back to.
                        alias.trail.retain(|version| *version < to);
                    }
                    alias.trail.push(to);
                }
            },
        }
        if alias.trail.len() > TRAIL_MAX {
            alias.trail.remove(0);
        }
        alias.version = moved.to;
        alias.is_held = moved.is_held;
        alias.entry = moved.entry;
        if moved.is_by_person {
            alias.person_entry = moved.entry;
        }
        self.moves.push(moved);
    }

    fn bury(&mut self, version: u64) {
        let found = self.versions.remove(&version).expect("the entry was checked");
        let tombstone = Tombstone {
            fingerprint: found.summary.fingerprint(),
            id: found.summary.id,
            since_micros: self.since_micros,
        };
        self.tombstones.insert(version, tombstone);
        for alias in self.aliases.values_mut() {
            alias.trail.retain(|kept| *kept != version);
        }
    }

    /// Forgets what lies before a point in time, but for the last move of each alias: it says what
    /// the alias named at that point.
    fn forget(&mut self, from_micros: i64) {
        if from_micros <= self.history_from_micros {
            return;
        }
        self.history_from_micros = from_micros;
        let mut last = BTreeMap::new();
        for moved in self.moves.iter().filter(|moved| moved.since_micros <= from_micros) {
            last.insert(moved.alias.clone(), moved.entry);
        }
        self.moves.retain(|moved| {
            moved.since_micros > from_micros || last.get(&moved.alias) == Some(&moved.entry)
        });
        let ids = &mut self.ids;
        self.tombstones.retain(|_, tombstone| {
            let is_kept = tombstone.since_micros >= from_micros;
            if !is_kept {
                ids.remove(&tombstone.id);
            }
            is_kept
        });
    }

    /// The state of a checkpoint, with what is not stored filled in.
    pub(crate) fn filled(mut self) -> Self {
        let living = self.versions.iter().map(|(number, v)| (v.summary.id.clone(), *number));
        let dead = self.tombstones.iter().map(|(number, t)| (t.id.clone(), *number));
        self.ids = living.chain(dead).collect();
        self
    }
}

#[cfg(test)]
mod tests;
