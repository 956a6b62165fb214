//! The whole core: sequencer, hold and step, fed with batches and control inputs.
//!
//! Protocol, in this order, until the sources end:
//! 1. [`Engine::run`] until it asks for a batch of some stream;
//! 2. [`Engine::offer`] that batch, or [`Engine::end`] the stream.
//!
//! A live run, a replay and a run restored from any checkpoint call nothing else.

use crate::arena::Slot;
use crate::artifact::DecodeError;
use crate::bind::{self, BindError, Bound, Rows};
use crate::effect::{Effect, Fate, Outcome, Sink, StateDigest};
use crate::features::FeatureSet;
use crate::join::{Ask, Counts, Label};
use crate::learners::BuildError;
use crate::orders::Order;
use crate::spec::{Late, Spec};
use crate::step::{InputMark, Step};
use std::collections::VecDeque;
use trueup_event::{
    DeadLetter, EventBatch, EventTime, Held, Hold, Merged, PartitionId, Reason, Role, Sequencer,
    StreamId, Timed, Turn, hash,
};

/// The stream of questions.
pub const QUESTIONS: StreamId = StreamId(0);
/// The stream of labels.
pub const LABELS: StreamId = StreamId(1);

/// What the engine wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// A batch of the partition with this index, or its end.
    Batch(usize),
    /// Nothing: every partition has ended.
    Nothing,
}

/// Why an input cannot be taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InputError {
    /// A column is missing or has a type that cannot serve.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A partition that the engine was not made for.
    #[error("partition `{1}` of stream `{0}` is not part of this run", stream.0, partition.0)]
    Unknown {
        /// The stream.
        stream: StreamId,
        /// The partition.
        partition: PartitionId,
    },
    /// A control input whose place has been passed.
    #[error("control input belongs after `{position}` events, and `{merged}` are merged")]
    Passed {
        /// Its place.
        position: u64,
        /// Where the run stands.
        merged: u64,
    },
    /// A version of a lineage that the definition does not have.
    #[error("version is of lineage `{lineage}`, and the definition has `{lineages}`")]
    Lineage {
        /// The version's.
        lineage: usize,
        /// How many there are.
        lineages: usize,
    },
    /// A version whose artifacts do not fit the definition.
    #[error("version does not fit the definition")]
    Version(#[source] DecodeError),
}

/// The pure core of one definition.
#[derive(Debug)]
pub struct Engine {
    pub(crate) step: Step,
    pub(crate) sequencer: Sequencer<Bound>,
    pub(crate) partitions: Vec<(StreamId, PartitionId)>,
    /// Per partition, the first offset that a checkpoint had not yet merged.
    pub(crate) from: Vec<u64>,
    /// Per partition, the offset before which all rows that cannot be used are counted.
    pub(crate) buried: Vec<u64>,
    pub(crate) hold: Hold,
    pub(crate) labels: Vec<Label>,
    pub(crate) free_labels: Vec<u32>,
    pub(crate) held_questions: u64,
    pub(crate) held_labels: u64,
    pub(crate) late_applied: u64,
    /// Control inputs whose place is still to come, ascending.
    pub(crate) orders: VecDeque<Order>,
}

impl Engine {
    /// The core of a definition, for these partitions in ascending order.
    ///
    /// # Errors
    /// When a learner cannot be built as declared.
    pub fn new(
        spec: Spec,
        features: FeatureSet,
        partitions: &[(StreamId, PartitionId)],
    ) -> Result<Self, BuildError> {
        let mut step = Step::new(spec, features)?;
        step.inputs = vec![InputMark::default(); partitions.len()];
        Ok(Self {
            step,
            sequencer: Sequencer::new(partitions),
            partitions: partitions.to_vec(),
            from: vec![0; partitions.len()],
            buried: vec![0; partitions.len()],
            hold: Hold::default(),
            labels: Vec::new(),
            free_labels: Vec::new(),
            held_questions: 0,
            held_labels: 0,
            late_applied: 0,
            orders: VecDeque::new(),
        })
    }

    /// The partitions it was made for; indices elsewhere refer to these.
    #[must_use]
    pub fn partitions(&self) -> &[(StreamId, PartitionId)] {
        &self.partitions
    }

    /// The join, gate and scores.
    #[must_use]
    pub const fn step(&self) -> &Step {
        &self.step
    }

    /// The digest of learner, join and gate as they are now.
    pub fn digest(&mut self) -> StateDigest {
        self.step.digest()
    }

    /// What became of all questions so far; those in the hold count as pending.
    #[must_use]
    pub fn questions(&self) -> Counts {
        let asked = self.step.join.asked;
        Counts { pending: asked.pending + self.held_questions, ..asked }
    }

    /// What became of all labels so far; those in the hold count as pending.
    #[must_use]
    pub fn labels(&self) -> Counts {
        let labelled = self.step.join.labelled;
        Counts { pending: labelled.pending + self.held_labels, ..labelled }
    }

    /// The running maximum of the last merged event; none before the first.
    #[must_use]
    pub const fn frontier(&self) -> Option<EventTime> {
        self.step.cursor.frontier
    }

    /// Late events that were taken all the same (`late = "apply"`).
    #[must_use]
    pub const fn late_applied(&self) -> u64 {
        self.late_applied
    }

    /// Takes the next batch of a partition. Rows that cannot be used are counted at once; after a
    /// restore, rows that were merged or counted before the checkpoint are passed over.
    ///
    /// # Errors
    /// When a column is missing or has a type that cannot serve, or the partition is unknown.
    pub fn offer(&mut self, batch: &EventBatch, sink: &mut dyn Sink) -> Result<(), InputError> {
        let index = self.index(batch.stream, batch.partition)?;
        let (step, from) = (&self.step, self.from[index]);
        let mut bound = if batch.stream == QUESTIONS {
            bind::questions(&step.spec, &step.features, from, batch)?
        } else {
            bind::labels(&step.spec, from, batch)?
        };
        let until = batch.next_offset;
        for (offset, letter) in bound.dead.drain(..) {
            if offset >= self.buried[index] {
                self.bury(letter, sink);
            }
        }
        self.buried[index] = self.buried[index].max(until);
        self.sequencer.offer(index, bound, until);
        Ok(())
    }

    /// Says that a partition has no more events.
    pub fn end(&mut self, index: usize) {
        self.sequencer.end(index);
    }

    /// Takes all events that can be taken, until a partition must be offered more.
    pub fn run(&mut self, sink: &mut dyn Sink) -> Wants {
        loop {
            match self.run_one(sink) {
                None => {}
                Some(wants) => return wants,
            }
        }
    }

    /// Takes one event, or says what is wanted.
    pub fn run_one(&mut self, sink: &mut dyn Sink) -> Option<Wants> {
        if self.obey_next(sink) {
            return None;
        }
        match self.sequencer.peek() {
            Turn::Starved(index) => Some(Wants::Batch(index)),
            Turn::Ended => Some(Wants::Nothing),
            Turn::Event(merged) => {
                self.merge(&merged, sink);
                self.sequencer.advance(&merged);
                // Before the first event that may raise it, there is no watermark.
                if merged.frontier > EventTime::MIN {
                    let watermark = merged.frontier.minus(self.step.spec.disorder);
                    self.release(watermark, sink);
                }
                None
            }
        }
    }

    /// Tells of every question that still waits, oldest first, and then of those in the hold, which
    /// no learner has answered yet (their answers are NaN); for the end of a replay.
    pub fn tell_pending(&self, sink: &mut dyn Sink) {
        let step = &self.step;
        let mut held: Vec<_> = self.hold.iter().filter(|h| h.role == Role::Question).collect();
        held.sort_unstable();
        let held = held.into_iter().map(|held| Slot(held.handle));
        for slot in step.join.pending().map(|ask| ask.slot).chain(held) {
            let row = step.arena.row(slot);
            sink.take(Effect::Outcome(Outcome { row, layout: &step.layout, fate: Fate::Pending }));
        }
    }

    pub(crate) fn index(
        &self,
        stream: StreamId,
        partition: PartitionId,
    ) -> Result<usize, InputError> {
        let found = self.partitions.iter().position(|known| *known == (stream, partition));
        found.ok_or(InputError::Unknown { stream, partition })
    }

    /// Puts a merged event into the hold; a question is served at this very place.
    fn merge(&mut self, merged: &Merged, sink: &mut dyn Sink) {
        self.step.cursor.frontier = Some(merged.frontier);
        let bound = self.sequencer.front(merged.partition).expect("a merged event has a batch");
        let role = match &bound.rows {
            Rows::Questions(_) => Role::Question,
            Rows::Labels(_) => Role::Label,
        };
        let (origin, is_future) = (bound.origins[merged.row], !bound.raises(merged.row));
        let content = bound.content(merged.row);
        self.step.inputs[merged.partition].pass(merged.place.offset, merged.time, content);
        let cursor = &mut self.step.cursor;
        cursor.merged += 1;
        let place = u64::from(merged.place.stream.0) << 32 | u64::from(merged.place.partition.0);
        for word in [place, merged.frontier.micros() as u64, merged.time.micros() as u64, content] {
            cursor.history = hash::mix(cursor.history, word);
        }
        self.counts(role).fed += 1;
        let refused = if is_future {
            Some((Reason::Future, "further ahead of its record's timestamp than `future_max`"))
        } else if merged.time < merged.frontier.minus(self.step.spec.disorder) {
            Some((Reason::Late, "behind the watermark"))
        } else {
            None
        };
        if let Some((reason, detail)) = refused
            && !(reason == Reason::Late && self.step.spec.late == Late::Apply)
        {
            self.refuse(role, reason);
            let detail = detail.into();
            let time = Some(merged.time);
            let letter = DeadLetter { place: merged.place, origin, time, reason, detail };
            sink.take(Effect::DeadLetter(letter));
            return;
        }
        let handle = match role {
            Role::Question => self.take_question(merged),
            Role::Label => self.take_label(merged),
        };
        let held = Held { time: merged.time, role, place: merged.place, handle };
        match role {
            Role::Question => self.held_questions += 1,
            Role::Label => self.held_labels += 1,
        }
        if refused.is_some() {
            self.late_applied += 1;
            self.hand_over(&held, sink);
        } else {
            self.hold.push(held);
        }
    }

    fn refuse(&mut self, role: Role, reason: Reason) {
        let counts = self.counts(role);
        if reason == Reason::Late {
            counts.late += 1;
        } else {
            counts.quarantined += 1;
        }
    }

    fn counts(&mut self, role: Role) -> &mut Counts {
        match role {
            Role::Question => &mut self.step.join.asked,
            Role::Label => &mut self.step.join.labelled,
        }
    }

    /// Counts and tells of a row that cannot be used.
    fn bury(&mut self, letter: DeadLetter, sink: &mut dyn Sink) {
        let is_question = letter.place.stream == QUESTIONS;
        let role = if is_question { Role::Question } else { Role::Label };
        self.counts(role).fed += 1;
        self.refuse(role, letter.reason);
        sink.take(Effect::DeadLetter(letter));
    }

    fn take_question(&mut self, merged: &Merged) -> u32 {
        let bound = self.sequencer.front(merged.partition).expect("a merged event has a batch");
        let Rows::Questions(questions) = &bound.rows else { unreachable!("it is a question") };
        let at = questions.order[merged.row] as usize;
        let slot = self.step.arena.take();
        let layout = &self.step.layout;
        let row = self.step.arena.row_mut(slot);
        let key = questions.keys[at];
        row[layout.time] = merged.time.micros() as u64;
        row[layout.key..layout.key + 2].copy_from_slice(&key.words());
        row[layout.id] = questions.ids[at];
        row[layout.unit] = questions.units.get(at).copied().unwrap_or_else(|| key.hash64());
        row[layout.estimate] = questions.estimates[at].to_bits();
        row[layout.start] = questions.starts.get(at).copied().unwrap_or(0) as u64;
        for (word, column) in
            row[layout.categories.clone()].iter_mut().zip(&questions.features.categories)
        {
            *word = column[at];
        }
        for (word, column) in
            row[layout.numbers.clone()].iter_mut().zip(&questions.features.numbers)
        {
            *word = column[at].to_bits();
        }
        for (word, column) in row[layout.references.clone()].iter_mut().zip(&questions.references) {
            *word = column[at].to_bits();
        }
        row[layout.served] = questions.served.get(at).copied().unwrap_or(f64::NAN).to_bits();
        row[layout.answers.clone()].fill(f64::NAN.to_bits());
        layout.set_place(row, merged.place, bound.origins[merged.row]);
        row[layout.content] = questions.contents[at];
        self.step.serve(slot, merged.frontier);
        slot.0
    }

    fn take_label(&mut self, merged: &Merged) -> u32 {
        let bound = self.sequencer.front(merged.partition).expect("a merged event has a batch");
        let Rows::Labels(labels) = &bound.rows else { unreachable!("it is a label") };
        let (key, value) = labels[merged.row];
        let origin = bound.origins[merged.row];
        let label = Label { time: merged.time, key, value, place: merged.place, origin };
        if let Some(handle) = self.free_labels.pop() {
            self.labels[handle as usize] = label;
            return handle;
        }
        self.labels.push(label);
        u32::try_from(self.labels.len() - 1).expect("fewer than 2^32 labels are held at once")
    }

    fn release(&mut self, watermark: EventTime, sink: &mut dyn Sink) {
        while let Some(held) = self.hold.release(watermark) {
            self.hand_over(&held, sink);
        }
        self.step.advance_to(watermark, sink);
    }

    /// Hands one event to the step.
    fn hand_over(&mut self, held: &Held, sink: &mut dyn Sink) {
        match held.role {
            Role::Question => {
                self.held_questions -= 1;
                let slot = Slot(held.handle);
                let (row, layout) = (self.step.arena.row(slot), &self.step.layout);
                let ask = Ask {
                    time: held.time,
                    key: layout.key_of(row),
                    id: row[layout.id],
                    content: row[layout.content],
                    slot,
                };
                self.step.ask(ask, sink);
            }
            Role::Label => {
                self.held_labels -= 1;
                self.free_labels.push(held.handle);
                let label = self.labels[held.handle as usize];
                self.step.label(label, sink);
            }
        }
    }

    /// Releases everything that is held, as if the watermark had passed it: the end of a replay.
    pub fn drain(&mut self, sink: &mut dyn Sink) {
        let Some(frontier) = self.step.cursor.frontier else { return };
        let past = EventTime::from_micros(frontier.micros().saturating_add(1));
        self.release(past, sink);
    }
}
