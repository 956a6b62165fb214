//! The embedded log: topics of append-only partitions on the local disk, without a broker.
//!
//! A topic is the folder `FOLDER/TOPIC`. In it `topic.json` says how many partitions there are,
//! `schema.arrow` which columns they have had, and a lock on `writer.lock` that there is one
//! writer. A partition is a folder of segments named by the offset of their first row:
//! `00002/00000000000000012345.seg` holds frames and grows, `.parquet` is a sealed one.
//!
//! - [`LogWriter`] appends batches of rows, and makes them durable a group at a time. What a
//!   [`sync`](LogWriter::sync) has confirmed survives a crash of process and machine.
//! - [`LogReader`] hands out a partition from any offset, in other processes too: only what is
//!   durable, through rolling and sealing.
//! - A full segment is rewritten as Parquet beside the columns `_offset` and `_record_time`, and
//!   whole segments are deleted when they are older or more than is to be kept.
//!
//! A column has one type within a segment: where rows come with another, a new segment begins, so
//! that sealing never changes what a reader sees.

mod commit;
mod describe;
mod frame;
mod keyed;
mod partition;
mod reader;
mod seal;
mod segment;
mod topic;
mod writer;

pub use describe::{PartitionDescription, TopicDescription, describe, topics};
pub use reader::LogReader;
pub use seal::Retention;
pub use segment::CutTail;
pub use writer::{LogOptions, LogWriter};

/// The column of a sealed segment that holds the offset.
const OFFSET_COLUMN: &str = "_offset";
/// The column of a sealed segment that holds the time at which a row was appended.
const RECORD_TIME_COLUMN: &str = "_record_time";
