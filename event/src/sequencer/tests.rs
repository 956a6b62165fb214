//! The merge order against its definition, on random partitions.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct Times(u64, Vec<i64>);

impl Timed for Times {
    fn len(&self) -> usize {
        self.1.len()
    }
    fn time(&self, row: usize) -> EventTime {
        EventTime::from_micros(self.1[row])
    }
    fn offset(&self, row: usize) -> u64 {
        self.0 + row as u64
    }
}

fn ids(n: usize) -> Vec<(StreamId, PartitionId)> {
    (0..n).map(|i| (StreamId((i / 2) as u16), PartitionId((i % 2) as u32))).collect()
}

/// The definition: sort all events by (running maximum, stream, partition, offset).
fn by_definition(partitions: &[Vec<i64>]) -> Vec<(usize, u64)> {
    let mut all = Vec::new();
    for (index, times) in partitions.iter().enumerate() {
        let mut max = i64::MIN;
        for (offset, &time) in times.iter().enumerate() {
            max = max.max(time);
            all.push((max, index, offset as u64));
        }
    }
    all.sort_unstable();
    all.into_iter().map(|(_, index, offset)| (index, offset)).collect()
}

/// Feeds batches of the given size, always to the partition that the sequencer asks for.
fn run(partitions: &[Vec<i64>], batch: usize) -> Vec<(usize, u64)> {
    let mut sequencer = Sequencer::new(&ids(partitions.len()));
    let mut fed = vec![0; partitions.len()];
    let mut order = Vec::new();
    loop {
        match sequencer.peek() {
            Turn::Event(merged) => {
                order.push((merged.partition, merged.place.offset));
                sequencer.advance(&merged);
            }
            Turn::Starved(index) => {
                let from = fed[index];
                let to = partitions[index].len().min(from + batch);
                if from == to {
                    sequencer.end(index);
                }
                let batch = Times(from as u64, partitions[index][from..to].to_vec());
                sequencer.offer(index, batch, to as u64);
                fed[index] = to;
            }
            Turn::Ended => return order,
        }
    }
}

proptest! {
    #[test]
    fn is_the_sort_by_running_maximum_whatever_the_batches(
        partitions in prop::collection::vec(prop::collection::vec(0_i64..30, 0..40), 1..5),
        batch in 1_usize..9,
    ) {
        prop_assert_eq!(run(&partitions, batch), by_definition(&partitions));
    }
}

#[test]
fn a_lift_frees_what_an_idle_partition_holds_back() {
    let mut sequencer = Sequencer::new(&ids(2));
    sequencer.offer(0, Times(0, vec![5, 9]), 2);
    assert_eq!(sequencer.peek(), Turn::Starved(1));
    sequencer.lift(1, 0, EventTime::from_micros(7));
    let Turn::Event(merged) = sequencer.peek() else { panic!("an event is free") };
    assert_eq!(merged.time, EventTime::from_micros(5));
    sequencer.advance(&merged);
    assert_eq!(sequencer.peek(), Turn::Starved(1));
}

#[test]
fn a_lift_reaches_past_rows_that_are_no_events() {
    let mut sequencer = Sequencer::new(&ids(2));
    sequencer.offer(0, Times(0, vec![5, 9]), 2);
    sequencer.offer(1, Times(0, vec![]), 4);
    sequencer.lift(1, 4, EventTime::from_micros(7));
    assert!(matches!(sequencer.peek(), Turn::Event(_)));
}

#[test]
fn a_checkpoint_keeps_lifts_that_still_wait() {
    let mut sequencer = Sequencer::<Times>::new(&ids(2));
    sequencer.lift(1, 3, EventTime::from_micros(7));
    let mut restored = Sequencer::<Times>::new(&ids(2));
    restored.restore(&sequencer.state());
    assert_eq!(restored.state(), sequencer.state());
    restored.offer(0, Times(0, vec![5]), 1);
    restored.offer(1, Times(0, vec![]), 3);
    assert!(matches!(restored.peek(), Turn::Event(_)));
}
