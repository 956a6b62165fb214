//! Hands a recorded partition out again: the same offsets, times, dead letters and order.

use super::columns::{
    BATCH, BY_TIME, DETAIL, EVENT_TIME, OFFSET, ORIGIN, REASON, RECORD_TIME, origin, reason_named,
};
use super::read::{File, RecordedPartition, gap};
use crate::error::Error;
use crate::io::caught;
use crate::live::rows::{Arrived, Lost, RowReader, Stored};
use crate::live::{LiveSource, Polled};
use crate::request::{NullTime, ReadRequest, TimeColumn};
use crate::sources::parquet::file::damaged;
use crate::sources::parquet::time::NO_TIME;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{ArrowPrimitiveType, SchemaRef, TimestampMicrosecondType, UInt64Type};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use trueup_event::RowOrder;

/// The columns that are read beside the payload.
const WANTED: [&str; 8] = [EVENT_TIME, OFFSET, RECORD_TIME, ORIGIN, BATCH, BY_TIME, REASON, DETAIL];

/// A recorded partition as a live source; it ends where the recording does.
#[derive(Debug)]
pub struct RecordingReader {
    files: VecDeque<File>,
    open: Option<(ParquetRecordBatchReader, PathBuf)>,
    /// The offset of the next row to read.
    position: u64,
    /// Rows before this are not asked for.
    from_offset: u64,
    next_offset: u64,
    /// Rows of a batch in event-time order that may go on.
    pending: Vec<RecordBatch>,
    rows: RowReader,
    known: SchemaRef,
    skipped: u64,
}

impl RecordingReader {
    pub(super) fn new(
        part: &RecordedPartition,
        known: SchemaRef,
        request: &ReadRequest,
        from_offset: u64,
    ) -> Self {
        let before = part.files.partition_point(|file| file.first_offset <= from_offset);
        let files: VecDeque<File> = part.files[before.saturating_sub(1)..].to_vec().into();
        // The event time was read when it was recorded.
        let time = TimeColumn { name: EVENT_TIME.into(), ..request.time.clone() };
        let request = ReadRequest { time, null_time: NullTime::Skip, ..request.clone() };
        Self {
            position: files.front().map_or(from_offset, |file| file.first_offset),
            files,
            open: None,
            from_offset,
            next_offset: part.next_offset,
            pending: Vec::new(),
            rows: RowReader::new(&request, part.partition),
            known,
            skipped: 0,
        }
    }

    /// Reads on; false at the end.
    fn read_on(&mut self) -> Result<bool, Error> {
        let Some((batches, path)) = &mut self.open else {
            let Some(file) = self.files.pop_front() else {
                let rest = std::mem::take(&mut self.pending);
                let has_rest = !rest.is_empty();
                self.take_batch(&rest)?;
                return Ok(has_rest);
            };
            if file.first_offset != self.position {
                return Err(gap(self.position, &file.path));
            }
            self.open = Some((open(&file.path, &self.rows)?, file.path));
            return Ok(true);
        };
        let path = path.clone();
        let label = path.display().to_string();
        let next = caught(&label, || batches.next().transpose())?;
        let next = next.map_err(|error| {
            Error::corrupt(format!("cannot decode the recording: `{label}`"))
                .caused_by(error)
                .with_hint("the file is damaged: restore it from a copy")
        })?;
        match next {
            Some(rows) => self.take(rows, &path)?,
            None => self.open = None,
        }
        Ok(true)
    }

    /// Takes rows as they stand in the file, run by run.
    fn take(&mut self, rows: RecordBatch, path: &Path) -> Result<(), Error> {
        let marks = Marks::of(&rows, path)?;
        for row in 0..rows.num_rows() {
            if marks.offset(row) != self.position {
                return Err(gap(self.position, path));
            }
            self.position += 1;
        }
        let mut from = 0;
        while from < rows.num_rows() {
            let is_same = |row: &usize| match marks.by_time(from) {
                true => marks.by_time(*row) && marks.batch(*row) == marks.batch(from),
                false => !marks.by_time(*row),
            };
            let to = (from..rows.num_rows()).take_while(is_same).count() + from;
            let run = rows.slice(from, to - from);
            if let Some(last) = self.pending.last() {
                let before = Marks::of(last, path)?;
                let goes_on = marks.by_time(from) && before.batch(0) == marks.batch(from);
                if !goes_on || last.schema() != run.schema() {
                    let whole = std::mem::take(&mut self.pending);
                    self.take_batch(&whole)?;
                }
            }
            match marks.by_time(from) {
                true => self.pending.push(run),
                false => self.take_run(run, RowOrder::Arrival)?,
            }
            from = to;
        }
        Ok(())
    }

    /// Takes a whole batch in event-time order.
    fn take_batch(&mut self, parts: &[RecordBatch]) -> Result<(), Error> {
        let Some(first) = parts.first() else { return Ok(()) };
        let whole = concat_batches(&first.schema(), parts)
            .map_err(|error| crate::live::rows::cannot_read("recording", error))?;
        self.take_run(whole, RowOrder::Time)
    }

    fn take_run(&mut self, run: RecordBatch, order: RowOrder) -> Result<(), Error> {
        let path = Path::new("recording");
        let marks = Marks::of(&run, path)?;
        let (first_offset, count) = (marks.offset(0), run.num_rows() as u64);
        if first_offset + count <= self.from_offset {
            return Ok(());
        }
        let skipped = match order {
            RowOrder::Arrival => self.from_offset.saturating_sub(first_offset) as usize,
            RowOrder::Time => 0,
        };
        let run = run.slice(skipped, run.num_rows() - skipped);
        let marks = Marks::of(&run, path)?;
        let record_times = marks.record_times();
        let stored =
            Stored { first_offset: first_offset + skipped as u64, rows: run.clone(), record_times };
        let mut arrived = self.rows.arrive(stored, &self.known, "recording")?;
        marks.restore(&mut arrived, &mut self.skipped);
        self.rows.hand_out(arrived, order);
        Ok(())
    }
}

impl LiveSource for RecordingReader {
    fn poll(&mut self) -> Result<Polled, Error> {
        loop {
            if let Some(batch) = self.rows.next() {
                return Ok(Polled::Batch(batch));
            }
            if !self.read_on()? {
                return Ok(Polled::Ended);
            }
        }
    }

    fn backlog(&self) -> Option<u64> {
        Some(self.next_offset.saturating_sub(self.position.max(self.from_offset)))
    }

    fn skipped_null_time(&self) -> u64 {
        self.skipped
    }
}

fn open(path: &Path, rows: &RowReader) -> Result<ParquetRecordBatchReader, Error> {
    let label = path.display().to_string();
    let file = std::fs::File::open(path)
        .map_err(|error| Error::disk("cannot read the recording", path, error))?;
    let batches = caught(&label, || {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let names: Vec<&str> = rows.names().chain(WANTED).collect();
        let fields = builder.schema().fields().iter().enumerate();
        let roots = fields.filter(|(_, field)| names.contains(&field.name().as_str()));
        let roots: Vec<usize> = roots.map(|(root, _)| root).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        builder.with_projection(mask).with_batch_size(rows.batch_rows()).build()
    });
    batches?.map_err(|error| damaged("cannot read the recording", &label, error))
}

/// The recording's own columns of some rows.
struct Marks {
    offsets: ArrayRef,
    batches: ArrayRef,
    by_time: ArrayRef,
    origins: ArrayRef,
    record_times: ArrayRef,
    reasons: ArrayRef,
    details: ArrayRef,
}

impl Marks {
    fn of(rows: &RecordBatch, path: &Path) -> Result<Self, Error> {
        let column = |name: &str| {
            rows.column_by_name(name).cloned().ok_or_else(|| {
                Error::corrupt(format!("no column `{name}`: `{}`", path.display()))
                    .with_hint("the file is no part of a recording")
            })
        };
        let marks = Self {
            offsets: column(OFFSET)?,
            batches: column(BATCH)?,
            by_time: column(BY_TIME)?,
            origins: column(ORIGIN)?,
            record_times: column(RECORD_TIME)?,
            reasons: column(REASON)?,
            details: column(DETAIL)?,
        };
        let is_sound = [&marks.offsets, &marks.batches, &marks.origins]
            .iter()
            .all(|column| column.data_type() == &UInt64Type::DATA_TYPE)
            && marks.by_time.as_boolean_opt().is_some()
            && marks.record_times.as_primitive_opt::<TimestampMicrosecondType>().is_some()
            && marks.reasons.as_string_opt::<i32>().is_some()
            && marks.details.as_string_opt::<i32>().is_some();
        match is_sound {
            true => Ok(marks),
            false => Err(Error::corrupt(format!(
                "the columns have other types than a recording's: `{}`",
                path.display()
            ))),
        }
    }

    fn offset(&self, row: usize) -> u64 {
        self.offsets.as_primitive::<UInt64Type>().value(row)
    }

    fn batch(&self, row: usize) -> u64 {
        self.batches.as_primitive::<UInt64Type>().value(row)
    }

    fn by_time(&self, row: usize) -> bool {
        self.by_time.as_boolean().value(row)
    }

    /// None where the first row has none: its source has none.
    fn record_times(&self) -> Option<Vec<i64>> {
        let times = self.record_times.as_primitive::<TimestampMicrosecondType>();
        let has_any = times.null_count() < times.len();
        has_any.then(|| times.iter().map(Option::unwrap_or_default).collect())
    }

    /// Puts back origins and reasons; counts rows that were passed over for want of a time.
    fn restore(&self, arrived: &mut Arrived, skipped: &mut u64) {
        let origins = self.origins.as_primitive::<UInt64Type>();
        for (row, own) in arrived.origins.iter_mut().enumerate() {
            *own = origin(origins.is_valid(row).then(|| origins.value(row)));
        }
        let (reasons, details) = (self.reasons.as_string::<i32>(), self.details.as_string::<i32>());
        for Lost { row, why } in &mut arrived.lost {
            let name = reasons.is_valid(*row).then(|| reasons.value(*row));
            match name.and_then(reason_named) {
                Some(reason) => *why = Some((reason, details.value(*row).to_string().into())),
                None if arrived.times[*row] == NO_TIME => *skipped += 1,
                None => {}
            }
        }
    }
}
