//! The hold: merged events wait for the watermark and leave in event-time order.
//!
//! Obligation: released when `time < watermark`, sorted by (event time, labels before questions,
//! stream, partition, offset). Late events are the caller's affair: they are never put in.

use crate::{EventTime, Place};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What an event is to the learner; at equal times labels come before questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// What came true.
    Label,
    /// What the primary model was asked.
    Question,
}

/// The place of an event in event-time order, and the caller's handle to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Held {
    /// Its event time.
    pub time: EventTime,
    /// Label or question.
    pub role: Role,
    /// Where it stands in its stream.
    pub place: Place,
    /// The caller's handle.
    pub handle: u32,
}

/// Events that wait for the watermark.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Hold {
    heap: BinaryHeap<Reverse<Held>>,
}

impl Hold {
    /// Puts an event in.
    pub fn push(&mut self, held: Held) {
        self.heap.push(Reverse(held));
    }

    /// The next event whose time is strictly before `watermark`, in event-time order.
    pub fn release(&mut self, watermark: EventTime) -> Option<Held> {
        if self.heap.peek()?.0.time < watermark { self.heap.pop().map(|held| held.0) } else { None }
    }

    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The waiting events, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Held> {
        self.heap.iter().map(|held| &held.0)
    }
}
