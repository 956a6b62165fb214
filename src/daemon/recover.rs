//! Finding where a run was left: the core, the versions that control inputs name, the recording.

use super::Config;
use super::checkpoint::Meta;
use super::plan::Plan;
use super::status::Checkpointed;
use crate::failure::Failure;
use std::path::Path;
use std::sync::Arc;
use trueup_backtest::publication::{self, Publication};
use trueup_connector::recording::{RecordedStream, RecordingWriter};
use trueup_learner::checkpoint::RestoreError;
use trueup_learner::engine::Engine;
use trueup_learner::orders::Stored;
use trueup_registry::shard::{Checkpoint, JournalledControl, Record};
use trueup_registry::{AliasName, ModelRegistry, ShardLog, ShardName, Store};

/// What helps where a checkpoint does not.
const ANEW: &str = "`trueup run --fresh` begins anew, and leaves published versions as they are";

/// The core as it was left, or a new one.
pub(super) fn engine(plan: &Plan, state: Option<&[u8]>) -> Result<Engine, Failure> {
    let (spec, features) = (plan.spec.clone(), plan.features.clone());
    let partitions = plan.partitions();
    let Some(state) = state else {
        let engine = Engine::new(spec, features, &partitions);
        return Ok(engine.map_err(trueup_backtest::Error::from)?);
    };
    Engine::restore(spec, features, &partitions, state).map_err(cannot)
}

fn cannot(error: RestoreError) -> Failure {
    let hint = match error {
        RestoreError::OtherDefinition(_) | RestoreError::OtherPartitions => ANEW,
        RestoreError::NotACheckpoint
        | RestoreError::Version { .. }
        | RestoreError::Damaged
        | RestoreError::Build(_) => "run the version of this program that wrote it",
    };
    Failure::Operation(error.into(), Some(hint.to_owned()))
}

/// Refuses what could not go on from the last checkpoint, before the run that does is fenced.
pub(super) fn admit(
    store: &Arc<dyn Store>,
    name: &ShardName,
    publication: &Publication,
) -> Result<(), Failure> {
    let found = ShardLog::peek(store, name)?.and_then(|status| status.checkpoint);
    let Some((_, meta)) = found else { return Ok(()) };
    // One that cannot be read, or that nothing was learned in, is the affair of those who restore.
    let Ok(meta) = serde_json::from_value::<Meta>(meta) else { return Ok(()) };
    if !meta.environment.is_empty() && meta.environment != publication.environment {
        let (own, other) = (&publication.environment, meta.environment);
        let message = format!("`{name}` learns from environment `{other}` here, not from `{own}`");
        let hint = format!(
            "say `--env {other}`, or give [environment.{own}] a `state` of its own: {ANEW}"
        );
        return Err(Failure::Usage(message, Some(hint)));
    }
    if !meta.definition_digest.is_empty()
        && meta.definition_digest != publication.definition_digest()
    {
        return Err(cannot(RestoreError::OtherDefinition(name.to_string())));
    }
    Ok(())
}

/// What a checkpoint keeps beside the state.
pub(super) fn meta(checkpoint: Option<&Checkpoint>) -> Result<Meta, Failure> {
    let Some(checkpoint) = checkpoint else { return Ok(Meta::default()) };
    let meta = serde_json::from_value(checkpoint.meta.clone());
    Ok(meta.map_err(|error| anyhow::anyhow!("checkpoint is of another program: {error}"))?)
}

/// A checkpoint as the status tells of it.
pub(super) fn told(checkpoint: &Checkpoint, meta: &Meta) -> Checkpointed {
    Checkpointed {
        number: checkpoint.number,
        at_micros: meta.at_micros,
        state_bytes: checkpoint.state.len() as u64,
        digest: meta.digest.clone(),
    }
}

/// Control inputs with the versions that they name.
pub(super) fn controls(
    model: &ModelRegistry,
    publication: &Publication,
    journalled: Vec<JournalledControl>,
) -> Result<Vec<(JournalledControl, Option<Stored>)>, Failure> {
    let with_version = |control: JournalledControl| {
        let digest = publication.definition_digest();
        let stored = publication::named(model, &control.control, digest)?;
        Ok((control, stored))
    };
    journalled.into_iter().map(with_version).collect()
}

/// The registry's last entry by a person that was obeyed.
pub(super) fn seen(model: &ModelRegistry, meta: &Meta) -> u64 {
    match model.state().aliases().get(&AliasName::champion()) {
        // A run moved the alias since, and so has obeyed, even if this one began anew after that.
        Some(alias) if alias.entry > alias.person_entry => meta.seen.max(alias.person_entry),
        Some(_) | None => meta.seen,
    }
}

/// Makes sure that no restart goes on from what was there before a run that begins anew. Twice, so
/// that a damaged checkpoint does no harm.
pub(super) fn forget(
    shard: &mut ShardLog,
    engine: &mut Engine,
    meta: &Meta,
) -> Result<(), Failure> {
    let meta = serde_json::to_value(meta).expect("metadata is plain data");
    for _ in 0..2 {
        shard.append(Record::Checkpoint { meta: meta.clone(), state: engine.save() })?;
    }
    Ok(())
}

/// The recording in a folder, up to where the checkpoint knows it.
pub(super) fn recording(
    config: &Config,
    plan: &Plan,
    folder: &Path,
    meta: &Meta,
) -> Result<RecordingWriter, trueup_connector::Error> {
    let streams = plan.streams.iter().map(|stream| RecordedStream {
        stream: stream.id,
        event: stream.event.clone(),
        time: stream.source.time.name.clone(),
    });
    let streams: Vec<_> = streams.collect();
    let drop = config.setup.environment.record.as_ref().map_or(&[][..], |record| &record.drop);
    let mut recorder = RecordingWriter::open(folder, &streams, drop)?;
    recorder.truncate_to(&meta.recorded)?;
    Ok(recorder)
}
