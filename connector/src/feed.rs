//! Rows with their event times, to be appended to a log: from Parquet data sets, or lines of JSON.
//!
//! All columns are kept as they stand. Rows whose time is null have not happened yet: they are
//! counted and left out. What cannot be read is told of with its file, row and reason. Rows of a
//! data set come in event-time order, lines in their own.

use crate::dataset::Dataset;
use crate::error::Error;
use crate::ndjson::{NdjsonBatch, NdjsonColumns, NdjsonReader};
use crate::request::{NullTime, ReadRequest, TimeColumn};
use crate::sources::parquet::Reader;
use crate::sources::parquet::time::{NO_TIME, TimeReader};
use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;
use std::io::Read;
use std::path::Path;
use trueup_event::{EventTime, StreamId};

/// How many rows are read at a time.
const BATCH_ROWS: usize = 8192;

/// Some rows, each with its event time.
#[derive(Debug, Clone, PartialEq)]
pub struct FedRows {
    /// All columns.
    pub rows: RecordBatch,
    /// One per row.
    pub times: Vec<EventTime>,
    /// Rows left out, whose time is null.
    pub null_time_count: u64,
    /// Rows that cannot be used.
    pub bad: Vec<BadRow>,
}

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BadRow {
    /// Its file, as shown to people.
    pub file: String,
    /// Its number: of a line from 1, of a row from 0.
    pub row: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Only events at or after the first, and before the second.
pub type Span = (Option<EventTime>, Option<EventTime>);

/// Where rows come from.
#[derive(Debug)]
pub struct RowFeed {
    from: From,
    row_count: Option<u64>,
}

#[derive(Debug)]
enum From {
    Files { reader: Reader, files: Vec<String>, skipped: u64 },
    Lines(Box<Lines>),
}

struct Lines {
    reader: NdjsonReader<Box<dyn Read + Send>>,
    label: String,
    time: TimeColumn,
    span: Span,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("label", &self.label).finish_non_exhaustive()
    }
}

impl RowFeed {
    /// All columns of a Parquet data set, in event-time order.
    ///
    /// # Errors
    /// As [`Dataset::open`] and [`Dataset::read`].
    pub fn of_files(
        location: &str,
        base: &Path,
        time: &TimeColumn,
        (from, to): Span,
    ) -> Result<Self, Error> {
        let dataset = Dataset::open(location, base)?;
        let names = dataset.schema().fields().iter().map(|field| field.name().clone());
        let request = ReadRequest {
            null_time: NullTime::Skip,
            batch_rows: BATCH_ROWS,
            from,
            to,
            ..ReadRequest::new(StreamId(0), time.clone(), names.collect())
        };
        let reader = dataset.read(&request)?;
        let files = dataset.files().to_vec();
        let row_count = Some(dataset.row_count());
        Ok(Self { from: From::Files { reader, files, skipped: 0 }, row_count })
    }

    /// Lines of JSON in their order; `label` is shown to people.
    #[must_use]
    pub fn of_lines(
        source: Box<dyn Read + Send>,
        label: &str,
        columns: NdjsonColumns,
        time: &TimeColumn,
        span: Span,
    ) -> Self {
        let reader = NdjsonReader::new(source, columns, BATCH_ROWS);
        let (label, time) = (label.to_owned(), time.clone());
        Self { from: From::Lines(Box::new(Lines { reader, label, time, span })), row_count: None }
    }

    /// The number of rows, if it is known.
    #[must_use]
    pub fn row_count(&self) -> Option<u64> {
        self.row_count
    }

    /// The next rows, maybe none that can be used; nothing at the end.
    ///
    /// # Errors
    /// If the source cannot be read, or its time column is of a type that is no time.
    pub fn next_rows(&mut self) -> Result<Option<FedRows>, Error> {
        match &mut self.from {
            From::Lines(lines) => match lines.reader.next_batch()? {
                Some(batch) => lines.timed(batch).map(Some),
                None => Ok(None),
            },
            From::Files { reader, files, skipped } => {
                let Some(batch) = reader.next().transpose()? else {
                    let null_time_count = reader.skipped_null_time() - *skipped;
                    *skipped += null_time_count;
                    let rows = RecordBatch::new_empty(reader.schema().clone());
                    let last = FedRows { rows, times: Vec::new(), null_time_count, bad: vec![] };
                    return Ok((null_time_count > 0).then_some(last));
                };
                let null_time_count = reader.skipped_null_time() - *skipped;
                *skipped += null_time_count;
                let bad = batch.dead.iter().map(|letter| BadRow {
                    file: files.get(letter.origin.file() as usize).cloned().unwrap_or_default(),
                    row: letter.origin.row(),
                    reason: letter.detail.to_string(),
                });
                let bad = bad.collect();
                let times = batch.times.iter().map(|time| EventTime::from_micros(*time)).collect();
                Ok(Some(FedRows { rows: batch.rows, times, null_time_count, bad }))
            }
        }
    }
}

impl Lines {
    fn timed(&self, batch: NdjsonBatch) -> Result<FedRows, Error> {
        let NdjsonBatch { rows, lines, bad } = batch;
        let told =
            |line: u64, reason: String| BadRow { file: self.label.clone(), row: line, reason };
        let mut bad: Vec<BadRow> = bad.into_iter().map(|b| told(b.line, b.reason)).collect();
        let Some(column) = rows.column_by_name(&self.time.name) else {
            let null_time_count = rows.num_rows() as u64;
            return Ok(FedRows { rows: rows.slice(0, 0), times: vec![], null_time_count, bad });
        };
        let mut reader = TimeReader::new(&self.time, column.data_type(), &self.label)?;
        let mut micros = Vec::with_capacity(rows.num_rows());
        reader.read(column, &mut micros)?;
        let (from, to) = self.span;
        let range =
            from.map_or(i64::MIN, EventTime::micros)..to.map_or(i64::MAX, EventTime::micros);
        let (mut times, mut null_time_count) = (Vec::new(), 0);
        let mut is_kept = Vec::with_capacity(rows.num_rows());
        for (row, time) in micros.into_iter().enumerate() {
            is_kept.push(time != NO_TIME && range.contains(&time));
            if time != NO_TIME {
                times.extend(range.contains(&time).then(|| EventTime::from_micros(time)));
            } else if column.is_null(row) {
                null_time_count += 1;
            } else {
                bad.push(told(lines[row], reader.why(column, row).into_owned()));
            }
        }
        bad.sort_by_key(|bad| bad.row);
        let rows = filter_record_batch(&rows, &BooleanArray::from(is_kept))
            .map_err(|error| Error::invalid("cannot choose rows").caused_by(error))?;
        Ok(FedRows { rows, times, null_time_count, bad })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_times_or_are_counted_or_told_of() {
        let text = "{\"at\":\"2024-07-01T00:00:01Z\",\"n\":1}\nno JSON\n{\"n\":2}\n\
                    {\"at\":\"yesterday\",\"n\":3}\n{\"at\":\"2024-07-01T00:00:00Z\",\"n\":4}\n\
                    {\"at\":\"2025-07-01T00:00:00Z\",\"n\":5}\n";
        let to = EventTime::from_micros(1_735_689_600_000_000);
        let mut feed = RowFeed::of_lines(
            Box::new(text.as_bytes()),
            "-",
            NdjsonColumns::Inferred,
            &TimeColumn::new("at"),
            (None, Some(to)),
        );
        let fed = feed.next_rows().unwrap().unwrap();
        assert_eq!(fed.rows.num_rows(), 2);
        let times: Vec<String> = fed.times.iter().map(ToString::to_string).collect();
        assert_eq!(times, ["2024-07-01T00:00:01Z", "2024-07-01T00:00:00Z"]);
        assert_eq!(fed.null_time_count, 1);
        assert_eq!(fed.bad.iter().map(|bad| bad.row).collect::<Vec<_>>(), [2, 4]);
        assert!(feed.next_rows().unwrap().is_none());
    }
}
