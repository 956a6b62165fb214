//! One partition being written: recovery, the segment that grows, and its durable mark.

use super::commit::{self, Mark, MarkFile};
use super::frame::{self, Encoded};
use super::segment::{self, CutTail, Prefix, Segment, SegmentKind};
use super::topic::TopicColumns;
use crate::disk;
use crate::error::Error;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Frames are handed to the system in pieces of at least this.
const BUFFER_BYTES: usize = 256 << 10;

/// A partition and its growing segment.
#[derive(Debug)]
pub(super) struct PartitionWriter {
    pub(super) folder: PathBuf,
    file: File,
    path: PathBuf,
    first_offset: u64,
    /// The columns of this segment.
    columns: TopicColumns,
    /// The length of this segment, with what is still in `buffer`.
    bytes: u64,
    buffer: Vec<u8>,
    next_offset: u64,
    mark: MarkFile,
    /// The offset before which all rows are durable.
    pub(super) durable: u64,
}

/// What was found when a partition was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) writer: PartitionWriter,
    pub(super) cut: Option<CutTail>,
    /// Segments that are full and not sealed yet.
    pub(super) unsealed: Vec<PathBuf>,
}

impl PartitionWriter {
    /// Opens a partition: what is not sound at its end is cut off and kept aside.
    /// Rows that were confirmed are given up only if that is asked for.
    pub(super) fn open(topic: &Path, partition: u32, accepts_loss: bool) -> Result<Opened, Error> {
        let folder = segment::partition_folder(topic, partition);
        disk::create_folder(&folder)?;
        disk::sweep(&folder)?;
        let mut segments = segment::list(&folder)?;
        drop_sealed_twice(&mut segments)?;
        let promised = commit::read(&folder)?.unwrap_or_default().next_offset;
        let mut columns = TopicColumns::default();
        let (first_offset, prefix) = match segments.last() {
            Some(last) if last.kind == SegmentKind::Frames => {
                let prefix = segment::scan(&last.path, last.first_offset, &mut columns)?;
                (last.first_offset, prefix)
            }
            Some(last) => {
                let next_offset = last.first_offset + super::seal::row_count(&last.path)?;
                (next_offset, Prefix { bytes: 0, next_offset })
            }
            None => (0, Prefix { bytes: 0, next_offset: 0 }),
        };
        let path = folder.join(segment::frames_name(first_offset));
        let confirmed_rows = promised.saturating_sub(prefix.next_offset);
        if confirmed_rows > 0 && !accepts_loss {
            return Err(lost(&path, prefix.next_offset, promised));
        }
        let cannot = |error| Error::disk("cannot open the segment", &path, error);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let mut file = options.open(&path).map_err(cannot)?;
        let kept_in = keep_tail(&mut file, &folder, prefix).map_err(cannot)?;
        let length = file.metadata().map_err(cannot)?.len();
        file.set_len(prefix.bytes).map_err(cannot)?;
        file.seek(SeekFrom::End(0)).map_err(cannot)?;
        file.sync_all().map_err(cannot)?;
        disk::sync_folder(&folder).map_err(cannot)?;
        let bytes = length - prefix.bytes;
        let next_offset = prefix.next_offset;
        let cut = CutTail { partition, bytes, kept_in, next_offset, confirmed_rows };
        let mark = MarkFile::open(&folder).map_err(cannot)?;
        let mut writer = Self {
            folder,
            file,
            path,
            first_offset,
            columns,
            bytes: prefix.bytes,
            buffer: Vec::new(),
            next_offset,
            mark,
            durable: next_offset,
        };
        writer.write_mark()?;
        let is_full = |s: &&Segment| s.kind == SegmentKind::Frames && s.path != writer.path;
        let unsealed = segments.iter().filter(is_full).map(|s| s.path.clone()).collect();
        let cut = (bytes > 0 || confirmed_rows > 0).then_some(cut);
        Ok(Opened { writer, cut, unsealed })
    }

    /// Whether rows wait for a sync.
    pub(super) fn is_dirty(&self) -> bool {
        self.durable < self.next_offset
    }

    /// Rows as frames that follow what was appended before.
    pub(super) fn frames(&self, rows: &RecordBatch, record_time: i64) -> Result<Frames, Error> {
        let mut frames = Vec::new();
        if rows.num_rows() > 0 {
            frames_of(rows, self.next_offset, record_time, &mut frames)?;
        }
        Ok(Frames { schema: rows.schema(), frames })
    }

    /// Appends frames to the growing segment, or to a new one when it is full or they do not fit.
    /// Every error is one of the disk.
    pub(super) fn append(&mut self, rows: Frames, segment_bytes: u64) -> Result<Appended, Error> {
        let first = self.next_offset;
        let mut full = Vec::new();
        for (frame, row_count) in rows.frames {
            let length = frame.len() as u64;
            let is_full = self.bytes + length > segment_bytes || !self.columns.fit(&rows.schema);
            if self.bytes > 0 && is_full {
                full.push(self.roll()?);
            }
            self.columns.add(&rows.schema);
            self.buffer.extend_from_slice(&frame);
            self.bytes += length;
            self.next_offset += row_count;
            if self.buffer.len() >= BUFFER_BYTES {
                self.write_buffer()?;
            }
        }
        Ok(Appended { offsets: first..self.next_offset, full })
    }

    /// Makes all rows durable, and visible to readers.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        if !self.is_dirty() {
            return Ok(());
        }
        self.write_buffer()?;
        self.file.sync_data().map_err(|error| self.failed(error))?;
        self.durable = self.next_offset;
        self.write_mark()
    }

    /// Begins a new segment; returns the path of the one before.
    fn roll(&mut self) -> Result<PathBuf, Error> {
        self.sync()?;
        let path = self.folder.join(segment::frames_name(self.next_offset));
        let created = OpenOptions::new().create_new(true).write(true).open(&path);
        self.file = created.map_err(|error| self.failed(error))?;
        disk::sync_folder(&self.folder).map_err(|error| self.failed(error))?;
        let full = std::mem::replace(&mut self.path, path);
        (self.first_offset, self.bytes) = (self.next_offset, 0);
        self.columns = TopicColumns::default();
        self.write_mark()?;
        Ok(full)
    }

    fn write_buffer(&mut self) -> Result<(), Error> {
        self.file.write_all(&self.buffer).map_err(|error| self.failed(error))?;
        self.buffer.clear();
        Ok(())
    }

    fn write_mark(&mut self) -> Result<(), Error> {
        let (next_offset, segment, segment_bytes) = (self.durable, self.first_offset, self.bytes);
        let mark = Mark { next_offset, segment, segment_bytes };
        self.mark.write(mark).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::disk("cannot write to the log", &self.path, error)
    }
}

/// Rows that were confirmed cannot be read any more.
fn lost(path: &Path, next_offset: u64, promised: u64) -> Error {
    let path = path.display();
    Error::corrupt(format!("rows {next_offset} to {promised} of a log are damaged: `{path}`"))
        .with_hint(
            "restore the file from a copy; or `trueup append --accept-loss` sets them aside and \
             gives their offsets to new rows, and what was learned from them must be learned anew \
             with `trueup run --fresh`",
        )
}

/// Rows of one schema, encoded.
#[derive(Debug)]
pub(super) struct Frames {
    schema: SchemaRef,
    /// Each with its number of rows.
    frames: Vec<(Vec<u8>, u64)>,
}

/// What became of appended rows.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) offsets: Range<u64>,
    /// Segments that became full.
    pub(super) full: Vec<PathBuf>,
}

/// Encodes rows as one frame, or several where one would be too long.
fn frames_of(
    rows: &RecordBatch,
    first_offset: u64,
    record_time: i64,
    frames: &mut Vec<(Vec<u8>, u64)>,
) -> Result<(), Error> {
    let mut frame = Vec::new();
    let encoded = frame::encode(rows, first_offset, record_time, &mut frame)
        .map_err(|error| Error::invalid("the log cannot hold these rows").caused_by(error))?;
    let count = rows.num_rows();
    match encoded {
        Encoded::Whole => frames.push((frame, count as u64)),
        Encoded::TooLong if count < 2 => {
            let most = frame::PAYLOAD_BYTES_MAX >> 20;
            return Err(Error::invalid(format!("a row is longer than {most} MiB"))
                .with_hint("keep large values elsewhere, and append where they are"));
        }
        Encoded::TooLong => {
            let half = count / 2;
            frames_of(&rows.slice(0, half), first_offset, record_time, frames)?;
            let (rest, from) = (rows.slice(half, count - half), first_offset + half as u64);
            frames_of(&rest, from, record_time, frames)?;
        }
    }
    Ok(())
}

/// A crash between the two steps of sealing leaves both forms: the sealed one is complete.
fn drop_sealed_twice(segments: &mut Vec<Segment>) -> Result<(), Error> {
    let twice: Vec<PathBuf> = segments
        .windows(2)
        .filter(|pair| pair[0].first_offset == pair[1].first_offset)
        .map(|pair| pair[1].path.clone())
        .collect();
    for path in &twice {
        std::fs::remove_file(path)
            .map_err(|error| Error::disk("cannot remove the sealed segment", path, error))?;
    }
    segments.retain(|segment| !twice.contains(&segment.path));
    Ok(())
}

/// Copies what follows the sound beginning to a file of its own, durably.
fn keep_tail(file: &mut File, folder: &Path, prefix: Prefix) -> std::io::Result<Option<PathBuf>> {
    if file.metadata()?.len() <= prefix.bytes {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(prefix.bytes))?;
    for number in 1.. {
        let path = folder.join(format!("{:020}-{number}.torn", prefix.next_offset));
        match OpenOptions::new().create_new(true).write(true).open(&path) {
            Ok(mut kept) => {
                std::io::copy(file, &mut kept)?;
                kept.sync_all()?;
                return Ok(Some(path));
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
