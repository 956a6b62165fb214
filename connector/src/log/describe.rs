//! What a log holds, for a status report and for checking a definition.

use super::segment::{self, SegmentKind};
use super::topic::{self, TopicColumns};
use super::{commit, seal};
use crate::disk;
use crate::error::Error;
use arrow::datatypes::SchemaRef;
use std::path::Path;

/// A topic as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicDescription {
    /// The partitions, by number.
    pub partitions: Vec<PartitionDescription>,
    /// All columns that its rows have had, each with its first type; texts are `Utf8`, whatever
    /// their encoding.
    pub schema: SchemaRef,
}

/// A partition as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartitionDescription {
    /// The offset of the first row that is kept.
    pub first_offset: u64,
    /// The offset after the last durable row.
    pub next_offset: u64,
    /// What the segments take, in bytes.
    pub bytes: u64,
    /// How many segments there are.
    pub segments: usize,
}

/// The names of the topics in a log's folder, sorted; none if there is no such folder.
///
/// # Errors
/// If the folder cannot be read.
pub fn topics(folder: &Path) -> Result<Vec<String>, Error> {
    let cannot = |error| Error::disk("cannot list the topics in", folder, error);
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(cannot)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_topic = disk::named_folder(folder, &name).is_ok() && entry.path().is_dir();
        if is_topic && topic::settings(&entry.path())?.is_some() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// What a topic holds; none if there is no such topic.
///
/// # Errors
/// If its files cannot be read.
pub fn describe(folder: &Path, topic: &str) -> Result<Option<TopicDescription>, Error> {
    let topic = disk::named_folder(folder, topic)?;
    let Some(settings) = topic::settings(&topic)? else { return Ok(None) };
    let partitions = (0..settings.partitions)
        .map(|number| partition(&segment::partition_folder(&topic, number)))
        .collect::<Result<_, _>>()?;
    Ok(Some(TopicDescription { partitions, schema: TopicColumns::load(&topic)?.schema() }))
}

fn partition(folder: &Path) -> Result<PartitionDescription, Error> {
    let segments = segment::list(folder)?;
    let mut described = PartitionDescription { segments: segments.len(), ..Default::default() };
    let Some(first) = segments.first() else { return Ok(described) };
    described.first_offset = first.first_offset;
    for segment in &segments {
        // It may have been sealed or deleted in the meantime.
        described.bytes += std::fs::metadata(&segment.path).map_or(0, |metadata| metadata.len());
    }
    described.next_offset = match commit::read(folder)? {
        Some(mark) => mark.next_offset,
        None => end(folder)?,
    };
    Ok(described)
}

/// The offset after the last sound row of a partition, durable or not.
pub(super) fn end(folder: &Path) -> Result<u64, Error> {
    let segments = segment::list(folder)?;
    let Some(last) = segments.last() else { return Ok(0) };
    match last.kind {
        SegmentKind::Frames => {
            let columns = &mut TopicColumns::default();
            Ok(segment::scan(&last.path, last.first_offset, columns)?.next_offset)
        }
        SegmentKind::Sealed => Ok(last.first_offset + seal::row_count(&last.path)?),
    }
}
