//! Partitions that fall silent, and words of people that come between.

use super::support::{Running, assert_replays, once, status, wait_for, week};
use crate::support::Project;
use serde_json::Value;

const APPEND: &str = "append --env live --from local flight_eta";
const DEPARTURES: &str = "append --env live departures=data/samples/flights/departures.parquet";

fn fed(status: &Value) -> (u64, u64) {
    let of = |side: &str| status[side]["fed"].as_u64().unwrap();
    (of("questions"), of("labels"))
}

#[test]
fn questions_are_taken_while_labels_are_silent() {
    let project = week();
    project.run(&format!("{APPEND} --until 2013-01-03")).ok();
    once(&project);
    let before = fed(&status(&project));
    project.run(&format!("{DEPARTURES} --since 2013-01-03 --until 2013-01-04")).ok();
    once(&project);
    let after = fed(&status(&project));
    assert!(after.0 > before.0 + 500 && after.1 == before.1, "{before:?}, then {after:?}");
    assert_replays(&project);
}

#[test]
fn a_live_run_goes_on_when_the_partition_that_was_ahead_falls_silent() {
    let project = week();
    project.edit(
        "trueup.toml",
        "{ log = \"departures\" }",
        "{ log = \"departures\", idle = \"100ms\" }",
    );
    project.edit(
        "trueup.toml",
        "{ log = \"arrivals\" }",
        "{ log = \"arrivals\", idle = \"100ms\" }",
    );
    project.run(&format!("{APPEND} --until 2013-01-03")).ok();
    let _daemon = Running::start(&project, "run flight_eta --env live");
    let before = wait_for(&project, "it has learned and is at the end", |status| {
        status["merged"].as_u64() > Some(1000)
            && status["partitions"].as_array().unwrap().iter().all(|p| p["is_caught_up"] == true)
    });
    project.run(&format!("{DEPARTURES} --since 2013-01-03 --until 2013-01-04")).ok();
    wait_for(&project, "questions are taken", |status| fed(status).0 > fed(&before).0 + 500);
}

/// The control inputs of a kind in the recording.
fn recorded(project: &Project, kind: &str) -> Vec<Value> {
    let folder = project.path(".trueup/recordings/flight_eta/controls");
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let read = |path| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap();
    let controls = entries.map(|entry| read(entry.unwrap().path()));
    controls.filter(|found| found["control"]["control"] == kind).collect()
}

/// The recording replays to the digest of the last run, with the words of people in it.
#[track_caller]
fn assert_obeyed(project: &Project) {
    let replayed = project.backtest_one("flight_eta --env live --recording");
    assert_eq!(replayed["digest"], status(project)["checkpoint"]["digest"]);
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed().as_secs() < 30, "never {what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// A person's word is obeyed at its place by the run after one that did not come so far.
#[test]
fn a_word_whose_place_is_not_reached_again_is_not_lost() {
    let project = week();
    project.run(&format!("{APPEND} --until 2013-01-02")).ok();
    let log = project.path(".trueup/log");
    super::support::copy(&log, &project.path("short"));
    project.run(&format!("{APPEND} --since 2013-01-02 --until 2013-01-05")).ok();
    let daemon = Running::start(&project, "run flight_eta --env live --checkpoint-every 600");
    wait_for(&project, "it published", |status| status["merged"].as_u64() > Some(2500));
    project.run("registry promote flight_eta@3 --env live --reason test").ok();
    wait_until("it obeyed", || !recorded(&project, "promote").is_empty());
    daemon.kill();
    std::fs::rename(&log, project.path("long")).unwrap();
    std::fs::rename(project.path("short"), &log).unwrap();
    once(&project);
    project.run("registry rollback flight_eta --to 2 --env live --reason test").ok();
    once(&project);
    assert!(recorded(&project, "rollback").is_empty(), "it would come before the promotion");
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::rename(project.path("long"), &log).unwrap();
    once(&project);
    assert_eq!(recorded(&project, "rollback").len(), 1);
    assert_obeyed(&project);
}

#[test]
fn a_run_that_begins_anew_promotes_after_old_words_of_people() {
    let project = week();
    project.run(&format!("{APPEND} --until 2013-01-04")).ok();
    once(&project);
    project.run("registry promote flight_eta@3 --env live --reason test").ok();
    once(&project);
    assert_eq!(recorded(&project, "promote").len(), 1, "a run without events obeys");
    project.run(&format!("{APPEND} --since 2013-01-04 --until 2013-01-06")).ok();
    once(&project);
    let moved = status(&project)["champion"].as_u64().unwrap();
    assert!(moved > 3, "{moved}");
    project.run(&format!("{APPEND} --since 2013-01-06")).ok();
    project.run("run flight_eta --env live --once --fresh").ok();
    let now = status(&project)["champion"].as_u64().unwrap();
    assert!(now > moved, "{now} after {moved}");
    assert_obeyed(&project);
}

#[test]
fn a_champion_in_quarantine_without_one_before_it_is_replaced_by_the_next_that_passes() {
    let project = week();
    project.run(&format!("{APPEND} --until 2013-01-05")).ok();
    once(&project);
    let quarantine = "registry quarantine flight_eta --env live --json";
    while !project.run(quarantine).json()["champion"].is_null() {}
    once(&project);
    assert_eq!(recorded(&project, "promote").len(), 1, "nothing is held");
    project.run(&format!("{APPEND} --since 2013-01-05")).ok();
    once(&project);
    let now = status(&project);
    assert!(now["champion"].as_u64() > Some(50), "{now}");
    assert_obeyed(&project);
}
