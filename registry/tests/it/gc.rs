//! Collecting what is not needed, and readers and writers that slept meanwhile.

use crate::support::{base, delta, learner, memory, model, person, publish};
use std::sync::Arc;
use trueup_registry::{
    AliasName, ErrorKind, Expect, GcMode, GcPlan, GcPolicy, ModelRegistry, Store,
};

const HOUR: i64 = 3_600_000_000;

/// Far behind the clock of the store, so that every file is old.
const LATER: i64 = 8_000_000_000_000_000;

fn strict(now_micros: i64) -> GcPolicy {
    GcPolicy {
        now_micros,
        keep_last: 1,
        keep_hourly_hours: 0,
        keep_daily_days: 0,
        grace_micros: 0,
        history_micros: i64::MAX,
    }
}

fn gc(model: &mut ModelRegistry, policy: &GcPolicy) -> GcPlan {
    model.gc(policy, GcMode::Apply, &person(policy.now_micros)).unwrap()
}

fn versions(model: &ModelRegistry) -> Vec<u64> {
    model.state().versions().keys().copied().collect()
}

fn blobs(store: &Arc<dyn Store>) -> usize {
    store.list("models/eta-bias/blobs").unwrap().len()
}

#[test]
fn what_a_person_promoted_is_kept_for_replays() {
    let store = memory();
    let mut model = model(&store);
    for id in ["a", "b", "c", "d", "e"] {
        publish(&mut model, base(id), 1);
    }
    let champion = AliasName::champion();
    for version in [2, 3, 4, 5] {
        let commit = if version == 2 { person(2) } else { learner(1, 2) };
        let commit = trueup_registry::Commit { seen: u64::MAX, ..commit };
        model.promote(&champion, version, Expect::Anything, &commit).unwrap();
    }
    gc(&mut model, &strict(LATER));
    assert_eq!(versions(&model), [2, 4, 5], "2 a person's, 4 the one before the champion 5");
}

#[test]
fn what_aliases_name_and_are_made_of_is_kept() {
    let store = memory();
    let mut model = model(&store);
    let chain = [base("a"), delta("b", "a"), delta("c", "b")];
    let quiet = |version| trueup_registry::NewVersion { promote: false, ..version };
    for version in chain {
        publish(&mut model, version, 1);
    }
    for id in ["d", "e", "f"] {
        publish(&mut model, quiet(base(id)), 1);
    }
    publish(&mut model, base("g"), 1);
    publish(&mut model, quiet(base("h")), 1);
    let challenger = AliasName::new("challenger").unwrap();
    model.promote(&challenger, 5, Expect::Nothing, &person(1)).unwrap();
    let dry = model.gc(&strict(LATER), GcMode::DryRun, &person(LATER)).unwrap();
    assert_eq!(dry.versions, [4, 6]);
    assert_eq!((dry.files.len(), blobs(&store)), (2, 8), "a dry run changes nothing");
    let done = gc(&mut model, &strict(LATER));
    // 7 is champion, 3 the one before it and made of 1 and 2, 5 challenger, 8 the newest.
    assert_eq!(versions(&model), [1, 2, 3, 5, 7, 8]);
    assert_eq!((&done.versions, done.files.len()), (&dry.versions, 2));
    assert_eq!(done.files, dry.files);
    assert_eq!(blobs(&store), 6);
    assert_eq!(model.verify().unwrap(), []);
    for version in versions(&model) {
        for summary in model.chain(version).unwrap() {
            model.read_slice(&summary.serving).unwrap();
        }
    }
    let again = gc(&mut model, &strict(LATER));
    assert_eq!((again.versions.len(), again.files.len()), (0, 0));
    let number = model.state().number();
    gc(&mut model, &strict(LATER));
    assert_eq!(model.state().number(), number, "with nothing to do, nothing is written");
    let error = model.promote(&challenger, 4, Expect::Anything, &person(LATER)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Missing);
    let error = model.publish(&[delta("i", "d")], &learner(1, LATER)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn a_collected_version_is_not_published_again() {
    let store = memory();
    let mut model = model(&store);
    for id in ["a", "b", "c"] {
        publish(&mut model, base(id), 1);
    }
    gc(&mut model, &strict(LATER));
    assert_eq!(versions(&model), [2, 3]);
    let again = model.publish(&[base("a"), base("b")], &learner(1, LATER)).unwrap();
    assert_eq!((again.numbers, again.entry), (vec![1, 2], None));
    let mut other = base("a");
    other.training.push(0);
    let error = model.publish(&[other], &learner(1, LATER)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[test]
fn the_newest_of_each_hour_and_day_is_kept() {
    let mut model = model(&memory());
    let now = 1_000 * 24 * HOUR;
    for quarter in 0..(72 * 4) {
        let at = now - (72 * 4 - quarter) * HOUR / 4;
        publish(&mut model, base(&format!("v{quarter}")), at);
    }
    let policy = GcPolicy { keep_hourly_hours: 6, keep_daily_days: 3, ..strict(now + HOUR / 2) };
    gc(&mut model, &policy);
    let kept = versions(&model);
    // Three days, of which the last is an hour, too; five hours; champion and the one before.
    let hours: Vec<u64> = (1..=5).rev().map(|hour| 288 - 4 * (hour - 1)).collect();
    let mut expected = vec![192, 287];
    expected.extend(hours);
    expected.sort_unstable();
    assert_eq!(kept, expected);
}

#[test]
fn nothing_within_the_grace_period_goes() {
    let store = memory();
    let mut model = model(&store);
    for (id, at) in [("a", 1), ("b", 2), ("c", LATER - 10), ("d", LATER - 9), ("e", LATER - 8)] {
        publish(&mut model, base(id), at);
    }
    let orphan = format!("models/eta-bias/blobs/sha256/{}", "0".repeat(64));
    store.create(&orphan, b"orphan").unwrap();
    // Only the version of long ago goes, and its blob not before the grace period is over.
    let policy = GcPolicy { grace_micros: HOUR, ..strict(LATER) };
    let first = gc(&mut model, &policy);
    assert_eq!((&*first.versions, first.condemned.len()), (&[1, 2][..], 2));
    assert_eq!(first.files.len(), 1, "the orphan alone is old by the clock of the store");
    assert_eq!(first.files[0].path, orphan);
    assert_eq!(blobs(&store), 5);
    assert_eq!(model.state().condemned().len(), 2);
    let second = gc(&mut model, &GcPolicy { now_micros: LATER + 2 * HOUR, ..policy });
    assert_eq!((second.files.len(), second.condemned.len()), (2, 1));
    assert_eq!(model.verify().unwrap(), []);
    store.create(&orphan, b"orphan").unwrap();
    let young = gc(&mut model, &GcPolicy { grace_micros: i64::MAX, ..strict(LATER) });
    assert!(young.files.is_empty(), "a young orphan may be waiting for its entry");
    assert!(store.read(&orphan).unwrap().is_some());
}

#[test]
fn the_log_is_cut_behind_checkpoints_and_everybody_goes_on() {
    let store = memory();
    let mut model_side = model(&store);
    let mut sleeper = model(&store);
    let mut writer = model(&store);
    for number in 0..450 {
        publish(&mut model_side, base(&format!("v{number}")), 1);
        if number == 50 {
            sleeper.refresh().unwrap();
            writer.refresh().unwrap();
        }
    }
    let done = gc(&mut model_side, &strict(LATER));
    let log = store.list("models/eta-bias/log").unwrap();
    assert_eq!(log[0].path, "models/eta-bias/log/00000000000000000199.json");
    assert_eq!(store.list("models/eta-bias/checkpoint").unwrap().len(), 3);
    let entries: Vec<_> = done.files.iter().filter(|file| file.path.contains("/log/")).collect();
    assert!(entries.is_sorted_by_key(|file| &file.path) && entries.len() == 198);
    assert_eq!(model_side.verify().unwrap(), []);
    let mut fresh = model(&store);
    fresh.refresh().unwrap();
    assert_eq!(fresh.state(), model_side.state());
    sleeper.refresh().unwrap();
    assert_eq!(sleeper.state(), model_side.state(), "who slept goes on from a checkpoint");
    // A writer that slept takes a collected number, notices, and clears it away.
    assert_eq!(publish(&mut writer, base("late"), LATER), 451);
    assert_eq!(store.list("models/eta-bias/log").unwrap()[0], log[0]);
    assert_eq!(publish(&mut writer, base("v3"), LATER), 4, "long collected");
    // Two damaged checkpoints do no harm.
    for number in [400, 300] {
        let path = format!("models/eta-bias/checkpoint/{number:020}.json");
        store.put(&path, b"damaged").unwrap();
        let mut reader = model(&store);
        reader.refresh().unwrap();
        assert_eq!(reader.state(), writer.state());
    }
}

#[test]
fn forgotten_history_is_not_guessed() {
    let mut model = model(&memory());
    for (id, at) in [("a", 10), ("b", 20), ("c", 30), ("d", LATER)] {
        publish(&mut model, base(id), at);
    }
    let alias = AliasName::champion();
    gc(&mut model, &GcPolicy { history_micros: LATER - 25, ..strict(LATER) });
    assert_eq!(model.as_of(24).unwrap_err().kind(), ErrorKind::Missing);
    assert_eq!(model.as_of(25).unwrap()[&alias], Some(2));
    assert_eq!(model.as_of(30).unwrap()[&alias], Some(3));
    assert_eq!(model.history(&alias).len(), 3);
}
