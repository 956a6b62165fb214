//! Files on the local disk that are whole or not there, and durable once they are.

use crate::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Unfinished files begin with this; whoever owns the folder may remove them.
pub(crate) const TEMPORARY_PREFIX: &str = ".new-";

/// The folder that holds `path`.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file without a lasting name, readable by whom a plainly created one would be.
pub(crate) fn temporary(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// The folder in `parent` of something that has a name: a topic, an event.
pub(crate) fn named_folder(parent: &Path, name: &str) -> Result<PathBuf, Error> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_name = !name.is_empty() && name.len() <= 200 && name.chars().all(is_plain);
    if !is_name || name.starts_with('.') {
        return Err(Error::invalid(format!("not a name for a folder: `{name}`"))
            .with_hint("use letters, digits, `_`, `-` and `.`, the first of them not a dot"));
    }
    Ok(parent.join(name))
}

/// Makes an unfinished file durable and gives it its name, replacing what is there.
pub(crate) fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder_of(path))
}

/// Writes a small file, replacing what is there.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let cannot = |error| Error::disk("cannot write", path, error);
    let mut file = temporary(folder_of(path), TEMPORARY_PREFIX).map_err(cannot)?;
    file.write_all(bytes).map_err(cannot)?;
    persist(file, path).map_err(cannot)
}

/// Makes a folder and those above it, durably.
pub(crate) fn create_folder(path: &Path) -> Result<(), Error> {
    let cannot = |error| Error::disk("cannot create the folder", path, error);
    if path.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(path).map_err(cannot)?;
    sync_folder(folder_of(path)).map_err(cannot)
}

/// A new name is durable once its folder is.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(crate) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes files that a process which is gone had not finished.
pub(crate) fn sweep(folder: &Path) -> Result<(), Error> {
    let cannot = |error| Error::disk("cannot tidy the folder", folder, error);
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
            std::fs::remove_file(entry.path()).map_err(cannot)?;
        }
    }
    Ok(())
}
