//! From rows in memory to batches of events: the same columns, times and dead letters that the
//! reader of Parquet data sets gives, in the order of arrival.
//!
//! A column that these rows lack and others of the stream have is null here.

use crate::error::Error;
use crate::request::{NullTime, ReadRequest};
use crate::sources::parquet::file::Shape;
use crate::sources::parquet::projection::{FileProjection, Projection};
use crate::sources::parquet::schema::Columns;
use crate::sources::parquet::time::{NO_TIME, TimeReader};
use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use trueup_event::{
    DeadLetter, EventBatch, EventTime, Origin, PartitionId, Place, Reason, RowOrder, StreamId,
};

/// Rows as they were stored; the first has offset `first_offset`, the others follow.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) first_offset: u64,
    pub(crate) rows: RecordBatch,
    /// One per row, in microseconds.
    pub(crate) record_times: Option<Vec<i64>>,
}

/// Reads stored rows of one partition as a request asks.
#[derive(Debug)]
pub(crate) struct RowReader {
    pub(crate) request: ReadRequest,
    partition: PartitionId,
    plan: Option<Plan>,
    ready: VecDeque<EventBatch>,
    pub(crate) skipped: u64,
}

/// How rows of one schema are read.
#[derive(Debug)]
struct Plan {
    stored: SchemaRef,
    /// The stored columns, then those that are missing.
    whole: SchemaRef,
    projection: FileProjection,
    time: TimeReader,
}

impl RowReader {
    pub(crate) fn new(request: &ReadRequest, partition: PartitionId) -> Self {
        let (plan, ready, skipped) = (None, VecDeque::new(), 0);
        Self { request: request.clone(), partition, plan, ready, skipped }
    }

    /// About how many rows a batch has.
    pub(crate) fn batch_rows(&self) -> usize {
        self.request.batch_rows.clamp(1, 1 << 24)
    }

    /// The names of the columns that are read, the time's last.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let columns = self.request.columns.iter().map(String::as_str);
        columns.chain([self.request.time.name.as_str()])
    }

    /// Whether a column is read that is not in this schema.
    pub(crate) fn lacks(&self, schema: &Schema) -> bool {
        self.names().any(|name| schema.index_of(name).is_err())
    }

    /// The next batch that was read.
    pub(crate) fn next(&mut self) -> Option<EventBatch> {
        self.ready.pop_front()
    }

    /// Reads rows of `label`, for [`RowReader::next`] to hand out. `known` are columns that other
    /// rows of the stream have.
    pub(crate) fn read(
        &mut self,
        stored: Stored,
        known: &Schema,
        label: &str,
    ) -> Result<(), Error> {
        let arrived = self.arrive(stored, known, label)?;
        self.hand_out(arrived, RowOrder::Arrival);
        Ok(())
    }

    /// Lets [`RowReader::next`] hand out rows.
    pub(crate) fn hand_out(&mut self, arrived: Arrived, order: RowOrder) {
        arrived.cut(self.request.stream, self.partition, order, &mut self.ready);
    }

    /// Reads rows of `label`.
    pub(crate) fn arrive(
        &mut self,
        stored: Stored,
        known: &Schema,
        label: &str,
    ) -> Result<Arrived, Error> {
        let schema = stored.rows.schema();
        if self.plan.as_ref().is_none_or(|plan| plan.stored != schema) {
            self.plan = Some(Plan::new(&self.request, schema, known, label)?);
        }
        let plan = self.plan.as_mut().expect("it was just made");
        let cannot = |error| cannot_read(label, error);
        let decoded = plan
            .complete(&stored.rows)
            .and_then(|whole| plan.projection.select(&whole))
            .map_err(cannot)?;
        let rows = plan.projection.adapt(&decoded)?;
        let time_column = plan.projection.times(&decoded)?;
        let mut times = Vec::with_capacity(rows.num_rows());
        plan.time.read(&time_column, &mut times)?;
        let range = self.request.from.map_or(i64::MIN, EventTime::micros)
            ..self.request.to.map_or(i64::MAX, EventTime::micros);
        let mut lost = Vec::new();
        for (row, time) in times.iter().enumerate() {
            if *time == NO_TIME {
                let skip = time_column.is_null(row) && self.request.null_time == NullTime::Skip;
                self.skipped += u64::from(skip);
                let why = || (Reason::Malformed, plan.time.why(&time_column, row));
                lost.push(Lost { row, why: (!skip).then(why) });
            } else if !range.contains(time) {
                lost.push(Lost { row, why: None });
            }
        }
        let first = stored.first_offset;
        let origins = (first..).take(times.len()).map(|offset| Origin::new(0, offset)).collect();
        let record_times = stored.record_times;
        Ok(Arrived { first_offset: first, rows, times, origins, record_times, lost })
    }
}

impl Plan {
    fn new(
        request: &ReadRequest,
        stored: SchemaRef,
        known: &Schema,
        label: &str,
    ) -> Result<Self, Error> {
        let mut fields = stored.fields().to_vec();
        let names = request.columns.iter().chain([&request.time.name]);
        for name in names {
            if fields.iter().any(|field| field.name() == name) {
                continue;
            }
            if let Ok(field) = known.field_with_name(name) {
                fields.push(Arc::new(field.clone().with_nullable(true)));
            }
        }
        let whole = Arc::new(Schema::new(fields));
        let shape = Shape { label, partition: &[], schema: &whole };
        let mut columns = Columns::unite(&[shape]);
        columns.add_known(known, label);
        let projection = Projection::of_request(&columns, request)?.of_file(&columns, shape)?;
        let time = projection.time_reader();
        let time = time.ok_or_else(|| Error::invalid(format!("no time column in `{label}`")))?;
        Ok(Self { stored, whole, projection, time })
    }

    /// The rows with nulls where they lack a column.
    fn complete(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        with_nulls(rows, &self.whole)
    }
}

/// The rows followed by null columns, up to the fields of `whole`.
fn with_nulls(rows: &RecordBatch, whole: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if rows.num_columns() == whole.fields().len() {
        return Ok(rows.clone());
    }
    let count = rows.num_rows();
    let missing = &whole.fields()[rows.num_columns()..];
    let nulls = missing.iter().map(|field| new_null_array(field.data_type(), count));
    let columns: Vec<ArrayRef> = rows.columns().iter().cloned().chain(nulls).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    RecordBatch::try_new_with_options(Arc::clone(whole), columns, &options)
}

pub(crate) fn cannot_read(label: &str, error: ArrowError) -> Error {
    Error::invalid(format!("cannot read the rows: `{label}`")).caused_by(error)
}

/// A row that is no event.
#[derive(Debug)]
pub(crate) struct Lost {
    /// Its place among the rows.
    pub(crate) row: usize,
    /// What is wrong with it; nothing if it is passed over.
    pub(crate) why: Option<(Reason, Cow<'static, str>)>,
}

/// Rows in order of their offsets, some of which are no events.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) first_offset: u64,
    /// The columns handed out.
    pub(crate) rows: RecordBatch,
    pub(crate) times: Vec<i64>,
    pub(crate) origins: Vec<Origin>,
    pub(crate) record_times: Option<Vec<i64>>,
    /// Rows that are no events, ascending.
    pub(crate) lost: Vec<Lost>,
}

impl Arrived {
    /// Cuts the rows into batches whose events come first.
    fn cut(
        self,
        stream: StreamId,
        partition: PartitionId,
        order: RowOrder,
        batches: &mut VecDeque<EventBatch>,
    ) {
        let (mut from, count) = (0, self.times.len());
        let mut lost = self.lost.iter().peekable();
        while from < count {
            let to = lost.peek().map_or(count, |lost| lost.row);
            let (mut end, mut dead) = (to, Vec::new());
            while let Some(Lost { row, why }) = lost.next_if(|lost| lost.row == end) {
                end += 1;
                let Some((reason, detail)) = why else { continue };
                let offset = self.first_offset + *row as u64;
                dead.push(DeadLetter {
                    place: Place { stream, partition, offset },
                    origin: self.origins[*row],
                    time: None,
                    reason: *reason,
                    detail: detail.clone(),
                });
            }
            let record_times = self.record_times.as_ref().map(|times| times[from..to].into());
            batches.push_back(EventBatch {
                stream,
                partition,
                first_offset: self.first_offset + from as u64,
                next_offset: self.first_offset + end as u64,
                order,
                times: self.times[from..to].into(),
                record_times,
                origins: self.origins[from..to].into(),
                rows: self.rows.slice(from, to - from),
                dead,
            });
            from = end;
        }
    }
}
