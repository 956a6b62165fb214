//! An orderly end, a takeover, and beginning anew.

use super::support::{Running, assert_replays, left, logged, once, status, twin, wait_for, week};
use std::time::{Duration, Instant};

#[test]
fn sigterm_ends_in_good_order_and_nothing_is_lost() {
    let project = week();
    project.run("append --env live --from local flight_eta --until 2013-01-04").ok();
    let daemon = Running::start(&project, "run flight_eta --env live --checkpoint-every 60");
    wait_for(&project, "it has learned", |status| status["merged"].as_u64() > Some(3000));
    let began = Instant::now();
    daemon.terminate();
    let (code, said) = daemon.ends();
    assert_eq!(code, 0, "{said}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let stopped = status(&project);
    assert_eq!(stopped["phase"], "stopped");
    assert!(stopped["checkpoint"]["number"].as_u64() > Some(0), "{stopped}");
    project.run("append --env live --from local flight_eta --since 2013-01-04").ok();
    once(&project);
    let unbroken = twin(&project);
    once(&unbroken);
    assert_eq!(left(&project), left(&unbroken));
}

#[test]
fn of_two_runs_the_older_one_is_fenced_and_nothing_is_doubled() {
    let project = logged();
    let older = Running::start(&project, "run flight_eta --env live --checkpoint-every 0.05");
    wait_for(&project, "it runs", |status| status["merged"].as_u64() > Some(100));
    let began = Instant::now();
    once(&project);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(15), "the older one gives way at once: {took:?}");
    let (code, said) = older.ends();
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("fenced"), "{said}");
    once(&project);
    let unbroken = twin(&project);
    once(&unbroken);
    assert_eq!(left(&project), left(&unbroken));
    assert_replays(&project);
}

#[test]
fn a_run_that_could_not_go_on_leaves_the_one_that_does_alone() {
    let project = logged();
    let mut daemon = Running::start(&project, "run flight_eta --env live --checkpoint-every 0.05");
    wait_for(&project, "it stands in a checkpoint", |status| {
        status["merged"].as_u64() > Some(10_000) && !status["checkpoint"].is_null()
    });
    let local = "run flight_eta --env local --once";
    project.run(local).fails(2, &["`live`", "`local`", "hint: say `--env live`"]);
    let set = "run flight_eta --env live --once --set gate.confidence=0.9";
    project.run(set).fails(3, &["another definition", "--fresh"]);
    std::thread::sleep(Duration::from_millis(500));
    assert!(daemon.is_running(), "it was fenced");
    daemon.terminate();
    assert_eq!(daemon.ends().0, 0);
}

#[test]
fn beginning_anew_finds_the_same_versions_and_survives_a_kill() {
    let project = logged();
    once(&project);
    let first = left(&project);
    let anew = Running::start(&project, "run flight_eta --env live --fresh --checkpoint-every 60");
    wait_for(&project, "it began anew", |status| {
        status["epoch"] == 2 && status["merged"].as_u64() > Some(100)
    });
    anew.kill();
    once(&project);
    assert_eq!(left(&project), first);
    assert_replays(&project);
}

#[test]
fn a_second_writer_is_told_who_writes() {
    let project = week();
    let slow = "append --env live --from local flight_eta --rate 10";
    let mut first = Running::start(&project, slow);
    let began = Instant::now();
    while !project.path(".trueup/log/departures/00000/committed").exists() {
        assert!(first.is_running() && began.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = format!("process {}", first.pid());
    project.run("append --env live --from local flight_eta").fails(3, &[&pid, "hint: "]);
    first.terminate();
    let (code, said) = first.ends();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("stopped before the end, at 2013-01-01T"), "{said}");
    let again = project.run("append --env live --from local flight_eta --until 2013-01-02 --json");
    assert!(again.json()["topics"][0]["rows"].as_u64() > Some(100));
}
