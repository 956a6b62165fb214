//! A folder that grows: one partition, whose files are read in the order in which they were
//! admitted, each in event-time order.
//!
//! Which file comes next is decided by whoever admits files, and must be recorded before it is
//! obeyed: [`GrowingFolder::discover`] only proposes. Each row of a file takes an offset: first the
//! rows without a readable time, then the events in event-time order, then rows that are passed
//! over. Offsets go on from file to file.

use crate::dataset::Data;
use crate::error::{Error, ErrorKind};
use crate::io::{Io, guarded};
use crate::live::{LiveSource, Polled};
use crate::location::{Found, Location};
use crate::request::ReadRequest;
use crate::sources::parquet::Reader;
use crate::sources::parquet::file::DataFile;
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trueup_event::{EventBatch, Origin, PartitionId, RowOrder};

/// A file that cannot be read is given up when it has not grown for so many looks.
const LOOKS: u32 = 5;

/// How many footers are fetched at once.
const FETCHES: usize = 16;

/// A complete file that was not admitted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// Its key: for a location on the local disk, the path from the folder that is listed.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// How many rows it has.
    pub row_count: u64,
}

/// A file that seems finished and cannot be read; it is not waited for.
#[derive(Debug)]
pub struct BrokenFile {
    /// Its key, as in [`Discovered::path`].
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// What is wrong with it.
    pub error: Error,
}

/// A file in the order of reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    /// Its key, as in [`Discovered::path`].
    pub path: String,
    /// Its size in bytes when it was admitted.
    pub size_bytes: u64,
    /// How many offsets it takes, once that is known. With it, a file that was read need not be
    /// there any more when reading is resumed.
    pub row_count: Option<u64>,
}

/// A growing folder as a live source.
#[derive(Debug)]
pub struct GrowingFolder {
    written: String,
    base: PathBuf,
    location: Option<Location>,
    request: ReadRequest,
    files: Vec<Admitted>,
    keys: BTreeSet<String>,
    /// The file being read, and its first offset.
    current: usize,
    start: u64,
    reading: Option<Reading>,
    /// The offset after the last batch handed out.
    position: u64,
    /// Columns of files that were seen, each with its first type.
    known: SchemaRef,
    unreadable: BTreeMap<String, Unreadable>,
    broken: Vec<BrokenFile>,
    skipped: u64,
}

/// A file being read.
#[derive(Debug)]
struct Reading {
    reader: Reader,
    /// Rows without a readable time so far; they come first.
    dead: u64,
}

/// A file that could not be read yet.
#[derive(Debug)]
struct Unreadable {
    size_bytes: u64,
    looks: u32,
}

impl GrowingFolder {
    /// A folder, a glob or one file, in any place that [`Dataset::open`](crate::Dataset::open)
    /// takes; relative paths start at `base`. It need not be there yet.
    ///
    /// # Errors
    /// If the location cannot be understood.
    pub fn open(location: &str, base: &Path, request: &ReadRequest) -> Result<Self, Error> {
        let mut folder = Self {
            written: location.into(),
            base: base.into(),
            location: None,
            request: request.clone(),
            files: Vec::new(),
            keys: BTreeSet::new(),
            current: 0,
            start: 0,
            reading: None,
            position: 0,
            known: Arc::new(Schema::empty()),
            unreadable: BTreeMap::new(),
            broken: Vec::new(),
            skipped: 0,
        };
        folder.locate()?;
        Ok(folder)
    }

    /// Goes on where a run ended: with the files admitted by then, at an offset.
    pub fn resume(&mut self, admitted: Vec<Admitted>, from_offset: u64) {
        self.keys = admitted.iter().map(|file| file.path.clone()).collect();
        (self.files, self.position) = (admitted, from_offset);
        (self.current, self.start, self.reading) = (0, 0, None);
    }

    /// Complete files that are not admitted yet, sorted by key. Ask about once a second: a file
    /// that cannot be read is given up when it has not grown for five looks.
    ///
    /// # Errors
    /// If the place cannot be listed.
    pub fn discover(&mut self) -> Result<Vec<Discovered>, Error> {
        if !self.locate()? {
            return Ok(Vec::new());
        }
        let Some(location) = &self.location else { return Ok(Vec::new()) };
        let keys = &self.keys;
        let opened = guarded(&self.written, || {
            let io = Io::new()?;
            let found = match io.wait(location.list()) {
                Ok(found) => found,
                Err(error) if error.kind() == ErrorKind::Missing => Vec::new(),
                Err(error) => return Err(error),
            };
            let fresh = found.into_iter().filter(|found| is_fresh(found, keys));
            let open = |found: Found| async {
                let (path, size) = (found.meta.location.to_string(), found.meta.size);
                (path, size, DataFile::open(Arc::clone(&location.store), found).await)
            };
            io.wait(async { Ok(stream::iter(fresh).map(open).buffered(FETCHES).collect().await) })
        });
        let opened: Vec<(String, u64, Result<DataFile, Error>)> = opened?;
        let mut discovered = Vec::new();
        for (path, size_bytes, file) in opened {
            match file {
                Ok(file) => {
                    self.unreadable.remove(&path);
                    self.learn(&file.schema);
                    let row_count = file.row_count();
                    discovered.push(Discovered { path, size_bytes, row_count });
                }
                Err(error) => self.look_again(path, size_bytes, error),
            }
        }
        Ok(discovered)
    }

    /// Files that were given up since the last question; each is told of once.
    #[must_use]
    pub fn take_broken(&mut self) -> Vec<BrokenFile> {
        std::mem::take(&mut self.broken)
    }

    /// Appends a file to the order of reading. One that was admitted before stays at its place.
    pub fn admit(&mut self, path: &str, size_bytes: u64) {
        if self.keys.insert(path.to_string()) {
            self.files.push(Admitted { path: path.into(), size_bytes, row_count: None });
        }
    }

    /// The files in the order of reading. [`Origin::file`] is an index into them.
    #[must_use]
    pub fn admitted(&self) -> &[Admitted] {
        &self.files
    }

    /// The columns of the files that were seen, each with its first type.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.known
    }

    /// Finds the place; false while it is not there.
    fn locate(&mut self) -> Result<bool, Error> {
        if self.location.is_none() {
            match Location::parse(&self.written, &self.base) {
                Ok(location) => self.location = Some(location),
                Err(error) if error.kind() == ErrorKind::Missing => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.location.is_some())
    }

    fn look_again(&mut self, path: String, size_bytes: u64, error: Error) {
        match error.kind() {
            // Gone again, or a fault that passes.
            ErrorKind::Missing | ErrorKind::Retry => return,
            ErrorKind::Invalid | ErrorKind::Corrupt => {}
        }
        let fresh = Unreadable { size_bytes, looks: 0 };
        let seen = self.unreadable.entry(path.clone()).or_insert(fresh);
        if seen.size_bytes != size_bytes {
            *seen = Unreadable { size_bytes, looks: 0 };
        }
        seen.looks = seen.looks.saturating_add(1);
        if seen.looks == LOOKS {
            self.broken.push(BrokenFile { path, size_bytes, error });
        }
    }

    fn learn(&mut self, schema: &Schema) {
        let new = schema.fields().iter().filter(|f| self.known.index_of(f.name()).is_err());
        let new: Vec<_> = new.cloned().collect();
        if !new.is_empty() {
            let fields = self.known.fields().iter().cloned().chain(new);
            self.known = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        }
    }

    /// Opens the file at `current`; checks that it is the one that was admitted.
    fn open_current(&mut self) -> Result<DataFile, Error> {
        self.locate()?;
        let wanted = &self.files[self.current];
        let vanished = || {
            Error::missing(format!("a file vanished before it was read: `{}`", wanted.path))
                .with_hint("put it back: events that come after it wait for it")
        };
        let Some(location) = &self.location else { return Err(vanished()) };
        let file = guarded(&wanted.path, || {
            let io = Io::new()?;
            let found = io.wait(location.find(&wanted.path))?;
            if found.meta.size != wanted.size_bytes {
                return Err(Error::corrupt(format!(
                    "a file changed before it was read, from {} to {} bytes: `{}`",
                    wanted.size_bytes, found.meta.size, wanted.path
                ))
                .with_hint("put back the file as it was, and write changes to a new one"));
            }
            io.wait(DataFile::open(Arc::clone(&location.store), found))
        });
        match file {
            Err(error) if error.kind() == ErrorKind::Missing => Err(vanished().caused_by(error)),
            file => file,
        }
    }

    /// Goes to the file that holds `position`; false when there is none yet.
    fn open_next(&mut self) -> Result<bool, Error> {
        while self.current < self.files.len() {
            let file = match self.files[self.current].row_count {
                Some(rows) if self.start + rows <= self.position => None,
                Some(_) | None => Some(self.open_current()?),
            };
            let admitted = &mut self.files[self.current];
            let rows = file.as_ref().map(DataFile::row_count).or(admitted.row_count).unwrap_or(0);
            admitted.row_count = Some(rows);
            match file.filter(|_| self.start + rows > self.position) {
                None => {
                    self.start += rows;
                    self.current += 1;
                }
                Some(file) => {
                    self.learn(&file.schema);
                    let data = Arc::new(Data::of_one(file, &self.known));
                    let reader = Reader::start(data, &self.request)?;
                    self.reading = Some(Reading { reader, dead: 0 });
                    return Ok(true);
                }
            }
        }
        match self.position > self.start {
            false => Ok(false),
            true => Err(Error::invalid(format!(
                "offset {} lies beyond the files, which end at {}: `{}`",
                self.position, self.start, self.written
            ))
            .with_hint("the admitted files are not those that were read before")),
        }
    }

    /// A batch of the file being read, in the offsets of the partition.
    fn placed(&mut self, mut batch: EventBatch) -> EventBatch {
        let (file, start) = (self.current as u32, self.start);
        let Some(reading) = &mut self.reading else { return batch };
        let moved = |origin: Origin| Origin::new(file, origin.row());
        if batch.is_empty() {
            batch.first_offset = start + reading.dead;
            for letter in &mut batch.dead {
                letter.place.offset = start + reading.dead;
                letter.origin = moved(letter.origin);
                reading.dead += 1;
            }
            batch.next_offset = start + reading.dead;
        } else {
            batch.first_offset += start + reading.dead;
            batch.next_offset = batch.first_offset + batch.len() as u64;
            batch.origins = batch.origins.iter().map(|origin| moved(*origin)).collect();
        }
        batch
    }

    /// Leaves the file that was read to its end, with a batch for its rows that were passed over.
    fn leave(&mut self) -> Option<EventBatch> {
        let reading = self.reading.take()?;
        self.skipped += reading.reader.skipped_null_time();
        let end = self.start + self.files[self.current].row_count.unwrap_or(0);
        let first_offset = self.position.max(self.start);
        (self.current, self.start) = (self.current + 1, end);
        (first_offset < end).then(|| EventBatch {
            stream: self.request.stream,
            partition: PartitionId(0),
            first_offset,
            next_offset: end,
            order: RowOrder::Time,
            times: Arc::from([]),
            record_times: None,
            origins: Arc::from([]),
            rows: RecordBatch::new_empty(Arc::clone(reading.reader.schema())),
            dead: Vec::new(),
        })
    }
}

impl LiveSource for GrowingFolder {
    /// The next batch. Of a file in which a run is resumed, the batch that holds the offset comes
    /// whole, for ties of event time are settled within it.
    fn poll(&mut self) -> Result<Polled, Error> {
        loop {
            let batch = match self.reading.as_mut().map(|reading| reading.reader.next()) {
                Some(Some(Ok(batch))) => Some(self.placed(batch)),
                Some(Some(Err(error))) => {
                    self.reading = None;
                    return Err(error);
                }
                Some(None) => self.leave(),
                None if self.open_next()? => None,
                None => return Ok(Polled::Nothing),
            };
            if let Some(batch) = batch.filter(|batch| batch.next_offset > self.position) {
                self.position = batch.next_offset;
                return Ok(Polled::Batch(batch));
            }
        }
    }

    fn backlog(&self) -> Option<u64> {
        let rows = self.files[self.current.min(self.files.len())..].iter().map(|f| f.row_count);
        let total = rows.sum::<Option<u64>>()?;
        Some((self.start + total).saturating_sub(self.position))
    }

    fn skipped_null_time(&self) -> u64 {
        let open = self.reading.as_ref().map_or(0, |r| r.reader.skipped_null_time());
        self.skipped + open
    }
}

fn is_fresh(found: &Found, keys: &BTreeSet<String>) -> bool {
    let key = found.meta.location.as_ref();
    !key.ends_with(".tmp") && !keys.contains(key)
}
