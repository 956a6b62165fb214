//! Reads and writes the world: Parquet data sets on object stores, an embedded log, growing
//! folders, recordings, and dead letters.
//!
//! A [`Dataset`] is a warehouse data set: all its files together are **one partition in event-time
//! order**, whatever the order, the split or the row groups of the files. [`Dataset::read`] hands
//! out batches under [`RowOrder::Time`](trueup_event::RowOrder): rows ascend by event time, and
//! rows of one event time never straddle two batches, so that their reader can settle ties by the
//! rows' own bytes.
//!
//! A [`LiveSource`] is one partition of a stream that grows: a [`log`] topic's, a [`folder`], or a
//! [`recording`] of either. It is asked for one batch after the other and never waits for data.
//!
//! Everything here is blocking for its callers; the async clients of object stores run on a runtime
//! of this crate. Nothing here learns, joins or decides.
//!
//! The feature `cloud` adds Amazon S3, Google Cloud Storage and Azure Blob Storage to the local
//! disk.

pub mod dataset;
pub mod dead_letters;
pub mod error;
pub mod feed;
pub mod folder;
pub mod live;
pub mod log;
pub mod ndjson;
pub mod recording;
pub mod request;
pub mod store;
pub mod write;

mod claim;
mod disk;
mod io;
mod location;
mod sources;

pub use dataset::Dataset;
pub use dead_letters::DeadLetterFile;
pub use error::{Error, ErrorKind};
pub use folder::GrowingFolder;
pub use live::{LiveSource, Polled};
pub use request::{EpochUnit, NullTime, ReadRequest, TimeColumn};
pub use sources::parquet::Reader;
pub use store::{Store, runtime, store};
