//! Versions, commits and stores that tests are made of.

use object_store::memory::InMemory;
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::runtime::{Handle, Runtime};
use trueup_registry::store::Objects;
use trueup_registry::{
    Commit, Form, ModelName, ModelRegistry, NewVersion, Nonce, Registry, ShardName, Store, Writer,
};

/// A runtime for object stores that lives as long as the tests.
pub(crate) fn runtime() -> Handle {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
    });
    runtime.handle().clone()
}

pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(Objects::new(Arc::new(InMemory::new()), "trueup", runtime()))
}

pub(crate) fn model_name() -> ModelName {
    ModelName::new("eta-bias").unwrap()
}

pub(crate) fn model(store: &Arc<dyn Store>) -> ModelRegistry {
    Registry::open(Arc::clone(store)).model(&model_name())
}

pub(crate) fn shard() -> ShardName {
    ShardName::new("eta-0").unwrap()
}

pub(crate) fn nonce() -> Nonce {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let process = u128::from(std::process::id());
    Nonce::new(process << 64 | u128::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// A commit by a person.
pub(crate) fn person(at_micros: i64) -> Commit {
    Commit {
        actor: "ada".to_owned(),
        reason: "a test".to_owned(),
        at_micros,
        nonce: nonce(),
        writer: None,
        seen: 0,
    }
}

/// A commit by the shard itself.
pub(crate) fn learner(epoch: u64, at_micros: i64) -> Commit {
    Commit {
        actor: "shard eta-0".to_owned(),
        writer: Some(Writer { shard: shard(), epoch }),
        ..person(at_micros)
    }
}

/// A base that asks for promotion; its content follows from its id.
pub(crate) fn base(id: &str) -> NewVersion {
    NewVersion {
        id: id.to_owned(),
        lineage: 0,
        ordinal: 1,
        form: Form::Base,
        parent: None,
        verdict: "admitted".to_owned(),
        boundary_micros: 60,
        trained_until_micros: 59,
        state_digest: blake3::hash(id.as_bytes()).to_hex().to_string(),
        serving: format!("serving {id}").into_bytes(),
        training: format!("training {id}").into_bytes(),
        definition: b"a definition".to_vec(),
        manifest: json!({ "id": id, "rows": 3 }),
        promote: true,
    }
}

pub(crate) fn delta(id: &str, parent: &str) -> NewVersion {
    NewVersion { form: Form::Delta, parent: Some(parent.to_owned()), ..base(id) }
}

/// Publishes one version by the shard's first owner, and gives its number.
pub(crate) fn publish(model: &mut ModelRegistry, version: NewVersion, at_micros: i64) -> u64 {
    model.publish(&[version], &learner(1, at_micros)).unwrap().numbers[0]
}
