//! From the text a person writes to the files it names: a path, a glob, a folder or a URL.
//!
//! - A **file** is itself, whatever it is called.
//! - A **folder** is every `*.parquet` beneath it; a **glob** (`*`, `?`, `[a-z]`, `**`) is every
//!   file that matches, and every `*.parquet` beneath a folder that matches. Files and folders
//!   whose names begin with `_` or `.` are left out, as Spark and Hive do.
//! - `s3://`, `gs://` and `az://` need the feature `cloud`.
//!
//! The listing is sorted by name; nothing here opens a file. Folders of table formats, whose logs
//! say which files still count, are refused.

mod glob;
mod store;

use crate::error::{Error, names_hint};
use crate::store::Store;
use futures::TryStreamExt;
use object_store::path::Path as Key;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use std::path::Path;
use std::sync::Arc;

/// A file that a location names.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// As shown to people, in the terms in which the location was written.
    pub(crate) label: String,
    /// Its key in the store, size and version.
    pub(crate) meta: ObjectMeta,
}

/// A store and what to list in it.
#[derive(Debug)]
pub(crate) struct Location {
    /// As it was written.
    written: String,
    pub(crate) store: Arc<dyn ObjectStore>,
    /// What stands before a key when it is shown.
    shown_prefix: String,
    /// The part of the key before the first wildcard.
    fixed: String,
    /// The rest; empty for a file or a folder.
    pattern: Vec<String>,
}

impl Location {
    /// Reads what a person wrote; relative paths start at `base`.
    pub(crate) fn parse(written: &str, base: &Path) -> Result<Self, Error> {
        if written.trim().is_empty() {
            return Err(Error::missing("the location is empty")
                .with_hint("write a path, a glob such as `data/*.parquet`, or a URL"));
        }
        match written.split_once("://") {
            None => Self::local(written, written, base),
            Some(("file", rest)) => {
                let path = rest.strip_prefix("localhost").unwrap_or(rest);
                Self::local(written, &percent_decoded(path), base)
            }
            Some((scheme, rest)) => {
                let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
                let store = store::open(scheme, authority, written)?;
                let shown_prefix = format!("{scheme}://{authority}/");
                Ok(Self::in_store(written, store, shown_prefix, key))
            }
        }
    }

    /// Reads a key or pattern in a store that is at hand.
    pub(crate) fn within(written: &str, store: Arc<dyn ObjectStore>) -> Self {
        let key = written.strip_prefix("memory://").unwrap_or(written);
        Self::in_store(written, store, String::new(), key)
    }

    fn in_store(
        written: &str,
        store: Arc<dyn ObjectStore>,
        shown_prefix: String,
        key: &str,
    ) -> Self {
        let segments: Vec<&str> = key.split('/').filter(|s| !s.is_empty()).collect();
        let wild = segments.iter().position(|s| glob::is_pattern(s)).unwrap_or(segments.len());
        Self {
            written: written.into(),
            store,
            shown_prefix,
            fixed: segments[..wild].join("/"),
            pattern: segments[wild..].iter().map(|s| (*s).to_string()).collect(),
        }
    }

    /// A store is opened at the longest folder without wildcards, so that keys are relative to it.
    fn local(written: &str, path: &str, base: &Path) -> Result<Self, Error> {
        let whole = base.join(path);
        let literal = whole.exists();
        let segments: Vec<&str> = path.split('/').collect();
        let wild = match literal {
            true => segments.len(),
            false => segments.iter().position(|s| glob::is_pattern(s)).unwrap_or(segments.len()),
        };
        let mut shown_prefix = segments[..wild].join("/");
        if wild == 1 && segments[0].is_empty() {
            shown_prefix = "/".into();
        }
        let mut folder = base.join(&shown_prefix);
        let mut fixed = String::new();
        if wild == segments.len() && !folder.is_dir() {
            let name = segments.last().copied().unwrap_or_default();
            shown_prefix = segments[..wild - 1].join("/");
            if path.starts_with('/') && shown_prefix.is_empty() {
                shown_prefix = "/".into();
            }
            folder = base.join(&shown_prefix);
            fixed = name.into();
            if !literal {
                return Err(no_such_file(written, &folder, name));
            }
        }
        if !shown_prefix.is_empty() && !shown_prefix.ends_with('/') {
            shown_prefix.push('/');
        }
        Ok(Self {
            written: written.into(),
            store: store::local(&folder)?,
            shown_prefix,
            fixed,
            pattern: segments[wild..].iter().map(|s| (*s).to_string()).collect(),
        })
    }

    /// The files it names, sorted; at least one.
    pub(crate) async fn list(&self) -> Result<Vec<Found>, Error> {
        let (found, others) = (Vec::new(), Vec::new());
        let mut listing = Listing { store: &*self.store, found, others, table: None };
        let listed = match self.pattern.is_empty() {
            true => listing.file_or_folder(&self.fixed).await,
            false => listing.matches(&self.fixed, &self.pattern).await,
        };
        listed.map_err(|error| Error::store("cannot list", &self.written, error))?;
        let Listing { mut found, others, table, .. } = listing;
        if let Some(format) = table {
            return Err(Error::invalid(format!(
                "the folder is a {format} table: `{}`",
                self.written
            ))
            .with_hint("its files may hold deleted rows: export a snapshot as plain Parquet"));
        }
        if found.is_empty() {
            return Err(self.nothing(&others));
        }
        found.sort_by(|a, b| a.location.cmp(&b.location));
        found.dedup_by(|a, b| a.location == b.location);
        let label = |meta: &ObjectMeta| format!("{}{}", self.shown_prefix, meta.location);
        Ok(found.into_iter().map(|meta| Found { label: label(&meta), meta }).collect())
    }

    /// The file with a key in the store that a listing gave.
    pub(crate) async fn find(&self, key: &str) -> Result<Found, Error> {
        let label = format!("{}{key}", self.shown_prefix);
        let cannot = |error| Error::store("cannot find the file", &label, error);
        let key = Key::parse(key).map_err(|error| cannot(error.into()))?;
        let meta = self.store.head(&key).await.map_err(cannot)?;
        Ok(Found { label, meta })
    }

    fn nothing(&self, others: &[String]) -> Error {
        let error = Error::missing(format!("no Parquet file found: `{}`", self.written));
        match others {
            [] if self.pattern.is_empty() => error.with_hint("there is nothing at that place"),
            [] => error.with_hint("nothing matches; `**` stands for folders at any depth"),
            [first, ..] => error.with_hint(format!(
                "other files are there, such as `{first}`; only `*.parquet` are read, and none \
                 whose name begins with `_` or `.`"
            )),
        }
    }
}

fn no_such_file(written: &str, folder: &Path, name: &str) -> Error {
    let error = Error::missing(format!("no such file or folder: `{written}`"));
    let Ok(entries) = std::fs::read_dir(folder) else {
        return error.with_hint(format!("there is no folder `{}`", folder.display()));
    };
    let mut names: Vec<String> =
        entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    error.with_hint(names_hint(name, "names in that folder", names.iter().map(String::as_str)))
}

/// A listing under way.
struct Listing<'a> {
    store: &'a dyn ObjectStore,
    found: Vec<ObjectMeta>,
    /// A few files that were there and left out.
    others: Vec<String>,
    /// The table format that a folder is kept in.
    table: Option<&'static str>,
}

impl Listing<'_> {
    async fn file_or_folder(&mut self, fixed: &str) -> object_store::Result<()> {
        let key = Key::parse(fixed)?;
        if !fixed.is_empty() {
            match self.store.head(&key).await {
                Ok(meta) => {
                    self.found.push(meta);
                    return Ok(());
                }
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.folder(&key).await
    }

    /// Every Parquet file beneath a folder.
    async fn folder(&mut self, folder: &Key) -> object_store::Result<()> {
        let mut objects = self.store.list(Some(folder));
        while let Some(meta) = objects.try_next().await? {
            let beneath = beneath(folder, &meta.location);
            self.table = self.table.or(table_format(&beneath));
            let hidden = beneath.iter().any(|name| is_hidden(name));
            self.take_if(meta, |name| !hidden && is_parquet(name));
        }
        Ok(())
    }

    /// Walks a pattern down, one folder level per segment, listing no folder that cannot match.
    async fn matches(&mut self, fixed: &str, pattern: &[String]) -> object_store::Result<()> {
        let mut folders = vec![Key::parse(fixed)?];
        for (depth, segment) in pattern.iter().enumerate() {
            if segment == "**" {
                return self.at_any_depth(&folders, &pattern[depth..]).await;
            }
            let is_last = depth + 1 == pattern.len();
            let mut next = Vec::new();
            for folder in &folders {
                let listed = self.store.list_with_delimiter(Some(folder)).await?;
                next.extend(listed.common_prefixes.into_iter().filter(|sub| {
                    sub.filename().is_some_and(|n| !is_hidden(n) && glob::matches(segment, n))
                }));
                if is_last {
                    self.take_files(listed.objects, segment);
                }
            }
            folders = next;
        }
        for folder in &folders {
            self.folder(folder).await?;
        }
        Ok(())
    }

    /// A pattern that says what its files are called (`part-?.snappy`) may name any file; one that
    /// does not (`data/*`) means the Parquet files.
    fn take_files(&mut self, objects: Vec<ObjectMeta>, segment: &str) {
        let names_type = segment.contains('.');
        for meta in objects {
            self.take_if(meta, |name| {
                !is_hidden(name) && glob::matches(segment, name) && (names_type || is_parquet(name))
            });
        }
    }

    async fn at_any_depth(
        &mut self,
        folders: &[Key],
        pattern: &[String],
    ) -> object_store::Result<()> {
        let all_files = pattern.len() == 1;
        for folder in folders {
            let mut objects = self.store.list(Some(folder));
            while let Some(meta) = objects.try_next().await? {
                let path = beneath(folder, &meta.location);
                let fits =
                    !path.iter().any(|name| is_hidden(name)) && glob::matches_path(pattern, &path);
                self.take_if(meta, |name| fits && (!all_files || is_parquet(name)));
            }
        }
        Ok(())
    }

    fn take_if(&mut self, meta: ObjectMeta, wanted: impl Fn(&str) -> bool) {
        if meta.location.filename().is_some_and(wanted) {
            self.found.push(meta);
        } else if self.others.len() < 3 {
            self.others.push(meta.location.to_string());
        }
    }
}

/// The names of the folders between `folder` and a file beneath it, and the file's own.
fn beneath(folder: &Key, file: &Key) -> Vec<String> {
    let rest = file.as_ref().strip_prefix(folder.as_ref()).unwrap_or(file.as_ref());
    rest.split('/').filter(|s| !s.is_empty()).map(str::to_string).collect()
}

fn is_parquet(name: &str) -> bool {
    name.len() > 8
        && name.is_char_boundary(name.len() - 8)
        && name[name.len() - 8..].eq_ignore_ascii_case(".parquet")
}

/// The table format that keeps such a file beneath the folder of a table.
fn table_format(path: &[String]) -> Option<&'static str> {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    match names[..] {
        ["_delta_log", ..] => Some("Delta Lake"),
        [".hoodie", ..] => Some("Hudi"),
        ["metadata", name] if name.ends_with(".metadata.json") => Some("Iceberg"),
        _ => None,
    }
}

/// The place that a location names, for files of one's own.
pub(crate) fn place(written: &str, base: &Path) -> Result<Store, Error> {
    if written.trim().is_empty() {
        return Err(Error::missing("the location is empty").with_hint("write a path or a URL"));
    }
    match written.split_once("://") {
        None => Ok(Store::Disk(base.join(written))),
        Some(("file", rest)) => {
            let path = rest.strip_prefix("localhost").unwrap_or(rest);
            Ok(Store::Disk(base.join(percent_decoded(path))))
        }
        Some((scheme, rest)) => {
            let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
            let store = store::open(scheme, authority, written)?;
            let parts: Vec<&str> = key.split('/').filter(|part| !part.is_empty()).collect();
            Ok(Store::Objects { store, prefix: parts.join("/") })
        }
    }
}

/// Unfinished and bookkeeping files; a partition's key may begin with `_`.
fn is_hidden(name: &str) -> bool {
    name.starts_with(['_', '.']) && !name.contains('=')
}

/// `%41` becomes `A`; what is not an escape of valid UTF-8 stays as it is.
pub(crate) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.into())
}

#[cfg(test)]
mod tests;
