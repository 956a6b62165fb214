//! Where the events of one stream live, and how a replay takes them.

use crate::broadcast::Taker;
use crate::error::Error;
use crate::publication::{FileRecord, SourceRecord};
use arrow::datatypes::SchemaRef;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trueup_connector::log::{self, LogReader};
use trueup_connector::recording::{RecordedEvent, RecordedPartition, Recording};
use trueup_connector::{Dataset, LiveSource, Polled, ReadRequest, Reader, TimeColumn};
use trueup_event::{EventBatch, PartitionId};

/// Where the events of one stream live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Files, a log or a recording.
    pub at: Place,
    /// The column of event time.
    pub time: TimeColumn,
}

/// Files, a log or a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A warehouse data set: path, pattern, folder or URL; relative ones start at `base`.
    Files {
        /// As it was written.
        location: String,
        /// The project's folder.
        base: PathBuf,
    },
    /// A topic of the embedded log.
    Log {
        /// The folder of topics.
        folder: PathBuf,
        /// The topic.
        topic: String,
    },
    /// What a live run was offered of an event.
    Recording {
        /// The recording's folder.
        folder: PathBuf,
        /// The event.
        event: String,
    },
}

impl Place {
    /// As it is shown to people.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Files { location, .. } => location.clone(),
            Self::Log { topic, .. } => format!("log `{topic}`"),
            Self::Recording { folder, event } => {
                format!("recording {}", folder.join(event).display())
            }
        }
    }
}

impl Place {
    /// What a version's record says of it. Files on the local disk are told with their digests.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn record(&self, event: String, files: &[String]) -> Result<SourceRecord, Error> {
        let (kind, location) = match self {
            Self::Files { location, .. } => ("files", location.clone()),
            Self::Log { topic, .. } => ("log", topic.clone()),
            Self::Recording { folder, .. } => ("recording", folder.display().to_string()),
        };
        let mut records = Vec::new();
        if let Self::Files { base, .. } = self {
            for path in files {
                if let Some(record) = FileRecord::of(base, path)? {
                    records.push(record);
                }
            }
        }
        Ok(SourceRecord::new(&event, kind, &location, records))
    }
}

impl FileRecord {
    /// Of a file on the local disk; none of one elsewhere.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(base: &Path, path: &str) -> Result<Option<Self>, Error> {
        let file = base.join(path);
        if !file.is_file() {
            return Ok(None);
        }
        let mut hasher = blake3::Hasher::new();
        let read = std::fs::File::open(&file).and_then(|opened| {
            let size_bytes = opened.metadata()?.len();
            hasher.update_reader(opened)?;
            Ok(size_bytes)
        });
        let size_bytes = read.map_err(|error| Error::File { file, error })?;
        let blake3 = hasher.finalize().to_hex().to_string();
        Ok(Some(Self { path: path.to_owned(), size_bytes, blake3 }))
    }
}

/// A source that was found.
#[derive(Debug, Clone)]
pub enum Opened {
    /// A data set: one partition in event-time order.
    Dataset(Dataset),
    /// A topic.
    Log {
        /// The folder of topics.
        folder: PathBuf,
        /// The topic.
        topic: String,
        /// All columns that it has had.
        schema: SchemaRef,
        /// The first and the next offset of each partition.
        offsets: Vec<(u64, u64)>,
    },
    /// An event of a recording.
    Recording {
        /// The recording.
        recording: Arc<Recording>,
        /// The event.
        event: RecordedEvent,
    },
}

impl Opened {
    /// Finds a source.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn open(place: &Place) -> Result<Self, Error> {
        Ok(match place {
            Place::Files { location, base } => Self::Dataset(Dataset::open(location, base)?),
            Place::Log { folder, topic } => {
                let Some(found) = log::describe(folder, topic)? else {
                    return Err(Error::NoTopic { topic: topic.clone(), folder: folder.clone() });
                };
                let offsets = found.partitions.iter();
                let offsets = offsets.map(|p| (p.first_offset, p.next_offset)).collect();
                let (folder, topic) = (folder.clone(), topic.clone());
                Self::Log { folder, topic, schema: found.schema, offsets }
            }
            Place::Recording { folder, event } => {
                let recording = Recording::open(folder)?;
                let found = recording.events().iter().find(|found| found.name == *event).cloned();
                let Some(found) = found else {
                    return Err(Error::NotRecorded {
                        event: event.clone(),
                        folder: folder.clone(),
                    });
                };
                Self::Recording { recording: Arc::new(recording), event: found }
            }
        })
    }

    /// All columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        match self {
            Self::Dataset(dataset) => Arc::clone(dataset.schema()),
            Self::Log { schema, .. } => Arc::clone(schema),
            Self::Recording { event, .. } => Arc::clone(&event.schema),
        }
    }

    /// The number of rows.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        match self {
            Self::Dataset(dataset) => dataset.row_count(),
            Self::Log { offsets, .. } => offsets.iter().map(|(first, next)| next - first).sum(),
            Self::Recording { event, .. } => {
                event.partitions.iter().map(|part| part.next_offset - part.first_offset).sum()
            }
        }
    }

    /// The files that origins refer to.
    #[must_use]
    pub fn files(&self) -> &[String] {
        match self {
            Self::Dataset(dataset) => dataset.files(),
            Self::Log { .. } | Self::Recording { .. } => &[],
        }
    }

    /// The partitions, ascending.
    #[must_use]
    pub fn partitions(&self) -> Vec<PartitionId> {
        match self {
            Self::Dataset(_) => vec![PartitionId(0)],
            Self::Log { offsets, .. } => (0..offsets.len() as u32).map(PartitionId).collect(),
            Self::Recording { event, .. } => {
                event.partitions.iter().map(|part| part.partition).collect()
            }
        }
    }

    /// Begins to read each partition, in their order.
    ///
    /// # Errors
    /// When a column is missing or clashes, or a partition is not there from its beginning.
    pub(crate) fn feeds(&self, request: &ReadRequest) -> Result<Vec<Feed>, Error> {
        Ok(match self {
            Self::Dataset(dataset) => vec![Feed::Reader(dataset.read(request)?)],
            Self::Log { folder, topic, offsets, .. } => {
                let open = |(partition, (first, _)): (u32, &(u64, u64))| {
                    let reader = LogReader::open(folder, topic, partition, *first, request)?;
                    Ok(Feed::Log(Box::new(reader)))
                };
                (0..).zip(offsets).map(open).collect::<Result<_, Error>>()?
            }
            Self::Recording { recording, event } => {
                let open = |part: &RecordedPartition| {
                    let RecordedPartition { partition, first_offset, .. } = *part;
                    let source = recording.source(&event.name, partition, request, first_offset)?;
                    Ok(Feed::Recorded(Box::new(source)))
                };
                event.partitions.iter().map(open).collect::<Result<_, Error>>()?
            }
        })
    }

    /// Whether it is whole: what is held at its end is released there.
    pub(crate) const fn is_whole(&self) -> bool {
        matches!(self, Self::Dataset(_))
    }
}

/// Where an engine gets the batches of one partition from.
pub(crate) enum Feed {
    /// A reader of its own.
    Reader(Reader),
    /// A reader that several engines share.
    Taker(Taker),
    /// A partition of a log, as far as it goes now.
    Log(Box<dyn LiveSource>),
    /// A partition of a recording.
    Recorded(Box<dyn LiveSource>),
}

impl Feed {
    /// The next batch; none at the end, or when nothing more is there now.
    pub(crate) fn next(&mut self) -> Result<Option<Arc<EventBatch>>, Error> {
        match self {
            Self::Reader(reader) => Ok(reader.next().transpose()?.map(Arc::new)),
            Self::Taker(taker) => taker.take().transpose().map_err(Error::Shared),
            Self::Log(source) | Self::Recorded(source) => match source.poll()? {
                Polled::Batch(batch) => Ok(Some(Arc::new(batch))),
                Polled::Nothing | Polled::Ended => Ok(None),
            },
        }
    }

    /// Whether its end is where a live run waited for more.
    pub(crate) const fn is_recorded(&self) -> bool {
        matches!(self, Self::Recorded(_))
    }

    /// Rows passed over so far because their time is null.
    pub(crate) fn skipped(&self) -> u64 {
        match self {
            Self::Reader(reader) => reader.skipped_null_time(),
            Self::Taker(taker) => taker.skipped(),
            Self::Log(source) | Self::Recorded(source) => source.skipped_null_time(),
        }
    }
}
