//! Control inputs: what the wall clock or the world decides, recorded so that a replay obeys it.

use crate::{EventTime, PartitionId, StreamId};
use serde::{Deserialize, Serialize};

/// Something decided outside the data. It is made durable before it is obeyed, and every restart
/// and replay obeys the record instead of the clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "snake_case")]
pub enum Control {
    /// Raises a partition's running maximum before its event at `before_offset` is merged: an idle
    /// partition, a new partition of a topic, a child shard that starts where its parents ended.
    Lift {
        /// The stream.
        stream: StreamId,
        /// The partition.
        partition: PartitionId,
        /// Takes effect once all events before this offset are merged.
        before_offset: u64,
        /// The new running maximum, if it is higher.
        to: EventTime,
    },
    /// A file that joined a growing folder; files are read in the order of these records.
    Discover {
        /// The stream.
        stream: StreamId,
        /// The file's path relative to the folder.
        path: String,
        /// Its size in bytes.
        size_bytes: u64,
    },
    /// A person or another system made `version` the champion; a hold ends.
    Promote {
        /// The version's number in the registry; 0 is none, until a candidate passes.
        version: u64,
    },
    /// A person went back to an earlier version, which is held: nothing replaces it until a
    /// promotion.
    Rollback {
        /// The version's number in the registry; 0 is the primary estimate alone.
        version: u64,
    },
    /// The learner starts anew: a decision's retrain, a warm start, a return to an earlier state.
    Retrain {
        /// The version whose state it goes on from; 0 is none, so that it starts from nothing.
        from: u64,
    },
    /// The sources are at their end: everything held is released as if the watermark had passed it.
    Drain,
}

impl Control {
    /// The version of the registry that it refers to, if it refers to one.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        let number = match self {
            Self::Promote { version } | Self::Rollback { version } => *version,
            Self::Retrain { from } => *from,
            Self::Lift { .. } | Self::Discover { .. } | Self::Drain => 0,
        };
        (number > 0).then_some(number)
    }
}
