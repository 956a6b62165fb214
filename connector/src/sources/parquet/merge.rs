//! The lowest rows of all runs, and when to open the next row group.
//!
//! Row groups wait until the merge has come to their lowest time. Those in order are then decoded
//! as they are merged; the others are sorted in memory while they fit the budget. What does not fit
//! is sorted on disk together with every waiting row group that it overlaps.

use super::chunk::{Chunk, Segment};
use super::group::GroupReader;
use super::reader::Context;
use super::scan::{Group, Order};
use super::sort::{ExternalSort, SortBuffer, SortedRun};
use super::spill::SpilledRun;
use crate::error::Error;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

/// Rows in ascending order of time.
#[derive(Debug)]
pub(crate) enum Run<'a> {
    /// A row group in order, decoded as it is merged, and the memory it takes.
    Decoded(Box<GroupReader<'a>>, usize),
    /// Sorted in memory.
    Sorted(SortedRun),
    /// Sorted on disk.
    Spilled(SpilledRun),
}

impl Run<'_> {
    fn next(&mut self) -> Result<Option<Chunk>, Error> {
        match self {
            Self::Decoded(reader, _) => reader.next(),
            Self::Sorted(run) => run.next(),
            Self::Spilled(run) => run.next(),
        }
    }
}

/// Open runs, by the time of their next row.
#[derive(Debug, Default)]
pub(crate) struct Frontier<'a> {
    heads: BinaryHeap<Reverse<(i64, usize)>>,
    cursors: Vec<Option<Cursor<'a>>>,
    /// Unused places among the cursors.
    free: Vec<usize>,
    /// Memory that decoded row groups take.
    decoded_bytes: usize,
    /// Memory that sorted rows take.
    sorted_bytes: usize,
}

#[derive(Debug)]
struct Cursor<'a> {
    run: Run<'a>,
    chunk: Arc<Chunk>,
    at: usize,
}

impl<'a> Frontier<'a> {
    /// Adds a run.
    pub(crate) fn add(&mut self, mut run: Run<'a>) -> Result<(), Error> {
        let Some(chunk) = run.next()? else { return Ok(()) };
        match &run {
            Run::Decoded(_, bytes) => self.decoded_bytes += bytes,
            Run::Sorted(sorted) => self.sorted_bytes += sorted.bytes,
            Run::Spilled(_) => {}
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.cursors.push(None);
            self.cursors.len() - 1
        });
        self.heads.push(Reverse((chunk.times[0], number)));
        self.cursors[number] = Some(Cursor { run, chunk: Arc::new(chunk), at: 0 });
        Ok(())
    }

    /// The time of the next row.
    pub(crate) fn head(&self) -> Option<i64> {
        self.heads.peek().map(|Reverse((time, _))| *time)
    }

    /// Takes the next rows of one run: up to `most` or the end of their last event time, and none
    /// later than `bound`.
    pub(crate) fn take(&mut self, bound: i64, most: usize) -> Result<Option<Segment>, Error> {
        let Some(Reverse((_, number))) = self.heads.pop() else { return Ok(None) };
        let bound = self.head().map_or(bound, |second| second.min(bound));
        let Some(cursor) = self.cursors[number].as_mut() else { return Ok(None) };
        let times = &cursor.chunk.times[cursor.at..];
        let mut count = times.partition_point(|time| *time <= bound).max(1);
        if count > most {
            let last = times[most - 1];
            count = most + times[most..count].partition_point(|time| *time <= last);
        }
        let (from, to) = (cursor.at, cursor.at + count);
        let segment = Segment { chunk: Arc::clone(&cursor.chunk), from, to };
        cursor.at = to;
        if to == cursor.chunk.times.len() {
            match cursor.run.next()? {
                Some(chunk) => (cursor.chunk, cursor.at) = (Arc::new(chunk), 0),
                None => {
                    self.close(number);
                    return Ok(Some(segment));
                }
            }
        }
        self.heads.push(Reverse((cursor.chunk.times[cursor.at], number)));
        Ok(Some(segment))
    }

    fn close(&mut self, number: usize) {
        match self.cursors[number].take().map(|cursor| cursor.run) {
            Some(Run::Decoded(_, bytes)) => self.decoded_bytes -= bytes,
            Some(Run::Sorted(sorted)) => self.sorted_bytes -= sorted.bytes,
            Some(Run::Spilled(_)) | None => {}
        }
        self.free.push(number);
    }
}

/// All row groups as one sequence of rows.
#[derive(Debug)]
pub(crate) struct Merge<'a> {
    context: &'a Context,
    frontier: Frontier<'a>,
    /// Not yet opened, ascending by lowest time.
    waiting: VecDeque<Group>,
}

impl<'a> Merge<'a> {
    /// `groups` ascend by lowest time.
    pub(crate) fn new(context: &'a Context, groups: Vec<Group>) -> Self {
        Self { context, frontier: Frontier::default(), waiting: groups.into() }
    }

    /// The time of the next row; opens the row groups whose turn has come.
    pub(crate) fn head(&mut self) -> Result<Option<i64>, Error> {
        while let Some(group) = self.waiting.front() {
            if self.frontier.head().is_some_and(|head| head < group.min) {
                break;
            }
            if let Some(group) = self.waiting.pop_front() {
                self.open(&group)?;
            }
        }
        Ok(self.frontier.head())
    }

    /// Takes the next rows: up to `most` or the end of their last event time.
    pub(crate) fn take(&mut self, most: usize) -> Result<Option<Segment>, Error> {
        self.head()?;
        let bound = self.waiting.front().map_or(i64::MAX, |group| group.min);
        self.frontier.take(bound, most)
    }

    fn open(&mut self, group: &Group) -> Result<(), Error> {
        let mut reader = GroupReader::open(self.context, group)?;
        let limit = self.context.sort_budget_bytes;
        match group.order {
            Order::Ascending => {
                let bytes = reader.memory_bytes(group);
                let is_alone = self.frontier.decoded_bytes == 0;
                if is_alone || self.frontier.decoded_bytes + bytes <= limit {
                    return self.frontier.add(Run::Decoded(Box::new(reader), bytes));
                }
                self.sort_on_disk(group, reader, SortBuffer::default())
            }
            Order::None => {
                let mut buffer = SortBuffer::default();
                while let Some(chunk) = reader.next()? {
                    buffer.push(chunk);
                    if self.frontier.sorted_bytes + buffer.bytes > limit / 2 {
                        return self.sort_on_disk(group, reader, buffer);
                    }
                }
                self.frontier.add(Run::Sorted(buffer.into_run(self.context.batch_rows)?))
            }
        }
    }

    /// Sorts the rest of a row group, and all that wait and overlap it.
    fn sort_on_disk(
        &mut self,
        group: &Group,
        mut reader: GroupReader<'a>,
        buffer: SortBuffer,
    ) -> Result<(), Error> {
        let schema = Arc::clone(&self.context.projection.schema);
        let folder = self.context.spill_dir.clone();
        let budget_bytes = self.context.sort_budget_bytes / 2;
        let mut sort = ExternalSort::new(schema, folder, budget_bytes, buffer);
        loop {
            while let Some(chunk) = reader.next()? {
                sort.push(chunk)?;
            }
            match self.waiting.front() {
                Some(next) if next.min <= group.max => {
                    reader = GroupReader::open(self.context, next)?;
                    self.waiting.pop_front();
                }
                Some(_) | None => break,
            }
        }
        for run in sort.finish()? {
            self.frontier.add(Run::Spilled(run))?;
        }
        Ok(())
    }
}
