//! What is seen of a run from outside: status, probes, metrics.

use super::support::{Running, logged, wait_for};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

/// The status code and the body.
fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let code = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (code, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[test]
fn a_run_is_seen_while_it_runs_and_after_a_crash() {
    let project = logged();
    project.run("status flight_eta --env live").fails(3, &["no run has begun here"]);
    let run = "run flight_eta --env live --listen 127.0.0.1:0 --checkpoint-every 0.1";
    let daemon = Running::start(&project, run);
    let told = wait_for(&project, "it has learned", |status| {
        status["merged"].as_u64() > Some(10_000) && !status["checkpoint"].is_null()
    });
    let shown = project.run("status flight_eta --env live").ok();
    for words in ["running", "watermark", "listens at", "checkpoint"] {
        assert!(shown.stdout.contains(words), "`{words}`\n{shown}");
    }
    let address = told["listen"].as_str().unwrap().to_owned();
    assert_eq!(get(&address, "/healthz").0, 200);
    assert_eq!(get(&address, "/readyz").0, 200);
    assert_eq!(get(&address, "/nothing").0, 404);
    let (code, body) = get(&address, "/status");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((code, &body["pid"]), (200, &told["pid"]));
    let (code, metrics) = get(&address, "/metrics");
    assert_eq!(code, 200);
    assert_metrics(&metrics);
    daemon.kill();
    let path = ".trueup/status/flight_eta.json";
    let mut silent: Value = serde_json::from_str(&project.read(path)).unwrap();
    silent["updated_micros"] = (silent["updated_micros"].as_i64().unwrap() - 11_000_000).into();
    project.write(path, &silent.to_string());
    let ran = project.run("status flight_eta --env live --json");
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.stderr.contains("has been silent"), "{ran}");
}

/// Every metric is introduced once, and before its first value, which is a number.
fn assert_metrics(text: &str) {
    let (mut helped, mut typed, mut series) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            assert!(helped.insert(rest.split(' ').next().unwrap().to_owned()), "twice: {line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(typed.insert(name.to_owned()), "twice: {line}");
        } else {
            let (labelled, value) = line.rsplit_once(' ').unwrap();
            assert!(series.insert(labelled.to_owned()), "twice: {line}");
            let name = labelled.split('{').next().unwrap();
            assert!(helped.contains(name) && typed.contains(name), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    for name in ["trueup_events", "trueup_event_time_lag_seconds", "trueup_registry_up"] {
        assert!(typed.contains(name), "`{name}`\n{text}");
    }
}
