//! Batches of whole event times.
//!
//! A long stretch of one run is handed on as it was decoded, without a copy; the event time that
//! straddles two decoded batches then becomes a small batch of its own.

use super::chunk::{Chunk, Segment};
use super::merge::Merge;
use crate::error::Error;
use arrow::datatypes::SchemaRef;

/// Rows whose last event time may not be complete yet.
#[derive(Debug, Default)]
struct Buffer {
    segments: Vec<Segment>,
    row_count: usize,
}

/// Hands all rows of `merge` to `emit` in batches of about `batch_rows`.
pub(crate) fn assemble(
    merge: &mut Merge<'_>,
    schema: &SchemaRef,
    batch_rows: usize,
    emit: &mut dyn FnMut(Chunk) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut buffer = Buffer::default();
    let mut emit_all = |segments: Vec<Segment>| match segments.is_empty() {
        true => Ok(()),
        false => emit(Chunk::gather(schema, &segments)?),
    };
    while let Some(mut segment) = merge.take(batch_rows)? {
        let is_long = segment.len() * 2 >= batch_rows;
        if is_long && let Some(last) = buffer.last() {
            let same = segment.times().partition_point(|time| *time <= last);
            if same > 0 && same < segment.len() {
                buffer.push(Segment { to: segment.from + same, ..segment.clone() });
            }
            if same < segment.len() {
                emit_all(buffer.take())?;
                segment.from += same;
            }
        }
        buffer.push(segment);
        if buffer.row_count >= batch_rows || is_long {
            let next = merge.head()?;
            emit_all(buffer.take_complete(next))?;
        }
    }
    emit_all(buffer.take())
}

impl Buffer {
    /// The last row's time.
    fn last(&self) -> Option<i64> {
        self.segments.last().and_then(|segment| segment.times().last()).copied()
    }

    fn push(&mut self, segment: Segment) {
        self.row_count += segment.len();
        self.segments.push(segment);
    }

    fn take(&mut self) -> Vec<Segment> {
        self.row_count = 0;
        std::mem::take(&mut self.segments)
    }

    /// Takes the rows whose event times are complete when `next` is the time of the next row.
    fn take_complete(&mut self, next: Option<i64>) -> Vec<Segment> {
        let Some(last) = self.last().filter(|last| next == Some(*last)) else { return self.take() };
        if self.segments.first().is_some_and(|first| first.times()[0] == last) {
            return Vec::new();
        }
        let mut open = Vec::new();
        while let Some(segment) = self.segments.pop() {
            let complete = segment.times().partition_point(|time| *time < last);
            let middle = segment.from + complete;
            if middle < segment.to {
                open.push(Segment { from: middle, ..segment.clone() });
            }
            if complete > 0 {
                self.segments.push(Segment { to: middle, ..segment });
                break;
            }
        }
        let complete = self.take();
        for segment in open.into_iter().rev() {
            self.push(segment);
        }
        complete
    }
}
