//! A store that fails in every way a store can.

use crate::support::{base, learner, memory, model, nonce, shard};
use std::sync::Arc;
use trueup_event::Control;
use trueup_registry::shard::{Record, ShardLog};
use trueup_registry::store::{Faults, Faulty};
use trueup_registry::{Commit, ErrorKind, Store};

/// Repeats a call until it is done; a fault may not be taken for anything but a fault.
fn insist<T>(mut call: impl FnMut() -> Result<T, trueup_registry::Error>) -> T {
    for _ in 0..1000 {
        match call() {
            Ok(done) => return done,
            Err(error) => {
                let is_fault = matches!(error.kind(), ErrorKind::Retry | ErrorKind::Corrupt);
                assert!(is_fault, "{error}");
            }
        }
    }
    panic!("a thousand tries were not enough");
}

#[test]
fn ten_thousand_faults_lose_and_double_no_version() {
    let sound = memory();
    let faulty = Arc::new(Faulty::new(Arc::clone(&sound), Faults::all(0.1), 20_26));
    let store: Arc<dyn Store> = Arc::clone(&faulty) as _;
    let mut writers = [model(&store), model(&store)];
    let mut published = 0_u64;
    while faulty.injected() < 10_000 {
        let writer = &mut writers[(published % 2) as usize];
        let commit = Commit { nonce: nonce(), ..learner(1, 1) };
        let version = base(&format!("v{published}"));
        let done = insist(|| writer.publish(std::slice::from_ref(&version), &commit));
        published += 1;
        assert_eq!(done.numbers, [published], "neither lost nor doubled");
    }
    let mut reader = model(&sound);
    reader.refresh().unwrap();
    assert_eq!(reader.state().version_last(), published);
    assert_eq!(reader.state().number(), published);
    assert_eq!(reader.verify().unwrap(), []);
    assert!(published > 300, "{published}");
}

#[test]
fn faults_lose_and_double_no_record_of_a_shard() {
    let sound = memory();
    let faulty = Arc::new(Faulty::new(Arc::clone(&sound), Faults::all(0.1), 11));
    let store: Arc<dyn Store> = Arc::clone(&faulty) as _;
    let mut written = 0_u64;
    let mut since = Vec::new();
    let mut epoch = 0;
    while faulty.injected() < 2_000 {
        let (mut log, recovered) =
            insist(|| ShardLog::acquire(&store, &shard(), "a test", nonce()));
        let found: Vec<u64> = recovered.controls.iter().map(|c| c.position).collect();
        assert_eq!(found, since);
        assert!(log.epoch() > epoch);
        epoch = log.epoch();
        for _ in 0..3 {
            let control = Control::Retrain { from: 1 };
            let record = Record::Control { position: written, control, registry_entry: None };
            insist(|| log.append(record.clone()));
            since.push(written);
            written += 1;
        }
        if epoch.is_multiple_of(2) {
            let meta = serde_json::json!({ "written": written });
            let record = Record::Checkpoint { meta, state: vec![7; 100] };
            insist(|| log.append(record.clone()));
            insist(|| log.collect());
            since.clear();
        }
    }
    assert!(written > 300, "{written}");
    let status = ShardLog::peek(&sound, &shard()).unwrap().unwrap();
    assert_eq!((status.epoch, status.damaged), (epoch, vec![]));
}
