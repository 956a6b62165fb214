//! Events in columns: an Arrow batch with event time, partition and offset.

use crate::DeadLetter;
use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A stream of a pipeline: one analytics event. Numbered in the order in which the pipeline names
/// them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct StreamId(pub u16);

/// A partition of a stream (a Kafka partition, a Kinesis shard, a warehouse data set as a whole).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct PartitionId(pub u32);

/// Where an event stands in its stream.
///
/// `offset` is the event's ordinal in its partition, counted by the source from the partition's
/// beginning; a source whose own positions are wider (Kinesis) keeps them beside it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Place {
    /// The stream.
    pub stream: StreamId,
    /// The partition in the stream.
    pub partition: PartitionId,
    /// The ordinal in the partition.
    pub offset: u64,
}

/// The physical row an event was read from: a file of the data set and a row in it, packed.
///
/// For messages and rows alike it is only ever shown to people (dead letters, predictions).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Origin(u64);

impl Origin {
    const ROW_BITS: u32 = 44;

    /// Row `row` (from 0) of file number `file`. Files beyond 2^20 and rows beyond 2^44 wrap.
    #[must_use]
    pub const fn new(file: u32, row: u64) -> Self {
        Self((file as u64) << Self::ROW_BITS | row & ((1 << Self::ROW_BITS) - 1))
    }

    /// The file's number in the data set, in the order of its listing.
    #[must_use]
    pub const fn file(self) -> u32 {
        (self.0 >> Self::ROW_BITS) as u32
    }

    /// The row in the file, from 0.
    #[must_use]
    pub const fn row(self) -> u64 {
        self.0 & ((1 << Self::ROW_BITS) - 1)
    }

    /// Both, packed in one word.
    #[must_use]
    pub const fn packed(self) -> u64 {
        self.0
    }

    /// From the packed word.
    #[must_use]
    pub const fn from_packed(word: u64) -> Self {
        Self(word)
    }
}

/// What a source promises of the order of rows in its batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOrder {
    /// As they arrived: offsets are the source's own (message logs, recordings, growing folders).
    Arrival,
    /// By event time, rows of equal time in any order but never split over two batches: a warehouse
    /// data set. The reader of the batch settles ties by the row's own bytes.
    Time,
}

/// A run of events of one partition, in columns.
#[derive(Debug, Clone)]
pub struct EventBatch {
    /// The stream.
    pub stream: StreamId,
    /// The partition.
    pub partition: PartitionId,
    /// The offset of the first row; the others follow without gaps.
    pub first_offset: u64,
    /// The offset after the last row, dead rows and rows passed over counted: where the next batch
    /// of the partition begins.
    ///
    /// In a source of messages the rows without an event come after the events of a batch. A
    /// warehouse data set has no offsets for them: there it is `first_offset` and the number of
    /// events.
    pub next_offset: u64,
    /// What the order of rows means.
    pub order: RowOrder,
    /// Event times in microseconds, one per row.
    pub times: Arc<[i64]>,
    /// The record's own timestamps in microseconds, where the source has such.
    pub record_times: Option<Arc<[i64]>>,
    /// The physical row each event was read from.
    pub origins: Arc<[Origin]>,
    /// The columns.
    pub rows: RecordBatch,
    /// Rows that could not even be given an event time. They count as fed. Where they have offsets
    /// of their own, these lie between the last event's and `next_offset`, ascending.
    pub dead: Vec<DeadLetter>,
}

impl EventBatch {
    /// The number of events (dead rows apart).
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is no event in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }
}
