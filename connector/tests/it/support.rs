//! Writes Parquet files and reads data sets back as groups of equal event time.

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use std::path::Path;
use std::sync::Arc;
use trueup_connector::{Dataset, NullTime, ReadRequest, Reader, TimeColumn};
use trueup_event::{DeadLetter, EventTime, RowOrder, StreamId};

/// An event of the tests.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) time: Option<i64>,
    pub(crate) id: i64,
    pub(crate) city: Option<String>,
}

pub(crate) fn row(time: i64, id: i64) -> Row {
    Row { time: Some(time), id, city: Some(format!("city {}", id % 7)) }
}

pub(crate) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)))
        .unwrap()
}

pub(crate) fn rows_batch(rows: &[Row]) -> RecordBatch {
    let times: TimestampMicrosecondArray = rows.iter().map(|r| r.time).collect();
    let ids: Int64Array = rows.iter().map(|r| r.id).collect();
    let cities: StringArray = rows.iter().map(|r| r.city.as_deref()).collect();
    batch(vec![
        ("at", Arc::new(times.with_timezone("UTC"))),
        ("id", Arc::new(ids)),
        ("city", Arc::new(cities)),
    ])
}

pub(crate) fn bytes(batch: &RecordBatch, group_rows: usize) -> Vec<u8> {
    let properties =
        WriterProperties::builder().set_max_row_group_row_count(Some(group_rows.max(1))).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

pub(crate) fn write(path: &Path, batch: &RecordBatch, group_rows: usize) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes(batch, group_rows)).unwrap();
}

pub(crate) fn request(columns: &[&str]) -> ReadRequest {
    let columns = columns.iter().map(|name| (*name).to_string()).collect();
    ReadRequest::new(StreamId(3), TimeColumn::new("at"), columns)
}

/// What a reading gave.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// Event time, and the rows of that time as sorted texts.
    pub(crate) groups: Vec<(i64, Vec<String>)>,
    pub(crate) dead: Vec<DeadLetter>,
    pub(crate) skipped: u64,
    pub(crate) first_offset: u64,
    pub(crate) batches: usize,
}

/// Reads to the end and checks what every reading must keep.
pub(crate) fn outcome(dataset: &Dataset, request: &ReadRequest) -> Outcome {
    let mut reader = dataset.read(request).unwrap();
    let outcome = drain(&mut reader, request);
    let fed: usize = outcome.groups.iter().map(|(_, rows)| rows.len()).sum();
    assert_eq!(reader.rows_total(), fed as u64);
    assert!(reader.next().is_none(), "the end is the end");
    outcome
}

fn drain(reader: &mut Reader, request: &ReadRequest) -> Outcome {
    let mut outcome = Outcome::default();
    let schema = Arc::clone(reader.schema());
    let mut offset = None;
    for batch in reader.by_ref() {
        let mut batch = batch.unwrap();
        assert_eq!((batch.stream, batch.partition.0), (request.stream, 0));
        assert_eq!(batch.order, RowOrder::Time);
        assert_eq!(batch.rows.schema(), schema);
        assert_eq!(batch.rows.num_rows(), batch.len());
        assert_eq!(batch.origins.len(), batch.len());
        outcome.dead.append(&mut batch.dead);
        if batch.is_empty() {
            continue;
        }
        outcome.batches += 1;
        assert_eq!(*offset.get_or_insert(batch.first_offset), batch.first_offset, "no gap");
        if outcome.batches == 1 {
            outcome.first_offset = batch.first_offset;
        }
        offset = Some(batch.first_offset + batch.len() as u64);
        assert!(batch.times.is_sorted());
        let last = outcome.groups.last().map(|(time, _)| *time);
        assert!(last.is_none_or(|last| last < batch.times[0]), "a time straddles two batches");
        for (row, &time) in batch.times.iter().enumerate() {
            if outcome.groups.last().is_none_or(|(last, _)| *last != time) {
                outcome.groups.push((time, Vec::new()));
            }
            let group = &mut outcome.groups.last_mut().unwrap().1;
            group.push(text(&batch.rows, row));
        }
    }
    outcome.groups.iter_mut().for_each(|(_, rows)| rows.sort());
    outcome.skipped = reader.skipped_null_time();
    outcome
}

/// A row as text.
pub(crate) fn text(rows: &RecordBatch, row: usize) -> String {
    let value = |column: &ArrayRef| match column.is_null(row) || column.data_type().is_null() {
        true => "null".to_string(),
        // A zone by name can only be shown with a database of zones.
        false if matches!(column.data_type(), DataType::Timestamp(..)) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            EventTime::from_micros(micros).to_string()
        }
        false => array_value_to_string(column, row).unwrap(),
    };
    rows.columns().iter().map(value).collect::<Vec<_>>().join("|")
}

/// What the rows must give, whatever the files.
pub(crate) fn expected(rows: &[Row]) -> Vec<(i64, Vec<String>)> {
    let mut groups = std::collections::BTreeMap::<i64, Vec<String>>::new();
    for row in rows {
        if let Some(time) = row.time {
            let city = row.city.as_deref().unwrap_or("null");
            groups.entry(time).or_default().push(format!("{}|{city}", row.id));
        }
    }
    groups.values_mut().for_each(|rows| rows.sort());
    groups.into_iter().collect()
}

pub(crate) fn skipping(mut request: ReadRequest) -> ReadRequest {
    request.null_time = NullTime::Skip;
    request
}
