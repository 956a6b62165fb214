//! The embedded log: what is durable is read, from any offset, through rolling and sealing.

use crate::live::{Seen, drain, seen};
use crate::support::{Row, batch, request, row, rows_batch, skipping};
use arrow::array::{ArrayRef, Float64Array, Int64Array, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use trueup_connector::log::{LogOptions, LogReader, LogWriter, Retention, describe, topics};
use trueup_connector::{ErrorKind, LiveSource, Polled, ReadRequest};
use trueup_event::{EventTime, Key};

/// Nothing is synced but on demand, and segments are small.
fn options() -> LogOptions {
    LogOptions {
        segment_bytes: 4 << 10,
        sync_every: Duration::from_secs(3600),
        ..LogOptions::default()
    }
}

fn open(folder: &Path, from: u64, request: &ReadRequest) -> LogReader {
    LogReader::open(folder, "trips", 0, from, request).unwrap()
}

fn all(folder: &Path, from: u64, request: &ReadRequest) -> Vec<Seen> {
    seen(&drain(&mut open(folder, from, request)))
}

/// Rows some of which have no time.
fn rows(count: i64) -> Vec<Row> {
    let time = |id: i64| (id % 7 > 0 && id % 50 > 2).then_some(id * 1000 - (id % 3) * 2500);
    (0..count).map(|id| Row { time: time(id), ..row(0, id) }).collect()
}

fn write(writer: &mut LogWriter, rows: &[Row]) {
    let mut rest = rows;
    for size in [1, 3, 17, 2, 60].into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(size.min(rest.len()));
        let offsets = writer.append_at(0, &rows_batch(now), EventTime::from_micros(5)).unwrap();
        assert_eq!(offsets.end - offsets.start, now.len() as u64);
        rest = later;
    }
}

fn segments(folder: &Path, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("trips/00000")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(ending)).collect();
    names.sort();
    names
}

#[test]
fn any_offset_gives_the_same_rows_sealed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut writer = LogWriter::open(folder, "trips", options()).unwrap();
    write(&mut writer, &rows(400));
    writer.finish().unwrap();
    let sealed = segments(folder, ".parquet").len();
    assert!(sealed > 3, "{sealed}");
    assert_eq!(segments(folder, ".seg").len(), 1);
    let request = ReadRequest { batch_rows: 50, ..request(&["id", "city"]) };
    let whole = all(folder, 0, &request);
    assert_eq!(
        whole.iter().map(|(offset, ..)| *offset).collect::<Vec<_>>(),
        Vec::from_iter(0..400)
    );
    for (seen, row) in whole.iter().zip(rows(400)) {
        assert_eq!(seen.1, row.time);
        let is_dead = seen.2 == "time is null in column `at`";
        assert_eq!(is_dead, row.time.is_none(), "{seen:?}");
        assert!(is_dead || seen.2 == format!("{}|city {}", row.id, row.id % 7), "{seen:?}");
    }
    for from in 0..=400 {
        assert_eq!(all(folder, from, &request), whole[from as usize..], "{from}");
    }
    let mut skipper = open(folder, 0, &skipping(request));
    let skipped = drain(&mut skipper);
    assert_eq!(skipped.last().unwrap().next_offset, 400);
    let dead = rows(400).iter().filter(|row| row.time.is_none()).count();
    assert_eq!((seen(&skipped).len(), skipper.skipped_null_time()), (400 - dead, dead as u64));
}

#[test]
fn a_reader_sees_what_is_durable_across_rolls_and_seals() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut reader = open(folder, 0, &request(&["id"]));
    assert!(matches!(reader.poll().unwrap(), Polled::Nothing), "no topic yet");
    let mut writer = LogWriter::open(folder, "trips", options()).unwrap();
    let mut read = Vec::new();
    for part in rows(600).chunks(30) {
        write(&mut writer, part);
        let before = writer.durable(0);
        read.extend(seen(&drain(&mut reader)));
        assert_eq!(read.len() as u64, before, "what is not synced is not seen");
        assert!(reader.backlog().is_some_and(|rows| rows == 0));
        writer.sync().unwrap();
        assert_eq!(reader.backlog(), Some(writer.durable(0) - before));
        read.extend(seen(&drain(&mut reader)));
        assert_eq!(read.len() as u64, writer.durable(0));
    }
    // A second writer seals what the first left behind; the reader does not notice.
    write(&mut writer, &rows(30));
    drop(writer);
    let mut writer = LogWriter::open(folder, "trips", options()).unwrap();
    write(&mut writer, &rows(200));
    writer.finish().unwrap();
    read.extend(seen(&drain(&mut reader)));
    assert_eq!(read, all(folder, 0, &request(&["id"])));
    assert_eq!(read.len(), 830);
    let described = describe(folder, "trips").unwrap().unwrap();
    assert_eq!(described.partitions[0].next_offset, 830);
    assert_eq!(described.schema.fields().len(), 3);
    assert_eq!(
        (topics(folder).unwrap(), describe(folder, "x").unwrap()),
        (vec!["trips".into()], None)
    );
}

#[test]
fn partitions_are_apart_and_keys_stay_in_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let four = LogOptions { partitions: Some(4), ..options() };
    let mut writer = LogWriter::open(folder.path(), "trips", four.clone()).unwrap();
    let of = |writer: &LogWriter, id: i64| writer.partition_of(Key::of_integer(id));
    for id in 0..200 {
        writer.append(of(&writer, id), &rows_batch(&[row(id, id)])).unwrap();
    }
    assert!(writer.append(4, &rows_batch(&[row(0, 0)])).is_err());
    writer.finish().unwrap();
    let writer = LogWriter::open(folder.path(), "trips", options()).unwrap();
    let mut total = 0;
    for partition in 0..4 {
        let reader = LogReader::open(folder.path(), "trips", partition, 0, &request(&["id"]));
        let batches = drain(&mut reader.unwrap());
        assert!(batches.iter().all(|batch| batch.partition.0 == partition));
        let ids: Vec<i64> = seen(&batches).iter().map(|row| row.2.parse().unwrap()).collect();
        assert!(ids.len() > 20 && ids.iter().all(|id| of(&writer, *id) == partition), "{ids:?}");
        total += ids.len();
    }
    assert_eq!(total, 200);
    assert!(LogReader::open(folder.path(), "trips", 4, 0, &request(&["id"])).is_err());
    drop(writer);
    let other = LogOptions { partitions: Some(3), ..four };
    let error = LogWriter::open(folder.path(), "trips", other).unwrap_err();
    assert!(error.to_string().contains("has 4 partition(s), not 3"), "{error}");
}

#[test]
fn a_second_writer_is_told_who_the_first_is() {
    let folder = tempfile::tempdir().unwrap();
    let first = LogWriter::open(folder.path(), "trips", options()).unwrap();
    let error = LogWriter::open(folder.path(), "trips", options()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retry);
    assert!(error.to_string().contains(&format!("process {} ", std::process::id())), "{error}");
    drop(first);
    LogWriter::open(folder.path(), "trips", options()).unwrap();
    for name in ["", "..", ".x", "a/b", "a b"] {
        assert!(LogWriter::open(folder.path(), name, options()).is_err(), "{name}");
    }
}

#[test]
fn old_segments_are_deleted_and_their_offsets_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut writer = LogWriter::open(folder, "trips", options()).unwrap();
    write(&mut writer, &rows(1000));
    writer.finish().unwrap();
    let mut slow = open(folder, 0, &ReadRequest { batch_rows: 1, ..request(&["id"]) });
    assert!(matches!(slow.poll().unwrap(), Polled::Batch(_)));
    let before = describe(folder, "trips").unwrap().unwrap().partitions[0];
    let half = Retention { keep_bytes: Some(before.bytes / 2), keep: None };
    let writer = LogWriter::open(folder, "trips", LogOptions { retention: half, ..options() });
    writer.unwrap().finish().unwrap();
    let kept = describe(folder, "trips").unwrap().unwrap().partitions[0];
    assert!(kept.first_offset > 0 && kept.bytes <= before.bytes / 2, "{kept:?}");
    assert_eq!(kept.next_offset, 1000);
    let of_rest = all(folder, kept.first_offset, &request(&["id"]));
    assert_eq!(of_rest.len() as u64, 1000 - kept.first_offset);
    let mut early = open(folder, kept.first_offset - 1, &request(&["id"]));
    let error = early.poll().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Missing);
    let said = format!("only {} to 1000", kept.first_offset);
    assert!(error.to_string().contains(&said), "{error}");
    let late = open(folder, 1001, &request(&["id"])).poll().unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Invalid);
    assert!(late.to_string().contains("beyond the end"), "{late}");
    // A reader that holds a deleted segment reads it to its end, and then says what is missing.
    let error = loop {
        match slow.poll() {
            Ok(Polled::Batch(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Missing, "{error}");
    // The rows say that they were recorded in 1970.
    let day = Retention { keep: Some(Duration::from_secs(86_400)), keep_bytes: None };
    let writer = LogWriter::open(folder, "trips", LogOptions { retention: day, ..options() });
    writer.unwrap().finish().unwrap();
    assert_eq!(describe(folder, "trips").unwrap().unwrap().partitions[0].segments, 1);
}

#[test]
fn columns_may_come_go_and_change_their_type() {
    let folder = tempfile::tempdir().unwrap();
    let at = |time: i64| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(vec![time]).with_timezone("UTC"))
    };
    let whole: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    let half: ArrayRef = Arc::new(Float64Array::from(vec![0.5]));
    let nothing: ArrayRef = Arc::new(arrow::array::NullArray::new(1));
    let mut writer = LogWriter::open(folder.path(), "trips", LogOptions::default()).unwrap();
    writer.append(0, &batch(vec![("at", at(1))])).unwrap();
    writer.append(0, &batch(vec![("at", at(2)), ("fare", whole)])).unwrap();
    writer.append(0, &batch(vec![("fare", nothing.clone()), ("at", at(3))])).unwrap();
    writer.append(0, &batch(vec![("fare", half.clone()), ("at", at(4))])).unwrap();
    writer.append(0, &batch(vec![("fare", half.clone())])).unwrap();
    writer.append(0, &batch(vec![("at", nothing.clone())])).unwrap();
    let taken = writer.append(0, &batch(vec![("_offset", half)])).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Invalid);
    writer.sync().unwrap();
    let read = || {
        let batches = drain(&mut open(folder.path(), 0, &request(&["fare"])));
        let types = batches.iter().filter(|batch| !batch.is_empty());
        let types: Vec<_> =
            types.map(|batch| (batch.len(), batch.rows.column(0).data_type().clone())).collect();
        (seen(&batches), types)
    };
    let live = read();
    let texts: Vec<&str> = live.0.iter().map(|row| row.2.as_str()).collect();
    let dead = "time is null in column `at`";
    assert_eq!(texts, ["null", "7", "null", "0.5", dead, dead]);
    writer.finish().unwrap();
    assert_eq!(segments(folder.path(), ".parquet").len(), 1, "a new type begins a new segment");
    let sealed = read();
    assert_eq!(sealed.0, live.0);
    let error = open(folder.path(), 0, &request(&["fair"])).poll().unwrap_err();
    assert_eq!(error.to_string(), "no such column: `fair`");
    assert!(error.hint().unwrap().contains("`fare`"), "{error:?}");
}

#[test]
fn texts_of_any_encoding_are_one_column() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows_batch(&(0..40).map(|id| row(id, id)).collect::<Vec<_>>());
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::LargeUtf8));
    let mut writer = LogWriter::open(folder.path(), "trips", LogOptions::default()).unwrap();
    for data_type in [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View, dictionary] {
        let city = cast(rows.column(2), &data_type).unwrap();
        let columns = vec![("at", rows.column(0).clone()), ("city", city)];
        writer.append(0, &batch(columns)).unwrap();
    }
    let tiny = LogOptions { segment_bytes: 1, ..options() };
    writer.sync().unwrap();
    let mut wanted = request(&["city"]);
    let live = all(folder.path(), 0, &wanted);
    let names: Vec<_> = live.iter().map(|row| row.2.clone()).collect();
    let expected = (0..160).map(|n| format!("city {}", n % 40 % 7));
    assert_eq!(names, expected.collect::<Vec<_>>());
    drop(writer);
    let mut writer = LogWriter::open(folder.path(), "trips", tiny).unwrap();
    writer.append(0, &rows).unwrap();
    writer.finish().unwrap();
    assert_eq!(segments(folder.path(), ".parquet").len(), 1);
    wanted.dictionary = vec!["city".into()];
    let sealed = all(folder.path(), 0, &wanted);
    assert_eq!((&sealed[..160], sealed.len()), (&live[..], 200));
}

#[test]
fn rows_that_are_written_and_not_synced_are_not_seen() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes: 128 << 20, ..options() };
    let mut writer = LogWriter::open(folder.path(), "trips", options).unwrap();
    let mut reader = open(folder.path(), 0, &request(&["id"]));
    writer.append(0, &rows_batch(&rows(20_000))).unwrap();
    let growing = &segments(folder.path(), ".seg")[0];
    let length = std::fs::metadata(folder.path().join("trips/00000").join(growing)).unwrap().len();
    assert!(length > 100_000, "{length}");
    assert!(matches!(reader.poll().unwrap(), Polled::Nothing));
    writer.sync().unwrap();
    assert_eq!(seen(&drain(&mut reader)).len(), 20_000);
}
