//! Predictions are read back with what was pushed, and appear whole or not at all.
#![allow(clippy::unwrap_used)]

use super::*;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use trueup_event::{EventTime, Origin};
use trueup_learner::arena::{Layout, Lengths};

fn layout() -> Layout {
    Layout::new(&Lengths { categories: 1, numbers: 0, references: 1, inputs: vec![1, 1, 1] })
}

fn row(layout: &Layout, key: Key, minute: i64, base: f64) -> Vec<u64> {
    let mut row = vec![0; layout.width];
    row[layout.time] = (minute * 60_000_000) as u64;
    [row[layout.key], row[layout.key + 1]] = key.words();
    row[layout.estimate] = base.to_bits();
    row[layout.references.start] = (base + 0.5).to_bits();
    row[layout.served] = (base + 1.0).to_bits();
    row[layout.version] = 7;
    for (lineage, place) in layout.answers.clone().enumerate() {
        row[place] = (base + 2.0 + lineage as f64).to_bits();
    }
    row[layout.place + 2] = Origin::new(1, minute as u64).packed();
    row
}

fn columns() -> Columns {
    Columns {
        references: vec!["rival_eta".to_owned()],
        challengers: vec!["linear".to_owned(), "linear".to_owned()],
        files: vec!["a.parquet".to_owned(), "b.parquet".to_owned()],
    }
}

#[test]
fn rows_come_back_as_they_were_pushed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.parquet");
    let layout = layout();
    let mut writer = PredictionWriter::create(&path, &columns()).unwrap();
    let at = EventTime::from_micros(90);
    let fates = [Fate::Learned { actual: 12.5, at }, Fate::Expired, Fate::Evicted, Fate::Pending];
    let keys = [Key::of_integer(-42), Key::of_text("JFK"), Key::of_text(""), Key::of_text("12")];
    for (minute, (fate, key)) in fates.into_iter().zip(keys).enumerate() {
        let row = row(&layout, key, minute as i64, 10.0 * minute as f64);
        writer.push(&Outcome { row: &row, layout: &layout, fate }).unwrap();
    }
    assert!(!path.exists(), "the name is taken only when the file is complete");
    assert_eq!(writer.finish().unwrap(), 4);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    let file = std::fs::File::open(&path).unwrap();
    let mut reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batch = reader.next().unwrap().unwrap();
    let names: Vec<_> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
    let added = ["reference_rival_eta", "challenger_linear", "challenger_linear_2"];
    assert_eq!(names[11..], added);
    let text = |name: &str| -> Vec<String> {
        let array = batch.column_by_name(name).unwrap().as_string::<i32>().clone();
        array.iter().map(|value| value.unwrap().to_owned()).collect()
    };
    let number = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Float64Type>();
    assert_eq!(text("key"), ["-42", "JFK", "", "12"]);
    assert_eq!(text("outcome"), ["learned", "expired", "evicted", "pending"]);
    assert_eq!(text("file"), ["b.parquet"; 4]);
    assert_eq!(number("estimate").values()[..], [0.0, 10.0, 20.0, 30.0]);
    assert_eq!(number("served_answer").value(1), 11.0);
    assert_eq!(number("answer").value(1), 12.0);
    assert_eq!(number("challenger_linear").value(1), 13.0);
    assert_eq!(number("challenger_linear_2").value(1), 14.0);
    assert_eq!(number("reference_rival_eta").value(1), 10.5);
    assert_eq!((number("actual").value(0), number("actual").null_count()), (12.5, 3));
    let integer = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>();
    assert_eq!((integer("row").value(2), integer("version").value(2)), (2, 7));
    let time = batch.column_by_name("asked_at").unwrap().as_primitive::<TimestampMicrosecondType>();
    assert_eq!(time.value(3), 180_000_000);
    let time = batch.column_by_name("labelled_at").unwrap();
    assert_eq!(time.as_primitive::<TimestampMicrosecondType>().value(0), 90);
    assert_eq!(time.null_count(), 3);
}

#[test]
fn many_rows_become_row_groups_of_bounded_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.parquet");
    let layout = layout();
    let mut writer = PredictionWriter::create(&path, &columns()).unwrap();
    let row = row(&layout, Key::of_integer(1), 5, 1.0);
    let total = GROUP_ROWS + BATCH_ROWS + 1;
    for _ in 0..total {
        writer.push(&Outcome { row: &row, layout: &layout, fate: Fate::Expired }).unwrap();
    }
    writer.finish().unwrap();
    let file = std::fs::File::open(&path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let groups: Vec<_> = reader.metadata().row_groups().iter().map(|g| g.num_rows()).collect();
    assert_eq!(groups, [GROUP_ROWS as i64, (BATCH_ROWS + 1) as i64]);
}

#[test]
fn what_was_there_survives_a_writer_that_never_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.parquet");
    std::fs::write(&path, "before").unwrap();
    drop(PredictionWriter::create(&path, &columns()).unwrap());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let error = PredictionWriter::create(&path.join("x/y.parquet"), &columns()).unwrap_err();
    assert!(error.to_string().starts_with("cannot write predictions to `"), "{error}");
}

#[test]
fn a_long_key_is_shown_by_its_hash() {
    let key = Key::of_text("a text of more than fifteen bytes");
    let text = key_text(key);
    assert!(text.starts_with('#') && text.len() == 31, "{text}");
    assert_eq!(key_text(Key::of_text("fifteen bytes !")), "fifteen bytes !");
}
