//! Counts what a replay's effects say, for the report.

use crate::compare::{CHUNK, Chunk, Scored};
use crate::predictions::PredictionWriter;
use crate::report::{
    ArtifactReport, DRIFTS_MAX, Day, DeadLetterCount, Delay, DriftReport, GateReport, Residuals,
    SegmentReport, SegmentValue, Sums, VerdictRun,
};
use crate::vocabulary::Vocabulary;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;
use trueup_connector::DeadLetterFile;
use trueup_event::{DeadLetter, EventTime, Reason};
use trueup_learner::artifact::{Artifact, Form};
use trueup_learner::drift::{AdwinParams, Detector, DriftDetector, DriftParams};
use trueup_learner::effect::{Candidate, Effect, Fate, Outcome, Sink};
use trueup_learner::engine::QUESTIONS;
use trueup_learner::gate::Verdict;

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// Values of a category listed in the report.
const SEGMENTS_SHOWN: usize = 24;
/// Outcomes from which the bins of the residuals are laid out.
const LAYOUT_AFTER: usize = 1_000;
/// Bins of the residuals.
const BINS: usize = 96;
/// The longest delay told apart from longer ones: ten years.
const DELAY_MAX_SECONDS: u64 = 10 * 366 * 86_400;

/// How much a tally looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What the table shows.
    Table,
    /// Segments, residuals and drift too.
    Page,
}

/// Counts effects.
pub(crate) struct Tally {
    detail: Detail,
    index: usize,
    lineages: usize,
    days: BTreeMap<i64, Sums>,
    segments: Vec<BTreeMap<u64, Sums>>,
    layout_sample: Vec<[f64; 3]>,
    residuals: Residuals,
    delays: Histogram<u64>,
    dead: BTreeMap<(bool, Reason), (u64, DeadLetter)>,
    gate: GateReport,
    artifacts: ArtifactReport,
    admitted_at: Option<EventTime>,
    drift: DriftDetector,
    drifts: Vec<DriftReport>,
    today: DayErrors,
    before: DayErrors,
    scored: Vec<Scored>,
    pub(crate) predictions: Option<PredictionWriter>,
    pub(crate) letters: Option<(DeadLetterFile, [Vec<String>; 2], [String; 2])>,
    pub(crate) failure: Option<crate::Error>,
    pub(crate) chunks: Option<SyncSender<Chunk>>,
    pub(crate) candidates: Option<SyncSender<(Candidate, Artifact)>>,
}

/// Absolute errors of one day, or daily means since the last change.
#[derive(Debug, Default)]
struct DayErrors {
    day: i64,
    sum: f64,
    count: u64,
}

/// The watch on daily means: it looks every day, from the tenth on.
const DAILY: AdwinParams =
    AdwinParams { delta: 0.01, every: 1, buckets_max: 5, side_min: 3, values_min: 10 };

impl Tally {
    pub(crate) fn new(detail: Detail, index: usize, lineages: usize) -> Self {
        Self {
            detail,
            index,
            lineages,
            days: BTreeMap::new(),
            segments: Vec::new(),
            layout_sample: Vec::new(),
            residuals: Residuals::default(),
            delays: Histogram::new_with_max(DELAY_MAX_SECONDS, 3)
                .expect("three digits are within the histogram's range"),
            dead: BTreeMap::new(),
            gate: GateReport {
                candidates: 0,
                idle: 0,
                admitted: 0,
                refreshed: 0,
                unchanged: 0,
                refused: BTreeMap::new(),
                units: 0,
                improvement: None,
                timeline: Vec::new(),
            },
            artifacts: ArtifactReport::default(),
            admitted_at: None,
            drift: DriftParams::Adwin(DAILY).build().expect("the parameters are in range"),
            drifts: Vec::new(),
            today: DayErrors::default(),
            before: DayErrors::default(),
            scored: Vec::new(),
            predictions: None,
            letters: None,
            failure: None,
            chunks: None,
            candidates: None,
        }
    }

    fn outcome(&mut self, outcome: &Outcome<'_>) {
        if let Some(writer) = &mut self.predictions
            && let Err(error) = writer.push(outcome)
        {
            self.failure.get_or_insert(error.into());
        }
        let Fate::Learned { actual, at } = outcome.fate else { return };
        let answers = [outcome.estimate(), outcome.answer(0), outcome.served()];
        let errors = answers.map(|answer| actual - answer);
        let time = outcome.time();
        let day = time.micros().div_euclid(MICROS_PER_DAY);
        add(self.days.entry(day).or_default(), errors);
        let delay_seconds = at.since(time).micros().max(0) as u64 / 1_000_000;
        self.delays.saturating_record(delay_seconds);
        if self.chunks.is_some() {
            self.send(outcome, errors[1]);
        }
        if self.detail == Detail::Page {
            self.segment(outcome, errors);
            self.residual(errors);
            self.drift(errors[1].abs(), at);
        }
    }

    fn send(&mut self, outcome: &Outcome<'_>, error: f64) {
        let key = outcome.layout.key_of(outcome.row);
        let (id, asked_micros) = (outcome.row[outcome.layout.id], outcome.time().micros());
        self.scored.push(Scored { key, id, asked_micros, error });
        if self.scored.len() >= CHUNK {
            self.flush();
        }
    }

    /// Sends what is left to be compared.
    pub(crate) fn flush(&mut self) {
        if let Some(chunks) = &self.chunks {
            // The comparer only ends after all senders; if it has panicked, its join says so.
            let _ = chunks.send((self.index, std::mem::take(&mut self.scored)));
        }
    }

    fn segment(&mut self, outcome: &Outcome<'_>, errors: [f64; 3]) {
        let categories = outcome.layout.categories.len();
        self.segments.resize(categories, BTreeMap::new());
        for (feature, values) in self.segments.iter_mut().enumerate() {
            add(values.entry(outcome.category(feature)).or_default(), errors);
        }
    }

    fn residual(&mut self, errors: [f64; 3]) {
        if self.residuals.width > 0.0 {
            self.residuals.add(errors);
            return;
        }
        self.layout_sample.push(errors);
        if self.layout_sample.len() >= LAYOUT_AFTER {
            self.lay_out();
        }
    }

    fn lay_out(&mut self) {
        let sample = std::mem::take(&mut self.layout_sample);
        if sample.is_empty() {
            return;
        }
        let mae = sample.iter().map(|errors| errors[0].abs()).sum::<f64>() / sample.len() as f64;
        let width = nice((mae.max(1e-9) * 10.0) / BINS as f64);
        self.residuals = Residuals {
            from: -width * (BINS / 2) as f64,
            width,
            counts: std::array::from_fn(|_| vec![0; BINS]),
        };
        sample.into_iter().for_each(|errors| self.residuals.add(errors));
    }

    /// Watches the mean absolute error of each day (of the labels): single errors follow the hour
    /// and the weather, and would raise an alarm every other day.
    fn drift(&mut self, error: f64, at: EventTime) {
        let day = at.micros().div_euclid(MICROS_PER_DAY);
        if day > self.today.day && self.today.count > 0 {
            let mean = self.today.sum / self.today.count as f64;
            let changed = self.drift.update(mean).is_some();
            let before = self.before.sum / self.before.count.max(1) as f64;
            // An error that falls is no alarm.
            if changed && mean > before && self.drifts.len() < DRIFTS_MAX {
                self.drifts.push(DriftReport {
                    at: EventTime::from_micros(day * MICROS_PER_DAY).to_string(),
                    detector: "adwin".to_owned(),
                    before: Some(before),
                    after: Some(mean),
                });
            }
            if changed {
                self.before = DayErrors::default();
            }
            self.before.sum += mean;
            self.before.count += 1;
            self.today = DayErrors::default();
        }
        self.today.day = self.today.day.max(day);
        self.today.sum += error;
        self.today.count += 1;
    }

    fn dead_letter(&mut self, letter: DeadLetter) {
        let is_label = letter.place.stream != QUESTIONS;
        if let Some((file, files, events)) = &mut self.letters {
            let side = usize::from(is_label);
            if let Err(error) = file.write(&events[side], &files[side], &letter) {
                self.failure.get_or_insert(error.into());
            }
        }
        self.dead.entry((is_label, letter.reason)).or_insert((0, letter)).0 += 1;
    }

    fn candidate(&mut self, candidate: &Candidate) {
        self.gate.candidates += 1;
        match candidate.form {
            Form::Base => {
                self.artifacts.bases += 1;
                self.artifacts.base_bytes += candidate.artifact_bytes;
            }
            Form::Delta => {
                self.artifacts.deltas += 1;
                self.artifacts.delta_bytes += candidate.artifact_bytes;
            }
        }
        match &candidate.verdict {
            Verdict::Admitted { .. } => {
                self.gate.admitted += 1;
                self.admitted_at.get_or_insert(candidate.boundary);
            }
            Verdict::Refreshed => self.gate.refreshed += 1,
            Verdict::Unchanged => self.gate.unchanged += 1,
            Verdict::Refused(refusal) => {
                *self.gate.refused.entry(refusal.name().to_owned()).or_default() += 1;
            }
        }
        let boundary = candidate.boundary.to_string();
        let timeline = &mut self.gate.timeline;
        let last = timeline.iter_mut().rev().take(self.lineages);
        let same = last.into_iter().find(|run| run.lineage == candidate.lineage);
        if let Some(run) = same.filter(|run| same_kind(&run.verdict, &candidate.verdict)) {
            run.until = boundary;
            run.count += 1;
            return;
        }
        timeline.push(VerdictRun {
            lineage: candidate.lineage,
            version: candidate.version,
            from: boundary.clone(),
            until: boundary,
            count: 1,
            verdict: candidate.verdict.clone(),
        });
    }

    pub(crate) fn admitted_at(&self) -> Option<EventTime> {
        self.admitted_at
    }

    pub(crate) fn gate(&self) -> GateReport {
        self.gate.clone()
    }

    pub(crate) fn artifacts(&self) -> ArtifactReport {
        self.artifacts
    }

    pub(crate) fn days(&self) -> Vec<Day> {
        let text = |day: i64| EventTime::from_micros(day * MICROS_PER_DAY).to_string();
        let day =
            |(day, sums): (&i64, &Sums)| Day { day: text(*day)[..10].to_owned(), sums: *sums };
        self.days.iter().map(day).collect()
    }

    pub(crate) fn delay(&self) -> Option<Delay> {
        let minutes = |q: f64| self.delays.value_at_quantile(q) as f64 / 60.0;
        (!self.delays.is_empty()).then(|| Delay {
            p50: minutes(0.5),
            p90: minutes(0.9),
            p99: minutes(0.99),
        })
    }

    pub(crate) fn segments(&self, names: &[String], words: &Vocabulary) -> Vec<SegmentReport> {
        let mut reports = Vec::new();
        for (index, (feature, values)) in names.iter().zip(&self.segments).enumerate() {
            let mut values: Vec<_> = values.iter().collect();
            values.sort_by_key(|(hash, sums)| (std::cmp::Reverse(sums.questions), **hash));
            let distinct = values.len() as u64;
            let value = |&(hash, sums): &(&u64, &Sums)| SegmentValue {
                value: words.text(index, *hash),
                sums: *sums,
            };
            reports.push(SegmentReport {
                feature: feature.clone(),
                distinct,
                values: values.iter().take(SEGMENTS_SHOWN).map(value).collect(),
            });
        }
        reports
    }

    pub(crate) fn residuals(&mut self) -> Residuals {
        if self.residuals.width <= 0.0 {
            self.lay_out();
        }
        self.residuals.clone()
    }

    pub(crate) fn drifts(&self) -> Vec<DriftReport> {
        self.drifts.clone()
    }

    pub(crate) fn dead_letters(
        &self,
        events: [&str; 2],
        files: &[Vec<String>; 2],
    ) -> Vec<DeadLetterCount> {
        let count =
            |((is_label, reason), (count, letter)): (&(bool, Reason), &(u64, DeadLetter))| {
                let side = usize::from(*is_label);
                let origin = letter.origin;
                let file = files[side].get(origin.file() as usize).map_or("?", String::as_str);
                DeadLetterCount {
                    event: events[side].to_owned(),
                    reason: reason.name().to_owned(),
                    count: *count,
                    example: format!("{file}, row {}: {}", origin.row(), letter.detail),
                }
            };
        self.dead.iter().map(count).collect()
    }
}

impl Sink for Tally {
    fn take(&mut self, effect: Effect<'_>) {
        match effect {
            Effect::Outcome(outcome) => self.outcome(&outcome),
            Effect::Candidate(candidate, artifact) => {
                self.candidate(candidate);
                if let Some(taker) = &self.candidates
                    && taker.send((candidate.clone(), artifact.clone())).is_err()
                {
                    self.failure.get_or_insert(crate::Error::Stopped);
                }
            }
            Effect::DeadLetter(letter) => self.dead_letter(letter),
            Effect::Idle { boundaries } => self.gate.idle += boundaries,
        }
    }
}

impl Residuals {
    fn add(&mut self, errors: [f64; 3]) {
        for (counts, error) in self.counts.iter_mut().zip(errors) {
            let bin = ((error - self.from) / self.width).floor();
            let bin = bin.clamp(0.0, (counts.len() - 1) as f64) as usize;
            counts[bin] += 1;
        }
    }
}

fn add(sums: &mut Sums, errors: [f64; 3]) {
    sums.questions += 1;
    for (place, error) in errors.into_iter().enumerate() {
        sums.absolute[place] += error.abs();
        sums.signed[place] += error;
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is at least `width`.
fn nice(width: f64) -> f64 {
    let mut step = 1e-9;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            if step * factor >= width {
                return step * factor;
            }
        }
        step *= 10.0;
    }
}

fn same_kind(a: &Verdict, b: &Verdict) -> bool {
    match (a, b) {
        (Verdict::Refused(a), Verdict::Refused(b)) => a.name() == b.name(),
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}
