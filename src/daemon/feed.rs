//! One thread per partition: it reads ahead by a few batches and no further.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;
use trueup_connector::folder::Discovered;
use trueup_connector::log::LogReader;
use trueup_connector::{ErrorKind, GrowingFolder, LiveSource, Polled};
use trueup_event::{EventBatch, PartitionId, StreamId};

/// How many batches a partition reads ahead.
const AHEAD: usize = 2;
/// How long a log is left alone when nothing new is there.
const LOG_REST: Duration = Duration::from_millis(10);
/// How long a folder is left alone when nothing new is there.
const FOLDER_REST: Duration = Duration::from_millis(500);
/// The longest wait after faults that pass.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// A partition, open where reading goes on.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) event: String,
    pub(crate) stream: StreamId,
    pub(crate) partition: PartitionId,
    pub(crate) live: Live,
}

/// What a partition is read from.
#[derive(Debug)]
pub(crate) enum Live {
    Log(Box<LogReader>),
    Folder(Box<GrowingFolder>),
}

/// What a partition has to say.
#[derive(Debug)]
pub(crate) enum Fed {
    /// The next batch.
    Batch(EventBatch),
    /// Everything written so far has been handed out.
    CaughtUp,
    /// Nothing ever again.
    Ended,
    /// A file that may be read once that is made durable; the feed waits for the word.
    Discovered(Discovered),
    /// It cannot be read.
    Failed(trueup_connector::Error),
    /// Its thread ended without a word.
    Died,
}

/// The taker's end of a partition.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) event: String,
    pub(crate) stream: StreamId,
    pub(crate) partition: PartitionId,
    batches: Receiver<Fed>,
    /// The word that a discovered file may be read. Dropped, it ends the thread.
    word: Sender<()>,
    backlog: Arc<AtomicU64>,
}

impl Feed {
    /// Starts the thread.
    pub(crate) fn start(partition: Partition) -> std::io::Result<Self> {
        let Partition { event, stream, partition, live } = partition;
        let (sender, batches) = sync_channel(AHEAD);
        let (word, listener) = channel();
        let backlog = Arc::new(AtomicU64::new(0));
        let mut reader = Reader {
            event: event.clone(),
            live,
            sender,
            listener,
            backlog: Arc::clone(&backlog),
            retries: 0,
        };
        std::thread::Builder::new().name(format!("feed-{event}")).spawn(move || reader.run())?;
        Ok(Self { event, stream, partition, batches, word, backlog })
    }

    /// What comes next, if it comes within `timeout`.
    pub(crate) fn take(&self, timeout: Duration) -> Option<Fed> {
        match self.batches.recv_timeout(timeout) {
            Ok(fed) => Some(fed),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Fed::Died),
        }
    }

    /// Lets a discovered file be read.
    pub(crate) fn admit(&self) {
        let _ = self.word.send(());
    }

    /// Rows known to wait, those read ahead apart.
    pub(crate) fn backlog_rows(&self) -> u64 {
        self.backlog.load(Ordering::Relaxed)
    }
}

/// The reading thread.
struct Reader {
    event: String,
    live: Live,
    sender: SyncSender<Fed>,
    listener: Receiver<()>,
    backlog: Arc<AtomicU64>,
    retries: u32,
}

/// Nobody listens any more.
struct Gone;

impl Reader {
    fn run(&mut self) {
        let mut is_told = false;
        loop {
            let polled = self.live.source().poll();
            let rows = self.live.source().backlog().unwrap_or(0);
            self.backlog.store(rows, Ordering::Relaxed);
            let went_on = match polled {
                Ok(Polled::Batch(batch)) => {
                    (is_told, self.retries) = (false, 0);
                    self.say(Fed::Batch(batch))
                }
                Ok(Polled::Ended) => {
                    let _ = self.say(Fed::Ended);
                    return;
                }
                Ok(Polled::Nothing) => self.at_end(&mut is_told),
                Err(error) => self.failed(error),
            };
            if went_on.is_err() {
                return;
            }
        }
    }

    fn say(&self, fed: Fed) -> Result<(), Gone> {
        self.sender.send(fed).map_err(|_| Gone)
    }

    /// Everything has been handed out: looks for new files, tells once, and rests.
    fn at_end(&mut self, is_told: &mut bool) -> Result<(), Gone> {
        let rest = match &mut self.live {
            Live::Log(_) => LOG_REST,
            Live::Folder(folder) => {
                let found = match folder.discover() {
                    Ok(found) => found,
                    Err(error) => return self.failed(error),
                };
                for broken in folder.take_broken() {
                    tracing::error!(
                        event = self.event,
                        file = broken.path,
                        "file cannot be read and is passed over: {}",
                        broken.error
                    );
                }
                let any = !found.is_empty();
                for file in found {
                    let (path, size_bytes) = (file.path.clone(), file.size_bytes);
                    self.sender.send(Fed::Discovered(file)).map_err(|_| Gone)?;
                    self.listener.recv().map_err(|_| Gone)?;
                    folder.admit(&path, size_bytes);
                }
                if any {
                    // Even if they turn out to be empty, the end is to be told of again.
                    *is_told = false;
                    return Ok(());
                }
                FOLDER_REST
            }
        };
        if !*is_told {
            *is_told = true;
            self.say(Fed::CaughtUp)?;
        }
        self.rest(rest)
    }

    fn failed(&mut self, error: trueup_connector::Error) -> Result<(), Gone> {
        if error.kind() != ErrorKind::Retry {
            let _ = self.say(Fed::Failed(error));
            return Err(Gone);
        }
        self.retries += 1;
        let wait = Duration::from_millis(50 << self.retries.min(7)).min(RETRY_MAX);
        tracing::warn!(event = self.event, "source fails and is asked again: {error}");
        self.rest(wait)
    }

    /// Sleeps, unless nobody listens any more.
    fn rest(&self, time: Duration) -> Result<(), Gone> {
        match self.listener.recv_timeout(time) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(Gone),
        }
    }
}

impl Live {
    fn source(&mut self) -> &mut dyn LiveSource {
        match self {
            Self::Log(reader) => reader.as_mut(),
            Self::Folder(folder) => folder.as_mut(),
        }
    }
}
