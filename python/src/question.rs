//! Questions from Python: dictionaries, and rows of Arrow columns, as values by name.

use crate::error::Failure;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::record_batch::RecordBatch;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDate, PyDateTime, PyDict, PyFloat, PyString};
use std::collections::BTreeMap;
use trueup_learner::features::Value;

/// A value of a dictionary.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Text(String),
    Integer(i64),
    Number(f64),
    Boolean(bool),
    TimeMicros(i64),
    DateDays(i32),
}

/// One question: its columns by name. Columns that are absent or `None` are null.
#[derive(Debug, Default)]
pub(crate) struct Question(BTreeMap<String, Cell>);

impl Question {
    /// Reads a dictionary. What no column can hold is told in words, and refuses the question.
    pub(crate) fn read(given: &Bound<'_, PyDict>, needed: &[String]) -> Result<Self, String> {
        let mut cells = BTreeMap::new();
        for name in needed {
            let found = given.get_item(name).map_err(|error| error.to_string())?;
            if let Some(found) = found.filter(|found| !found.is_none()) {
                cells.insert(name.clone(), cell(name, &found)?);
            }
        }
        Ok(Self(cells))
    }

    pub(crate) fn get(&self, name: &str) -> Option<Value<'_>> {
        Some(match self.0.get(name)? {
            Cell::Text(text) => Value::Text(text),
            Cell::Integer(value) => Value::Integer(*value),
            Cell::Number(value) => Value::Number(*value),
            Cell::Boolean(value) => Value::Boolean(*value),
            Cell::TimeMicros(micros) => Value::TimeMicros(*micros),
            Cell::DateDays(days) => Value::DateDays(*days),
        })
    }
}

fn cell(name: &str, given: &Bound<'_, PyAny>) -> Result<Cell, String> {
    let unknown = || {
        let kind = given.get_type().name().map_or_else(|_| "?".into(), |kind| kind.to_string());
        format!("value is of a type that no column has, `{kind}`, in column `{name}`")
    };
    if given.is_instance_of::<PyString>() {
        return given.extract().map(Cell::Text).map_err(|_| unknown());
    }
    if given.is_instance_of::<PyBool>() {
        return given.extract().map(Cell::Boolean).map_err(|_| unknown());
    }
    if given.is_instance_of::<PyFloat>() {
        return given.extract().map(Cell::Number).map_err(|_| unknown());
    }
    if given.is_instance_of::<PyDate>() {
        let text = given.call_method0("isoformat").and_then(|text| text.extract::<String>());
        let text = text.map_err(|_| unknown())?;
        let is_moment = given.is_instance_of::<PyDateTime>();
        return if is_moment { moment(name, &text) } else { day(name, &text) };
    }
    let number = || given.extract::<i64>().map(Cell::Integer);
    let float = |_| given.extract::<f64>().map(Cell::Number);
    number().or_else(float).map_err(|_| unknown())
}

fn moment(name: &str, text: &str) -> Result<Cell, String> {
    let time = text.parse::<jiff::Timestamp>().map_err(|_| {
        format!("time has no zone in column `{name}`, give one with `tzinfo`: `{text}`")
    })?;
    Ok(Cell::TimeMicros(floor_micros(time)))
}

fn day(name: &str, text: &str) -> Result<Cell, String> {
    let wrong = |_| format!("not a day in column `{name}`: `{text}`");
    let day: jiff::civil::Date = text.parse().map_err(wrong)?;
    let since = day.since(jiff::civil::Date::constant(1970, 1, 1)).map_err(wrong)?;
    Ok(Cell::DateDays(since.get_days()))
}

/// Microseconds since the Unix epoch; finer times are floored, as those of files are.
pub(crate) fn floor_micros(time: jiff::Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond().div_euclid(1000)).unwrap_or(i64::MAX)
}

/// The columns of some questions, read as few types.
#[derive(Debug)]
pub(crate) struct Questions {
    columns: BTreeMap<String, Column>,
    pub(crate) len: usize,
}

#[derive(Debug)]
enum Column {
    Text(StringArray),
    Integer(Int64Array),
    Number(Float64Array),
    Boolean(BooleanArray),
    Time(TimestampMicrosecondArray),
    Day(Date32Array),
    Null,
}

impl Questions {
    /// Reads the needed columns of a batch; absent ones are null.
    pub(crate) fn read(batch: &RecordBatch, needed: &[String]) -> Result<Self, Failure> {
        let mut columns = BTreeMap::new();
        for name in needed {
            if let Some(column) = batch.column_by_name(name) {
                columns.insert(name.clone(), Column::read(name, column)?);
            }
        }
        Ok(Self { columns, len: batch.num_rows() })
    }

    pub(crate) fn get(&self, row: usize, name: &str) -> Option<Value<'_>> {
        fn at<A: Array>(array: &A, row: usize) -> Option<&A> {
            array.is_valid(row).then_some(array)
        }
        match self.columns.get(name)? {
            Column::Text(array) => at(array, row).map(|array| Value::Text(array.value(row))),
            Column::Integer(array) => at(array, row).map(|array| Value::Integer(array.value(row))),
            Column::Number(array) => at(array, row).map(|array| Value::Number(array.value(row))),
            Column::Boolean(array) => at(array, row).map(|array| Value::Boolean(array.value(row))),
            Column::Time(array) => at(array, row).map(|array| Value::TimeMicros(array.value(row))),
            Column::Day(array) => at(array, row).map(|array| Value::DateDays(array.value(row))),
            Column::Null => None,
        }
    }
}

impl Column {
    fn read(name: &str, array: &ArrayRef) -> Result<Self, Failure> {
        let refused = || {
            let kind = array.data_type();
            Failure::usage(
                format!("a type that no question has, `{kind}`, in column `{name}`"),
                "cast it to a text, a number, a boolean, a day, or a time with its zone",
            )
        };
        let to = |kind: &DataType| cast(array, kind).map_err(|_| refused());
        Ok(match values(array.data_type()) {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Self::Text(to(&DataType::Utf8)?.as_string().clone())
            }
            kind if kind.is_integer() => {
                Self::Integer(to(&DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            kind if kind.is_floating() || kind.is_decimal() => {
                Self::Number(to(&DataType::Float64)?.as_primitive::<Float64Type>().clone())
            }
            DataType::Boolean => Self::Boolean(to(&DataType::Boolean)?.as_boolean().clone()),
            DataType::Timestamp(_, Some(zone)) => {
                let micros = DataType::Timestamp(TimeUnit::Microsecond, Some(zone.clone()));
                Self::Time(to(&micros)?.as_primitive::<TimestampMicrosecondType>().clone())
            }
            DataType::Date32 | DataType::Date64 => {
                Self::Day(to(&DataType::Date32)?.as_primitive::<Date32Type>().clone())
            }
            DataType::Null => Self::Null,
            _ => return Err(refused()),
        })
    }
}

/// The type of a column's values, without their encoding.
fn values(kind: &DataType) -> &DataType {
    match kind {
        DataType::Dictionary(_, values) => values,
        kind => kind,
    }
}
