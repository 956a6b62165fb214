//! What `trueup append` takes, leaves out and refuses.

use super::support::week;
use crate::support::Project;
use serde_json::Value;
use std::time::Instant;

const TOML: &str = r#"
default_environment = "live"
[event.asked]
time = "at"
[event.answered]
time = "done_at"
[environment.live]
state = ".trueup"
events.asked    = { log = "asked" }
events.answered = { log = "answered" }
[environment.files]
state = ".other"
events.asked    = "asked.parquet"
events.answered = { log = "answered" }
"#;

fn project() -> Project {
    Project::of(&[("trueup.toml", TOML)])
}

fn topic(report: &Value, event: &str) -> Value {
    let topics = report["topics"].as_array().unwrap();
    topics.iter().find(|topic| topic["event"] == event).unwrap().clone()
}

#[test]
fn lines_that_cannot_be_used_are_told_of_and_the_rest_is_appended() {
    let project = project();
    let lines = "{\"at\":\"2024-07-01T00:00:00Z\",\"trip\":1}\n{\"at\":null,\"trip\":2}\nnot JSON\n\
                 {\"at\":\"soon\",\"trip\":4}\n{\"at\":\"2024-07-01T00:01:00Z\",\"trip\":{}}\n\
                 {\"at\":\"2024-07-01T00:01:00Z\",\"trip\":6,\"new\":true}\n";
    project.write("asked.ndjson", lines);
    let arguments = "append asked=asked.ndjson --dead-letters bad.jsonl --json";
    let ran = project.run(arguments).ok().says(&["row 3: not JSON", "1 rows have not happened"]);
    let found = topic(&ran.json(), "asked");
    assert_eq!(
        (&found["rows"], &found["bad_rows"], &found["null_time_rows"]),
        (&2.into(), &3.into(), &1.into())
    );
    let bad: Vec<Value> =
        project.read("bad.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rows: Vec<u64> = bad.iter().map(|bad| bad["row"].as_u64().unwrap()).collect();
    assert_eq!(rows, [3, 4, 5]);
    let again = topic(&project.run(arguments).json(), "asked");
    assert_eq!(again["partitions"][0]["first"], 2, "{again}");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let project = project();
    project.run("append").fails(2, &["not said where", "--from"]);
    project.run("append asked=x.ndjson").fails(3, &["x.ndjson", "hint: "]);
    project.run("append aksed=x.ndjson").fails(2, &["aksed"]);
    project.run("append --env files asked=x.ndjson").fails(2, &["live in files", "hint: "]);
    project.run("append --from files").fails(2, &["live in a log in `files`", "hint: "]);
    project.run("append asked=a.ndjson asked=b.ndjson").fails(2, &["named twice"]);
    project.run("append asked=a.ndjson --speed fast").fails(2, &["3600x"]);
    project.run("append asked=a.ndjson --rate 0").fails(2, &["above 0"]);
}

#[test]
fn the_pace_is_kept() {
    let project = week();
    let began = Instant::now();
    let hour = "--since 2013-01-01T12:00:00Z --until 2013-01-01T13:00:00Z --json";
    let append = "append --env live --from local flight_eta --speed 3600x";
    let slow = project.run(&format!("{append} {hour}")).json();
    let took = began.elapsed().as_secs_f64();
    assert!((0.9..10.0).contains(&took), "an hour in a second: {took}");
    let rows = topic(&slow, "departures")["rows"].as_f64().unwrap();
    assert!(rows > 20.0, "{slow}");
    let began = Instant::now();
    let departures = "departures=data/samples/flights/departures.parquet";
    project.run(&format!("append --env live {departures} --rate {} {hour}", rows * 2.0)).ok();
    let took = began.elapsed().as_secs_f64();
    assert!((0.4..10.0).contains(&took), "twice as many a second: {took}");
}
