//! Owners of a shard: taking over, being fenced, recovering.

use crate::support::{memory, nonce, shard};
use serde_json::json;
use std::sync::Arc;
use trueup_event::{Control, EventTime, PartitionId, StreamId};
use trueup_registry::shard::{Record, ShardLog};
use trueup_registry::{ErrorKind, Recovered, Store};

fn acquire(store: &Arc<dyn Store>, writer: &str) -> (ShardLog, Recovered) {
    ShardLog::acquire(store, &shard(), writer, nonce()).unwrap()
}

fn checkpoint(number: u64) -> Record {
    let state = number.to_le_bytes().repeat(20);
    Record::Checkpoint { meta: json!({ "checkpoint": number }), state }
}

fn control(position: u64) -> Record {
    let control = Control::Promote { version: position };
    Record::Control { position, control, registry_entry: Some(position) }
}

fn path(number: u64) -> String {
    format!("shards/eta-0/{number:020}")
}

fn positions(recovered: &Recovered) -> Vec<u64> {
    recovered.controls.iter().map(|control| control.position).collect()
}

#[test]
fn an_owner_begins_where_the_last_one_ended() {
    let store = memory();
    assert_eq!(ShardLog::peek(&store, &shard()).unwrap(), None);
    let (mut first, nothing) = acquire(&store, "first");
    assert_eq!((first.epoch(), first.tip(), nothing.checkpoint), (1, 1, None));
    first.append(control(1)).unwrap();
    first.append(checkpoint(1)).unwrap();
    let lift = Control::Lift {
        stream: StreamId(1),
        partition: PartitionId(2),
        before_offset: 3,
        to: EventTime::from_micros(-4),
    };
    let lift = Record::Control { position: 7, control: lift, registry_entry: None };
    first.append(lift.clone()).unwrap();
    assert_eq!(first.append(control(9)).unwrap(), 5);
    let (second, found) = acquire(&store, "second");
    assert_eq!((second.epoch(), second.tip(), found.epoch, found.tip), (2, 6, 2, 5));
    let newest = found.checkpoint.unwrap();
    assert_eq!((newest.number, newest.meta), (3, json!({ "checkpoint": 1 })));
    assert_eq!(newest.state, 1_u64.to_le_bytes().repeat(20));
    let controls: Vec<_> = found
        .controls
        .into_iter()
        .map(|c| Record::Control {
            position: c.position,
            control: c.control,
            registry_entry: c.registry_entry,
        })
        .collect();
    assert_eq!(controls, [lift, control(9)]);
    assert_eq!(first.append(control(10)).unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(first.append(control(10)).unwrap_err().kind(), ErrorKind::Fenced);
    let status = ShardLog::peek(&store, &shard()).unwrap().unwrap();
    assert_eq!(ShardLog::names(&store).unwrap(), [shard()]);
    assert_eq!((status.epoch, status.tip, status.writer.as_deref()), (2, 6, Some("second")));
    assert_eq!((status.checkpoint.unwrap().0, status.controls), (3, 2));
}

#[test]
fn collection_keeps_the_second_newest_checkpoint_and_what_follows() {
    let store = memory();
    let (mut log, _) = acquire(&store, "a");
    assert_eq!(log.collect().unwrap(), 0);
    for number in 0..4 {
        log.append(control(number)).unwrap();
        log.append(checkpoint(number)).unwrap();
    }
    assert_eq!(log.collect().unwrap(), 6);
    let listed = store.list("shards/eta-0").unwrap();
    let numbered = listed.iter().filter(|l| !l.path.contains('_')).map(|l| l.path.clone());
    assert_eq!(numbered.collect::<Vec<_>>(), [path(7), path(8), path(9)]);
    assert_eq!(log.collect().unwrap(), 0);
    assert_eq!(acquire(&store, "b").1.checkpoint.unwrap().number, 9);
}

/// Every changed byte and every cut of the newest checkpoint: the one before it serves, with all
/// control inputs since.
#[test]
fn a_damaged_checkpoint_falls_back_with_all_controls_since() {
    let store = memory();
    let (mut log, _) = acquire(&store, "a");
    for number in 1..=3 {
        log.append(checkpoint(number)).unwrap();
        log.append(control(10 * number)).unwrap();
    }
    let newest = path(6);
    let bytes = store.read(&newest).unwrap().unwrap();
    let falls_back = |damaged: &[u8], what: String| {
        store.put(&newest, damaged).unwrap();
        let status = ShardLog::peek(&store, &shard()).unwrap().unwrap();
        assert_eq!(status.checkpoint.unwrap().0, 4, "{what}");
        assert_eq!((status.damaged, status.controls), (vec![6], 2), "{what}");
    };
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        falls_back(&damaged, format!("byte {at}"));
        falls_back(&bytes[..at], format!("cut at {at}"));
    }
    store.put(&newest, &store.read(&path(4)).unwrap().unwrap()).unwrap();
    let (log, found) = acquire(&store, "b");
    assert_eq!(found.checkpoint.as_ref().unwrap().number, 4, "an old file under a new name");
    assert_eq!(positions(&found), [20, 30]);
    assert!(log.epoch() > 1, "a damaged record may have raised the epoch");
}

#[test]
fn a_damaged_control_input_stops_the_owner() {
    let store = memory();
    let (mut log, _) = acquire(&store, "a");
    log.append(checkpoint(1)).unwrap();
    log.append(control(1)).unwrap();
    let bytes = store.read(&path(3)).unwrap().unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        store.put(&path(3), &damaged).unwrap();
        let error = ShardLog::acquire(&store, &shard(), "b", nonce()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(&path(3)), "{error}");
    }
    // A checkpoint behind it makes it good.
    store.put(&path(3), &bytes).unwrap();
    log.append(checkpoint(2)).unwrap();
    store.put(&path(3), b"damaged").unwrap();
    assert_eq!(positions(&acquire(&store, "c").1), [0; 0]);
}

#[test]
fn a_stale_or_damaged_hint_is_no_harm() {
    let store = memory();
    let (mut log, _) = acquire(&store, "a");
    let hint = "shards/eta-0/_last_checkpoint";
    log.append(checkpoint(1)).unwrap();
    let stale = store.read(hint).unwrap().unwrap();
    for number in 2..=5 {
        log.append(control(number)).unwrap();
        log.append(checkpoint(number)).unwrap();
    }
    let newest = |what: &str| {
        let status = ShardLog::peek(&store, &shard()).unwrap().unwrap();
        assert_eq!((status.tip, status.checkpoint.unwrap().0), (10, 10), "{what}");
    };
    store.put(hint, &stale).unwrap();
    newest("stale");
    log.collect().unwrap();
    newest("stale, and what it names collected");
    store.put(hint, b"damaged").unwrap();
    newest("damaged");
    store.delete(hint).unwrap();
    newest("none");
}

/// Two processes believe that they own a shard; one sleeps while the other goes on and collects.
#[test]
fn who_slept_past_a_collection_is_always_refused() {
    let mut slept_past = 0;
    for seed in 0..1_000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let store = memory();
        let (mut stale, _) = acquire(&store, "stale");
        let mut written = 0;
        for _ in 0..rng.u64(0..6) {
            written += 1;
            let record = if rng.bool() { control(written) } else { checkpoint(written) };
            stale.append(record).unwrap();
        }
        let last = stale.tip();
        let (mut owner, _) = acquire(&store, "owner");
        for _ in 0..rng.u64(0..12) {
            written += 1;
            let record = if rng.bool() { control(written) } else { checkpoint(written) };
            owner.append(record).unwrap();
            if rng.u8(0..3) == 0 {
                owner.collect().unwrap();
            }
        }
        slept_past += u64::from(store.read(&path(last)).unwrap().is_none());
        let before = store.list("").unwrap();
        let error = stale.append(checkpoint(999)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fenced, "seed {seed}");
        assert_eq!(store.list("").unwrap(), before, "seed {seed}: no trace is left");
        assert_eq!(stale.append(control(999)).unwrap_err().kind(), ErrorKind::Fenced);
        let tip = owner.tip();
        assert_eq!(owner.append(control(1_000)).unwrap(), tip + 1, "seed {seed}");
        let (third, found) = acquire(&store, "third");
        assert_eq!((third.epoch(), found.tip), (3, tip + 1), "seed {seed}");
    }
    assert!(slept_past > 300, "{slept_past}");
}
