//! What live sources hand out, row by row, and that all sources give the same of the same rows.

use crate::support::{request, row, rows_batch, text, write};
use std::sync::Arc;
use trueup_connector::log::{LogOptions, LogReader, LogWriter};
use trueup_connector::{Dataset, GrowingFolder, LiveSource, Polled};
use trueup_event::{EventBatch, RowOrder};

/// A row as its reader sees it: offset, event time, and the values or what is wrong.
pub(crate) type Seen = (u64, Option<i64>, String);

/// Polls until there is nothing more; batches must follow one another without gaps.
pub(crate) fn drain(source: &mut dyn LiveSource) -> Vec<EventBatch> {
    let mut batches: Vec<EventBatch> = Vec::new();
    while let Polled::Batch(batch) = source.poll().unwrap() {
        if let Some(last) = batches.last() {
            assert_eq!(batch.first_offset, last.next_offset, "no gap");
        }
        let events_end = batch.first_offset + batch.len() as u64;
        let offsets: Vec<u64> = batch.dead.iter().map(|dead| dead.place.offset).collect();
        assert!(offsets.is_sorted(), "{offsets:?}");
        assert!(offsets.iter().all(|o| (events_end..batch.next_offset).contains(o)), "{offsets:?}");
        assert_eq!(batch.rows.num_rows(), batch.len());
        assert_eq!(batch.origins.len(), batch.len());
        assert!(batch.record_times.as_ref().is_none_or(|times| times.len() == batch.len()));
        batches.push(batch);
    }
    batches
}

/// The rows of batches, dead ones too.
pub(crate) fn seen(batches: &[EventBatch]) -> Vec<Seen> {
    let mut rows = Vec::new();
    for batch in batches {
        for (row, offset) in (0..batch.len()).zip(batch.first_offset..) {
            rows.push((offset, Some(batch.times[row]), text(&batch.rows, row)));
        }
        for dead in &batch.dead {
            assert_eq!(dead.time, None);
            rows.push((dead.place.offset, None, dead.detail.clone().into()));
        }
    }
    rows
}

fn contents(batches: &[EventBatch]) -> Vec<(i64, String)> {
    seen(batches).into_iter().filter_map(|(_, time, text)| Some((time?, text))).collect()
}

#[test]
fn the_same_rows_through_any_source_are_the_same_events() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows_batch(&(0..500).map(|id| row(id * 10, id)).collect::<Vec<_>>());
    write(&folder.path().join("in/a.parquet"), &rows, 90);
    let mut request = request(&["city", "at", "id"]);
    request.dictionary = vec!["city".into()];
    let dataset = Dataset::open("in", folder.path()).unwrap();
    let warehouse: Vec<_> = dataset.read(&request).unwrap().map(Result::unwrap).collect();
    let mut log = LogWriter::open(folder.path(), "log", LogOptions::default()).unwrap();
    log.append(0, &rows.slice(0, 200)).unwrap();
    log.append(0, &rows.slice(200, 300)).unwrap();
    log.finish().unwrap();
    let from_log = drain(&mut LogReader::open(folder.path(), "log", 0, 0, &request).unwrap());
    let mut growing = GrowingFolder::open("in", folder.path(), &request).unwrap();
    let found = growing.discover().unwrap();
    growing.admit(&found[0].path, found[0].size_bytes);
    let from_folder = drain(&mut growing);
    assert_eq!(contents(&warehouse).len(), 500);
    assert_eq!(contents(&from_log), contents(&warehouse));
    assert_eq!(contents(&from_folder), contents(&warehouse));
    for batches in [&from_log, &from_folder] {
        assert_eq!(batches[0].rows.schema(), warehouse[0].rows.schema());
    }
    assert!(from_log.iter().all(|batch| batch.order == RowOrder::Arrival));
    assert!(from_folder.iter().all(|batch| batch.order == RowOrder::Time));
}

#[test]
fn times_of_every_kind_are_read_as_the_warehouse_reads_them() {
    use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampSecondArray};
    let folder = tempfile::tempdir().unwrap();
    let texts = vec![Some("2024-03-10 02:30:00"), None, Some("junk"), Some("2024-01-01T00:00:00Z")];
    let times: ArrayRef = Arc::new(StringArray::from(texts));
    let local: ArrayRef = Arc::new(TimestampSecondArray::from(vec![Some(0), None, Some(5), None]));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
    let rows = crate::support::batch(vec![("at", times), ("local", local), ("id", ids)]);
    write(&folder.path().join("a.parquet"), &rows, 9);
    let mut request = request(&["local", "id", "at"]);
    request.time.zone = Some("America/New_York".into());
    request.instants = vec!["at".into()];
    let dataset = Dataset::open("a.parquet", folder.path()).unwrap();
    let read: Vec<_> = dataset.read(&request).unwrap().map(Result::unwrap).collect();
    let mut warehouse = contents(&read);
    warehouse.sort_by_key(|(_, text)| text.clone());
    let mut log = LogWriter::open(folder.path(), "log", LogOptions::default()).unwrap();
    log.append(0, &rows).unwrap();
    log.sync().unwrap();
    let from_log = drain(&mut LogReader::open(folder.path(), "log", 0, 0, &request).unwrap());
    let mut events = contents(&from_log);
    events.sort_by_key(|(_, text)| text.clone());
    assert_eq!(events, warehouse);
    let of = |batches: &[EventBatch]| {
        let dead = batches.iter().flat_map(|batch| &batch.dead);
        dead.map(|dead| (dead.detail.clone(), dead.origin)).collect::<Vec<_>>()
    };
    assert_eq!(of(&from_log), of(&read));
    assert_eq!(from_log[0].next_offset, 3, "one event, then two dead rows");
}
