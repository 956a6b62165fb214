//! Parquet rows for tests: read whole, shuffled, split and written anew.

use arrow::array::{Array, AsArray, Float64Array, UInt64Array};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::path::Path;

/// All rows of a file.
pub(crate) fn read(path: &Path) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<_> = builder.build().unwrap().collect::<Result<_, _>>().unwrap();
    concat_batches(&schema, &batches).unwrap()
}

/// Writes a file with row groups of `group_rows`.
pub(crate) fn write(path: &Path, rows: &RecordBatch, group_rows: usize) {
    let properties =
        WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
}

/// The rows at the given places.
pub(crate) fn at(rows: &RecordBatch, places: &[usize]) -> RecordBatch {
    let places: Vec<u64> = places.iter().map(|place| *place as u64).collect();
    take_record_batch(rows, &UInt64Array::from(places)).unwrap()
}

/// The rows whose time is before a moment.
pub(crate) fn before(rows: &RecordBatch, time: &str, moment: i64) -> RecordBatch {
    let times = integers(rows, time);
    at(rows, &(0..times.len()).filter(|row| times[*row] < moment).collect::<Vec<_>>())
}

/// The rows with one column replaced.
pub(crate) fn with(rows: &RecordBatch, name: &str, values: Vec<f64>) -> RecordBatch {
    let mut columns = rows.columns().to_vec();
    columns[rows.schema().index_of(name).unwrap()] =
        std::sync::Arc::new(Float64Array::from(values));
    RecordBatch::try_new(rows.schema(), columns).unwrap()
}

/// A column as numbers; null is NaN.
pub(crate) fn numbers(rows: &RecordBatch, name: &str) -> Vec<f64> {
    let column = cast(rows.column_by_name(name).unwrap(), &DataType::Float64).unwrap();
    let column = column.as_primitive::<Float64Type>();
    column.iter().map(|value| value.unwrap_or(f64::NAN)).collect()
}

/// A column as whole numbers (times in their unit); there must be no null.
pub(crate) fn integers(rows: &RecordBatch, name: &str) -> Vec<i64> {
    let column = cast(rows.column_by_name(name).unwrap(), &DataType::Int64).unwrap();
    assert_eq!(column.null_count(), 0, "`{name}` has nulls");
    column.as_primitive::<Int64Type>().values().to_vec()
}

/// A column as texts; null is empty.
pub(crate) fn texts(rows: &RecordBatch, name: &str) -> Vec<String> {
    let column = cast(rows.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
    let column = column.as_string::<i32>();
    column.iter().map(|value| value.unwrap_or_default().to_owned()).collect()
}

/// Random numbers, the same in every run (Steele, Lea and Flood 2014, SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number from 0 to `limit - 1`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// A number from 0 to 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for place in (1..items.len()).rev() {
            items.swap(place, self.below(place + 1));
        }
    }
}
