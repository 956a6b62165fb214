//! `trueup init`: a project that runs at once, and one for a stranger's own files.

use crate::support::rows::{self, Random};
use crate::support::{Project, assert_adds_up, number};
use arrow::array::{
    BooleanArray, Float32Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use std::sync::Arc;

#[test]
fn the_template_runs_at_once() {
    let project = Project::empty();
    project.run("init delivery").ok().says(&["next: trueup -C delivery check eta"]);
    project.run("-C delivery check").ok().says(&["nothing wrong: eta"]);
    project.run("-C delivery backtest eta").ok();
    let run = project.run("-C delivery backtest eta --json").json()["runs"][0].clone();
    assert_adds_up(&run);
    assert!(number(&run, "corrected.mae") < 0.8 * number(&run, "primary.mae"), "{run}");
    assert!(number(&run, "as_served.mae") < 0.8 * number(&run, "primary.mae"), "{run}");
}

#[test]
fn what_is_there_is_never_written_over() {
    let project = Project::empty();
    project.run("init").ok();
    project.write("pipelines/eta.toml", "mine");
    project.run("init").fails(2, &["there is a project already: `./trueup.toml`", "hint: "]);
    project.run("init . --from data").fails(2, &["there is a project already"]);
    assert_eq!(project.read("pipelines/eta.toml"), "mine");

    let other = Project::of(&[("README.md", "mine")]);
    other.run("init").fails(2, &["the file is there already: `./README.md`", "hint: "]);
    assert_eq!(other.read("README.md"), "mine");
    let left = std::fs::read_dir(other.folder()).unwrap().count();
    assert_eq!(left, 1, "a refusal writes nothing");
}

#[test]
fn the_flights_give_a_project_that_helps() {
    let project = Project::flights();
    let files = "data/samples/flights/arrivals.parquet data/samples/flights/departures.parquet";
    project.run(&format!("init mine --from {files}")).ok().says(&[
        "327,346 of 328,521 questions have a label (99.6 %), joined by `trip_id`",
        "label delay: p50 2h40m, p99 6h47m",
        "next: trueup -C mine check",
    ]);
    project.run("-C mine check").ok().says(&["nothing wrong"]);
    let name = project.run("-C mine list").ok().stdout;
    let command = format!("-C mine backtest {} --to 2013-02-15 --json", name.trim());
    let run = project.run(&command).json()["runs"][0].clone();
    assert_adds_up(&run);
    assert!(number(&run, "corrected.mae") < 0.9 * number(&run, "primary.mae"), "{run}");
}

/// A week of parcels as a stranger writes them: one file or two, names with spaces, local times,
/// narrow numbers, labels that are missing.
fn parcels(is_wide: bool) -> Vec<RecordBatch> {
    let mut random = Random(99);
    let count = 2000;
    let keys: Vec<String> = (0..count).map(|n| format!("{:016x}-{n:04}", random.next())).collect();
    let depots: Vec<&str> =
        (0..count).map(|_| ["north", "south", "west"][random.below(3)]).collect();
    let is_fragile: Vec<bool> = (0..count).map(|_| random.below(4) == 0).collect();
    let estimates: Vec<f32> = (0..count).map(|_| 30.0 + random.below(60) as f32).collect();
    let took = |n: usize, random: &mut Random| {
        let depot = if depots[n] == "north" { 14.0 } else { -3.0 };
        let fragile = if is_fragile[n] { 6.0 } else { 0.0 };
        estimates[n] + depot + fragile + (random.share() * 6.0 - 3.0) as f32
    };
    let is_delivered = |n: usize| n % 25 != 3;
    let actual: Vec<Option<f32>> =
        (0..count).map(|n| is_delivered(n).then(|| took(n, &mut random))).collect();
    let start = 1_719_792_000_000_i64;
    let asked: Vec<i64> = (0..count).map(|n| start + n as i64 * 300_000).collect();
    let came = asked.iter().zip(&actual);
    let came: Vec<Option<i64>> =
        came.map(|(at, took)| took.map(|took| at + (took * 60_000.0) as i64)).collect();
    let question: Vec<(&str, arrow::array::ArrayRef)> = vec![
        ("parcel id", Arc::new(StringArray::from_iter_values(&keys))),
        ("created_at", Arc::new(TimestampMillisecondArray::from(asked))),
        ("depot", Arc::new(StringArray::from_iter_values(depots.iter()))),
        ("fragile", Arc::new(BooleanArray::from(is_fragile.clone()))),
        ("predicted_minutes", Arc::new(Float32Array::from(estimates.clone()))),
    ];
    let label: Vec<(&str, arrow::array::ArrayRef)> = vec![
        ("parcel id", Arc::new(StringArray::from_iter_values(&keys))),
        ("delivered_at", Arc::new(TimestampMillisecondArray::from(came))),
        ("actual_minutes", Arc::new(Float32Array::from(actual))),
    ];
    let table = |columns: Vec<(&str, arrow::array::ArrayRef)>| {
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    };
    if is_wide {
        vec![table(question.into_iter().chain(label.into_iter().skip(1)).collect())]
    } else {
        let ended: Vec<usize> = (0..count).filter(|n| is_delivered(*n)).collect();
        vec![table(question), rows::at(&table(label), &ended)]
    }
}

fn a_strangers_project_helps(project: &Project, from: &str) {
    let made = project.run(&format!("init theirs --from {from}")).ok();
    let made = made.says(&["of 2,000 questions have a label (96.0 %), joined by `parcel id`"]);
    made.says(&["label delay: p50 ", "the times have no zone and are taken as UTC: `created_at`"]);
    project.run("-C theirs check").ok().says(&["nothing wrong"]);
    let name = project.run("-C theirs list").ok().stdout;
    let command = ["-C", "theirs", "backtest", name.trim(), "--json"];
    let run = project.run_words(&command).json()["runs"][0].clone();
    assert_adds_up(&run);
    assert_eq!(run["counts"]["learned"], 1920, "{run}");
    assert!(number(&run, "corrected.mae") < 0.7 * number(&run, "primary.mae"), "{run}");
}

#[test]
fn two_files_of_a_stranger_give_a_project_that_helps() {
    let project = Project::empty();
    for (name, rows) in ["shipped", "delivered"].iter().zip(parcels(false)) {
        rows::write(&project.path(&format!("{name}.parquet")), &rows, 300);
    }
    a_strangers_project_helps(&project, "delivered.parquet shipped.parquet");
}

#[test]
fn one_wide_folder_of_a_stranger_gives_a_project_that_helps() {
    let project = Project::empty();
    let rows = parcels(true).remove(0);
    for (part, chosen) in (0..2000).collect::<Vec<_>>().chunks(600).enumerate() {
        let path = project.prepared(&format!("lake/dt=2024-07-0{}/x.parquet", part + 1));
        rows::write(&path, &rows::at(&rows, chosen), 300);
    }
    a_strangers_project_helps(&project, "lake");
}

#[test]
fn files_of_which_nothing_can_be_made_are_refused() {
    let project = Project::flights();
    let flights = "data/samples/flights";
    let words = ["arrived_at", "hint: the file needs two"];
    project.run(&format!("init a --from {flights}/arrivals.parquet")).fails(2, &words);
    project.run("init b --from nowhere.parquet").fails(3, &["`nowhere.parquet`", "hint: "]);
    let path = project.path("data/samples/flights/arrivals.parquet");
    let labels = rows::read(&path);
    let later: Vec<usize> = (0..labels.num_rows()).filter(|row| row % 2 == 0).collect();
    let labels = rows::at(&labels, &later[..50]);
    rows::write(&path, &labels.project(&[1, 2]).unwrap(), 100);
    let command = format!("init c --from {flights}/arrivals.parquet {flights}/departures.parquet");
    project.run(&command).fails(2, &["no column joins two of the files", "hint: "]);
}
