//! Rows that are not in order: sorted in memory, or beyond the budget in runs on disk.
//!
//! Rows of equal time keep the order of the files, but nobody may rely on it.

use super::chunk::{Chunk, cannot_gather, picked};
use super::dictionary::share;
use super::merge::{Frontier, Run};
use super::spill::{SpillWriter, SpilledRun};
use crate::error::Error;
use arrow::datatypes::SchemaRef;
use std::path::PathBuf;

/// How many runs on disk are merged at once.
const FAN_IN: usize = 64;

/// Rows per batch on disk: every open run holds one in memory.
const SPILL_ROWS: usize = 2048;

/// Rows that wait to be sorted.
#[derive(Debug, Default)]
pub(crate) struct SortBuffer {
    chunks: Vec<Chunk>,
    /// The memory they take.
    pub(crate) bytes: usize,
}

/// Rows sorted in memory.
#[derive(Debug)]
pub(crate) struct SortedRun {
    chunks: Vec<Chunk>,
    /// Time, chunk and row, ascending.
    order: Vec<(i64, u32, u32)>,
    at: usize,
    batch_rows: usize,
    /// The memory it takes.
    pub(crate) bytes: usize,
}

impl SortBuffer {
    pub(crate) fn push(&mut self, chunk: Chunk) {
        self.bytes += chunk.memory_bytes(self.chunks.last());
        self.bytes += chunk.times.len() * size_of::<(i64, u32, u32)>();
        self.chunks.push(chunk);
    }

    /// The rows in order.
    pub(crate) fn into_run(mut self, batch_rows: usize) -> Result<SortedRun, Error> {
        share(&mut self.chunks).map_err(cannot_gather)?;
        let mut order = Vec::with_capacity(self.chunks.iter().map(|c| c.times.len()).sum());
        for (number, chunk) in self.chunks.iter().enumerate() {
            let place = |(row, time): (usize, &i64)| (*time, number as u32, row as u32);
            order.extend(chunk.times.iter().enumerate().map(place));
        }
        order.sort_unstable();
        Ok(SortedRun { chunks: self.chunks, order, at: 0, batch_rows, bytes: self.bytes })
    }
}

impl SortedRun {
    /// The next rows.
    pub(crate) fn next(&mut self) -> Result<Option<Chunk>, Error> {
        let end = self.order.len().min(self.at + self.batch_rows);
        let order = &self.order[self.at..end];
        if order.is_empty() {
            return Ok(None);
        }
        self.at = end;
        let places = || order.iter().map(|(_, chunk, row)| (*chunk as usize, *row as usize));
        let picks: Vec<(usize, usize)> = places().collect();
        let chunks: Vec<&Chunk> = self.chunks.iter().collect();
        Ok(Some(Chunk {
            times: order.iter().map(|(time, ..)| *time).collect(),
            origins: places().map(|(chunk, row)| self.chunks[chunk].origins[row]).collect(),
            rows: picked(&self.chunks[0].rows.schema(), &chunks, &picks)?,
        }))
    }
}

/// Sorts more rows than fit in memory.
#[derive(Debug)]
pub(crate) struct ExternalSort {
    schema: SchemaRef,
    folder: PathBuf,
    budget_bytes: usize,
    buffer: SortBuffer,
    /// Runs on disk; those of level n + 1 are merged from [`FAN_IN`] of level n.
    levels: Vec<Vec<SpilledRun>>,
}

impl ExternalSort {
    /// A sort that holds up to `budget_bytes` in memory, beginning with `buffer`.
    pub(crate) fn new(
        schema: SchemaRef,
        folder: PathBuf,
        budget_bytes: usize,
        buffer: SortBuffer,
    ) -> Self {
        Self { schema, folder, budget_bytes, buffer, levels: Vec::new() }
    }

    pub(crate) fn push(&mut self, chunk: Chunk) -> Result<(), Error> {
        self.buffer.push(chunk);
        if self.buffer.bytes >= self.budget_bytes { self.spill() } else { Ok(()) }
    }

    /// The sorted runs, all on disk.
    pub(crate) fn finish(mut self) -> Result<Vec<SpilledRun>, Error> {
        self.spill()?;
        Ok(self.levels.into_iter().flatten().collect())
    }

    fn spill(&mut self) -> Result<(), Error> {
        let mut run = std::mem::take(&mut self.buffer).into_run(SPILL_ROWS)?;
        let mut writer = SpillWriter::create(&self.folder, &self.schema)?;
        while let Some(chunk) = run.next()? {
            writer.write(chunk)?;
        }
        self.keep(writer.finish()?)
    }

    /// Keeps a run, merging those of a full level into one of the next.
    fn keep(&mut self, mut run: SpilledRun) -> Result<(), Error> {
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(run);
            if self.levels[level].len() < FAN_IN {
                break;
            }
            let full = std::mem::take(&mut self.levels[level]);
            run = self.merged(full)?;
        }
        Ok(())
    }

    fn merged(&self, runs: Vec<SpilledRun>) -> Result<SpilledRun, Error> {
        let mut frontier = Frontier::default();
        for run in runs {
            frontier.add(Run::Spilled(run))?;
        }
        let mut writer = SpillWriter::create(&self.folder, &self.schema)?;
        let (mut segments, mut count) = (Vec::new(), 0);
        while let Some(segment) = frontier.take(i64::MAX, SPILL_ROWS)? {
            count += segment.len();
            segments.push(segment);
            if count >= SPILL_ROWS {
                writer.write(Chunk::gather(&self.schema, &segments)?)?;
                (segments, count) = (Vec::new(), 0);
            }
        }
        if count > 0 {
            writer.write(Chunk::gather(&self.schema, &segments)?)?;
        }
        writer.finish()
    }
}
