//! What a reading asks for: the time, the columns, the range, and the limits on memory.

use std::path::PathBuf;
use trueup_event::{EventTime, StreamId};

/// One reading of a data set, as one stream.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// The stream that the batches and dead letters carry.
    pub stream: StreamId,
    /// Which column holds the event time.
    pub time: TimeColumn,
    /// What to do with rows whose time is null.
    pub null_time: NullTime,
    /// The columns to hand out, in this order. The time column is not among them unless named.
    pub columns: Vec<String>,
    /// Of these, the text columns to hand out as `Dictionary(Int32, Utf8)`; columns of other types
    /// are not changed.
    pub dictionary: Vec<String>,
    /// Of these, the columns to hand out as points in time where their types leave something unsaid
    /// that the time column's `zone` or `epoch` says: texts and dates of an event with a `zone`,
    /// integers of one with an `epoch`. Timestamps without a zone always are, given a `zone`.
    ///
    /// Such a column is `Timestamp(Microsecond, "UTC")`, read as the time column is; a value that
    /// is no time becomes null.
    pub instants: Vec<String>,
    /// How many rows a batch has, more or less: never a part of an event time's rows.
    pub batch_rows: usize,
    /// Only events at or after this.
    pub from: Option<EventTime>,
    /// Only events before this.
    pub to: Option<EventTime>,
    /// How much memory rows may take that must wait for their turn, in bytes. Beyond it they are
    /// spilled. Compressed column chunks of row groups that are being read may take as much again.
    pub sort_budget_bytes: usize,
    /// Where to spill to; the system's folder for temporary files if absent.
    pub spill_dir: Option<PathBuf>,
}

impl ReadRequest {
    /// Everything in `columns` by the event time in `time`; see the fields for what can be changed.
    #[must_use]
    pub fn new(stream: StreamId, time: TimeColumn, columns: Vec<String>) -> Self {
        Self {
            stream,
            time,
            null_time: NullTime::DeadLetter,
            columns,
            dictionary: Vec::new(),
            instants: Vec::new(),
            batch_rows: 8192,
            from: None,
            to: None,
            sort_budget_bytes: 128 << 20,
            spill_dir: None,
        }
    }
}

/// The column that holds the event time, and what the types of an event's times leave unsaid.
///
/// Accepted are timestamps of any unit (finer ones are floored to microseconds), dates, integers
/// with an `epoch` unit, and texts such as `2013-01-01T10:17:00Z` or `2013-01-01 10:17:00`.
///
/// Times without a zone are local times of `zone`. Where clocks go forward, a local time in the gap
/// is moved later by the gap; where they go back, the earlier of the two is meant (RFC 5545).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeColumn {
    /// The column's name.
    pub name: String,
    /// `UTC`, an offset such as `+02:00`, or a name of the IANA database such as
    /// `America/New_York`. Needed for times without a zone; without effect on others.
    pub zone: Option<String>,
    /// The unit of an integer since 1970-01-01T00:00:00Z. Needed for integers; without effect on
    /// others.
    pub epoch: Option<EpochUnit>,
}

impl TimeColumn {
    /// A column that needs neither zone nor unit.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), zone: None, epoch: None }
    }
}

/// The unit of an integer time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum EpochUnit {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanoseconds,
}

/// What to do with a row whose time is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NullTime {
    /// It has not happened yet: counted, and not fed.
    Skip,
    /// It is malformed: a dead letter.
    DeadLetter,
}
