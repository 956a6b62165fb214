//! The step: join a label, score the answer that was given, learn, and publish at the boundaries.
//!
//! State after n inputs is a function of those inputs and the definition. Nothing here reads a
//! clock or does I/O; what must be done about the world goes to the [`Sink`]. The live daemon and
//! the backtester call the same functions and differ in what their sinks do.

use crate::answer;
use crate::arena::{Arena, Layout, Lengths, Slot};
use crate::effect::{CandidateKey, Effect, Fate, Outcome, Sink};
use crate::features::FeatureSet;
use crate::gate::{Gate, Scores};
use crate::join::{self, Ask, Join, Label, Ordinal, Refused};
use crate::learners::{BuildError, Features, Learner, Shape};
use crate::metrics::Errors;
use crate::served::Served;
use crate::spec::{Cadence, LabelValue, Side, Spec};
use serde::{Deserialize, Serialize};
use trueup_event::{
    DeadLetter, Duration, EventTime, Key, Origin, PartitionId, Place, Reason, StreamId, hash,
};

/// One learner and the replica of it that serves.
#[derive(Debug)]
pub(crate) struct Lineage {
    pub(crate) learner: Box<dyn Learner>,
    pub(crate) replica: Box<dyn Learner>,
    /// Whether the replica (with what is queued for it) equals the last published candidate, so
    /// that a delta brings it up to date.
    pub(crate) is_followed: bool,
    /// Its last candidate that was not unchanged: what the next delta is against.
    pub(crate) published: Option<CandidateKey>,
}

/// Prequential scores of everything that answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scoreboard {
    /// The primary estimate.
    pub primary: Errors,
    /// Each lineage's learner, as it was when the question was asked.
    pub lineages: Vec<Errors>,
    /// What serving answered.
    pub served: Errors,
    /// Other models' estimates.
    pub references: Vec<Errors>,
    /// The same since the first version began to serve: questions, then sums of absolute errors of
    /// the primary estimate, the serving lineage's learner and what was served.
    pub since_admission: (u64, [f64; 3]),
}

/// The part of the state that decides about publishing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// The next boundary, once the first event was seen.
    pub(crate) boundary: Option<EventTime>,
    /// Labels learned since the last publish.
    pub(crate) labels: u64,
    /// Whether anything changed since the last publish.
    pub(crate) is_changed: bool,
    /// The number of the last candidate.
    pub(crate) version: u64,
    /// The number of events merged.
    pub(crate) merged: u64,
    /// A digest of everything the state is a function of: events in merge order, with the frontier
    /// at each, and what was obeyed between them.
    pub(crate) history: u64,
    /// When the learners started anew, if ever: older questions vote no more.
    pub(crate) anew_since: Option<EventTime>,
    /// The time of the last label learned.
    pub(crate) trained_until: Option<EventTime>,
    /// The frontier of the merge order.
    pub(crate) frontier: Option<EventTime>,
    /// The highest event time seen in event-time order.
    pub(crate) now: Option<EventTime>,
}

/// How far a partition is merged, and what it held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputMark {
    /// The next offset to merge.
    pub next_offset: u64,
    /// A digest of all events before it: times and what the definition reads, in order.
    pub digest: u64,
}

impl InputMark {
    /// Goes beyond the event at `offset`.
    pub(crate) fn pass(&mut self, offset: u64, time: EventTime, content: u64) {
        self.next_offset = offset + 1;
        self.digest = hash::mix(hash::mix(self.digest, time.micros() as u64), content);
    }
}

/// The pure core after the hold.
#[derive(Debug)]
pub struct Step {
    pub(crate) spec: Spec,
    pub(crate) spec_digest: [u8; 32],
    pub(crate) features: FeatureSet,
    pub(crate) layout: Layout,
    pub(crate) arena: Arena,
    pub(crate) join: Join,
    pub(crate) gate: Gate,
    pub(crate) lineages: Vec<Lineage>,
    pub(crate) served: Served,
    pub(crate) scores: Scoreboard,
    pub(crate) cursor: Cursor,
    /// How far each partition is merged, in the order of the partitions.
    pub(crate) inputs: Vec<InputMark>,
    unit_is_key: bool,
    scratch: Scratch,
}

/// Buffers that are used again, so that no event allocates.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    inputs: Vec<f64>,
    errors: Vec<f64>,
    changes: Vec<f64>,
}

/// What the learners of a definition see.
pub(crate) fn shape_of(spec: &Spec, features: &FeatureSet) -> Shape {
    Shape {
        categories: features.category_names().map(str::to_owned).collect(),
        numbers: features.number_names().map(str::to_owned).collect(),
        objective: spec.objective,
    }
}

/// How long units of the gate stay open when they are not join keys.
fn unit_open(spec: &Spec) -> Duration {
    spec.label.wait
}

impl Step {
    /// The core of a definition.
    ///
    /// # Errors
    /// When a learner cannot be built as declared.
    pub fn new(spec: Spec, features: FeatureSet) -> Result<Self, BuildError> {
        let shape = shape_of(&spec, &features);
        let mut lineages = Vec::new();
        for learner in &spec.learners {
            lineages.push(Lineage {
                learner: learner.build(&shape)?,
                replica: learner.build(&shape)?,
                is_followed: false,
                published: None,
            });
        }
        let layout = Layout::new(&Lengths {
            categories: shape.categories.len(),
            numbers: shape.numbers.len(),
            references: spec.references.len(),
            inputs: lineages.iter().map(|lineage| lineage.learner.inputs_len()).collect(),
        });
        let count = lineages.len();
        let inputs_max = layout.inputs.iter().map(std::ops::Range::len).max().unwrap_or(0);
        Ok(Self {
            spec_digest: spec.digest(),
            arena: Arena::new(&layout),
            join: Join::new(spec.label.wait, spec.disorder, spec.pending_max),
            gate: Gate::new(&spec.gate, count, &shape.categories, unit_open(&spec)),
            served: Served::default(),
            scores: Scoreboard {
                primary: errors(),
                lineages: vec![errors(); count],
                served: errors(),
                references: vec![errors(); spec.references.len()],
                since_admission: (0, [0.0; 3]),
            },
            cursor: Cursor::default(),
            inputs: Vec::new(),
            unit_is_key: spec
                .gate
                .independent
                .as_ref()
                .is_none_or(|unit| *unit == spec.question.join),
            scratch: Scratch {
                inputs: vec![0.0; inputs_max],
                errors: vec![0.0; count],
                changes: vec![0.0; count],
            },
            layout,
            lineages,
            features,
            spec,
        })
    }

    pub(crate) fn shape(&self) -> Shape {
        shape_of(&self.spec, &self.features)
    }

    /// The lineage that published the candidate of this number.
    fn lineage_of(&self, version: u64) -> usize {
        ((version - 1) % self.lineages.len() as u64) as usize
    }

    /// The definition.
    #[must_use]
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The label join, with its counts.
    #[must_use]
    pub const fn join(&self) -> &Join {
        &self.join
    }

    /// The gate.
    #[must_use]
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The scores so far.
    #[must_use]
    pub const fn scores(&self) -> &Scoreboard {
        &self.scores
    }

    /// Answers a question of slot `slot` as serving would at its place in merge order, where the
    /// frontier is `frontier`.
    pub(crate) fn serve(&mut self, slot: Slot, frontier: EventTime) {
        let Self { served, lineages, arena, layout, spec, scratch, .. } = self;
        served.catch_up(frontier, lineages);
        let row = arena.row_mut(slot);
        let estimate = f64::from_bits(row[layout.estimate]);
        let recorded = f64::from_bits(row[layout.served]);
        let time = EventTime::from_micros(row[layout.time] as i64);
        row[layout.version] = 0;
        let current = served.current(time, spec.publish.expires);
        if let Some(current) = current {
            row[layout.version] = current.number;
        }
        if !recorded.is_nan() {
            // Something else answered: no version of ours did.
            row[layout.version] = 0;
            return;
        }
        let answer = current.map_or(estimate, |current| {
            let replica = &lineages[current.lineage].replica;
            let inputs = &mut scratch.inputs[..replica.inputs_len()];
            let residual = replica.predict_one(&features(row, layout), inputs);
            answer::corrected(estimate, residual, spec.correction, &spec.limit)
        });
        row[layout.served] = answer.to_bits();
    }

    /// Takes a question in event-time order: it is answered by every learner as it is now, and
    /// waits.
    pub(crate) fn ask(&mut self, ask: Ask, sink: &mut dyn Sink) {
        self.advance_to(ask.time, sink);
        self.expire(ask.time, sink);
        self.cursor.is_changed = true;
        if let Err(Refused(reason)) = self.join.admit(&ask) {
            self.join.asked.quarantined += 1;
            let detail = "a question of the same key and id was seen before";
            sink.take(Effect::DeadLetter(self.letter(ask.slot, reason, detail)));
            self.arena.release(ask.slot);
            return;
        }
        let row = self.arena.row_mut(ask.slot);
        let layout = &self.layout;
        let estimate = f64::from_bits(row[layout.estimate]);
        for (index, lineage) in self.lineages.iter().enumerate() {
            let inputs = &mut self.scratch.inputs[..layout.inputs[index].len()];
            let residual = lineage.learner.predict_one(&features(row, layout), inputs);
            let answer =
                answer::corrected(estimate, residual, self.spec.correction, &self.spec.limit);
            row[layout.answers.start + index] = answer.to_bits();
            row[layout.inputs[index].clone()].copy_from_slice(bytemuck::cast_slice(inputs));
        }
        let digest = join::digest_of(&self.arena, ask.slot);
        if let Some((label, waiting)) = self.join.ask(ask, digest) {
            self.learn(label, waiting, ask.time, sink);
        }
        self.expire(ask.time, sink);
    }

    /// Takes a label in event-time order: its questions are scored and learned from.
    pub(crate) fn label(&mut self, label: Label, sink: &mut dyn Sink) {
        self.advance_to(label.time, sink);
        self.expire(label.time, sink);
        self.cursor.is_changed = true;
        match self.join.label(label) {
            Ok(ordinal) => self.learn(ordinal, label, label.time, sink),
            Err(Refused(reason)) => {
                self.join.labelled.quarantined += 1;
                let detail = "a label of the same key was seen before";
                sink.take(Effect::DeadLetter(label_letter(&label, reason, detail)));
            }
        }
    }

    fn learn(&mut self, ordinal: Ordinal, label: Label, now: EventTime, sink: &mut dyn Sink) {
        let mut unit = None;
        while let Some(ask) = self.join.matched(ordinal) {
            let own = self.arena.row(ask.slot)[self.layout.unit];
            unit = Some(own);
            self.learn_one(&ask, &label, now, sink);
            if !self.unit_is_key {
                self.gate.vote(Some(own), now);
            }
        }
        if unit.is_none() {
            if let Some(reason) = self.join.settle_unmatched(ordinal) {
                let detail = "its question waits no longer";
                sink.take(Effect::DeadLetter(label_letter(&label, reason, detail)));
            }
            return;
        }
        if self.unit_is_key {
            self.gate.vote(None, now);
        }
        self.cursor.trained_until = self.cursor.trained_until.max(Some(label.time));
        self.cursor.labels += 1;
        if let Cadence::Labels(every) = self.spec.publish.every
            && self.cursor.labels >= every
        {
            self.publish(now, sink);
        }
    }

    fn learn_one(&mut self, ask: &Ask, label: &Label, now: EventTime, sink: &mut dyn Sink) {
        let Self { layout, arena, lineages, spec, .. } = self;
        let row = arena.row(ask.slot);
        let actual = actual(&spec.label.value, label, row, layout);
        let estimate = f64::from_bits(row[layout.estimate]);
        let residual = answer::residual(estimate, actual, spec.correction);
        if residual.is_finite() {
            let question = features(row, layout);
            for (index, lineage) in lineages.iter_mut().enumerate() {
                let inputs = bytemuck::cast_slice(&row[layout.inputs[index].clone()]);
                lineage.learner.learn_one(&question, inputs, now, residual);
            }
        }
        self.score(ask.slot, actual);
        let row = self.arena.row(ask.slot);
        let outcome =
            Outcome { row, layout: &self.layout, fate: Fate::Learned { actual, at: now } };
        sink.take(Effect::Outcome(outcome));
        self.arena.release(ask.slot);
    }

    fn score(&mut self, slot: Slot, actual: f64) {
        let version = self.arena.row(slot)[self.layout.version];
        let served_by = (version != 0).then(|| self.lineage_of(version));
        let Self { layout, arena, scores, scratch, gate, served, .. } = self;
        let row = arena.row(slot);
        let error = |word: usize| actual - f64::from_bits(row[word]);
        let (primary, of_served) = (error(layout.estimate), error(layout.served));
        scores.primary.update(primary);
        scores.served.update(of_served);
        for (index, errors) in scores.references.iter_mut().enumerate() {
            let reference = error(layout.references.start + index);
            if !reference.is_nan() {
                errors.update(reference);
            }
        }
        let answer = f64::from_bits(row[layout.served]);
        for (index, errors) in scores.lineages.iter_mut().enumerate() {
            let own = error(layout.answers.start + index);
            errors.update(own);
            scratch.errors[index] = own;
            let own = f64::from_bits(row[layout.answers.start + index]);
            scratch.changes[index] = (own - answer).abs();
        }
        if let Some(lineage) = served_by.or(gate.champion())
            && row[layout.time] as i64 >= served.since_micros()
        {
            let (count, sums) = &mut scores.since_admission;
            *count += 1;
            sums[0] += primary.abs();
            sums[1] += scratch.errors[lineage].abs();
            sums[2] += of_served.abs();
        }
        if self.cursor.anew_since.is_some_and(|since| row[layout.time] as i64 <= since.micros()) {
            return;
        }
        let scores = Scores {
            primary,
            served: of_served,
            served_by,
            lineages: &scratch.errors,
            changes: &scratch.changes,
        };
        gate.score(&scores, bytemuck::cast_slice(&row[layout.categories.clone()]));
    }

    pub(crate) fn expire(&mut self, now: EventTime, sink: &mut dyn Sink) {
        while let Some((ask, reason)) = self.join.expire(now) {
            let fate = if reason == Reason::Evicted { Fate::Evicted } else { Fate::Expired };
            let row = self.arena.row(ask.slot);
            sink.take(Effect::Outcome(Outcome { row, layout: &self.layout, fate }));
            self.arena.release(ask.slot);
        }
        while let Some((label, reason)) = self.join.forget(now) {
            let detail = "no question of its key came in time";
            sink.take(Effect::DeadLetter(label_letter(&label, reason, detail)));
        }
    }

    fn letter(&self, slot: Slot, reason: Reason, detail: &'static str) -> DeadLetter {
        let row = self.arena.row(slot);
        let (place, origin) = self.layout.place_of(row);
        let time = Some(EventTime::from_micros(row[self.layout.time] as i64));
        DeadLetter { place, origin, time, reason, detail: detail.into() }
    }
}

fn label_letter(label: &Label, reason: Reason, detail: &'static str) -> DeadLetter {
    DeadLetter {
        place: label.place,
        origin: label.origin,
        time: Some(label.time),
        reason,
        detail: detail.into(),
    }
}

/// Errors with exact shares within 5 and 15 units.
fn errors() -> Errors {
    Errors::new(0.01, &[5.0, 15.0]).expect("resolution and limits are positive")
}

/// What a learner sees of a row.
pub(crate) fn features<'a>(row: &'a [u64], layout: &Layout) -> Features<'a> {
    Features {
        time: EventTime::from_micros(row[layout.time] as i64),
        categories: &row[layout.categories.clone()],
        numbers: bytemuck::cast_slice(&row[layout.numbers.clone()]),
    }
}

/// What came true for the question in `row`.
fn actual(value: &LabelValue, label: &Label, row: &[u64], layout: &Layout) -> f64 {
    match value {
        LabelValue::Elapsed { from_event: Side::Question, unit_micros, .. } => {
            (label.value - row[layout.start] as i64 as f64) / *unit_micros as f64
        }
        LabelValue::Elapsed { from_event: Side::Label, .. } | LabelValue::Column(_) => label.value,
    }
}

impl Layout {
    /// Writes what people are shown of a row.
    pub(crate) fn set_place(&self, row: &mut [u64], place: Place, origin: Origin) {
        row[self.place] = u64::from(place.stream.0) << 32 | u64::from(place.partition.0);
        row[self.place + 1] = place.offset;
        row[self.place + 2] = origin.packed();
    }

    /// Where a question stands in its stream, and the row it was read from.
    #[must_use]
    pub fn place_of(&self, row: &[u64]) -> (Place, Origin) {
        let place = Place {
            stream: StreamId((row[self.place] >> 32) as u16),
            partition: PartitionId(row[self.place] as u32),
            offset: row[self.place + 1],
        };
        (place, Origin::from_packed(row[self.place + 2]))
    }

    /// The join key of a row.
    #[must_use]
    pub fn key_of(&self, row: &[u64]) -> Key {
        Key::from_words([row[self.key], row[self.key + 1]])
    }
}
