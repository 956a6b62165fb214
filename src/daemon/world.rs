//! The world's side of a daemon: one thread that carries out effects in their order.
//!
//! Order is what makes a crash harmless. Versions, dead letters and recorded events that came
//! before a checkpoint are durable before it is; what came after it is made again, with the same
//! ids, and found to be there.

use super::checkpoint::Meta;
use super::live::Begun;
use super::plan::Plan;
use super::status::{Checkpointed, Phase, Status};
use super::{Config, Handle, now_micros};
use crate::failure::Failure;
use crate::stores;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use trueup_backtest::publication::{self, Publication};
use trueup_connector::dead_letters;
use trueup_connector::recording::{RecordedStream, RecordingWriter};
use trueup_event::{Control, DeadLetter, EventBatch, EventTime};
use trueup_learner::artifact::Artifact;
use trueup_learner::checkpoint::RestoreError;
use trueup_learner::effect::Candidate;
use trueup_learner::engine::Engine;
use trueup_learner::orders::Stored;
use trueup_registry::shard::Record;
use trueup_registry::{
    AliasName, Commit, ErrorKind, ModelRegistry, NewVersion, Nonce, ShardLog, ShardName, Store,
    Writer,
};

/// Effects that may wait for the world.
const QUEUE: usize = 512;
/// Versions that are published together at most.
const GROUP: usize = 256;
/// How often the registry is asked for a person's word.
const WATCH_EVERY: Duration = Duration::from_millis(100);
/// Dead letters in one file at most.
const LETTERS: usize = 10_000;
/// The longest wait before a store that fails is asked again.
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Something to be done about the world.
pub(crate) enum Work {
    /// A candidate is to be published.
    Candidate(Box<Candidate>, Artifact),
    /// An event was set aside.
    DeadLetter(DeadLetter),
    /// A batch was offered to the core, and is to be recorded.
    Offered(Arc<EventBatch>, EventTime),
    /// A control input is to be made durable.
    Control { position: u64, control: Control, registry_entry: Option<u64>, done: SyncSender<()> },
    /// The state is to be made durable.
    Checkpoint { meta: Box<Meta>, state: Vec<u8>, status: Box<Status> },
    /// Where the run stands.
    Status(Box<Status>),
}

/// A person's word about what serves.
#[derive(Debug)]
pub(crate) struct Decided {
    /// The entry of the registry.
    pub(crate) entry: u64,
    pub(crate) control: Control,
    /// The version, if it is of this definition.
    pub(crate) stored: Option<Stored>,
}

/// The thread.
pub(crate) struct Outside {
    work: SyncSender<Work>,
    thread: JoinHandle<Result<(), Failure>>,
}

impl Outside {
    /// Takes the shard over, finds where it was left, and starts the thread.
    pub(crate) fn begin(
        config: &Config,
        plan: &Plan,
        handle: &Handle,
    ) -> Result<(Self, Begun), Failure> {
        let (decide, decided) = channel();
        let (work, queue) = sync_channel(QUEUE);
        let (world, mut begun) = World::begin(config, plan, handle, queue, decide)?;
        begun.decided = decided;
        let thread = std::thread::Builder::new()
            .name("world".into())
            .spawn(move || world.run())
            .map_err(anyhow::Error::from)?;
        Ok((Self { work, thread }, begun))
    }

    pub(crate) fn sender(&self) -> SyncSender<Work> {
        self.work.clone()
    }

    /// Waits until everything is done; says what went wrong.
    pub(crate) fn join(self) -> Result<(), Failure> {
        drop(self.work);
        match self.thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Everything that a daemon writes to.
pub(crate) struct World {
    handle: Handle,
    queue: Receiver<Work>,
    decide: Sender<Decided>,
    store: Arc<dyn Store>,
    shard: ShardLog,
    name: ShardName,
    model: ModelRegistry,
    publication: Publication,
    /// Versions to be published next.
    versions: Vec<NewVersion>,
    letters: Vec<u8>,
    letter_count: usize,
    letter_files: u64,
    events: [String; 2],
    recorder: Option<RecordingWriter>,
    keep: Option<trueup_event::Duration>,
    /// The registry's last entry by a person that the core has obeyed, and that it was told of.
    seen: u64,
    told: u64,
    watched: Instant,
    status: Status,
}

impl World {
    fn begin(
        config: &Config,
        plan: &Plan,
        handle: &Handle,
        queue: Receiver<Work>,
        decide: Sender<Decided>,
    ) -> Result<(Self, Begun), Failure> {
        let store = stores::open(&config.setup, "")?;
        let name = stores::shard_name(&plan.spec.name)?;
        let publication = plan.publication();
        let mut model = stores::registry(&config.setup)?.model(&stores::model_name(&config.name)?);
        model.refresh()?;
        let writer = format!("trueup {}", std::process::id());
        let (shard, recovered) = ShardLog::acquire(&store, &name, &writer, Nonce::random())?;
        for number in &recovered.damaged {
            tracing::warn!(number, "checkpoint is damaged: going on from the one before it");
        }
        let mut checkpoint = recovered.checkpoint;
        let mut journalled = recovered.controls;
        if config.fresh {
            checkpoint = None;
            journalled.clear();
        }
        let meta: Meta = match &checkpoint {
            None => Meta::default(),
            Some(found) => serde_json::from_value(found.meta.clone())
                .map_err(|error| anyhow::anyhow!("checkpoint is of another program: {error}"))?,
        };
        let state = checkpoint.as_ref().map(|checkpoint| checkpoint.state.as_slice());
        let engine = engine(plan, state)?;
        let mut status = Status::begun(config, plan, shard.epoch());
        status.checkpoint = checkpoint.as_ref().map(|checkpoint| Checkpointed {
            number: checkpoint.number,
            at_micros: meta.at_micros,
            state_bytes: checkpoint.state.len() as u64,
            digest: meta.digest.clone(),
        });
        let mut controls = Vec::new();
        let mut seen = meta.seen;
        for control in journalled {
            seen = seen.max(control.registry_entry.unwrap_or(0));
            let stored = stored(&model, &publication, &control.control)?;
            controls.push((control, stored));
        }
        let recorder = recorder(config, plan, &meta)?;
        let record = config.setup.environment.record.as_ref();
        let mut world = Self {
            handle: handle.clone(),
            queue,
            decide,
            store,
            shard,
            name,
            model,
            publication,
            versions: Vec::new(),
            letters: Vec::new(),
            letter_count: 0,
            letter_files: meta.letter_files,
            events: [0, 1].map(|side| plan.streams[side].event.clone()),
            recorder,
            keep: record.and_then(|record| record.keep),
            seen,
            told: seen,
            watched: Instant::now(),
            status: status.clone(),
        };
        world.announce()?;
        world.forget_letters()?;
        let (_, decided) = channel();
        Ok((world, Begun { engine, controls, meta, decided, status }))
    }

    fn run(mut self) -> Result<(), Failure> {
        let result = self.carry_out();
        self.status.phase = if result.is_ok() { Phase::Stopped } else { Phase::Failed };
        if let Err(failure) = &result {
            self.status.failure = Some(failure.message());
        }
        self.status.updated_micros = now_micros();
        self.handle.tell(self.status.clone());
        // The failure counts for more than a status that cannot be written.
        let told = self.tell();
        result.and(told)
    }

    fn carry_out(&mut self) -> Result<(), Failure> {
        loop {
            let work = match self.queue.try_recv() {
                Ok(work) => Ok(work),
                Err(_) => {
                    self.publish()?;
                    self.queue.recv_timeout(WATCH_EVERY)
                }
            };
            match work {
                Ok(work) => self.perform(work)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if self.watched.elapsed() >= WATCH_EVERY {
                self.watch()?;
            }
        }
    }

    fn perform(&mut self, work: Work) -> Result<(), Failure> {
        match work {
            Work::Candidate(candidate, artifact) => {
                self.versions.extend(self.publication.version(&candidate, &artifact));
                self.status.candidate(&candidate);
                if self.versions.len() >= GROUP {
                    self.publish()?;
                }
            }
            Work::DeadLetter(letter) => self.set_aside(&letter)?,
            Work::Offered(batch, arrival) => {
                if let Some(recorder) = &mut self.recorder {
                    recorder.write(&batch, arrival)?;
                }
            }
            Work::Control { position, control, registry_entry, done } => {
                // Versions before it were made without it.
                self.publish()?;
                let number = self.append(Record::Control {
                    position,
                    control: control.clone(),
                    registry_entry,
                })?;
                if let Some(recorder) = &mut self.recorder {
                    recorder.control(number, position, &control)?;
                }
                self.seen = self.seen.max(registry_entry.unwrap_or(0));
                // Whoever asked may have been stopped meanwhile.
                let _ = done.send(());
            }
            Work::Checkpoint { meta, state, status } => self.checkpoint(*meta, state, *status)?,
            Work::Status(status) => self.take_status(*status)?,
        }
        Ok(())
    }

    /// Publishes what was collected, all at once.
    fn publish(&mut self) -> Result<(), Failure> {
        if self.versions.is_empty() {
            return Ok(());
        }
        let versions = std::mem::take(&mut self.versions);
        let commit = self.commit("learned");
        let began = Instant::now();
        let published = retry(|| self.model.publish(&versions, &commit))?;
        let newest = published.numbers.iter().max().copied();
        self.status.published(newest, published.entry.is_some(), versions.len(), began.elapsed());
        tracing::debug!(versions = versions.len(), ?newest, "published");
        Ok(())
    }

    fn commit(&self, reason: &str) -> Commit {
        let writer = Writer { shard: self.name.clone(), epoch: self.shard.epoch() };
        Commit {
            actor: format!("trueup run {}", self.publication.shard),
            reason: reason.to_owned(),
            at_micros: now_micros(),
            nonce: Nonce::random(),
            writer: Some(writer),
            seen: self.seen,
        }
    }

    /// From here on, the registry takes nothing from earlier owners of the shard.
    fn announce(&mut self) -> Result<(), Failure> {
        let commit = self.commit("began");
        let (name, epoch) = (self.name.clone(), self.shard.epoch());
        retry(|| self.model.announce(&name, epoch, &commit))?;
        Ok(())
    }

    fn append(&mut self, record: Record) -> Result<u64, Failure> {
        retry(|| self.shard.append(record.clone()))
    }

    /// Asks the registry for a person's word about the champion.
    fn watch(&mut self) -> Result<(), Failure> {
        self.watched = Instant::now();
        match self.model.refresh() {
            Ok(_) => self.status.registry_fault = None,
            Err(error) if error.kind() == ErrorKind::Fenced => return Err(error.into()),
            Err(error) => {
                // Learning goes on; publishing will say when it cannot.
                self.status.registry_fault = Some(error.to_string());
                return Ok(());
            }
        }
        let Some(alias) = self.model.state().aliases().get(&AliasName::champion()) else {
            return Ok(());
        };
        self.status.champion = alias.version;
        self.status.is_held = alias.is_held;
        let is_by_person = alias.entry == alias.person_entry;
        if !is_by_person || alias.person_entry <= self.told {
            return Ok(());
        }
        let entry = alias.person_entry;
        let control = match (alias.is_held, alias.version) {
            (false, Some(version)) => Control::Promote { version },
            (_, version) => Control::Rollback { version: version.unwrap_or(0) },
        };
        let stored = stored(&self.model, &self.publication, &control)?;
        tracing::info!(entry, ?control, known = stored.is_some(), "a person moved the champion");
        self.told = entry;
        // A core that stopped meanwhile obeys after its next start.
        let _ = self.decide.send(Decided { entry, control, stored });
        Ok(())
    }

    fn set_aside(&mut self, letter: &DeadLetter) -> Result<(), Failure> {
        let event = &self.events[usize::from(letter.place.stream.0)];
        self.letters.extend(dead_letters::line(event, &[], letter));
        self.letter_count += 1;
        if self.letter_count >= LETTERS { self.flush_letters() } else { Ok(()) }
    }

    fn flush_letters(&mut self) -> Result<(), Failure> {
        if self.letter_count > 0 {
            let path = self.path_of_letters(self.letter_files);
            retry_store(|| self.store.create(&path, &self.letters))?;
            self.letters.clear();
            self.letter_count = 0;
            self.letter_files += 1;
        }
        Ok(())
    }

    /// Removes dead letters that no checkpoint knows: they will be written again.
    fn forget_letters(&mut self) -> Result<(), Failure> {
        let folder = format!("dead_letters/{}", self.name);
        let first = self.path_of_letters(self.letter_files);
        for listed in retry_store(|| self.store.list(&folder))? {
            if listed.path >= first {
                retry_store(|| self.store.delete(&listed.path))?;
            }
        }
        Ok(())
    }

    fn path_of_letters(&self, number: u64) -> String {
        format!("dead_letters/{}/{number:020}.jsonl", self.name)
    }

    fn checkpoint(
        &mut self,
        mut meta: Meta,
        state: Vec<u8>,
        status: Status,
    ) -> Result<(), Failure> {
        self.publish()?;
        self.flush_letters()?;
        if let Some(recorder) = &mut self.recorder {
            meta.recorded = recorder.flush()?;
            if let Some(keep) = self.keep {
                let keep = Duration::from_micros(keep.micros().unsigned_abs());
                recorder.retain(keep, EventTime::from_micros(now_micros()))?;
            }
        }
        meta.letter_files = self.letter_files;
        meta.definition_digest = self.publication.definition_digest().to_owned();
        let (at_micros, digest) = (meta.at_micros, meta.digest.clone());
        let state_bytes = state.len() as u64;
        let meta = serde_json::to_value(meta).expect("metadata is plain data");
        let number = self.append(Record::Checkpoint { meta, state })?;
        retry(|| self.shard.collect())?;
        self.status.checkpoint = Some(Checkpointed { number, at_micros, state_bytes, digest });
        self.take_status(status)
    }

    fn take_status(&mut self, status: Status) -> Result<(), Failure> {
        self.status.take(status);
        self.handle.tell(self.status.clone());
        self.tell()
    }

    /// Writes where the run stands, for `trueup status`.
    fn tell(&self) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(&self.status).expect("a status is plain data");
        retry_store(|| self.store.put(&stores::path_of_status(&self.publication.shard), &text))?;
        Ok(())
    }
}

/// The core as it was left, or a new one.
fn engine(plan: &Plan, state: Option<&[u8]>) -> Result<Engine, Failure> {
    let (spec, features) = (plan.spec.clone(), plan.features.clone());
    let partitions = plan.partitions();
    let Some(state) = state else {
        let engine = Engine::new(spec, features, &partitions);
        return Ok(engine.map_err(trueup_backtest::Error::from)?);
    };
    Engine::restore(spec, features, &partitions, state).map_err(|error| {
        let hint = match error {
            RestoreError::OtherDefinition(_) | RestoreError::OtherPartitions => {
                "`trueup run --fresh` begins anew, and leaves published versions as they are"
            }
            RestoreError::NotACheckpoint
            | RestoreError::Version { .. }
            | RestoreError::Damaged
            | RestoreError::Build(_) => "run the version of this program that wrote it",
        };
        Failure::Operation(error.into(), Some(hint.to_owned()))
    })
}

/// The version that a control input names, if it is of this definition.
fn stored(
    model: &ModelRegistry,
    publication: &Publication,
    control: &Control,
) -> Result<Option<Stored>, Failure> {
    let version = match control {
        Control::Promote { version } | Control::Rollback { version } => *version,
        Control::Retrain { from } => *from,
        Control::Lift { .. } | Control::Discover { .. } | Control::Drain => 0,
    };
    if version == 0 {
        return Ok(None);
    }
    // Another definition's version answers in the world, and not in this run's books.
    let record = publication::record(model, version)?;
    let is_ours = record.definition_digest == publication.definition_digest();
    is_ours.then(|| publication::stored(model, version)).transpose().map_err(Failure::from)
}

fn recorder(config: &Config, plan: &Plan, meta: &Meta) -> Result<Option<RecordingWriter>, Failure> {
    let Some(record) = &config.setup.environment.record else { return Ok(None) };
    let folder = stores::recording_folder(&config.setup, &plan.spec.name)?;
    let streams = plan.streams.iter().map(|stream| RecordedStream {
        stream: stream.id,
        event: stream.event.clone(),
        time: stream.source.time.name.clone(),
    });
    let streams: Vec<_> = streams.collect();
    let mut recorder = RecordingWriter::open(&folder, &streams, &record.drop)?;
    recorder.truncate_to(&meta.recorded)?;
    Ok(Some(recorder))
}

/// Does something in the registry until it is done or cannot be.
fn retry<T>(mut work: impl FnMut() -> Result<T, trueup_registry::Error>) -> Result<T, Failure> {
    let mut wait = Duration::from_millis(50);
    loop {
        match work() {
            Ok(done) => return Ok(done),
            Err(error) if error.kind() == ErrorKind::Retry => {
                tracing::warn!("the registry fails and is asked again: {error}");
                std::thread::sleep(wait);
                wait = (wait * 2).min(RETRY_MAX);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Does something in the store until it is done or cannot be.
fn retry_store<T>(
    mut work: impl FnMut() -> Result<T, trueup_registry::StoreError>,
) -> Result<T, Failure> {
    retry(|| work().map_err(trueup_registry::Error::from))
}
