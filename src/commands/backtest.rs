//! `trueup backtest`: replay recorded events, and report what serving would have seen.

use crate::failure::Failure;
use crate::progress;
use crate::setup::Setup;
use crate::words::parse_time;
use crate::{publishing, words};
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use trueup_backtest::table::{Colour, Style};
use trueup_backtest::{Options, Output, page, publication_of, replay, table};
use trueup_event::EventTime;

/// Replay recorded events through pipelines, and report what serving would have seen.
#[derive(Debug, clap::Args)]
pub(crate) struct Backtest {
    /// The pipelines, compared side by side; the first is the baseline.
    #[arg(required = true, value_name = "PIPELINE")]
    names: Vec<String>,

    /// The environment of `trueup.toml`; by default its `default_environment`.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,

    /// Print one JSON object instead of the table.
    #[arg(long)]
    json: bool,

    /// Write every question of the first pipeline with its answers and outcome, as Parquet.
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,

    /// Write a page with plots.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Write every dead letter of the first pipeline, as lines of JSON.
    #[arg(long, value_name = "FILE")]
    dead_letters: Option<PathBuf>,

    /// Only events at or after this: `2013-06-01` or `2013-06-01T12:00:00Z`.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,

    /// Stop before this; nothing at or after it is seen.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,

    /// Change a key of the pipelines for this run, such as `learner.rate=0.1`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Publish the versions of the first pipeline to the registry of the environment.
    #[arg(long)]
    publish: bool,

    /// Let the learner of the first pipeline go on from a published version: a number, an alias,
    /// or the first digits of a digest.
    #[arg(long, value_name = "VERSION")]
    warm_start: Option<String>,

    /// Replay what a live run of the environment recorded, with the control inputs that it obeyed;
    /// by default its own recording.
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    recording: Option<Option<PathBuf>>,

    /// How many pipelines learn at the same time.
    #[arg(long, value_name = "N", default_value_t = 8)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,

    /// How many rows are read at a time; no result depends on it.
    #[arg(long, value_name = "N", default_value_t = 8192)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    batch_rows: u32,
}

impl Backtest {
    pub(crate) fn run(&self, project: &Path) -> Result<ExitCode, Failure> {
        let (from, to) = self.span()?;
        let setup = Setup::load(project, self.env.as_deref())?;
        let mut jobs = Vec::new();
        for name in &self.names {
            jobs.push(match &self.recording {
                None => setup.job(name, &self.set)?,
                Some(folder) => {
                    publishing::recorded_job(&setup, name, &self.set, folder.as_deref())?
                }
            });
        }
        let mut warm_start = None;
        if let Some(version) = &self.warm_start {
            let model = publishing::setup_model(&setup, &self.names[0])?;
            let (order, number) = publishing::warm_start(&model, version, &jobs[0].spec)?;
            jobs[0].orders.insert(0, order);
            warm_start = Some(number);
        }
        let options = Options {
            threads: usize::from(self.threads),
            batch_rows: self.batch_rows as usize,
            from,
            to,
            page: self.report.is_some() || self.json,
        };
        let output = Output {
            predictions: self.predictions.clone(),
            dead_letters: self.dead_letters.clone(),
            candidates: None,
        };
        let run = |candidates| {
            let output = Output { candidates, ..output.clone() };
            progress::with_bar(|progress| replay(&jobs, &options, &output, progress))
        };
        let report = if self.publish {
            let mut publication = publication_of(&jobs[0])?;
            publication.warm_start = warm_start;
            let model = publishing::setup_model(&setup, &self.names[0])?;
            let (report, new, all) =
                publishing::publishing(model, &publication, |candidates| run(Some(candidates)))?;
            let report = report?;
            words::say(&format!("published {new} new versions of {all}"));
            report
        } else {
            run(None)?
        };
        // Before the first word on standard output: a failure leaves nothing there.
        if let Some(path) = &self.report {
            std::fs::write(path, page::html(&report))
                .with_context(|| format!("cannot write the page: `{}`", path.display()))?;
        }
        if self.json {
            words::json(&report);
        } else {
            let colour = if words::may_colour() { Colour::Ansi } else { Colour::Plain };
            words::out(&table::text(&report, Style { colour, width: words::width_columns() }));
        }
        for path in [&self.report, &self.predictions, &self.dead_letters].into_iter().flatten() {
            words::say(&format!("wrote {}", path.display()));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The times of `--from` and `--to`, the first before the second.
    fn span(&self) -> Result<(Option<EventTime>, Option<EventTime>), Failure> {
        let from = time("--from", self.from.as_deref())?;
        let to = time("--to", self.to.as_deref())?;
        if let Some((from, to)) = from.zip(to)
            && from >= to
        {
            let message = format!("nothing lies between the two: `--from {from} --to {to}`");
            let hint = "let `--from` be before `--to`".to_owned();
            return Err(Failure::Usage(message, Some(hint)));
        }
        Ok((from, to))
    }
}

fn time(flag: &str, text: Option<&str>) -> Result<Option<EventTime>, Failure> {
    let Some(text) = text else { return Ok(None) };
    parse_time(text).map(Some).ok_or_else(|| {
        let hint = "write `2013-06-01`, `2013-06-01T12:00:00Z` or `2013-06-01T12:00:00-04:00`";
        Failure::Usage(format!("not a time: `{flag} {text}`"), Some(hint.to_owned()))
    })
}
