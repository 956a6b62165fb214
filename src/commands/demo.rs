//! `trueup demo`: a live stream, the continuous learner and the server in one terminal.
//!
//! Nothing is shown that is not done: events go through the embedded log, versions through a
//! registry on disk, answers over HTTP.

mod client;

use super::init::Init;
use crate::append::{self, Pace, Topic};
use crate::daemon::{self, Config, Handle, status::Status};
use crate::failure::Failure;
use crate::setup::Setup;
use crate::signals::{self, Stop};
use crate::{stores, words};
use client::{Answered, Asker};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use trueup_backtest::Progress;
use trueup_connector::Dataset;
use trueup_connector::feed::RowFeed;
use trueup_connector::log::{LogOptions, LogWriter};
use trueup_event::EventTime;
use trueup_pipeline::{Environment, Location, Place};
use trueup_registry::{AliasName, Expect, RollbackTo};
use trueup_serving_bridge::{Bridge, BridgeOptions, Server, ServerOptions};

/// Where the demonstration keeps its state, in the project's folder.
const FOLDER: &str = ".trueup-demo";
/// From one line to the next.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Show all of it in one terminal.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// The pipeline; by default the first of the project, or without a project a made-up one.
    #[arg(value_name = "PIPELINE")]
    name: Option<String>,

    /// About how long it takes, in seconds.
    #[arg(long, value_name = "N", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u32).range(3..=600))]
    seconds: u32,
}

impl Demo {
    pub(crate) fn run(&self, project: &Path) -> Result<ExitCode, Failure> {
        let (setup, name) = self.project(project)?;
        let stage = Stage::build(&setup, &name)?;
        let stop = Stop::default();
        signals::listen(&stop)?;
        let handle = Handle::default();
        let speed = stage.span_seconds / f64::from(self.seconds);
        stage.introduce(speed);
        let result = std::thread::scope(|scope| {
            let learner = scope.spawn(|| daemon::start(&stage.config, &handle));
            let appender = scope.spawn(|| stage.append(speed, &stop));
            let shown = stage.show(&handle, &stop, || appender.is_finished());
            stop.ask();
            handle.stop().ask();
            let appended = appender.join().expect("appending does not panic");
            let learned = learner.join().expect("the learner does not panic");
            appended.and(shown).and(learned)
        });
        let status = result?;
        stage.end(&status);
        Ok(ExitCode::SUCCESS)
    }

    /// The project at hand and a pipeline of it, or a made-up one in a folder of its own, which
    /// stays for those who go on.
    fn project(&self, folder: &Path) -> Result<(Setup, String), Failure> {
        let setup = match Setup::load(folder, None) {
            Ok(setup) => setup,
            Err(failure) if self.name.is_some() => return Err(failure),
            Err(_) => {
                let made = tempfile::Builder::new().prefix("trueup-demo-").tempdir();
                let made = made.map_err(anyhow::Error::from)?.keep();
                Init::template_in(&made)?;
                words::say(&format!("no project here: one is made up in {}", made.display()));
                Setup::load(&made, None)?
            }
        };
        let first = || setup.project.definition_names().into_iter().next();
        let name = self.name.clone().or_else(first).ok_or_else(|| {
            let hint = "`trueup init demo` makes a project that has one".to_owned();
            Failure::Usage("the project has no pipeline".to_owned(), Some(hint))
        })?;
        Ok((setup, name))
    }
}

/// Everything that takes part.
struct Stage {
    config: Config,
    folder: PathBuf,
    /// Where each event's files are.
    files: BTreeMap<String, String>,
    span_seconds: f64,
    asker: Asker,
    /// Dropped, it ends the server.
    _server: tokio::sync::oneshot::Sender<()>,
}

impl Stage {
    fn build(setup: &Setup, name: &str) -> Result<Self, Failure> {
        let folder = setup.project.root().join(FOLDER);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(anyhow::Error::from)?;
        }
        let definition = setup.project.definition(name)?;
        let pipeline = definition.pipeline();
        let (mut files, mut events) = (BTreeMap::new(), BTreeMap::new());
        for event in [&pipeline.question.event, &pipeline.label.event] {
            let location = setup.project.location(&setup.environment, event)?;
            let Some(at) = location.files() else {
                let message = format!("the demonstration needs the events in files: `{event}`");
                return Err(Failure::Usage(message, None));
            };
            files.insert(event.clone(), at.to_owned());
            let idle = trueup_event::Duration::from_seconds(2);
            events.insert(event.clone(), Location { at: Place::Log(event.clone()), idle });
        }
        let questions = &files[&pipeline.question.event];
        let dataset = Dataset::open(questions, setup.project.root())?;
        let time = setup.time(&pipeline.question.event);
        let span_seconds = span(setup, &files)?;
        let state = folder.display().to_string();
        let environment = Environment { name: "demo".to_owned(), state, events, record: None };
        let config = Config {
            setup: setup.within(environment),
            name: name.to_owned(),
            sets: Vec::new(),
            once: false,
            fresh: false,
            listen: None,
            checkpoint_every: Duration::from_secs(2),
        };
        let registry = stores::registry(&config.setup)?;
        let bridge =
            Bridge::open(registry, BridgeOptions::default()).map_err(anyhow::Error::from)?;
        let (server, address) = serve(bridge)?;
        let asker = Asker::new(address, name, &pipeline.question.estimate, &time.name, &dataset)?;
        Ok(Self { config, folder, files, span_seconds, asker, _server: server })
    }

    fn introduce(&self, speed: f64) {
        let Self { config, asker, .. } = self;
        let days = self.span_seconds / 86_400.0;
        words::out(&format!(
            "{} learns from {days:.0} days of events at {speed:.0} times their speed\n\
             server     http://{}\n\
             asked over HTTP each second: {}\n\n\
             {:<11}{:>10}{:>10}{:>9}{:>10}{:>10}  {}\n",
            config.name,
            asker.address(),
            asker.question(),
            "event time",
            "questions",
            "versions",
            "primary",
            "as served",
            "better",
            "answer over HTTP",
        ));
    }

    fn append(&self, speed: f64, stop: &Stop) -> Result<(), Failure> {
        let setup = &self.config.setup;
        let folder = setup.log_folder().map_err(anyhow::Error::from)?;
        let mut topics = Vec::new();
        for (event, location) in &self.files {
            let time = setup.time(event);
            let feed = RowFeed::of_files(location, setup.project.root(), &time, (None, None))?;
            let writer = LogWriter::open(&folder, event, LogOptions::default())?;
            let topic = Topic::start(event, event, writer, None, feed);
            topics.push(topic.map_err(anyhow::Error::from)?);
        }
        let pace = Pace { speed: Some(speed), rate: None };
        append::append(topics, pace, stop, &Progress::default(), |_, _| Ok(()))?;
        Ok(())
    }

    /// A line each second until everything is learned, or it is told to stop. Half-way, a person
    /// goes back to an earlier version, and takes that back.
    fn show(
        &self,
        handle: &Handle,
        stop: &Stop,
        is_appended: impl Fn() -> bool,
    ) -> Result<(), Failure> {
        let (began, mut before) = (Instant::now(), None);
        let mut acts = Acts::default();
        let mut ended: Option<(Instant, u64)> = None;
        while !stop.is_asked() {
            std::thread::sleep(LINE_EVERY);
            let Some(status) = handle.status() else { continue };
            if status.phase != daemon::status::Phase::Running {
                return Ok(());
            }
            let answered = self.asker.ask(status.watermark)?;
            self.line(&status, before.as_ref(), &answered);
            if is_appended() {
                let merged = status.merged;
                match ended {
                    Some((since, same)) if same == merged => {
                        if since.elapsed() > Duration::from_secs(3) {
                            return Ok(());
                        }
                    }
                    _ => ended = Some((Instant::now(), merged)),
                }
            }
            acts.play(self, &status, began.elapsed())?;
            before = Some(status);
        }
        Ok(())
    }

    fn line(&self, status: &Status, before: Option<&Status>, answered: &Answered) {
        let time = status.watermark.map_or(String::new(), |time| time.to_string());
        let [primary, _, served] = [0, 1, 2].map(|place| lately(status, before, place));
        let better = primary.zip(served).map(|(primary, served)| (1.0 - served / primary) * 100.0);
        let number =
            |value: Option<f64>| value.map_or("·".to_owned(), |value| format!("{value:.2}"));
        let better = better.map_or("·".to_owned(), |better| format!("{better:.0} %"));
        words::out(&format!(
            "{:<11}{:>10}{:>10}{:>9}{:>10}{:>10}  {answered}\n",
            time.get(..10).unwrap_or("·"),
            status.questions.fed,
            status.versions.newest.unwrap_or(0),
            number(primary),
            number(served),
            better,
        ));
    }

    fn end(&self, status: &Status) {
        let Self { config, folder, .. } = self;
        let [primary, _, served] = status.scores.map(|score| score.map_or(f64::NAN, |s| s.mae));
        let registry = folder.join("registry").display().to_string();
        words::out(&format!(
            "\n{} questions, {} versions: mean absolute error {primary:.2} -> {served:.2} {} \
             (from the very first event on)\n\n\
             go on with\n  \
             trueup registry list {name} --registry {registry}\n  \
             trueup registry log {name} --registry {registry}\n  \
             trueup serve --registry {registry}\n  \
             trueup init --from YOUR.parquet\n",
            status.questions.fed,
            status.versions.newest.unwrap_or(0),
            status.unit,
            name = config.name,
        ));
    }
}

/// What a person does in between.
#[derive(Default)]
struct Acts {
    rolled_back: Option<Instant>,
    is_over: bool,
}

impl Acts {
    fn play(&mut self, stage: &Stage, status: &Status, elapsed: Duration) -> Result<(), Failure> {
        let champion = AliasName::champion();
        let mut model =
            stores::registry(&stage.config.setup)?.model(&stores::model_name(&stage.config.name)?);
        let commit = |reason: &str| stores::by_person("demo", reason);
        match self.rolled_back {
            None if elapsed > Duration::from_secs(10) && status.champion.is_some() => {
                let (to, expect) = (RollbackTo::Previous, Expect::Anything);
                if let Ok(moved) = model.rollback(&champion, to, expect, &commit("to show it")) {
                    let to = words::version(moved.to);
                    words::out(&format!("-- a person rolls back to version {to}, which is held\n"));
                }
                self.rolled_back = Some(Instant::now());
            }
            Some(since) if !self.is_over && since.elapsed() > Duration::from_secs(3) => {
                model.refresh()?;
                let version = model.state().version_last();
                model.promote(&champion, version, Expect::Anything, &commit("to go on"))?;
                words::out(&format!("-- a person promotes version {version}: the hold ends\n"));
                self.is_over = true;
            }
            None | Some(_) => {}
        }
        Ok(())
    }
}

/// The mean absolute error since the status before.
fn lately(status: &Status, before: Option<&Status>, place: usize) -> Option<f64> {
    let sum = |status: &Status| {
        let mae = status.scores[place].map_or(0.0, |score| score.mae);
        (mae * status.questions.learned as f64, status.questions.learned)
    };
    let ((sum_now, count_now), (sum_before, count_before)) =
        (sum(status), before.map_or((0.0, 0), sum));
    (count_now > count_before).then(|| (sum_now - sum_before) / (count_now - count_before) as f64)
}

/// From the first event to the last, in seconds.
fn span(setup: &Setup, files: &BTreeMap<String, String>) -> Result<f64, Failure> {
    let (mut first, mut last) = (EventTime::MAX, EventTime::MIN);
    for (event, location) in files {
        let mut feed =
            RowFeed::of_files(location, setup.project.root(), &setup.time(event), (None, None))?;
        while let Some(rows) = feed.next_rows()? {
            if let Some((from, until)) = rows.times.first().zip(rows.times.last()) {
                (first, last) = (first.min(*from), last.max(*until));
            }
        }
    }
    Ok((last.since(first).hours() * 3600.0).max(1.0))
}

fn serve(
    bridge: Bridge,
) -> Result<(tokio::sync::oneshot::Sender<()>, std::net::SocketAddr), Failure> {
    let runtime = trueup_connector::runtime()?;
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let server = runtime.block_on(Server::bind(address, bridge, ServerOptions::default()));
    let server = server.map_err(anyhow::Error::from)?;
    let address = server.local_addr().map_err(anyhow::Error::from)?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    runtime.spawn(server.serve(async move {
        let _ = stopped.await;
    }));
    Ok((stop, address))
}
