//! Appends to a topic, and makes what was appended durable a group at a time.
//!
//! After a failed write or sync nothing more is written through the same files: what the system
//! then holds of them is not known. A new writer recovers what is sound.

use super::partition::PartitionWriter;
use super::seal::{Job, Retention, Sealer};
use super::segment::CutTail;
use super::topic::{self, TopicColumns};
use crate::claim::Claim;
use crate::disk;
use crate::error::{Error, ErrorKind};
use arrow::record_batch::RecordBatch;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use trueup_event::{EventTime, Key};

/// How often old segments are looked for.
const RETAIN_EVERY: Duration = Duration::from_secs(60);

/// How a topic is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOptions {
    /// The number of partitions of a new topic; one if absent. An existing topic keeps its own,
    /// and refuses another.
    pub partitions: Option<u32>,
    /// A segment that would become longer is full, in bytes.
    pub segment_bytes: u64,
    /// Rows wait for their sync no longer than this, while rows are appended.
    pub sync_every: Duration,
    /// No more than this waits for a sync, in bytes of memory that rows take.
    pub sync_bytes: u64,
    /// What is kept.
    pub retention: Retention,
    /// Whether rows that were confirmed and are damaged are set aside, and their offsets used
    /// again. Otherwise such a topic is refused.
    pub accepts_loss: bool,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            partitions: None,
            segment_bytes: 128 << 20,
            sync_every: Duration::from_millis(50),
            sync_bytes: 4 << 20,
            retention: Retention::default(),
            accepts_loss: false,
        }
    }
}

/// The one writer of a topic.
///
/// Rows are confirmed by [`LogWriter::sync`]; appending syncs by itself as the options say, but
/// only when it is called: an idle writer must be asked to [`LogWriter::sync_if_due`].
#[derive(Debug)]
pub struct LogWriter {
    topic: PathBuf,
    options: LogOptions,
    partitions: Vec<PartitionWriter>,
    columns: TopicColumns,
    cut: Vec<CutTail>,
    unsynced_bytes: u64,
    unsynced_since: Option<Instant>,
    retained: Instant,
    has_failed: bool,
    // Ends before the claim is given up.
    sealer: Sealer,
    _claim: Claim,
}

impl LogWriter {
    /// Opens a topic of the log in `folder`, or begins it. Unfinished frames at the ends of
    /// partitions are cut off; [`LogWriter::cut_tails`] tells which.
    ///
    /// # Errors
    /// If another process is writing to it, the options do not fit it, rows that were confirmed are
    /// damaged, or the disk fails.
    pub fn open(folder: &Path, topic: &str, options: LogOptions) -> Result<Self, Error> {
        let topic = disk::named_folder(folder, topic)?;
        disk::create_folder(&topic)?;
        let claim = Claim::take(&topic)?;
        disk::sweep(&topic)?;
        let settings = topic::establish(&topic, options.partitions)?;
        let columns = TopicColumns::load(&topic)?;
        let sealer = Sealer::start()?;
        let (mut partitions, mut cut) = (Vec::new(), Vec::new());
        for number in 0..settings.partitions {
            let opened = PartitionWriter::open(&topic, number, options.accepts_loss)?;
            for path in opened.unsealed {
                sealer.send(Job::Seal(path));
            }
            cut.extend(opened.cut);
            partitions.push(opened.writer);
        }
        let mut writer = Self {
            topic,
            options,
            partitions,
            columns,
            cut,
            unsynced_bytes: 0,
            unsynced_since: None,
            retained: Instant::now(),
            has_failed: false,
            sealer,
            _claim: claim,
        };
        writer.retain();
        Ok(writer)
    }

    /// The number of partitions.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.partitions.len() as u32
    }

    /// The partition of a key.
    #[must_use]
    pub fn partition_of(&self, key: Key) -> u32 {
        (key.hash64() % self.partitions.len() as u64) as u32
    }

    /// What opening cut off.
    #[must_use]
    pub fn cut_tails(&self) -> &[CutTail] {
        &self.cut
    }

    /// The offset before which all rows of a partition are durable; 0 for one that is not there.
    #[must_use]
    pub fn durable(&self, partition: u32) -> u64 {
        self.partitions.get(partition as usize).map_or(0, |partition| partition.durable)
    }

    /// Appends rows, recorded now; returns their offsets. They are not durable before a sync.
    ///
    /// # Errors
    /// If the rows cannot be held (then nothing was appended), or the disk fails.
    pub fn append(&mut self, partition: u32, rows: &RecordBatch) -> Result<Range<u64>, Error> {
        self.append_at(partition, rows, now())
    }

    /// Appends rows recorded at `record_time`.
    ///
    /// # Errors
    /// As [`LogWriter::append`].
    pub fn append_at(
        &mut self,
        partition: u32,
        rows: &RecordBatch,
        record_time: EventTime,
    ) -> Result<Range<u64>, Error> {
        self.check_sound()?;
        topic::check(&rows.schema())?;
        let count = self.partitions.len();
        let Some(writer) = self.partitions.get_mut(partition as usize) else {
            return Err(Error::invalid(format!(
                "the topic has {count} partition(s): `{partition}`"
            ))
            .with_hint("partitions are numbered from 0"));
        };
        let rows = typed(rows)?;
        let frames = writer.frames(&rows, record_time.micros())?;
        if self.columns.add(&rows.schema()) {
            self.columns.store(&self.topic)?;
        }
        let appended = writer.append(frames, self.options.segment_bytes);
        let appended = appended.inspect_err(|_| self.has_failed = true)?;
        let has_rolled = !appended.full.is_empty();
        for path in appended.full {
            self.sealer.send(Job::Seal(path));
        }
        if has_rolled {
            self.retain();
        }
        self.unsynced_bytes += rows.get_array_memory_size() as u64;
        self.unsynced_since.get_or_insert_with(Instant::now);
        self.sync_if_due()?;
        Ok(appended.offsets)
    }

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// If the disk fails: then this writer is of no more use, and what was not confirmed may be
    /// there or not.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.check_sound()?;
        for partition in &mut self.partitions {
            if let Err(error) = partition.sync() {
                self.has_failed = true;
                return Err(error);
            }
        }
        (self.unsynced_bytes, self.unsynced_since) = (0, None);
        if self.retained.elapsed() >= RETAIN_EVERY {
            self.retain();
        }
        Ok(())
    }

    /// Syncs if rows have waited as long, or are as many, as the options allow; tells whether rows
    /// still wait.
    ///
    /// # Errors
    /// As [`LogWriter::sync`].
    pub fn sync_if_due(&mut self) -> Result<bool, Error> {
        let Some(since) = self.unsynced_since else { return Ok(false) };
        let is_due = self.unsynced_bytes >= self.options.sync_bytes
            || since.elapsed() >= self.options.sync_every;
        if is_due {
            self.sync()?;
        }
        Ok(!is_due)
    }

    /// What went wrong with sealing and deleting since the last question. The rows are still there,
    /// and it is tried again when the topic is opened the next time.
    #[must_use]
    pub fn take_warnings(&mut self) -> Vec<Error> {
        self.sealer.take_failures()
    }

    /// Syncs, waits until all full segments are sealed, and gives the topic up.
    ///
    /// # Errors
    /// If the disk fails, in sealing too.
    pub fn finish(mut self) -> Result<(), Error> {
        self.sync()?;
        self.retain();
        self.sealer.finish();
        self.sealer.take_failures().into_iter().next().map_or(Ok(()), Err)
    }

    fn retain(&mut self) {
        self.retained = Instant::now();
        if self.options.retention == Retention::default() {
            return;
        }
        for partition in &self.partitions {
            let (folder, retention) = (partition.folder.clone(), self.options.retention);
            self.sealer.send(Job::Retain { folder, retention, now: now() });
        }
    }

    fn check_sound(&self) -> Result<(), Error> {
        match self.has_failed {
            false => Ok(()),
            true => Err(Error::new(
                ErrorKind::Retry,
                format!("the log was given up after a failure: `{}`", self.topic.display()),
            )
            .with_hint("open it again once the disk is well")),
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        if !self.has_failed {
            // Nobody is left to tell; what counts was confirmed by a sync before.
            let _ = self.sync();
        }
    }
}

/// The rows without the columns that hold nothing but nulls.
fn typed(rows: &RecordBatch) -> Result<RecordBatch, Error> {
    let schema = rows.schema();
    let is_typed = |at: &usize| !topic::is_untyped(schema.field(*at));
    let kept: Vec<usize> = (0..rows.num_columns()).filter(is_typed).collect();
    match kept.len() == rows.num_columns() {
        true => Ok(rows.clone()),
        false => rows
            .project(&kept)
            .map_err(|error| Error::invalid("cannot choose columns").caused_by(error)),
    }
}

fn now() -> EventTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    EventTime::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
