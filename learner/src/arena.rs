//! Questions in flight, as rows of words of one fixed layout, so that none is allocated.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The number of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot(pub u32);

/// Where the parts of a question stand in its row; all lengths are in words of eight bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Event time, microseconds.
    pub time: usize,
    /// Join key, low and high half.
    pub key: usize,
    /// Identity among the questions of its key.
    pub id: usize,
    /// A hash of everything that the source gave.
    pub content: usize,
    /// What votes once at the gate.
    pub unit: usize,
    /// The primary estimate.
    pub estimate: usize,
    /// The start of an elapsed label, microseconds; 0 where it is not the question's.
    pub start: usize,
    /// Hashes of the category features.
    pub categories: Range<usize>,
    /// Number features.
    pub numbers: Range<usize>,
    /// Other models' estimates.
    pub references: Range<usize>,
    /// The answer that serving gave.
    pub served: usize,
    /// The version that gave it; 0 is the primary estimate alone. A number, not part of the state.
    pub version: usize,
    /// Per lineage, the answer of the learner as it was.
    pub answers: Range<usize>,
    /// Per lineage, what its learner wants back when it learns.
    pub inputs: Vec<Range<usize>>,
    /// Stream and partition (packed), offset and origin: shown to people, not part of the state.
    pub place: usize,
    /// The length of a row.
    pub width: usize,
}

/// The lengths that a layout is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lengths {
    /// Category features.
    pub categories: usize,
    /// Number features.
    pub numbers: usize,
    /// Other models' estimates.
    pub references: usize,
    /// Per lineage, the inputs of its learner.
    pub inputs: Vec<usize>,
}

impl Layout {
    /// The layout for these lengths.
    #[must_use]
    pub fn new(lengths: &Lengths) -> Self {
        let mut width = 0;
        let mut take = |len: usize| {
            let range = width..width + len;
            width += len;
            range
        };
        let time = take(1).start;
        let key = take(2).start;
        let id = take(1).start;
        let content = take(1).start;
        let unit = take(1).start;
        let estimate = take(1).start;
        let start = take(1).start;
        let categories = take(lengths.categories);
        let numbers = take(lengths.numbers);
        let references = take(lengths.references);
        let served = take(1).start;
        let answers = take(lengths.inputs.len());
        let inputs = lengths.inputs.iter().map(|&len| take(len)).collect();
        let version = take(1).start;
        let place = take(3).start;
        Self {
            time,
            key,
            id,
            content,
            unit,
            estimate,
            start,
            categories,
            numbers,
            references,
            served,
            version,
            answers,
            inputs,
            place,
            width,
        }
    }
}

/// Rows of one layout; freed rows are used again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Arena {
    width: usize,
    /// The words of a row that belong to the state.
    digested: usize,
    words: Vec<u64>,
    free: Vec<u32>,
}

impl Arena {
    /// An empty arena for rows of this layout.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        Self { width: layout.width, digested: layout.version, words: Vec::new(), free: Vec::new() }
    }

    /// A row to write to; its words are whatever they were.
    pub fn take(&mut self) -> Slot {
        if let Some(slot) = self.free.pop() {
            return Slot(slot);
        }
        let slot = self.words.len() / self.width;
        self.words.resize(self.words.len() + self.width, 0);
        Slot(u32::try_from(slot).expect("fewer than 2^32 questions are held at once"))
    }

    /// Gives a row back.
    pub fn release(&mut self, slot: Slot) {
        self.free.push(slot.0);
    }

    /// A row.
    #[must_use]
    pub fn row(&self, slot: Slot) -> &[u64] {
        &self.words[slot.0 as usize * self.width..][..self.width]
    }

    /// The words of a row that belong to the state.
    #[must_use]
    pub fn words(&self, slot: Slot) -> &[u64] {
        &self.row(slot)[..self.digested]
    }

    /// A row, to write to.
    pub fn row_mut(&mut self, slot: Slot) -> &mut [u64] {
        &mut self.words[slot.0 as usize * self.width..][..self.width]
    }
}
