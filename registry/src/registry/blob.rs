//! Blobs: the artifacts of one commit packed into one object, named by its digest.
//!
//! A blob begins with eight bytes of magic and the commit's nonce. So no two commits write the
//! same blob, and collecting the one of a commit that failed can never take away that of another.

use super::paths::Paths;
use crate::decide::Draft;
use crate::digest::{Digest, Nonce};
use crate::entry::{Form, Slice};
use crate::error::{Error, ErrorKind};
use crate::store::{Created, Patient};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const MAGIC: &[u8; 8] = b"trueupb1";

/// A version to publish.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVersion {
    /// The id of the effect that made it (definition digest, shard, ordinal).
    pub id: String,
    /// Which lineage of the engine made it.
    pub lineage: u32,
    /// The engine's own number.
    pub ordinal: u64,
    /// Whether it stands alone.
    pub form: Form,
    /// The id of the version that this delta applies to: published before, or earlier in the same
    /// commit.
    pub parent: Option<String>,
    /// What the gate said, such as `admitted` or `refused:guard`.
    pub verdict: String,
    /// The event-time boundary at which it was made, in microseconds since the Unix epoch.
    pub boundary_micros: i64,
    /// The latest event time it has learned from, in microseconds since the Unix epoch.
    pub trained_until_micros: i64,
    /// The digest of the state it was made from, in hexadecimal digits.
    pub state_digest: String,
    /// What serving loads.
    pub serving: Vec<u8>,
    /// What training resumes from; may be empty.
    pub training: Vec<u8>,
    /// The definition that it was made by, as the serving bridge reads it; may be empty. The same
    /// bytes are stored once per commit.
    pub definition: Vec<u8>,
    /// The lineage record: sources with offsets and digests, code version, metrics, details of
    /// the verdict.
    pub manifest: serde_json::Value,
    /// Whether `champion` moves to it.
    pub promote: bool,
}

/// The lineage record of a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Where the definition is.
    pub definition: Slice,
    /// What was given as [`NewVersion::manifest`].
    pub record: serde_json::Value,
}

/// A lineage record as it is stored; the definition is in the same blob.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    definition: Place,
    record: serde_json::Value,
}

/// The blob of a commit, with what each version of it says.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) blob: Digest,
    pub(super) bytes: Vec<u8>,
    pub(super) drafts: Vec<Draft>,
}

/// A part of a blob that is known from elsewhere.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    offset: u64,
    length: u64,
    sha256: Digest,
}

impl Place {
    fn of(self, blob: Digest) -> Slice {
        let Self { offset, length, sha256 } = self;
        Slice { blob, offset, length, sha256 }
    }
}

#[derive(Debug)]
struct Packer {
    bytes: Vec<u8>,
    known: BTreeMap<Digest, Place>,
}

impl Packer {
    /// The place of these bytes; those that are there already are not added again.
    fn add(&mut self, bytes: &[u8]) -> Place {
        let sha256 = Digest::of(bytes);
        if let Some(known) = self.known.get(&sha256) {
            return *known;
        }
        let (offset, length) = (self.bytes.len() as u64, bytes.len() as u64);
        let place = Place { offset, length, sha256 };
        self.bytes.extend_from_slice(bytes);
        self.known.insert(sha256, place);
        place
    }
}

/// Packs versions into a blob.
pub(super) fn pack(versions: &[NewVersion], nonce: Nonce) -> Result<Packed, Error> {
    let mut packer = Packer { bytes: MAGIC.to_vec(), known: BTreeMap::new() };
    packer.bytes.extend_from_slice(&nonce.to_bytes());
    let mut places = Vec::with_capacity(versions.len());
    for version in versions {
        let definition = packer.add(&version.definition);
        let record = Record { definition, record: version.manifest.clone() };
        let record = serde_json::to_vec(&record).map_err(|error| {
            let message = format!("lineage record of `{}` has no JSON form: `{error}`", version.id);
            Error::new(ErrorKind::Invalid, message)
        })?;
        places.push([&version.serving, &version.training, &record].map(|bytes| packer.add(bytes)));
    }
    let blob = Digest::of(&packer.bytes);
    let draft = |(version, places): (&NewVersion, &[Place; 3])| {
        let [serving, training, manifest] = places.map(|place| place.of(blob));
        draft(version, [serving, training, manifest])
    };
    let drafts = versions.iter().zip(&places).map(draft).collect();
    Ok(Packed { blob, bytes: packer.bytes, drafts })
}

fn draft(version: &NewVersion, [serving, training, manifest]: [Slice; 3]) -> Draft {
    Draft {
        id: version.id.clone(),
        lineage: version.lineage,
        ordinal: version.ordinal,
        form: version.form,
        parent: version.parent.clone(),
        verdict: version.verdict.clone(),
        boundary_micros: version.boundary_micros,
        trained_until_micros: version.trained_until_micros,
        state_digest: version.state_digest.clone(),
        serving,
        training,
        manifest,
        is_promoted: version.promote,
    }
}

/// Writes a blob; one that is there already must have the same bytes.
pub(super) fn write(store: &Patient, path: &str, bytes: &[u8]) -> Result<(), Error> {
    match store.create(path, bytes)? {
        Created::New => Ok(()),
        Created::Exists => {
            let same = |found: Vec<u8>| if found == bytes { Ok(()) } else { Err(()) };
            match store.read(path, same)? {
                Some(Ok(())) => Ok(()),
                Some(Err(())) => Err(Error::corrupt(path, "blob has not the bytes of its name")),
                None => {
                    let message = format!("blob vanished while it was written: `{path}`");
                    Err(Error::new(ErrorKind::Retry, message))
                }
            }
        }
    }
}

/// The bytes of a slice, verified.
pub(super) fn read(store: &Patient, paths: &Paths, slice: &Slice) -> Result<Vec<u8>, Error> {
    let path = paths.blob(slice.blob);
    let end = slice
        .offset
        .checked_add(slice.length)
        .ok_or_else(|| Error::corrupt(&path, "slice ends behind every blob"))?;
    let verified = |bytes: Vec<u8>| match Digest::of(&bytes) == slice.sha256 {
        true => Ok(bytes),
        false => Err(Error::corrupt(&path, "blob has not the bytes that were published")),
    };
    match store.read_range(&path, slice.offset..end, verified)? {
        Some(bytes) => bytes,
        None => {
            let message = format!("blob is absent: `{path}`");
            Err(Error::new(ErrorKind::Missing, message)
                .with_hint("it was collected, or is not copied to this store yet"))
        }
    }
}

/// The lineage record in `bytes`, which were read from `slice`.
pub(super) fn manifest(bytes: &[u8], slice: &Slice) -> Option<Manifest> {
    let Record { definition, record } = serde_json::from_slice(bytes).ok()?;
    Some(Manifest { definition: definition.of(slice.blob), record })
}
