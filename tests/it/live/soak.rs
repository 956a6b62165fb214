//! A year at full speed, for its figures.

#![allow(clippy::print_stdout, reason = "tests print for whoever runs them")]

use super::support::{Running, status, wait_for};
use crate::support::Project;
use std::time::{Duration, Instant};

/// The most memory that a daemon may have taken, in MB.
const PEAK_MB: u64 = 300;

/// A number of `/proc/PID/status`, in MB.
fn memory_mb(pid: u32, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
#[ignore = "it takes half a minute, and prints figures"]
fn a_year_takes_little_memory() {
    let project = Project::flights();
    let began = Instant::now();
    let appended = project.run("append --env live --from local flight_eta").ok();
    println!("appended in {:.1} s\n{}", began.elapsed().as_secs_f64(), appended.stdout);
    let total = 1;
    let began = Instant::now();
    let daemon = Running::start(&project, "run flight_eta --env live");
    let mut seen = Vec::new();
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let found = wait_for(&project, "it runs", |status| status["merged"].as_u64().is_some());
        let waiting = &found["partitions"].as_array().unwrap();
        let is_done = found["merged"].as_u64() > Some(total)
            && waiting.iter().all(|part| part["backlog_rows"] == 0);
        seen.push(memory_mb(daemon.pid(), "VmRSS"));
        if is_done {
            break;
        }
    }
    let took = began.elapsed().as_secs_f64();
    let peak = memory_mb(daemon.pid(), "VmHWM");
    daemon.terminate();
    assert_eq!(daemon.ends().0, 0);
    let merged = status(&project)["merged"].as_u64().unwrap();
    println!("{merged} events in {took:.1} s, {:.0} a second", merged as f64 / took);
    println!("peak {peak} MB, every half second {seen:?} MB");
    assert!(peak <= PEAK_MB, "{peak} MB");
}
