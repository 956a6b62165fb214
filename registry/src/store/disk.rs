//! A folder of a local disk as a store.
//!
//! An object is written to a file in `.tmp/`, synced, and then linked to its name: a hard link
//! fails if the name is taken, and never shows half a file. The folder is synced before the call
//! returns. Network file systems without hard links are refused with a clear error at the first
//! write. A process that dies in between leaves a file in `.tmp/`, which no listing shows.

use super::{Created, Listed, Store, StoreError, StoreErrorKind, check_path};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

/// Where files are before they have their name.
const TEMPORARY: &str = ".tmp";

/// A folder of a local disk.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    /// Set once the file system has proved that it can link.
    is_proved: OnceLock<()>,
}

impl Disk {
    /// The store in `folder`, which is made at the first write if it does not exist.
    ///
    /// # Errors
    /// When `folder` exists and is no folder.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        let folder = folder.as_ref();
        let root = std::path::absolute(folder)
            .map_err(|error| StoreError::disk("cannot resolve the folder", folder, error))?;
        match fs::metadata(&root) {
            Ok(found) if !found.is_dir() => Err(StoreError::new(
                StoreErrorKind::Invalid,
                format!("not a folder: `{}`", root.display()),
            )
            .with_hint("name a folder that exists or can be made")),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                Err(StoreError::disk("cannot open the folder", &root, error))
            }
            Ok(_) | Err(_) => Ok(Self { root, is_proved: OnceLock::new() }),
        }
    }

    fn path(&self, path: &str) -> Result<PathBuf, StoreError> {
        check_path(path)?;
        Ok(self.root.join(path))
    }

    fn folder(&self, folder: &str) -> Result<PathBuf, StoreError> {
        if folder.is_empty() { Ok(self.root.clone()) } else { self.path(folder) }
    }

    /// A synced file of these bytes that has no name yet.
    fn temporary(&self, bytes: &[u8]) -> Result<Temporary, StoreError> {
        let folder = self.root.join(TEMPORARY);
        make_folder(&folder)?;
        let path = folder.join(format!("{}-{:016x}", std::process::id(), fastrand::u64(..)));
        let failed = |error| StoreError::disk("cannot write", &path, error);
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
        let temporary = Temporary(path.clone());
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(temporary)
    }

    /// Proves, once, that two links of one name exclude each other.
    fn prove(&self) -> Result<(), StoreError> {
        if self.is_proved.get().is_some() {
            return Ok(());
        }
        let file = self.temporary(b"probe")?;
        let probe = Temporary(file.0.with_extension("probe"));
        let unable = |message: &str, path: &Path| {
            StoreError::new(StoreErrorKind::Invalid, format!("{message}: `{}`", path.display()))
                .with_hint("choose a folder of a local disk, or an object store")
        };
        match fs::hard_link(&file.0, &probe.0) {
            Ok(()) => {}
            Err(error) if matters(&error) => {
                return Err(StoreError::disk("cannot write", &probe.0, error));
            }
            Err(error) => {
                return Err(
                    unable("this file system has no hard links", &self.root).caused_by(error)
                );
            }
        }
        match fs::hard_link(&file.0, &probe.0) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.is_proved.get_or_init(|| ());
                Ok(())
            }
            Ok(()) | Err(_) => Err(unable("this file system overwrites hard links", &self.root)),
        }
    }
}

/// Whether an error tells of the disk's condition and not of what its file system can do.
fn matters(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::NotFound
    )
}

/// A file that is removed when it is dropped.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // What is left behind is removed by `sweep`.
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes a folder and all above it, durably.
fn make_folder(folder: &Path) -> Result<(), StoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(above) = folder.parent() else { return Ok(()) };
    make_folder(above)?;
    match fs::create_dir(folder) {
        Ok(()) => sync(above),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(StoreError::disk("cannot make the folder", folder, error)),
    }
}

fn sync(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| StoreError::disk("cannot sync the folder", folder, error))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn above(path: &Path) -> &Path {
    path.parent().expect("an object lies in a folder")
}

fn modified_micros(found: &fs::Metadata) -> i64 {
    let since = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

impl Store for Disk {
    fn create(&self, path: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        let path = self.path(path)?;
        self.prove()?;
        make_folder(above(&path))?;
        let file = self.temporary(bytes)?;
        let created = match fs::hard_link(&file.0, &path) {
            Ok(()) => Created::New,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Created::Exists,
            Err(error) => return Err(StoreError::disk("cannot write", &path, error)),
        };
        sync(above(&path))?;
        Ok(created)
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(path)?;
        make_folder(above(&path))?;
        let file = self.temporary(bytes)?;
        fs::rename(&file.0, &path)
            .map_err(|error| StoreError::disk("cannot write", &path, error))?;
        sync(above(&path))
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(path)?;
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(StoreError::reading(&path, error)),
        }
    }

    fn read_range(&self, path: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(path)?;
        let read = || {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(range.start))?;
            let mut bytes = Vec::new();
            file.take(range.end.saturating_sub(range.start)).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(StoreError::reading(&path, error)),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        let mut folders = vec![(folder.to_owned(), self.folder(folder)?)];
        let mut listed = Vec::new();
        while let Some((name, path)) = folders.pop() {
            for (file, found) in entries(&path)? {
                if name.is_empty() && file == TEMPORARY {
                    continue;
                }
                let beneath = if name.is_empty() { file.clone() } else { format!("{name}/{file}") };
                if found.is_dir() {
                    folders.push((beneath, path.join(file)));
                } else {
                    let modified_micros = modified_micros(&found);
                    let size_bytes = found.len();
                    listed.push(Listed { path: beneath, size_bytes, modified_micros });
                }
            }
        }
        listed.sort();
        Ok(listed)
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let found = entries(&self.folder(folder)?)?;
        let is_folder = |(name, found): &(String, fs::Metadata)| {
            found.is_dir() && !(folder.is_empty() && name == TEMPORARY)
        };
        let mut names: Vec<_> = found.into_iter().filter(is_folder).map(|(name, _)| name).collect();
        names.sort();
        Ok(names)
    }

    fn delete(&self, path: &str) -> Result<(), StoreError> {
        let path = self.path(path)?;
        match fs::remove_file(&path) {
            // Deletions must not reach the disk in another order than they were made.
            Ok(()) => sync(above(&path)),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(StoreError::disk("cannot remove", &path, error)),
        }
    }

    fn sweep(&self, before_micros: i64) -> Result<u64, StoreError> {
        let folder = self.root.join(TEMPORARY);
        let mut removed = 0;
        for (name, found) in entries(&folder)? {
            if modified_micros(&found) < before_micros {
                let path = folder.join(name);
                fs::remove_file(&path)
                    .map_err(|error| StoreError::disk("cannot remove", &path, error))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// The files and folders in a folder; those that vanish meanwhile are passed over.
fn entries(folder: &Path) -> Result<Vec<(String, fs::Metadata)>, StoreError> {
    let failed = |error| StoreError::disk("cannot list", folder, error);
    let found = match fs::read_dir(folder) {
        Ok(found) => found,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut entries = Vec::new();
    for entry in found {
        let entry = entry.map_err(failed)?;
        match entry.metadata() {
            Ok(metadata) => entries.push((entry.file_name().to_string_lossy().into(), metadata)),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
