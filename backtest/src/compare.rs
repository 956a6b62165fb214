//! Definitions side by side: a paired test on the questions that both answered.
//!
//! Each replay sends its scored questions in its own order. They are paired by join key and
//! identity and counted in the order of the first definition, so that the result does not depend
//! on which thread was faster. Questions of one key vote once, as the mean of their differences.

use crate::report::Comparison;
use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::Receiver;
use trueup_event::Key;
use trueup_learner::metrics::{Paired, PairedVerdict};

/// One scored question: who it is, and its error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scored {
    pub(crate) key: Key,
    pub(crate) id: u64,
    pub(crate) asked_micros: i64,
    pub(crate) error: f64,
}

impl Scored {
    /// An id may come again once its first question is forgotten; its time does not.
    fn identity(&self) -> (Key, u64, i64) {
        (self.key, self.id, self.asked_micros)
    }
}

/// Scored questions of the definition with this index.
pub(crate) type Chunk = (usize, Vec<Scored>);

/// How many scored questions travel together.
pub(crate) const CHUNK: usize = 4_096;
/// Units at which the comparison is meant to be tightest.
const UNITS_BEST: f64 = 100_000.0;

/// Pairs everything that comes with the first definition's questions, until all senders are gone.
pub(crate) fn compare(names: &[String], chunks: &Receiver<Chunk>) -> Vec<Comparison> {
    let mut pairings: Vec<_> = names.iter().skip(1).map(|_| Pairing::default()).collect();
    while let Ok((index, scored)) = chunks.recv() {
        match index.checked_sub(1) {
            None => pairings.iter_mut().for_each(|pairing| pairing.first.extend(&scored)),
            Some(other) => pairings[other].take(&scored),
        }
        pairings.iter_mut().for_each(Pairing::settle);
    }
    let mut comparisons = Vec::new();
    for (pairing, name) in pairings.into_iter().zip(&names[1..]) {
        comparisons.push(pairing.finish(&names[0], name));
    }
    comparisons
}

struct Pairing {
    first: VecDeque<Scored>,
    second: BTreeMap<(Key, u64, i64), f64>,
    unit: Option<(Key, f64, f64, u32)>,
    paired: Paired,
}

impl Default for Pairing {
    fn default() -> Self {
        Self {
            first: VecDeque::new(),
            second: BTreeMap::new(),
            unit: None,
            paired: Paired::new(UNITS_BEST, 0.05),
        }
    }
}

impl Pairing {
    fn take(&mut self, scored: &[Scored]) {
        self.second.extend(scored.iter().map(|scored| (scored.identity(), scored.error)));
    }

    /// Counts pairs from the front for as long as both sides are there.
    fn settle(&mut self) {
        while let Some(front) = self.first.front().copied()
            && let Some(error) = self.second.remove(&front.identity())
        {
            self.first.pop_front();
            self.count(&front, error);
        }
    }

    fn count(&mut self, first: &Scored, second: f64) {
        let (own, other) = (first.error.abs(), second.abs());
        match &mut self.unit {
            Some((key, a, b, count)) if *key == first.key => {
                *a += own;
                *b += other;
                *count += 1;
            }
            Some(_) | None => {
                self.vote();
                self.unit = Some((first.key, own, other, 1));
            }
        }
    }

    fn vote(&mut self) {
        if let Some((_, a, b, count)) = self.unit.take() {
            self.paired.update(a / f64::from(count), b / f64::from(count));
        }
    }

    fn finish(mut self, baseline: &str, definition: &str) -> Comparison {
        for first in std::mem::take(&mut self.first) {
            if let Some(error) = self.second.remove(&first.identity()) {
                self.count(&first, error);
            }
        }
        self.vote();
        let verdict = match self.paired.verdict() {
            PairedVerdict::First => "worse",
            PairedVerdict::Second => "better",
            PairedVerdict::Undecided => "undecided",
        };
        Comparison {
            baseline: baseline.to_owned(),
            definition: definition.to_owned(),
            units: self.paired.count(),
            difference: self.paired.mean(),
            bounds: self.paired.bounds().map(|(lower, upper)| [lower, upper]),
            verdict: verdict.to_owned(),
        }
    }
}
