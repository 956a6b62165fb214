//! What a batch is once it is bound: what the sequencer and the step need of each row.

use crate::features::BoundFeatures;
use trueup_event::{DeadLetter, EventTime, Key, Origin, Timed, hash};

/// Questions or labels of one batch, ready for the sequencer.
#[derive(Debug)]
pub(crate) struct Bound {
    /// What each row holds besides time and origin.
    pub(crate) rows: Rows,
    pub(crate) times: Vec<EventTime>,
    pub(crate) origins: Vec<Origin>,
    pub(crate) offsets: Vec<u64>,
    /// Rows that cannot be used, with the offset at which they count; ascending.
    pub(crate) dead: Vec<(u64, DeadLetter)>,
    /// Per row, whether it may raise the running maximum; empty when all may.
    pub(crate) is_future: Vec<bool>,
}

#[derive(Debug)]
pub(crate) enum Rows {
    Questions(Box<Questions>),
    Labels(Vec<(Key, f64)>),
}

#[derive(Debug)]
pub(crate) struct Questions {
    pub(crate) keys: Vec<Key>,
    pub(crate) ids: Vec<u64>,
    pub(crate) units: Vec<u64>,
    pub(crate) contents: Vec<u64>,
    pub(crate) estimates: Vec<f64>,
    pub(crate) served: Vec<f64>,
    pub(crate) starts: Vec<i64>,
    pub(crate) features: BoundFeatures,
    pub(crate) references: Vec<Vec<f64>>,
    /// The row of the batch that each place holds.
    pub(crate) order: Vec<u32>,
}

impl Bound {
    /// A digest of what the definition reads of a row, its time apart.
    pub(crate) fn content(&self, row: usize) -> u64 {
        match &self.rows {
            Rows::Questions(questions) => {
                let at = questions.order[row] as usize;
                hash::mix(questions.keys[at].hash64(), questions.contents[at])
            }
            Rows::Labels(labels) => {
                let (key, value) = &labels[row];
                hash::mix(key.hash64(), value.to_bits())
            }
        }
    }
}

impl Timed for Bound {
    fn len(&self) -> usize {
        self.times.len()
    }

    fn time(&self, row: usize) -> EventTime {
        self.times[row]
    }

    fn offset(&self, row: usize) -> u64 {
        self.offsets[row]
    }

    fn raises(&self, row: usize) -> bool {
        self.is_future.get(row).is_none_or(|is_future| !is_future)
    }
}

impl Questions {
    /// A hash of everything the definition reads of a row, its key and time apart.
    pub(super) fn content(&self, row: usize) -> u64 {
        let mut content = self.estimates[row].to_bits();
        for column in &self.features.categories {
            content = hash::mix(content, column[row]);
        }
        for column in &self.features.numbers {
            content = hash::mix(content, column[row].to_bits());
        }
        let more = [&self.served].into_iter().chain(&self.references);
        for column in more.filter(|column| !column.is_empty()) {
            content = hash::mix(content, column[row].to_bits());
        }
        if let Some(&start) = self.starts.get(row) {
            content = hash::mix(content, start as u64);
        }
        self.units.get(row).map_or(content, |&unit| hash::mix(content, unit))
    }
}
