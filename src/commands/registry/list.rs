//! `trueup registry list` and `log`.

use super::{Context, print, split, time};
use crate::failure::Failure;
use crate::words;
use serde_json::json;
use std::process::ExitCode;
use trueup_registry::{Change, Entry, Form, State};

/// List the models, or the versions of one, newest first.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// The model.
    #[arg(value_name = "MODEL")]
    model: Option<String>,

    /// How many versions are listed.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,

    /// What the aliases named at a point of wall-clock time, such as `2026-06-01T12:00:00Z`.
    #[arg(long, value_name = "TIME", requires = "model")]
    as_of: Option<String>,
}

impl List {
    pub(super) fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        match &self.model {
            None => self.models(context)?,
            Some(model) => self.versions(context, model)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn models(&self, context: &Context) -> Result<(), Failure> {
        let mut values = Vec::new();
        let mut rows = vec![heads(&["model", "versions", "champion", "newest", "published"])];
        for name in context.registry.models()? {
            let model = context.model(name.as_str())?;
            let state = model.state();
            let champion = champion(state);
            let newest = state.versions().values().next_back();
            let published = newest.map_or(String::new(), |newest| time(newest.at_micros));
            let number = newest.map_or(String::new(), |v| v.summary.version.to_string());
            let count = state.versions().len();
            values.push(json!({
                "model": name, "versions": count, "champion": champion.0, "is_held": champion.1,
                "newest": newest.map(|v| v.summary.version),
                "published_micros": newest.map(|v| v.at_micros),
            }));
            let champion = named(champion);
            rows.push(vec![name.to_string(), count.to_string(), champion, number, published]);
        }
        if values.is_empty() && !context.json {
            words::say("nothing is published yet: `trueup run` and `trueup backtest --publish` do");
        }
        let rows = if values.is_empty() { Vec::new() } else { rows };
        print(context, &values, &rows);
        Ok(())
    }

    fn versions(&self, context: &Context, text: &str) -> Result<(), Failure> {
        let model = context.model(split(text).0)?;
        if let Some(at) = &self.as_of {
            let at_micros = words::parse_time(at).ok_or_else(|| {
                let hint = "write `2026-06-01` or `2026-06-01T12:00:00Z`".to_owned();
                Failure::Usage(format!("not a time: `--as-of {at}`"), Some(hint))
            })?;
            let aliases = model.as_of(at_micros.micros())?;
            let row = |(alias, version): (&_, &Option<u64>)| {
                vec![format!("{alias}"), words::version(*version)]
            };
            let mut rows = vec![heads(&["alias", "version"])];
            rows.extend(aliases.iter().map(row));
            print(context, &aliases, &rows);
            return Ok(());
        }
        let state = model.state();
        let names = ["version", "boundary", "verdict", "lineage", "form", "bytes", "digest", ""];
        let mut rows = vec![heads(&names)];
        let mut values = Vec::new();
        for version in state.versions().values().rev().take(self.limit) {
            let summary = &version.summary;
            let mut notes: Vec<String> = state
                .aliases()
                .iter()
                .filter(|(_, alias)| alias.version == Some(summary.version))
                .map(|(name, alias)| {
                    format!("{name}{}", if alias.is_held { " (held)" } else { "" })
                })
                .collect();
            notes.extend(version.is_quarantined.then(|| "quarantined".to_owned()));
            notes.extend(version.tags.iter().map(|(key, value)| format!("{key}={value}")));
            rows.push(vec![
                summary.version.to_string(),
                time(summary.boundary_micros),
                summary.verdict.clone(),
                summary.lineage.to_string(),
                form(summary.form).to_owned(),
                (summary.serving.length + summary.training.length).to_string(),
                summary.state_digest[..16.min(summary.state_digest.len())].to_owned(),
                notes.join(", "),
            ]);
            values.push(json!(version));
        }
        print(context, &values, &rows);
        let hidden = state.versions().len().saturating_sub(self.limit);
        if hidden > 0 && !context.json {
            words::say(&format!(
                "{hidden} older versions are not shown: `--limit {}`",
                hidden + self.limit
            ));
        }
        Ok(())
    }
}

/// Say who did what to a model, when and why; newest first.
#[derive(Debug, clap::Args)]
pub(crate) struct Log {
    /// The model.
    #[arg(value_name = "MODEL")]
    model: String,

    /// How many entries are shown.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

impl Log {
    pub(super) fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let model = context.model(&self.model)?;
        let mut rows = vec![heads(&["entry", "at", "who", "what", "why"])];
        let mut values = Vec::new();
        for number in (1..=model.state().number()).rev().take(self.limit) {
            // What stands behind a checkpoint may have been collected.
            let Some(entry) = model.entry(number)? else { break };
            rows.push(row(&entry));
            values.push(json!(entry));
        }
        print(context, &values, &rows);
        Ok(ExitCode::SUCCESS)
    }
}

/// An entry as a row of the log.
pub(super) fn row(entry: &Entry) -> Vec<String> {
    let what: Vec<String> = entry.changes.iter().map(told).collect();
    let who = match &entry.writer {
        Some(writer) => format!("{} (epoch {})", entry.actor, writer.epoch),
        None => entry.actor.clone(),
    };
    let at = time(entry.at_micros);
    vec![entry.number.to_string(), at, who, what.join("; "), entry.reason.clone()]
}

fn told(change: &Change) -> String {
    match change {
        Change::Writer { shard, epoch } => format!("owner of {shard} is epoch {epoch}"),
        Change::Publish { versions } => match versions.as_slice() {
            [one] => format!("published {}", one.version),
            [first, .., last] => format!("published {} to {}", first.version, last.version),
            [] => "published nothing".to_owned(),
        },
        Change::Alias { alias, from, to, hold } => {
            let held = if *hold { ", held" } else { "" };
            format!("{alias} {} -> {}{held}", words::version(*from), words::version(*to))
        }
        Change::Tag { version, key, value } => format!("tagged {version} {key}={value}"),
        Change::Quarantine { version } => format!("quarantined {version}"),
        Change::Tombstone { versions, .. } => format!("gave up {} versions", versions.len()),
    }
}

pub(super) fn heads(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(super) const fn form(form: Form) -> &'static str {
    match form {
        Form::Base => "base",
        Form::Delta => "delta",
    }
}

/// The champion, and whether it is held.
fn champion(state: &State) -> (Option<u64>, bool) {
    let alias = state.aliases().get(&trueup_registry::AliasName::champion());
    alias.map_or((None, false), |alias| (alias.version, alias.is_held))
}

fn named((version, is_held): (Option<u64>, bool)) -> String {
    let number = words::version(version);
    if is_held { format!("{number} (held)") } else { number }
}
