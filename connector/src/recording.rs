//! Recordings of live runs: what was offered, as Parquet, so that a stream that is gone can be
//! replayed to the very same result.
//!
//! A recording is a folder. `EVENT/00000/00000000000000012345.parquet` holds rows of a partition
//! from an offset on; `controls/00000000000000000042.json` is a control input. Beside the payload
//! (texts without a dictionary) each row has these columns:
//!
//! | column | holds |
//! |---|---|
//! | `_partition`, `_offset` | its place |
//! | `_event_time` | its event time; null for a row that is no event |
//! | `_record_time` | its record's own timestamp, where the source has such |
//! | `_arrival_time` | when the run was offered it |
//! | `_origin` | the physical row, as [`Origin::packed`](trueup_event::Origin::packed) |
//! | `_batch` | the first offset of its batch |
//! | `_by_time` | whether its batch was in event-time order |
//! | `_reason`, `_detail` | why it is a dead letter; null for an event or a row passed over |
//!
//! Rows that are no events have offsets too, so that a recording without damage has no gap.

mod columns;
mod read;
mod source;
mod write;

pub use read::{RecordedEvent, RecordedPartition, Recording};
pub use source::RecordingReader;
pub use write::{RecordedPosition, RecordedStream, RecordingWriter};

use serde::{Deserialize, Serialize};
use trueup_event::Control;

/// A control input as it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedControl {
    /// Its number in the run's log.
    pub number: u64,
    /// The input position at which it was obeyed.
    pub position: u64,
    /// What it says.
    pub control: Control,
}

/// The folder of the control inputs.
const CONTROLS: &str = "controls";
