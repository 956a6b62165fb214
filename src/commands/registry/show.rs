//! `trueup registry show` and `verify`.

use super::list::{form, heads};
use super::{Context, find, print, split, time};
use crate::failure::Failure;
use crate::{stores, words};
use serde_json::json;
use std::process::ExitCode;
use trueup_backtest::publication::{self, Record};
use trueup_learner::effect::Score;
use trueup_registry::{Finding, ModelRegistry, VersionSummary};

/// Show a version: where it comes from, how good it is, what the gate said.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The version, such as `flight_eta@12`; without `@`, the champion.
    #[arg(value_name = "MODEL@VERSION")]
    version: String,

    /// Print the definition that it was made by, as JSON.
    #[arg(long)]
    definition: bool,
}

impl Show {
    pub(super) fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let (model, found) = find(context, &self.version)?;
        if self.definition {
            words::json(&publication::definition(&model, found.version)?);
            return Ok(ExitCode::SUCCESS);
        }
        let record = publication::record(&model, found.version)?;
        let rows = rows(&model, &found, &record);
        print(context, &json!({ "version": found, "record": record }), &rows);
        Ok(ExitCode::SUCCESS)
    }
}

fn rows(model: &ModelRegistry, found: &VersionSummary, record: &Record) -> Vec<Vec<String>> {
    let aliases = model.state().aliases().iter();
    let aliases: Vec<_> = aliases
        .filter(|(_, alias)| alias.version == Some(found.version))
        .map(|(name, _)| name.to_string())
        .collect();
    let parent = found.parent.map_or(String::new(), |parent| format!(" against {parent}"));
    let mut rows = vec![
        row("version", format!("{} of {}  {}", found.version, record.pipeline, aliases.join(", "))),
        row("boundary", time(found.boundary_micros)),
        row("trained", format!("until {}", time(found.trained_until_micros))),
        row("learner", format!("{}, lineage {}", record.learner, found.lineage)),
        row("verdict", found.verdict.clone()),
        row("artifact", format!("{}{parent}", form(found.form))),
        row("serving", slice(&found.serving)),
        row("training", slice(&found.training)),
        row("state", found.state_digest.clone()),
        row("definition", record.definition_digest.clone()),
        row("history", format!("{} after {} events", record.history, record.merged)),
        row("made by", format!("trueup {} in {}", record.code_version, record.environment)),
    ];
    for input in &record.inputs {
        let place = format!("{} {}", input.event, input.partition);
        let text = format!("to offset {}, digest {}", input.next_offset, input.digest);
        rows.push(row("input", format!("{place} {text}")));
    }
    for source in &record.sources {
        rows.push(row("source", format!("{}: {} {}", source.event, source.kind, source.location)));
    }
    let scores = &record.scores;
    let all =
        [("primary", scores.primary), ("corrected", scores.corrected), ("served", scores.served)];
    for (name, score) in all {
        let Some(Score { mae, bias }) = score else { continue };
        let unit = &record.unit;
        let text = format!("mean absolute error {mae:.3}, bias {bias:.3} {unit}");
        rows.push(row(name, format!("{text} over {} questions", scores.questions)));
    }
    rows
}

fn row(name: &str, text: String) -> Vec<String> {
    vec![name.to_owned(), text]
}

fn slice(slice: &trueup_registry::Slice) -> String {
    format!("{} bytes, sha256 {}", slice.length, slice.sha256)
}

/// Read every file and say which are damaged, missing or unknown.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The models; by default all.
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
}

impl Verify {
    /// Exit code 1 when something is wrong.
    pub(super) fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let names = match self.models.as_slice() {
            [] => context.registry.models()?,
            names => {
                let names = names.iter().map(|name| stores::model_name(split(name).0));
                names.collect::<Result<_, _>>()?
            }
        };
        let mut findings: Vec<Finding> = Vec::new();
        for name in &names {
            findings.extend(context.registry.model(name).verify()?);
        }
        let mut rows = vec![heads(&["file", "problem", "detail"])];
        rows.extend(findings.iter().map(|finding| {
            let problem = format!("{:?}", finding.problem).to_lowercase();
            vec![finding.path.clone(), problem, finding.detail.clone()]
        }));
        if findings.is_empty() {
            rows = vec![vec![format!("every file of {} model(s) is whole", names.len())]];
        }
        print(context, &findings, &rows);
        Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}
