//! Control inputs that take effect at a place in merge order: promotions, rollbacks, retrains and
//! drains.
//!
//! Whoever decides one makes it durable with the number of events merged so far, and a restart or
//! a replay obeys it after just as many. What a promotion or a retrain refers to comes with it, as
//! the registry keeps it: the core reads nothing.

use crate::artifact::{self, DecodeError, Form};
use crate::effect::Sink;
use crate::engine::{Engine, InputError};
use crate::gate::Hold;
use crate::learners::Learner;
use crate::served::Current;
use crate::state::Use;
use crate::step::Step;
use trueup_event::{Control, EventTime, hash};

/// A control input and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// It is obeyed once this many events are merged.
    pub position: u64,
    /// What is decided.
    pub control: Control,
    /// The version it refers to. A version of another definition is given as none: it answers in
    /// the world, and this run counts the primary estimate in its stead.
    pub stored: Option<Stored>,
}

/// A version as the registry keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its lineage in the definition.
    pub lineage: usize,
    /// The number its own run gave it.
    pub number: u64,
    /// The time of the last label in it.
    pub trained_until: EventTime,
    /// Serving artifacts: a base, then the deltas after it.
    pub serving: Vec<(Form, Vec<u8>)>,
    /// Training artifacts, likewise.
    pub training: Vec<(Form, Vec<u8>)>,
}

impl Order {
    /// A digest of what is decided; the registry's number of a version is a name, and not in it.
    fn digest(&self) -> u64 {
        let kind = match self.control {
            Control::Lift { .. } => 1,
            Control::Discover { .. } => 2,
            Control::Promote { .. } => 3,
            Control::Rollback { .. } => 4,
            Control::Retrain { .. } => 5,
            Control::Drain => 6,
        };
        let mut digest = hash::mix(self.position, kind);
        if let Some(stored) = &self.stored {
            digest = hash::mix(digest, stored.lineage as u64);
            digest = hash::mix(digest, stored.number);
            for (_, bytes) in stored.serving.iter().chain(&stored.training) {
                digest = hash::mix(digest, hash::of_bytes(bytes) as u64);
            }
        }
        digest
    }
}

impl Engine {
    /// The number of events merged so far: the place of an order that is obeyed now.
    #[must_use]
    pub const fn merged(&self) -> u64 {
        self.step.cursor.merged
    }

    /// Whether control inputs wait for their place: what an earlier run merged before them is still
    /// being read again. Until then nothing is to be saved, for a checkpoint keeps no orders, and
    /// nothing new is to be decided, for it would come before them.
    #[must_use]
    pub fn has_orders(&self) -> bool {
        !self.orders.is_empty()
    }

    /// The lowest running maximum with which an event at hand would be merged; none when every
    /// partition waits for a batch.
    #[must_use]
    pub fn at_hand(&self) -> Option<EventTime> {
        self.sequencer.at_hand()
    }

    /// Takes a control input. Lifts and discoveries have their place in a partition and are noted
    /// at once; the others are obeyed when as many events are merged as they say. Orders come in
    /// ascending positions; a checkpoint keeps none that is still to be obeyed.
    ///
    /// # Errors
    /// When its place is passed, its partition unknown, or its version not of this definition.
    pub fn control(&mut self, order: Order, sink: &mut dyn Sink) -> Result<(), InputError> {
        match &order.control {
            Control::Lift { stream, partition, before_offset, to } => {
                let index = self.index(*stream, *partition)?;
                self.sequencer.lift(index, *before_offset, *to);
                return Ok(());
            }
            // Files are the source's affair: by the time events come, it has obeyed.
            Control::Discover { .. } => return Ok(()),
            Control::Promote { .. }
            | Control::Rollback { .. }
            | Control::Retrain { .. }
            | Control::Drain => {}
        }
        let last = self.orders.back().map_or(self.merged(), |order| order.position);
        if order.position < last {
            return Err(InputError::Passed { position: order.position, merged: last });
        }
        if let Some(stored) = &order.stored {
            self.step.check(stored)?;
        }
        self.orders.push_back(order);
        while self.obey_next(sink) {}
        Ok(())
    }

    /// Obeys the next order if this is its place, and says whether it was.
    pub(crate) fn obey_next(&mut self, sink: &mut dyn Sink) -> bool {
        let merged = self.merged();
        if self.orders.front().is_none_or(|order| order.position > merged) {
            return false;
        }
        let order = self.orders.pop_front().expect("there is one");
        let stored = order.stored.as_ref();
        let cursor = &mut self.step.cursor;
        cursor.history = hash::mix(cursor.history, order.digest());
        match order.control {
            Control::Promote { .. } => self.step.install(stored, Hold::Ends),
            Control::Rollback { .. } => self.step.install(stored, Hold::Begins),
            Control::Retrain { .. } => self.step.retrain(stored),
            Control::Drain => self.drain(sink),
            Control::Lift { .. } | Control::Discover { .. } => {
                unreachable!("they are not queued")
            }
        }
        true
    }
}

impl Step {
    /// An error when a version is not of this definition.
    fn check(&self, stored: &Stored) -> Result<(), InputError> {
        let lineages = self.lineages.len();
        if stored.lineage >= lineages {
            return Err(InputError::Lineage { lineage: stored.lineage, lineages });
        }
        self.rebuilt(stored, &[Use::Serving, Use::Training]).map(drop).map_err(InputError::Version)
    }

    /// A learner with what is stored, and nothing else.
    fn rebuilt(&self, stored: &Stored, parts: &[Use]) -> Result<Box<dyn Learner>, DecodeError> {
        let spec = &self.spec.learners[stored.lineage];
        let mut learner = spec.build(&self.shape()).expect("it was built before");
        for part in parts {
            let artifacts = match part {
                Use::Serving => &stored.serving,
                Use::Training => &stored.training,
            };
            for (form, bytes) in artifacts {
                artifact::apply(learner.as_mut(), *part, *form, bytes)?;
            }
        }
        Ok(learner)
    }

    /// Lets a stored version answer from here on, or the primary estimate.
    fn install(&mut self, stored: Option<&Stored>, hold: Hold) {
        self.gate.appoint(stored.map(|stored| stored.lineage), hold);
        for lineage in &mut self.lineages {
            lineage.is_followed = false;
        }
        let version = stored.map(|stored| {
            let replica = self.rebuilt(stored, &[Use::Serving]).expect("it was checked");
            self.lineages[stored.lineage].replica = replica;
            Current {
                lineage: stored.lineage,
                number: stored.number,
                trained_until: stored.trained_until,
                is_held: hold == Hold::Begins,
            }
        });
        self.served.install(version, self.cursor.frontier.unwrap_or(EventTime::MIN));
        self.cursor.is_changed = true;
    }

    /// Lets the learners start anew, one of them from a stored version. What serves goes on, until
    /// a candidate has proved better or it expires.
    fn retrain(&mut self, stored: Option<&Stored>) {
        for lineage in &mut self.lineages {
            artifact::forget(lineage.learner.as_mut());
        }
        if let Some(stored) = stored {
            let mut rebuilt = self.rebuilt(stored, &[Use::Serving, Use::Training]);
            let rebuilt = rebuilt.as_mut().expect("it was checked").as_mut();
            let learner = self.lineages[stored.lineage].learner.as_mut();
            for part in [Use::Serving, Use::Training] {
                let bytes = artifact::encode(rebuilt, part, artifact::Cells::Current);
                artifact::apply(learner, part, Form::Base, &bytes).expect("it is its own kind");
            }
        }
        self.cursor.trained_until = stored.map(|stored| stored.trained_until);
        self.gate.restart();
        // Answers that the learners gave before say nothing of what they are now.
        self.cursor.anew_since = self.cursor.now;
        self.cursor.is_changed = true;
    }
}
