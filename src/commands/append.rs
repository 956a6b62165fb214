//! `trueup append`: feeds the embedded log of an environment.

use crate::append::{self, Appended, Ended, Pace, Topic};
use crate::failure::Failure;
use crate::progress;
use crate::setup::Setup;
use crate::signals::{self, Stop};
use crate::words::{self, parse_time};
use anyhow::Context;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use trueup_connector::feed::{BadRow, RowFeed, Span};
use trueup_connector::log::{CutTail, LogOptions, LogWriter, describe};
use trueup_connector::ndjson::NdjsonColumns;
use trueup_pipeline::Place;

/// So many rows that cannot be used are shown.
const BAD_SHOWN: u64 = 20;

/// Append events to the embedded log of an environment, for `trueup run` to learn from.
#[derive(Debug, clap::Args)]
pub(crate) struct Append {
    /// Pipelines whose events are taken from `--from`, all if none is named; or EVENT=SOURCE, with
    /// a Parquet file, folder or pattern, lines of JSON (`.ndjson`, `.jsonl`), or `-` for lines of
    /// JSON from standard input.
    #[arg(value_name = "PIPELINE | EVENT=SOURCE")]
    what: Vec<String>,

    /// The environment of `trueup.toml` whose log is fed; by default its `default_environment`.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,

    /// The environment where the events of the pipelines live, as Parquet.
    #[arg(long, value_name = "NAME")]
    from: Option<String>,

    /// Event time against wall time, such as `3600x`: an hour in a second; or `max`.
    #[arg(long, value_name = "SPEED", default_value = "max", value_parser = speed)]
    speed: Speed,

    /// No more events per second than this, of all topics together.
    #[arg(long, value_name = "EVENTS_PER_SECOND", value_parser = positive)]
    rate: Option<f64>,

    /// The number of partitions of a new topic.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    partitions: Option<u32>,

    /// The column whose value chooses the partition of a row.
    #[arg(long, value_name = "COLUMN")]
    key: Option<String>,

    /// Only events at or after this: `2013-06-01` or `2013-06-01T12:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Moment>,

    /// Only events before this.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Moment>,

    /// Write every row that cannot be used, as lines of JSON.
    #[arg(long, value_name = "FILE")]
    dead_letters: Option<PathBuf>,

    /// Set rows aside that are damaged though they were confirmed, and use their offsets again.
    #[arg(long)]
    accept_loss: bool,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// An event and where its rows come from.
struct Wanted {
    event: String,
    topic: String,
    source: String,
}

impl Append {
    pub(crate) fn run(&self, project: &Path) -> Result<ExitCode, Failure> {
        let setup = Setup::load(project, self.env.as_deref())?;
        let wanted = self.wanted(project, &setup)?;
        let letters = match &self.dead_letters {
            None => None,
            Some(path) => Some(File::create(path).with_context(|| cannot_write(path))?),
        };
        let stop = Stop::default();
        signals::listen(&stop)?;
        let mut letters = Letters { file: letters, path: self.dead_letters.clone(), shown: 0 };
        let pace = Pace { speed: self.speed.0, rate: self.rate };
        let result = progress::with_bar(|progress| {
            let mut topics = Vec::new();
            for wanted in &wanted {
                let (topic, row_count) = self.open(&setup, wanted)?;
                progress.total.fetch_add(row_count, Ordering::Relaxed);
                topics.push(topic);
            }
            append::append(topics, pace, &stop, progress, |event, bad| letters.tell(event, bad))
        });
        let (mut appended, ended) = result?;
        letters.end()?;
        for topic in &mut appended {
            let found = describe(&setup.log_folder()?, &topic.topic)?;
            let parts = found.iter().flat_map(|found| &found.partitions);
            topic.bytes = parts.map(|part| part.bytes).sum();
        }
        self.tell(&setup, &appended, ended);
        Ok(ExitCode::SUCCESS)
    }

    /// What is to be appended, in the order of the events' names.
    fn wanted(&self, project: &Path, setup: &Setup) -> Result<Vec<Wanted>, Failure> {
        let (mut wanted, mut pipelines) = (Vec::new(), Vec::new());
        for word in &self.what {
            match word.split_once('=') {
                None => pipelines.push(word),
                Some((event, source)) => wanted.push(Wanted {
                    event: event.to_owned(),
                    topic: topic(setup, event)?,
                    source: source.to_owned(),
                }),
            }
        }
        if pipelines.is_empty() && !wanted.is_empty() && self.from.is_none() {
            return distinct(wanted);
        }
        let Some(from) = &self.from else {
            let hint = "name the environment where they live with `--from`, or write EVENT=SOURCE";
            let message = "it is not said where the events come from".to_owned();
            return Err(Failure::Usage(message, Some(hint.to_owned())));
        };
        let mut events = BTreeSet::new();
        for name in &pipelines {
            let definition = setup.project.definition(name)?;
            let pipeline = definition.pipeline();
            events.insert(pipeline.question.event.clone());
            events.insert(pipeline.label.event.clone());
        }
        if pipelines.is_empty() && wanted.is_empty() {
            let logged = setup.environment.events.iter();
            let logged = logged.filter(|(_, at)| matches!(at.at, Place::Log(_)));
            events.extend(logged.map(|(event, _)| event.clone()));
        }
        let other = Setup::load(project, Some(from))?;
        for event in events {
            let topic = topic(setup, &event)?;
            let source = match &other.project.location(&other.environment, &event)?.at {
                Place::Files(location) => location.clone(),
                Place::Log(_) => {
                    let message = format!("the events live in a log in `{from}`: `{event}`");
                    let hint = "name an environment where they live in Parquet files".to_owned();
                    return Err(Failure::Usage(message, Some(hint)));
                }
            };
            wanted.push(Wanted { event, topic, source });
        }
        distinct(wanted)
    }

    /// Opens a topic and begins to read its source; gives the number of rows, as far as known.
    fn open(&self, setup: &Setup, wanted: &Wanted) -> Result<(Topic, u64), Failure> {
        let Wanted { event, topic, source } = wanted;
        let (folder, time) = (setup.log_folder()?, setup.time(event));
        let span: Span = (self.since.map(|m| m.0), self.until.map(|m| m.0));
        let feed = if is_lines(source) {
            let known = describe(&folder, topic)?.filter(|found| !found.schema.fields().is_empty());
            let columns =
                known.map_or(NdjsonColumns::Inferred, |found| NdjsonColumns::Begun(found.schema));
            RowFeed::of_lines(lines(setup, source)?, source, columns, &time, span)
        } else {
            RowFeed::of_files(source, setup.project.root(), &time, span)?
        };
        let found = describe(&folder, topic)?.map(|found| found.partitions.len() as u32);
        let count = found.or(self.partitions).unwrap_or(1);
        if count > 1 && self.key.is_none() {
            let message = format!("the topic has {count} partitions: `{topic}`");
            let hint = "name the column that chooses the partition with `--key`".to_owned();
            return Err(Failure::Usage(message, Some(hint)));
        }
        let options = LogOptions {
            partitions: self.partitions,
            accepts_loss: self.accept_loss,
            ..LogOptions::default()
        };
        let writer = LogWriter::open(&folder, topic, options)?;
        for cut in writer.cut_tails() {
            warn(topic, cut);
        }
        let key = self.key.clone().filter(|_| writer.partitions() > 1);
        let row_count = feed.row_count().unwrap_or(0);
        let topic = Topic::start(event, topic, writer, key, feed).map_err(anyhow::Error::from)?;
        Ok((topic, row_count))
    }

    fn tell(&self, setup: &Setup, appended: &[Appended], ended: Ended) {
        for topic in appended {
            let (event, source) = (&topic.event, "rows have not happened yet: their time is null");
            if topic.null_time_rows > 0 {
                words::say(&format!("{event}: {} {source}", topic.null_time_rows));
            }
            if topic.bad_rows > 0 {
                words::say(&format!("{event}: {} rows cannot be used", topic.bad_rows));
            }
        }
        if ended == Ended::Stopped {
            let last = appended.iter().filter_map(|topic| topic.last_event_time.as_deref()).max();
            words::say(&format!("stopped before the end, at {}", last.unwrap_or("the beginning")));
        }
        if self.json {
            let environment = &setup.environment.name;
            words::json(&json!({
                "schema_version": 1, "environment": environment, "ended": ended, "topics": appended,
            }));
            return;
        }
        for topic in appended {
            let offsets: Vec<_> = topic.partitions.iter().map(ToString::to_string).collect();
            words::out(&format!(
                "{}: {} rows appended, offsets {}, topic of {} bytes, {:.0} rows/s\n",
                topic.topic,
                topic.rows,
                offsets.join(" "),
                topic.bytes,
                topic.rows_per_second
            ));
        }
    }
}

/// Tells of what a writer before left unfinished.
fn warn(topic: &str, cut: &CutTail) {
    let CutTail { partition, bytes, kept_in, next_offset, confirmed_rows } = cut;
    let place = format!("`{topic}` partition {partition}, offset {next_offset}");
    let kept =
        kept_in.as_ref().map_or(String::new(), |path| format!(", kept: `{}`", path.display()));
    words::say(&format!("warning: {bytes} unfinished bytes were cut off at {place}{kept}"));
    if *confirmed_rows > 0 {
        words::say(&format!(
            "warning: {confirmed_rows} durable rows were lost there: is the disk well?"
        ));
    }
}

/// Each event once: a topic has one writer.
fn distinct(wanted: Vec<Wanted>) -> Result<Vec<Wanted>, Failure> {
    for (at, one) in wanted.iter().enumerate() {
        if wanted[..at].iter().any(|other| other.topic == one.topic) {
            let message = format!("a topic is named twice: `{}`", one.topic);
            let hint = "a folder or a pattern names several files".to_owned();
            return Err(Failure::Usage(message, Some(hint)));
        }
    }
    match wanted.is_empty() {
        false => Ok(wanted),
        true => {
            let hint = "let an event be `{ log = \"NAME\" }` in the environment".to_owned();
            Err(Failure::Usage("no event lives in a log here".to_owned(), Some(hint)))
        }
    }
}

/// The topic of an event.
fn topic(setup: &Setup, event: &str) -> Result<String, Failure> {
    match &setup.project.location(&setup.environment, event)?.at {
        Place::Log(topic) => Ok(topic.clone()),
        Place::Files(location) => {
            let environment = &setup.environment.name;
            let message =
                format!("the events live in files in `{environment}`, `{location}`: `{event}`");
            let hint = "choose an environment with `--env` where they live in a log".to_owned();
            Err(Failure::Usage(message, Some(hint)))
        }
    }
}

fn is_lines(source: &str) -> bool {
    let endings = [".ndjson", ".jsonl", ".json"];
    source == "-" || endings.iter().any(|ending| source.ends_with(ending))
}

fn lines(setup: &Setup, source: &str) -> Result<Box<dyn std::io::Read + Send>, Failure> {
    if source == "-" {
        return Ok(Box::new(std::io::stdin()));
    }
    let path = setup.project.root().join(source);
    let file = File::open(&path).map_err(|error| {
        let error = anyhow::Error::from(error).context(format!("cannot read `{source}`"));
        Failure::Operation(error, Some("relative paths start at the project's folder".to_owned()))
    })?;
    Ok(Box::new(file))
}

/// Rows that cannot be used: shown, the first of them, and written.
struct Letters {
    file: Option<File>,
    path: Option<PathBuf>,
    shown: u64,
}

impl Letters {
    fn tell(&mut self, event: &str, bad: &BadRow) -> Result<(), Failure> {
        self.shown += 1;
        if self.shown <= BAD_SHOWN {
            let BadRow { file, row, reason } = bad;
            words::say(&format!("{event}: `{file}` row {row}: {reason}"));
        }
        if self.shown == BAD_SHOWN + 1 {
            words::say("more rows that cannot be used are only counted");
        }
        if let (Some(file), Some(path)) = (&mut self.file, &self.path) {
            let BadRow { file: from, row, reason } = bad;
            let line = json!({ "event": event, "file": from, "row": row, "reason": reason });
            writeln!(file, "{line}").with_context(|| cannot_write(path))?;
        }
        Ok(())
    }

    fn end(self) -> Result<(), Failure> {
        if let (Some(file), Some(path)) = (&self.file, &self.path) {
            file.sync_all().with_context(|| cannot_write(path))?;
            words::say(&format!("wrote {}", path.display()));
        }
        Ok(())
    }
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write dead letters: `{}`", path.display())
}

/// Seconds of event time per second; none as fast as it goes.
#[derive(Debug, Clone, Copy)]
struct Speed(Option<f64>);

#[derive(Debug, Clone, Copy)]
struct Moment(trueup_event::EventTime);

fn speed(text: &str) -> Result<Speed, String> {
    match text {
        "max" => Ok(Speed(None)),
        times => positive(times.strip_suffix('x').unwrap_or(times))
            .map(|times| Speed(Some(times)))
            .map_err(|_| "write `3600x`, or `max`".to_owned()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "it must be a number above 0".to_owned())
}

fn moment(text: &str) -> Result<Moment, String> {
    let hint = "write `2013-06-01`, `2013-06-01T12:00:00Z` or `2013-06-01T12:00:00-04:00`";
    parse_time(text).map(Moment).ok_or_else(|| hint.to_owned())
}
