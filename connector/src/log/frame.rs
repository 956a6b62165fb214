//! One frame of a segment: a header of 40 bytes and a batch of rows as an Arrow IPC stream.
//!
//! The header holds, little-endian: the magic number (4 bytes), the payload's length (4), the
//! CRC-32C of that length and of everything after this field (4), the number of rows (4), the
//! offset of the first row (8), the record time in microseconds (8), and 8 bytes of zero.

use crate::error::{Error, ErrorKind};
use crate::io::caught;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{StreamDecoder, StreamReader};
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;

/// The length of a header.
pub(super) const HEADER_BYTES: usize = 40;
/// The longest payload; a longer length is damage.
pub(super) const PAYLOAD_BYTES_MAX: usize = 64 << 20;

const MAGIC: [u8; 4] = *b"TUF1";

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) payload_bytes: usize,
    crc: u32,
    pub(super) row_count: u32,
    pub(super) first_offset: u64,
    /// In microseconds since 1970.
    pub(super) record_time: i64,
}

impl Header {
    /// Reads a header; none if it cannot be one.
    pub(super) fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        let header = Self {
            payload_bytes: word(4) as usize,
            crc: word(8),
            row_count: word(12),
            first_offset: long(16),
            record_time: long(24) as i64,
        };
        let is_sound = bytes[..4] == MAGIC
            && header.payload_bytes <= PAYLOAD_BYTES_MAX
            && header.row_count > 0
            && header.first_offset.checked_add(u64::from(header.row_count)).is_some()
            && bytes[32..] == [0; 8];
        is_sound.then_some(header)
    }

    /// The offset after the last row.
    pub(super) fn next_offset(&self) -> u64 {
        self.first_offset + u64::from(self.row_count)
    }

    /// Whether header and payload are as they were written.
    pub(super) fn fits(&self, bytes: &[u8; HEADER_BYTES], payload: &[u8]) -> bool {
        payload.len() == self.payload_bytes && checksum(bytes, payload) == self.crc
    }
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&header[4..8]);
    let crc = crc32c::crc32c_append(crc, &header[12..HEADER_BYTES]);
    crc32c::crc32c_append(crc, payload)
}

/// Appends a frame to `bytes`; refused when its payload would be too long.
pub(super) fn encode(
    rows: &RecordBatch,
    first_offset: u64,
    record_time: i64,
    bytes: &mut Vec<u8>,
) -> Result<Encoded, ArrowError> {
    let start = bytes.len();
    bytes.resize(start + HEADER_BYTES, 0);
    let mut writer = StreamWriter::try_new(&mut *bytes, &rows.schema())?;
    writer.write(rows)?;
    writer.finish()?;
    drop(writer);
    let payload_bytes = bytes.len() - start - HEADER_BYTES;
    if payload_bytes > PAYLOAD_BYTES_MAX {
        bytes.truncate(start);
        return Ok(Encoded::TooLong);
    }
    let (header, payload) = bytes[start..].split_at_mut(HEADER_BYTES);
    header[..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&(payload_bytes as u32).to_le_bytes());
    header[12..16].copy_from_slice(&(rows.num_rows() as u32).to_le_bytes());
    header[16..24].copy_from_slice(&first_offset.to_le_bytes());
    header[24..32].copy_from_slice(&record_time.to_le_bytes());
    let crc = checksum(header, payload);
    header[8..12].copy_from_slice(&crc.to_le_bytes());
    Ok(Encoded::Whole)
}

/// Whether a frame was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoded {
    /// It was.
    Whole,
    /// It would be longer than a frame may be.
    TooLong,
}

/// The rows of a payload whose checksum is right.
pub(super) fn decode(payload: Vec<u8>, header: &Header, label: &str) -> Result<RecordBatch, Error> {
    let mut buffer = Buffer::from_vec(payload);
    let decoded = caught(label, || {
        let mut decoder = StreamDecoder::new();
        decoder.decode(&mut buffer)
    })?;
    match decoded {
        Ok(Some(rows)) if rows.num_rows() == header.row_count as usize => Ok(rows),
        Ok(_) => Err(undecodable(label)),
        Err(error) => Err(undecodable(label).caused_by(error)),
    }
}

/// The columns of a payload whose checksum is right.
pub(super) fn schema(payload: &[u8], label: &str) -> Result<SchemaRef, Error> {
    let read = caught(label, || StreamReader::try_new(payload, None).map(|reader| reader.schema()));
    read?.map_err(|error| undecodable(label).caused_by(error))
}

fn undecodable(label: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("a frame holds no rows: `{label}`"))
        .with_hint("it was not written by this program: restore the segment, or move it away")
}
