//! Writes a recording, durable up to each flush, and never twice the same row.

use super::columns::{Payload, rows_of};
use super::read::{File, list};
use super::{CONTROLS, RecordedControl};
use crate::claim::Claim;
use crate::disk;
use crate::error::{Error, ErrorKind};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::NamedTempFile;
use trueup_event::{Control, EventBatch, EventTime, PartitionId, StreamId};

/// A file that has this many rows is ended before the next flush.
const FILE_ROWS: u64 = 4 << 20;
/// Rows per row group: what is held in memory of each partition.
const GROUP_ROWS: usize = 64 << 10;

/// Where a file says when its last row arrived.
pub(super) const LAST_ARRIVAL: &str = "trueup.last_arrival_time";

/// A stream to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedStream {
    /// The stream in the batches.
    pub stream: StreamId,
    /// The event's name, which becomes a folder's.
    pub event: String,
    /// The name of its time column: the event time is written under it too, unless the batches
    /// have that column themselves.
    pub time: String,
}

/// How far a partition is recorded.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct RecordedPosition {
    /// The stream.
    pub stream: StreamId,
    /// The partition.
    pub partition: PartitionId,
    /// The offset after the last recorded row.
    pub next_offset: u64,
}

/// Writes what a live run is offered.
#[derive(Debug)]
pub struct RecordingWriter {
    folder: PathBuf,
    streams: Vec<RecordedStream>,
    drop_columns: Vec<String>,
    parts: BTreeMap<(StreamId, PartitionId), Part>,
    _claim: Claim,
}

/// A partition being recorded.
#[derive(Debug)]
struct Part {
    folder: PathBuf,
    next_offset: u64,
    open: Option<OpenFile>,
}

/// A file without a name yet.
struct OpenFile {
    writer: ArrowWriter<NamedTempFile>,
    schema: arrow::datatypes::SchemaRef,
    first_offset: u64,
    last_arrival: i64,
}

impl std::fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenFile").field("first_offset", &self.first_offset).finish_non_exhaustive()
    }
}

impl RecordingWriter {
    /// Opens a recording in a folder, or begins one. `drop_columns` are left out of every stream.
    ///
    /// # Errors
    /// If another process is recording there, a name cannot be a folder's, or the disk fails.
    pub fn open(
        folder: &Path,
        streams: &[RecordedStream],
        drop_columns: &[String],
    ) -> Result<Self, Error> {
        disk::create_folder(folder)?;
        let claim = Claim::take(folder)?;
        disk::create_folder(&folder.join(CONTROLS))?;
        disk::sweep(&folder.join(CONTROLS))?;
        let mut parts = BTreeMap::new();
        for stream in streams {
            if stream.event == CONTROLS {
                return Err(Error::invalid(format!("not a name for an event: `{CONTROLS}`"))
                    .with_hint("a recording keeps the control inputs under it"));
            }
            if streams.iter().filter(|other| other.event == stream.event).count() > 1 {
                let event = &stream.event;
                return Err(Error::invalid(format!("two streams of one name: `{event}`")));
            }
            let event = disk::named_folder(folder, &stream.event)?;
            disk::create_folder(&event)?;
            for (partition, folder) in partitions(&event)? {
                disk::sweep(&folder)?;
                if let Some(last) = list(&folder)?.last() {
                    let next_offset = last.first_offset + last.footer()?.row_count;
                    let part = Part { folder, next_offset, open: None };
                    parts.insert((stream.stream, partition), part);
                }
            }
        }
        let (streams, drop_columns) = (streams.to_vec(), drop_columns.to_vec());
        Ok(Self { folder: folder.into(), streams, drop_columns, parts, _claim: claim })
    }

    /// Records a batch as it was offered at `arrival`. Rows that are recorded already are passed
    /// over; a batch that begins beyond them is refused.
    ///
    /// # Errors
    /// If the stream is not one of those opened, there would be a gap, or the disk fails.
    pub fn write(&mut self, batch: &EventBatch, arrival: EventTime) -> Result<(), Error> {
        let stream = self.streams.iter().find(|known| known.stream == batch.stream);
        let Some(stream) = stream else {
            let number = batch.stream.0;
            return Err(Error::invalid(format!("the stream is not recorded: `{number}`")));
        };
        let events_end = batch.first_offset + batch.len() as u64;
        let has_place = |offset: u64| (events_end..batch.next_offset).contains(&offset);
        let is_live = batch.next_offset >= events_end
            && batch.dead.iter().all(|letter| has_place(letter.place.offset));
        if !is_live {
            return Err(Error::invalid(format!(
                "only live sources can be recorded, whose dead letters have offsets: `{}`",
                stream.event
            )));
        }
        let key = (batch.stream, batch.partition);
        if !self.parts.contains_key(&key) {
            let event = disk::named_folder(&self.folder, &stream.event)?;
            let folder = event.join(format!("{:05}", batch.partition.0));
            disk::create_folder(&folder)?;
            let part = Part { folder, next_offset: batch.first_offset, open: None };
            self.parts.insert(key, part);
        }
        let part = self.parts.get_mut(&key).expect("it was just put there");
        if batch.first_offset > part.next_offset {
            return Err(Error::invalid(format!(
                "the recording ends at offset {}, the next rows begin at {}: `{}`",
                part.next_offset,
                batch.first_offset,
                part.folder.display()
            ))
            .with_hint("a recording has no gaps: begin a new one in another folder"));
        }
        if batch.next_offset <= part.next_offset {
            return Ok(());
        }
        let payload = Payload { time: &stream.time, dropped: &self.drop_columns };
        let rows = rows_of(batch, &payload, arrival)?;
        let known = (part.next_offset - batch.first_offset) as usize;
        part.write(&rows.slice(known, rows.num_rows() - known), arrival)
    }

    /// Makes everything written so far durable, as one more file per partition; tells how far each
    /// partition is recorded, for a checkpoint to keep.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn flush(&mut self) -> Result<Vec<RecordedPosition>, Error> {
        for part in self.parts.values_mut() {
            part.end_file()?;
        }
        let position = |(&(stream, partition), part): (&(StreamId, PartitionId), &Part)| {
            RecordedPosition { stream, partition, next_offset: part.next_offset }
        };
        Ok(self.parts.iter().map(position).collect())
    }

    /// Goes back to what a checkpoint knows: files that begin at or after these offsets are
    /// removed, and all files of partitions that are not named.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn truncate_to(&mut self, positions: &[RecordedPosition]) -> Result<(), Error> {
        for (&(stream, partition), part) in &mut self.parts {
            let known = positions.iter().find(|p| (p.stream, p.partition) == (stream, partition));
            let end = known.map_or(0, |position| position.next_offset);
            part.open = None;
            let mut files = list(&part.folder)?;
            while let Some(file) = files.pop_if(|file| file.first_offset >= end) {
                remove(&file)?;
            }
            let sync = disk::sync_folder(&part.folder);
            sync.map_err(|error| Error::disk("cannot write the recording", &part.folder, error))?;
            part.next_offset = match files.last() {
                Some(last) => last.first_offset + last.footer()?.row_count,
                None => end,
            };
        }
        let is_recorded = |&(stream, partition): &(StreamId, PartitionId), part: &mut Part| {
            let has_files = list(&part.folder).is_ok_and(|files| !files.is_empty());
            has_files || positions.iter().any(|p| (p.stream, p.partition) == (stream, partition))
        };
        self.parts.retain(is_recorded);
        Ok(())
    }

    /// Removes the oldest files whose last row arrived longer than `keep` before `now`; the newest
    /// file of a partition stays.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn retain(&mut self, keep: Duration, now: EventTime) -> Result<(), Error> {
        let keep = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
        let oldest = now.micros().saturating_sub(keep);
        for part in self.parts.values() {
            let files = list(&part.folder)?;
            for file in files.iter().take(files.len().saturating_sub(1)) {
                if file.footer()?.last_arrival >= oldest {
                    break;
                }
                remove(file)?;
            }
        }
        Ok(())
    }

    /// Records a control input, durably. The same number twice is written once.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn control(&mut self, number: u64, position: u64, control: &Control) -> Result<(), Error> {
        let path = self.folder.join(CONTROLS).join(format!("{number:020}.json"));
        let recorded = RecordedControl { number, position, control: control.clone() };
        let json = serde_json::to_vec(&recorded).map_err(std::io::Error::from);
        let mut json = json.map_err(|e| Error::disk("cannot write the control", &path, e))?;
        json.push(b'\n');
        disk::replace(&path, &json)
    }

    /// Removes control inputs from `number` on, which no checkpoint or journal knows.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn truncate_controls(&mut self, number: u64) -> Result<(), Error> {
        for (found, path) in super::read::control_files(&self.folder)? {
            if found >= number {
                std::fs::remove_file(&path)
                    .map_err(|error| Error::disk("cannot remove the control", &path, error))?;
            }
        }
        Ok(())
    }
}

impl Part {
    fn write(&mut self, rows: &RecordBatch, arrival: EventTime) -> Result<(), Error> {
        if self.open.as_ref().is_some_and(|open| open.schema != rows.schema()) {
            self.end_file()?;
        }
        if self.open.is_none() {
            self.open = Some(OpenFile::create(&self.folder, rows, self.next_offset)?);
        }
        let open = self.open.as_mut().expect("it was just opened");
        open.writer.write(rows).map_err(|error| cannot(&self.folder, error))?;
        open.last_arrival = open.last_arrival.max(arrival.micros());
        self.next_offset += rows.num_rows() as u64;
        match self.next_offset - open.first_offset >= FILE_ROWS {
            true => self.end_file(),
            false => Ok(()),
        }
    }

    /// Gives the open file its name, durably.
    fn end_file(&mut self) -> Result<(), Error> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let last = KeyValue::new(LAST_ARRIVAL.to_string(), open.last_arrival.to_string());
        open.writer.append_key_value_metadata(last);
        let file = open.writer.into_inner().map_err(|error| cannot(&self.folder, error))?;
        let path = self.folder.join(format!("{:020}.parquet", open.first_offset));
        disk::persist(file, &path)
            .map_err(|error| Error::disk("cannot write the recording", &path, error))
    }
}

impl OpenFile {
    fn create(folder: &Path, rows: &RecordBatch, first_offset: u64) -> Result<Self, Error> {
        let file = disk::temporary(folder, disk::TEMPORARY_PREFIX)
            .map_err(|error| Error::disk("cannot write the recording", folder, error))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(file, rows.schema(), Some(properties))
            .map_err(|error| cannot(folder, error))?;
        Ok(Self { writer, schema: rows.schema(), first_offset, last_arrival: i64::MIN })
    }
}

/// The folders of an event's partitions.
pub(super) fn partitions(event: &Path) -> Result<Vec<(PartitionId, PathBuf)>, Error> {
    let cannot = |error| Error::disk("cannot list the recording", event, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(event).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Ok(number) = name.parse().map(PartitionId)
            && path.is_dir()
        {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

fn remove(file: &File) -> Result<(), Error> {
    std::fs::remove_file(&file.path)
        .map_err(|error| Error::disk("cannot remove a part of the recording", &file.path, error))
}

fn cannot(folder: &Path, error: ParquetError) -> Error {
    Error::new(ErrorKind::Retry, format!("cannot write the recording: `{}`", folder.display()))
        .caused_by(error)
        .with_hint("check the disk: it may be full")
}
