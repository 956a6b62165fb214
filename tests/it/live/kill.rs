//! SIGKILL at any moment changes nothing.

use super::support::{Running, assert_replays, left, once, status, twin, wait_for, week};
use crate::support::rows::Random;
use std::time::Duration;

const RUN: &str = "run flight_eta --env live --checkpoint-every 0.03";

#[test]
fn twenty_kills_while_events_come_leave_what_an_unbroken_run_leaves() {
    let project = week();
    let append = "append --env live --from local flight_eta --rate 4000";
    let appending = Running::start(&project, append);
    let mut random = Random(20);
    let mut merged = Vec::new();
    for _ in 0..20 {
        let daemon = Running::start(&project, RUN);
        std::thread::sleep(Duration::from_millis(20 + random.below(180) as u64));
        daemon.kill();
        let path = project.path(".trueup/status/flight_eta.json");
        merged.extend(path.exists().then(|| status(&project)["merged"].as_u64().unwrap()));
    }
    let (code, said) = appending.ends();
    assert_eq!(code, 0, "{said}");
    once(&project);
    merged.dedup();
    assert!(merged.len() > 4, "kills came while it learned: {merged:?}");
    let unbroken = twin(&project);
    once(&unbroken);
    let (killed, unbroken) = (left(&project), left(&unbroken));
    assert_eq!(killed, unbroken);
    assert_replays(&project);
}

#[test]
fn kills_while_silent_partitions_are_lifted_leave_what_the_recording_gives() {
    let project = week();
    let folder = "{ log = \"arrivals\", idle = \"5ms\" }";
    project.edit("trueup.toml", "{ log = \"arrivals\" }", folder);
    let append = "append --env live --from local flight_eta --rate 5000";
    let appending = Running::start(&project, append);
    let mut random = Random(7);
    for _ in 0..8 {
        let daemon = Running::start(&project, RUN);
        std::thread::sleep(Duration::from_millis(60 + random.below(240) as u64));
        daemon.kill();
    }
    let (code, said) = appending.ends();
    assert_eq!(code, 0, "{said}");
    let daemon = Running::start(&project, RUN);
    wait_for(&project, "it has caught up", |status| {
        status["partitions"][0]["backlog_rows"] == 0 && status["merged"].as_u64() > Some(10_000)
    });
    daemon.kill();
    once(&project);
    left(&project);
    let controls = std::fs::read_dir(project.path(".trueup/recordings/flight_eta/controls"));
    assert!(controls.unwrap().count() > 3, "there were lifts");
    assert_replays(&project);
}
