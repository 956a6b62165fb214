//! An object store (S3, Google Cloud Storage, Azure, memory) as a store.
//!
//! A request that fails for a passing reason is repeated here, at most ten times, with a growing
//! and jittered pause: the client's own repetitions do not cover every case (429, 409). A conflict
//! that is reported while nothing is there is taken for such a passing reason.
//!
//! What is written is as durable as the store makes it. The client's own store on a local disk
//! does not sync its files: use [`super::Disk`] there.

use super::{Created, Listed, Store, StoreError, StoreErrorKind, check_path};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

const TRIES_MAX: u32 = 10;
const PAUSE_MAX: Duration = Duration::from_secs(5);
const PAUSE_FIRST: Duration = Duration::from_millis(40);

/// A prefix of an object store.
#[derive(Debug)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    runtime: Handle,
    pause_first: Duration,
}

impl Objects {
    /// The objects of `store` beneath `prefix` (empty for all). `runtime` is a multi-threaded
    /// runtime that lives as long as this; calls come from threads outside of it.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str, runtime: Handle) -> Self {
        let prefix = prefix.trim_matches('/').to_owned();
        Self { store, prefix, runtime, pause_first: PAUSE_FIRST }
    }

    fn path(&self, path: &str) -> Result<Path, StoreError> {
        check_path(path)?;
        let full = match self.prefix.is_empty() {
            true => path.to_owned(),
            false => format!("{}/{path}", self.prefix),
        };
        Path::parse(&full)
            .map_err(|error| StoreError::object("not a path", path, Error::from(error)))
    }

    fn folder(&self, folder: &str) -> Result<Path, StoreError> {
        if folder.is_empty() { Ok(Path::from(&*self.prefix)) } else { self.path(folder) }
    }

    /// The path without the prefix.
    fn inner(&self, path: &Path) -> String {
        let path = path.as_ref();
        let beneath = path.strip_prefix(&self.prefix).unwrap_or(path);
        beneath.trim_start_matches('/').to_owned()
    }

    /// Repeats a request while it fails for a passing reason.
    fn patiently<T>(
        &self,
        (doing, path): (&str, &str),
        request: impl AsyncFn() -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        let mut tries = 1;
        loop {
            let error = match self.runtime.block_on(request()) {
                Ok(value) => return Ok(value),
                Err(error) => StoreError::object(doing, path, error),
            };
            if error.kind() != StoreErrorKind::Retry || tries == TRIES_MAX {
                return Err(error);
            }
            let longest = self.pause_first * 2_u32.saturating_pow(tries - 1);
            // Half of the pause is left to chance, lest many come back at once.
            std::thread::sleep(longest.min(PAUSE_MAX).mul_f64(0.5 + 0.5 * fastrand::f64()));
            tries += 1;
        }
    }

    /// One try to create; a conflict counts only if something is there.
    async fn try_create(&self, path: &Path, bytes: &PutPayload) -> Result<Created, Error> {
        let put = self.store.put_opts(path, bytes.clone(), PutMode::Create.into()).await;
        match put {
            Ok(_) => Ok(Created::New),
            Err(conflict @ (Error::AlreadyExists { .. } | Error::Precondition { .. })) => {
                match self.store.head(path).await {
                    Ok(_) => Ok(Created::Exists),
                    Err(Error::NotFound { .. }) => {
                        Err(Error::Generic { store: "create", source: Box::new(conflict) })
                    }
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn try_read(
        &self,
        path: &Path,
        range: Option<Range<u64>>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        match self.store.get_opts(path, options).await {
            Ok(found) => Ok(Some(found.bytes().await?.to_vec())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Store for Objects {
    fn create(&self, path: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        let (at, payload) = (self.path(path)?, PutPayload::from(bytes.to_vec()));
        self.patiently(("cannot write", path), async || self.try_create(&at, &payload).await)
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let (at, payload) = (self.path(path)?, PutPayload::from(bytes.to_vec()));
        self.patiently(("cannot write", path), async || {
            self.store.put(&at, payload.clone()).await.map(drop)
        })
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let at = self.path(path)?;
        self.patiently(("cannot read", path), async || self.try_read(&at, None).await)
    }

    fn read_range(&self, path: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, StoreError> {
        let at = self.path(path)?;
        self.patiently(("cannot read", path), async || {
            let read = self.try_read(&at, Some(range.clone())).await;
            let Err(refused) = read else { return read };
            // Stores refuse a range that is empty or begins at the end.
            match self.store.head(&at).await {
                Ok(found) if range.is_empty() || found.size <= range.start => Ok(Some(Vec::new())),
                Ok(_) => Err(refused),
                Err(Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        let at = self.folder(folder)?;
        let found: Vec<_> = self.patiently(("cannot list", folder), async || {
            self.store.list(Some(&at)).boxed().try_collect().await
        })?;
        let listed = |found: object_store::ObjectMeta| Listed {
            path: self.inner(&found.location),
            size_bytes: found.size,
            modified_micros: found.last_modified.timestamp_micros(),
        };
        let mut listed: Vec<_> = found.into_iter().map(listed).collect();
        listed.sort();
        Ok(listed)
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let at = self.folder(folder)?;
        let found = self.patiently(("cannot list", folder), async || {
            self.store.list_with_delimiter(Some(&at)).await
        })?;
        let name = |path: &Path| path.filename().map(str::to_owned);
        let mut names: Vec<_> = found.common_prefixes.iter().filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    fn delete(&self, path: &str) -> Result<(), StoreError> {
        let at = self.path(path)?;
        self.patiently(("cannot remove", path), async || match self.store.delete(&at).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;
    use std::cell::Cell;

    /// How often a request that fails so often is tried, and whether it succeeds in the end.
    fn tries(failures: u32, error: impl Fn() -> Error) -> (u32, Option<StoreErrorKind>) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
        let runtime = runtime.unwrap();
        let mut objects = Objects::new(Arc::new(InMemory::new()), "", runtime.handle().clone());
        objects.pause_first = Duration::ZERO;
        let tries = Cell::new(0);
        let done = objects.patiently(("cannot read", "a"), async || {
            tries.set(tries.get() + 1);
            if tries.get() <= failures { Err(error()) } else { Ok(()) }
        });
        (tries.get(), done.err().map(|error| error.kind()))
    }

    #[test]
    fn what_passes_is_waited_for_and_no_longer_than_ten_times() {
        let busy = || Error::Generic { store: "S3", source: "503 slow down".into() };
        assert_eq!(tries(0, busy), (1, None));
        assert_eq!(tries(9, busy), (10, None));
        assert_eq!(tries(u32::MAX, busy), (10, Some(StoreErrorKind::Retry)));
    }

    #[test]
    fn what_does_not_pass_is_not_waited_for() {
        let denied = || Error::PermissionDenied { path: "a".to_owned(), source: "403".into() };
        assert_eq!(tries(1, denied), (1, Some(StoreErrorKind::Invalid)));
        let full = || {
            let cause = std::io::Error::from(std::io::ErrorKind::StorageFull);
            Error::Generic { store: "LocalFileSystem", source: Box::new(cause) }
        };
        assert_eq!(tries(1, full), (1, Some(StoreErrorKind::Full)));
    }
}
