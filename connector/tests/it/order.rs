//! One partition in event-time order, whatever the order, split and row groups of the files.

use crate::support::{Outcome, Row, expected, outcome, request, row, rows_batch, skipping, write};
use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use proptest::prelude::*;
use std::collections::BTreeMap;
use tempfile::TempDir;
use trueup_connector::{Dataset, ReadRequest};
use trueup_event::EventTime;

/// A deterministic shuffle.
fn shuffled<T>(mut items: Vec<T>, seed: u64) -> Vec<T> {
    let mut state = seed | 1;
    for at in (1..items.len()).rev() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(at, (state >> 33) as usize % (at + 1));
    }
    items
}

fn written(rows: &[Row], files: usize, group_rows: usize) -> (TempDir, Dataset) {
    let folder = tempfile::tempdir().unwrap();
    let size = rows.len().div_ceil(files).max(1);
    for (number, part) in rows.chunks(size).enumerate() {
        write(&folder.path().join(format!("{number:03}.parquet")), &rows_batch(part), group_rows);
    }
    let dataset = Dataset::open(".", folder.path()).unwrap();
    (folder, dataset)
}

/// How the rows lie in the files.
#[derive(Debug, Clone, Copy)]
enum Layout {
    Sorted,
    Shuffled,
    /// In order but for neighbours a few rows apart, as logs are.
    Nearly,
    /// Every file is in order and spans the whole time.
    Interleaved,
}

fn laid_out(mut rows: Vec<Row>, layout: Layout, files: usize, seed: u64) -> Vec<Row> {
    rows.sort_by_key(|row| row.time);
    match layout {
        Layout::Sorted => rows,
        Layout::Shuffled => shuffled(rows, seed),
        Layout::Nearly => rows
            .chunks(9)
            .enumerate()
            .flat_map(|(n, c)| shuffled(c.to_vec(), seed + n as u64))
            .collect(),
        Layout::Interleaved => {
            let mut parts = vec![Vec::new(); files];
            for (number, row) in rows.into_iter().enumerate() {
                parts[number % files].push(row);
            }
            parts.concat()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn files_row_groups_batches_and_budgets_do_not_matter(
        times in prop::collection::vec(prop::option::weighted(0.97, -60_i64..300), 1..700),
        layout in prop_oneof![
            Just(Layout::Sorted),
            Just(Layout::Shuffled),
            Just(Layout::Nearly),
            Just(Layout::Interleaved),
        ],
        files in 1_usize..6,
        group_rows in prop_oneof![1_usize..20, 100_usize..1000],
        batch_rows in prop_oneof![1_usize..20, 100_usize..1000],
        budget in prop_oneof![Just(1_usize), 2_000_usize..60_000, Just(128 << 20)],
        range in prop::option::of((-70_i64..300, 0_i64..300)),
        dictionary in any::<bool>(),
        seed in any::<u32>(),
    ) {
        let rows: Vec<Row> = times
            .iter()
            .enumerate()
            .map(|(id, time)| {
                let city = (id % 11 > 0).then(|| format!("c{}", id % 5));
                Row { time: *time, id: id as i64, city }
            })
            .collect();
        let rows = laid_out(rows, layout, files, u64::from(seed));
        let (_folder, dataset) = written(&rows, files, group_rows);
        let mut request = skipping(request(&["id", "city"]));
        request = ReadRequest { batch_rows, sort_budget_bytes: budget, ..request };
        if dictionary {
            request.dictionary = vec!["city".into()];
        }
        let mut groups = expected(&rows);
        let mut before = 0;
        if let Some((from, length)) = range {
            request.from = Some(EventTime::from_micros(from));
            request.to = Some(EventTime::from_micros(from + length));
            before = rows.iter().filter(|row| row.time.is_some_and(|time| time < from)).count();
            groups.retain(|(time, _)| (from..from + length).contains(time));
        }
        let read = outcome(&dataset, &request);
        prop_assert_eq!(&read.groups, &groups);
        if !groups.is_empty() {
            prop_assert_eq!(read.first_offset, before as u64);
        }
        let nulls = rows.iter().filter(|row| row.time.is_none()).count();
        prop_assert_eq!((read.skipped, read.dead.len()), (nulls as u64, 0));
    }
}

#[test]
fn a_sort_on_disk_gives_the_same_as_one_in_memory() {
    let rows: Vec<Row> = (0..60_000).map(|id| row(id * 7919 % 20_011, id)).collect();
    let (folder, dataset) = written(&shuffled(rows.clone(), 5), 3, 5000);
    let mut request = request(&["id", "city"]);
    request.dictionary = vec!["city".into()];
    let in_memory = outcome(&dataset, &request);
    assert_eq!(in_memory.groups, expected(&rows));
    // So small that hundreds of runs are merged in two levels.
    request.sort_budget_bytes = 24 << 10;
    request.spill_dir = Some(folder.path().into());
    let on_disk = outcome(&dataset, &request);
    assert_eq!(on_disk.groups, in_memory.groups);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left on disk");
    request.spill_dir = Some(folder.path().join("missing"));
    let error = dataset.read(&request).unwrap().find_map(Result::err).unwrap();
    assert_eq!(error.kind(), trueup_connector::ErrorKind::Missing);
    assert!(error.to_string().contains("missing"), "{error}");
}

#[test]
fn origins_lead_back_to_the_row_in_the_file() {
    let rows = shuffled((0..5000).map(|id| row(id % 613, id)).collect(), 9);
    let (_folder, dataset) = written(&rows, 4, 300);
    assert_eq!(
        dataset.files(),
        ["./000.parquet", "./001.parquet", "./002.parquet", "./003.parquet"]
    );
    let mut seen = BTreeMap::new();
    for batch in dataset.read(&request(&["id"])).unwrap() {
        let batch = batch.unwrap();
        let ids = batch.rows.column(0).as_primitive::<Int64Type>();
        for (origin, id) in batch.origins.iter().zip(ids.values()) {
            seen.insert((origin.file(), origin.row()), *id);
        }
    }
    let expected: BTreeMap<_, _> = rows
        .chunks(1250)
        .enumerate()
        .flat_map(|(file, part)| {
            part.iter().enumerate().map(move |(at, row)| ((file as u32, at as u64), row.id))
        })
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn an_event_time_with_many_rows_stays_whole() {
    let rows: Vec<Row> = (0..9000).map(|id| row(if id < 4500 { 1 } else { 2 }, id)).collect();
    let (_folder, dataset) = written(&rows, 2, 1000);
    let read = outcome(&dataset, &ReadRequest { batch_rows: 100, ..request(&["id", "city"]) });
    assert_eq!(read.groups, expected(&rows));
    assert_eq!(read.batches, 2);
}

#[test]
fn rows_without_a_time_are_dead_letters_with_file_and_row() {
    let mut rows: Vec<Row> = (0..10).map(|id| row(id, id)).collect();
    rows[3].time = None;
    rows[7].time = None;
    let (_folder, dataset) = written(&rows, 2, 100);
    let read = outcome(&dataset, &request(&["id", "city"]));
    let found: Vec<_> = read.dead.iter().map(|d| (d.origin.file(), d.origin.row())).collect();
    assert_eq!(found, [(0, 3), (1, 2)]);
    assert_eq!(read.dead[0].detail, "time is null in column `at`");
    assert_eq!(read.groups.len(), 8);
    let bounded = ReadRequest { from: Some(EventTime::from_micros(8)), ..request(&["id"]) };
    let late = outcome(&dataset, &bounded);
    assert_eq!(
        (late.dead.len(), late.first_offset),
        (2, 6),
        "they are reported whatever the range"
    );
}

#[test]
fn a_reader_that_is_dropped_stops_its_thread() {
    let rows: Vec<Row> = (0..200_000).map(|id| row(id, id)).collect();
    let (_folder, dataset) = written(&rows, 1, 1 << 20);
    let mut reader = dataset.read(&ReadRequest { batch_rows: 100, ..request(&["id"]) }).unwrap();
    assert!(reader.next().unwrap().is_ok());
    drop(reader);
    let unread = dataset.read(&request(&["id"])).unwrap();
    drop(unread);
}

#[test]
fn dictionaries_are_kept_as_the_files_have_them() {
    let rows: Vec<Row> = (0..50_000).map(|id| row(id, id)).collect();
    let (_folder, dataset) = written(&rows, 1, 1 << 20);
    let mut request = request(&["city"]);
    request.dictionary = vec!["city".into()];
    let batches: Vec<_> = dataset.read(&request).unwrap().map(Result::unwrap).collect();
    let values: Vec<_> = batches
        .iter()
        .map(|batch| {
            batch.rows.column(0).as_any_dictionary().values().to_data().buffers()[1].as_ptr()
        })
        .collect();
    assert!(values.len() > 3 && values.windows(2).all(|pair| pair[0] == pair[1]));
    let Outcome { groups, .. } = outcome(&dataset, &request);
    assert_eq!(groups[1].1, ["city 1"]);
}

#[test]
fn no_column_is_needed_but_the_time() {
    let rows = shuffled((0..3000).map(|id| row(id % 100, id)).collect(), 1);
    let (_folder, dataset) = written(&rows, 2, 500);
    let read = outcome(&dataset, &ReadRequest { sort_budget_bytes: 1, ..request(&[]) });
    assert_eq!(read.groups.len(), 100);
    assert!(read.groups.iter().all(|(_, rows)| rows.len() == 30));
}
