//! The world's side of a daemon: one thread that carries out effects in their order.
//!
//! Order is what makes a crash harmless. Versions, dead letters and recorded events that came
//! before a checkpoint are durable before it is; what came after it is made again, with the same
//! ids, and found to be there.

use super::checkpoint::Meta;
use super::letters::Letters;
use super::live::Begun;
use super::plan::Plan;
use super::recover;
use super::retry::{fenced, retry, retry_store};
use super::status::{Checkpointed, Phase, Status};
use super::{Config, Handle, now_micros};
use crate::failure::Failure;
use crate::stores;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use trueup_backtest::publication::{self, Publication};
use trueup_connector::recording::RecordingWriter;
use trueup_event::{Control, DeadLetter, EventBatch, EventTime};
use trueup_learner::artifact::Artifact;
use trueup_learner::effect::Candidate;
use trueup_learner::orders::Stored;
use trueup_registry::shard::{JournalledControl, Record};
use trueup_registry::{
    AliasName, AliasState, Commit, ErrorKind, ModelRegistry, NewVersion, Nonce, Recovered,
    ShardLog, ShardName, Store, Writer,
};

/// Effects that may wait for the world.
const QUEUE: usize = 64;
/// Versions that are published together at most.
const GROUP: usize = 64;
/// How often the registry is asked for a person's word.
const WATCH_EVERY: Duration = Duration::from_millis(100);
/// A file that is still half written after so long is nobody's, in microseconds.
const STALE_MICROS: i64 = 3_600_000_000;
/// How long an owner before may take to give up the recording.
const CLAIM_WAIT: Duration = Duration::from_secs(30);

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
    /// Why the run ends; a restart goes on from the last checkpoint.
    Failed(String),
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
    letters: Letters,
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
        if !config.fresh {
            recover::admit(&store, &name, &publication)?;
        }
        let writer = format!("trueup {}", std::process::id());
        let (mut shard, recovered) = acquire(&store, &name, &writer, &mut model)?;
        let mut checkpoint = recovered.checkpoint;
        let mut journalled = recovered.controls;
        if config.fresh {
            checkpoint = None;
            journalled.clear();
        }
        let meta = recover::meta(checkpoint.as_ref())?;
        let state = checkpoint.as_ref().map(|checkpoint| checkpoint.state.as_slice());
        let mut engine = recover::engine(plan, state)?;
        if config.fresh {
            recover::forget(&mut shard, &mut engine, &meta)?;
        }
        let mut status = Status::begun(config, plan, shard.epoch());
        status.listen = handle.address();
        status.versions.newest = model.state().versions().keys().next_back().copied();
        status.checkpoint = checkpoint.as_ref().map(|found| recover::told(found, &meta));
        let controls = recover::controls(&model, &publication, journalled)?;
        let obeyed = controls.iter().filter_map(|(control, _)| control.registry_entry);
        let seen = obeyed.fold(recover::seen(&model, &meta), u64::max);
        let events = [0, 1].map(|side| plan.streams[side].event.clone());
        let owner = (name.clone(), shard.epoch());
        let letters = Letters::begin(handle, &store, owner, events, meta.letter_files)?;
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
            letters,
            recorder: None,
            keep: config.setup.environment.record.as_ref().and_then(|record| record.keep),
            seen,
            told: seen,
            watched: Instant::now(),
            status: status.clone(),
        };
        // The owner before learns of it here, and gives up what it has claimed.
        world.announce()?;
        world.record(config, plan, &meta, &controls)?;
        // What was decided meanwhile is obeyed even by a run that finds no events.
        world.watch()?;
        let (_, decided) = channel();
        Ok((world, Begun { engine, controls, meta, decided, status }))
    }

    fn run(mut self) -> Result<(), Failure> {
        let result = self.carry_out();
        if let Err(failure) = &result {
            self.status.phase = Phase::Failed;
            self.status.failure = Some(failure.message());
        } else if self.status.phase == Phase::Running {
            self.status.phase = Phase::Stopped;
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
            Work::DeadLetter(letter) => self.letters.set_aside(&letter)?,
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
            Work::Failed(why) => {
                (self.status.phase, self.status.failure) = (Phase::Failed, Some(why));
            }
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
        let published = retry(&self.handle, || self.model.publish(&versions, &commit))?;
        let newest = published.numbers.iter().max().copied();
        self.champion();
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
        retry(&self.handle, || self.model.announce(&name, epoch, &commit))?;
        // What runs that were killed have left half written.
        let stale = now_micros() - STALE_MICROS;
        retry_store(&self.handle, || self.store.sweep(stale))?;
        Ok(())
    }

    /// Opens the recording where the checkpoint left it; an owner before may still be closing it.
    fn record(
        &mut self,
        config: &Config,
        plan: &Plan,
        meta: &Meta,
        controls: &[(JournalledControl, Option<Stored>)],
    ) -> Result<(), Failure> {
        if config.setup.environment.record.is_none() {
            return Ok(());
        }
        let folder = stores::recording_folder(&config.setup, &plan.spec.name)?;
        let began = Instant::now();
        let mut recorder = loop {
            match recover::recording(config, plan, &folder, meta) {
                Ok(recorder) => break recorder,
                Err(error) => {
                    let may_pass = error.kind() == trueup_connector::ErrorKind::Retry;
                    if !may_pass || began.elapsed() >= CLAIM_WAIT || self.handle.stop().is_asked() {
                        return Err(error.into());
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        };
        if *meta == Meta::default() {
            // At its very beginning a run has no control inputs but those journalled since.
            recorder.truncate_controls(0)?;
        }
        // A crash may have come between the journal and the recording.
        for (JournalledControl { number, position, control, .. }, _) in controls {
            recorder.control(*number, *position, control)?;
        }
        self.recorder = Some(recorder);
        Ok(())
    }

    fn append(&mut self, record: Record) -> Result<u64, Failure> {
        retry(&self.handle, || self.shard.append(record.clone()))
    }

    /// Asks the registry for a person's word about the champion.
    fn watch(&mut self) -> Result<(), Failure> {
        self.watched = Instant::now();
        match self.model.refresh() {
            Ok(_) => self.status.registry_fault = None,
            Err(error) if error.kind() == ErrorKind::Fenced => return Err(fenced(&error)),
            Err(error) => {
                // Learning goes on; publishing will say when it cannot.
                self.status.registry_fault = Some(error.to_string());
                return Ok(());
            }
        }
        let owner = self.model.state().writers().get(&self.name);
        if owner.is_some_and(|epoch| *epoch > self.shard.epoch()) {
            let epoch = self.shard.epoch();
            return Err(fenced(&format!("shard has a new owner, this one has epoch {epoch}")));
        }
        let Some(alias) = self.champion() else { return Ok(()) };
        let is_by_person = alias.entry == alias.person_entry;
        if !is_by_person || alias.person_entry <= self.told {
            return Ok(());
        }
        let entry = alias.person_entry;
        let control = match (alias.is_held, alias.version) {
            (false, version) => Control::Promote { version: version.unwrap_or(0) },
            (true, version) => Control::Rollback { version: version.unwrap_or(0) },
        };
        let digest = self.publication.definition_digest();
        let stored = match publication::named(&self.model, &control, digest) {
            Ok(stored) => stored,
            Err(error) => {
                // It is obeyed when it can be read; until then nothing replaces what it made serve.
                self.status.registry_fault = Some(Failure::from(error).message());
                return Ok(());
            }
        };
        tracing::info!(entry, ?control, known = stored.is_some(), "a person moved the champion");
        self.told = entry;
        // A core that stopped meanwhile obeys after its next start.
        let _ = self.decide.send(Decided { entry, control, stored });
        Ok(())
    }

    /// What the champion is as far as the registry was read, which the status is to say.
    fn champion(&mut self) -> Option<AliasState> {
        let alias = self.model.state().aliases().get(&AliasName::champion())?;
        self.status.champion = alias.version;
        self.status.is_held = alias.is_held;
        Some(alias.clone())
    }

    fn checkpoint(
        &mut self,
        mut meta: Meta,
        state: Vec<u8>,
        status: Status,
    ) -> Result<(), Failure> {
        self.publish()?;
        self.letters.flush()?;
        if let Some(recorder) = &mut self.recorder {
            meta.recorded = recorder.flush()?;
            if let Some(keep) = self.keep {
                let keep = Duration::from_micros(keep.micros().unsigned_abs());
                recorder.retain(keep, EventTime::from_micros(now_micros()))?;
            }
        }
        meta.letter_files = self.letters.files;
        meta.definition_digest = self.publication.definition_digest().to_owned();
        meta.environment.clone_from(&self.publication.environment);
        let (at_micros, digest) = (meta.at_micros, meta.digest.clone());
        let state_bytes = state.len() as u64;
        let meta = serde_json::to_value(meta).expect("metadata is plain data");
        let number = self.append(Record::Checkpoint { meta, state })?;
        retry(&self.handle, || self.shard.collect())?;
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
        retry_store(&self.handle, || {
            self.store.put(&stores::path_of_status(&self.publication.shard), &text)
        })?;
        Ok(())
    }
}

/// Takes the shard over. Where its log was removed, epochs begin anew: those that the registry
/// knows are passed over.
fn acquire(
    store: &Arc<dyn Store>,
    name: &ShardName,
    writer: &str,
    model: &mut ModelRegistry,
) -> Result<(ShardLog, Recovered), Failure> {
    model.refresh()?;
    let known = model.state().writers().get(name).copied().unwrap_or(0);
    let (shard, recovered) = loop {
        let acquired = ShardLog::acquire(store, name, writer, Nonce::random())?;
        if acquired.0.epoch() > known {
            break acquired;
        }
    };
    for number in &recovered.damaged {
        tracing::warn!(number, "checkpoint is damaged: going on from the one before it");
    }
    // Versions that the owner before was told of are known from here on.
    model.refresh()?;
    Ok((shard, recovered))
}
