//! Reading every file of a model and saying which of them is wrong, and how.

use super::ModelRegistry;
use super::load::{Hint, decode_state};
use super::paths::Kind;
use crate::digest::Digest;
use crate::entry::{Entry, Slice};
use crate::error::Error;
use crate::state::State;
use serde::Serialize;
use std::collections::BTreeMap;

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// Its bytes are not those that were written.
    Damaged,
    /// It should be there.
    Missing,
    /// It contradicts the files around it.
    Contradicting,
    /// It does not belong there.
    Unknown,
}

/// A file that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its path.
    pub path: String,
    /// What is wrong.
    pub problem: Problem,
    /// What is wrong, in words.
    pub detail: String,
}

/// The files of a model as they were read.
#[derive(Debug, Default)]
struct Files {
    entries: BTreeMap<u64, (Option<Entry>, Digest)>,
    checkpoints: BTreeMap<u64, Option<State>>,
    blobs: BTreeMap<Digest, Vec<u8>>,
    hint: Option<u64>,
    findings: Vec<Finding>,
}

impl Files {
    fn find(&mut self, path: &str, problem: Problem, detail: impl Into<String>) {
        self.findings.push(Finding { path: path.to_owned(), problem, detail: detail.into() });
    }
}

impl ModelRegistry {
    /// Reads every file of the model, and gives what is wrong; nothing if all is well.
    ///
    /// Blobs that no version refers to are no error: a writer may be about to.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn verify(&self) -> Result<Vec<Finding>, Error> {
        let mut files = Files::default();
        for listed in self.store.list(&self.paths.model)? {
            let read = |bytes| Ok::<Vec<u8>, ()>(bytes);
            if let Some(Ok(bytes)) = self.store.read(&listed.path, read)? {
                self.sort(&listed.path, bytes, &mut files);
            }
        }
        let state = self.check_log(&mut files);
        self.check_hint(&mut files);
        for version in state.iter().flat_map(|state| state.versions().values()) {
            let summary = &version.summary;
            for slice in [&summary.serving, &summary.training, &summary.manifest] {
                self.check_slice(summary.version, slice, &mut files);
            }
            self.check_manifest(summary.version, &summary.manifest, &mut files);
        }
        files.findings.sort_by(|a, b| (&a.path, &a.detail).cmp(&(&b.path, &b.detail)));
        files.findings.dedup();
        Ok(files.findings)
    }

    fn sort(&self, path: &str, bytes: Vec<u8>, files: &mut Files) {
        let damaged = "its digest does not fit its bytes";
        match self.paths.kind(path) {
            Kind::Entry(number) => {
                let entry = Entry::decode(&bytes).ok().filter(|entry| entry.number == number);
                if entry.is_none() {
                    files.find(path, Problem::Damaged, damaged);
                }
                files.entries.insert(number, (entry, Digest::of(&bytes)));
            }
            Kind::Checkpoint(number) => {
                let state = decode_state(&bytes).ok().filter(|state| state.number() == number);
                if state.is_none() {
                    files.find(path, Problem::Damaged, damaged);
                }
                files.checkpoints.insert(number, state);
            }
            Kind::Blob(digest) => {
                if Digest::of(&bytes) != digest {
                    files.find(path, Problem::Damaged, "its digest is not its name");
                }
                files.blobs.insert(digest, bytes);
            }
            Kind::Hint => match Hint::decode(&bytes) {
                Ok(hint) => files.hint = Some(hint.number),
                Err(_) => files.find(path, Problem::Damaged, damaged),
            },
            Kind::Unknown => files.find(path, Problem::Unknown, "not a file of a model"),
        }
    }

    /// Folds the log from its first entry, or from the oldest good checkpoint, and compares every
    /// checkpoint with the fold. Gives the last state that could be made.
    fn check_log(&self, files: &mut Files) -> Option<State> {
        let first = files.entries.keys().next().copied();
        let model = self.state.model().clone();
        let begin = match first {
            Some(1) => Some(State::new(model)),
            _ => files.checkpoints.values().flatten().next().cloned(),
        };
        let Some(mut state) = begin else {
            if let Some(first) = first {
                let path = self.paths.entry(first - 1);
                files.find(&path, Problem::Missing, "the log begins behind it, no checkpoint");
            }
            return None;
        };
        self.check_strays(state.number(), files);
        let last = files.entries.keys().next_back().copied().unwrap_or(0);
        for number in state.number() + 1..=last {
            let path = self.paths.entry(number);
            match files.entries.get(&number).cloned() {
                None => files.find(&path, Problem::Missing, "the log goes on behind it"),
                Some((None, _)) => {}
                Some((Some(entry), digest)) => match state.apply(&entry, digest) {
                    Ok(()) => {}
                    Err(what) => files.find(&path, Problem::Contradicting, what),
                },
            }
            if state.number() != number {
                return self.resume(number, files);
            }
            self.compare(&state, files);
        }
        let last = files.checkpoints.keys().next_back().copied();
        if last.is_some_and(|last| last > state.number()) {
            let path = self.paths.entry(state.number() + 1);
            files.find(&path, Problem::Missing, "a checkpoint lies behind it");
        }
        Some(state)
    }

    /// Entries before the oldest state must lead up to it: others were left by writers that slept.
    fn check_strays(&self, oldest: u64, files: &mut Files) {
        let numbers: Vec<u64> = files.entries.range(..=oldest).map(|(number, _)| *number).collect();
        let mut expected = oldest;
        for number in numbers.into_iter().rev() {
            if number != expected {
                let path = self.paths.entry(number);
                files.find(&path, Problem::Contradicting, "the log does not lead on from it");
            }
            expected = number - 1;
        }
    }

    /// After a bad entry, the fold goes on from the next good checkpoint, if there is one.
    fn resume(&self, bad: u64, files: &mut Files) -> Option<State> {
        let mut state = files.checkpoints.range(bad..).find_map(|(_, state)| state.clone())?;
        for number in state.number() + 1.. {
            let Some((entry, digest)) = files.entries.get(&number).cloned() else { break };
            let path = self.paths.entry(number);
            match entry.map(|entry| state.apply(&entry, digest)) {
                Some(Ok(())) => self.compare(&state, files),
                Some(Err(what)) => {
                    files.find(&path, Problem::Contradicting, what);
                    return self.resume(number, files);
                }
                None => return self.resume(number, files),
            }
        }
        Some(state)
    }

    /// Compares the checkpoint at a state's entry with the state.
    fn compare(&self, state: &State, files: &mut Files) {
        if let Some(Some(found)) = files.checkpoints.get(&state.number())
            && found != state
        {
            let path = self.paths.checkpoint(state.number());
            files.find(&path, Problem::Contradicting, "not what the entries add up to");
        }
    }

    fn check_hint(&self, files: &mut Files) {
        let path = self.paths.hint();
        match files.hint {
            Some(number) if !files.checkpoints.contains_key(&number) => {
                let newest = files.checkpoints.keys().next_back().copied().unwrap_or(0);
                if number > newest {
                    files.find(&path, Problem::Contradicting, "names a checkpoint of the future");
                }
            }
            Some(_) | None => {}
        }
    }

    fn check_slice(&self, version: u64, slice: &Slice, files: &mut Files) {
        let path = self.paths.blob(slice.blob);
        let Some(blob) = files.blobs.get(&slice.blob) else {
            let detail = format!("version {version} refers to it");
            return files.find(&path, Problem::Missing, detail);
        };
        let part = cut(blob, slice);
        if part.map(Digest::of) != Some(slice.sha256) {
            let detail = format!("it does not hold what version {version} refers to");
            files.find(&path, Problem::Damaged, detail);
        }
    }

    fn check_manifest(&self, version: u64, slice: &Slice, files: &mut Files) {
        let blob = files.blobs.get(&slice.blob);
        let Some(part) = blob.and_then(|blob| cut(blob, slice)) else { return };
        let path = self.paths.blob(slice.blob);
        match super::blob::manifest(part, slice) {
            Some(manifest) => self.check_slice(version, &manifest.definition, files),
            None => {
                let detail = format!("the lineage record of version {version} is none");
                files.find(&path, Problem::Damaged, detail);
            }
        }
    }
}

/// The bytes of a slice, if the blob has them.
fn cut<'a>(blob: &'a [u8], slice: &Slice) -> Option<&'a [u8]> {
    let end = slice.offset.checked_add(slice.length)?;
    blob.get(usize::try_from(slice.offset).ok()?..usize::try_from(end).ok()?)
}
