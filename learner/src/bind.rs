//! From columns to questions and labels: the one place where a definition meets the data's types.
//!
//! A row that cannot be used becomes a dead letter with column and reason; the rest goes on. Rows
//! of a warehouse data set that have equal times are put in the order of their own bytes, as far
//! as the definition reads them, so that neither files nor row groups decide about their order.

mod bound;

pub(crate) use bound::{Bound, Questions, Rows};

use crate::features::{self, FeatureSet};
use crate::spec::{Correction, LabelValue, Side, Spec};
use arrow::array::{Array, AsArray, Float64Array, PrimitiveArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use jiff::Timestamp;
use std::borrow::Cow;
use trueup_event::{DeadLetter, EventBatch, EventTime, Key, Place, Reason, RowOrder};

/// A batch whose columns cannot serve the definition: wrong for every row alike.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BindError {
    /// A feature cannot be computed.
    #[error(transparent)]
    Feature(#[from] features::BindError),
    /// The batch does not have the column.
    #[error("column is missing from event `{event}`: `{column}`")]
    MissingColumn {
        /// The event.
        event: String,
        /// The column.
        column: String,
    },
    /// The column's type cannot serve.
    #[error("column `{column}` of event `{event}` must be {expected}: `{found}`")]
    WrongType {
        /// The event.
        event: String,
        /// The column.
        column: String,
        /// What is needed.
        expected: &'static str,
        /// Its type.
        found: DataType,
    },
}

/// The largest size of an estimate or label: its square is finite, and so are sums of squares.
const VALUE_MAX: f64 = 1e100;
/// The furthest event time from 1970.
const TIME_MAX_MICROS: u64 = 100_000_000_000_000_000;

/// Rows set aside while binding: at most one entry per row, the first that was found.
#[derive(Debug, Default)]
struct Bad {
    rows: Vec<Option<(Reason, Cow<'static, str>)>>,
}

impl Bad {
    fn note(&mut self, len: usize, row: usize, reason: Reason, detail: Cow<'static, str>) {
        if self.rows.is_empty() {
            self.rows.resize(len, None);
        }
        self.rows[row].get_or_insert((reason, detail));
    }
}

/// Binds a batch of the question event; rows before offset `from` are passed over.
pub(crate) fn questions(
    spec: &Spec,
    features: &FeatureSet,
    from: u64,
    batch: &EventBatch,
) -> Result<Bound, BindError> {
    let (rows, len) = (Columns { event: &spec.question.event, rows: &batch.rows }, batch.len());
    let mut bad = Bad::default();
    check_times(&mut bad, batch);
    let keys = keys(rows, &spec.question.join, &mut bad)?;
    let estimates = numbers(rows, &spec.question.estimate)?;
    for (row, &estimate) in estimates.iter().enumerate() {
        check_number(&mut bad, len, row, estimate, &spec.question.estimate, spec.correction);
    }
    let ids = match &spec.question.id {
        Some(id) => self::keys(rows, id, &mut bad)?.into_iter().map(Key::hash64).collect(),
        None => batch.times.iter().map(|&time| time as u64).collect(),
    };
    let units = match &spec.gate.independent {
        Some(unit) if *unit != spec.question.join => {
            self::keys(rows, unit, &mut bad)?.into_iter().map(Key::hash64).collect()
        }
        Some(_) | None => Vec::new(),
    };
    let served = match &spec.question.served_answer {
        Some(column) => numbers(rows, column)?,
        None => Vec::new(),
    };
    let starts = match &spec.label.value {
        LabelValue::Elapsed { from, from_event: Side::Question, .. } => {
            instants(rows, from, &mut bad)?
        }
        LabelValue::Elapsed { .. } | LabelValue::Column(_) => Vec::new(),
    };
    let references: Vec<_> =
        spec.references.iter().map(|column| numbers(rows, column)).collect::<Result<_, _>>()?;
    let answers = spec.references.iter().zip(&references);
    let recorded = spec.question.served_answer.iter().zip([&served]);
    for (name, column) in answers.chain(recorded) {
        // A null (here NaN) is an answer that was not given; an infinite one is a fault.
        for row in (0..len).filter(|&row| column[row].is_infinite()) {
            let detail = format!("column `{name}` is infinite");
            bad.note(len, row, Reason::NotFinite, detail.into());
        }
    }
    let bound = features.bind(&batch.rows)?;
    for row in &bound.refused {
        bad.note(len, row.row, row.reason, row.detail.clone());
    }
    let mut questions = Questions {
        keys,
        ids,
        units,
        contents: Vec::new(),
        estimates,
        served,
        starts,
        features: bound,
        references,
        order: Vec::new(),
    };
    questions.contents = (0..len).map(|row| questions.content(row)).collect();
    let order =
        order(batch, |row| (questions.keys[row], questions.ids[row], questions.contents[row]));
    let places = Places::new(order, &bad, batch, from);
    questions.order.clone_from(&places.rows);
    Ok(places.bound(Rows::Questions(Box::new(questions)), batch, spec))
}

/// Binds a batch of the label event; rows before offset `from` are passed over.
pub(crate) fn labels(spec: &Spec, from: u64, batch: &EventBatch) -> Result<Bound, BindError> {
    let (rows, len) = (Columns { event: &spec.label.event, rows: &batch.rows }, batch.len());
    let mut bad = Bad::default();
    check_times(&mut bad, batch);
    let keys = keys(rows, &spec.label.join, &mut bad)?;
    let values: Vec<f64> = match &spec.label.value {
        LabelValue::Column(column) => {
            let values = numbers(rows, column)?;
            for (row, &value) in values.iter().enumerate() {
                check_number(&mut bad, len, row, value, column, spec.correction);
            }
            values
        }
        LabelValue::Elapsed { from, from_event: Side::Label, until, unit_micros } => {
            let starts = instants(rows, from, &mut bad)?;
            let ends = instants(rows, until, &mut bad)?;
            let unit_micros = *unit_micros as f64;
            let elapsed =
                |(from, until): (i64, i64)| until.saturating_sub(from) as f64 / unit_micros;
            let values: Vec<f64> = starts.into_iter().zip(ends).map(elapsed).collect();
            for (row, &value) in values.iter().enumerate() {
                check_number(&mut bad, len, row, value, until, spec.correction);
            }
            values
        }
        LabelValue::Elapsed { until, from_event: Side::Question, .. } => {
            instants(rows, until, &mut bad)?.into_iter().map(|micros| micros as f64).collect()
        }
    };
    let order = order(batch, |row| (keys[row], values[row].to_bits()));
    let places = Places::new(order, &bad, batch, from);
    let row = |&row: &u32| (keys[row as usize], values[row as usize]);
    let rows = places.rows.iter().map(row).collect();
    Ok(places.bound(Rows::Labels(rows), batch, spec))
}

/// The rows that can be used and those that cannot, each with its offset.
struct Places {
    rows: Vec<u32>,
    offsets: Vec<u64>,
    dead: Vec<(u64, DeadLetter)>,
}

impl Places {
    fn new(order: Vec<u32>, bad: &Bad, batch: &EventBatch, from: u64) -> Self {
        let mut places = Self {
            rows: Vec::with_capacity(order.len()),
            offsets: Vec::with_capacity(order.len()),
            dead: Vec::new(),
        };
        // A row of a data set that has no event has no offset either: it counts with the batch.
        let offsets = batch.first_offset..batch.next_offset;
        let unread = batch.dead.iter().map(|letter| match letter.place.offset {
            own if offsets.contains(&own) => (own, letter.clone()),
            _ => (batch.first_offset, letter.clone()),
        });
        places.dead.extend(unread);
        for (offset, row) in (batch.first_offset..).zip(order) {
            let at = row as usize;
            match bad.rows.get(at).and_then(Option::as_ref) {
                None if offset < from => {}
                None => {
                    places.rows.push(row);
                    places.offsets.push(offset);
                }
                Some((reason, detail)) => {
                    let (stream, partition) = (batch.stream, batch.partition);
                    let letter = DeadLetter {
                        place: Place { stream, partition, offset },
                        origin: batch.origins[at],
                        time: Some(EventTime::from_micros(batch.times[at])),
                        reason: *reason,
                        detail: detail.clone(),
                    };
                    places.dead.push((offset, letter));
                }
            }
        }
        places.dead.sort_by_key(|(offset, _)| *offset);
        places
    }

    fn bound(self, rows: Rows, batch: &EventBatch, spec: &Spec) -> Bound {
        let time = |&row: &u32| EventTime::from_micros(batch.times[row as usize]);
        let is_future = batch.record_times.as_ref().map_or(Vec::new(), |record_times| {
            let is_future = |&row: &u32| {
                let recorded = EventTime::from_micros(record_times[row as usize]);
                batch.times[row as usize] > recorded.plus(spec.future_max).micros()
            };
            self.rows.iter().map(is_future).collect()
        });
        Bound {
            rows,
            times: self.rows.iter().map(time).collect(),
            origins: self.rows.iter().map(|&row| batch.origins[row as usize]).collect(),
            offsets: self.offsets,
            dead: self.dead,
            is_future,
        }
    }
}

/// The rows in their order in the partition: as they came, or ties by the bytes of the rows.
fn order<K: Ord>(batch: &EventBatch, bytes: impl Fn(usize) -> K) -> Vec<u32> {
    let mut order: Vec<u32> = (0..batch.len() as u32).collect();
    if batch.order == RowOrder::Time {
        let same_time = |a: &u32, b: &u32| batch.times[*a as usize] == batch.times[*b as usize];
        for group in order.chunk_by_mut(same_time).filter(|group| group.len() > 1) {
            group.sort_unstable_by_key(|&row| bytes(row as usize));
        }
    }
    order
}

/// The columns of a batch of one event.
#[derive(Clone, Copy)]
struct Columns<'a> {
    event: &'a str,
    rows: &'a RecordBatch,
}

impl<'a> Columns<'a> {
    fn get(self, name: &str) -> Result<&'a dyn Array, BindError> {
        self.rows.column_by_name(name).map(AsRef::as_ref).ok_or_else(|| BindError::MissingColumn {
            event: self.event.to_owned(),
            column: name.to_owned(),
        })
    }

    fn wrong(self, name: &str, expected: &'static str, found: &DataType) -> BindError {
        BindError::WrongType {
            event: self.event.to_owned(),
            column: name.to_owned(),
            expected,
            found: found.clone(),
        }
    }
}

/// A number column; null becomes NaN.
fn numbers(rows: Columns<'_>, name: &str) -> Result<Vec<f64>, BindError> {
    let column = rows.get(name)?;
    if !column.data_type().is_numeric() {
        return Err(rows.wrong(name, "a number", column.data_type()));
    }
    let cast = cast(column, &DataType::Float64)
        .map_err(|_| rows.wrong(name, "a number", column.data_type()))?;
    let numbers: &Float64Array = cast.as_primitive();
    Ok(match numbers.null_count() {
        0 => numbers.values().to_vec(),
        _ => numbers.iter().map(|number| number.unwrap_or(f64::NAN)).collect(),
    })
}

fn check_number(
    bad: &mut Bad,
    len: usize,
    row: usize,
    value: f64,
    name: &str,
    correction: Correction,
) {
    if !value.is_finite() {
        let detail = format!("column `{name}` is null, NaN or infinite");
        bad.note(len, row, Reason::NotFinite, detail.into());
    } else if value.abs() > VALUE_MAX {
        let detail = format!("column `{name}` is beyond 1e100");
        bad.note(len, row, Reason::Malformed, detail.into());
    } else if correction == Correction::Multiplicative && value <= 0.0 {
        let detail =
            format!("column `{name}` is not above 0, as a multiplicative correction needs");
        bad.note(len, row, Reason::Malformed, detail.into());
    }
}

/// Events outside of some three thousand years around 1970 have no believable time.
fn check_times(bad: &mut Bad, batch: &EventBatch) {
    for (row, time) in batch.times.iter().enumerate() {
        if time.unsigned_abs() > TIME_MAX_MICROS {
            let detail = "event time is more than 3,000 years from 1970";
            bad.note(batch.len(), row, Reason::Malformed, detail.into());
        }
    }
}

/// A point in time, in microseconds.
fn instants(rows: Columns<'_>, name: &str, bad: &mut Bad) -> Result<Vec<i64>, BindError> {
    let column = rows.get(name)?;
    let wrong = || rows.wrong(name, "a timestamp", column.data_type());
    if is_text(column.data_type()) {
        let texts = cast(column, &DataType::Utf8).map_err(|_| wrong())?;
        return Ok(written_instants(texts.as_string(), name, bad));
    }
    if !matches!(column.data_type(), DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
    {
        return Err(wrong());
    }
    let cast =
        cast(column, &DataType::Timestamp(TimeUnit::Microsecond, None)).map_err(|_| wrong())?;
    let instants: &PrimitiveArray<TimestampMicrosecondType> = cast.as_primitive();
    let mut micros = Vec::with_capacity(instants.len());
    for row in 0..instants.len() {
        if instants.is_null(row) {
            let detail = format!("column `{name}` is null");
            bad.note(instants.len(), row, Reason::Malformed, detail.into());
        }
        micros.push(instants.value(row));
    }
    Ok(micros)
}

/// Points in time written as RFC 3339 texts, in microseconds.
fn written_instants(texts: &StringArray, name: &str, bad: &mut Bad) -> Vec<i64> {
    let mut read = |(row, text): (usize, Option<&str>)| {
        let parsed = text.map(|text| text.trim().parse::<Timestamp>());
        let detail = match (text, parsed) {
            (_, Some(Ok(at))) => return at.as_microsecond(),
            (Some(text), _) => {
                let shown: String = text.chars().take(40).collect();
                format!("time is not an RFC 3339 text with an offset in column `{name}`: `{shown}`")
            }
            (None, _) => format!("column `{name}` is null"),
        };
        bad.note(texts.len(), row, Reason::Malformed, detail.into());
        0
    };
    texts.iter().enumerate().map(&mut read).collect()
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => matches!(other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
    }
}

/// A join key or identity: an integer or a text.
fn keys(rows: Columns<'_>, name: &str, bad: &mut Bad) -> Result<Vec<Key>, BindError> {
    let column = rows.get(name)?;
    let len = column.len();
    let wrong = || rows.wrong(name, "an integer or a text", column.data_type());
    let mut keys = Vec::with_capacity(len);
    match column.data_type() {
        kind if kind.is_integer() => {
            let cast = cast(column, &DataType::Int64).map_err(|_| wrong())?;
            keys.extend(
                cast.as_primitive::<Int64Type>().values().iter().map(|v| Key::of_integer(*v)),
            );
            // An unsigned value beyond 2^63 becomes null in the cast.
            note_nulls(cast.as_ref(), name, bad);
            return Ok(keys);
        }
        DataType::Utf8 => {
            keys.extend(column.as_string::<i32>().iter().map(|v| Key::of_text(v.unwrap_or(""))));
        }
        DataType::LargeUtf8 => {
            keys.extend(column.as_string::<i64>().iter().map(|v| Key::of_text(v.unwrap_or(""))));
        }
        DataType::Dictionary(_, value) if **value == DataType::Utf8 => {
            let cast = cast(column, &DataType::Utf8).map_err(|_| wrong())?;
            keys.extend(cast.as_string::<i32>().iter().map(|v| Key::of_text(v.unwrap_or(""))));
        }
        _ => return Err(wrong()),
    }
    note_nulls(column, name, bad);
    Ok(keys)
}

fn note_nulls(column: &dyn Array, name: &str, bad: &mut Bad) {
    if column.null_count() > 0 {
        for row in (0..column.len()).filter(|&row| column.is_null(row)) {
            let detail = format!("column `{name}` is null");
            bad.note(column.len(), row, Reason::Malformed, detail.into());
        }
    }
}
