//! A store as the logs use it: what looks damaged is read again before it is believed.
//!
//! Requests are not repeated here. The stores do that, each as it fits them, and whoever calls the
//! registry repeats a commit with its nonce.

use super::{Created, Listed, Store, StoreError};
use std::ops::Range;
use std::sync::Arc;

/// A store as the logs use it.
#[derive(Debug, Clone)]
pub(crate) struct Patient {
    store: Arc<dyn Store>,
}

impl Patient {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    pub(crate) fn create(&self, path: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        self.store.create(path, bytes)
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.store.put(path, bytes)
    }

    pub(crate) fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.store.delete(path)
    }

    pub(crate) fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        self.store.list(folder)
    }

    pub(crate) fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.store.folders(folder)
    }

    pub(crate) fn sweep(&self, before_micros: i64) -> Result<u64, StoreError> {
        self.store.sweep(before_micros)
    }

    /// Whether an object is there.
    pub(crate) fn exists(&self, path: &str) -> Result<bool, StoreError> {
        Ok(self.store.read_range(path, 0..1)?.is_some())
    }

    /// Reads an object and makes something of it; bytes of which nothing can be made are read
    /// again before the last complaint is believed, for the way from the store may spoil them.
    pub(crate) fn read<T, E>(
        &self,
        path: &str,
        decode: impl Fn(Vec<u8>) -> Result<T, E>,
    ) -> Result<Option<Result<T, E>>, StoreError> {
        self.decoded(|| self.store.read(path), decode)
    }

    /// As [`Patient::read`], for a range.
    pub(crate) fn read_range<T, E>(
        &self,
        path: &str,
        range: Range<u64>,
        decode: impl Fn(Vec<u8>) -> Result<T, E>,
    ) -> Result<Option<Result<T, E>>, StoreError> {
        self.decoded(|| self.store.read_range(path, range.clone()), decode)
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
