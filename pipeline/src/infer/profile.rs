//! Files as tables of plain columns, with what is needed to tell them apart.

use super::{FileSample, names};
use crate::check::ColumnKind;
use crate::project::Epoch;
use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Float64Type, SchemaRef, TimeUnit, TimestampMicrosecondType};
use std::collections::HashSet;
use trueup_event::hash;

/// One data set: the files that have the same columns.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) location: String,
    pub(super) rows: usize,
    pub(super) columns: Vec<Column>,
}

/// A column, as far as it matters here.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: ColumnKind,
    /// For whole numbers that are points in time.
    pub(super) epoch: Option<Epoch>,
    /// Numbers; points in time in microseconds; empty for texts.
    pub(super) values: Vec<Option<f64>>,
    /// A hash of each value, 0 for null: equal values of any type have equal hashes.
    pub(super) hashes: Vec<u64>,
    /// Whether every value is a date written as a text or a number, as folders such as `dt=…` are.
    pub(super) is_written_date: bool,
    pub(super) nulls: usize,
    pub(super) distinct: usize,
}

impl Column {
    pub(super) fn value(&self, row: usize) -> Option<f64> {
        self.values.get(row).copied().flatten().filter(|value| value.is_finite())
    }

    /// Whether it holds points in time.
    pub(super) fn is_time(&self) -> bool {
        self.epoch.is_some() || matches!(self.kind, ColumnKind::Time | ColumnKind::ZonelessTime)
    }

    /// Whether it holds numbers that are no points in time.
    pub(super) fn is_number(&self) -> bool {
        self.epoch.is_none() && matches!(self.kind, ColumnKind::Integer | ColumnKind::Float)
    }

    /// Whether it can join.
    pub(super) fn is_key(&self) -> bool {
        self.epoch.is_none() && matches!(self.kind, ColumnKind::Integer | ColumnKind::Text)
    }

    pub(super) fn is_constant(&self) -> bool {
        self.distinct <= 1
    }

    /// The share of values that are not repeated ones.
    pub(super) fn uniqueness(&self) -> f64 {
        let known = self.hashes.len() - self.nulls;
        if known == 0 { 0.0 } else { self.distinct as f64 / known as f64 }
    }
}

impl Table {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// The data sets, in the order of their first files. Files of the same columns are one.
pub(super) fn tables(files: &[FileSample]) -> Vec<Table> {
    let mut groups: Vec<(&SchemaRef, Vec<&FileSample>)> = Vec::new();
    for file in files {
        let same = groups.iter_mut().find(|(schema, _)| schema.fields() == file.schema.fields());
        match same {
            Some((_, group)) => group.push(file),
            None => groups.push((&file.schema, vec![file])),
        }
    }
    groups.into_iter().map(|(schema, files)| table(schema, &files)).collect()
}

fn table(schema: &SchemaRef, files: &[&FileSample]) -> Table {
    let batches = || files.iter().flat_map(|file| &file.rows);
    let columns = schema.fields().iter().enumerate().filter_map(|(i, field)| {
        let parts: Vec<&dyn Array> = batches().map(|batch| batch.column(i).as_ref()).collect();
        let whole = concat(&parts).ok()?;
        Some(column(field.name(), &whole))
    });
    let columns: Vec<Column> = columns.collect();
    Table {
        location: location(files),
        rows: batches().map(arrow::array::RecordBatch::num_rows).sum(),
        columns,
    }
}

/// One file's path, or the folder that all of them are in.
fn location(files: &[&FileSample]) -> String {
    let [first, rest @ ..] = files else { return String::new() };
    if rest.is_empty() {
        return first.path.clone();
    }
    let mut common = first.path.as_str();
    while !rest.iter().all(|file| file.path.starts_with(&format!("{common}/"))) {
        match common.rfind('/') {
            Some(end) => common = &common[..end],
            None => return ".".to_owned(),
        }
    }
    // The folders of a partitioned data set are not a part of its name.
    match common.find("/dt=") {
        Some(end) => common[..end].to_owned(),
        None => common.to_owned(),
    }
}

fn column(name: &str, array: &ArrayRef) -> Column {
    let kind = ColumnKind::of(array.data_type());
    let hashes = hashes(array, kind);
    let mut values = values(array, kind);
    let epoch =
        (kind == ColumnKind::Integer && names::is_moment(name)).then(|| epoch(&values)).flatten();
    if let Some(epoch) = epoch {
        let micros = epoch.nanos() as f64 / 1000.0;
        values.iter_mut().flatten().for_each(|value| *value *= micros);
    }
    let distinct: HashSet<u64> = hashes.iter().copied().filter(|hash| *hash != 0).collect();
    Column {
        name: name.to_owned(),
        kind,
        epoch,
        is_written_date: is_written_date(array, kind),
        nulls: array.null_count(),
        distinct: distinct.len(),
        values,
        hashes,
    }
}

fn values(array: &ArrayRef, kind: ColumnKind) -> Vec<Option<f64>> {
    match kind {
        ColumnKind::Integer | ColumnKind::Float => match cast(array, &DataType::Float64) {
            Ok(numbers) => numbers.as_primitive::<Float64Type>().iter().collect(),
            Err(_) => Vec::new(),
        },
        ColumnKind::Time | ColumnKind::ZonelessTime | ColumnKind::Date => {
            let micros = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None));
            let micros = micros.as_ref().map(|all| all.as_primitive::<TimestampMicrosecondType>());
            micros.into_iter().flatten().map(|time| time.map(|time| time as f64)).collect()
        }
        ColumnKind::Text | ColumnKind::Boolean | ColumnKind::Other => Vec::new(),
    }
}

fn hashes(array: &ArrayRef, kind: ColumnKind) -> Vec<u64> {
    let bits = |value: Option<f64>| value.map_or(0, |value| value.to_bits() | 1 << 63);
    match kind {
        ColumnKind::Integer | ColumnKind::Text | ColumnKind::Boolean => {
            let Ok(texts) = cast(array, &DataType::Utf8) else { return vec![0; array.len()] };
            let texts: &StringArray = texts.as_string();
            texts.iter().map(|text| text.map_or(0, |text| hash::of_text(text).max(1))).collect()
        }
        ColumnKind::Float | ColumnKind::Time | ColumnKind::ZonelessTime | ColumnKind::Date => {
            values(array, kind).into_iter().map(bits).collect()
        }
        ColumnKind::Other => vec![0; array.len()],
    }
}

/// Whether every value is such as `2024-03-30`, `2024-03` or 20240330.
fn is_written_date(array: &ArrayRef, kind: ColumnKind) -> bool {
    if !matches!(kind, ColumnKind::Integer | ColumnKind::Text) || array.null_count() == array.len()
    {
        return false;
    }
    let Ok(texts) = cast(array, &DataType::Utf8) else { return false };
    let texts: &StringArray = texts.as_string();
    texts.iter().flatten().all(|text| {
        let is_day = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
        let month = text.len() == "2024-03".len();
        let day = if month { format!("{text}-01") } else { text.to_owned() };
        (is_day || day.len() == "2024-03-30".len()) && day.parse::<jiff::civil::Date>().is_ok()
    })
}

/// What whole numbers count, if they can be times between 2000 and 2100.
fn epoch(values: &[Option<f64>]) -> Option<Epoch> {
    const YEAR_2000: f64 = 946_684_800.0;
    const YEAR_2100: f64 = 4_102_444_800.0;
    let known = super::stats::sorted(values.iter().copied().flatten());
    let (low, high) = (known.first()?, known.last()?);
    [Epoch::Seconds, Epoch::Milliseconds, Epoch::Microseconds, Epoch::Nanoseconds].into_iter().find(
        |epoch| {
            let per_second = 1e9 / epoch.nanos() as f64;
            *low >= YEAR_2000 * per_second && *high <= YEAR_2100 * per_second
        },
    )
}
