//! What a recording holds: events, partitions, ranges of offsets, control inputs.

use super::columns::OWN;
use super::source::RecordingReader;
use super::write::{LAST_ARRIVAL, partitions};
use super::{CONTROLS, RecordedControl};
use crate::error::Error;
use crate::request::ReadRequest;
use crate::sources::parquet::file::damaged;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trueup_event::PartitionId;

/// A recording, opened for replay.
#[derive(Debug, Clone)]
pub struct Recording {
    folder: PathBuf,
    events: Vec<RecordedEvent>,
    controls: Vec<RecordedControl>,
}

/// An event of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvent {
    /// Its name.
    pub name: String,
    /// Its partitions, by number.
    pub partitions: Vec<RecordedPartition>,
    /// The columns of its payload, each with the type it had first.
    pub schema: SchemaRef,
}

/// A partition of a recorded event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedPartition {
    /// Its number.
    pub partition: PartitionId,
    /// The offset of the first row that is kept.
    pub first_offset: u64,
    /// The offset after the last row.
    pub next_offset: u64,
    /// The files, in order.
    pub(super) files: Vec<File>,
}

/// A file of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) first_offset: u64,
    pub(super) path: PathBuf,
}

/// What the footer of a file says.
#[derive(Debug)]
pub(super) struct Footer {
    pub(super) row_count: u64,
    /// In microseconds.
    pub(super) last_arrival: i64,
    pub(super) schema: SchemaRef,
}

impl Recording {
    /// Opens the recording in a folder.
    ///
    /// # Errors
    /// If there is none, or it has a gap or a damaged file, which is named.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let cannot = |error| Error::disk("cannot open the recording", folder, error);
        let mut events = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && name != CONTROLS && !name.starts_with('.') {
                events.push(event(name, &path)?);
            }
        }
        if !folder.join(CONTROLS).is_dir() {
            return Err(Error::missing(format!("not a recording: `{}`", folder.display()))
                .with_hint("name the folder that the run was told to record to"));
        }
        events.sort_by(|a, b| a.name.cmp(&b.name));
        let mut controls = Vec::new();
        for (number, path) in control_files(folder)? {
            controls.push(control(number, &path)?);
        }
        Ok(Self { folder: folder.into(), events, controls })
    }

    /// The recorded events, by name.
    #[must_use]
    pub fn events(&self) -> &[RecordedEvent] {
        &self.events
    }

    /// The control inputs, in their order.
    #[must_use]
    pub fn controls(&self) -> &[RecordedControl] {
        &self.controls
    }

    /// A partition of an event from an offset on, as a live source that ends. Batches are those
    /// that were offered where they were in event-time order; otherwise they may be cut at other
    /// places.
    ///
    /// # Errors
    /// If there is no such event, partition or offset.
    pub fn source(
        &self,
        event: &str,
        partition: PartitionId,
        request: &ReadRequest,
        from_offset: u64,
    ) -> Result<RecordingReader, Error> {
        let label = self.folder.display();
        let Some(found) = self.events.iter().find(|known| known.name == event) else {
            let names = self.events.iter().map(|event| event.name.as_str());
            return Err(Error::missing(format!("no event `{event}` in the recording: `{label}`"))
                .with_hint(crate::error::names_hint(event, "events", names)));
        };
        let number = partition.0;
        let part = found.partitions.iter().find(|part| part.partition == partition);
        let Some(part) = part else {
            return Err(Error::missing(format!(
                "no partition {number} of `{event}` in the recording: `{label}`"
            )));
        };
        if !(part.first_offset..=part.next_offset).contains(&from_offset) {
            let (first, next) = (part.first_offset, part.next_offset);
            return Err(Error::missing(format!(
                "offset {from_offset} of `{event}` is not recorded, only {first} to {next}: \
                 `{label}`"
            )));
        }
        Ok(RecordingReader::new(part, Arc::clone(&found.schema), request, from_offset))
    }
}

fn event(name: &str, folder: &Path) -> Result<RecordedEvent, Error> {
    let mut known: Vec<FieldRef> = Vec::new();
    let mut parts = Vec::new();
    for (partition, folder) in partitions(folder)? {
        let files = list(&folder)?;
        let Some(first) = files.first() else { continue };
        let (first_offset, mut next_offset) = (first.first_offset, first.first_offset);
        for file in &files {
            if file.first_offset != next_offset {
                return Err(gap(next_offset, &file.path));
            }
            let footer = file.footer()?;
            next_offset += footer.row_count;
            for field in footer.schema.fields() {
                let is_own = OWN.contains(&field.name().as_str());
                if !is_own && !known.iter().any(|known| known.name() == field.name()) {
                    known.push(Arc::clone(field));
                }
            }
        }
        parts.push(RecordedPartition { partition, first_offset, next_offset, files });
    }
    let schema = Arc::new(Schema::new(known));
    Ok(RecordedEvent { name: name.into(), partitions: parts, schema })
}

/// The error for rows that are missing before a place in a file.
pub(super) fn gap(expected: u64, path: &Path) -> Error {
    Error::corrupt(format!(
        "the recording has a gap, offset {expected} should stand in: `{}`",
        path.display()
    ))
    .with_hint("restore the files that are missing, or replay the range after the gap")
}

/// The files of a partition, in order.
pub(super) fn list(folder: &Path) -> Result<Vec<File>, Error> {
    let files = numbered(folder, ".parquet")?.into_iter();
    Ok(files.map(|(first_offset, path)| File { first_offset, path }).collect())
}

/// The files of control inputs, in order.
pub(super) fn control_files(folder: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    numbered(&folder.join(CONTROLS), ".json")
}

/// The files that are called by a number of 20 digits, in order.
fn numbered(folder: &Path, ending: &str) -> Result<Vec<(u64, PathBuf)>, Error> {
    let cannot = |error| Error::disk("cannot list the recording", folder, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_suffix(ending).filter(|number| number.len() == 20);
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

fn control(number: u64, path: &Path) -> Result<RecordedControl, Error> {
    let bytes =
        std::fs::read(path).map_err(|error| Error::disk("cannot read the control", path, error))?;
    let damaged = || Error::corrupt(format!("not a control input: `{}`", path.display()));
    let control: RecordedControl =
        serde_json::from_slice(&bytes).map_err(|error| damaged().caused_by(error))?;
    if control.number == number { Ok(control) } else { Err(damaged()) }
}

impl File {
    /// Reads the footer.
    pub(super) fn footer(&self) -> Result<Footer, Error> {
        let file = std::fs::File::open(&self.path)
            .map_err(|error| Error::disk("cannot read the recording", &self.path, error))?;
        let label = self.path.display().to_string();
        let read = crate::io::caught(&label, || {
            ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())
        });
        let footer = read?.map_err(|error| damaged("cannot read the footer", &label, error))?;
        let meta = footer.metadata().file_metadata();
        let pairs = meta.key_value_metadata().into_iter().flatten();
        let last = pairs.filter(|pair| pair.key == LAST_ARRIVAL).find_map(|p| p.value.as_ref());
        Ok(Footer {
            row_count: u64::try_from(meta.num_rows()).unwrap_or(0),
            last_arrival: last.and_then(|last| last.parse().ok()).unwrap_or(i64::MAX),
            schema: Arc::clone(footer.schema()),
        })
    }
}
