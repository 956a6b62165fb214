//! The merge order: partitions interleave by their running maximum of event time.
//!
//! The order is a function of the data alone, never of who arrived first:
//!
//! 1. Inside a partition, events stand in offset order.
//! 2. Between partitions, the event whose partition's running maximum (itself included) is lower
//!    comes first; ties by stream, then partition.
//! 3. An event is therefore handed out only when every partition either has its next event at hand,
//!    or is known to go on no lower (a lift), or has ended.
//!
//! The learning watermark is the running maximum of the last merged event (the *frontier*) minus
//! the pipeline's largest disorder. As the frontier equals the running maximum of the event's own
//! partition, whether an event is late depends on its own partition alone.

use crate::{EventTime, PartitionId, Place, StreamId};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What the sequencer needs to know of a batch.
pub trait Timed {
    /// The number of events.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Event time of event `row`.
    fn time(&self, row: usize) -> EventTime;

    /// Offset of event `row` in its partition.
    fn offset(&self, row: usize) -> u64;

    /// Whether event `row` may raise the running maximum (false: it is too far in the future).
    fn raises(&self, _row: usize) -> bool {
        true
    }
}

/// An event in merge order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// The index of its partition, as given to [`Sequencer::new`].
    pub partition: usize,
    /// Its row in the partition's front batch.
    pub row: usize,
    /// Its event time.
    pub time: EventTime,
    /// Where it stands in its stream.
    pub place: Place,
    /// The running maximum at its place in merge order: the frontier.
    pub frontier: EventTime,
}

/// What the sequencer can do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// This event is next.
    Event(Merged),
    /// The partition with this index holds everything back: offer a batch, lift it or end it.
    Starved(usize),
    /// Every partition has ended.
    Ended,
}

/// Merges partitions; `B` is the caller's batch.
#[derive(Debug)]
pub struct Sequencer<B> {
    partitions: Vec<Partition<B>>,
    frontier: EventTime,
}

/// The part of a sequencer that a checkpoint keeps; batches at hand are read again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SequencerState {
    /// The frontier.
    pub frontier: EventTime,
    /// Each partition, in the sequencer's order.
    pub partitions: Vec<PartitionPosition>,
}

/// How far a partition has been merged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartitionPosition {
    /// The running maximum.
    pub running_max: EventTime,
    /// The next offset to merge.
    pub next_offset: u64,
    /// Lifts that wait for their offset.
    pub lifts: Vec<(u64, EventTime)>,
}

#[derive(Debug)]
struct Partition<B> {
    stream: StreamId,
    id: PartitionId,
    running_max: EventTime,
    next_offset: u64,
    /// Offsets below this were offered; those that are no events count as merged.
    offered: u64,
    batches: VecDeque<B>,
    row: usize,
    lifts: VecDeque<(u64, EventTime)>,
    ended: bool,
    /// The running maximum after the head event, when there is one.
    head: Option<EventTime>,
}

impl<B: Timed> Sequencer<B> {
    /// A sequencer of these partitions, in (stream, partition) order.
    ///
    /// # Panics
    /// If the partitions are not strictly ascending: the order of ties depends on it.
    #[must_use]
    pub fn new(partitions: &[(StreamId, PartitionId)]) -> Self {
        assert!(partitions.windows(2).all(|w| w[0] < w[1]), "partitions must ascend");
        let partitions = partitions
            .iter()
            .map(|&(stream, id)| Partition {
                stream,
                id,
                running_max: EventTime::MIN,
                next_offset: 0,
                offered: 0,
                batches: VecDeque::new(),
                row: 0,
                lifts: VecDeque::new(),
                ended: false,
                head: None,
            })
            .collect();
        Self { partitions, frontier: EventTime::MIN }
    }

    /// The running maximum of the last merged event.
    #[must_use]
    pub fn frontier(&self) -> EventTime {
        self.frontier
    }

    /// Offers the next batch of a partition, which holds all its events before offset `until`.
    /// Offsets in it that are no events (dead letters) count as merged when they are reached.
    pub fn offer(&mut self, partition: usize, batch: B, until: u64) {
        let partition = &mut self.partitions[partition];
        partition.offered = partition.offered.max(until);
        if !batch.is_empty() {
            partition.batches.push_back(batch);
        }
        partition.find_head();
    }

    /// Says that a partition has no more events.
    pub fn end(&mut self, partition: usize) {
        self.partitions[partition].ended = true;
    }

    /// Raises a partition's running maximum to `to` once all events before `before_offset` are
    /// merged; lifts come in ascending offsets.
    pub fn lift(&mut self, partition: usize, before_offset: u64, to: EventTime) {
        self.partitions[partition].lifts.push_back((before_offset, to));
        self.partitions[partition].find_head();
    }

    /// The batch at a partition's front: the one that [`Merged::row`] refers to.
    #[must_use]
    pub fn front(&self, partition: usize) -> Option<&B> {
        self.partitions[partition].batches.front()
    }

    /// The lowest running maximum that an event at hand would have; none if there is no event.
    #[must_use]
    pub fn at_hand(&self) -> Option<EventTime> {
        self.partitions.iter().filter_map(|partition| partition.head).min()
    }

    /// What comes next in merge order; call [`Sequencer::advance`] when it has been taken.
    #[must_use]
    pub fn peek(&self) -> Turn {
        let mut best: Option<(EventTime, usize)> = None;
        let mut starved: Option<(EventTime, usize)> = None;
        for (index, partition) in self.partitions.iter().enumerate() {
            match partition.head {
                Some(max) if best.is_none_or(|(lowest, _)| max < lowest) => {
                    best = Some((max, index));
                }
                None if !partition.ended
                    && starved.is_none_or(|(lowest, _)| partition.running_max < lowest) =>
                {
                    starved = Some((partition.running_max, index));
                }
                Some(_) | None => {}
            }
        }
        match (best, starved) {
            // A starved partition may still bring an event at its running maximum, which would come
            // first if it is lower, or equal with a lower number.
            (Some(best), Some(starved)) if starved < best => Turn::Starved(starved.1),
            (Some((max, index)), _) => Turn::Event(self.merged(index, max)),
            (None, Some((_, index))) => Turn::Starved(index),
            (None, None) => Turn::Ended,
        }
    }

    /// Takes the event that [`Sequencer::peek`] showed.
    pub fn advance(&mut self, merged: &Merged) {
        self.frontier = self.frontier.max(merged.frontier);
        let partition = &mut self.partitions[merged.partition];
        partition.running_max = merged.frontier;
        partition.next_offset = merged.place.offset + 1;
        partition.row += 1;
        if partition.batches.front().is_some_and(|batch| partition.row >= batch.len()) {
            partition.batches.pop_front();
            partition.row = 0;
        }
        partition.find_head();
    }

    /// What a checkpoint keeps.
    #[must_use]
    pub fn state(&self) -> SequencerState {
        SequencerState {
            frontier: self.frontier,
            partitions: self
                .partitions
                .iter()
                .map(|partition| PartitionPosition {
                    running_max: partition.running_max,
                    next_offset: partition.next_offset,
                    lifts: partition.lifts.iter().copied().collect(),
                })
                .collect(),
        }
    }

    /// Goes back to a checkpoint; sources must be offered again from the offsets in it.
    pub fn restore(&mut self, state: &SequencerState) {
        self.frontier = state.frontier;
        for (partition, position) in self.partitions.iter_mut().zip(&state.partitions) {
            partition.running_max = position.running_max;
            partition.next_offset = position.next_offset;
            partition.lifts = position.lifts.iter().copied().collect();
        }
    }

    fn merged(&self, index: usize, frontier: EventTime) -> Merged {
        let partition = &self.partitions[index];
        let batch = &partition.batches[0];
        Merged {
            partition: index,
            row: partition.row,
            time: batch.time(partition.row),
            place: Place {
                stream: partition.stream,
                partition: partition.id,
                offset: batch.offset(partition.row),
            },
            frontier,
        }
    }
}

impl<B: Timed> Partition<B> {
    fn find_head(&mut self) {
        let front = self.batches.front();
        let none = self.next_offset.max(self.offered);
        let offset = front.map_or(none, |batch| batch.offset(self.row));
        while let Some(&(before, to)) = self.lifts.front() {
            if before > offset {
                break;
            }
            self.running_max = self.running_max.max(to);
            self.lifts.pop_front();
        }
        self.head = front.map(|batch| {
            if batch.raises(self.row) {
                self.running_max.max(batch.time(self.row))
            } else {
                self.running_max
            }
        });
    }
}

#[cfg(test)]
mod tests;
