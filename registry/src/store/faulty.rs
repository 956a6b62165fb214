//! A wrapper that makes a store fail the way stores do, for tests.
//!
//! What fails and how follows from the seed and the order of calls, so a failing test can be run
//! again. Objects that are stored are never changed: faults lie between store and caller.

use super::{Created, Listed, Store, StoreError, StoreErrorKind};
use fastrand::Rng;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// How often each fault happens, as a share of the calls it can happen to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    /// The request is refused before anything is done (503, 429, a reset connection).
    pub refused_ratio: f64,
    /// A write is done, but its reply is lost.
    pub lost_reply_ratio: f64,
    /// An object is created, but the reply says that it existed (412 to the store's own
    /// repetition).
    pub false_exists_ratio: f64,
    /// A read ends early.
    pub short_read_ratio: f64,
    /// A byte of a read is changed.
    pub changed_read_ratio: f64,
}

impl Faults {
    /// Every fault with the same share.
    #[must_use]
    pub const fn all(ratio: f64) -> Self {
        Self {
            refused_ratio: ratio,
            lost_reply_ratio: ratio,
            false_exists_ratio: ratio,
            short_read_ratio: ratio,
            changed_read_ratio: ratio,
        }
    }
}

/// A store that fails now and then.
#[derive(Debug)]
pub struct Faulty {
    store: Arc<dyn Store>,
    faults: Faults,
    chance: Mutex<(Rng, u64)>,
}

impl Faulty {
    /// Wraps `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, faults: Faults, seed: u64) -> Self {
        Self { store, faults, chance: Mutex::new((Rng::with_seed(seed), 0)) }
    }

    /// How many faults have happened.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Whether a fault of this share happens now.
    fn strikes(&self, ratio: f64) -> bool {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        let strikes = chance.0.f64() < ratio;
        chance.1 += u64::from(strikes);
        strikes
    }

    fn below(&self, limit: usize) -> usize {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        chance.0.usize(..limit)
    }

    fn refuse(&self, path: &str) -> Result<(), StoreError> {
        if self.strikes(self.faults.refused_ratio) {
            return Err(StoreError::new(StoreErrorKind::Retry, format!("slow down: `{path}`")));
        }
        Ok(())
    }

    fn lose(&self, path: &str) -> Result<(), StoreError> {
        if self.strikes(self.faults.lost_reply_ratio) {
            return Err(StoreError::new(StoreErrorKind::Retry, format!("no reply: `{path}`")));
        }
        Ok(())
    }

    fn spoil(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        if !bytes.is_empty() && self.strikes(self.faults.short_read_ratio) {
            bytes.truncate(self.below(bytes.len()));
        }
        if !bytes.is_empty() && self.strikes(self.faults.changed_read_ratio) {
            let at = self.below(bytes.len());
            bytes[at] ^= 1 << self.below(8);
        }
        bytes
    }
}

impl Store for Faulty {
    fn create(&self, path: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        self.refuse(path)?;
        let created = self.store.create(path, bytes)?;
        self.lose(path)?;
        match created {
            Created::New if self.strikes(self.faults.false_exists_ratio) => Ok(Created::Exists),
            Created::New | Created::Exists => Ok(created),
        }
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.refuse(path)?;
        self.store.put(path, bytes)?;
        self.lose(path)
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.refuse(path)?;
        Ok(self.store.read(path)?.map(|bytes| self.spoil(bytes)))
    }

    fn read_range(&self, path: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, StoreError> {
        self.refuse(path)?;
        Ok(self.store.read_range(path, range)?.map(|bytes| self.spoil(bytes)))
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        self.refuse(folder)?;
        self.store.list(folder)
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.refuse(folder)?;
        self.store.folders(folder)
    }

    fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.refuse(path)?;
        self.store.delete(path)?;
        self.lose(path)
    }

    fn sweep(&self, before_micros: i64) -> Result<u64, StoreError> {
        self.store.sweep(before_micros)
    }
}
