//! A growing folder: whole files only, in the order of admission, and resumable anywhere.

use crate::live::{Seen, drain, seen};
use crate::support::{Row, batch, bytes, request, row, rows_batch, skipping, write};
use arrow::array::{ArrayRef, Int64Array, TimestampMicrosecondArray};
use std::path::Path;
use std::sync::Arc;
use trueup_connector::folder::Admitted;
use trueup_connector::{ErrorKind, GrowingFolder, LiveSource, Polled, ReadRequest};

fn admit_all(folder: &mut GrowingFolder) -> Vec<String> {
    let found = folder.discover().unwrap();
    for file in &found {
        folder.admit(&file.path, file.size_bytes);
    }
    found.into_iter().map(|file| file.path).collect()
}

fn small(columns: &[&str]) -> ReadRequest {
    ReadRequest { batch_rows: 7, ..request(columns) }
}

/// Rows of three files; some have no time, many have equal times, none is in order.
fn three_files(folder: &Path) -> Vec<Vec<Row>> {
    let file = |number: i64| -> Vec<Row> {
        let time = |id: i64| (id % 9 > 0).then_some(1000 * number + id * 37 % 20);
        (0..40).map(|id| Row { time: time(id), ..row(0, number * 100 + id) }).collect()
    };
    let files: Vec<_> = (0..3).map(file).collect();
    for (number, rows) in files.iter().enumerate() {
        write(&folder.join(format!("{number}.parquet")), &rows_batch(rows), 11);
    }
    files
}

#[test]
fn files_follow_one_another_as_admitted_each_in_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let files = three_files(folder.path());
    let mut growing = GrowingFolder::open(".", folder.path(), &small(&["id"])).unwrap();
    assert!(matches!(growing.poll().unwrap(), Polled::Nothing));
    let found = growing.discover().unwrap();
    assert_eq!(found.len(), 3);
    for number in [1, 0, 2] {
        growing.admit(&found[number].path, found[number].size_bytes);
    }
    assert!(growing.discover().unwrap().is_empty());
    let batches = drain(&mut growing);
    assert!(matches!(growing.poll().unwrap(), Polled::Nothing));
    let rows = seen(&batches);
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), Vec::from_iter(0..120));
    for (place, number) in [1, 0, 2].into_iter().enumerate() {
        let (part, file) = (&rows[place * 40..][..40], &files[number]);
        let dead = file.iter().filter(|row| row.time.is_none()).count();
        assert!(part[..dead].iter().all(|row| row.1.is_none()));
        assert!(part[dead..].is_sorted_by_key(|row| row.1));
        let mut ids: Vec<_> = part[dead..].iter().map(|row| row.2.clone()).collect();
        let live = file.iter().filter(|row| row.time.is_some());
        let mut expected: Vec<_> = live.map(|row| row.id.to_string()).collect();
        ids.sort();
        expected.sort();
        assert_eq!(ids, expected);
    }
    for pair in batches.windows(2) {
        assert_ne!(pair[0].times.last(), pair[1].times.first().or(Some(&-1)), "ties are whole");
    }
    assert!(batches.iter().all(|b| b.origins.iter().all(|o| o.file() < 3)));
}

#[test]
fn reading_is_resumed_at_any_offset_without_the_files_read_before() {
    let folder = tempfile::tempdir().unwrap();
    three_files(folder.path());
    for request in [small(&["id"]), skipping(small(&["id"]))] {
        let mut growing = GrowingFolder::open(".", folder.path(), &request).unwrap();
        admit_all(&mut growing);
        let whole = drain(&mut growing);
        assert_eq!(whole.last().unwrap().next_offset, 120, "rows passed over have offsets");
        let admitted = growing.admitted().to_vec();
        let forgetful: Vec<Admitted> =
            admitted.iter().map(|file| Admitted { row_count: None, ..file.clone() }).collect();
        for (from, files) in (0..=120).zip([&admitted, &forgetful].into_iter().cycle()) {
            let mut again = GrowingFolder::open(".", folder.path(), &request).unwrap();
            again.resume(files.clone(), from);
            let rest = drain(&mut again);
            let after = whole.iter().filter(|batch| batch.next_offset > from).cloned();
            let after: Vec<_> = after.collect();
            assert_eq!(seen(&rest), seen(&after), "{from}");
        }
        let skipped = if request.null_time == trueup_connector::NullTime::Skip { 15 } else { 0 };
        assert_eq!(growing.skipped_null_time(), skipped);
        let moved = folder.path().join("0.moved");
        std::fs::rename(folder.path().join("0.parquet"), &moved).unwrap();
        let mut again = GrowingFolder::open(".", folder.path(), &request).unwrap();
        again.resume(admitted, 60);
        assert_eq!(drain(&mut again).last().unwrap().next_offset, 120);
        std::fs::rename(moved, folder.path().join("0.parquet")).unwrap();
        again.resume(forgetful, 121);
        assert_eq!(again.poll().unwrap_err().kind(), ErrorKind::Invalid, "beyond the files");
    }
}

#[test]
fn half_written_files_are_waited_for_and_broken_ones_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut growing = GrowingFolder::open("in/*.parquet", path, &small(&["id"])).unwrap();
    assert!(admit_all(&mut growing).is_empty(), "no folder yet");
    std::fs::create_dir(path.join("in")).unwrap();
    let file = bytes(&rows_batch(&[row(1, 1), row(2, 2)]), 9);
    for name in ["_a.parquet", ".b.parquet", "c.parquet.tmp", "d.csv"] {
        std::fs::write(path.join("in").join(name), &file).unwrap();
    }
    std::fs::write(path.join("in/junk.parquet"), "junk that is no Parquet").unwrap();
    let (mut told, mut looks) = (Vec::new(), 0);
    for part in (0..file.len()).step_by(file.len() / 6).chain([file.len()]) {
        std::fs::write(path.join("in/z.parquet"), &file[..part]).unwrap();
        let found = admit_all(&mut growing);
        assert_eq!(found.len(), usize::from(part == file.len()), "{part}: {found:?}");
        told.extend(growing.take_broken());
        looks += 1;
        assert_eq!(told.len(), usize::from(looks >= 5));
    }
    assert!(told[0].path.ends_with("junk.parquet"), "{told:?}");
    assert_eq!(told[0].error.kind(), ErrorKind::Corrupt);
    assert_eq!(seen(&drain(&mut growing)).len(), 2);
    std::fs::write(path.join("in/junk.parquet"), &file).unwrap();
    assert_eq!(admit_all(&mut growing).len(), 1, "a broken file that was mended is read");
    assert_eq!(seen(&drain(&mut growing)).len(), 2);
}

#[test]
fn a_file_that_changes_or_vanishes_before_it_is_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(&path.join("a.parquet"), &rows_batch(&[row(1, 1)]), 9);
    write(&path.join("b.parquet"), &rows_batch(&[row(2, 2)]), 9);
    let mut growing = GrowingFolder::open(".", path, &small(&["id"])).unwrap();
    admit_all(&mut growing);
    write(&path.join("b.parquet"), &rows_batch(&[row(2, 2), row(3, 3)]), 9);
    assert!(matches!(growing.poll().unwrap(), Polled::Batch(_)));
    let changed = growing.poll().unwrap_err();
    assert_eq!(changed.kind(), ErrorKind::Corrupt);
    assert!(changed.to_string().contains("changed before it was read"), "{changed}");
    std::fs::remove_file(path.join("b.parquet")).unwrap();
    let vanished = growing.poll().unwrap_err();
    assert_eq!(vanished.kind(), ErrorKind::Missing);
    assert!(vanished.to_string().contains("vanished before it was read: `b.parquet`"));
}

#[test]
fn a_column_that_a_file_lacks_is_null_there_once_it_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let at: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![5]).with_timezone("UTC"));
    let fare: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    write(&folder.path().join("1.parquet"), &batch(vec![("at", at.clone())]), 9);
    let mut growing = GrowingFolder::open(".", folder.path(), &small(&["fare"])).unwrap();
    admit_all(&mut growing);
    assert_eq!(growing.poll().unwrap_err().to_string(), "no such column: `fare`");
    write(&folder.path().join("2.parquet"), &batch(vec![("at", at), ("fare", fare)]), 9);
    admit_all(&mut growing);
    let expected: Vec<Seen> = vec![(0, Some(5), "null".into()), (1, Some(5), "7".into())];
    assert_eq!(seen(&drain(&mut growing)), expected);
}
