//! The mark up to which a partition is durable: 32 bytes in the file `committed`, rewritten in
//! place after every sync.
//!
//! A reader that catches the mark half-written sees that its checksum is wrong, and looks again.
//! After a crash of the machine the mark may be behind; it is never ahead of the data.

use crate::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::Path;

const NAME: &str = "committed";
const MAGIC: [u8; 4] = *b"TUC1";
const BYTES: usize = 32;
/// How often a reader looks again.
const LOOKS: usize = 20;

/// How far a partition is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark {
    /// The offset after the last durable row.
    pub(super) next_offset: u64,
    /// The segment that grows, by its first offset.
    pub(super) segment: u64,
    /// Its durable length.
    pub(super) segment_bytes: u64,
}

impl Mark {
    fn encode(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&self.next_offset.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.segment.to_le_bytes());
        bytes[24..].copy_from_slice(&self.segment_bytes.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; BYTES]) -> Option<Self> {
        let long = |at: usize| u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|i| bytes[at + i]));
        let crc = u32::from_le_bytes([4, 5, 6, 7].map(|i| bytes[i]));
        let is_sound = bytes[..4] == MAGIC && crc32c::crc32c(&bytes[8..]) == crc;
        let mark = Self { next_offset: long(8), segment: long(16), segment_bytes: long(24) };
        is_sound.then_some(mark)
    }
}

/// Where the writer leaves the mark.
#[derive(Debug)]
pub(super) struct MarkFile(File);

impl MarkFile {
    pub(super) fn open(partition: &Path) -> std::io::Result<Self> {
        let path = partition.join(NAME);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        Ok(Self(file))
    }

    pub(super) fn write(&mut self, mark: Mark) -> std::io::Result<()> {
        self.0.rewind()?;
        self.0.write_all(&mark.encode())
    }
}

/// The mark of a partition; none if there is no sound one.
pub(super) fn read(partition: &Path) -> Result<Option<Mark>, Error> {
    let path = partition.join(NAME);
    let cannot = |error| Error::disk("cannot read how far the log is durable", &path, error);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(error)),
    };
    let mut bytes = [0; BYTES];
    for _ in 0..LOOKS {
        match file.rewind().and_then(|()| file.read_exact(&mut bytes)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(cannot(error)),
        }
        if let Some(mark) = Mark::decode(&bytes) {
            return Ok(Some(mark));
        }
        std::thread::yield_now();
    }
    Ok(None)
}
