//! What a checkpoint keeps beside the state of the core.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use trueup_connector::folder::Admitted;
use trueup_connector::recording::RecordedPosition;

/// Beside the state of the core.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Meta {
    /// The digest of the definition, in hexadecimal digits.
    pub(crate) definition_digest: String,
    /// The environment whose streams it was learned from.
    #[serde(default)]
    pub(crate) environment: String,
    /// The number of events merged.
    pub(crate) merged: u64,
    /// The digest of the state, in hexadecimal digits.
    pub(crate) digest: String,
    /// The wall clock, in microseconds since the Unix epoch.
    pub(crate) at_micros: i64,
    /// The files of each stream that is a folder, in the order of reading.
    pub(crate) admitted: [Vec<Admitted>; 2],
    /// Dead letters so far, by reason.
    pub(crate) dead_letters: BTreeMap<String, u64>,
    /// How many files of dead letters belong to it.
    pub(crate) letter_files: u64,
    /// How far each partition is recorded.
    pub(crate) recorded: Vec<RecordedPosition>,
    /// The registry's last entry by a person that was obeyed.
    pub(crate) seen: u64,
}
