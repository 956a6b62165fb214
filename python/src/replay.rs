//! `trueup.backtest`: the replay, with the interpreter free while it runs.

use crate::arrow_io::{Given, IN_MEMORY};
use crate::error::{Failure, warn};
use crate::pipeline::Pipeline;
use crate::report::Report;
use crate::toml;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;
use trueup_backtest::setup::Setup;
use trueup_backtest::{Job, Options, Output, Progress, replay};
use trueup_event::EventTime;
use trueup_pipeline::{Definition, Project, overrides};

/// How often signals are looked for and progress is told.
const TICK: Duration = Duration::from_millis(20);

/// Replays pipelines over recorded events.
#[pyfunction]
#[pyo3(signature = (
    *pipelines, project = None, env = None, set = None, start = None, end = None,
    questions = None, labels = None, predictions = true, progress = None,
))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
pub(crate) fn backtest(
    py: Python<'_>,
    pipelines: &Bound<'_, PyTuple>,
    project: Option<PathBuf>,
    env: Option<&str>,
    set: Option<&Bound<'_, PyAny>>,
    start: Option<&Bound<'_, PyAny>>,
    end: Option<&Bound<'_, PyAny>>,
    questions: Option<&Bound<'_, PyAny>>,
    labels: Option<&Bound<'_, PyAny>>,
    predictions: bool,
    progress: Option<&Bound<'_, PyAny>>,
) -> Result<Report, Failure> {
    let span = span(start, end)?;
    let sets = toml::sets(set)?;
    let questions = questions.map(|given| Given::take(given, "questions")).transpose()?;
    let labels = labels.map(|given| Given::take(given, "labels")).transpose()?;
    let mut jobs = Vec::new();
    for pipeline in flat(pipelines)? {
        let (mut setup, definition) = setup(&pipeline, project.as_deref(), env)?;
        setup.questions = questions.as_ref().map(|given| given.place.clone());
        setup.labels = labels.as_ref().map(|given| given.place.clone());
        let definition = overrides::changed(&definition, &sets)?;
        let (job, warnings) = py.detach(|| setup.job(&definition))?;
        warn(py, &warnings)?;
        jobs.push(job);
    }
    let bar = bar(py, progress)?;
    let (mut report, folder) = run(py, &jobs, span, predictions, bar.as_ref())?;
    for run in &mut report.runs {
        let given = [(&mut run.question_event, &questions), (&mut run.label_event, &labels)];
        for (stream, given) in given {
            if given.as_ref().is_some_and(Given::is_table) {
                stream.location = IN_MEMORY.to_owned();
            }
        }
    }
    Ok(Report::new(report, folder))
}

/// Pipelines and lists of pipelines, as one list.
fn flat<'py>(given: &Bound<'py, PyTuple>) -> Result<Vec<Bound<'py, PyAny>>, Failure> {
    let mut all = Vec::new();
    for one in given {
        if one.is_instance_of::<PyList>() || one.is_instance_of::<PyTuple>() {
            all.extend(one.try_iter()?.collect::<PyResult<Vec<_>>>()?);
        } else {
            all.push(one);
        }
    }
    if all.is_empty() {
        return Err(Failure::usage("no pipeline is named", "name one, such as `\"flight_eta\"`"));
    }
    Ok(all)
}

/// The project of a pipeline and what the pipeline says.
fn setup(
    given: &Bound<'_, PyAny>,
    project: Option<&Path>,
    env: Option<&str>,
) -> Result<(Setup, Definition), Failure> {
    if let Ok(pipeline) = given.cast::<Pipeline>() {
        let pipeline = pipeline.borrow();
        return Ok((Setup::of(pipeline.project(project)?, env)?, pipeline.definition()?));
    }
    if !given.is_instance_of::<PyString>() {
        return Err(Failure::usage(
            format!("not a pipeline: `{}`", given.get_type().name()?),
            "give the name of one, or a RealtimeMLPipeline",
        ));
    }
    let project = Project::load(project.unwrap_or(Path::new(".")))?;
    let definition = project.definition(&given.extract::<String>()?)?;
    Ok((Setup::of(project, env)?, definition))
}

type Span = [Option<EventTime>; 2];

fn span(start: Option<&Bound<'_, PyAny>>, end: Option<&Bound<'_, PyAny>>) -> Result<Span, Failure> {
    let span = [time("start", start)?, time("end", end)?];
    match span {
        [Some(start), Some(end)] if start >= end => Err(Failure::usage(
            format!("nothing lies between start and end: `{start}`, `{end}`"),
            "let `start` be before `end`",
        )),
        span => Ok(span),
    }
}

/// A text, a date or a datetime; a day alone begins in UTC.
fn time(name: &str, given: Option<&Bound<'_, PyAny>>) -> Result<Option<EventTime>, Failure> {
    let Some(given) = given else { return Ok(None) };
    let text: String = match given.hasattr("isoformat")? {
        true => given.call_method0("isoformat")?.extract()?,
        false => given.extract()?,
    };
    let day = || {
        let day: jiff::civil::Date = text.parse().ok()?;
        Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    match text.parse::<jiff::Timestamp>().ok().or_else(day) {
        Some(time) => Ok(Some(EventTime::from_micros(time.as_microsecond()))),
        None => Err(Failure::usage(
            format!("not a time given as {name}: `{text}`"),
            "give a day such as `2013-06-01`, or a time with its zone such as \
             `2013-06-01T12:00:00Z`",
        )),
    }
}

/// Who is told of progress: nobody, a bar, or what was handed in.
fn bar<'py>(
    py: Python<'py>,
    progress: Option<&Bound<'py, PyAny>>,
) -> Result<Option<Bound<'py, PyAny>>, Failure> {
    let Some(progress) = progress else { return Ok(None) };
    match progress.extract::<bool>() {
        Ok(false) => Ok(None),
        Ok(true) => Ok(Some(py.import("trueup._progress")?.call_method0("bar")?)),
        Err(_) => Ok(Some(progress.clone())),
    }
}

type Ran = (trueup_backtest::Report, Option<Arc<tempfile::TempDir>>);

fn run(
    py: Python<'_>,
    jobs: &[Job],
    [from, to]: Span,
    predictions: bool,
    bar: Option<&Bound<'_, PyAny>>,
) -> Result<Ran, Failure> {
    let disk = |error: std::io::Error| Failure::operation(&error);
    let folder = predictions
        .then(|| tempfile::Builder::new().prefix("trueup-").tempdir())
        .transpose()
        .map_err(disk)?;
    let output = Output {
        predictions: folder.as_ref().map(|folder| folder.path().join(Report::PREDICTIONS)),
        ..Output::default()
    };
    let options = Options { from, to, page: true, threads: 8, ..Options::default() };
    let report = watched(py, bar, |progress| replay(jobs, &options, &output, progress))?;
    Ok((report?, folder.map(Arc::new)))
}

/// Runs `work` on a thread without the interpreter's lock. This one tells of progress and looks
/// for signals; Ctrl-C stops the work at its next batch.
fn watched<T: Send>(
    py: Python<'_>,
    bar: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Progress) -> T + Send,
) -> Result<T, Failure> {
    let progress = Progress::default();
    let tell = || {
        py.check_signals()?;
        let counts = [&progress.done, &progress.total].map(|count| count.load(Ordering::Relaxed));
        bar.map_or(Ok(()), |bar| bar.call1((counts[0], counts[1])).map(drop))
    };
    let (sender, receiver) = sync_channel(1);
    let receiver = std::sync::Mutex::new(receiver);
    let mut refused = None;
    let result = std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let result = work(&progress);
            drop(sender);
            result
        });
        let is_busy = || {
            let end = receiver.lock().expect("nobody else holds it");
            matches!(end.recv_timeout(TICK), Err::<(), _>(RecvTimeoutError::Timeout))
        };
        while py.detach(is_busy) {
            if refused.is_none()
                && let Err(error) = tell()
            {
                progress.stop.store(true, Ordering::Relaxed);
                refused = Some(error);
            }
        }
        py.detach(|| worker.join())
    });
    match (refused, result) {
        (_, Err(panic)) => std::panic::resume_unwind(panic),
        (Some(error), Ok(_)) => Err(error.into()),
        (None, Ok(result)) => {
            tell()?;
            Ok(result)
        }
    }
}
