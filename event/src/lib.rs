//! The words all others speak: event time, place, batch, control input, watermark, merge order.
//!
//! This crate is pure: it knows no clock, no input or output, no thread and no unordered
//! iteration. What is decided here (the order of events, lateness, the two orders of the
//! determinism contract) is decided once, for live runs and replays alike.

pub mod batch;
pub mod control;
pub mod dead_letter;
pub mod duration;
pub mod hash;
pub mod hold;
pub mod key;
pub mod sequencer;
pub mod time;

pub use batch::{EventBatch, Origin, PartitionId, Place, RowOrder, StreamId};
pub use control::Control;
pub use dead_letter::{DeadLetter, Reason};
pub use duration::Duration;
pub use hold::{Held, Hold, Role};
pub use key::Key;
pub use sequencer::{Merged, PartitionPosition, Sequencer, SequencerState, Timed, Turn};
pub use time::EventTime;
