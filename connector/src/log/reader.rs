//! Reads one partition of a topic, from any offset, while it grows, rolls and is sealed.
//!
//! What a live writer has not made durable is not seen. Without a writer every sound frame counts;
//! it is made durable before it is handed out, so that no later recovery can take it back.

use super::frame::{self, HEADER_BYTES, Header};
use super::segment::{self, SegmentKind};
use super::topic::{self, TopicColumns};
use super::{RECORD_TIME_COLUMN, commit, describe, seal};
use crate::error::{Error, ErrorKind};
use crate::io::caught;
use crate::live::rows::{RowReader, Stored};
use crate::live::{LiveSource, Polled};
use crate::request::ReadRequest;
use crate::sources::parquet::file::damaged;
use crate::{claim, disk};
use arrow::array::AsArray;
use arrow::compute::concat_batches;
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use trueup_event::PartitionId;

/// How often a segment that was sealed between listing and opening is looked up again.
const LOOKS: usize = 8;

/// A partition of a topic of the embedded log, as a live source.
#[derive(Debug)]
pub struct LogReader {
    topic: PathBuf,
    folder: PathBuf,
    partition: u32,
    /// The offset of the next row to read.
    position: u64,
    rows: RowReader,
    open: Option<Open>,
    /// The columns of the topic, as far as they were needed.
    columns: SchemaRef,
    is_started: bool,
}

/// The segment being read.
#[derive(Debug)]
enum Open {
    Frames(FrameReader),
    Sealed(SealedReader),
}

/// Reads frames.
#[derive(Debug)]
struct FrameReader {
    file: File,
    path: PathBuf,
    /// The next frame in the file, and the offset of its first row.
    at: u64,
    next_offset: u64,
    /// Rows read and not handed out.
    rest: Option<Rows>,
}

/// Reads a sealed segment.
#[derive(Debug)]
struct SealedReader {
    batches: ParquetRecordBatchReader,
    path: PathBuf,
}

/// Rows with their record times.
#[derive(Debug)]
struct Rows {
    rows: RecordBatch,
    record_times: Vec<i64>,
}

/// How far one may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// Up to this offset.
    Durable(u64),
    /// Up to the last sound frame: nobody is writing.
    Sound,
}

impl Limit {
    fn is_reached(self, offset: u64) -> bool {
        match self {
            Self::Durable(end) => end <= offset,
            Self::Sound => false,
        }
    }
}

impl LogReader {
    /// Opens a partition of the topic in a log's folder, at an offset. Neither topic nor folder
    /// need be there yet.
    ///
    /// # Errors
    /// If the topic has no such partition. Whether the offset is there is seen by the first
    /// [`poll`](LiveSource::poll): an error of kind [`Missing`](ErrorKind::Missing) when it has
    /// been deleted, of kind [`Invalid`](ErrorKind::Invalid) when it lies beyond the end.
    pub fn open(
        folder: &Path,
        topic: &str,
        partition: u32,
        from_offset: u64,
        request: &ReadRequest,
    ) -> Result<Self, Error> {
        let topic = disk::named_folder(folder, topic)?;
        let reader = Self {
            folder: segment::partition_folder(&topic, partition),
            partition,
            position: from_offset,
            rows: RowReader::new(request, PartitionId(partition)),
            open: None,
            columns: TopicColumns::default().schema(),
            is_started: false,
            topic,
        };
        reader.is_there()?;
        Ok(reader)
    }

    /// The offset of the next row that will be read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether there is such a topic by now.
    fn is_there(&self) -> Result<bool, Error> {
        match topic::settings(&self.topic)? {
            None => Ok(false),
            Some(settings) if self.partition < settings.partitions => Ok(true),
            Some(settings) => Err(Error::invalid(format!(
                "the topic has {} partition(s), numbered from 0, not this one: `{}`",
                settings.partitions, self.partition
            ))),
        }
    }

    /// Checks where reading begins; false while there is nothing.
    fn start(&mut self) -> Result<bool, Error> {
        if !self.is_started && self.is_there()? && self.folder.is_dir() {
            let first = segment::list(&self.folder)?.first().map_or(0, |s| s.first_offset);
            let durable = commit::read(&self.folder)?.map_or(0, |mark| mark.next_offset);
            // Where a writer is just recovering, its mark may be behind what was read before.
            if self.position > durable {
                let end = describe::end(&self.folder)?;
                if self.position > end {
                    return Err(self.beyond(first, end));
                }
            }
            if self.position < first {
                return Err(self.deleted(first, durable));
            }
            self.is_started = true;
        }
        Ok(self.is_started)
    }

    fn limit(&self) -> Result<Limit, Error> {
        let durable = commit::read(&self.folder)?.map(|mark| mark.next_offset);
        match durable {
            Some(durable) if self.position < durable => Ok(Limit::Durable(durable)),
            Some(_) | None if claim::has_writer(&self.topic)? => {
                Ok(Limit::Durable(durable.unwrap_or(0)))
            }
            Some(_) | None => Ok(Limit::Sound),
        }
    }

    /// Reads about a batch of rows; none if there is nothing to read now.
    fn gather(&mut self, limit: Limit) -> Result<Option<Stored>, Error> {
        let first_offset = self.position;
        let wanted = self.rows.batch_rows();
        let (mut parts, mut record_times) = (Vec::<RecordBatch>::new(), Vec::new());
        while record_times.len() < wanted {
            let room = wanted - record_times.len();
            let Some(next) = self.next_rows(limit, room)? else { break };
            if parts.first().is_some_and(|part| part.schema() != next.rows.schema()) {
                self.put_back(next);
                break;
            }
            self.position += next.rows.num_rows() as u64;
            record_times.extend(next.record_times);
            parts.push(next.rows);
        }
        let rows = match &parts[..] {
            [] => return Ok(None),
            [one] => one.clone(),
            [first, ..] => concat_batches(&first.schema(), &parts)
                .map_err(|error| crate::live::rows::cannot_read(&self.label(), error))?,
        };
        Ok(Some(Stored { first_offset, rows, record_times: Some(record_times) }))
    }

    /// Keeps rows for the next time.
    fn put_back(&mut self, rows: Rows) {
        match &mut self.open {
            Some(Open::Frames(frames)) => frames.rest = Some(rows.before(frames.rest.take())),
            // Segments are changed only when they have no rest: all of a segment has one schema.
            Some(Open::Sealed(_)) | None => self.open = None,
        }
    }

    /// Up to `room` rows from `position` on.
    fn next_rows(&mut self, limit: Limit, room: usize) -> Result<Option<Rows>, Error> {
        for _ in 0..LOOKS {
            let found = match &mut self.open {
                Some(Open::Frames(frames)) => frames.next(self.position, limit, room)?,
                Some(Open::Sealed(sealed)) => sealed.next()?,
                None => None,
            };
            if found.is_some() {
                return Ok(found);
            }
            if !self.open_segment(limit)? {
                return Ok(None);
            }
        }
        Err(Error::new(
            ErrorKind::Retry,
            format!("the segments change too fast: `{}`", self.label()),
        ))
    }

    /// Opens the segment that holds `position`; false if there is nothing in it to read now.
    fn open_segment(&mut self, limit: Limit) -> Result<bool, Error> {
        if limit.is_reached(self.position) {
            return Ok(false);
        }
        let segments = segment::list(&self.folder)?;
        let Some(first) = segments.first() else { return Ok(false) };
        let at = segments.partition_point(|segment| segment.first_offset <= self.position);
        let Some(found) = at.checked_sub(1).map(|at| &segments[at]) else {
            return Err(self.deleted(first.first_offset, self.position));
        };
        let opened = match found.kind {
            SegmentKind::Frames => {
                if let Some(Open::Frames(frames)) = &self.open
                    && frames.path == found.path
                {
                    return self.at_the_end(limit, at == segments.len());
                }
                FrameReader::open(found, self.position).map(Open::Frames)
            }
            SegmentKind::Sealed => {
                let end = found.first_offset + seal::row_count(&found.path)?;
                if self.position >= end {
                    return self.at_the_end(limit, at == segments.len());
                }
                SealedReader::open(found, self.position, &self.rows).map(Open::Sealed)
            }
        };
        match opened {
            Ok(opened) => self.open = Some(opened),
            // Sealed or deleted after it was listed.
            Err(error) if error.kind() == ErrorKind::Missing => self.open = None,
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// A segment has no more rows: that is the end, unless more are promised.
    fn at_the_end(&self, limit: Limit, is_last: bool) -> Result<bool, Error> {
        match limit {
            Limit::Sound if is_last => Ok(false),
            // A writer may have come and gone on since; its mark will say how far.
            Limit::Sound if commit::read(&self.folder)?.is_some() => Ok(false),
            Limit::Durable(_) | Limit::Sound => Err(Error::corrupt(format!(
                "the log is damaged at offset {}: `{}`",
                self.position,
                self.label()
            ))
            .with_hint("restore the segment that holds this offset from a copy")),
        }
    }

    fn deleted(&self, first: u64, end: u64) -> Error {
        let (label, position) = (self.label(), self.position);
        let end = end.max(first);
        Error::missing(format!(
            "offset {position} is no longer kept, only {first} to {end}: `{label}`"
        ))
        .with_hint("keep more of the log, or begin anew from the offsets that are there")
    }

    fn beyond(&self, first: u64, end: u64) -> Error {
        let (label, position) = (self.label(), self.position);
        Error::invalid(format!(
            "offset {position} lies beyond the end, {first} to {end}: `{label}`"
        ))
        .with_hint("the log was cut or replaced since it was read: begin anew from its start")
    }

    /// The partition's folder, as shown to people.
    fn label(&self) -> String {
        self.folder.display().to_string()
    }
}

impl LiveSource for LogReader {
    fn poll(&mut self) -> Result<Polled, Error> {
        loop {
            if let Some(batch) = self.rows.next() {
                return Ok(Polled::Batch(batch));
            }
            if !self.start()? {
                return Ok(Polled::Nothing);
            }
            let limit = self.limit()?;
            let position = self.position;
            let Some(stored) = self.gather(limit)? else { return Ok(Polled::Nothing) };
            if limit == Limit::Sound
                && let Some(Open::Frames(frames)) = &self.open
            {
                frames.file.sync_data().map_err(|error| frames.failed(error))?;
            }
            if self.rows.lacks(&stored.rows.schema()) && self.rows.lacks(&self.columns) {
                self.columns = TopicColumns::load(&self.topic)?.schema();
            }
            let label = self.label();
            if let Err(error) = self.rows.read(stored, &self.columns, &label) {
                // The same rows again, should the topic get the column that they lack.
                (self.position, self.open) = (position, None);
                return Err(error);
            }
        }
    }

    fn backlog(&self) -> Option<u64> {
        let durable = commit::read(&self.folder).ok()??.next_offset;
        Some(durable.saturating_sub(self.position))
    }

    fn skipped_null_time(&self) -> u64 {
        self.rows.skipped
    }
}

impl FrameReader {
    /// Opens a segment at the frame that holds `position`.
    fn open(segment: &segment::Segment, position: u64) -> Result<Self, Error> {
        let path = segment.path.clone();
        let file = File::open(&path)
            .map_err(|error| Error::disk("cannot read the segment", &path, error))?;
        let (at, next_offset) = (0, segment.first_offset);
        let mut reader = Self { file, path, at, next_offset, rest: None };
        while reader.next_offset < position {
            match reader.header()? {
                Some((_, header)) if header.next_offset() <= position => reader.pass(&header),
                Some(_) | None => break,
            }
        }
        Ok(reader)
    }

    /// The next rows, the first of them at `position`.
    fn next(&mut self, position: u64, limit: Limit, room: usize) -> Result<Option<Rows>, Error> {
        if let Some(rest) = self.rest.take() {
            return Ok(Some(self.up_to(rest, room)));
        }
        if limit.is_reached(self.next_offset) {
            return Ok(None);
        }
        let Some((head, header)) = self.header()? else { return Ok(None) };
        let mut payload = Vec::with_capacity(header.payload_bytes);
        let length = header.payload_bytes as u64;
        let read = (&self.file).take(length).read_to_end(&mut payload);
        read.map_err(|error| self.failed(error))?;
        if !header.fits(&head, &payload) {
            return Ok(None);
        }
        let rows = frame::decode(payload, &header, &self.path.display().to_string())?;
        let skipped = position.saturating_sub(header.first_offset) as usize;
        self.pass(&header);
        let count = rows.num_rows().saturating_sub(skipped);
        let rows = rows.slice(rows.num_rows() - count, count);
        let record_times = vec![header.record_time; count];
        Ok(Some(self.up_to(Rows { rows, record_times }, room)))
    }

    /// Keeps what is beyond `room` for the next time.
    fn up_to(&mut self, rows: Rows, room: usize) -> Rows {
        let Rows { rows, mut record_times } = rows;
        let count = rows.num_rows();
        if count > room {
            let rest = record_times.split_off(room);
            self.rest = Some(Rows { rows: rows.slice(room, count - room), record_times: rest });
        }
        Rows { rows: rows.slice(0, count.min(room)), record_times }
    }

    /// The next header, with the file behind it; none at the end, or at what is no frame.
    fn header(&mut self) -> Result<Option<([u8; HEADER_BYTES], Header)>, Error> {
        let mut head = [0; HEADER_BYTES];
        let mut file = &self.file;
        let read = file.seek(SeekFrom::Start(self.at)).and_then(|_| file.read_exact(&mut head));
        match read {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        }
        let header = Header::parse(&head).filter(|h| h.first_offset == self.next_offset);
        Ok(header.map(|header| (head, header)))
    }

    fn pass(&mut self, header: &Header) {
        self.at += (HEADER_BYTES + header.payload_bytes) as u64;
        self.next_offset = header.next_offset();
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::disk("cannot read the segment", &self.path, error)
    }
}

impl Rows {
    /// These rows and then those.
    fn before(self, rest: Option<Self>) -> Self {
        let Some(rest) = rest else { return self };
        let rows = concat_batches(&self.rows.schema(), [&self.rows, &rest.rows]);
        let record_times = [self.record_times, rest.record_times].concat();
        // Both are slices of one frame.
        let rows = rows.expect("rows of one frame have one schema");
        Self { rows, record_times }
    }
}

impl SealedReader {
    /// Opens a sealed segment at `position`, for the columns that are read.
    fn open(segment: &segment::Segment, position: u64, rows: &RowReader) -> Result<Self, Error> {
        let path = segment.path.clone();
        let label = path.display().to_string();
        let file = File::open(&path)
            .map_err(|error| Error::disk("cannot read the sealed segment", &path, error))?;
        let cannot = |error| damaged("cannot read the sealed segment", &label, error);
        let batches = caught(&label, || {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
            let names: Vec<&str> = rows.names().chain([RECORD_TIME_COLUMN]).collect();
            let fields = builder.schema().fields().iter().enumerate();
            let roots = fields.filter(|(_, field)| names.contains(&field.name().as_str()));
            let roots: Vec<usize> = roots.map(|(root, _)| root).collect();
            let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
            builder
                .with_projection(mask)
                .with_batch_size(rows.batch_rows())
                .with_offset((position - segment.first_offset) as usize)
                .build()
        });
        Ok(Self { batches: batches?.map_err(cannot)?, path })
    }

    fn next(&mut self) -> Result<Option<Rows>, Error> {
        let label = self.path.display().to_string();
        let next = caught(&label, || self.batches.next().transpose())?;
        let next = next.map_err(|error| {
            Error::corrupt(format!("cannot decode the sealed segment: `{label}`"))
                .caused_by(error)
                .with_hint("the file is damaged: restore it from a copy")
        })?;
        let Some(mut rows) = next else { return Ok(None) };
        let at = rows.schema().index_of(RECORD_TIME_COLUMN).map_err(|error| {
            Error::corrupt(format!("not a sealed segment: `{label}`")).caused_by(error)
        })?;
        let times = rows.remove_column(at);
        let times = times
            .as_primitive_opt::<TimestampMicrosecondType>()
            .ok_or_else(|| Error::corrupt(format!("not a sealed segment: `{label}`")))?;
        Ok(Some(Rows { rows, record_times: times.values().to_vec() }))
    }
}
