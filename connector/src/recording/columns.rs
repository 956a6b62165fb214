//! The columns of a recording: from a batch to rows that can be written.

use crate::error::Error;
use arrow::array::{
    Array, ArrayRef, BooleanArray, StringArray, TimestampMicrosecondArray, UInt32Array,
    UInt64Array, new_null_array,
};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::record_batch::RecordBatch;
use std::sync::Arc;
use trueup_event::{DeadLetter, EventBatch, EventTime, Origin, Reason, RowOrder};

pub(super) const PARTITION: &str = "_partition";
pub(super) const OFFSET: &str = "_offset";
pub(super) const EVENT_TIME: &str = "_event_time";
pub(super) const RECORD_TIME: &str = "_record_time";
pub(super) const ARRIVAL_TIME: &str = "_arrival_time";
pub(super) const ORIGIN: &str = "_origin";
pub(super) const BATCH: &str = "_batch";
pub(super) const BY_TIME: &str = "_by_time";
pub(super) const REASON: &str = "_reason";
pub(super) const DETAIL: &str = "_detail";

/// All of them.
pub(super) const OWN: [&str; 10] = [
    PARTITION,
    OFFSET,
    EVENT_TIME,
    RECORD_TIME,
    ARRIVAL_TIME,
    ORIGIN,
    BATCH,
    BY_TIME,
    REASON,
    DETAIL,
];

/// What the rows of a stream are recorded with.
#[derive(Debug)]
pub(super) struct Payload<'a> {
    /// The name under which the event time is written too, unless the batch has such a column.
    pub(super) time: &'a str,
    /// Columns that are left out.
    pub(super) dropped: &'a [String],
}

/// A batch as rows: one per offset from `first_offset` to `next_offset`.
pub(super) fn rows_of(
    batch: &EventBatch,
    payload: &Payload<'_>,
    arrival: EventTime,
) -> Result<RecordBatch, Error> {
    let count = (batch.next_offset - batch.first_offset) as usize;
    let lost = count - batch.len();
    let times = micros(batch.times.iter().map(|time| Some(*time)), lost);
    let mut columns = vec![
        column(PARTITION, UInt32Array::from_value(batch.partition.0, count)),
        column(OFFSET, UInt64Array::from_iter_values(batch.first_offset..batch.next_offset)),
        (Arc::new(Field::new(EVENT_TIME, times.data_type().clone(), true)), Arc::clone(&times)),
        instants(RECORD_TIME, micros(record_times(batch), lost)),
        instants(ARRIVAL_TIME, micros((0..count).map(|_| Some(arrival.micros())), 0)),
        column(ORIGIN, origins(batch, count)),
        column(BATCH, UInt64Array::from_value(batch.first_offset, count)),
        column(BY_TIME, BooleanArray::from(vec![batch.order == RowOrder::Time; count])),
        column(REASON, of_dead(batch, count, |letter| letter.reason.name())),
        column(DETAIL, of_dead(batch, count, |letter| letter.detail.as_ref())),
    ];
    let schema = batch.rows.schema();
    let is_dropped = |name: &str| payload.dropped.iter().any(|dropped| dropped == name);
    for (field, values) in schema.fields().iter().zip(batch.rows.columns()) {
        if is_dropped(field.name()) {
            continue;
        }
        if OWN.contains(&field.name().as_str()) {
            return Err(Error::invalid(format!(
                "a recording has a column of its own called `{}`",
                field.name()
            ))
            .with_hint("rename that column, or do not record it"));
        }
        columns.push(whole(field, values, lost)?);
    }
    if schema.index_of(payload.time).is_err() && !is_dropped(payload.time) {
        columns.push(instants(payload.time, times));
    }
    let (fields, columns): (Vec<FieldRef>, Vec<ArrayRef>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(cannot)
}

fn column(name: &str, values: impl Array + 'static) -> (FieldRef, ArrayRef) {
    (Arc::new(Field::new(name, values.data_type().clone(), true)), Arc::new(values))
}

fn instants(name: &str, values: ArrayRef) -> (FieldRef, ArrayRef) {
    (Arc::new(Field::new(name, values.data_type().clone(), true)), values)
}

/// Timestamps, followed by nulls.
fn micros(times: impl Iterator<Item = Option<i64>>, nulls: usize) -> ArrayRef {
    let times = times.chain(std::iter::repeat_n(None, nulls));
    Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

fn record_times(batch: &EventBatch) -> impl Iterator<Item = Option<i64>> {
    let times = batch.record_times.as_ref();
    (0..batch.len()).map(move |row| times.map(|times| times[row]))
}

/// The dead letter at each offset after the events.
fn dead_at(batch: &EventBatch, row: usize) -> Option<&DeadLetter> {
    let offset = batch.first_offset + row as u64;
    let at = batch.dead.binary_search_by_key(&offset, |letter| letter.place.offset).ok()?;
    Some(&batch.dead[at])
}

fn origins(batch: &EventBatch, count: usize) -> UInt64Array {
    let live = batch.origins.iter().map(|origin| Some(origin.packed()));
    let lost = (batch.len()..count).map(|row| Some(dead_at(batch, row)?.origin.packed()));
    live.chain(lost).collect()
}

fn of_dead<'a>(
    batch: &'a EventBatch,
    count: usize,
    value: impl Fn(&'a DeadLetter) -> &'a str,
) -> StringArray {
    let live = std::iter::repeat_n(None, batch.len());
    live.chain((batch.len()..count).map(|row| dead_at(batch, row).map(&value))).collect()
}

/// A column of the payload as it is written: without a dictionary, null where there is no event.
fn whole(field: &FieldRef, values: &ArrayRef, lost: usize) -> Result<(FieldRef, ArrayRef), Error> {
    let data_type = match field.data_type() {
        DataType::Dictionary(_, value) => value.as_ref(),
        other => other,
    };
    let mut values = cast(values, data_type).map_err(cannot)?;
    if lost > 0 {
        let nulls = new_null_array(data_type, lost);
        values = concat(&[values.as_ref(), nulls.as_ref()]).map_err(cannot)?;
    }
    Ok((Arc::new(Field::new(field.name(), data_type.clone(), true)), values))
}

fn cannot(error: arrow::error::ArrowError) -> Error {
    Error::invalid("cannot record the rows").caused_by(error)
}

/// The reason with a name.
pub(super) fn reason_named(name: &str) -> Option<Reason> {
    Reason::ALL.into_iter().find(|reason| reason.name() == name)
}

/// A recorded origin.
pub(super) fn origin(packed: Option<u64>) -> Origin {
    packed.map_or_else(Origin::default, Origin::from_packed)
}
