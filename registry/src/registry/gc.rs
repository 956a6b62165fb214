//! Collecting what is not needed any more: versions, blobs, entries behind a checkpoint.
//!
//! It begins with an entry in the log that gives versions up, so that no writer builds on them.
//! Their blobs are condemned, and deleted when the grace period is over and by a later run:
//! readers finish what they began. Entries are deleted oldest first, never the newest two, and
//! only behind the third newest checkpoint, so that two damaged ones do no harm.

use super::ModelRegistry;
use super::commit::Commit;
use super::paths::Kind;
use crate::digest::Digest;
use crate::entry::Change;
use crate::error::Error;
use crate::retention::{self, GcPolicy};
use crate::state::State;
use crate::store::Listed;
use serde::Serialize;
use std::collections::BTreeSet;

/// How many checkpoints are kept.
const CHECKPOINTS: usize = 3;

/// Whether anything is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GcMode {
    /// Nothing is changed.
    DryRun,
    /// It is done.
    Apply,
}

/// A file that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Doomed {
    /// Its path.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// What goes, or has gone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct GcPlan {
    /// The versions that are given up.
    pub versions: Vec<u64>,
    /// The files that are deleted, in this order.
    pub files: Vec<Doomed>,
    /// The blobs that go after the grace period, by a later run.
    pub condemned: Vec<Digest>,
    /// The entry that gives versions up; none if there is none to give up, or in a dry run.
    pub entry: Option<u64>,
    /// How many leftovers of interrupted writes were removed.
    pub leftovers: u64,
}

impl GcPlan {
    /// The size of the files that go, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }
}

/// The blobs that any kept version refers to.
fn referenced(state: &State) -> BTreeSet<Digest> {
    state.versions().values().flat_map(|version| version.summary.blobs()).collect()
}

/// The change that gives versions up, if there is anything to say.
fn tombstone(state: &State, policy: &GcPolicy, blobs: &[Listed], kind: &KindOf) -> Vec<Change> {
    let versions = retention::doomed(state, policy);
    let gone: BTreeSet<u64> = versions.iter().copied().collect();
    let living = state.versions().iter().filter(|(number, _)| !gone.contains(number));
    let needed: BTreeSet<Digest> = living.flat_map(|(_, v)| v.summary.blobs()).collect();
    let mut condemned: BTreeSet<Digest> = BTreeSet::new();
    for version in &gone {
        condemned.extend(state.versions()[version].summary.blobs());
    }
    let condemned = condemned.into_iter().filter(|blob| !needed.contains(blob)).collect();
    let present: BTreeSet<Digest> = blobs.iter().filter_map(|blob| kind.blob(blob)).collect();
    let collected: Vec<Digest> =
        state.condemned().keys().filter(|blob| !present.contains(blob)).copied().collect();
    if versions.is_empty() && collected.is_empty() {
        return Vec::new();
    }
    let history_from_micros = policy.history_from();
    vec![Change::Tombstone { versions, condemned, collected, history_from_micros }]
}

/// What the paths of a model mean.
struct KindOf<'a>(&'a super::Paths);

impl KindOf<'_> {
    fn blob(&self, listed: &Listed) -> Option<Digest> {
        match self.0.kind(&listed.path) {
            Kind::Blob(digest) => Some(digest),
            Kind::Entry(_) | Kind::Checkpoint(_) | Kind::Hint | Kind::Unknown => None,
        }
    }
}

impl ModelRegistry {
    /// Gives up the versions that `policy` does not keep, and deletes what nothing needs any more.
    ///
    /// # Errors
    /// Those of the store; what is left undone is done by the next run.
    pub fn gc(
        &mut self,
        policy: &GcPolicy,
        mode: GcMode,
        commit: &Commit,
    ) -> Result<GcPlan, Error> {
        self.refresh()?;
        let blobs = self.store.list(&self.paths.blobs())?;
        let paths = self.paths.clone();
        let kind = KindOf(&paths);
        match mode {
            GcMode::DryRun => {
                let mut after = self.clone();
                let changes = tombstone(&self.state, policy, &blobs, &kind);
                if !changes.is_empty() {
                    let entry = after.next(commit, changes);
                    let digest = Digest::of(&entry.encode());
                    let path = after.paths.entry(entry.number);
                    after
                        .state
                        .apply(&entry, digest)
                        .map_err(|what| Error::corrupt(&path, what))?;
                }
                after.plan(&self.state, policy, &blobs)
            }
            GcMode::Apply => {
                let before = self.state.clone();
                let decide = |this: &Self| Ok(tombstone(&this.state, policy, &blobs, &kind));
                let entry = self.commit(commit, decide)?;
                if self.has_old_entries()? {
                    self.checkpoint()?;
                }
                let mut plan = self.plan(&before, policy, &blobs)?;
                plan.entry = entry;
                for file in &plan.files {
                    self.store.delete(&file.path)?;
                }
                plan.leftovers = self.store.sweep(policy.grace_from())?;
                Ok(plan)
            }
        }
    }

    /// Whether the last checkpoint lies further back than it should.
    fn has_old_entries(&self) -> Result<bool, Error> {
        let last = self.checkpoint_numbers()?.last().copied().unwrap_or(0);
        Ok(self.state.number() >= last + super::commit::CHECKPOINT_ENTRIES)
    }

    /// What can be deleted in this state; `before` is the state before versions were given up.
    fn plan(&self, before: &State, policy: &GcPolicy, blobs: &[Listed]) -> Result<GcPlan, Error> {
        let gone = before.versions().keys().filter(|n| !self.state.versions().contains_key(n));
        let mut plan = GcPlan { versions: gone.copied().collect(), ..GcPlan::default() };
        self.plan_blobs(policy, blobs, &mut plan);
        self.plan_log(&mut plan)?;
        Ok(plan)
    }

    fn plan_blobs(&self, policy: &GcPolicy, blobs: &[Listed], plan: &mut GcPlan) {
        let referenced = referenced(&self.state);
        let grace_from = policy.grace_from();
        for listed in blobs {
            let Some(blob) = KindOf(&self.paths).blob(listed) else { continue };
            if referenced.contains(&blob) {
                continue;
            }
            match self.state.condemned().get(&blob) {
                Some(since) if *since > grace_from => plan.condemned.push(blob),
                // An orphan younger than the grace period may be waiting for its entry.
                None if listed.modified_micros > grace_from => {}
                Some(_) | None => plan.files.push(doomed(listed)),
            }
        }
    }

    /// Entries and checkpoints that lie behind the kept checkpoints.
    fn plan_log(&self, plan: &mut GcPlan) -> Result<(), Error> {
        let listed = self.store.list(&self.paths.checkpoints())?;
        let mut kept = Vec::new();
        for number in self.checkpoint_numbers()?.into_iter().rev() {
            // A damaged checkpoint does not count among the kept ones.
            if kept.len() < CHECKPOINTS && matches!(self.load_checkpoint(number), Ok(Some(_))) {
                kept.push(number);
            }
        }
        let Some(oldest) = kept.last().copied().filter(|_| kept.len() == CHECKPOINTS) else {
            return Ok(());
        };
        for listed in &listed {
            match self.paths.kind(&listed.path) {
                Kind::Checkpoint(number) if number < oldest => plan.files.push(doomed(listed)),
                _ => {}
            }
        }
        // Every number is deleted, listed or not: one that were left over in the middle could
        // make a writer that slept believe that it still stands at the tip.
        let log = self.store.list(&self.paths.log())?;
        let number = |listed: &Listed| match self.paths.kind(&listed.path) {
            Kind::Entry(number) => Some((number, listed.size_bytes)),
            _ => None,
        };
        let sizes: std::collections::BTreeMap<u64, u64> = log.iter().filter_map(number).collect();
        let Some(first) = sizes.keys().next().copied() else { return Ok(()) };
        for number in first..oldest.saturating_sub(1) {
            let size_bytes = sizes.get(&number).copied().unwrap_or(0);
            plan.files.push(Doomed { path: self.paths.entry(number), size_bytes });
        }
        Ok(())
    }
}

fn doomed(listed: &Listed) -> Doomed {
    Doomed { path: listed.path.clone(), size_bytes: listed.size_bytes }
}
