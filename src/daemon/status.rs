//! Where a daemon stands: one value, shown as text, JSON and Prometheus metrics alike.

use super::Config;
use super::plan::Plan;
use crate::words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;
use trueup_event::EventTime;
use trueup_learner::effect::{Candidate, Score};
use trueup_learner::join::Counts;
use trueup_learner::step::Scoreboard;

/// How long a run may be silent, in microseconds.
const SILENT_MAX_MICROS: i64 = 10_000_000;

/// Where a daemon stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// The version of this form.
    pub(crate) schema_version: u32,
    pub(crate) pipeline: String,
    pub(crate) environment: String,
    pub(crate) unit: String,
    pub(crate) phase: Phase,
    /// Why it failed.
    pub(crate) failure: Option<String>,
    pub(crate) pid: u32,
    /// Where status and metrics are answered.
    pub(crate) listen: Option<SocketAddr>,
    /// How often the shard has been taken over.
    pub(crate) epoch: u64,
    pub(crate) started_micros: i64,
    pub(crate) updated_micros: i64,
    /// Events merged.
    pub(crate) merged: u64,
    pub(crate) questions: Counts,
    pub(crate) labels: Counts,
    pub(crate) late_applied: u64,
    pub(crate) dead_letters: BTreeMap<String, u64>,
    pub(crate) frontier: Option<EventTime>,
    pub(crate) watermark: Option<EventTime>,
    /// The partition that the others wait for.
    pub(crate) held_back_by: Option<String>,
    pub(crate) partitions: Vec<PartitionStatus>,
    /// Prequential errors: the primary estimate, the learner, what was served.
    pub(crate) scores: [Option<Score>; 3],
    pub(crate) versions: Versions,
    pub(crate) champion: Option<u64>,
    pub(crate) is_held: bool,
    /// What is wrong with the registry, while learning goes on.
    pub(crate) registry_fault: Option<String>,
    pub(crate) checkpoint: Option<Checkpointed>,
}

/// What a daemon is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Running,
    Stopped,
    Failed,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartitionStatus {
    pub(crate) event: String,
    pub(crate) partition: u32,
    /// The next offset to merge.
    pub(crate) next_offset: u64,
    pub(crate) backlog_rows: u64,
    /// The highest event time read.
    pub(crate) reach: Option<EventTime>,
    pub(crate) is_caught_up: bool,
}

/// What was published since the daemon began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Versions {
    /// Candidates that were published, those found there already included.
    pub(crate) published: u64,
    /// Commits to the registry.
    pub(crate) commits: u64,
    /// The newest number in the registry.
    pub(crate) newest: Option<u64>,
    /// The last publish point.
    pub(crate) boundary: Option<EventTime>,
    pub(crate) verdicts: BTreeMap<String, u64>,
    /// How long the last commit took.
    pub(crate) commit_seconds: f64,
}

/// The last checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpointed {
    pub(crate) number: u64,
    pub(crate) at_micros: i64,
    pub(crate) state_bytes: u64,
    /// The digest of the state.
    pub(crate) digest: String,
}

impl Status {
    /// Of a daemon that begins.
    pub(crate) fn begun(config: &Config, plan: &Plan, epoch: u64) -> Self {
        let environment = plan.environment.clone();
        Self { environment, unit: plan.spec.unit.clone(), epoch, ..Self::new(&config.name) }
    }

    /// Of a daemon that was told to stop before the first events came.
    pub(crate) fn stopped_before_it_began(pipeline: &str) -> Self {
        Self { phase: Phase::Stopped, ..Self::new(pipeline) }
    }

    fn new(pipeline: &str) -> Self {
        let now = super::now_micros();
        Self {
            schema_version: 1,
            pipeline: pipeline.to_owned(),
            environment: String::new(),
            unit: String::new(),
            phase: Phase::Running,
            failure: None,
            pid: std::process::id(),
            listen: None,
            epoch: 0,
            started_micros: now,
            updated_micros: now,
            merged: 0,
            questions: Counts::default(),
            labels: Counts::default(),
            late_applied: 0,
            dead_letters: BTreeMap::new(),
            frontier: None,
            watermark: None,
            held_back_by: None,
            partitions: Vec::new(),
            scores: [None; 3],
            versions: Versions::default(),
            champion: None,
            is_held: false,
            registry_fault: None,
            checkpoint: None,
        }
    }

    /// Takes over what the core's side knows; what the world's side knows stays.
    pub(crate) fn take(&mut self, core: Self) {
        let world = std::mem::replace(self, core);
        self.versions = world.versions;
        self.champion = world.champion;
        self.is_held = world.is_held;
        self.registry_fault = world.registry_fault;
        self.checkpoint = world.checkpoint;
    }

    pub(crate) fn score(&mut self, scores: &Scoreboard) {
        let all = [&scores.primary, &scores.lineages[0], &scores.served];
        self.scores = all.map(Score::of);
    }

    pub(crate) fn candidate(&mut self, candidate: &Candidate) {
        self.versions.boundary = Some(candidate.boundary);
        *self.versions.verdicts.entry(candidate.verdict.name().to_owned()).or_default() += 1;
    }

    pub(crate) fn published(
        &mut self,
        newest: Option<u64>,
        is_new: bool,
        count: usize,
        took: Duration,
    ) {
        self.versions.published += count as u64;
        self.versions.commits += u64::from(is_new);
        self.versions.newest = self.versions.newest.max(newest);
        self.versions.commit_seconds = took.as_secs_f64();
    }

    /// Whether it has not been told of for so long that whoever wrote it is taken for dead;
    /// `now_micros` is the wall clock.
    pub(crate) const fn is_silent(&self, now_micros: i64) -> bool {
        now_micros - self.updated_micros > SILENT_MAX_MICROS
    }

    /// As lines for people; `now_micros` is the wall clock.
    pub(crate) fn text(&self, now_micros: i64) -> String {
        let mut text = String::new();
        self.lines(&mut text, now_micros).expect("a text takes everything");
        text
    }

    fn lines(&self, text: &mut String, now_micros: i64) -> std::fmt::Result {
        let age = |micros: i64| seconds(now_micros - micros);
        let phase = match self.phase {
            Phase::Running => "running",
            Phase::Stopped => "stopped",
            Phase::Failed => "failed",
        };
        let Self { pipeline, environment, pid, epoch, .. } = self;
        let told = age(self.updated_micros);
        writeln!(
            text,
            "{pipeline}  {environment}  {phase}  process {pid}, epoch {epoch}, told {told} ago"
        )?;
        if let Some(address) = self.listen.filter(|_| self.phase == Phase::Running) {
            writeln!(text, "listens at  http://{address}")?;
        }
        if let Some(failure) = &self.failure {
            writeln!(text, "failure     {failure}")?;
        }
        let time = |time: Option<EventTime>| time.map_or("none yet".to_owned(), |t| t.to_string());
        writeln!(text, "watermark   {}", time(self.watermark))?;
        if let Some(partition) = &self.held_back_by {
            writeln!(text, "waits for   {partition}")?;
        }
        for part in &self.partitions {
            let state = if part.is_caught_up { "caught up" } else { "reading" };
            let PartitionStatus { event, partition, next_offset, backlog_rows, reach, .. } = part;
            let reach = time(*reach);
            writeln!(
                text,
                "{event} {partition}  offset {next_offset}, {backlog_rows} waiting, \
                 read to {reach}, {state}"
            )?;
        }
        for (name, counts) in [("questions", &self.questions), ("labels", &self.labels)] {
            let Counts { fed, learned, pending, expired, evicted, orphan, quarantined, late } =
                counts;
            writeln!(
                text,
                "{name:<11} {fed} = {learned} learned + {pending} pending + {expired} expired \
                 + {evicted} evicted + {orphan} orphan + {quarantined} quarantined + {late} late"
            )?;
        }
        let [primary, corrected, served] =
            self.scores.map(|score| score.map_or("none".to_owned(), |s| format!("{:.2}", s.mae)));
        writeln!(
            text,
            "error       {primary} primary, {corrected} corrected, {served} as served \
             ({}, mean absolute)",
            self.unit
        )?;
        let newest = words::version(self.versions.newest);
        let champion = words::version(self.champion);
        let held = if self.is_held { ", held" } else { "" };
        writeln!(text, "versions    newest {newest}, champion {champion}{held}")?;
        if let Some(fault) = &self.registry_fault {
            writeln!(text, "registry    {fault}")?;
        }
        if let Some(Checkpointed { number, at_micros, state_bytes, digest }) = &self.checkpoint {
            let age = age(*at_micros);
            writeln!(
                text,
                "checkpoint  {number}, {age} ago, {state_bytes} bytes, digest {digest}"
            )?;
        }
        Ok(())
    }

    /// As Prometheus text; `now_micros` is the wall clock.
    pub(crate) fn metrics(&self, now_micros: i64) -> String {
        let mut metrics = Metrics::default();
        let pipeline = [("pipeline", self.pipeline.as_str())];
        metrics.one(
            "trueup_build_info",
            "gauge",
            "The program.",
            &[("version", env!("CARGO_PKG_VERSION"))],
            1.0,
        );
        for (event, counts) in [("question", &self.questions), ("label", &self.labels)] {
            let fates = [
                ("learned", counts.learned),
                ("pending", counts.pending),
                ("expired", counts.expired),
                ("evicted", counts.evicted),
                ("orphan", counts.orphan),
                ("quarantined", counts.quarantined),
                ("late", counts.late),
            ];
            for (fate, count) in fates {
                let labels = [pipeline[0], ("role", event), ("fate", fate)];
                let about = "Events by what became of them.";
                metrics.one("trueup_events", "gauge", about, &labels, count as f64);
            }
        }
        for (event, counts) in [("question", &self.questions), ("label", &self.labels)] {
            let about = "Events taken.";
            let labels = [pipeline[0], ("role", event)];
            metrics.one(
                "trueup_events_consumed_total",
                "counter",
                about,
                &labels,
                counts.fed as f64,
            );
        }
        for (reason, count) in &self.dead_letters {
            let about = "Events set aside, by reason.";
            let labels = [pipeline[0], ("reason", reason.as_str())];
            metrics.one("trueup_events_rejected_total", "counter", about, &labels, *count as f64);
        }
        for part in &self.partitions {
            let partition = part.partition.to_string();
            let labels = [("source", part.event.as_str()), ("partition", partition.as_str())];
            let about = "Rows known to wait in a source.";
            metrics.one("trueup_backlog_rows", "gauge", about, &labels, part.backlog_rows as f64);
        }
        if let Some(watermark) = self.watermark {
            let about = "Wall clock less the watermark.";
            let lag = (now_micros - watermark.micros()) as f64 / 1e6;
            metrics.one("trueup_event_time_lag_seconds", "gauge", about, &pipeline, lag);
        }
        self.error_metrics(&mut metrics);
        for (verdict, count) in &self.versions.verdicts {
            let about = "Candidates by verdict of the gate.";
            let labels = [pipeline[0], ("verdict", verdict.as_str())];
            metrics.one("trueup_gate_decisions_total", "counter", about, &labels, *count as f64);
        }
        self.world_metrics(&mut metrics, now_micros);
        metrics.text
    }

    fn error_metrics(&self, metrics: &mut Metrics) {
        type Shown = (&'static str, &'static str, fn(&Score) -> f64);
        let of: [Shown; 2] = [
            ("trueup_prequential_abs_error", "Prequential mean absolute error.", |s| s.mae),
            ("trueup_bias", "Prequential mean error.", |s| s.bias),
        ];
        for (name, about, value) in of {
            for (variant, score) in ["primary", "corrected", "served"].iter().zip(&self.scores) {
                let Some(score) = score else { continue };
                let pipeline = ("pipeline", self.pipeline.as_str());
                let labels = [pipeline, ("variant", variant), ("unit", self.unit.as_str())];
                metrics.one(name, "gauge", about, &labels, value(score));
            }
        }
    }

    fn world_metrics(&self, metrics: &mut Metrics, now_micros: i64) {
        let pipeline = [("pipeline", self.pipeline.as_str())];
        let versions = &self.versions;
        let about = "Versions published since the start.";
        let published = versions.published as f64;
        metrics.one("trueup_versions_published_total", "counter", about, &pipeline, published);
        let about = "Length of the last commit to the registry.";
        let took = versions.commit_seconds;
        metrics.one("trueup_publish_duration_seconds", "gauge", about, &pipeline, took);
        let about = "Whether the registry can be read.";
        let is_up = f64::from(u8::from(self.registry_fault.is_none()));
        metrics.one("trueup_registry_up", "gauge", about, &pipeline, is_up);
        if let Some(checkpoint) = &self.checkpoint {
            let about = "Age of the last checkpoint.";
            let age = (now_micros - checkpoint.at_micros) as f64 / 1e6;
            metrics.one("trueup_checkpoint_age_seconds", "gauge", about, &pipeline, age);
            let about = "Size of the last checkpoint's state.";
            let bytes = checkpoint.state_bytes as f64;
            metrics.one("trueup_checkpoint_state_bytes", "gauge", about, &pipeline, bytes);
        }
    }
}

/// Prometheus text, format 0.0.4.
#[derive(Default)]
struct Metrics {
    text: String,
    last: &'static str,
}

impl Metrics {
    fn one(
        &mut self,
        name: &'static str,
        kind: &str,
        about: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        if self.last != name {
            let _ = writeln!(self.text, "# HELP {name} {about}\n# TYPE {name} {kind}");
            self.last = name;
        }
        let label = |(key, value): &(&str, &str)| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            format!("{key}=\"{value}\"")
        };
        let labels: Vec<String> = labels.iter().map(label).collect();
        let _ = writeln!(self.text, "{name}{{{}}} {value}", labels.join(","));
    }
}

/// A time between two points of the wall clock, for people.
fn seconds(micros: i64) -> String {
    format!("{:.1} s", micros.max(0) as f64 / 1e6)
}
