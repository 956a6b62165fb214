//! The texts of the project and its definition.

use super::features::Choice;
use super::profile::{Column, Table};
use super::roles::{Roles, Value};
use super::stats::{quantile, round_up, sorted};
use super::{Inference, Notice, names};
use crate::check::{ColumnKind, is_category};
use crate::definition::RealtimeMlPipeline;
use crate::project::Epoch;
use crate::tree::{Value as Toml, bare_or_quoted};
use trueup_event::Duration;
use trueup_learner::features::FeatureKind;
use trueup_learner::learners::linear::LinearParams;
use trueup_learner::learners::rls::RlsParams;
use trueup_learner::learners::segment::SegmentParams;
use trueup_learner::learners::LearnerSpec;
use trueup_learner::spec::{Guard, Limit};

/// How long labels are waited for: the first that is twice the slowest of a thousand.
const WAITS_HOURS: [i64; 9] = [1, 2, 6, 12, 24, 72, 168, 720, 2160];

/// Both texts.
pub(super) fn inference(
    roles: &Roles<'_>,
    choice: &Choice,
    notices: Vec<Notice>,
) -> Inference {
    let events = event_names(roles);
    let pipeline = pipeline(roles, choice, &events);
    Inference {
        name: pipeline.name.clone(),
        project: project(roles, &events),
        definition: definition(&pipeline, choice),
        notices,
    }
}

/// Names for the two events: of their files where these differ.
fn event_names(roles: &Roles<'_>) -> [String; 2] {
    let plain = |table: &Table| {
        let path = table.location.trim_end_matches('/');
        let file = path.rsplit('/').next().unwrap_or(path);
        let stem = file.split('.').next().unwrap_or(file);
        names::words(stem).join("_")
    };
    let (question, label) = (plain(roles.question), plain(roles.label));
    if question == label || question.is_empty() || label.is_empty() {
        ["questions".to_owned(), "labels".to_owned()]
    } else {
        [question, label]
    }
}

fn pipeline(roles: &Roles<'_>, choice: &Choice, events: &[String; 2]) -> RealtimeMlPipeline {
    let estimate = &roles.estimate.name;
    let name: String = names::words(estimate).join("_").chars().filter(char::is_ascii).collect();
    let name = if name.is_empty() { "estimate".to_owned() } else { name };
    let mut pipeline = RealtimeMlPipeline::new(name.chars().take(64).collect::<String>())
        .unit(roles.unit.unwrap_or("units"))
        .question(&events[0], &roles.question_join.name, estimate)
        .wait(wait(roles))
        .limit(limit(roles));
    pipeline.label.event.clone_from(&events[1]);
    pipeline.label.join.clone_from(&roles.label_join.name);
    pipeline = match roles.value {
        Value::Column(column) => {
            pipeline.label(&events[1], &roles.label_join.name, &column.name)
        }
        Value::Elapsed { .. } => {
            pipeline.label_elapsed(&roles.question_time.name, &roles.label_time.name)
        }
    };
    pipeline.references.clone_from(&choice.references);
    pipeline.features.clone_from(&choice.features);
    learners(pipeline, roles)
}

/// Recent means of the categories lead; a hashed linear model and decayed means challenge them.
fn learners(mut pipeline: RealtimeMlPipeline, roles: &Roles<'_>) -> RealtimeMlPipeline {
    let mut names: Vec<(usize, String)> = pipeline
        .features
        .iter()
        .filter_map(|feature| match &feature.kind {
            FeatureKind::Category { column } => {
                let distinct = roles.question.column(column).map_or(0, |column| column.distinct);
                Some((distinct, feature.name.clone()))
            }
            FeatureKind::Number { .. }
            | FeatureKind::Log { .. }
            | FeatureKind::Bucket { .. }
            | FeatureKind::HourOfWeek { .. }
            | FeatureKind::HourOfDay { .. }
            | FeatureKind::DayOfWeek { .. }
            | FeatureKind::Geohash { .. } => None,
        })
        .collect();
    names.sort();
    names.truncate(4);
    let names: Vec<String> = names.into_iter().map(|(_, name)| name).collect();
    let singles: Vec<Vec<String>> = names.iter().map(|name| vec![name.clone()]).collect();
    let mut crosses = Vec::new();
    for (i, first) in names.iter().enumerate() {
        crosses.extend(names[i + 1..].iter().map(|other| vec![first.clone(), other.clone()]));
    }
    let levels: Vec<Vec<String>> =
        (1..=names.len().min(3)).map(|depth| names[..depth].to_vec()).collect();
    pipeline.learner =
        LearnerSpec::Rls(RlsParams { recent: singles.clone(), ..Default::default() });
    if names.is_empty() {
        return pipeline;
    }
    pipeline.challengers = vec![
        LearnerSpec::Linear(LinearParams { crosses, ..Default::default() }),
        LearnerSpec::Segment(SegmentParams { levels, ..Default::default() }),
    ];
    pipeline.gate.guards = vec![guard(roles, &pipeline)];
    pipeline
}

/// The slow tail may get worse by a twentieth, in each value of the coarsest category.
fn guard(roles: &Roles<'_>, pipeline: &RealtimeMlPipeline) -> Guard {
    let tail = sorted(roles.residuals().iter().map(|residual| residual.abs()));
    let worse_by = round_up(quantile(&tail, 0.95).unwrap_or(1.0) / 20.0);
    let named = RealtimeMlPipeline::new("guard").guard("p95", worse_by);
    let questions_min = named.gate.guards.first().map_or(100, |guard| guard.questions_min);
    let coarsest = pipeline.features.iter().filter(|feature| is_category(&feature.kind));
    let per = coarsest
        .filter_map(|feature| roles.question.column(&feature.name))
        .min_by_key(|column| column.distinct)
        .map(|column| column.name.clone());
    Guard { metric: "p95".to_owned(), worse_by, per, questions_min }
}

fn wait(roles: &Roles<'_>) -> Duration {
    let slow = quantile(&roles.delays(), 0.999).unwrap_or(0.0);
    let hours = WAITS_HOURS.into_iter().find(|hours| *hours as f64 * 3.6e9 >= 2.0 * slow);
    Duration::from_hours(hours.unwrap_or(WAITS_HOURS[WAITS_HOURS.len() - 1]))
}

/// As far as ninety-nine of a hundred errors go; never below zero where no outcome is.
fn limit(roles: &Roles<'_>) -> Limit {
    let residuals = sorted(roles.residuals().iter().map(|residual| residual.abs()));
    let outcomes = sorted(roles.pairs.iter().filter_map(|pair| roles.actual(*pair)));
    let absolute = quantile(&residuals, 0.99).map(round_up);
    let floor = outcomes.first().filter(|lowest| **lowest >= 0.0).map(|_| 0.0);
    Limit { absolute, relative: None, floor }
}

/// The definition, with the columns that were left out as comments below the features.
fn definition(pipeline: &RealtimeMlPipeline, choice: &Choice) -> String {
    let mut text = String::from(
        "# Guessed from the columns of the data: read it before you trust it.\n",
    );
    let mut comments = String::from("# hours are counted in UTC: name the zone your users live in\n");
    for left_out in &choice.left_out {
        comments.push_str(&format!("# left out: {} {}\n", left_out.column, left_out.reason));
    }
    let toml = pipeline.to_toml();
    match toml.find("\n[learner]") {
        Some(end) => {
            text.push_str(&toml[..end]);
            text.push_str(&comments);
            text.push_str(&toml[end..]);
        }
        None => text.push_str(&toml),
    }
    text
}

fn project(roles: &Roles<'_>, events: &[String; 2]) -> String {
    let mut text = String::from("default_environment = \"local\"\n");
    for (event, time) in events.iter().zip([roles.question_time, roles.label_time]) {
        text.push_str(&format!("\n[event.{}]\n", bare_or_quoted(event)));
        text.push_str(&format!("time     = {}\n", Toml::Text(time.name.clone())));
        text.push_str(&time_lines(time));
        text.push_str("disorder = \"5m\"\n");
    }
    text.push_str("\n[environment.local]\nstate = \".trueup\"\n");
    for (event, table) in events.iter().zip([roles.question, roles.label]) {
        let place = Toml::Text(table.location.clone());
        text.push_str(&format!("events.{} = {place}\n", bare_or_quoted(event)));
    }
    text
}

fn time_lines(time: &Column) -> String {
    let epoch = time.epoch.map(|epoch| match epoch {
        Epoch::Seconds => "s",
        Epoch::Milliseconds => "ms",
        Epoch::Microseconds => "us",
        Epoch::Nanoseconds => "ns",
    });
    match (epoch, time.kind) {
        (Some(epoch), _) => format!("epoch    = \"{epoch}\"\n"),
        (None, ColumnKind::ZonelessTime) => {
            "zone     = \"UTC\"                  # guessed: the column does not say\n".to_owned()
        }
        (None, _) => String::new(),
    }
}
