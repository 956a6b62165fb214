//! Every row ends somewhere: in the predictions, among the dead letters, and in counts that agree.

use crate::support::rows;
use crate::support::{Project, assert_adds_up, count, number};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

const PIPELINE: &str = r#"
unit = "minutes"
[question]
event    = "asked"
join     = "trip"
estimate = "eta"
[label]
event = "came"
join  = "trip"
value = "took"
wait  = "2h"
[features]
eta = "number"
[learner]
kind = "segment"
[gate]
guard = [{ metric = "p95", worse_by = 1 }]
"#;
const PROJECT: &str = r#"
[event.asked]
time = "at"
[event.came]
time = "at"
[environment.local]
events.asked = "asked.parquet"
events.came  = "came.parquet"
"#;
const MINUTE: i64 = 60_000_000;
/// 2024-03-04T00:00:00Z.
const START: i64 = 1_709_510_400_000_000;

/// One row of either stream: key, minute and number, each of which may be missing.
type Row = (Option<i64>, Option<i64>, Option<f64>);

fn table(number: &str, rows: &[Row]) -> RecordBatch {
    let keys = Int64Array::from_iter(rows.iter().map(|row| row.0));
    let times = rows.iter().map(|row| row.1.map(|minute| START + minute * MINUTE));
    let times = TimestampMicrosecondArray::from_iter(times).with_timezone("UTC");
    let values = Float64Array::from_iter(rows.iter().map(|row| row.2));
    let columns: [(&str, ArrayRef, bool); 3] = [
        ("trip", Arc::new(keys), true),
        ("at", Arc::new(times), true),
        (number, Arc::new(values), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn project(asked: &[Row], came: &[Row]) -> Project {
    let project = Project::of(&[("trueup.toml", PROJECT), ("pipelines/trips.toml", PIPELINE)]);
    rows::write(&project.path("asked.parquet"), &table("eta", asked), 100);
    rows::write(&project.path("came.parquet"), &table("took", came), 100);
    project
}

/// A row as it should be.
const fn row(key: i64, minute: i64, number: f64) -> Row {
    (Some(key), Some(minute), Some(number))
}

/// 400 good trips, one a minute, that take 20 minutes in place of 15; then what can go wrong.
fn everything_that_goes_wrong() -> (Vec<Row>, Vec<Row>) {
    let mut asked: Vec<Row> = (0..400).map(|trip| row(trip, trip, 15.0)).collect();
    let mut came: Vec<Row> = (0..400).map(|trip| row(trip, trip + 20, 20.0)).collect();
    asked.extend([
        (Some(1000), Some(10), Some(f64::NAN)),
        (Some(1001), Some(11), Some(f64::INFINITY)),
        (Some(1002), Some(12), None),
        (None, Some(13), Some(15.0)),
        (Some(1003), None, Some(15.0)),
        (Some(1004), None, Some(15.0)),
        row(20, 20, 15.0), // twice
        row(30, 30, 15.0), // three times
        row(30, 30, 15.0),
        row(1005, 100, 15.0),
        row(1005, 100, 16.0), // as the one before, but with another estimate
        row(2000, 50, 15.0),  // never answered
        row(2001, 60, 15.0),  // answered too late
        row(2002, 415, 15.0), // not answered yet
    ]);
    came.extend([
        row(1005, 120, 20.0),
        (Some(50), Some(75), Some(f64::NAN)),
        (None, Some(76), Some(20.0)),
        (Some(3000), None, Some(20.0)), // has not happened yet
        row(40, 60, 20.0),              // twice
        row(41, 62, 25.0),              // again, later and other
        row(4000, 77, 20.0),            // nobody asked
        row(4001, 78, 20.0),
        row(2001, 60 + 121, 20.0),
        row(4002, 419, 20.0), // nobody asked so far
    ]);
    (asked, came)
}

fn dead_letters(run: &Value) -> BTreeMap<(String, String), u64> {
    let text = |letter: &Value, key: &str| letter[key].as_str().unwrap().to_owned();
    let letters = run["dead_letters"].as_array().unwrap().iter();
    letters
        .map(|letter| ((text(letter, "event"), text(letter, "reason")), count(letter, "count")))
        .collect()
}

#[test]
fn whatever_goes_wrong_is_counted_and_told() {
    let (asked, came) = everything_that_goes_wrong();
    let project = project(&asked, &came);
    let run = project.backtest_one("trips --dead-letters dead.jsonl --predictions answers.parquet");
    assert_adds_up(&run);
    let counts = &run["counts"];
    // Of 414 questions, 6 are malformed or not finite and 4 repeat another.
    assert_eq!(count(counts, "fed"), asked.len() as u64);
    assert_eq!(count(counts, "quarantined"), 10);
    assert_eq!(count(counts, "learned"), 401);
    assert_eq!(count(counts, "expired"), 2);
    assert_eq!(count(counts, "pending"), 1);
    let labels = &run["labels"];
    assert_eq!(count(&run, "label_event.not_yet"), 1);
    assert_eq!(count(labels, "fed"), came.len() as u64 - 1);
    assert_eq!(count(labels, "joined"), 401);
    assert_eq!(count(labels, "quarantined"), 4);
    assert_eq!(count(labels, "orphan"), 2);
    assert_eq!(count(labels, "expired"), 1);
    assert_eq!(count(labels, "waiting"), 1);
    let expected = [
        ("asked", "malformed", 3),
        ("asked", "not_finite", 3),
        ("asked", "duplicate", 3),
        ("asked", "conflict", 1),
        ("came", "malformed", 1),
        ("came", "not_finite", 1),
        ("came", "duplicate", 1),
        ("came", "conflict", 1),
        ("came", "orphan", 2),
        ("came", "expired", 1),
    ];
    let expected = expected.map(|(event, reason, n)| ((event.to_owned(), reason.to_owned()), n));
    assert_eq!(dead_letters(&run), BTreeMap::from(expected));
    the_file_of_dead_letters_holds_each(&project, &run, &asked, &came);
    the_predictions_hold_every_question(&project, &run);
}

/// Each line leads back to its row.
fn the_file_of_dead_letters_holds_each(
    project: &Project,
    run: &Value,
    asked: &[Row],
    came: &[Row],
) {
    let mut told: BTreeMap<(String, String), u64> = BTreeMap::new();
    for line in project.read("dead.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        *told.entry((text("stream"), text("reason"))).or_default() += 1;
        assert_eq!(text("file"), format!("{}.parquet", text("stream")), "{line}");
        let source = if text("stream") == "asked" { asked } else { came };
        let (key, minute, number) = source[count(&line, "row") as usize];
        match text("reason").as_str() {
            "malformed" => assert!(key.is_none() || minute.is_none(), "{line}"),
            "not_finite" => assert!(number.is_none_or(|number| !number.is_finite()), "{line}"),
            _ => assert!(key.is_some() && number.is_some_and(f64::is_finite), "{line}"),
        }
        assert_eq!(line["time"].is_string(), minute.is_some(), "{line}");
        assert!(!text("detail").is_empty(), "{line}");
    }
    assert_eq!(told, dead_letters(run));
}

fn the_predictions_hold_every_question(project: &Project, run: &Value) {
    let answers = rows::read(&project.path("answers.parquet"));
    let counts = &run["counts"];
    let kept = count(counts, "fed") - count(counts, "quarantined") - count(counts, "late");
    assert_eq!(answers.num_rows() as u64, kept);
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    for outcome in rows::texts(&answers, "outcome") {
        *outcomes.entry(outcome).or_default() += 1;
    }
    for outcome in ["learned", "expired", "pending"] {
        assert_eq!(outcomes[outcome], count(counts, outcome), "{outcome}");
    }
    let actual = rows::numbers(&answers, "actual");
    for (source, column) in
        [("primary", "estimate"), ("corrected", "answer"), ("as_served", "served_answer")]
    {
        let given = rows::numbers(&answers, column).into_iter().zip(&actual);
        let errors: Vec<f64> =
            given.map(|(answer, actual)| actual - answer).filter(|error| !error.is_nan()).collect();
        let n = errors.len() as f64;
        let mae = errors.iter().map(|error| error.abs()).sum::<f64>() / n;
        let bias = errors.iter().sum::<f64>() / n;
        assert!((mae - number(&run[source], "mae")).abs() < 1e-9, "{source} {mae}");
        assert!((bias - number(&run[source], "bias")).abs() < 1e-9, "{source} {bias}");
    }
}

#[test]
fn predictions_of_flights_give_the_errors_of_the_report() {
    // 2013-01-25T00:00:00Z.
    let project = Project::flights_until(1_359_072_000_000_000);
    let run = project.backtest_one("flight_eta --predictions answers.parquet");
    the_predictions_hold_every_question(&project, &run);
    let answers = rows::read(&project.path("answers.parquet"));
    let versions = rows::integers(&answers, "version");
    let estimates = rows::numbers(&answers, "estimate");
    let served = rows::numbers(&answers, "served_answer");
    for ((version, estimate), served) in versions.iter().zip(&estimates).zip(&served) {
        let bound = f64::max(45.0, 0.3 * estimate);
        assert!(*version > 0 || served == estimate, "nobody serves, the primary estimate stands");
        assert!((served - estimate).abs() <= bound + 1e-9 && *served >= 0.0, "beyond the limit");
    }
    assert!(versions.iter().any(|version| *version > 0), "a version was admitted");
}

#[test]
fn from_and_to_bound_what_is_seen() {
    let trips = 0..400;
    let asked: Vec<Row> = trips.clone().map(|trip| row(trip, trip, 15.0)).collect();
    let came: Vec<Row> = trips.map(|trip| row(trip, trip + 20, 20.0)).collect();
    let project = project(&asked, &came);
    let bounds = "--from 2024-03-04T01:00:00Z --to 2024-03-04T03:00:00+01:00";
    let run = project.backtest_one(&format!("trips {bounds}"));
    assert_adds_up(&run);
    assert_eq!(run["question_event"]["first"], "2024-03-04T01:00:00Z");
    assert_eq!(run["question_event"]["last"], "2024-03-04T01:59:00Z");
    assert_eq!(count(&run, "counts.fed"), 60);
    // The first twenty labels answer questions from before. Those of the last five minutes are
    // held, as they would be live: an earlier one might still come.
    assert_eq!(count(&run, "labels.fed"), 60);
    assert_eq!(count(&run, "labels.joined"), 34);
    assert_eq!(count(&run, "counts.learned"), 34);
    assert_eq!(count(&run, "counts.pending"), 26);
}
