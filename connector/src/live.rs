//! What all live sources have in common: one partition of one stream, asked for batch after batch.
//!
//! A live source hands out [`RowOrder::Arrival`](trueup_event::RowOrder) batches (a growing folder
//! excepted, whose files are in event-time order each). Offsets have no gap from the partition's
//! beginning: each batch begins at the offset at which the one before ended. Rows without an event
//! come after the events of their batch, and take an offset each.
//!
//! Nothing here waits for data: who asks decides how often. Whether a partition is idle is for a
//! clock to say, and there is none in here.

pub(crate) mod rows;

use crate::error::Error;
use trueup_event::EventBatch;

/// One partition of one stream, read as it grows.
///
/// ```no_run
/// # fn main() -> Result<(), trueup_connector::Error> {
/// use trueup_connector::log::LogReader;
/// use trueup_connector::{LiveSource, Polled, ReadRequest, TimeColumn};
///
/// let columns = vec!["trip_id".to_string()];
/// let time = TimeColumn::new("departed_at");
/// let request = ReadRequest::new(trueup_event::StreamId(0), time, columns);
/// let mut trips = LogReader::open(std::path::Path::new("log"), "trips", 0, 0, &request)?;
/// while let Polled::Batch(batch) = trips.poll()? {
///     println!("{} rows, next is {}", batch.len(), batch.next_offset);
/// }
/// # Ok(())
/// # }
/// ```
pub trait LiveSource: Send + std::fmt::Debug {
    /// The next batch of what has been written.
    ///
    /// # Errors
    /// If the source cannot be read, or does not hold what the request asks for. After an error of
    /// kind [`Retry`](crate::ErrorKind::Retry) it may be asked again.
    fn poll(&mut self) -> Result<Polled, Error>;

    /// How many rows are known to wait; none if that is not known.
    fn backlog(&self) -> Option<u64>;

    /// Rows passed over so far because their time is null (under
    /// [`NullTime::Skip`](crate::NullTime::Skip)).
    fn skipped_null_time(&self) -> u64;
}

/// What a live source has to say.
#[derive(Debug)]
pub enum Polled {
    /// The next batch.
    Batch(EventBatch),
    /// Nothing now: everything written so far has been handed out.
    Nothing,
    /// Nothing ever again.
    Ended,
}
