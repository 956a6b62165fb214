//! Real processes that write one model at once.

use crate::support::{base, learner, model};
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use trueup_registry::store::Disk;
use trueup_registry::{Commit, Nonce, Store};

const FOLDER: &str = "TRUEUP_TEST_RACE_FOLDER";
const WRITER: &str = "TRUEUP_TEST_RACE_WRITER";
const PROCESSES: usize = 8;
const COMMITS: usize = 125;

fn disk(folder: &std::path::Path) -> Arc<dyn Store> {
    Arc::new(Disk::open(folder).unwrap())
}

/// The body of a process of the test below; on its own it does nothing.
#[test]
fn one_process_of_a_race() {
    let (Some(folder), Ok(writer)) = (std::env::var_os(FOLDER), std::env::var(WRITER)) else {
        return;
    };
    let mut model = model(&disk(folder.as_ref()));
    for number in 0..COMMITS {
        let commit = Commit { nonce: Nonce::random(), ..learner(1, 1) };
        let id = format!("{writer}-{number}");
        let published = model.publish(&[base(&id)], &commit).unwrap();
        assert_eq!(published.numbers.len(), 1);
    }
}

#[test]
fn a_thousand_commits_of_eight_processes_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let start = |writer: usize| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "race::one_process_of_a_race", "--quiet"])
            .env(FOLDER, folder.path())
            .env(WRITER, writer.to_string())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let processes: Vec<_> = (0..PROCESSES).map(start).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let store = disk(folder.path());
    let mut fresh = model(&store);
    fresh.refresh().unwrap();
    let state = fresh.state();
    let all = PROCESSES * COMMITS;
    let numbers: Vec<u64> = state.versions().keys().copied().collect();
    assert_eq!(numbers, (1..=all as u64).collect::<Vec<_>>(), "without a gap");
    let ids: BTreeSet<_> = state.versions().values().map(|v| v.summary.id.clone()).collect();
    let expected = (0..PROCESSES).flat_map(|w| (0..COMMITS).map(move |n| format!("{w}-{n}")));
    assert_eq!(ids, expected.collect(), "none is lost");
    for version in state.versions().values().step_by(10) {
        let summary = &version.summary;
        let serving = fresh.read_slice(&summary.serving).unwrap();
        assert_eq!(serving, format!("serving {}", summary.id).into_bytes());
    }
    assert_eq!(fresh.verify().unwrap(), []);
    assert_eq!(store.list("models/eta-bias/checkpoint").unwrap().len(), all / 100);
}
