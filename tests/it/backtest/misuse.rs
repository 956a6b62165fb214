//! What goes wrong is told with its place and its remedy, on standard error, with the right code:
//! 2 for wrong usage or definition, 3 for an operation that failed.

use crate::support::rows;
use crate::support::{Project, count};

const TO: &str = "--to 2013-01-05";
const ARRIVALS: &str = "data/samples/flights/arrivals.parquet";

#[test]
fn wrong_words_on_the_command_line() {
    let project = Project::flights();
    for (arguments, words) in [
        ("backtest flight_etta", ["`flight_etta`", "hint: did you mean `flight_eta`?"]),
        ("backtest demand", ["`demand`", "hint: there are: `flight_eta`, `flight_eta_mean`"]),
        ("backtest", ["PIPELINE", "Usage: "]),
        ("backtest flight_eta --env prod", ["`prod`", "hint: there are: `local`"]),
        ("backtest flight_eta --to soon", ["`--to soon`", "hint: write `2013-06-01`"]),
        ("backtest flight_eta --threads 0", ["--threads", "0 is not in"]),
        ("backtest flight_eta --batch-rows 0", ["--batch-rows", "0 is not in"]),
        (
            "backtest flight_eta --from 2013-02-01 --to 2013-01-05",
            ["`--from 2013-02-01T00:00:00Z --to 2013-01-05T00:00:00Z`", "hint: "],
        ),
        ("backtest flight_eta --set learner.rate", ["`--set learner.rate`", "hint: write `--set"]),
        ("backtest flight_eta --set unit.x=1", ["`--set unit.x=1`", "hint: "]),
        ("backtest flight_eta --set learner.kidn=x", ["`kidn`", "hint: did you mean `kind`?"]),
        ("backtest flight_eta --set label.wait=soon", ["`soon`", "label.wait=soon:"]),
        ("backtest flight_eta --set publish.every=0s", ["`0s`", "hint: "]),
    ] {
        project.run(arguments).fails(2, &words);
        project.run(&format!("{arguments} --json")).fails(2, &words);
    }
    let nowhere = Project::empty();
    nowhere.run("backtest flight_eta").fails(2, &["no project here or above", "trueup init"]);
}

#[test]
fn a_key_set_for_one_run_is_used_and_not_kept() {
    let project = Project::flights();
    let before = project.read("pipelines/flight_eta.toml");
    let words = ["backtest", "flight_eta", "--to", "2013-01-05", "--json", "--set"];
    let run =
        |set: &str| project.run_words(&[&words[..], &[set]].concat()).json()["runs"][0].clone();
    let waits_long = run("label.wait=24h");
    let waits_short = run("label.wait = \"2h\"");
    assert_eq!(count(&waits_long, "labels.orphan"), 0);
    let labels = &waits_short["labels"];
    assert!(count(labels, "expired") + count(labels, "orphan") > 1000, "{labels}");
    assert_eq!(project.read("pipelines/flight_eta.toml"), before);
}

#[test]
fn damaged_and_missing_files() {
    let whole = std::fs::read(Project::flights().path(ARRIVALS)).unwrap();
    let mut scribbled = whole.clone();
    let middle = scribbled.len() / 3;
    scribbled[middle..middle + 5000].fill(0xA5);
    for (name, bytes) in [
        ("cut off", &whole[..100_000]),
        ("cut off by one byte", &whole[..whole.len() - 1]),
        ("scribbled on", &scribbled),
        ("of text", b"trip_id,arrived_at\n1,2013-01-01\n"),
        ("empty", b""),
    ] {
        let project = Project::flights();
        std::fs::write(project.path(ARRIVALS), bytes).unwrap();
        let ran = project.run("backtest flight_eta --predictions p.parquet --json");
        assert!(ran.code == 3, "a file that is {name}\n{ran}");
        ran.fails(3, &[ARRIVALS, "hint: "]);
        assert!(!project.path("p.parquet").exists(), "no half of a file is left");
    }
    let project = Project::flights();
    std::fs::remove_file(project.path(ARRIVALS)).unwrap();
    let words =
        [&format!("`{ARRIVALS}`"), "hint: the names in that folder are `departures.parquet`"];
    project.run("backtest flight_eta --json").fails(3, &words);
    project.edit("trueup.toml", ARRIVALS, "data/**/arrival-*.parquet");
    project.run("backtest flight_eta").fails(3, &["`data/**/arrival-*.parquet`", "hint: "]);
}

#[test]
fn a_file_without_rows() {
    let project = Project::flights();
    let rows = rows::read(&project.path(ARRIVALS));
    rows::write(&project.path(ARRIVALS), &rows.slice(0, 0), 100);
    project.run("backtest flight_eta").fails(3, &["no row in 1 Parquet file", ARRIVALS, "hint: "]);
}

#[test]
fn output_that_cannot_be_written() {
    let project = Project::flights();
    project.write("a_file", "");
    for flag in ["--predictions", "--dead-letters", "--report"] {
        for place in ["no/such/folder/out", "a_file/out", "pipelines"] {
            let ran = project.run(&format!("backtest flight_eta {TO} --json {flag} {place}"));
            ran.fails(3, &[place.trim_end_matches("/out")]);
        }
    }
    assert!(project.path("pipelines/flight_eta.toml").exists());
}

#[test]
fn nothing_joined_is_explained() {
    let project = Project::flights();
    let path = project.path(ARRIVALS);
    let labels = rows::read(&path);
    let other: Vec<f64> =
        rows::integers(&labels, "trip_id").into_iter().map(|key| key as f64 + 1e9).collect();
    let keys = arrow::compute::cast(
        &arrow::array::Float64Array::from(other),
        &arrow::datatypes::DataType::Int64,
    );
    let mut columns = labels.columns().to_vec();
    columns[labels.schema().index_of("trip_id").unwrap()] = keys.unwrap();
    let labels = arrow::record_batch::RecordBatch::try_new(labels.schema(), columns).unwrap();
    rows::write(&path, &labels, 100_000);
    let ran = project.run(&format!("backtest flight_eta {TO}")).ok();
    for words in ["0 of", "labels joined", "do both `join` columns hold the same values"] {
        assert!(ran.stdout.replace('\n', " ").contains(words), "`{words}`\n{ran}");
    }
    let run = project.backtest_one(&format!("flight_eta {TO}"));
    assert_eq!(count(&run, "labels.joined"), 0);
    assert!(run["corrected"]["mae"].is_null(), "{}", run["corrected"]);
}

#[test]
fn nothing_fed_is_explained() {
    let project = Project::flights();
    let ran = project.run("backtest flight_eta --from 2030-01-01").ok();
    for words in ["no question was fed", "no label was fed", "--from", "events.departures"] {
        assert!(ran.stdout.replace('\n', " ").contains(words), "`{words}`\n{ran}");
    }
}

/// One definition's estimate is null for a long time. Streams are shared with another that has
/// none of that: neither may wait for the other for ever.
#[test]
fn definitions_that_go_through_streams_at_their_own_pace_both_end() {
    let project = Project::flights();
    let path = project.path("data/samples/flights/departures.parquet");
    let questions = rows::read(&path);
    let mut delays = rows::numbers(&questions, "departure_delay_minutes");
    let later = delays.len() / 20;
    delays[..later].fill(f64::NAN);
    rows::write(&path, &rows::with(&questions, "departure_delay_minutes", delays), 10_000);
    for name in ["flight_eta", "flight_eta_mean"] {
        let file = format!("pipelines/{name}.toml");
        project.edit(&file, "departure_delay_minutes = \"number\"\n", "");
    }
    let estimate = "estimate = \"eta_minutes\"";
    let other = "estimate = \"departure_delay_minutes\"";
    project.edit("pipelines/flight_eta_mean.toml", estimate, other);
    let names = "flight_eta flight_eta_mean";
    let report = project.backtest(&format!("{names} --to 2013-03-01 --batch-rows 200"));
    let late = &report["runs"][1];
    let later = later as u64;
    assert_eq!(count(late, "counts.quarantined"), later);
    assert_eq!(count(&report["runs"][0], "counts.quarantined"), 0);
    crate::support::assert_adds_up(late);
}
