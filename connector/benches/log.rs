//! How fast the embedded log appends and is scanned: 100,000 records of about 200 bytes a round.
#![allow(missing_docs, reason = "a bench is no library")]

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use divan::counter::{BytesCount, ItemsCount};
use std::path::Path;
use std::sync::Arc;
use trueup_connector::log::{LogOptions, LogReader, LogWriter};
use trueup_connector::{LiveSource, Polled, ReadRequest, TimeColumn};
use trueup_event::StreamId;

const RECORDS: usize = 100_000;
const RECORD_BYTES: usize = 200;

fn main() {
    divan::main();
}

/// Time, key and number of 8 bytes each, and texts that make up the rest.
fn rows(count: usize) -> RecordBatch {
    let ids = || 0..count as i64;
    let times = TimestampMicrosecondArray::from_iter_values(ids()).with_timezone("UTC");
    let text = |id: i64| format!("{id:0>width$}", width = RECORD_BYTES - 4 * 8);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("at", Arc::new(times)),
        ("id", Arc::new(Int64Array::from_iter_values(ids()))),
        ("fare", Arc::new(Float64Array::from_iter_values(ids().map(|id| id as f64)))),
        ("note", Arc::new(StringArray::from_iter_values(ids().map(text)))),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn append(folder: &Path, batch_rows: usize) {
    let mut writer = LogWriter::open(folder, "log", LogOptions::default()).expect("a writer");
    let rows = rows(batch_rows);
    for _ in 0..RECORDS / batch_rows {
        writer.append(0, &rows).expect("appended");
    }
    writer.sync().expect("durable");
}

fn counters<'a, 'b>(bencher: divan::Bencher<'a, 'b>) -> divan::Bencher<'a, 'b> {
    bencher.counter(ItemsCount::new(RECORDS)).counter(BytesCount::new(RECORDS * RECORD_BYTES))
}

/// Group commit by 50 ms or 4 MB.
#[divan::bench(args = [1, 100, 5000], sample_count = 8, sample_size = 1)]
fn appends(bencher: divan::Bencher<'_, '_>, batch_rows: usize) {
    counters(bencher).with_inputs(|| tempfile::tempdir_in(".").expect("a folder")).bench_values(
        |folder| {
            append(folder.path(), batch_rows);
            folder
        },
    );
}

fn read(folder: &Path, columns: &[&str]) -> usize {
    let columns = columns.iter().map(|name| (*name).to_string()).collect();
    let request = ReadRequest::new(StreamId(0), TimeColumn::new("at"), columns);
    let mut reader = LogReader::open(folder, "log", 0, 0, &request).expect("a reader");
    let mut count = 0;
    while let Polled::Batch(batch) = reader.poll().expect("read") {
        count += batch.len();
    }
    assert_eq!(count, RECORDS);
    count
}

#[divan::bench(args = [1, 100, 5000], sample_count = 8, sample_size = 1)]
fn scans(bencher: divan::Bencher<'_, '_>, batch_rows: usize) {
    let folder = tempfile::tempdir_in(".").expect("a folder");
    append(folder.path(), batch_rows);
    counters(bencher).bench(|| read(folder.path(), &["id", "fare", "note"]));
}

/// Segments that were rewritten as Parquet.
#[divan::bench(sample_count = 8, sample_size = 1)]
fn scans_sealed(bencher: divan::Bencher<'_, '_>) {
    let folder = tempfile::tempdir_in(".").expect("a folder");
    let options = LogOptions { segment_bytes: 8 << 20, ..LogOptions::default() };
    let mut writer = LogWriter::open(folder.path(), "log", options).expect("a writer");
    let rows = rows(5000);
    for _ in 0..RECORDS / 5000 {
        writer.append(0, &rows).expect("appended");
    }
    writer.finish().expect("sealed");
    counters(bencher).bench(|| read(folder.path(), &["id", "fare", "note"]));
}
