//! The label join: a question waits for its label, and nothing is lost on the way.
//!
//! Obligations:
//! - a question waits `wait` long, its label just as long for it; identities are remembered
//!   `disorder` longer, so that repeats are told from news in bounded memory;
//! - every question ends as learned, expired, evicted or quarantined, every label as joined,
//!   orphan, expired, evicted or quarantined, and the counts of [`Counts`] say which;
//! - the digest covers what is remembered, kept incrementally as entries come and go.
//!
//! It is fed in event-time order, and does not learn: the caller takes each matched question from
//! it.

mod entries;

use crate::arena::{Arena, Slot};
pub use entries::{Ask, Counts, Label};
use entries::{Fate, Question, Trip, Waiting};
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use trueup_event::{Duration, EventTime, Key, Reason, hash};

/// The number of one remembered question or label, counted from the first ever.
pub type Ordinal = u64;

const NONE: Ordinal = Ordinal::MAX;

/// Why the join took no part in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub Reason);

/// The label join.
#[derive(Debug)]
pub struct Join {
    wait: Duration,
    remember: Duration,
    pending_max: usize,
    trips: HashTable<Trip>,
    /// Remembered questions by key and identity.
    identities: HashTable<Ordinal>,
    questions: VecDeque<Question>,
    first_question: Ordinal,
    /// The first question that may still be pending.
    next_to_expire: Ordinal,
    labels: VecDeque<Waiting>,
    first_label: Ordinal,
    digest: u128,
    /// Counts of questions: `fed`, `quarantined` and `late` are the caller's to raise.
    pub asked: Counts,
    /// Counts of labels, likewise.
    pub labelled: Counts,
}

/// What a checkpoint keeps of a join.
#[derive(Debug, Serialize, Deserialize)]
pub struct JoinState {
    trips: Vec<Trip>,
    questions: VecDeque<Question>,
    first_question: Ordinal,
    next_to_expire: Ordinal,
    labels: VecDeque<Waiting>,
    first_label: Ordinal,
    digest: u128,
    asked: Counts,
    labelled: Counts,
}

impl Join {
    /// An empty join: labels are waited for `wait` long; `disorder` is the streams' own.
    #[must_use]
    pub fn new(wait: Duration, disorder: Duration, pending_max: usize) -> Self {
        Self {
            wait,
            remember: Duration::from_micros(wait.micros().saturating_add(disorder.micros())),
            pending_max: pending_max.max(1),
            trips: HashTable::new(),
            identities: HashTable::new(),
            questions: VecDeque::new(),
            first_question: 0,
            next_to_expire: 0,
            labels: VecDeque::new(),
            first_label: 0,
            digest: 0,
            asked: Counts::default(),
            labelled: Counts::default(),
        }
    }

    /// The sum over all that is remembered.
    #[must_use]
    pub const fn digest(&self) -> u128 {
        self.digest
    }

    /// Whether a question is new.
    ///
    /// # Errors
    /// [`Reason::Duplicate`] or [`Reason::Conflict`] when its identity was seen before.
    pub fn admit(&self, ask: &Ask) -> Result<(), Refused> {
        let Some(&ordinal) = self.identities.find(ask.identity(), |&ordinal| {
            let seen = &self.question(ordinal).ask;
            seen.key == ask.key && seen.id == ask.id
        }) else {
            return Ok(());
        };
        let seen = &self.question(ordinal).ask;
        let same = seen.content == ask.content && seen.time == ask.time;
        Err(Refused(if same { Reason::Duplicate } else { Reason::Conflict }))
    }

    /// Remembers an admitted question; `digest` is the hash of everything kept of it. Returns the
    /// label that already waits for it, if there is one.
    pub fn ask(&mut self, ask: Ask, digest: u128) -> Option<(Ordinal, Label)> {
        let ordinal = self.first_question + self.questions.len() as u64;
        let digest = digest ^ u128::from(ask.key.hash64());
        self.digest = self.digest.wrapping_add(digest);
        self.questions.push_back(Question { ask, fate: Fate::Pending, next: NONE, digest });
        self.asked.pending += 1;
        self.remember_identity(ordinal, ask.identity());
        let trip = self.trip_or_new(ask.key);
        let (last, label) = (trip.last, trip.label);
        trip.last = ordinal;
        if trip.pending == NONE {
            trip.pending = ordinal;
        }
        if last == NONE {
            trip.first = ordinal;
        } else {
            self.question_mut(last).next = ordinal;
        }
        if label == NONE {
            return None;
        }
        // A label that was used is not used again: this question waits for one of its own.
        let waiting = &self.labels[self.label_place(label)];
        let in_time = ask.time.since(waiting.label.time) <= self.wait;
        (in_time && !waiting.is_settled).then_some((label, waiting.label))
    }

    /// Remembers a label. Its pending questions are then taken by [`Join::matched`].
    ///
    /// # Errors
    /// [`Reason::Duplicate`] or [`Reason::Conflict`] when its key has a label already, and no
    /// question of the key was asked since that was used.
    pub fn label(&mut self, label: Label) -> Result<Ordinal, Refused> {
        if let Some(trip) = self.trip(label.key)
            && trip.label != NONE
        {
            let seen = &self.labels[self.label_place(trip.label)].label;
            if seen.value.to_bits() == label.value.to_bits() && seen.time == label.time {
                return Err(Refused(Reason::Duplicate));
            }
            let is_settled = self.labels[self.label_place(trip.label)].is_settled;
            if !is_settled || self.first_pending(trip, &label).is_none() {
                return Err(Refused(Reason::Conflict));
            }
        }
        let ordinal = self.first_label + self.labels.len() as u64;
        self.trip_or_new(label.key).label = ordinal;
        let time = label.time.micros() as u64;
        let content = hash::mix(hash::mix(label.key.hash64(), time), label.value.to_bits());
        let digest = hash::of_cell(1, content);
        self.digest = self.digest.wrapping_add(digest);
        self.labels.push_back(Waiting { label, is_settled: false, digest });
        self.labelled.pending += 1;
        Ok(ordinal)
    }

    /// The first pending question of a label's key that waits for it, marked as learned.
    pub fn matched(&mut self, label: Ordinal) -> Option<Ask> {
        let waiting = self.labels[self.label_place(label)].label;
        let trip = *self.trip(waiting.key)?;
        let ordinal = self.first_pending(&trip, &waiting)?;
        let Question { ask, next, .. } = *self.question(ordinal);
        if ordinal == trip.pending {
            self.trip_mut(waiting.key)?.pending = next;
        }
        self.finish(ordinal, Fate::Learned);
        self.settle(label);
        Some(ask)
    }

    /// The first pending question of a key that `label` comes in time for.
    fn first_pending(&self, trip: &Trip, label: &Label) -> Option<Ordinal> {
        let mut ordinal = trip.pending;
        while ordinal != NONE {
            let question = self.question(ordinal);
            let in_time = label.time.since(question.ask.time) <= self.wait;
            if question.fate == Fate::Pending && in_time {
                return Some(ordinal);
            }
            ordinal = question.next;
        }
        None
    }

    /// After the matched questions were taken: a label that found none, though its key had some,
    /// came too late for them; the reason is returned.
    pub fn settle_unmatched(&mut self, label: Ordinal) -> Option<Reason> {
        let waiting = &self.labels[self.label_place(label)];
        if waiting.is_settled {
            return None;
        }
        let last = self.trip(waiting.label.key).map_or(NONE, |trip| trip.last);
        if last == NONE {
            return None;
        }
        let fate = self.question(last).fate;
        let reason = match fate {
            Fate::Expired => Reason::Expired,
            Fate::Evicted => Reason::Evicted,
            Fate::Pending | Fate::Learned => return None,
        };
        let place = self.label_place(label);
        self.labels[place].is_settled = true;
        self.labelled.pending -= 1;
        match fate {
            Fate::Evicted => self.labelled.evicted += 1,
            Fate::Expired | Fate::Pending | Fate::Learned => self.labelled.expired += 1,
        }
        Some(reason)
    }

    /// The next pending question whose label can no longer come before `now`, or that must leave
    /// for room.
    pub fn expire(&mut self, now: EventTime) -> Option<(Ask, Reason)> {
        loop {
            let place = (self.next_to_expire - self.first_question) as usize;
            let question = *self.questions.get(place)?;
            let crowded = self.asked.pending as usize > self.pending_max
                || self.questions.len() > self.pending_max.saturating_mul(2);
            let overdue = question.ask.time.plus(self.wait) < now;
            if question.fate == Fate::Pending && !overdue && !crowded {
                return None;
            }
            let ordinal = self.next_to_expire;
            self.next_to_expire += 1;
            if question.fate == Fate::Pending {
                let (fate, reason) = if overdue {
                    (Fate::Expired, Reason::Expired)
                } else {
                    (Fate::Evicted, Reason::Evicted)
                };
                self.finish(ordinal, fate);
                return Some((question.ask, reason));
            }
        }
    }

    /// The next label that no question can come for any more, with what became of it. Questions
    /// whose identity need not be remembered are forgotten on the way.
    pub fn forget(&mut self, now: EventTime) -> Option<(Label, Reason)> {
        while let Some(front) = self.questions.front()
            && front.fate != Fate::Pending
            && (front.ask.time.plus(self.remember) < now
                || self.questions.len() > self.pending_max.saturating_mul(2))
        {
            self.forget_question();
        }
        while let Some(front) = self.labels.front() {
            let crowded = self.labelled.pending as usize > self.pending_max
                || self.labels.len() > self.pending_max.saturating_mul(2);
            let overdue = front.label.time.plus(self.remember) < now;
            if !overdue && !crowded {
                break;
            }
            let (label, is_settled) = (front.label, front.is_settled);
            self.forget_label();
            if !is_settled {
                self.labelled.pending -= 1;
                if overdue {
                    self.labelled.orphan += 1;
                    return Some((label, Reason::Orphan));
                }
                self.labelled.evicted += 1;
                return Some((label, Reason::Evicted));
            }
        }
        None
    }

    /// The slots of all pending questions, oldest first.
    pub fn pending(&self) -> impl Iterator<Item = &Ask> {
        self.questions.iter().filter(|q| q.fate == Fate::Pending).map(|q| &q.ask)
    }

    /// What a checkpoint keeps.
    #[must_use]
    pub fn state(&self) -> JoinState {
        let mut trips: Vec<_> = self.trips.iter().copied().collect();
        trips.sort_unstable_by_key(|trip| trip.key);
        JoinState {
            trips,
            questions: self.questions.clone(),
            first_question: self.first_question,
            next_to_expire: self.next_to_expire,
            labels: self.labels.clone(),
            first_label: self.first_label,
            digest: self.digest,
            asked: self.asked,
            labelled: self.labelled,
        }
    }

    /// Goes back to a checkpoint.
    pub fn restore(&mut self, state: JoinState) {
        self.trips = HashTable::new();
        for trip in state.trips {
            let hash = trip.key.hash64();
            self.trips.insert_unique(hash, trip, |trip| trip.key.hash64());
        }
        self.questions = state.questions;
        self.first_question = state.first_question;
        self.identities = HashTable::new();
        for place in 0..self.questions.len() {
            let identity = self.questions[place].ask.identity();
            self.remember_identity(self.first_question + place as u64, identity);
        }
        self.next_to_expire = state.next_to_expire;
        self.labels = state.labels;
        self.first_label = state.first_label;
        self.digest = state.digest;
        self.asked = state.asked;
        self.labelled = state.labelled;
    }

    fn finish(&mut self, ordinal: Ordinal, fate: Fate) {
        let question = self.question_mut(ordinal);
        let old = question.digest;
        question.fate = fate;
        let seed = hash::mix(question.ask.id, question.ask.content);
        question.digest = hash::of_cell(2 + fate as u64, seed);
        let new = question.digest;
        self.digest = self.digest.wrapping_sub(old).wrapping_add(new);
        self.asked.pending -= 1;
        match fate {
            Fate::Learned => self.asked.learned += 1,
            Fate::Expired => self.asked.expired += 1,
            Fate::Evicted => self.asked.evicted += 1,
            Fate::Pending => unreachable!("a question cannot end as pending"),
        }
    }

    fn settle(&mut self, label: Ordinal) {
        let place = self.label_place(label);
        if !self.labels[place].is_settled {
            self.labels[place].is_settled = true;
            self.labelled.pending -= 1;
            self.labelled.learned += 1;
        }
    }

    fn forget_question(&mut self) {
        let ordinal = self.first_question;
        let Some(gone) = self.questions.pop_front() else { return };
        let identity = gone.ask.identity();
        if let Ok(entry) = self.identities.find_entry(identity, |&other| other == ordinal) {
            entry.remove();
        }
        self.first_question += 1;
        self.next_to_expire = self.next_to_expire.max(self.first_question);
        self.digest = self.digest.wrapping_sub(gone.digest);
        let key = gone.ask.key;
        if let Some(trip) = self.trip_mut(key) {
            debug_assert_eq!(trip.first, ordinal, "questions of a key leave in order");
            trip.first = gone.next;
            if trip.pending == ordinal {
                trip.pending = gone.next;
            }
            if gone.next == NONE {
                trip.last = NONE;
            }
        }
        self.drop_if_empty(key);
    }

    fn forget_label(&mut self) {
        let ordinal = self.first_label;
        let Some(gone) = self.labels.pop_front() else { return };
        self.first_label += 1;
        self.digest = self.digest.wrapping_sub(gone.digest);
        if let Some(trip) = self.trip_mut(gone.label.key).filter(|trip| trip.label == ordinal) {
            trip.label = NONE;
        }
        self.drop_if_empty(gone.label.key);
    }

    fn drop_if_empty(&mut self, key: Key) {
        if let Ok(entry) = self.trips.find_entry(key.hash64(), |trip| trip.key == key)
            && entry.get().first == NONE
            && entry.get().label == NONE
        {
            entry.remove();
        }
    }

    fn trip(&self, key: Key) -> Option<&Trip> {
        self.trips.find(key.hash64(), |trip| trip.key == key)
    }

    fn trip_mut(&mut self, key: Key) -> Option<&mut Trip> {
        self.trips.find_mut(key.hash64(), |trip| trip.key == key)
    }

    fn trip_or_new(&mut self, key: Key) -> &mut Trip {
        self.trips
            .entry(key.hash64(), |trip| trip.key == key, |trip| trip.key.hash64())
            .or_insert(Trip { key, first: NONE, last: NONE, pending: NONE, label: NONE })
            .into_mut()
    }

    fn remember_identity(&mut self, ordinal: Ordinal, identity: u64) {
        let Self { identities, questions, first_question, .. } = self;
        identities.insert_unique(identity, ordinal, |&ordinal| {
            questions[(ordinal - *first_question) as usize].ask.identity()
        });
    }

    fn question(&self, ordinal: Ordinal) -> &Question {
        &self.questions[(ordinal - self.first_question) as usize]
    }

    fn question_mut(&mut self, ordinal: Ordinal) -> &mut Question {
        &mut self.questions[(ordinal - self.first_question) as usize]
    }

    fn label_place(&self, ordinal: Ordinal) -> usize {
        (ordinal - self.first_label) as usize
    }
}

/// The hash of what an arena keeps of a question, for [`Join::ask`].
#[must_use]
pub fn digest_of(arena: &Arena, slot: Slot) -> u128 {
    hash::of_bytes(bytemuck::cast_slice(arena.words(slot)))
}
