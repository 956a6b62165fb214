//! A warehouse data set of Parquet files, read as one partition in event-time order.
//!
//! A reading goes through these files, top to bottom:
//!
//! 1. [`file`] opens each file's footer; [`schema`] unites their schemas.
//! 2. [`projection`] fixes what each file contributes to the columns asked for, [`time`] how its
//!    times are read.
//! 3. [`scan`] reads the time column alone, once: the range and the order of every row group, and
//!    the rows that have no time.
//! 4. [`group`] decodes a row group batch by batch. Those in order are merged as they are decoded;
//!    [`sort`] orders the others, in memory or in runs that [`spill`] keeps on disk.
//! 5. [`merge`] takes the lowest row of all open runs, opening row groups when their turn comes;
//!    [`assemble`] makes batches of whole event times; [`reader`] hands them over from its thread.
//!
//! How the rows are cut into batches may depend on files and row groups; which rows share an event
//! time, and the order of event times, never does.

mod assemble;
mod chunk;
mod dictionary;
pub(crate) mod file;
mod group;
mod merge;
pub(crate) mod projection;
mod reader;
pub(crate) mod sample;
mod scan;
pub(crate) mod schema;
mod sort;
mod spill;
pub(crate) mod time;

pub use reader::Reader;
