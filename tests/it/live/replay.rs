//! A recording of a live run replays to the same versions, whatever the run read from.

use super::support::{Running, assert_replays, left, logged, once, status, wait_for, week};
use crate::support::{Project, rows};

#[test]
fn a_log_is_learned_from_as_its_recording_is() {
    let project = logged();
    once(&project);
    left(&project);
    assert_replays(&project);
}

#[test]
fn a_run_that_was_stopped_while_one_stream_was_ahead() {
    let project = week();
    project.edit(
        "trueup.toml",
        "{ log = \"departures\" }",
        "{ log = \"departures\", idle = \"1h\" }",
    );
    project.run("append --env live --from local flight_eta --until 2013-01-04").ok();
    // Labels go on for days after the last question; without a lift they are held back.
    project
        .run("append --env live arrivals=data/samples/flights/arrivals.parquet --since 2013-01-04")
        .ok();
    let daemon = Running::start(&project, "run flight_eta --env live --checkpoint-every 0.1");
    wait_for(&project, "all departures are merged", |status| {
        status["partitions"][0]["is_caught_up"] == true
    });
    daemon.terminate();
    assert_eq!(daemon.ends().0, 0);
    left(&project);
    assert_replays(&project);
}

#[test]
fn two_partitions_by_key() {
    let project = week();
    let append = "append --env live --from local flight_eta --partitions 2";
    project.run(append).fails(2, &["has 2 partitions", "hint: ", "--key"]);
    project.run(&format!("{append} --key trip")).fails(3, &["`trip`", "`trip_id`"]);
    project.run(&format!("{append} --key trip_id")).ok();
    once(&project);
    let found = status(&project);
    assert_eq!(found["partitions"].as_array().unwrap().len(), 4);
    for partition in found["partitions"].as_array().unwrap() {
        assert!(partition["next_offset"].as_u64().unwrap() > 1000, "{partition}");
    }
    assert_replays(&project);
}

#[test]
fn a_growing_folder() {
    let project = week();
    let all = ["departures", "arrivals"].map(|event| {
        let path = project.path(&format!("data/samples/flights/{event}.parquet"));
        let found = rows::read(&path);
        std::fs::remove_file(path).unwrap();
        found
    });
    for event in ["departures", "arrivals"] {
        let log = "{ log = \"EVENT\" }".replace("EVENT", event);
        let folder = format!("{{ files = \"incoming/{event}\", idle = \"300ms\" }}");
        project.edit("trueup.toml", &log, &folder);
        std::fs::create_dir_all(project.path(&format!("incoming/{event}"))).unwrap();
    }
    let daemon = Running::start(&project, "run flight_eta --env live --checkpoint-every 0.1");
    drop_in(&project, &all);
    wait_for(&project, "all were read", |status| {
        let done = |at: usize| status["partitions"][at]["next_offset"] == all[at].num_rows();
        done(0) && done(1)
    });
    daemon.terminate();
    let (code, said) = daemon.ends();
    assert_eq!(code, 0, "{said}");
    once(&project);
    left(&project);
    assert_replays(&project);
}

/// Four files of each, one by one.
fn drop_in(project: &Project, all: &[arrow::record_batch::RecordBatch; 2]) {
    for part in 0..4 {
        for (event, rows) in ["departures", "arrivals"].iter().zip(all) {
            let (from, to) = (rows.num_rows() * part / 4, rows.num_rows() * (part + 1) / 4);
            let name = format!("incoming/{event}/{}.parquet", 9 - part);
            let hidden = project.prepared(&format!("made/{event}.parquet"));
            rows::write(&hidden, &rows.slice(from, to - from), 1000);
            std::fs::rename(hidden, project.path(&name)).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
}
