//! Torn and damaged tails, and writers that are killed: nothing that was confirmed is lost.

use crate::live::{drain, seen};
use crate::support::{request, row, rows_batch};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use trueup_connector::log::{LogOptions, LogReader, LogWriter};
use trueup_connector::{ErrorKind, LiveSource};

const CHILD: &str = "TRUEUP_TEST_LOG";

fn options() -> LogOptions {
    let sync_every = Duration::from_secs(3600);
    LogOptions { segment_bytes: 32 << 10, sync_every, ..LogOptions::default() }
}

fn ids(folder: &Path) -> Vec<i64> {
    let mut reader = LogReader::open(folder, "log", 0, 0, &request(&["id"])).unwrap();
    seen(&drain(&mut reader)).iter().map(|row| row.2.parse().unwrap()).collect()
}

/// Appends rows whose ids are their offsets.
fn append(writer: &mut LogWriter, count: i64) {
    let first = writer.append(0, &rows_batch(&[])).unwrap().start as i64;
    let rows: Vec<_> = (first..first + count).map(|id| row(id, id)).collect();
    writer.append(0, &rows_batch(&rows)).unwrap();
}

fn growing(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder.join("log/00000")).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|e| e == "seg")).max().unwrap()
}

#[test]
fn a_torn_tail_is_cut_kept_aside_and_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut writer = LogWriter::open(folder, "log", options()).unwrap();
    append(&mut writer, 10);
    writer.sync().unwrap();
    let sound = std::fs::metadata(growing(folder)).unwrap().len();
    append(&mut writer, 10);
    drop(writer);
    let whole = std::fs::read(growing(folder)).unwrap();
    for cut in [whole.len() - 1, whole.len() - 700, sound as usize + 39, sound as usize + 1] {
        let path = growing(folder);
        std::fs::write(&path, &whole[..cut]).unwrap();
        let _ = std::fs::remove_file(folder.join("log/00000/committed"));
        assert_eq!(ids(folder), Vec::from_iter(0..10), "a reader stops at the tear");
        let writer = LogWriter::open(folder, "log", options()).unwrap();
        let [told] = writer.cut_tails() else { panic!("{:?}", writer.cut_tails()) };
        assert_eq!((told.bytes, told.next_offset), (cut as u64 - sound, 10));
        assert_eq!(told.confirmed_rows, 0);
        let kept = std::fs::read(told.kept_in.as_ref().unwrap()).unwrap();
        assert_eq!(kept, whole[sound as usize..cut]);
        drop(writer);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), sound);
    }
    let mut writer = LogWriter::open(folder, "log", options()).unwrap();
    assert!(writer.cut_tails().is_empty());
    append(&mut writer, 5);
    drop(writer);
    assert_eq!(ids(folder), Vec::from_iter(0..15));
}

#[test]
fn damage_to_confirmed_rows_is_told_of_and_never_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut writer = LogWriter::open(folder, "log", options()).unwrap();
    for _ in 0..3 {
        append(&mut writer, 10);
    }
    writer.sync().unwrap();
    let path = growing(folder);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&path, &bytes).unwrap();
    let mut reader = LogReader::open(folder, "log", 0, 0, &request(&["id"])).unwrap();
    let error = loop {
        match reader.poll() {
            Ok(polled) => assert!(matches!(polled, trueup_connector::Polled::Batch(_))),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("damaged at offset 10"), "{error}");
    drop(writer);
    let refused = LogWriter::open(folder, "log", options()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    assert!(refused.to_string().contains("rows 10 to 30 of a log are damaged"), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "a refusal changes nothing");
    let options = LogOptions { accepts_loss: true, ..options() };
    let writer = LogWriter::open(folder, "log", options).unwrap();
    assert_eq!(writer.cut_tails()[0].confirmed_rows, 20);
    assert_eq!(ids(folder), Vec::from_iter(0..10));
}

/// The writer that is killed; it does nothing in an ordinary run of the tests.
#[test]
fn child_writes_until_it_is_killed() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let mut writer = LogWriter::open(Path::new(&folder), "log", options()).unwrap();
    for round in 0.. {
        append(&mut writer, 1 + round % 40);
        if round % 3 == 0 {
            writer.sync().unwrap();
            println!("confirmed {}", writer.durable(0));
        }
    }
}

#[test]
fn a_killed_writer_loses_nothing_that_was_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut confirmed = 0;
    for kill in 0..8_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "log_crash::child_writes_until_it_is_killed", "--nocapture"])
            .env(CHILD, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = |line: std::io::Result<String>| -> Option<u64> {
            line.ok()?.split_once("confirmed ")?.1.parse().ok()
        };
        let wanted = 5 + (kill * 7919 % 23) as usize;
        let mut told = lines.filter_map(told);
        confirmed = told.by_ref().nth(wanted).unwrap();
        std::thread::sleep(Duration::from_micros(kill * 377 % 2000));
        child.kill().unwrap();
        child.wait().unwrap();
        confirmed = told.last().unwrap_or(confirmed);
        let read = ids(folder);
        assert!(read.len() as u64 >= confirmed, "{} of {confirmed}", read.len());
        assert_eq!(read, Vec::from_iter(0..read.len() as i64));
    }
    let writer = LogWriter::open(folder, "log", options()).unwrap();
    assert!(writer.durable(0) >= confirmed);
    assert!(writer.cut_tails().iter().all(|cut| cut.confirmed_rows == 0));
}
