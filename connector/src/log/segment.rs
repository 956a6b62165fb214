//! The segments of a partition: their names, and how much of one is sound.

use super::frame::{self, HEADER_BYTES, Header};
use crate::error::Error;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// A file of a partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    /// The offset of its first row.
    pub(super) first_offset: u64,
    pub(super) kind: SegmentKind,
    pub(super) path: PathBuf,
}

/// What a segment is stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SegmentKind {
    /// Parquet, complete.
    Sealed,
    /// Frames; the last one of a partition grows.
    Frames,
}

/// The folder of a partition.
pub(super) fn partition_folder(topic: &Path, partition: u32) -> PathBuf {
    topic.join(format!("{partition:05}"))
}

/// The name of a segment that holds frames.
pub(super) fn frames_name(first_offset: u64) -> String {
    format!("{first_offset:020}.seg")
}

/// The name of a sealed segment.
pub(super) fn sealed_name(first_offset: u64) -> String {
    format!("{first_offset:020}.parquet")
}

/// The segments of a partition, ascending; a sealed one comes before its frames, if both are there.
pub(super) fn list(folder: &Path) -> Result<Vec<Segment>, Error> {
    let cannot = |error| Error::disk("cannot list the segments in", folder, error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot(error)),
    };
    let mut segments = Vec::new();
    for entry in entries {
        let path = entry.map_err(cannot)?.path();
        segments.extend(parse(path));
    }
    segments.sort();
    Ok(segments)
}

fn parse(path: PathBuf) -> Option<Segment> {
    let (number, kind) = path.file_name()?.to_str()?.split_once('.')?;
    let kind = match kind {
        "seg" => SegmentKind::Frames,
        "parquet" => SegmentKind::Sealed,
        _ => return None,
    };
    let is_number = number.len() == 20 && number.bytes().all(|byte| byte.is_ascii_digit());
    let first_offset = number.parse().ok().filter(|_| is_number)?;
    Some(Segment { first_offset, kind, path })
}

/// The sound beginning of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    /// Its length.
    pub(super) bytes: u64,
    /// The offset after its last row.
    pub(super) next_offset: u64,
}

/// What recovery cut from the end of a partition: bytes that are no whole frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutTail {
    /// The partition.
    pub partition: u32,
    /// How many bytes.
    pub bytes: u64,
    /// The file in which they are kept, if there were any.
    pub kept_in: Option<PathBuf>,
    /// The offset at which the partition goes on.
    pub next_offset: u64,
    /// Rows that had been confirmed as durable and are not there any more: 0 unless the disk or a
    /// person damaged the file.
    pub confirmed_rows: u64,
}

/// Sees the header and the payload of each sound frame; its error ends the reading.
pub(super) type Each<'a> = dyn FnMut(&Header, &[u8]) -> Result<(), Error> + 'a;

/// Reads frames from `bytes` until the end or the first that is not whole, sound and next in line;
/// `each` sees the others.
pub(super) fn sound_prefix(
    mut bytes: &mut dyn Read,
    first_offset: u64,
    each: &mut Each<'_>,
) -> std::io::Result<Prefix> {
    let mut prefix = Prefix { bytes: 0, next_offset: first_offset };
    let mut head = [0; HEADER_BYTES];
    let mut payload = Vec::new();
    loop {
        if !fill(bytes, &mut head)? {
            return Ok(prefix);
        }
        let header = Header::parse(&head).filter(|h| h.first_offset == prefix.next_offset);
        let Some(header) = header else { return Ok(prefix) };
        payload.clear();
        let wanted = header.payload_bytes as u64;
        let found = (&mut bytes).take(wanted).read_to_end(&mut payload)?;
        let is_sound = found as u64 == wanted && header.fits(&head, &payload);
        if !is_sound || each(&header, &payload).is_err() {
            return Ok(prefix);
        }
        prefix.bytes += HEADER_BYTES as u64 + wanted;
        prefix.next_offset = header.next_offset();
    }
}

/// Fills `buffer`; false if the end comes before.
fn fill(bytes: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<bool> {
    match bytes.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads the sound beginning of a file of frames, and its columns.
pub(super) fn scan(
    path: &Path,
    first_offset: u64,
    columns: &mut super::topic::TopicColumns,
) -> Result<Prefix, Error> {
    let cannot = |error| Error::disk("cannot read the segment", path, error);
    let file = fs::File::open(path).map_err(cannot)?;
    let mut bytes = std::io::BufReader::with_capacity(1 << 20, file);
    let label = path.display().to_string();
    let mut last: Option<Vec<u8>> = None;
    sound_prefix(&mut bytes, first_offset, &mut |_, payload| {
        // The schema is the stream's first message, the same bytes in most frames.
        let message = schema_bytes(payload);
        if last.as_deref() != Some(message) {
            columns.add(&*frame::schema(payload, &label)?);
            last = Some(message.to_vec());
        }
        Ok(())
    })
    .map_err(cannot)
}

/// The bytes of the first message of a payload.
fn schema_bytes(payload: &[u8]) -> &[u8] {
    let length = payload.get(4..8).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    payload.get(..8 + length as usize).unwrap_or(payload)
}

#[cfg(test)]
mod tests;
