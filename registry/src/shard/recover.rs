//! Finding where a shard's log ends, and what a new owner begins with.

use super::Record;
use super::record::{HEADER, Kind, Placed, Unreadable};
use crate::error::{Error, ErrorKind};
use crate::seal::{self, Broken, FORMAT};
use crate::store::Patient;
use serde::{Deserialize, Serialize};
use trueup_event::Control;

/// What a new owner begins with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recovered {
    /// The newest checkpoint that is whole; none if the shard begins.
    pub checkpoint: Option<Checkpoint>,
    /// The control inputs after it, in order.
    pub controls: Vec<JournalledControl>,
    /// Checkpoints that are damaged and were passed over, newest first.
    pub damaged: Vec<u64>,
    /// The epoch: of the owner for [`super::ShardLog::acquire`].
    pub epoch: u64,
    /// The number of the last record before the acquisition; 0 if there was none.
    pub tip: u64,
    /// Who acquired last before, if it is among the records read.
    pub writer: Option<String>,
}

/// A checkpoint of a shard.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The number of its record.
    pub number: u64,
    /// What readers of the status see.
    pub meta: serde_json::Value,
    /// The state as the core wrote it.
    pub state: Vec<u8>,
}

/// A control input of a shard.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalledControl {
    /// The number of its record.
    pub number: u64,
    /// Its place in the input of the core.
    pub position: u64,
    /// What was decided.
    pub control: Control,
    /// The entry of the model's log that it came from.
    pub registry_entry: Option<u64>,
}

/// A shard as a bystander sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The epoch of its owner.
    pub epoch: u64,
    /// The number of the last record.
    pub tip: u64,
    /// Its owner, if it acquired the shard after the newest checkpoint.
    pub writer: Option<String>,
    /// The number and metadata of the newest checkpoint that is whole.
    pub checkpoint: Option<(u64, serde_json::Value)>,
    /// How many control inputs came after it.
    pub controls: usize,
    /// Checkpoints that are damaged.
    pub damaged: Vec<u64>,
}

impl Recovered {
    pub(super) fn status(self) -> Status {
        Status {
            epoch: self.epoch,
            tip: self.tip,
            writer: self.writer,
            checkpoint: self.checkpoint.map(|checkpoint| (checkpoint.number, checkpoint.meta)),
            controls: self.controls.len(),
            damaged: self.damaged,
        }
    }
}

/// Where the newest checkpoint is; it may be stale.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hint {
    format: u32,
    number: u64,
}

impl Hint {
    pub(super) fn encode(number: u64) -> Vec<u8> {
        seal::seal("hint", &Self { format: FORMAT, number })
    }
}

pub(super) fn path(folder: &str, number: u64) -> String {
    format!("{folder}/{number:020}")
}

pub(super) fn path_of_hint(folder: &str) -> String {
    format!("{folder}/_last_checkpoint")
}

/// The number of a record's path.
pub(super) fn number(folder: &str, path: &str) -> Option<u64> {
    crate::registry::numbered(path.strip_prefix(folder)?.strip_prefix('/')?)
}

/// What the log says, and the first bytes of its last record.
///
/// While an owner goes on, records may be collected between two reads of them: what seems absent
/// is looked for anew before that is believed.
pub(super) fn recover(store: &Patient, folder: &str) -> Result<(Recovered, Vec<u8>), Error> {
    const TRIES_MAX: usize = 3;
    for _ in 1..TRIES_MAX {
        match look(store, folder) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {}
            done => return done,
        }
    }
    look(store, folder)
}

fn look(store: &Patient, folder: &str) -> Result<(Recovered, Vec<u8>), Error> {
    let decode = |bytes: Vec<u8>| seal::open::<Hint>("hint", &bytes);
    let hinted = store.read(&path_of_hint(folder), decode)?.and_then(Result::<_, Broken>::ok);
    let hinted = hinted.map(|hint| hint.number);
    let start = match hinted {
        Some(number) if store.exists(&path(folder, number))? => number,
        Some(_) | None => {
            let listed = store.list(folder)?;
            listed.iter().rev().find_map(|l| number(folder, &l.path)).unwrap_or(0)
        }
    };
    let mut tip = start;
    while store.exists(&path(folder, tip + 1))? {
        tip += 1;
    }
    let mut found = Recovered { tip, ..Recovered::default() };
    if tip == 0 {
        return Ok((found, Vec::new()));
    }
    // A record raises the epoch by one at most, so an unreadable one may have raised it.
    let mut unreadable = 0;
    let mut controls = Vec::new();
    let mut at = tip;
    while at > 0 && found.checkpoint.is_none() {
        match read(store, folder, at)? {
            None if at == tip => return Err(absent(folder, at)),
            None => break,
            Some(Ok(placed)) => {
                found.epoch = found.epoch.max(placed.epoch);
                take(&mut found, &mut controls, placed);
            }
            Some(Err(error)) => {
                pass_over(&mut found, hinted, (folder, at), error)?;
                unreadable += 1;
            }
        }
        at -= 1;
    }
    if found.checkpoint.is_none() && at > 0 {
        return Err(absent(folder, at));
    }
    controls.reverse();
    found.controls = controls;
    found.epoch += unreadable;
    let header = |bytes: Vec<u8>| Ok::<_, ()>(bytes);
    let header = store.read_range(&path(folder, tip), 0..HEADER as u64, header)?;
    Ok((found, header.and_then(Result::ok).unwrap_or_default()))
}

fn take(found: &mut Recovered, controls: &mut Vec<JournalledControl>, placed: Placed) {
    let number = placed.number;
    match placed.record {
        Record::Acquire { writer } => {
            found.writer.get_or_insert(writer);
        }
        Record::Control { position, control, registry_entry } => {
            controls.push(JournalledControl { number, position, control, registry_entry });
        }
        Record::Checkpoint { meta, state } => {
            found.checkpoint = Some(Checkpoint { number, meta, state });
        }
    }
}

/// Passes over a damaged record if nothing is lost by that.
fn pass_over(
    found: &mut Recovered,
    hinted: Option<u64>,
    (folder, number): (&str, u64),
    error: Unreadable,
) -> Result<(), Error> {
    let path = path(folder, number);
    if let Some(version) = error.version {
        let message = format!("record has unknown format {version}: `{path}`");
        return Err(Error::new(ErrorKind::Invalid, message)
            .with_hint("run the version of this program that wrote it"));
    }
    match error.kind {
        Some(Kind::Checkpoint) => found.damaged.push(number),
        Some(Kind::Acquire) => {}
        None if hinted == Some(number) => found.damaged.push(number),
        Some(Kind::Control) => return Err(Error::corrupt(&path, "damaged control input")),
        None => return Err(Error::corrupt(&path, "damaged record")),
    }
    Ok(())
}

fn absent(folder: &str, number: u64) -> Error {
    let path = path(folder, number);
    Error::new(ErrorKind::Corrupt, format!("record is absent, no checkpoint behind it: `{path}`"))
        .with_hint("restore the records, or begin a new shard and replay its sources")
}

fn read(
    store: &Patient,
    folder: &str,
    number: u64,
) -> Result<Option<Result<Placed, Unreadable>>, Error> {
    let decode = |bytes: Vec<u8>| match Placed::decode(&bytes) {
        Ok(placed) if placed.number == number => Ok(placed),
        Ok(placed) => {
            Err(Unreadable { kind: Some(Kind::of_record(&placed.record)), version: None })
        }
        Err(error) => Err(error),
    };
    Ok(store.read(&path(folder, number), decode)?)
}
