//! Reads lines of JSON objects into batches of rows; a line that cannot be used is told of with its
//! number and the reason.
//!
//! Columns have one type for the whole reading: a value of another type makes its line unusable,
//! and nothing is rounded or cut to fit. Columns that appear later are added, unless the columns
//! were given. Lines are bounded in length and depth; neither can exhaust memory or stack.

mod infer;
mod lines;

use crate::error::{Error, ErrorKind};
use crate::io::caught;
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use infer::{fit, new_columns};
use lines::{Line, Lines};
use serde_json::Value;
use std::io::Read;
use std::sync::Arc;

/// The longest line, in bytes.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// How deep objects and arrays may lie in one another.
pub const DEPTH_MAX: usize = 64;

/// A batch of about this size is ended, in bytes of JSON.
const BATCH_BYTES: usize = 16 << 20;

/// Which columns the lines have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NdjsonColumns {
    /// Whatever the lines show.
    Inferred,
    /// These, and others that the lines show: a topic's, to which more rows are appended.
    Begun(SchemaRef),
    /// These alone; a line with another is unusable.
    Given(SchemaRef),
}

/// A line that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Some lines, read.
#[derive(Debug, Clone, PartialEq)]
pub struct NdjsonBatch {
    /// The rows; maybe none.
    pub rows: RecordBatch,
    /// The line of each row, from 1.
    pub lines: Vec<u64>,
    /// Lines that cannot be used, in order.
    pub bad: Vec<BadLine>,
}

/// Lines that are JSON objects, by number, and those that are not.
#[derive(Debug)]
struct Parsed {
    good: Vec<(u64, Value)>,
    bad: Vec<BadLine>,
}

/// Reads lines of JSON.
///
/// ```
/// # fn main() -> Result<(), trueup_connector::Error> {
/// use trueup_connector::ndjson::{NdjsonColumns, NdjsonReader};
///
/// let text = "{\"trip\":1,\"city\":\"Oslo\"}\n{\"trip\":1.5}\n";
/// let given = NdjsonReader::new(text.as_bytes(), NdjsonColumns::Inferred, 8192).next_batch()?;
/// assert_eq!(given.expect("two lines").rows.num_rows(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NdjsonReader<R> {
    lines: Lines<R>,
    schema: SchemaRef,
    is_fixed: bool,
    batch_rows: usize,
    bad_count: u64,
}

impl<R: Read> NdjsonReader<R> {
    /// Reads from `source`, in batches of at most `batch_rows` lines. A batch ends early where the
    /// source would have to be waited for.
    pub fn new(source: R, columns: NdjsonColumns, batch_rows: usize) -> Self {
        let (schema, is_fixed) = match columns {
            NdjsonColumns::Inferred => (Arc::new(Schema::empty()), false),
            NdjsonColumns::Begun(schema) => (schema, false),
            NdjsonColumns::Given(schema) => (schema, true),
        };
        let (lines, batch_rows) = (Lines::new(source), batch_rows.max(1));
        Self { lines, schema, is_fixed, batch_rows, bad_count: 0 }
    }

    /// The columns so far.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many lines could not be used so far.
    #[must_use]
    pub fn bad_count(&self) -> u64 {
        self.bad_count
    }

    /// The next lines; none at the end.
    ///
    /// # Errors
    /// If the source cannot be read, or the given columns have a type that JSON cannot hold.
    pub fn next_batch(&mut self) -> Result<Option<NdjsonBatch>, Error> {
        let Some(Parsed { mut good, mut bad }) = self.collect()? else { return Ok(None) };
        if !self.is_fixed {
            let new = new_columns(&self.schema, &mut good, &mut bad);
            if !new.is_empty() {
                let fields = self.schema.fields().iter().cloned().chain(new);
                self.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            }
        }
        good.retain(|(line, value)| match fit(value, &self.schema) {
            Ok(()) => true,
            Err(reason) => {
                bad.push(BadLine { line: *line, reason });
                false
            }
        });
        let rows = self.decode(&mut good, &mut bad)?;
        bad.sort_by_key(|bad| bad.line);
        self.bad_count += bad.len() as u64;
        let lines = good.into_iter().map(|(line, _)| line).collect();
        Ok(Some(NdjsonBatch { rows, lines, bad }))
    }

    /// Lines up to the end of a batch, parsed.
    fn collect(&mut self) -> Result<Option<Parsed>, Error> {
        let (mut good, mut bad, mut bytes) = (Vec::new(), Vec::new(), 0);
        let (batch_rows, first) = (self.batch_rows, self.lines.number());
        while good.len() + bad.len() < batch_rows && bytes < BATCH_BYTES {
            let has_some = self.lines.number() > first;
            if has_some && !self.lines.has_line() {
                break;
            }
            let line = self.lines.number() + 1;
            let next = self.lines.next().map_err(|error| {
                Error::new(ErrorKind::Retry, "cannot read the lines").caused_by(error)
            })?;
            let Some(next) = next else { break };
            match next {
                Line::TooLong => {
                    let reason = format!("the line is longer than {} MiB", LINE_BYTES_MAX >> 20);
                    bad.push(BadLine { line, reason });
                }
                Line::Whole(text) if text.trim_ascii().is_empty() => {}
                Line::Whole(text) => {
                    bytes += text.len();
                    match parse(text) {
                        Ok(value) => good.push((line, value)),
                        Err(reason) => bad.push(BadLine { line, reason }),
                    }
                }
            }
        }
        Ok((self.lines.number() > first).then_some(Parsed { good, bad }))
    }

    /// The rows of the values; those that Arrow refuses become bad lines.
    fn decode(
        &self,
        good: &mut Vec<(u64, Value)>,
        bad: &mut Vec<BadLine>,
    ) -> Result<RecordBatch, Error> {
        let values: Vec<&Value> = good.iter().map(|(_, value)| value).collect();
        if let Ok(rows) = rows_of(&self.schema, &values)? {
            return Ok(rows);
        }
        let mut kept = Vec::with_capacity(good.len());
        for (line, value) in good.drain(..) {
            match rows_of(&self.schema, &[&value])? {
                Ok(_) => kept.push((line, value)),
                Err(error) => bad.push(BadLine { line, reason: error.to_string() }),
            }
        }
        *good = kept;
        let values: Vec<&Value> = good.iter().map(|(_, value)| value).collect();
        rows_of(&self.schema, &values)?
            .map_err(|error| Error::invalid("cannot read lines of JSON").caused_by(error))
    }
}

/// Rows of these columns; an inner error is one of the values.
fn rows_of(
    schema: &SchemaRef,
    values: &[&Value],
) -> Result<Result<RecordBatch, ArrowError>, Error> {
    let decoder = ReaderBuilder::new(decodable(schema))
        .with_batch_size(values.len().max(1))
        .with_coerce_primitive(true)
        .build_decoder();
    let mut decoder = decoder.map_err(|error| {
        Error::invalid("a column has a type that JSON cannot hold").caused_by(error)
    })?;
    let rows = caught("lines of JSON", || {
        decoder.serialize(values)?;
        decoder.flush()
    })?;
    Ok(rows.and_then(|rows| match rows {
        Some(rows) => with_types(&rows, schema),
        None => Ok(RecordBatch::new_empty(Arc::clone(schema))),
    }))
}

/// The columns with UTC as an offset, the only zone that the decoder knows by no name.
fn decodable(schema: &SchemaRef) -> SchemaRef {
    let is_utc = |zone: &str| ["UTC", "Etc/UTC", "Z"].contains(&zone);
    let field = |field: &FieldRef| match field.data_type() {
        DataType::Timestamp(unit, Some(zone)) if is_utc(zone) => {
            let data_type = DataType::Timestamp(*unit, Some("+00:00".into()));
            Arc::new(field.as_ref().clone().with_data_type(data_type))
        }
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

/// The rows under the types of these columns.
fn with_types(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = rows.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns.collect::<Result<_, _>>()?,
        &options,
    )
}

/// One line as an object.
fn parse(text: &[u8]) -> Result<Value, String> {
    if lines::depth(text) > DEPTH_MAX {
        return Err(format!("objects and arrays lie more than {DEPTH_MAX} deep"));
    }
    match serde_json::from_slice(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("not a JSON object".into()),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

#[cfg(test)]
mod tests;
