//! What may be done to a model: pure decisions from a state to changes, or to a refusal.
//!
//! A decision is taken anew whenever another writer's entry comes first.

use crate::entry::{Change, Form, Slice, VersionSummary, Writer};
use crate::names::AliasName;
use crate::refusal::Refusal;
use crate::state::State;
use serde::Serialize;
use std::collections::BTreeMap;

/// What the caller believes an alias to name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It does not matter.
    Anything,
    /// No version.
    Nothing,
    /// This version.
    Version(u64),
}

/// Where a rollback goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollbackTo {
    /// The last good version before the present one.
    Previous,
    /// This version.
    Version(u64),
    /// No version: the primary estimate alone.
    Primary,
}

/// What publishing did to the alias `champion`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "promotion", rename_all = "snake_case")]
pub enum Promotion {
    /// Nothing: no new version asked for it.
    NotAsked,
    /// It was moved.
    Moved {
        /// What it named before.
        from: Option<u64>,
        /// What it names now.
        to: u64,
    },
    /// Nothing: a person holds it.
    Held {
        /// The entry of the last move by a person.
        entry: u64,
    },
    /// Nothing: a person moved it, and the writer has not obeyed that entry yet.
    Unseen {
        /// The entry of the last move by a person.
        entry: u64,
    },
}

/// A version that has its slices and no number yet.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) id: String,
    pub(crate) lineage: u32,
    pub(crate) ordinal: u64,
    pub(crate) form: Form,
    pub(crate) parent: Option<String>,
    pub(crate) verdict: String,
    pub(crate) boundary_micros: i64,
    pub(crate) trained_until_micros: i64,
    pub(crate) state_digest: String,
    pub(crate) serving: Slice,
    pub(crate) training: Slice,
    pub(crate) manifest: Slice,
    pub(crate) is_promoted: bool,
}

impl Draft {
    fn summary(&self, version: u64, parent: Option<u64>) -> VersionSummary {
        VersionSummary {
            version,
            id: self.id.clone(),
            lineage: self.lineage,
            ordinal: self.ordinal,
            form: self.form,
            parent,
            verdict: self.verdict.clone(),
            boundary_micros: self.boundary_micros,
            trained_until_micros: self.trained_until_micros,
            state_digest: self.state_digest.clone(),
            serving: self.serving,
            training: self.training,
            manifest: self.manifest,
        }
    }
}

/// Refuses a writer that is not the owner of its shard any more; a newer one announces itself.
pub(crate) fn owned(state: &State, writer: Option<&Writer>) -> Result<Vec<Change>, Refusal> {
    let Some(Writer { shard, epoch }) = writer else { return Ok(Vec::new()) };
    match state.writers().get(shard) {
        Some(found) if found > epoch => {
            Err(Refusal::Fenced { shard: shard.clone(), epoch: *epoch, found: *found })
        }
        Some(found) if found == epoch => Ok(Vec::new()),
        Some(_) | None => Ok(vec![Change::Writer { shard: shard.clone(), epoch: *epoch }]),
    }
}

/// Publishes those drafts that are not published yet, and moves `champion` to the last of them
/// that asks for it, unless a person has the say. `seen` is the last entry by a person that the
/// writer has obeyed.
pub(crate) fn publish(
    state: &State,
    drafts: &[Draft],
    writer: Option<&Writer>,
    seen: u64,
) -> Result<(Vec<Change>, Promotion), Refusal> {
    let owner = owned(state, writer)?;
    let mut new: Vec<VersionSummary> = Vec::new();
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut champion = None;
    for draft in drafts {
        let earlier = numbers.get(draft.id.as_str()).map(|at| &new[*at]);
        if is_repeated(state, draft, earlier)? {
            continue;
        }
        let parent = parent(state, draft, |id| numbers.get(id).map(|at| new[*at].version))?;
        let version = state.version_last() + 1 + new.len() as u64;
        numbers.insert(&draft.id, new.len());
        new.push(draft.summary(version, parent));
        if draft.is_promoted {
            champion = Some(version);
        }
    }
    if new.is_empty() {
        return Ok((Vec::new(), Promotion::NotAsked));
    }
    let promotion = champion.map_or(Promotion::NotAsked, |to| automatic(state, to, seen));
    let mut changes = owner;
    changes.push(Change::Publish { versions: new });
    match promotion {
        Promotion::Moved { from, to } => {
            changes.push(shift(AliasName::champion(), from, Some(to), false));
        }
        Promotion::NotAsked | Promotion::Held { .. } | Promotion::Unseen { .. } => {}
    }
    Ok((changes, promotion))
}

/// Whether the draft is published already, in the log or earlier in the same commit.
fn is_repeated(
    state: &State,
    draft: &Draft,
    earlier: Option<&VersionSummary>,
) -> Result<bool, Refusal> {
    let found = match (earlier, state.version_of(&draft.id)) {
        (Some(earlier), _) => (earlier.version, earlier.fingerprint()),
        (None, None) => return Ok(false),
        (None, Some(version)) => match state.versions().get(&version) {
            Some(found) => (version, found.summary.fingerprint()),
            None => (version, state.tombstones()[&version].fingerprint),
        },
    };
    let (version, fingerprint) = found;
    if draft.summary(0, None).fingerprint() != fingerprint {
        return Err(Refusal::Conflict { id: draft.id.clone(), version });
    }
    Ok(true)
}

fn parent(
    state: &State,
    draft: &Draft,
    earlier: impl Fn(&str) -> Option<u64>,
) -> Result<Option<u64>, Refusal> {
    let refused = |problem| Err(Refusal::Parent { id: draft.id.clone(), problem });
    match (draft.form, &draft.parent) {
        (Form::Base, None) => Ok(None),
        (Form::Base, Some(_)) => refused("is a base and has a parent"),
        (Form::Delta, None) => refused("is a delta and has no parent"),
        (Form::Delta, Some(id)) => match earlier(id).or_else(|| state.version_of(id)) {
            None => refused("has a parent that is not published"),
            Some(parent) if state.tombstones().contains_key(&parent) => {
                refused("has a parent that was collected")
            }
            Some(parent) => Ok(Some(parent)),
        },
    }
}

fn automatic(state: &State, to: u64, seen: u64) -> Promotion {
    match state.aliases().get(&AliasName::champion()) {
        Some(alias) if alias.is_held => Promotion::Held { entry: alias.person_entry },
        Some(alias) if alias.person_entry > seen => Promotion::Unseen { entry: alias.person_entry },
        Some(alias) => Promotion::Moved { from: alias.version, to },
        None => Promotion::Moved { from: None, to },
    }
}

/// Refuses a shard's move of an alias of which a person has the say.
pub(crate) fn is_free(state: &State, alias: &AliasName, seen: u64) -> Result<(), Refusal> {
    match state.aliases().get(alias) {
        Some(found) if found.is_held || found.person_entry > seen => {
            Err(Refusal::Held { alias: alias.clone(), entry: found.person_entry })
        }
        Some(_) | None => Ok(()),
    }
}

fn shift(alias: AliasName, from: Option<u64>, to: Option<u64>, hold: bool) -> Change {
    Change::Alias { alias, from, to, hold }
}

fn named(state: &State, alias: &AliasName) -> Option<u64> {
    state.aliases().get(alias).and_then(|alias| alias.version)
}

fn expected(state: &State, alias: &AliasName, expect: Expect) -> Result<Option<u64>, Refusal> {
    let found = named(state, alias);
    let expected = match expect {
        Expect::Anything => return Ok(found),
        Expect::Nothing => None,
        Expect::Version(version) => Some(version),
    };
    if found == expected {
        return Ok(found);
    }
    Err(Refusal::Moved { alias: alias.clone(), expected, found })
}

fn promotable(state: &State, version: u64) -> Result<(), Refusal> {
    if state.version(version)?.is_quarantined {
        return Err(Refusal::Quarantined { version });
    }
    Ok(())
}

/// Moves an alias to a version, and ends a hold.
pub(crate) fn promote(
    state: &State,
    alias: &AliasName,
    version: u64,
    expect: Expect,
) -> Result<Vec<Change>, Refusal> {
    let from = expected(state, alias, expect)?;
    promotable(state, version)?;
    let is_held = state.aliases().get(alias).is_some_and(|alias| alias.is_held);
    if from == Some(version) && !is_held {
        return Ok(Vec::new());
    }
    Ok(vec![shift(alias.clone(), from, Some(version), false)])
}

/// Moves an alias back, and begins a hold.
pub(crate) fn rollback(
    state: &State,
    alias: &AliasName,
    to: RollbackTo,
    expect: Expect,
) -> Result<Vec<Change>, Refusal> {
    let Some(found) = state.aliases().get(alias) else {
        return Err(Refusal::NoAlias { alias: alias.clone() });
    };
    let from = expected(state, alias, expect)?;
    let to = match to {
        RollbackTo::Primary => None,
        RollbackTo::Version(version) => {
            promotable(state, version)?;
            Some(version)
        }
        RollbackTo::Previous => match state.previous(alias) {
            Some(version) => Some(version),
            None => return Err(Refusal::NoPrevious { alias: alias.clone() }),
        },
    };
    if from == to && found.is_held {
        return Ok(Vec::new());
    }
    Ok(vec![shift(alias.clone(), from, to, true)])
}

/// Gives a version a tag.
pub(crate) fn tag(
    state: &State,
    version: u64,
    (key, value): (&str, &str),
) -> Result<Vec<Change>, Refusal> {
    let found = state.version(version)?;
    if found.tags.get(key).is_some_and(|found| found == value) {
        return Ok(Vec::new());
    }
    Ok(vec![Change::Tag { version, key: key.to_owned(), value: value.to_owned() }])
}

/// Puts a version into quarantine; every alias that names it falls back to the version before it,
/// or to none.
pub(crate) fn quarantine(state: &State, version: u64) -> Result<Vec<Change>, Refusal> {
    if state.version(version)?.is_quarantined {
        return Ok(Vec::new());
    }
    let mut changes = vec![Change::Quarantine { version }];
    for (alias, found) in state.aliases().iter().filter(|(_, a)| a.version == Some(version)) {
        let to = state.previous(alias);
        changes.push(shift(alias.clone(), Some(version), to, found.is_held));
    }
    Ok(changes)
}
