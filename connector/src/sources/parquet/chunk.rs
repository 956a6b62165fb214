//! Rows with their times and origins, and how rows are gathered from several such chunks.

use super::dictionary::{gathered, is_dictionary, is_shared};
use crate::error::Error;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{concat, interleave};
use arrow::datatypes::{Int32Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::collections::HashMap;
use std::sync::Arc;
use trueup_event::Origin;

/// Rows in ascending order of time, or as they stand in a file.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) times: Vec<i64>,
    pub(crate) origins: Vec<Origin>,
    pub(crate) rows: RecordBatch,
}

/// Some neighbouring rows of a chunk; never none.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) chunk: Arc<Chunk>,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

impl Segment {
    pub(crate) fn len(&self) -> usize {
        self.to - self.from
    }

    pub(crate) fn times(&self) -> &[i64] {
        &self.chunk.times[self.from..self.to]
    }
}

/// Segments shorter than this on average are gathered row by row.
const LONG_ROWS: usize = 16;

impl Chunk {
    /// The rows of these segments, in their order; without a copy if it is one segment.
    pub(crate) fn gather(schema: &SchemaRef, segments: &[Segment]) -> Result<Self, Error> {
        let count: usize = segments.iter().map(Segment::len).sum();
        let mut times = Vec::with_capacity(count);
        let mut origins = Vec::with_capacity(count);
        for segment in segments {
            times.extend_from_slice(segment.times());
            origins.extend_from_slice(&segment.chunk.origins[segment.from..segment.to]);
        }
        let rows = match segments {
            [one] => one.chunk.rows.slice(one.from, one.len()),
            many if many.len() * LONG_ROWS <= count => joined(schema, many, count)?,
            many => interleaved(schema, many, count)?,
        };
        Ok(Self { times, origins, rows })
    }

    /// The memory its rows take, in bytes. Dictionaries shared with the chunk before are not
    /// counted again.
    pub(crate) fn memory_bytes(&self, before: Option<&Self>) -> usize {
        let column_bytes =
            |(at, column): (usize, &ArrayRef)| match column.as_dictionary_opt::<Int32Type>() {
                None => column.get_array_memory_size(),
                Some(own) => {
                    let previous =
                        before.map(|chunk| chunk.rows.column(at).as_dictionary::<Int32Type>());
                    let is_shared = previous.is_some_and(|p| Arc::ptr_eq(p.values(), own.values()));
                    let values = if is_shared { 0 } else { own.values().get_array_memory_size() };
                    own.keys().get_array_memory_size() + values
                }
            };
        let columns: usize = self.rows.columns().iter().enumerate().map(column_bytes).sum();
        columns + self.times.len() * (size_of::<i64>() + size_of::<Origin>())
    }
}

fn joined(schema: &SchemaRef, segments: &[Segment], count: usize) -> Result<RecordBatch, Error> {
    batch_of(schema, count, |column| {
        let slices: Vec<ArrayRef> =
            segments.iter().map(|s| s.chunk.rows.column(column).slice(s.from, s.len())).collect();
        concat(&slices.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>())
    })
}

fn interleaved(
    schema: &SchemaRef,
    segments: &[Segment],
    count: usize,
) -> Result<RecordBatch, Error> {
    let mut chunks: Vec<&Chunk> = Vec::new();
    let mut numbers: HashMap<*const Chunk, usize> = HashMap::new();
    let mut picks = Vec::with_capacity(count);
    for segment in segments {
        let number = *numbers.entry(Arc::as_ptr(&segment.chunk)).or_insert_with(|| {
            chunks.push(&segment.chunk);
            chunks.len() - 1
        });
        picks.extend((segment.from..segment.to).map(|row| (number, row)));
    }
    picked(schema, &chunks, &picks)
}

/// The rows at these places: (chunk, row).
pub(crate) fn picked(
    schema: &SchemaRef,
    chunks: &[&Chunk],
    picks: &[(usize, usize)],
) -> Result<RecordBatch, Error> {
    batch_of(schema, picks.len(), |column| {
        let arrays: Vec<&dyn Array> =
            chunks.iter().map(|chunk| chunk.rows.column(column).as_ref()).collect();
        if is_dictionary(schema.field(column).data_type()) {
            let arrays: Vec<_> = arrays.iter().map(|array| array.as_dictionary()).collect();
            if !is_shared(&arrays) {
                return gathered(&arrays, picks);
            }
        }
        interleave(&arrays, picks)
    })
}

/// A batch that may have no column, made column by column.
pub(crate) fn batch_of(
    schema: &SchemaRef,
    count: usize,
    column: impl FnMut(usize) -> Result<ArrayRef, ArrowError>,
) -> Result<RecordBatch, Error> {
    let columns = (0..schema.fields().len()).map(column).collect::<Result<Vec<_>, _>>();
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    columns
        .and_then(|columns| {
            RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        })
        .map_err(cannot_gather)
}

/// The error for rows that Arrow refuses to put together.
pub(crate) fn cannot_gather(error: ArrowError) -> Error {
    Error::invalid("cannot put rows together")
        .caused_by(error)
        .with_hint("a batch of texts must stay below 2 GiB: read with fewer rows to a batch")
}
