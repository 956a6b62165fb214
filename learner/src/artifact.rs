//! The bytes of a model: changed cells by table, the same format for a base and for a delta.
//!
//! For every table: its name's length and name, the number of cells, then per cell the gap to the
//! previous index (LEB128) and eight bytes. A base is the delta from an empty table. Equal states
//! give equal bytes; who, when and why live in the registry, not here.

use crate::learners::Learner;

/// How much of a model some artifact bytes hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Everything.
    Base,
    /// What changed since the last published candidate.
    Delta,
}

/// What publishing found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Whether every cell is finite.
    pub all_finite: bool,
    /// How many cells changed.
    pub changed_cells: usize,
}

/// Publishes a learner: appends its delta to `bytes`.
pub fn publish(learner: &mut dyn Learner, bytes: &mut Vec<u8>) -> Published {
    let mut found = Published { all_finite: true, changed_cells: 0 };
    learner.tables(&mut |name, _, table| {
        let mut section = Section::begin(name, bytes);
        found.all_finite &= table.publish(&mut |index, bits| section.push(index, bits));
        found.changed_cells += section.end();
    });
    found
}

/// Appends the whole published state of a learner to `bytes`.
pub fn base(learner: &mut dyn Learner, bytes: &mut Vec<u8>) {
    learner.tables(&mut |name, _, table| {
        let mut section = Section::begin(name, bytes);
        table.published(&mut |index, bits| section.push(index, bits));
        section.end();
    });
}

/// Appends what was learned since the last publish to `bytes`, without publishing it.
pub fn unpublished(learner: &mut dyn Learner, bytes: &mut Vec<u8>) {
    learner.tables(&mut |name, _, table| {
        let mut section = Section::begin(name, bytes);
        table.unpublished(&mut |index, bits| section.push(index, bits));
        section.end();
    });
}

/// Appends every cell as it is now to `bytes`, published or not.
pub fn current(learner: &mut dyn Learner, bytes: &mut Vec<u8>) {
    learner.tables(&mut |name, _, table| {
        let mut section = Section::begin(name, bytes);
        table.current(&mut |index, bits| section.push(index, bits));
        section.end();
    });
}

/// Marks everything as published, as it is after its base was applied to a fresh learner.
pub fn settle(learner: &mut dyn Learner) {
    learner.tables(&mut |_, _, table| {
        table.publish(&mut |_, _| {});
    });
}

/// Why some bytes are no artifact of this learner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end too early or are not in the format.
    #[error("artifact is malformed at byte `{0}`")]
    Malformed(usize),
    /// A table has another name than the learner's.
    #[error("artifact holds table `{found}` where `{expected}` belongs: it is of another learner")]
    Table {
        /// The name found.
        found: String,
        /// The learner's own.
        expected: &'static str,
    },
    /// An index is beyond the table.
    #[error("artifact has cell `{index}` beyond the end of table `{table}`")]
    Beyond {
        /// The table.
        table: &'static str,
        /// The index.
        index: u64,
    },
}

/// Applies artifact bytes to a learner.
///
/// # Errors
/// When the bytes are not an artifact of this kind of learner. It may then be half changed: discard
/// it.
pub fn apply(learner: &mut dyn Learner, form: Form, bytes: &[u8]) -> Result<(), DecodeError> {
    let mut reader = Reader { bytes, at: 0 };
    let mut result = Ok(());
    learner.tables(&mut |name, _, table| {
        if result.is_ok() {
            if form == Form::Base {
                table.clear();
            }
            result = reader.table(name, table);
        }
    });
    result?;
    if reader.at == bytes.len() { Ok(()) } else { Err(DecodeError::Malformed(reader.at)) }
}

struct Section<'a> {
    bytes: &'a mut Vec<u8>,
    count_at: usize,
    count: usize,
    next: usize,
}

impl<'a> Section<'a> {
    fn begin(name: &str, bytes: &'a mut Vec<u8>) -> Self {
        bytes.push(u8::try_from(name.len()).expect("table names are short"));
        bytes.extend_from_slice(name.as_bytes());
        let count_at = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        Self { bytes, count_at, count: 0, next: 0 }
    }

    fn push(&mut self, index: usize, bits: u64) {
        let mut gap = index - self.next;
        while gap >= 0x80 {
            self.bytes.push(gap as u8 | 0x80);
            gap >>= 7;
        }
        self.bytes.push(gap as u8);
        self.bytes.extend_from_slice(&bits.to_le_bytes());
        self.next = index + 1;
        self.count += 1;
    }

    fn end(self) -> usize {
        let count = u32::try_from(self.count).expect("tables are below 2^32 cells");
        self.bytes[self.count_at..self.count_at + 4].copy_from_slice(&count.to_le_bytes());
        self.count
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn table(
        &mut self,
        name: &'static str,
        table: &mut dyn crate::state::AnyTable,
    ) -> Result<(), DecodeError> {
        let len = usize::from(self.take::<1>()?[0]);
        let found = self.slice(len)?;
        if found != name.as_bytes() {
            let found = String::from_utf8_lossy(found).into_owned();
            return Err(DecodeError::Table { found, expected: name });
        }
        let count = u32::from_le_bytes(self.take()?);
        let mut next = 0_u64;
        for _ in 0..count {
            let index = next.checked_add(self.varint()?).ok_or(DecodeError::Malformed(self.at))?;
            let bits = u64::from_le_bytes(self.take()?);
            let place = usize::try_from(index).unwrap_or(usize::MAX);
            if !table.load(place, bits) {
                return Err(DecodeError::Beyond { table: name, index });
            }
            next = index + 1;
        }
        Ok(())
    }

    fn slice(&mut self, len: usize) -> Result<&[u8], DecodeError> {
        let slice =
            self.bytes.get(self.at..self.at + len).ok_or(DecodeError::Malformed(self.at))?;
        self.at += len;
        Ok(slice)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let slice = self.slice(N)?;
        let mut array = [0; N];
        array.copy_from_slice(slice);
        Ok(array)
    }

    fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..=56).step_by(7) {
            let [byte] = self.take::<1>()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Malformed(self.at))
    }
}
