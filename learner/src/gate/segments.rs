//! What the gate's guards look at: sketches of errors per value of a category.

use super::{ERROR_MAX, Scores};
use crate::metrics::{Better, ErrorSketch};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use trueup_event::hash;

/// A segment's sketches forget half when they hold this many questions.
const SKETCH_MAX: u32 = 4_096;
/// Values of a category guarded apart; later ones are guarded together.
const SEGMENTS_MAX: usize = 1_024;

/// The sketches of one guarded category (or of all questions).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) per: Option<String>,
    pub(super) place: Option<usize>,
    pub(super) segments: BTreeMap<u64, Sketches>,
    digest: u128,
    dirty: Vec<u64>,
    /// A buffer that is used again.
    #[serde(skip)]
    words: Vec<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sketches {
    pub(super) primary: ErrorSketch,
    pub(super) lineages: Vec<ErrorSketch>,
    digest: u128,
    is_dirty: bool,
}

impl Group {
    /// No questions yet; `place` is that of the category `per`.
    pub(super) fn new(per: Option<String>, place: Option<usize>) -> Self {
        let (dirty, words) = (Vec::new(), Vec::new());
        Self { per, place, segments: BTreeMap::new(), digest: 0, dirty, words }
    }

    pub(super) fn update(&mut self, scores: &Scores<'_>, categories: &[u64]) {
        let mut segment = self.place.map_or(0, |place| categories[place]);
        if self.segments.len() >= SEGMENTS_MAX && !self.segments.contains_key(&segment) {
            segment = 0;
        }
        let lineages = scores.lineages.len();
        let sketches = self.segments.entry(segment).or_insert_with(|| Sketches {
            primary: ErrorSketch::default(),
            lineages: vec![ErrorSketch::default(); lineages],
            digest: 0,
            is_dirty: false,
        });
        let within = |error: f64| {
            if error.is_nan() { ERROR_MAX } else { error.clamp(-ERROR_MAX, ERROR_MAX) }
        };
        sketches.primary.update(within(scores.primary));
        for (sketch, &error) in sketches.lineages.iter_mut().zip(scores.lineages) {
            sketch.update(within(error));
        }
        if sketches.primary.count() >= SKETCH_MAX {
            sketches.primary.halve();
            sketches.lineages.iter_mut().for_each(ErrorSketch::halve);
        }
        if !sketches.is_dirty {
            sketches.is_dirty = true;
            self.dirty.push(segment);
        }
    }

    /// The sum over all segments; only those touched since the last call are hashed.
    pub(super) fn refresh_digest(&mut self) -> u128 {
        for segment in self.dirty.drain(..) {
            let Some(sketches) = self.segments.get_mut(&segment) else { continue };
            let mut digest = hash::of_cell(3, segment);
            let own = [&sketches.primary];
            for (place, sketch) in own.into_iter().chain(&sketches.lineages).enumerate() {
                self.words.clear();
                self.words.push(place as u64);
                self.words.extend(sketch.words());
                digest = digest.wrapping_add(hash::of_bytes(bytemuck::cast_slice(&self.words)));
            }
            self.digest = self.digest.wrapping_sub(sketches.digest).wrapping_add(digest);
            sketches.digest = digest;
            sketches.is_dirty = false;
        }
        self.digest
    }
}

/// By how much `own` is worse than `rival` even when both are off in the candidate's favour.
pub(super) fn worse_by_at_least(better: Better, own: [f64; 2], rival: [f64; 2]) -> f64 {
    match better {
        Better::Lower => own[0] - rival[1],
        Better::Higher => rival[0] - own[1],
        Better::CloserToZero => {
            let nearest = own[0].max(-own[1]).max(0.0);
            nearest - rival[0].abs().max(rival[1].abs())
        }
    }
}
