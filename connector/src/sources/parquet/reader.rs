//! The thread that reads, and the iterator that its callers see.
//!
//! The thread runs a few batches ahead and no further. It ends when the reader is dropped, and its
//! files on disk with it; a panic in it is an error of the reader.

use super::assemble::assemble;
use super::file::DataFile;
use super::merge::Merge;
use super::projection::{FileProjection, Projection};
use super::scan::scan;
use crate::dataset::Data;
use crate::error::{Error, ErrorKind};
use crate::io::{Io, Stop, panicked, stopped};
use crate::request::{NullTime, ReadRequest};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use trueup_event::{DeadLetter, EventBatch, EventTime, Origin, PartitionId, RowOrder, StreamId};

/// How many batches the thread runs ahead.
const AHEAD: usize = 3;

/// Everything that a reading needs to know.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) data: Arc<Data>,
    pub(crate) io: Io,
    pub(crate) projection: Projection,
    /// Per file.
    pub(crate) projections: Vec<FileProjection>,
    pub(crate) stream: StreamId,
    pub(crate) null_time: NullTime,
    /// Event times in microseconds.
    pub(crate) range: Range<i64>,
    pub(crate) batch_rows: usize,
    pub(crate) sort_budget_bytes: usize,
    pub(crate) spill_dir: PathBuf,
    pub(crate) progress: Arc<Progress>,
}

/// What the thread lets others see.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    skipped: AtomicU64,
    total: AtomicU64,
    /// The row group being decoded, for a panic: file and number, packed.
    at: AtomicU64,
}

impl Progress {
    pub(crate) fn skip_one(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn at(&self, file: u32, number: usize) {
        self.at.store(Origin::new(file, number as u64).packed(), Ordering::Relaxed);
    }
}

impl Context {
    fn new(data: Arc<Data>, io: Io, request: &ReadRequest) -> Result<Self, Error> {
        let projection = Projection::of_request(&data.columns, request)?;
        let of_file = |file: &DataFile| projection.of_file(&data.columns, file.shape());
        let projections = data.files.iter().map(of_file).collect::<Result<_, _>>()?;
        let micros = |time: Option<EventTime>, open: i64| time.map_or(open, EventTime::micros);
        let progress = Progress { total: AtomicU64::new(data.row_count()), ..Progress::default() };
        Ok(Self {
            io,
            projections,
            projection,
            stream: request.stream,
            null_time: request.null_time,
            range: micros(request.from, i64::MIN)..micros(request.to, i64::MAX),
            batch_rows: request.batch_rows.clamp(1, 1 << 24),
            sort_budget_bytes: request.sort_budget_bytes.max(1),
            spill_dir: request.spill_dir.clone().unwrap_or_else(std::env::temp_dir),
            progress: Arc::new(progress),
            data,
        })
    }

    /// Whether less than everything was asked for.
    pub(crate) fn is_bounded(&self) -> bool {
        self.range != (i64::MIN..i64::MAX)
    }

    /// A row group, as shown to people.
    pub(crate) fn label(&self, file: u32, number: usize) -> String {
        format!("{}, row group {number}", self.data.files[file as usize].label)
    }

    fn batch(&self, first_offset: u64) -> EventBatch {
        EventBatch {
            stream: self.stream,
            partition: PartitionId(0),
            first_offset,
            next_offset: first_offset,
            order: RowOrder::Time,
            times: Arc::from([]),
            record_times: None,
            origins: Arc::from([]),
            rows: RecordBatch::new_empty(Arc::clone(&self.projection.schema)),
            dead: Vec::new(),
        }
    }
}

/// Batches of a data set in event-time order; see [`Dataset::read`](crate::Dataset::read).
///
/// Batches that carry only dead letters come first; then events, whose offsets count from the first
/// event of the data set, whatever the range asked for.
#[derive(Debug)]
pub struct Reader {
    batches: Option<Receiver<Result<EventBatch, Error>>>,
    thread: Option<JoinHandle<()>>,
    stop: Option<Stop>,
    schema: SchemaRef,
    progress: Arc<Progress>,
    data: Arc<Data>,
}

impl Reader {
    /// Starts a reading.
    pub(crate) fn start(data: Arc<Data>, request: &ReadRequest) -> Result<Self, Error> {
        let (io, stop) = Io::stoppable()?;
        let context = Context::new(Arc::clone(&data), io, request)?;
        let schema = Arc::clone(&context.projection.schema);
        let progress = Arc::clone(&context.progress);
        let (sender, batches) = sync_channel(AHEAD);
        let run = move || {
            if let Err(error) = read(&context, &sender) {
                // Nobody listens once the reader is dropped.
                let _ = sender.send(Err(error));
            }
        };
        let thread = std::thread::Builder::new().name("trueup-parquet".into()).spawn(run).map_err(
            |error| Error::new(ErrorKind::Retry, "cannot start a thread").caused_by(error),
        )?;
        let (batches, thread, stop) = (Some(batches), Some(thread), Some(stop));
        Ok(Self { batches, thread, stop, schema, progress, data })
    }

    /// The columns of every batch.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows left out so far because their time is null: complete with the first batch of events.
    #[must_use]
    pub fn skipped_null_time(&self) -> u64 {
        self.progress.skipped.load(Ordering::Relaxed)
    }

    /// How many events there will be in all: exact with the first batch of events, before that the
    /// number of rows in the files.
    #[must_use]
    pub fn rows_total(&self) -> u64 {
        self.progress.total.load(Ordering::Relaxed)
    }

    fn end(&mut self) -> Option<Error> {
        self.batches = None;
        self.stop = None;
        let panic = self.thread.take()?.join().err()?;
        let at = Origin::from_packed(self.progress.at.load(Ordering::Relaxed));
        let label = self.data.files.get(at.file() as usize).map_or("", |file| &file.label);
        Some(panicked(&format!("{label}, row group {}", at.row()), panic.as_ref()))
    }
}

impl Iterator for Reader {
    type Item = Result<EventBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.batches.as_ref()?.recv() {
            Ok(Ok(batch)) => Some(Ok(batch)),
            Ok(Err(error)) => {
                self.end();
                Some(Err(error))
            }
            Err(_) => self.end().map(Err),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.end();
    }
}

/// The work of the thread.
fn read(context: &Context, sender: &SyncSender<Result<EventBatch, Error>>) -> Result<(), Error> {
    let send = |batch| sender.send(Ok(batch)).map_err(|_| stopped());
    let time_only = context.projection.time_only();
    let of_file = |file: &DataFile| time_only.of_file(&context.data.columns, file.shape());
    let times: Vec<FileProjection> =
        context.data.files.iter().map(of_file).collect::<Result<_, _>>()?;
    let mut dead: Vec<DeadLetter> = Vec::new();
    let scanned = scan(context, &times, &mut |letter| {
        dead.push(letter);
        if dead.len() < context.batch_rows {
            return Ok(());
        }
        send(EventBatch { dead: std::mem::take(&mut dead), ..context.batch(0) })
    })?;
    if !dead.is_empty() {
        send(EventBatch { dead, ..context.batch(0) })?;
    }
    let total = scanned.groups.iter().map(|group| group.row_count).sum();
    context.progress.total.store(total, Ordering::Relaxed);
    let mut offset = scanned.before;
    let mut merge = Merge::new(context, scanned.groups);
    assemble(&mut merge, &context.projection.schema, context.batch_rows, &mut |chunk| {
        let first_offset = offset;
        offset += chunk.times.len() as u64;
        send(EventBatch {
            next_offset: offset,
            times: chunk.times.into(),
            origins: chunk.origins.into(),
            rows: chunk.rows,
            ..context.batch(first_offset)
        })
    })
}
