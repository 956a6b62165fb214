//! The replay: data sets in, engines fed in one pass, reports out.

use crate::broadcast::{Broadcast, Taker};
use crate::columns::distinct;
use crate::compare::{self, Chunk};
use crate::error::Error;
use crate::plan::{Plan, bounded};
use crate::predictions::{Columns, PredictionWriter};
use crate::progress::Progress;
use crate::report::{Metrics, NamedMetrics, Report, RunReport, SinceAdmission, StreamReport};
use crate::source::{Feed, Opened, Source};
use crate::tally::{Detail, Tally};
use crate::vocabulary::Vocabulary;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;
use trueup_connector::{Dataset, DeadLetterFile, ReadRequest};
use trueup_event::{EventBatch, EventTime, StreamId};
use trueup_learner::artifact::Artifact;
use trueup_learner::effect::Candidate;
use trueup_learner::engine::{Engine, QUESTIONS, Wants};
use trueup_learner::metrics::Errors;
use trueup_learner::orders::Order;
use trueup_learner::spec::{Objective, Spec};

/// One definition to be replayed, and where its events live.
#[derive(Debug, Clone)]
pub struct Job {
    /// What to compute.
    pub spec: Spec,
    /// The environment's name, for the report.
    pub environment: String,
    /// Where questions are read from.
    pub questions: Source,
    /// Where labels are read from.
    pub labels: Source,
    /// What was decided outside the data, in ascending positions.
    pub orders: Vec<Order>,
}

/// How to replay.
#[derive(Debug, Clone)]
pub struct Options {
    /// Definitions that learn at the same time; the others wait for the next pass.
    pub threads: usize,
    /// Rows per batch.
    pub batch_rows: usize,
    /// Only events at or after this.
    pub from: Option<EventTime>,
    /// Only events before this: the replay stops there.
    pub to: Option<EventTime>,
    /// Whether to look at segments, residuals and drift too, for the page.
    pub page: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { threads: usize::MAX, batch_rows: 8_192, from: None, to: None, page: false }
    }
}

/// Files that a replay writes; for the first definition only.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Every question with its answers, as Parquet.
    pub predictions: Option<PathBuf>,
    /// Every dead letter, as lines of JSON.
    pub dead_letters: Option<PathBuf>,
    /// Who takes every candidate with its artifacts, as they are published.
    pub candidates: Option<SyncSender<(Candidate, Artifact)>>,
}

/// Replays definitions over their data and reports.
///
/// # Errors
/// When a data set cannot be read or does not fit its definition.
pub fn replay(
    jobs: &[Job],
    options: &Options,
    output: &Output,
    progress: &Progress,
) -> Result<Report, Error> {
    let mut runs = Vec::new();
    let mut comparisons = Vec::new();
    let names: Vec<_> = jobs.iter().map(|job| job.spec.name.clone()).collect();
    let plans = jobs.iter().map(Plan::open).collect::<Result<Vec<_>, _>>()?;
    let total = plans.iter().map(|plan| plan.opened.iter().map(Opened::row_count).sum::<u64>());
    progress.total.store(total.sum(), Ordering::Relaxed);
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Chunk>(16);
        let comparer = (jobs.len() > 1).then(|| {
            scope.spawn(|| {
                let receiver = receiver;
                compare::compare(&names, &receiver)
            })
        });
        for (group, plans) in plans.chunks(options.threads.max(1)).enumerate() {
            let first = group.saturating_mul(options.threads);
            let chunks = comparer.is_some().then(|| sender.clone());
            runs.extend(pass(plans, first, options, output, progress, chunks.as_ref())?);
        }
        drop(sender);
        if let Some(comparer) = comparer {
            comparisons = comparer.join().expect("the comparison does not panic");
        }
        Ok(Report { runs, comparisons })
    })
}

/// One stream that several definitions read: decoded once, handed to each.
struct Shared {
    request: ReadRequest,
    dataset: Dataset,
    source: Source,
    broadcast: Arc<Broadcast>,
}

fn pass(
    plans: &[Plan<'_>],
    first: usize,
    options: &Options,
    output: &Output,
    progress: &Progress,
    chunks: Option<&SyncSender<Chunk>>,
) -> Result<Vec<RunReport>, Error> {
    let run = |index: usize, plan: &Plan<'_>, feeds: Vec<Feed>| {
        let mut run = Run::new(plan, first + index, options, output, chunks.cloned())?;
        run.drive(feeds, progress)?;
        run.finish()
    };
    if let [plan] = plans {
        return Ok(vec![run(0, plan, plan.feeds(options)?)?]);
    }
    let (shared, feeds) = share(plans, options)?;
    std::thread::scope(|scope| {
        for shared in shared {
            scope.spawn(move || shared.run());
        }
        let runs: Vec<_> = plans
            .iter()
            .zip(feeds)
            .enumerate()
            .map(|(index, (plan, feeds))| {
                let run = &run;
                scope.spawn(move || run(index, plan, feeds))
            })
            .collect();
        runs.into_iter().map(|run| run.join().expect("a replay does not panic")).collect()
    })
}

/// Finds the streams that plans have in common, and joins the columns they want.
fn share(plans: &[Plan<'_>], options: &Options) -> Result<(Vec<Shared>, Vec<Vec<Feed>>), Error> {
    let mut shared: Vec<Shared> = Vec::new();
    let mut feeds = Vec::new();
    for plan in plans {
        if !plan.is_shareable() {
            feeds.push(plan.feeds(options)?);
            continue;
        }
        let taker = |side: usize| Feed::Taker(shared_taker(&mut shared, plan, side, options));
        feeds.push([0, 1].map(taker).into());
    }
    Ok((shared, feeds))
}

fn shared_taker(
    shared: &mut Vec<Shared>,
    plan: &Plan<'_>,
    side: usize,
    options: &Options,
) -> Taker {
    let (source, request) = (plan.source(side), &plan.requests[side]);
    let same = shared
        .iter_mut()
        .find(|shared| shared.source == *source && shared.request.stream == request.stream);
    if let Some(shared) = same {
        shared.request.columns.extend(request.columns.iter().cloned());
        shared.request.columns = distinct(std::mem::take(&mut shared.request.columns));
        shared.request.dictionary.extend(request.dictionary.iter().cloned());
        return shared.broadcast.taker();
    }
    let Opened::Dataset(dataset) = &plan.opened[side] else {
        unreachable!("only data sets are shared")
    };
    let broadcast = Arc::<Broadcast>::default();
    let taker = broadcast.taker();
    shared.push(Shared {
        request: bounded(request, options),
        dataset: dataset.clone(),
        source: source.clone(),
        broadcast,
    });
    taker
}

impl Shared {
    /// Reads the stream and hands every batch to every taker.
    fn run(&self) {
        let mut reader = match self.dataset.read(&self.request) {
            Ok(reader) => reader,
            Err(error) => {
                self.broadcast.give(&Err(Arc::new(error)), 0);
                return self.broadcast.end(0);
            }
        };
        while let Some(batch) = reader.next() {
            let feed = batch.map(Arc::new).map_err(Arc::new);
            if !self.broadcast.give(&feed, reader.skipped_null_time()) {
                break;
            }
        }
        self.broadcast.end(reader.skipped_null_time());
    }
}

/// One definition being replayed.
struct Run<'a> {
    plan: &'a Plan<'a>,
    engine: Engine,
    tally: Tally,
    words: Option<Vocabulary>,
    spans: [Option<(i64, i64)>; 2],
    skipped: [u64; 2],
    /// Whether the replay goes to the end of the data.
    is_whole: bool,
    started: Instant,
    elapsed_seconds: f64,
}

impl<'a> Run<'a> {
    fn new(
        plan: &'a Plan<'a>,
        index: usize,
        options: &Options,
        output: &Output,
        chunks: Option<SyncSender<Chunk>>,
    ) -> Result<Self, Error> {
        let spec = &plan.job.spec;
        let mut engine = Engine::new(spec.clone(), plan.features.clone(), &plan.partitions())?;
        let detail = if options.page { Detail::Page } else { Detail::Table };
        let mut tally = Tally::new(detail, index, spec.learners.len());
        tally.chunks = chunks;
        tally.candidates = output.candidates.clone().filter(|_| index == 0);
        for order in &plan.job.orders {
            engine.control(order.clone(), &mut tally)?;
        }
        let files = [0, 1].map(|side| plan.opened[side].files().to_vec());
        if let Some(path) = output.predictions.as_ref().filter(|_| index == 0) {
            let columns = Columns {
                references: spec.references.clone(),
                challengers: spec.learners[1..].iter().map(|l| l.kind().to_owned()).collect(),
                files: files[0].clone(),
            };
            tally.predictions = Some(PredictionWriter::create(path, &columns)?);
        }
        if let Some(path) = output.dead_letters.as_ref().filter(|_| index == 0) {
            let events = [spec.question.event.clone(), spec.label.event.clone()];
            tally.letters = Some((DeadLetterFile::create(path)?, files, events));
        }
        Ok(Self {
            plan,
            engine,
            tally,
            words: options.page.then(Vocabulary::default),
            spans: [None; 2],
            skipped: [0; 2],
            is_whole: options.to.is_none() && plan.opened.iter().all(Opened::is_whole),
            started: Instant::now(),
            elapsed_seconds: 0.0,
        })
    }

    fn drive(&mut self, mut feeds: Vec<Feed>, progress: &Progress) -> Result<(), Error> {
        while let Wants::Batch(index) = self.engine.run(&mut self.tally) {
            progress.check()?;
            let (stream, _) = self.engine.partitions()[index];
            match feeds[index].next()? {
                // The live run waited here: what the others had was held back.
                None if feeds[index].is_recorded() => break,
                None => self.engine.end(index),
                Some(batch) => {
                    self.see(stream, &batch)?;
                    self.engine.offer(&batch, &mut self.tally)?;
                    progress.done.fetch_add(batch.len() as u64, Ordering::Relaxed);
                }
            }
            if let Some(failure) = self.tally.failure.take() {
                return Err(failure);
            }
        }
        // A bounded replay stops where it is told to; what is held then stays held, as it would
        // live.
        if self.is_whole {
            self.engine.drain(&mut self.tally);
        }
        self.engine.tell_pending(&mut self.tally);
        for (feed, (stream, _)) in feeds.iter().zip(self.engine.partitions()) {
            self.skipped[usize::from(stream.0)] += feed.skipped();
        }
        self.elapsed_seconds = self.started.elapsed().as_secs_f64();
        Ok(())
    }

    fn see(&mut self, stream: StreamId, batch: &EventBatch) -> Result<(), Error> {
        if let Some((first, last)) = batch.times.iter().min().zip(batch.times.iter().max()) {
            let span = &mut self.spans[usize::from(stream.0)];
            let (from, until) = span.unwrap_or((*first, *last));
            *span = Some((from.min(*first), until.max(*last)));
        }
        if let Some(words) = self.words.as_mut().filter(|_| stream == QUESTIONS) {
            let bind = trueup_learner::bind::BindError::from;
            words
                .learn(&self.plan.features, batch)
                .map_err(|error| Error::Input(bind(error).into()))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<RunReport, Error> {
        self.tally.flush();
        self.tally.chunks = None;
        if let Some(writer) = self.tally.predictions.take() {
            writer.finish()?;
        }
        if let Some((letters, ..)) = self.tally.letters.take() {
            letters.finish()?;
        }
        if let Some(failure) = self.tally.failure.take() {
            return Err(failure);
        }
        let digest = self.engine.digest();
        let residuals = self.tally.residuals();
        let (job, spec, tally) = (self.plan.job, &self.plan.job.spec, &self.tally);
        let (questions, labels) = (self.engine.questions(), self.engine.labels());
        assert!(
            questions.add_up() && labels.add_up(),
            "an event was lost: {questions:?} {labels:?}"
        );
        let scores = self.engine.step().scores();
        let named = |names: Vec<String>, errors: &[Errors]| -> Vec<NamedMetrics> {
            let named = names.into_iter().zip(errors);
            named.map(|(name, errors)| NamedMetrics { name, metrics: metrics(errors) }).collect()
        };
        let kinds = spec.learners.iter().map(|learner| learner.kind().to_owned());
        let category_names: Vec<_> =
            self.plan.features.category_names().map(str::to_owned).collect();
        let events = [spec.question.event.as_str(), spec.label.event.as_str()];
        let files = [0, 1].map(|side| self.plan.opened[side].files().to_vec());
        let (units, improvement) = self.engine.step().gate().evidence(0);
        let fed = questions.fed + labels.fed;
        Ok(RunReport {
            definition: spec.name.clone(),
            environment: job.environment.clone(),
            unit: spec.unit.clone(),
            learner: spec.learners[0].kind().to_owned(),
            objective: objective(spec.objective),
            question_event: self.stream(0, &job.questions, questions.fed),
            label_event: self.stream(1, &job.labels, labels.fed),
            primary: metrics(&scores.primary),
            corrected: metrics(&scores.lineages[0]),
            as_served: metrics(&scores.served),
            references: named(spec.references.clone(), &scores.references),
            challengers: named(kinds.skip(1).collect(), &scores.lineages[1..]),
            since_admission: self.since_admission(),
            counts: questions.into(),
            labels: labels.into(),
            dead_letters: tally.dead_letters(events, &files),
            match_share: (labels.fed > 0).then(|| labels.learned as f64 / labels.fed as f64),
            label_delay_minutes: tally.delay(),
            gate: crate::report::GateReport { units, improvement, ..tally.gate() },
            artifacts: tally.artifacts(),
            digest,
            events_per_second: fed as f64 / self.elapsed_seconds.max(1e-9),
            elapsed_seconds: self.elapsed_seconds,
            days: tally.days(),
            segments: self
                .words
                .as_ref()
                .map_or(Vec::new(), |words| tally.segments(&category_names, words)),
            residuals,
            drifts: tally.drifts(),
        })
    }

    fn stream(&self, side: usize, source: &Source, fed: u64) -> StreamReport {
        let spec = &self.plan.job.spec;
        let time = |micros: i64| EventTime::from_micros(micros).to_string();
        StreamReport {
            event: [&spec.question.event, &spec.label.event][side].clone(),
            location: source.at.label(),
            fed,
            first: self.spans[side].map(|(first, _)| time(first)),
            last: self.spans[side].map(|(_, last)| time(last)),
            not_yet: self.skipped[side],
        }
    }

    fn since_admission(&self) -> Option<SinceAdmission> {
        let (questions, sums) = self.engine.step().scores().since_admission;
        let admitted_at = self.tally.admitted_at().filter(|_| questions > 0)?;
        let first = EventTime::from_micros(self.spans[0]?.0);
        let [primary_mae, corrected_mae, served_mae] = sums.map(|sum| sum / questions as f64);
        Some(SinceAdmission {
            admitted_at: admitted_at.to_string(),
            days_to_admission: admitted_at.since(first).hours() / 24.0,
            questions,
            primary_mae,
            corrected_mae,
            served_mae,
        })
    }
}

fn metrics(errors: &Errors) -> Metrics {
    Metrics {
        mae: errors.mae(),
        bias: errors.bias(),
        rmse: errors.rmse(),
        p50: errors.quantile(0.5),
        p90: errors.quantile(0.9),
        p95: errors.quantile(0.95),
        within_5: errors.share_within(5.0),
        within_15: errors.share_within(15.0),
    }
}

fn objective(objective: Objective) -> String {
    match objective {
        Objective::Median => "median".to_owned(),
        Objective::Mean => "mean".to_owned(),
        Objective::Quantile(q) => format!("quantile {q}"),
    }
}
