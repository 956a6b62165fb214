//! Keeps what must survive: model versions, aliases, lineage, audit, and shard checkpoints.
//!
//! Everything lies in a [`Store`]: a folder of a disk or a prefix of an object store. Truth is
//! written with put-if-absent alone, one number after the other, so that any number of processes
//! may write at once and none of them needs a lock or a database.
//!
//! - [`Registry`] keeps one log per model: versions, aliases, holds, quarantine, tombstones. What
//!   a log means is decided by pure functions over [`State`]; this crate's files of the stores
//!   alone touch the world.
//! - [`ShardLog`] keeps one log per shard of learning: who owns it, control inputs, checkpoints.
//!
//! Every call blocks. Nothing here reads a clock, except the stores for the age of files; wall
//! time is an input ([`Commit::at_micros`], [`GcPolicy::now_micros`]).

mod decide;
mod digest;
mod entry;
mod error;
mod names;
mod refusal;
mod registry;
mod retention;
mod seal;
pub mod shard;
mod state;
pub mod store;

pub use decide::{Expect, Promotion, RollbackTo};
pub use digest::{Digest, Nonce};
pub use entry::{Change, Entry, Form, Slice, VersionSummary, Writer};
pub use error::{Error, ErrorKind};
pub use names::{AliasName, ModelName, NameError, ShardName};
pub use refusal::Refusal;
pub use registry::gc::{Doomed, GcMode, GcPlan};
pub use registry::verify::{Finding, Problem};
pub use registry::{Commit, Manifest, ModelRegistry, Moved, NewVersion, Published, Registry};
pub use retention::GcPolicy;
pub use shard::{Recovered, ShardLog};
pub use state::{AliasMove, AliasState, State, Tombstone, Version};
pub use store::{Store, StoreError, StoreErrorKind};
