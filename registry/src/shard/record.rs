//! Records of a shard's log as bytes, and back.
//!
//! Layout, numbers in little-endian order:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | magic, which says the kind of record |
//! | 4 | version of this format |
//! | 8, 8, 16 | number, epoch and nonce of the owner |
//! | 8, 8 | lengths of head and state |
//! | … | head (postcard), then the learner's state as it is |
//! | 32 | BLAKE3 digest of all before |
//! | 8 | magic again |
//!
//! The kind stands at both ends, for a damaged checkpoint can be passed over and a damaged control
//! input cannot.

use super::Record;
use crate::digest::Nonce;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;
const MAGIC: usize = 8;
const DIGEST: usize = 32;

/// How many bytes tell whose record it is.
pub(super) const HEADER: usize = MAGIC + 4 + 8 + 8 + 16 + 8 + 8;

/// What a record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Acquire,
    Control,
    Checkpoint,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Acquire, Self::Control, Self::Checkpoint];

    const fn magic(self) -> &'static [u8; MAGIC] {
        match self {
            Self::Acquire => b"trueupAQ",
            Self::Control => b"trueupCI",
            Self::Checkpoint => b"trueupKP",
        }
    }

    fn of(magic: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.magic() == magic)
    }

    pub(super) const fn of_record(record: &Record) -> Self {
        match record {
            Record::Acquire { .. } => Self::Acquire,
            Record::Control { .. } => Self::Control,
            Record::Checkpoint { .. } => Self::Checkpoint,
        }
    }

    /// The kind of a record that may be damaged, if either of its ends tells.
    pub(super) fn guess(bytes: &[u8]) -> Option<Self> {
        let front = bytes.get(..MAGIC).and_then(Self::of);
        front.or_else(|| Self::of(&bytes[bytes.len().checked_sub(MAGIC)?..]))
    }
}

/// A record with its place and owner.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) number: u64,
    pub(super) epoch: u64,
    pub(super) nonce: Nonce,
    pub(super) record: Record,
}

/// What stands in a record before the state. Control inputs and metadata are JSON: their forms
/// name their fields.
#[derive(Debug, Serialize, Deserialize)]
enum Head {
    Acquire { writer: String },
    Control { position: u64, control: String, registry_entry: Option<u64> },
    Checkpoint { meta: String },
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data has a JSON form")
}

impl Placed {
    pub(super) fn encode(&self) -> Vec<u8> {
        let (kind, head, state): (_, _, &[u8]) = match &self.record {
            Record::Acquire { writer } => {
                (Kind::Acquire, Head::Acquire { writer: writer.clone() }, &[])
            }
            Record::Control { position, control, registry_entry } => {
                let control = json(control);
                let (position, registry_entry) = (*position, *registry_entry);
                (Kind::Control, Head::Control { position, control, registry_entry }, &[])
            }
            Record::Checkpoint { meta, state } => {
                (Kind::Checkpoint, Head::Checkpoint { meta: json(meta) }, state)
            }
        };
        let head = postcard::to_allocvec(&head).expect("plain data has a form");
        let mut bytes = Vec::with_capacity(HEADER + head.len() + state.len() + DIGEST + MAGIC);
        bytes.extend_from_slice(kind.magic());
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&self.nonce.to_bytes());
        bytes.extend_from_slice(&(head.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&(state.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(state);
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        bytes.extend_from_slice(kind.magic());
        bytes
    }

    /// The record of some bytes; none if one of them is changed or missing.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let damaged = || Unreadable { kind: Kind::guess(bytes), version: None };
        let (sealed, magic) = bytes.split_last_chunk::<MAGIC>().ok_or_else(damaged)?;
        let (body, digest) = sealed.split_last_chunk::<DIGEST>().ok_or_else(damaged)?;
        if blake3::hash(body).as_bytes() != digest {
            return Err(damaged());
        }
        let mut rest = body;
        let kind = Kind::of(take::<MAGIC>(&mut rest).ok_or_else(damaged)?.as_slice());
        if kind.is_none() || kind.map(Kind::magic) != Some(magic) {
            return Err(damaged());
        }
        let version = u32::from_le_bytes(take(&mut rest).ok_or_else(damaged)?);
        if version != VERSION {
            return Err(Unreadable { kind, version: Some(version) });
        }
        Self::fields(rest).ok_or_else(damaged)
    }

    fn fields(mut rest: &[u8]) -> Option<Self> {
        let number = u64::from_le_bytes(take(&mut rest)?);
        let epoch = u64::from_le_bytes(take(&mut rest)?);
        let nonce = Nonce::from_bytes(take(&mut rest)?);
        let head_len = usize::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?;
        let state_len = u64::from_le_bytes(take(&mut rest)?);
        let (head, state) = rest.split_at_checked(head_len)?;
        if state.len() as u64 != state_len {
            return None;
        }
        let record = match postcard::from_bytes(head).ok()? {
            Head::Acquire { writer } => Record::Acquire { writer },
            Head::Control { position, control, registry_entry } => {
                let control = serde_json::from_str(&control).ok()?;
                Record::Control { position, control, registry_entry }
            }
            Head::Checkpoint { meta } => {
                let meta = serde_json::from_str(&meta).ok()?;
                Record::Checkpoint { meta, state: state.to_vec() }
            }
        };
        Some(Self { number, epoch, nonce, record })
    }
}

/// Bytes that are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// What the record was, if one of its ends tells.
    pub(super) kind: Option<Kind>,
    /// The format of a record that is whole and of another version of this program.
    pub(super) version: Option<u32>,
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*first)
}
