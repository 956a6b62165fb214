//! SIGKILL at any moment changes nothing.

use super::support::{NAME, Running, assert_replays, left, once, twin, wait_for, week};
use crate::support::Project;
use crate::support::rows::Random;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trueup_registry::store::Disk;
use trueup_registry::{ShardLog, ShardName, Store};

const RUN: &str = "run flight_eta --env live --checkpoint-every 0.03";

#[test]
fn twenty_kills_while_events_come_leave_what_an_unbroken_run_leaves() {
    let project = week();
    let append = "append --env live --from local flight_eta --rate 3500";
    let appending = Running::start(&project, append);
    let mut random = Random(20);
    let mut merged = BTreeSet::new();
    for attempt in 0..20 {
        let before = checkpoint(&project).0;
        let daemon = Running::start(&project, RUN);
        if attempt % 2 == 0 {
            let began = Instant::now();
            while checkpoint(&project).0 == before && began.elapsed() < Duration::from_secs(5) {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        std::thread::sleep(Duration::from_millis(random.below(150) as u64));
        daemon.kill();
        merged.insert(checkpoint(&project).1);
    }
    let (code, said) = appending.ends();
    assert_eq!(code, 0, "{said}");
    assert!(merged.len() > 4, "kills came while it learned: {merged:?}");
    once(&project);
    let unbroken = twin(&project);
    once(&unbroken);
    let (killed, unbroken) = (left(&project), left(&unbroken));
    assert_eq!(killed, unbroken);
    assert_replays(&project);
}

/// The number of the newest checkpoint, and how many events are merged in it.
fn checkpoint(project: &Project) -> (u64, u64) {
    let store: Arc<dyn Store> = Arc::new(Disk::open(project.path(".trueup")).unwrap());
    let shard = ShardLog::peek(&store, &ShardName::new(NAME).unwrap()).unwrap();
    let found = shard.and_then(|shard| shard.checkpoint);
    found.map_or((0, 0), |(number, meta)| (number, meta["merged"].as_u64().unwrap()))
}

#[test]
fn kills_while_silent_partitions_are_lifted_leave_what_the_recording_gives() {
    let project = week();
    let folder = "{ log = \"arrivals\", idle = \"5ms\" }";
    project.edit("trueup.toml", "{ log = \"arrivals\" }", folder);
    let append = "append --env live --from local flight_eta";
    let first = format!("{append} --until 2013-01-06 --rate 5000");
    let appending = Running::start(&project, &first);
    let mut random = Random(7);
    for _ in 0..8 {
        let daemon = Running::start(&project, RUN);
        std::thread::sleep(Duration::from_millis(60 + random.below(240) as u64));
        daemon.kill();
    }
    let (code, said) = appending.ends();
    assert_eq!(code, 0, "{said}");
    let daemon = Running::start(&project, RUN);
    let has_merged = |count: u64| {
        let what = format!("{count} are merged");
        wait_for(&project, &what, |status| status["merged"].as_u64() > Some(count));
    };
    has_merged(7000);
    // It waits for these, and so does not wait for the silent ones.
    project.run(&format!("{append} --since 2013-01-06 --rate 3500")).ok();
    has_merged(11_000);
    daemon.kill();
    once(&project);
    left(&project);
    let controls = std::fs::read_dir(project.path(".trueup/recordings/flight_eta/controls"));
    assert!(controls.unwrap().count() > 3, "there were lifts");
    assert_replays(&project);
}
