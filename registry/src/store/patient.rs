//! A store whose calls are repeated when that is safe, and whose reads are checked.

use super::{Created, Listed, Store, StoreError, StoreErrorKind};
use std::ops::Range;
use std::sync::Arc;

const TRIES_MAX: usize = 10;

/// A store as the logs use it.
#[derive(Debug, Clone)]
pub(crate) struct Patient {
    store: Arc<dyn Store>,
}

impl Patient {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Repeats a call that may be repeated.
    fn again<T>(
        &self,
        call: impl Fn(&dyn Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        for _ in 1..TRIES_MAX {
            match call(&*self.store) {
                Err(error) if error.kind() == StoreErrorKind::Retry => {}
                done => return done,
            }
        }
        call(&*self.store)
    }

    /// Creates an object that nobody else creates with other bytes, or that carries a nonce by
    /// which the caller tells. Repeated until the store answers.
    pub(crate) fn create(&self, path: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        self.again(|store| store.create(path, bytes))
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.again(|store| store.put(path, bytes))
    }

    pub(crate) fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.again(|store| store.delete(path))
    }

    pub(crate) fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        self.again(|store| store.list(folder))
    }

    pub(crate) fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.again(|store| store.folders(folder))
    }

    pub(crate) fn sweep(&self, before_micros: i64) -> Result<u64, StoreError> {
        self.again(|store| store.sweep(before_micros))
    }

    /// Whether an object is there.
    pub(crate) fn exists(&self, path: &str) -> Result<bool, StoreError> {
        Ok(self.again(|store| store.read_range(path, 0..1))?.is_some())
    }

    /// Reads an object and makes something of it; bytes of which nothing can be made are read
    /// again before the last complaint is believed, for the way from the store may spoil them.
    pub(crate) fn read<T, E>(
        &self,
        path: &str,
        decode: impl Fn(Vec<u8>) -> Result<T, E>,
    ) -> Result<Option<Result<T, E>>, StoreError> {
        self.decoded(|| self.again(|store| store.read(path)), decode)
    }

    /// As [`Patient::read`], for a range.
    pub(crate) fn read_range<T, E>(
        &self,
        path: &str,
        range: Range<u64>,
        decode: impl Fn(Vec<u8>) -> Result<T, E>,
    ) -> Result<Option<Result<T, E>>, StoreError> {
        self.decoded(|| self.again(|store| store.read_range(path, range.clone())), decode)
    }

    fn decoded<T, E>(
        &self,
        read: impl Fn() -> Result<Option<Vec<u8>>, StoreError>,
        decode: impl Fn(Vec<u8>) -> Result<T, E>,
    ) -> Result<Option<Result<T, E>>, StoreError> {
        const READS_MAX: usize = 4;
        for _ in 1..READS_MAX {
            match read()?.map(&decode) {
                Some(Err(_)) => {}
                done => return Ok(done),
            }
        }
        Ok(read()?.map(decode))
    }
}
