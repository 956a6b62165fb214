//! `trueup check`: what is wrong is told with its line before anything runs.

use crate::support::rows;
use crate::support::{Project, Ran};
use arrow::array::{ArrayRef, StringArray};
use arrow::record_batch::RecordBatch;

#[test]
fn the_example_project_is_right() {
    let project = Project::flights();
    project.run("check").ok().says(&["nothing wrong: flight_eta, flight_eta_mean"]);
    let findings = project.run("check --json").json();
    assert_eq!(findings["pipelines"], serde_json::json!(["flight_eta", "flight_eta_mean"]));
    assert_eq!(findings["findings"], serde_json::json!([]));
}

#[test]
fn it_runs_from_a_folder_below_and_from_elsewhere() {
    let project = Project::flights();
    let below = project.path("pipelines");
    project.run(&format!("-C {} check flight_eta", below.display())).ok();
    let elsewhere = Project::empty();
    let folder = project.folder().display();
    elsewhere.run(&format!("check -C {folder}")).ok();
    elsewhere.run(&format!("backtest flight_eta --to 2013-01-03 -C {folder}")).ok();
}

/// `check` and `backtest` refuse alike.
#[track_caller]
fn refused(project: &Project, words: &[&str]) -> Ran {
    project.run("backtest flight_eta --to 2013-01-03").fails(2, words);
    project.run("check flight_eta").fails(2, words)
}

#[test]
fn mistakes_are_told_with_file_line_and_remedy() {
    let definition = "pipelines/flight_eta.toml";
    for (file, from, to, words) in [
        (
            definition,
            "value = \"actual_minutes\"",
            "value = \"actual_minuts\"",
            ["`actual_minuts`", "pipelines/flight_eta.toml:12:9", "did you mean `actual_minutes`?"],
        ),
        (
            definition,
            "kind      = \"rls\"",
            "kind      = \"rsl\"",
            ["`rsl`", "pipelines/flight_eta.toml:27:13", "did you mean `rls`?"],
        ),
        (
            definition,
            "wait  = \"24h\"",
            "wait  = 24",
            ["`24`", "pipelines/flight_eta.toml:13:9", "hint: write `wait = \"24h\"`"],
        ),
        (
            definition,
            "carrier      = \"category\"",
            "actual       = { column = \"actual_minutes\", as = \"number\" }",
            ["`actual_minutes`", "pipelines/flight_eta.toml:16:", "hint: "],
        ),
        (
            "trueup.toml",
            "time     = \"arrived_at\"",
            "time     = \"arived_at\"",
            ["`arived_at`", "trueup.toml:9:12", "did you mean `arrived_at`?"],
        ),
        ("trueup.toml", "[event.arrivals]", "[event.arivals]", ["`arrivals`", "hint: ", "arivals"]),
    ] {
        let project = Project::flights();
        project.edit(file, from, to);
        refused(&project, &words);
    }
}

#[test]
fn keys_of_two_types_never_join_and_are_refused() {
    let project = Project::flights();
    let path = project.path("data/samples/flights/arrivals.parquet");
    let labels = rows::at(&rows::read(&path), &(0..2000).collect::<Vec<_>>());
    let texts = rows::integers(&labels, "trip_id").into_iter().map(|key| key.to_string());
    let schema = labels.schema();
    let columns = schema.fields().iter().zip(labels.columns()).map(|(field, column)| {
        let texts: ArrayRef = std::sync::Arc::new(StringArray::from_iter_values(texts.clone()));
        let is_key = field.name() == "trip_id";
        (field.name().clone(), if is_key { texts } else { column.clone() })
    });
    rows::write(&path, &RecordBatch::try_from_iter(columns).unwrap(), 1000);
    let words = ["`trip_id` holds whole numbers", "holds texts", "pipelines/flight_eta.toml:11:9"];
    refused(&project, &words).says(&["hint: "]);
}

#[test]
fn without_the_data_only_the_files_are_checked() {
    let project = Project::flights();
    std::fs::remove_dir_all(project.path("data")).unwrap();
    project.run("check --offline").ok();
    let words = ["data/samples/flights/departures.parquet", "hint: "];
    project.run("check flight_eta").fails(3, &words);
    project.edit("pipelines/flight_eta.toml", "event    = \"departures\"", "event = \"deps\"");
    project.run("check --offline").fails(2, &["`deps`", "pipelines/flight_eta.toml:5:"]);
}

#[test]
fn json_has_the_same_findings() {
    let project = Project::flights();
    project.edit("pipelines/flight_eta.toml", "\"actual_minutes\"", "\"actual_minuts\"");
    let ran = project.run("check --json");
    assert_eq!(ran.code, 2, "{ran}");
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let findings = value["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{value}");
    assert!(findings[0].to_string().contains("actual_minuts"), "{value}");
}
