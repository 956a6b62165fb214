//! Where an environment keeps what must survive, and the names in it.
//!
//! Beneath `state`: `registry/` has the models and is all that serving needs, `shards/` the logs of
//! learning, `log/` the embedded log, `recordings/`, `dead_letters/` and `status/` what they say.

use crate::daemon::now_micros;
use crate::failure::Failure;
use crate::setup::Setup;
use std::path::PathBuf;
use std::sync::Arc;
use trueup_connector::Store as Found;
use trueup_registry::store::{Disk, Objects};
use trueup_registry::{AliasName, Commit, ModelName, Nonce, Registry, ShardName, Store};

/// The registry of the environment.
pub(crate) fn registry(setup: &Setup) -> Result<Registry, Failure> {
    Ok(Registry::open(open(setup, "registry")?))
}

/// The store in a folder beneath the environment's `state`; its root if the name is empty.
pub(crate) fn open(setup: &Setup, folder: &str) -> Result<Arc<dyn Store>, Failure> {
    at(setup.state(folder)?)
}

/// The store of a place.
pub(crate) fn at(place: Found) -> Result<Arc<dyn Store>, Failure> {
    Ok(match place {
        Found::Disk(folder) => Arc::new(Disk::open(&folder).map_err(trueup_registry::Error::from)?),
        Found::Objects { store, prefix } => {
            Arc::new(Objects::new(store, &prefix, trueup_connector::runtime()?))
        }
    })
}

/// The folder of a pipeline's recording, which needs a disk.
pub(crate) fn recording_folder(setup: &Setup, pipeline: &str) -> Result<PathBuf, Failure> {
    match setup.state("recordings")? {
        Found::Disk(folder) => Ok(folder.join(pipeline)),
        Found::Objects { .. } => {
            let message = format!("a recording needs a disk: `{}`", setup.environment.state);
            let hint = "let `state` be a folder, or remove `record`".to_owned();
            Err(Failure::Usage(message, Some(hint)))
        }
    }
}

/// A pipeline as the name of a model.
pub(crate) fn model_name(pipeline: &str) -> Result<ModelName, Failure> {
    ModelName::new(pipeline).map_err(|error| not_a_name(pipeline, &error))
}

/// A pipeline as the name of a shard.
pub(crate) fn shard_name(pipeline: &str) -> Result<ShardName, Failure> {
    ShardName::new(pipeline).map_err(|error| not_a_name(pipeline, &error))
}

/// An alias as it is written on the command line.
pub(crate) fn alias_name(alias: &str) -> Result<AliasName, Failure> {
    AliasName::new(alias).map_err(|error| {
        let message = format!("not the name of an alias: `{alias}`");
        Failure::Usage(message, Some(error.to_string()))
    })
}

/// A commit that no shard makes by itself.
pub(crate) fn by_person(actor: &str, reason: &str) -> Commit {
    Commit {
        actor: actor.to_owned(),
        reason: reason.to_owned(),
        at_micros: now_micros(),
        nonce: Nonce::random(),
        writer: None,
        seen: 0,
    }
}

/// Where a run says how it stands.
pub(crate) fn path_of_status(pipeline: &str) -> String {
    format!("status/{pipeline}.json")
}

fn not_a_name(pipeline: &str, error: &impl std::fmt::Display) -> Failure {
    let message = format!("a published pipeline needs another name: `{pipeline}`");
    Failure::Usage(message, Some(error.to_string()))
}
