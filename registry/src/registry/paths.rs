//! Where the files of a model are.

use crate::digest::Digest;
use crate::names::ModelName;

/// The files of one model.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    pub(super) model: String,
}

/// What a file of a model is, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Entry(u64),
    Checkpoint(u64),
    Blob(Digest),
    Hint,
    Unknown,
}

impl Paths {
    pub(super) fn new(model: &ModelName) -> Self {
        Self { model: format!("models/{model}") }
    }

    pub(super) fn log(&self) -> String {
        format!("{}/log", self.model)
    }

    pub(super) fn entry(&self, number: u64) -> String {
        format!("{}/log/{number:020}.json", self.model)
    }

    pub(super) fn checkpoints(&self) -> String {
        format!("{}/checkpoint", self.model)
    }

    pub(super) fn checkpoint(&self, number: u64) -> String {
        format!("{}/checkpoint/{number:020}.json", self.model)
    }

    pub(super) fn blobs(&self) -> String {
        format!("{}/blobs/sha256", self.model)
    }

    pub(super) fn blob(&self, digest: Digest) -> String {
        format!("{}/blobs/sha256/{digest}", self.model)
    }

    pub(super) fn hint(&self) -> String {
        format!("{}/_last_checkpoint", self.model)
    }

    pub(super) fn kind(&self, path: &str) -> Kind {
        let Some(name) = path.strip_prefix(&self.model) else { return Kind::Unknown };
        let number = |name: &str| numbered(name.strip_suffix(".json")?);
        if name == "/_last_checkpoint" {
            Kind::Hint
        } else if let Some(name) = name.strip_prefix("/log/") {
            number(name).map_or(Kind::Unknown, Kind::Entry)
        } else if let Some(name) = name.strip_prefix("/checkpoint/") {
            number(name).map_or(Kind::Unknown, Kind::Checkpoint)
        } else if let Some(name) = name.strip_prefix("/blobs/sha256/") {
            Digest::parse(name).map_or(Kind::Unknown, Kind::Blob)
        } else {
            Kind::Unknown
        }
    }
}

/// The number that exactly twenty digits write, from 1.
pub(crate) fn numbered(name: &str) -> Option<u64> {
    let is_number = name.len() == 20 && name.bytes().all(|c| c.is_ascii_digit());
    // Far below the highest number of all, so that the next one is a number, too.
    const NUMBER_MAX: u64 = 1_000_000_000_000_000_000;
    let number = name.parse().ok().filter(|number| (1..=NUMBER_MAX).contains(number));
    number.filter(|_| is_number)
}
