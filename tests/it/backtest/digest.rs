//! The same events give the same model, bit for bit: in another process, with other threads and
//! batches, from files that are shuffled, split and named otherwise, in every build.

use crate::support::rows::{self, Random};
use crate::support::{Project, digest, is_freezing, workspace};
use arrow::record_batch::RecordBatch;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

/// Most runs stop here: a digest that differs does so within days.
const TO: &str = "2013-02-01";
/// 2013-02-01T00:00:00Z.
const TO_MICROS: i64 = 1_359_676_800_000_000;
const FROZEN: &str = "tests/it/frozen/digests.txt";

/// Every kind of learner in one definition.
const ALL_LEARNERS: &str = r#"
unit = "minutes"
[question]
event    = "departures"
join     = "trip_id"
estimate = "eta_minutes"
[label]
event = "arrivals"
join  = "trip_id"
value = "actual_minutes"
wait  = "24h"
[features]
carrier     = "category"
origin      = "category"
destination = "category"
distance_miles = { column = "distance_miles", as = "log" }
departure_delay_minutes = "number"
hour_of_week = { time = "departed_at", as = "hour_of_week", zone = "America/New_York" }
delay_bucket = { column = "departure_delay_minutes", as = "bucket", edges = [0, 15, 60] }
[learner]
kind   = "segment"
levels = [["origin"], ["origin", "destination"]]
[[challenger]]
kind    = "linear"
crosses = [["origin", "destination"]]
[[challenger]]
kind = "rls"
[gate]
guard = [{ metric = "p95", worse_by = 1, per = "origin" }]
"#;

fn project() -> Project {
    let project = Project::flights();
    project.write("pipelines/all_learners.toml", ALL_LEARNERS);
    project
}

/// A run without what may differ: speed, and where the files lay.
fn comparable(run: &Value) -> Value {
    let mut run = run.clone();
    let fields = run.as_object_mut().unwrap();
    fields.remove("events_per_second").unwrap();
    fields.remove("elapsed_seconds").unwrap();
    for stream in ["question_event", "label_event"] {
        fields[stream].as_object_mut().unwrap().remove("location").unwrap();
    }
    run
}

/// Each definition by itself, as everything else is compared with.
fn alone(name: &str) -> &'static Value {
    static ALONE: OnceLock<BTreeMap<&'static str, Value>> = OnceLock::new();
    let alone = ALONE.get_or_init(|| {
        let project = project();
        let names = ["flight_eta", "flight_eta_mean", "all_learners"];
        let run = |name| (name, comparable(&project.backtest_one(&format!("{name} --to {TO}"))));
        names.into_iter().map(run).collect()
    });
    &alone[name]
}

#[track_caller]
fn assert_same(run: &Value, how: &str) {
    let name = run["definition"].as_str().unwrap();
    let (run, alone) = (comparable(run), alone(name));
    assert_eq!(digest(&run), digest(alone), "the state of `{name}` depends on {how}");
    for (key, value) in alone.as_object().unwrap() {
        assert_eq!(run[key], *value, "`{key}` of `{name}` depends on {how}");
    }
}

#[test]
fn another_process_finds_the_same() {
    assert_same(&project().backtest_one(&format!("flight_eta --to {TO}")), "the process");
    let other = project().backtest_one("flight_eta --to 2013-02-02");
    assert_ne!(digest(&other), digest(alone("flight_eta")), "one day more is another state");
}

#[test]
fn definitions_side_by_side_find_what_each_finds_alone() {
    let project = project();
    let names = "flight_eta flight_eta_mean all_learners";
    let mut comparisons = Vec::new();
    for threads in [1, 2, 8] {
        let report = project.backtest(&format!("{names} --threads {threads} --to {TO}"));
        for run in report["runs"].as_array().unwrap() {
            assert_same(run, &format!("{threads} threads"));
        }
        comparisons.push(report["comparisons"].clone());
    }
    assert_eq!(comparisons[0].as_array().unwrap().len(), 2);
    assert!(comparisons.iter().all(|other| *other == comparisons[0]), "{comparisons:?}");
}

#[test]
fn batches_do_not_matter() {
    let project = project();
    for batch_rows in [64, 1000, 8192, 50_000, 1_000_000] {
        let arguments = format!("flight_eta --to {TO} --batch-rows {batch_rows}");
        assert_same(&project.backtest_one(&arguments), &format!("batches of {batch_rows} rows"));
    }
    let few = format!("all_learners flight_eta --to {TO} --batch-rows 777 --threads 2");
    for run in project.backtest(&few)["runs"].as_array().unwrap() {
        assert_same(run, "batches of 777 rows");
    }
}

/// The rows of January and a few after, which must not be seen.
fn january(stream: &str, time: &str) -> RecordBatch {
    let all = rows::read(&workspace().join(format!("data/samples/flights/{stream}.parquet")));
    rows::before(&all, time, TO_MICROS + 86_400_000_000)
}

/// The project with its streams somewhere else.
fn with_streams(departures: &str, arrivals: &str) -> Project {
    let project = project();
    project.edit("trueup.toml", "data/samples/flights/departures.parquet", departures);
    project.edit("trueup.toml", "data/samples/flights/arrivals.parquet", arrivals);
    project
}

/// Seven files of shuffled rows, of uneven sizes, each with row groups of its own size.
fn scatter(project: &Project, stream: &str, rows: &RecordBatch, random: &mut Random) {
    let mut order: Vec<usize> = (0..rows.num_rows()).collect();
    random.shuffle(&mut order);
    let mut rest = order.as_slice();
    for part in 0..7_usize {
        let most = if part == 6 { rest.len() } else { 1 + random.below(rest.len() / 3) };
        let (places, others) = rest.split_at(most);
        rest = others;
        let path = format!("elsewhere/{stream}/{:04x}.parquet", random.below(0x1_0000));
        let group_rows = 100 + random.below(5000);
        rows::write(&project.prepared(&path), &rows::at(rows, places), group_rows);
    }
    assert!(rest.is_empty());
}

#[test]
fn order_split_and_names_of_files_do_not_matter() {
    let project = with_streams("elsewhere/departures/*.parquet", "elsewhere/arrivals");
    let mut random = Random(7);
    for (stream, time) in [("departures", "departed_at"), ("arrivals", "arrived_at")] {
        scatter(&project, stream, &january(stream, time), &mut random);
    }
    // Rows of one moment come from several files: in small batches they are often apart.
    for batch_rows in [64, 500, 8192] {
        let arguments = format!("flight_eta all_learners --to {TO} --batch-rows {batch_rows}");
        for run in project.backtest(&arguments)["runs"].as_array().unwrap() {
            assert_same(run, &format!("the order and split of the files ({batch_rows})"));
        }
    }
}

#[test]
fn folders_of_days_do_not_matter() {
    let project = with_streams("lake/departures", "lake/arrivals/dt=*/*.parquet");
    let mut random = Random(8);
    for (stream, time) in [("departures", "departed_at"), ("arrivals", "arrived_at")] {
        let rows = january(stream, time);
        let mut days: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (row, time) in rows::integers(&rows, time).into_iter().enumerate() {
            days.entry(time.div_euclid(86_400_000_000)).or_default().push(row);
        }
        assert!(days.len() > 31);
        for (number, (_, mut places)) in days.into_iter().enumerate() {
            random.shuffle(&mut places);
            let path = format!("lake/{stream}/dt=2013-{:03}/part-0.parquet", number + 1);
            rows::write(&project.prepared(&path), &rows::at(&rows, &places), 500);
        }
    }
    assert_same(&project.backtest_one(&format!("flight_eta --to {TO}")), "folders of days");
}

/// What the file of frozen digests says, name by name.
fn frozen(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let words = lines.map(|line| line.split_once(' ').expect("a name and a digest"));
    words.map(|(name, digest)| (name.to_owned(), digest.trim().to_owned())).collect()
}

#[test]
fn digests_are_frozen() {
    let mut found = BTreeMap::new();
    let report = project().backtest("flight_eta flight_eta_mean all_learners --to 2013-03-01");
    for run in report["runs"].as_array().unwrap() {
        found.insert(run["definition"].as_str().unwrap().to_owned(), digest(run));
    }
    let template = Project::empty();
    template.run("init").ok();
    found.insert("eta".to_owned(), digest(&template.backtest_one("eta")));
    let path = workspace().join(FROZEN);
    if is_freezing() {
        write_frozen(&path, &found);
    }
    let known = frozen(&std::fs::read_to_string(path).unwrap());
    assert_eq!(
        found, known,
        "the state after the same events is another than it was (left: now, right: in {FROZEN}).\n\
         In one build or on one machine only: a bug, see `The determinism contract` in \
         ARCHITECTURE.md.\n\
         Meant, as a learner or a definition changed: run this test with TRUEUP_FREEZE=1 and say \
         in CHANGELOG.md what makes stored models differ"
    );
}

fn write_frozen(path: &Path, digests: &BTreeMap<String, String>) {
    let mut text = String::from(
        "# The state of each definition after the same events: flights until 2013-03-01, and the\n\
         # whole of what `trueup init` writes (eta). Equal in every build, on every machine.\n\
         # Change it only with an entry in CHANGELOG.md: TRUEUP_FREEZE=1 writes it anew.\n",
    );
    for (name, digest) in digests {
        text.push_str(&format!("{name} {digest}\n"));
    }
    std::fs::write(path, text).unwrap();
}
