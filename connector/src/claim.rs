//! One writer to a folder: a lock that ends with its process, and the number of who holds it.

use crate::error::{Error, ErrorKind};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

const LOCK_NAME: &str = "writer.lock";

/// Readers hold the lock for an instant to see whether there is a writer.
const LOCK_ATTEMPTS: usize = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The writer's claim to a folder; given up when dropped or when the process ends.
#[derive(Debug)]
pub(crate) struct Claim {
    _file: File,
}

impl Claim {
    /// Claims a folder, or says who has.
    pub(crate) fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(LOCK_NAME);
        let cannot = |error| Error::disk("cannot lock the folder", &path, error);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let mut file = options.open(&path).map_err(cannot)?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < LOCK_ATTEMPTS => {
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => return Err(taken(folder, &mut file)),
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
            }
        }
        let pid = format!("{}\n", std::process::id());
        let written = file.set_len(0).and_then(|()| file.rewind());
        written.and_then(|()| file.write_all(pid.as_bytes())).map_err(cannot)?;
        Ok(Self { _file: file })
    }
}

fn taken(folder: &Path, file: &mut File) -> Error {
    let mut pid = String::new();
    // Without its number the error still says what is wrong.
    let _ = file.read_to_string(&mut pid);
    let (pid, path) = (pid.trim(), folder.display());
    Error::new(ErrorKind::Retry, format!("process {pid} is writing to the folder: `{path}`"))
        .with_hint("it has one writer at a time: stop that process first")
}

/// Whether a process has claimed the folder.
pub(crate) fn has_writer(folder: &Path) -> Result<bool, Error> {
    let path = folder.join(LOCK_NAME);
    let cannot = |error| Error::disk("cannot see whether anybody is writing", &path, error);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(cannot(error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}
