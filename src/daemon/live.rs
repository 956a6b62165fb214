//! The loop around the core: gives it what it asks for, and decides what the clock decides.
//!
//! What the clock or a person decides becomes a control input. It is journalled before it is
//! obeyed, and a restart obeys the journal instead.

use super::checkpoint::Meta;
use super::feed::{Fed, Feed};
use super::plan::Plan;
use super::status::{PartitionStatus, Phase, Status};
use super::world::{Decided, Outside, Work};
use super::{Config, Handle, now_micros};
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};
use trueup_connector::folder::{Admitted, Discovered};
use trueup_event::{Control, EventBatch, EventTime};
use trueup_learner::effect::{Effect, Sink};
use trueup_learner::engine::{Engine, Wants};
use trueup_learner::orders::Order;
use trueup_registry::shard::JournalledControl;

/// How long one wait for a batch lasts before other things are looked at.
const TICK: Duration = Duration::from_millis(20);
/// How often the status is told.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// Runs a daemon until it is stopped, or with `once` until it has taken everything.
pub(crate) fn run(config: &Config, handle: &Handle) -> Result<Status, Failure> {
    let Some(plan) = Plan::load(config, handle)? else {
        return Ok(Status::stopped_before_it_began(&config.name));
    };
    let (outside, begun) = Outside::begin(config, &plan, handle)?;
    let mut live = match Live::begin(config, handle, plan, begun, outside.sender()) {
        Ok(live) => live,
        Err(failure) => {
            // It is told even when the queue is cut: then the world says why.
            let _ = outside.sender().send(Work::Failed(failure.message()));
            outside.join()?;
            return Err(failure);
        }
    };
    let result = live.drive();
    let ended = match result {
        Ok(()) => live.end(),
        Err(failure) => {
            live.sink.send(Work::Failed(failure.message()));
            Err(failure)
        }
    };
    let status = live.status;
    drop((live.sink, live.feeds));
    // What went wrong with the world is why the loop ended.
    outside.join()?;
    ended?;
    Ok(handle.status().unwrap_or(status))
}

/// A source partition as the loop knows it.
struct Known {
    feed: Feed,
    idle: Duration,
    /// The offset after the last batch offered.
    next_offset: u64,
    /// The highest event time offered that may raise the watermark.
    reach: EventTime,
    /// The last lift.
    lifted: EventTime,
    caught_up: Option<Instant>,
    has_ended: bool,
}

/// Sends effects to the world, and counts.
struct Effects {
    work: SyncSender<Work>,
    dead_letters: BTreeMap<String, u64>,
    /// The world has ended: it says why.
    is_cut: bool,
}

impl Effects {
    fn send(&mut self, work: Work) {
        self.is_cut |= self.work.send(work).is_err();
    }
}

impl Sink for Effects {
    fn take(&mut self, effect: Effect<'_>) {
        match effect {
            Effect::Candidate(candidate, artifact) => {
                self.send(Work::Candidate(Box::new(candidate.clone()), artifact.clone()));
            }
            Effect::DeadLetter(letter) => {
                *self.dead_letters.entry(letter.reason.name().to_owned()).or_default() += 1;
                self.send(Work::DeadLetter(letter));
            }
            Effect::Outcome(_) | Effect::Idle { .. } => {}
        }
    }
}

struct Live<'a> {
    config: &'a Config,
    handle: &'a Handle,
    plan: Plan,
    engine: Engine,
    sink: Effects,
    feeds: Vec<Known>,
    decided: std::sync::mpsc::Receiver<Decided>,
    meta: Meta,
    /// Whether anything has happened since the last checkpoint.
    is_changed: bool,
    checkpointed: Instant,
    told: Instant,
    status: Status,
}

/// What the world found when it began.
pub(crate) struct Begun {
    pub(crate) engine: Engine,
    pub(crate) controls: Vec<(JournalledControl, Option<trueup_learner::orders::Stored>)>,
    pub(crate) meta: Meta,
    pub(crate) decided: std::sync::mpsc::Receiver<Decided>,
    pub(crate) status: Status,
}

impl<'a> Live<'a> {
    fn begin(
        config: &'a Config,
        handle: &'a Handle,
        plan: Plan,
        begun: Begun,
        work: SyncSender<Work>,
    ) -> Result<Self, Failure> {
        let Begun { mut engine, controls, mut meta, decided, status } = begun;
        let mut sink = Effects { work, dead_letters: meta.dead_letters.clone(), is_cut: false };
        for (journalled, stored) in controls {
            let JournalledControl { position, control, registry_entry, .. } = journalled;
            meta.seen = meta.seen.max(registry_entry.unwrap_or(0));
            if let Control::Discover { stream, path, size_bytes } = &control {
                let (path, size_bytes) = (path.clone(), *size_bytes);
                let file = Admitted { path, size_bytes, row_count: None };
                meta.admitted[usize::from(stream.0)].push(file);
            }
            engine
                .control(Order { position, control, stored }, &mut sink)
                .map_err(trueup_backtest::Error::from)?;
        }
        let mut feeds = Vec::new();
        let positions = engine.positions();
        for ((stream, partition), offset) in engine.partitions().iter().zip(positions) {
            let stream = &plan.streams[usize::from(stream.0)];
            let admitted = &meta.admitted[usize::from(stream.id.0)];
            let opened = stream.open(*partition, offset, admitted)?;
            let feed = Feed::start(opened).map_err(anyhow::Error::from)?;
            feeds.push(Known {
                feed,
                idle: stream.idle,
                next_offset: offset,
                reach: EventTime::MIN,
                lifted: EventTime::MIN,
                caught_up: None,
                has_ended: false,
            });
        }
        let now = Instant::now();
        Ok(Self {
            config,
            handle,
            plan,
            engine,
            sink,
            feeds,
            decided,
            meta,
            is_changed: true,
            checkpointed: now,
            told: now.checked_sub(TELL_EVERY).unwrap_or(now),
            status,
        })
    }

    /// Feeds the core until it is told to stop, or with `once` until nothing more is there.
    fn drive(&mut self) -> Result<(), Failure> {
        while !self.handle.stop().is_asked() && !self.sink.is_cut {
            let Wants::Batch(index) = self.engine.run(&mut self.sink) else { return Ok(()) };
            // What was decided before a restart comes before what is decided now.
            while !self.engine.has_orders()
                && let Ok(decided) = self.decided.try_recv()
            {
                self.obey(decided)?;
            }
            if self.wait(index)? {
                return Ok(());
            }
            if self.checkpointed.elapsed() >= self.config.checkpoint_every {
                self.checkpoint();
            }
            if self.told.elapsed() >= TELL_EVERY {
                self.tell(Some(index));
            }
        }
        Ok(())
    }

    /// Waits a moment for a batch of the partition that holds everything back. Says whether
    /// everything that is there has been taken and the run is to end then.
    fn wait(&mut self, index: usize) -> Result<bool, Failure> {
        self.hear(index, TICK)?;
        let known = &self.feeds[index];
        let Some(since) = known.caught_up else { return Ok(false) };
        if !self.config.once && since.elapsed() < known.idle || self.lift(index)? {
            return Ok(false);
        }
        // No event is at hand, but others than the one that is asked may have more.
        for other in 0..self.feeds.len() {
            if other != index && !self.feeds[other].has_ended {
                self.hear(other, Duration::ZERO)?;
            }
        }
        let is_done = |known: &Known| known.has_ended || known.caught_up.is_some();
        Ok(self.config.once && self.feeds.iter().all(is_done))
    }

    /// Takes what a partition has to say, if it says it within `timeout`.
    fn hear(&mut self, index: usize, timeout: Duration) -> Result<(), Failure> {
        match self.feeds[index].feed.take(timeout) {
            Some(Fed::Batch(batch)) => self.offer(index, batch)?,
            Some(Fed::CaughtUp) => self.feeds[index].caught_up = Some(Instant::now()),
            Some(Fed::Ended) => {
                self.feeds[index].has_ended = true;
                self.engine.end(index);
            }
            Some(Fed::Discovered(file)) => self.discover(index, file)?,
            Some(Fed::Failed(error)) => return Err(error.into()),
            Some(Fed::Died) => {
                let event = &self.feeds[index].feed.event;
                let message = format!("the thread that reads an event died: `{event}`");
                return Err(anyhow::anyhow!(message).into());
            }
            None => {}
        }
        Ok(())
    }

    fn offer(&mut self, index: usize, batch: EventBatch) -> Result<(), Failure> {
        let known = &mut self.feeds[index];
        (known.caught_up, known.next_offset) = (None, batch.next_offset);
        known.reach = known.reach.max(reach(&batch, &self.plan));
        let batch = Arc::new(batch);
        if self.config.setup.environment.record.is_some() {
            let arrival = EventTime::from_micros(now_micros());
            self.sink.send(Work::Offered(Arc::clone(&batch), arrival));
        }
        self.is_changed = true;
        self.engine.offer(&batch, &mut self.sink).map_err(trueup_backtest::Error::from)?;
        Ok(())
    }

    /// Goes on without a silent partition, up to what the others have; false if they have nothing.
    fn lift(&mut self, index: usize) -> Result<bool, Failure> {
        let others = self.feeds.iter().enumerate().filter(|(other, _)| *other != index);
        let reach = others.map(|(_, known)| known.reach).max().unwrap_or(EventTime::MIN);
        // After a lift or a restart, an event at hand may stand further on than its own time.
        let at_hand = self.engine.at_hand();
        let reach = reach.max(at_hand.unwrap_or(EventTime::MIN));
        // Just beyond: an event of this partition at the very time would come first.
        let to = EventTime::from_micros(reach.micros().saturating_add(1));
        let known = &mut self.feeds[index];
        let is_beyond = reach > EventTime::MIN && reach >= known.reach && to > known.lifted;
        if at_hand.is_none() && !is_beyond {
            return Ok(false);
        }
        known.lifted = to;
        let Feed { stream, partition, .. } = known.feed;
        let before_offset = known.next_offset;
        self.journal(Control::Lift { stream, partition, before_offset, to }, None)?;
        Ok(true)
    }

    fn discover(&mut self, index: usize, file: Discovered) -> Result<(), Failure> {
        let stream = self.feeds[index].feed.stream;
        let Discovered { path, size_bytes, row_count } = file;
        let control = Control::Discover { stream, path: path.clone(), size_bytes };
        self.journal(control, None)?;
        let row_count = Some(row_count);
        self.meta.admitted[usize::from(stream.0)].push(Admitted { path, size_bytes, row_count });
        self.feeds[index].caught_up = None;
        self.feeds[index].feed.admit();
        Ok(())
    }

    /// Obeys a person's word.
    fn obey(&mut self, decided: Decided) -> Result<(), Failure> {
        self.meta.seen = decided.entry;
        self.journal(decided.control.clone(), Some(decided))
    }

    /// Makes a control input durable, then obeys it.
    fn journal(&mut self, control: Control, decided: Option<Decided>) -> Result<(), Failure> {
        let position = self.engine.merged();
        let (done, is_done) = std::sync::mpsc::sync_channel(1);
        let registry_entry = decided.as_ref().map(|decided| decided.entry);
        self.sink.send(Work::Control { position, control: control.clone(), registry_entry, done });
        if is_done.recv().is_err() {
            // The world has ended, and says why.
            self.sink.is_cut = true;
            return Ok(());
        }
        self.is_changed = true;
        let stored = decided.and_then(|decided| decided.stored);
        let order = Order { position, control, stored };
        self.engine.control(order, &mut self.sink).map_err(trueup_backtest::Error::from)?;
        Ok(())
    }

    fn checkpoint(&mut self) {
        self.checkpointed = Instant::now();
        if self.engine.has_orders() || !std::mem::take(&mut self.is_changed) {
            return;
        }
        self.meta.merged = self.engine.merged();
        self.meta.digest = self.engine.digest().to_string();
        self.meta.dead_letters.clone_from(&self.sink.dead_letters);
        self.meta.at_micros = now_micros();
        let state = self.engine.save();
        let status = Box::new(self.now(None));
        self.sink.send(Work::Checkpoint { meta: Box::new(self.meta.clone()), state, status });
    }

    /// A last checkpoint: what is held stays held, as it would if the run went on. There is none
    /// if the last run's place is not reached again: a restart goes on as this one did.
    fn end(&mut self) -> Result<(), Failure> {
        self.is_changed = true;
        self.checkpoint();
        self.status.phase = Phase::Stopped;
        self.tell(None);
        Ok(())
    }

    fn tell(&mut self, waits_for: Option<usize>) {
        self.told = Instant::now();
        let status = self.now(waits_for);
        self.sink.send(Work::Status(Box::new(status)));
    }

    /// Where the run stands.
    fn now(&mut self, waits_for: Option<usize>) -> Status {
        let engine = &self.engine;
        let status = &mut self.status;
        status.updated_micros = now_micros();
        status.merged = engine.merged();
        (status.questions, status.labels) = (engine.questions(), engine.labels());
        status.late_applied = engine.late_applied();
        status.dead_letters.clone_from(&self.sink.dead_letters);
        status.frontier = engine.frontier();
        status.watermark = engine.frontier().map(|time| time.minus(self.plan.spec.disorder));
        status.score(engine.step().scores());
        status.partitions = self
            .feeds
            .iter()
            .zip(engine.positions())
            .map(|(known, next_offset)| PartitionStatus {
                event: known.feed.event.clone(),
                partition: known.feed.partition.0,
                next_offset,
                backlog_rows: known.feed.backlog_rows(),
                reach: (known.reach > EventTime::MIN).then_some(known.reach),
                is_caught_up: known.caught_up.is_some(),
            })
            .collect();
        status.held_back_by =
            waits_for.filter(|index| has_more(&self.feeds, *index)).and_then(|index| {
                let known = self.feeds.get(index)?;
                Some(format!("{} partition {}", known.feed.event, known.feed.partition.0))
            });
        status.clone()
    }
}

/// Whether some other partition has events that wait for this one.
fn has_more(feeds: &[Known], index: usize) -> bool {
    let here = feeds[index].reach.max(feeds[index].lifted);
    feeds.iter().any(|known| known.reach > here)
}

/// The highest event time of a batch that may raise the watermark.
fn reach(batch: &EventBatch, plan: &Plan) -> EventTime {
    let ahead = plan.spec.future_max;
    let is_sound = |row: usize| {
        batch.record_times.as_ref().is_none_or(|recorded| {
            batch.times[row] <= EventTime::from_micros(recorded[row]).plus(ahead).micros()
        })
    };
    let times = (0..batch.len()).filter(|row| is_sound(*row)).map(|row| batch.times[row]);
    times.max().map_or(EventTime::MIN, EventTime::from_micros)
}
