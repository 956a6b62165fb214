//! Dead letters of a run: files in the order of their checkpoints, and nothing twice.

use super::Handle;
use super::retry::{fenced, retry, retry_store};
use crate::failure::Failure;
use std::sync::Arc;
use trueup_connector::dead_letters;
use trueup_event::DeadLetter;
use trueup_registry::store::Created;
use trueup_registry::{ShardLog, ShardName, Store};

/// Dead letters in one file at most.
const LETTERS: usize = 10_000;

/// Dead letters that are collected, and the files before them.
#[derive(Debug)]
pub(super) struct Letters {
    handle: Handle,
    store: Arc<dyn Store>,
    shard: ShardName,
    epoch: u64,
    events: [String; 2],
    text: Vec<u8>,
    count: usize,
    /// How many files there are.
    pub(super) files: u64,
}

impl Letters {
    /// Goes on after so many files; later ones are removed, for they will be written again.
    pub(super) fn begin(
        handle: &Handle,
        store: &Arc<dyn Store>,
        (shard, epoch): (ShardName, u64),
        events: [String; 2],
        files: u64,
    ) -> Result<Self, Failure> {
        let (handle, store) = (handle.clone(), Arc::clone(store));
        let letters =
            Self { handle, store, shard, epoch, events, text: Vec::new(), count: 0, files };
        let folder = format!("dead_letters/{}", letters.shard);
        let first = letters.path(files);
        for listed in retry_store(&letters.handle, || letters.store.list(&folder))? {
            if listed.path >= first {
                retry_store(&letters.handle, || letters.store.delete(&listed.path))?;
            }
        }
        Ok(letters)
    }

    pub(super) fn set_aside(&mut self, letter: &DeadLetter) -> Result<(), Failure> {
        let event = &self.events[usize::from(letter.place.stream.0)];
        self.text.extend(dead_letters::line(event, &[], letter));
        self.count += 1;
        if self.count >= LETTERS { self.flush() } else { Ok(()) }
    }

    /// Makes what was collected durable.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        if self.count > 0 {
            let path = self.path(self.files);
            let created = retry_store(&self.handle, || self.store.create(&path, &self.text))?;
            if created == Created::Exists {
                self.replace(&path)?;
            }
            self.text.clear();
            self.count = 0;
            self.files += 1;
        }
        Ok(())
    }

    /// Writes where an owner before, unaware of its end, has written.
    fn replace(&self, path: &str) -> Result<(), Failure> {
        let found = retry_store(&self.handle, || self.store.read(path))?;
        if found.is_some_and(|found| found == self.text) {
            return Ok(());
        }
        let owner = retry(&self.handle, || ShardLog::peek(&self.store, &self.shard))?;
        if owner.is_some_and(|owner| owner.epoch > self.epoch) {
            return Err(fenced(&"dead letters are written by another run"));
        }
        retry_store(&self.handle, || self.store.delete(path))?;
        retry_store(&self.handle, || self.store.create(path, &self.text))?;
        Ok(())
    }

    fn path(&self, number: u64) -> String {
        format!("dead_letters/{}/{number:020}.jsonl", self.shard)
    }
}
