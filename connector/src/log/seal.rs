//! Full segments become Parquet, and old ones are deleted, on a thread of their own.
//!
//! Neither is urgent: what fails is told and tried again when the topic is opened the next time.

use super::frame;
use super::segment::{self, SegmentKind};
use super::topic::TopicColumns;
use super::{OFFSET_COLUMN, RECORD_TIME_COLUMN};
use crate::disk;
use crate::error::{Error, ErrorKind};
use crate::io::caught;
use crate::sources::parquet::file::damaged;
use arrow::array::{ArrayRef, TimestampMicrosecondArray, UInt64Array, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, UNIX_EPOCH};
use tempfile::NamedTempFile;
use trueup_event::EventTime;

/// What a topic keeps of its past; everything if nothing is said. Whole segments are deleted,
/// never the one that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Segments whose last row was recorded longer ago are deleted.
    pub keep: Option<Duration>,
    /// Of each partition the oldest segments beyond this are deleted, in bytes.
    pub keep_bytes: Option<u64>,
}

/// Rows per row group: a reader that starts anywhere decodes no more than that in vain.
const GROUP_ROWS: usize = 128 << 10;

/// Where a sealed segment says when its last row was recorded.
const LAST_RECORD_TIME: &str = "trueup.last_record_time";

/// Something to do when there is time.
#[derive(Debug)]
pub(super) enum Job {
    /// Rewrite a full segment as Parquet.
    Seal(PathBuf),
    /// Delete what is not to be kept of a partition.
    Retain {
        /// The partition's folder.
        folder: PathBuf,
        retention: Retention,
        now: EventTime,
    },
}

/// The thread that seals. Dropping it waits for the job under way, and leaves the others undone.
#[derive(Debug)]
pub(super) struct Sealer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_stopped: AtomicBool,
    failures: Mutex<Vec<Error>>,
}

impl Sealer {
    pub(super) fn start() -> Result<Self, Error> {
        let (jobs, todo) = channel();
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("trueup-seal".into())
            .spawn(move || work(&todo, &theirs))
            .map_err(|error| {
                Error::new(ErrorKind::Retry, "cannot start a thread").caused_by(error)
            })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), shared })
    }

    pub(super) fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // A sealer that has died has said why; the next writer seals.
            let _ = jobs.send(job);
        }
    }

    pub(super) fn take_failures(&self) -> Vec<Error> {
        let mut failures = self.shared.failures.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *failures)
    }

    /// Waits until everything is done.
    pub(super) fn finish(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic in it was made a failure already.
            let _ = thread.join();
        }
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Relaxed);
        self.finish();
    }
}

fn work(todo: &Receiver<Job>, shared: &Shared) {
    for job in todo {
        if shared.is_stopped.load(Ordering::Relaxed) {
            return;
        }
        let subject = match &job {
            Job::Seal(path) => path.display().to_string(),
            Job::Retain { folder, .. } => folder.display().to_string(),
        };
        let done = caught(&subject, || match &job {
            Job::Seal(path) => seal(path),
            Job::Retain { folder, retention, now } => retain(folder, *retention, *now),
        });
        if let Err(error) = done.and_then(|done| done) {
            shared.failures.lock().unwrap_or_else(PoisonError::into_inner).push(error);
        }
    }
}

/// Rewrites a full segment, whose name says its first offset, as Parquet.
fn seal(path: &Path) -> Result<(), Error> {
    let cannot = |error| Error::disk("cannot seal the segment", path, error);
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let Ok(first_offset) = name.parse::<u64>() else { return Ok(()) };
    let mut columns = TopicColumns::default();
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        // It was deleted before its turn came.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot(error)),
    };
    let prefix = segment::scan(path, first_offset, &mut columns)?;
    if prefix.bytes != length {
        return Err(Error::corrupt(format!(
            "a full segment is damaged at byte {} of {length}: `{}`",
            prefix.bytes,
            path.display()
        ))
        .with_hint("restore it from a copy; what follows it can still be read"));
    }
    let folder = disk::folder_of(path);
    let file = disk::temporary(folder, disk::TEMPORARY_PREFIX).map_err(cannot)?;
    let file = rewrite(path, first_offset, &columns.schema(), file)?;
    disk::persist(file, &folder.join(segment::sealed_name(first_offset))).map_err(cannot)?;
    fs::remove_file(path).map_err(cannot)
}

fn rewrite(
    path: &Path,
    first_offset: u64,
    columns: &SchemaRef,
    file: NamedTempFile,
) -> Result<NamedTempFile, Error> {
    let label = path.display().to_string();
    let cannot = |error: ParquetError| {
        Error::invalid(format!("cannot write the segment as Parquet: `{label}`"))
            .caused_by(error)
            .with_hint("it stays as it is, and can be read")
    };
    let mut fields = columns.fields().to_vec();
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    fields.push(Arc::new(Field::new(OFFSET_COLUMN, DataType::UInt64, false)));
    fields.push(Arc::new(Field::new(RECORD_TIME_COLUMN, instant, false)));
    let schema = Arc::new(Schema::new(fields));
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .build();
    let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties));
    let mut writer = writer.map_err(cannot)?;
    let (mut failure, mut last) = (None, i64::MIN);
    let source = File::open(path).map_err(|e| Error::disk("cannot seal the segment", path, e))?;
    let mut source = BufReader::with_capacity(1 << 20, source);
    let copied = segment::sound_prefix(&mut source, first_offset, &mut |header, payload| {
        last = last.max(header.record_time);
        let written = frame::decode(payload.to_vec(), header, &label).and_then(|rows| {
            let rows = widened(&rows, header, &schema)
                .map_err(|error| crate::live::rows::cannot_read(&label, error))?;
            writer.write(&rows).map_err(cannot)
        });
        written.map_err(|error| {
            failure = Some(error);
            Error::new(ErrorKind::Retry, "see the failure")
        })
    });
    copied.map_err(|error| Error::disk("cannot seal the segment", path, error))?;
    match failure {
        Some(error) => Err(error),
        None => {
            let last = KeyValue::new(LAST_RECORD_TIME.to_string(), last.to_string());
            writer.append_key_value_metadata(last);
            writer.into_inner().map_err(cannot)
        }
    }
}

/// The rows of a frame in the columns of a sealed segment.
fn widened(
    rows: &RecordBatch,
    header: &frame::Header,
    schema: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    let count = rows.num_rows();
    let offsets = UInt64Array::from_iter_values(header.first_offset..header.next_offset());
    let times = TimestampMicrosecondArray::from_value(header.record_time, count);
    let column = |field: &Arc<Field>| -> Result<ArrayRef, ArrowError> {
        match field.name().as_str() {
            OFFSET_COLUMN => Ok(Arc::new(offsets.clone())),
            RECORD_TIME_COLUMN => Ok(Arc::new(times.clone().with_timezone("UTC"))),
            name => match rows.column_by_name(name) {
                Some(column) => cast(column, field.data_type()),
                None => Ok(new_null_array(field.data_type(), count)),
            },
        }
    };
    let columns = schema.fields().iter().map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
}

/// The number of rows of a sealed segment.
pub(super) fn row_count(path: &Path) -> Result<u64, Error> {
    Ok(u64::try_from(open(path)?.metadata().file_metadata().num_rows()).unwrap_or(0))
}

fn open(path: &Path) -> Result<SerializedFileReader<File>, Error> {
    let file = File::open(path)
        .map_err(|error| Error::disk("cannot read the sealed segment", path, error))?;
    SerializedFileReader::new(file)
        .map_err(|error| damaged("cannot read the footer", &path.display().to_string(), error))
}

/// Deletes the oldest segments of a partition that are not to be kept.
fn retain(folder: &Path, retention: Retention, now: EventTime) -> Result<(), Error> {
    let segments = segment::list(folder)?;
    let cannot = |error| Error::disk("cannot delete old segments in", folder, error);
    let mut sizes = Vec::with_capacity(segments.len());
    for segment in &segments {
        sizes.push(fs::metadata(&segment.path).map_err(cannot)?.len());
    }
    let mut total: u64 = sizes.iter().sum();
    let oldest = retention.keep.map(|keep| {
        let keep = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
        now.micros().saturating_sub(keep)
    });
    let mut is_changed = false;
    let past = segments.len().saturating_sub(1);
    for (segment, size) in segments.iter().zip(sizes).take(past) {
        let is_beyond = retention.keep_bytes.is_some_and(|keep| total > keep);
        let is_old = match oldest {
            Some(oldest) if !is_beyond => last_record_time(segment)? < oldest,
            Some(_) | None => false,
        };
        if !is_beyond && !is_old {
            break;
        }
        fs::remove_file(&segment.path).map_err(cannot)?;
        total -= size;
        is_changed = true;
    }
    if is_changed { disk::sync_folder(folder).map_err(cannot) } else { Ok(()) }
}

/// When the last row of a segment was recorded, in microseconds; one that could not be sealed is
/// as old as its file.
fn last_record_time(segment: &segment::Segment) -> Result<i64, Error> {
    let path = &segment.path;
    let told = match segment.kind {
        SegmentKind::Frames => None,
        SegmentKind::Sealed => {
            let footer = open(path)?;
            let pairs = footer.metadata().file_metadata().key_value_metadata();
            let pair = pairs.and_then(|all| all.iter().find(|p| p.key == LAST_RECORD_TIME));
            pair.and_then(|pair| pair.value.as_ref()?.parse().ok())
        }
    };
    if let Some(told) = told {
        return Ok(told);
    }
    let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
    let changed = changed.map_err(|e| Error::disk("cannot tell the age of", path, e))?;
    let since = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
