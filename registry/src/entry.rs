//! Entries of a model's log: what was done, by whom, when and why, chained by digests.
//!
//! An entry is one line of JSON with fixed order of fields. All its changes happen together.

use crate::digest::{Digest, Nonce};
use crate::names::{AliasName, ModelName, ShardName};
use crate::seal::{self, Broken};
use serde::{Deserialize, Serialize};

/// One entry of a model's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The version of this format.
    pub format: u32,
    /// The model whose log this is.
    pub model: ModelName,
    /// Its place in the log: 1, 2, 3 and so on.
    pub number: u64,
    /// The digest of the bytes of the entry before; none for the first.
    pub previous: Option<Digest>,
    /// By which its writer knows it again.
    pub nonce: Nonce,
    /// Wall clock of the writer in microseconds since the Unix epoch.
    pub at_micros: i64,
    /// Who did it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The shard that wrote it by itself; none when a person did it.
    pub writer: Option<Writer>,
    /// What was done, all at once, in this order.
    pub changes: Vec<Change>,
}

impl Entry {
    /// The bytes of the entry's file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        seal::seal("entry", self)
    }

    /// The entry of some bytes, if not one of them is changed or missing.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Broken> {
        seal::open("entry", bytes)
    }

    /// Whether a person wrote it, and not a shard by itself.
    #[must_use]
    pub fn is_by_person(&self) -> bool {
        self.writer.is_none()
    }
}

/// A shard that writes by itself, at one of its epochs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Writer {
    /// The shard.
    pub shard: ShardName,
    /// How often the shard has been acquired, this time included.
    pub epoch: u64,
}

/// One thing done to a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// A shard has a new owner: nothing by a lower epoch of it is taken from here on.
    Writer {
        /// The shard.
        shard: ShardName,
        /// The owner's epoch.
        epoch: u64,
    },
    /// Versions were added.
    Publish {
        /// The versions, with consecutive numbers.
        versions: Vec<VersionSummary>,
    },
    /// An alias was moved.
    Alias {
        /// The alias.
        alias: AliasName,
        /// The version it named before.
        from: Option<u64>,
        /// The version it names now; none is the primary estimate alone.
        to: Option<u64>,
        /// Whether it stays until a person moves it again.
        hold: bool,
    },
    /// A version was given a tag, or another value of it.
    Tag {
        /// The version.
        version: u64,
        /// The tag's name.
        key: String,
        /// The tag's value.
        value: String,
    },
    /// A version may not be promoted any more.
    Quarantine {
        /// The version.
        version: u64,
    },
    /// Versions were given up; their numbers and ids are not used again.
    Tombstone {
        /// The versions.
        versions: Vec<u64>,
        /// Blobs that no version refers to from here on; deleted when the grace period is over.
        condemned: Vec<Digest>,
        /// Condemned blobs that are deleted.
        collected: Vec<Digest>,
        /// Alias moves and tombstones before this wall clock are forgotten.
        history_from_micros: i64,
    },
}

/// Whether a version stands alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The whole model.
    Base,
    /// What changed since the parent.
    Delta,
}

/// What the log says of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionSummary {
    /// Its number in this registry: 1, 2, 3 and so on.
    pub version: u64,
    /// The id of the effect that made it (definition digest, shard, ordinal): the key by which a
    /// repeated publish is known.
    pub id: String,
    /// Which lineage (definition and learner) of the engine made it.
    pub lineage: u32,
    /// The engine's own number.
    pub ordinal: u64,
    /// Whether it stands alone.
    pub form: Form,
    /// The version that this delta applies to.
    pub parent: Option<u64>,
    /// What the gate said, such as `admitted` or `refused:guard`.
    pub verdict: String,
    /// The event-time boundary at which it was made, in microseconds since the Unix epoch.
    pub boundary_micros: i64,
    /// The latest event time it has learned from, in microseconds since the Unix epoch.
    pub trained_until_micros: i64,
    /// The digest of the state it was made from, in hexadecimal digits.
    pub state_digest: String,
    /// What serving loads.
    pub serving: Slice,
    /// What training resumes from.
    pub training: Slice,
    /// The lineage record.
    pub manifest: Slice,
}

impl VersionSummary {
    /// What two versions of one id must have in common.
    pub(crate) fn fingerprint(&self) -> Digest {
        let form = match self.form {
            Form::Base => "base",
            Form::Delta => "delta",
        };
        let Slice { sha256: serving, .. } = self.serving;
        let Slice { sha256: training, .. } = self.training;
        Digest::of(format!("{form} {} {serving} {training}", self.state_digest).as_bytes())
    }

    /// Every blob that it refers to.
    pub(crate) fn blobs(&self) -> [Digest; 3] {
        [self.serving.blob, self.training.blob, self.manifest.blob]
    }
}

/// A part of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// The digest of the whole blob, which is its name.
    pub blob: Digest,
    /// Where the part begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub length: u64,
    /// The digest of the part.
    pub sha256: Digest,
}
