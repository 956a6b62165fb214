//! `trueup registry`: what is published, who moved what and when, and moving it.
//!
//! A version is written `MODEL@VERSION`, where VERSION is a number, an alias, or the first digits
//! of a state's digest; without it, the champion is meant.

mod change;
mod diff;
mod list;
mod show;
mod watch;

use crate::failure::Failure;
use crate::{stores, words};
use std::path::Path;
use std::process::ExitCode;
use trueup_registry::{ModelRegistry, Registry as Registered, VersionSummary};

/// List, show and move published versions.
#[derive(Debug, clap::Args)]
pub(crate) struct Registry {
    /// The environment of `trueup.toml`; by default its `default_environment`.
    #[arg(long, global = true, value_name = "NAME")]
    env: Option<String>,

    /// A registry's folder or address, instead of that of an environment.
    #[arg(long, global = true, value_name = "LOCATION")]
    registry: Option<String>,

    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Compare two versions: definition, inputs, errors, weights.
    Diff(diff::Diff),
    /// Give up old versions and delete what only they need.
    Gc(change::Gc),
    /// List the models, or the versions of one, newest first.
    List(list::List),
    /// Say who did what to a model, when and why; newest first.
    Log(list::Log),
    /// Make a version the champion, and end a hold.
    Promote(change::Promote),
    /// Mark a version as bad: it is never promoted again.
    Quarantine(change::Quarantine),
    /// Go back to an earlier version and hold it until a promotion.
    Rollback(change::Rollback),
    /// Show a version: where it comes from, how good it is, what the gate said.
    Show(show::Show),
    /// Read every file and say which are damaged, missing or unknown.
    Verify(show::Verify),
    /// Tell of every change as it happens, until interrupted.
    Watch(watch::Watch),
}

/// What every action needs.
pub(crate) struct Context {
    pub(crate) registry: Registered,
    pub(crate) json: bool,
}

impl Registry {
    pub(crate) fn run(&self, project: &Path) -> Result<ExitCode, Failure> {
        if self.env.is_some() && self.registry.is_some() {
            let message = "`--env` and `--registry` exclude each other".to_owned();
            return Err(Failure::Usage(message, None));
        }
        let registry =
            super::serve::registry(project, self.env.as_deref(), self.registry.as_deref())?;
        let context = Context { registry, json: self.json };
        match &self.action {
            Action::Diff(action) => action.run(&context),
            Action::Gc(action) => action.run(&context),
            Action::List(action) => action.run(&context),
            Action::Log(action) => action.run(&context),
            Action::Promote(action) => action.run(&context),
            Action::Quarantine(action) => action.run(&context),
            Action::Rollback(action) => action.run(&context),
            Action::Show(action) => action.run(&context),
            Action::Verify(action) => action.run(&context),
            Action::Watch(action) => action.run(&context),
        }
    }
}

impl Context {
    /// A model that has been published to.
    pub(crate) fn model(&self, name: &str) -> Result<ModelRegistry, Failure> {
        let mut model = self.registry.model(&stores::model_name(name)?);
        model.refresh()?;
        if model.state().number() > 0 {
            return Ok(model);
        }
        let known = self.registry.models()?;
        let names: Vec<_> = known.iter().map(|known| known.as_str()).collect();
        let hint = match names.as_slice() {
            [] => "publish with `trueup run` or `trueup backtest --publish`".to_owned(),
            names => format!("there are `{}`", names.join("`, `")),
        };
        let message = format!("no such model in the registry: `{name}`");
        Err(Failure::Operation(anyhow::anyhow!(message), Some(hint)))
    }
}

/// A model and a version of it, as they are written on the command line.
pub(crate) fn split(text: &str) -> (&str, &str) {
    text.split_once('@').unwrap_or((text, "champion"))
}

/// The version that a text such as `flight_eta@12` means.
pub(crate) fn find(
    context: &Context,
    text: &str,
) -> Result<(ModelRegistry, VersionSummary), Failure> {
    let (name, version) = split(text);
    let model = context.model(name)?;
    let found = model.resolve(version)?.clone();
    Ok((model, found))
}

/// A point of time in microseconds, for people.
pub(crate) fn time(micros: i64) -> String {
    match micros {
        i64::MIN => "never".to_owned(),
        micros => trueup_event::EventTime::from_micros(micros).to_string(),
    }
}

/// Rows in columns as wide as they need be, two spaces apart.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Prints rows for people, or a value as JSON.
pub(crate) fn print(context: &Context, value: &impl serde::Serialize, rows: &[Vec<String>]) {
    if context.json { words::json(value) } else { words::out(&columns(rows)) }
}
