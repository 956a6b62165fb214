//! A recording gives again what was offered: rows, dead rows, batches in order of time.

use crate::live::{drain, seen};
use crate::support::{Row, request, row, rows_batch, write};
use std::path::Path;
use std::time::Duration;
use trueup_connector::log::{LogOptions, LogReader, LogWriter};
use trueup_connector::recording::{
    RecordedPosition, RecordedStream, Recording, RecordingReader, RecordingWriter,
};
use trueup_connector::{Dataset, ErrorKind, GrowingFolder, LiveSource, Polled, ReadRequest};
use trueup_event::{Control, EventBatch, EventTime, PartitionId, RowOrder, StreamId};

fn rows(count: i64) -> Vec<Row> {
    let time = |id: i64| (id % 7 > 0 && id % 50 > 2).then_some(id * 1000 % 777);
    (0..count).map(|id| Row { time: time(id), ..row(0, id) }).collect()
}

fn wanted() -> ReadRequest {
    let mut request = ReadRequest { batch_rows: 40, ..request(&["city", "id"]) };
    request.dictionary = vec!["city".into()];
    request
}

fn from_log(folder: &Path, count: i64) -> Vec<EventBatch> {
    let mut writer = LogWriter::open(folder, "log", LogOptions::default()).unwrap();
    for (number, part) in rows(count).chunks(33).enumerate() {
        let recorded = EventTime::from_micros(number as i64);
        writer.append_at(0, &rows_batch(part), recorded).unwrap();
    }
    writer.finish().unwrap();
    drain(&mut LogReader::open(folder, "log", 0, 0, &wanted()).unwrap())
}

fn from_folder(folder: &Path, count: i64) -> Vec<EventBatch> {
    for (number, part) in rows(count).chunks(100).enumerate() {
        write(&folder.join(format!("in/{number}.parquet")), &rows_batch(part), 30);
    }
    let mut growing = GrowingFolder::open("in", folder, &wanted()).unwrap();
    for file in growing.discover().unwrap() {
        growing.admit(&file.path, file.size_bytes);
    }
    drain(&mut growing)
}

fn writer(folder: &Path) -> RecordingWriter {
    let (event, time) = ("trips".to_string(), "at".to_string());
    let streams = [RecordedStream { stream: StreamId(3), event, time }];
    RecordingWriter::open(&folder.join("rec"), &streams, &["secret".to_string()]).unwrap()
}

fn replay(folder: &Path, from: u64) -> RecordingReader {
    let recording = Recording::open(&folder.join("rec")).unwrap();
    recording.source("trips", PartitionId(0), &wanted(), from).unwrap()
}

fn now(second: i64) -> EventTime {
    EventTime::from_micros(second * 1_000_000)
}

/// Everything of a batch but how its rows are cut.
fn details(batches: &[EventBatch]) -> Vec<String> {
    let mut all = Vec::new();
    for batch in batches {
        for row in 0..batch.len() {
            let record_time = batch.record_times.as_ref().map(|times| times[row]);
            let origin = batch.origins[row];
            all.push(format!("{:?} {record_time:?} {origin:?}", batch.order));
        }
        all.extend(batch.dead.iter().map(|dead| format!("{dead:?}")));
    }
    all
}

#[test]
fn a_recording_gives_again_what_was_offered() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (batches, by_time) in [(from_log(folder, 500), false), (from_folder(folder, 500), true)] {
        let _ = std::fs::remove_dir_all(folder.join("rec"));
        let mut recording = writer(folder);
        for (number, batch) in batches.iter().enumerate() {
            recording.write(batch, now(number as i64)).unwrap();
            if number % 3 == 0 {
                recording.flush().unwrap();
            }
        }
        recording.flush().unwrap();
        let mut source = replay(folder, 0);
        assert_eq!(source.backlog(), Some(500));
        let again = drain(&mut source);
        assert!(matches!(source.poll().unwrap(), Polled::Ended));
        assert_eq!(seen(&again), seen(&batches));
        assert_eq!(details(&again), details(&batches));
        assert_eq!(again[0].rows.schema(), batches[0].rows.schema());
        assert_eq!(again.last().unwrap().next_offset, 500);
        if by_time {
            let ends = |of: &[EventBatch]| of.iter().map(|b| b.next_offset).collect::<Vec<_>>();
            assert!(again.iter().all(|batch| batch.order == RowOrder::Time));
            assert_eq!(ends(&again), ends(&batches), "batches are whole");
        }
        for from in (0..=500).step_by(17) {
            let rest = seen(&drain(&mut replay(folder, from)));
            let start = if by_time { rest.first().map_or(from, |row| row.0) } else { from };
            assert!(start <= from);
            assert_eq!(rest, seen(&batches)[start as usize..], "{from}");
        }
    }
    let described = Recording::open(&folder.join("rec")).unwrap();
    let event = &described.events()[0];
    let names: Vec<&str> = event.schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!((event.name.as_str(), names), ("trips", vec!["city", "id", "at"]));
    // It is a data set too.
    let warehouse = Dataset::open("rec/trips", folder).unwrap();
    let events: usize = warehouse.read(&wanted()).unwrap().map(|batch| batch.unwrap().len()).sum();
    assert_eq!(events, rows(500).iter().filter(|row| row.time.is_some()).count());
}

#[test]
fn a_run_that_was_killed_records_no_row_twice_and_misses_none() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let batches = from_log(folder, 500);
    let mut recording = writer(folder);
    for batch in &batches[..5] {
        recording.write(batch, now(0)).unwrap();
    }
    let checkpoint = recording.flush().unwrap();
    for batch in &batches[5..9] {
        recording.write(batch, now(0)).unwrap();
    }
    recording.flush().unwrap();
    recording.write(&batches[9], now(0)).unwrap();
    drop(recording);
    let mut recording = writer(folder);
    recording.truncate_to(&checkpoint).unwrap();
    assert_eq!(recording.flush().unwrap(), checkpoint);
    let skipping_ahead = recording.write(&batches[8], now(1)).unwrap_err();
    assert!(skipping_ahead.hint().unwrap().contains("no gaps"), "{skipping_ahead:?}");
    // The sources are read again from before the checkpoint.
    for batch in &batches[2..] {
        recording.write(batch, now(1)).unwrap();
    }
    recording.flush().unwrap();
    assert_eq!(seen(&drain(&mut replay(folder, 0))), seen(&batches));
    recording.truncate_to(&[]).unwrap();
    drop(recording);
    let recording = Recording::open(&folder.join("rec")).unwrap();
    assert!(recording.events()[0].partitions.is_empty());
}

#[test]
fn gaps_are_named_and_old_files_removed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let batches = from_log(folder, 300);
    let mut recording = writer(folder);
    for (number, batch) in batches.iter().enumerate() {
        recording.write(batch, now(number as i64)).unwrap();
        recording.flush().unwrap();
    }
    recording.retain(Duration::from_secs(2), now(4)).unwrap();
    let first = batches[2].first_offset;
    let found = Recording::open(&folder.join("rec")).unwrap();
    assert_eq!(found.events()[0].partitions[0].first_offset, first);
    let early = found.source("trips", PartitionId(0), &wanted(), first - 1).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::Missing);
    let hole = format!("rec/trips/00000/{:020}.parquet", batches[4].first_offset);
    std::fs::remove_file(folder.join(hole)).unwrap();
    let error = Recording::open(&folder.join("rec")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let next = format!("{:020}.parquet`", batches[5].first_offset);
    assert!(error.to_string().ends_with(&next), "{error}");
    let locked = RecordingWriter::open(&folder.join("rec"), &[], &[]).unwrap_err();
    assert!(locked.to_string().contains("is writing to the folder"), "{locked}");
}

#[test]
fn control_inputs_come_back_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut recording = writer(folder.path());
    let lift = Control::Lift {
        stream: StreamId(3),
        partition: PartitionId(1),
        before_offset: 9,
        to: EventTime::from_micros(-5),
    };
    recording.control(12, 700, &Control::Drain).unwrap();
    recording.control(9, 30, &lift).unwrap();
    recording.control(9, 30, &lift).unwrap();
    let controls = || Recording::open(&folder.path().join("rec")).unwrap().controls().to_vec();
    let found: Vec<_> = controls().into_iter().map(|c| (c.number, c.position, c.control)).collect();
    assert_eq!(found, [(9, 30, lift), (12, 700, Control::Drain)]);
    recording.truncate_controls(12).unwrap();
    assert_eq!(controls().len(), 1);
    let positions: Vec<RecordedPosition> = recording.flush().unwrap();
    assert!(positions.is_empty());
}
