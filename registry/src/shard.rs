//! The log of a shard: who owns it, its control inputs, its checkpoints.
//!
//! One object per record, `shards/NAME/<20 digits>`, without a gap, across all owners. Whoever
//! writes the next number owns the shard; an owner that finds the next number taken, or its last
//! record collected, has been fenced and stops. Sources are read again from the positions of the
//! checkpoint; control inputs alone are journalled.
//!
//! Collection deletes oldest first, never the newest two, and nothing from the second newest
//! checkpoint on: one damaged checkpoint does no harm.

mod record;
mod recover;

pub use recover::{Checkpoint, JournalledControl, Recovered, Status};

use crate::digest::Nonce;
use crate::error::{Error, ErrorKind};
use crate::names::ShardName;
use crate::store::{Created, Patient, Store, StoreErrorKind};
use record::{HEADER, Placed};
use recover::Hint;
use std::sync::Arc;
use trueup_event::Control;

/// One record of a shard's log.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A new owner, with the epoch that its record carries.
    Acquire {
        /// Who, for people.
        writer: String,
    },
    /// A control input. It is obeyed once [`ShardLog::append`] has returned.
    Control {
        /// Its place in the input of the core: it is obeyed before the input of that number.
        position: u64,
        /// What was decided.
        control: Control,
        /// The entry of the model's log that it came from, if it came from there.
        registry_entry: Option<u64>,
    },
    /// The whole state.
    Checkpoint {
        /// What readers of the status see: positions, counts.
        meta: serde_json::Value,
        /// The state as the core wrote it.
        state: Vec<u8>,
    },
}

/// A shard that this process owns until it is fenced.
#[derive(Debug)]
pub struct ShardLog {
    store: Patient,
    folder: String,
    epoch: u64,
    nonce: Nonce,
    tip: u64,
    /// The first bytes of the record at the tip: whose it is.
    tip_header: Vec<u8>,
    /// The good checkpoints that are known, ascending.
    checkpoints: Vec<u64>,
    is_fenced: bool,
}

impl ShardLog {
    /// Takes the shard over from whoever owned it, and gives what the new owner begins with.
    /// `writer` says who, for people; `nonce` is used by no other acquisition.
    ///
    /// # Errors
    /// When a record is damaged that cannot be passed over, and those of the store.
    pub fn acquire(
        store: &Arc<dyn Store>,
        name: &ShardName,
        writer: &str,
        nonce: Nonce,
    ) -> Result<(Self, Recovered), Error> {
        const TRIES_MAX: usize = 100;
        let store = Patient::new(Arc::clone(store));
        let folder = format!("shards/{name}");
        for _ in 0..TRIES_MAX {
            let (found, tip_header) = recover::recover(&store, &folder)?;
            let mut log = Self {
                store: store.clone(),
                folder: folder.clone(),
                epoch: found.epoch + 1,
                nonce,
                tip: found.tip,
                tip_header,
                checkpoints: found.checkpoint.iter().map(|checkpoint| checkpoint.number).collect(),
                is_fenced: false,
            };
            match log.append(Record::Acquire { writer: writer.to_owned() }) {
                Ok(_) => return Ok((log, Recovered { epoch: found.epoch + 1, ..found })),
                // Another one acquired first, or this one slept: look again.
                Err(error) if error.kind() == ErrorKind::Fenced => {}
                Err(error) => return Err(error),
            }
        }
        let message = format!("shard is acquired by many at once: `{name}`");
        Err(Error::new(ErrorKind::Retry, message).with_hint("start one process per shard"))
    }

    /// What the log says, without acquiring; none if there is no such shard.
    ///
    /// # Errors
    /// When a record is damaged that cannot be passed over, and those of the store.
    pub fn peek(store: &Arc<dyn Store>, name: &ShardName) -> Result<Option<Status>, Error> {
        let store = Patient::new(Arc::clone(store));
        let (found, _) = recover::recover(&store, &format!("shards/{name}"))?;
        Ok((found.tip > 0).then(|| found.status()))
    }

    /// The names of all shards of a store, sorted.
    ///
    /// # Errors
    /// Those of the store.
    pub fn names(store: &Arc<dyn Store>) -> Result<Vec<ShardName>, Error> {
        let names = store.folders("shards")?;
        Ok(names.into_iter().filter_map(|name| ShardName::new(name).ok()).collect())
    }

    /// How often the shard has been acquired, this time included.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number of the last record.
    #[must_use]
    pub fn tip(&self) -> u64 {
        self.tip
    }

    /// Writes the next record, durably, and gives its number.
    ///
    /// # Errors
    /// [`ErrorKind::Fenced`] if the shard has a new owner: this one must stop. After any other
    /// error the same record may be appended again.
    pub fn append(&mut self, record: Record) -> Result<u64, Error> {
        if self.is_fenced {
            return Err(self.fenced());
        }
        let is_checkpoint = matches!(record, Record::Checkpoint { .. });
        let number = self.tip + 1;
        let placed = Placed { number, epoch: self.epoch, nonce: self.nonce, record };
        let bytes = placed.encode();
        self.create(number, &bytes)?;
        if !self.is_rooted()? {
            // Only after being collected can the last record be gone: the number was too.
            self.store.delete(&self.path(number))?;
            self.is_fenced = true;
            return Err(self.fenced());
        }
        self.tip = number;
        self.tip_header = bytes[..HEADER].to_vec();
        if is_checkpoint {
            self.checkpoints.push(number);
            // A hint that is not written costs the next owner a listing.
            let _ = self.store.put(&self.path_of_hint(), &Hint::encode(number));
        }
        Ok(number)
    }

    /// Deletes the records before the second newest checkpoint, oldest first, and gives how many.
    ///
    /// # Errors
    /// Those of the store; what is left undone is done by the next call.
    pub fn collect(&mut self) -> Result<u64, Error> {
        let [.., second, _] = self.checkpoints[..] else { return Ok(0) };
        let bound = second.min(self.tip.saturating_sub(1));
        let listed = self.store.list(&self.folder)?;
        let Some(first) = listed.iter().find_map(|l| recover::number(&self.folder, &l.path)) else {
            return Ok(0);
        };
        // Every number is deleted, listed or not: none may be left over in the middle.
        for number in first..bound {
            self.store.delete(&self.path(number))?;
        }
        self.checkpoints.retain(|number| *number >= second);
        Ok(bound.saturating_sub(first))
    }

    /// Creates the object of a number, or finds that it is another writer's.
    fn create(&mut self, number: u64, bytes: &[u8]) -> Result<(), Error> {
        const TRIES_MAX: usize = 3;
        let path = self.path(number);
        let is_ours = |found: Vec<u8>| if found == bytes { Ok(()) } else { Err(()) };
        let mut failed = None;
        for _ in 0..TRIES_MAX {
            match self.store.create(&path, bytes) {
                Ok(Created::New) => return Ok(()),
                Ok(Created::Exists) => {}
                Err(error) if error.kind() == StoreErrorKind::Retry => failed = Some(error),
                Err(error) => return Err(error.into()),
            }
            match self.store.read(&path, is_ours)? {
                Some(Ok(())) => return Ok(()),
                Some(Err(())) => {
                    self.is_fenced = true;
                    return Err(self.fenced());
                }
                // The reply said that it is there, and it is not: try again.
                None => {}
            }
        }
        let message = format!("record cannot be written: `{path}`");
        Err(failed.map_or_else(|| Error::new(ErrorKind::Retry, message), Error::from))
    }

    /// Whether the record at the tip is still the one that was written or read.
    fn is_rooted(&self) -> Result<bool, Error> {
        if self.tip == 0 {
            return Ok(true);
        }
        let same = |found: Vec<u8>| if found == self.tip_header { Ok(()) } else { Err(()) };
        let range = 0..self.tip_header.len() as u64;
        let found = self.store.read_range(&self.path(self.tip), range, same)?;
        Ok(matches!(found, Some(Ok(()))))
    }

    fn fenced(&self) -> Error {
        let message =
            format!("shard has a new owner, this one has epoch {}: `{}`", self.epoch, self.folder);
        Error::new(ErrorKind::Fenced, message)
            .with_hint("stop this process, another one runs the shard")
    }

    fn path(&self, number: u64) -> String {
        recover::path(&self.folder, number)
    }

    fn path_of_hint(&self) -> String {
        recover::path_of_hint(&self.folder)
    }
}
