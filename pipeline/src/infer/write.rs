//! The texts of the project and its definition.

use super::features::Choice;
use super::profile::{Column, Table};
use super::roles::{Roles, Value};
use super::stats::{quantile, round_up, sorted};
use super::{Inference, Notice, names};
use crate::check::ColumnKind;
use crate::definition::RealtimeMlPipeline;
use crate::project::Epoch;
use crate::tree::{Value as Toml, bare_or_quoted};
use std::collections::BTreeMap;
use trueup_event::Duration;
use trueup_learner::features::FeatureKind;
use trueup_learner::learners::LearnerSpec;
use trueup_learner::learners::linear::LinearParams;
use trueup_learner::learners::rls::RlsParams;
use trueup_learner::learners::segment::SegmentParams;
use trueup_learner::spec::{Guard, Limit};

/// How long labels are waited for: the first that is twice the slowest of a thousand.
const WAITS_HOURS: [i64; 9] = [1, 2, 6, 12, 24, 72, 168, 720, 2160];

/// Both texts.
pub(super) fn inference(roles: &Roles<'_>, choice: &Choice, notices: Vec<Notice>) -> Inference {
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
        Value::Column(column) => pipeline.label(&events[1], &roles.label_join.name, &column.name),
        Value::Elapsed { .. } => {
            pipeline.label_elapsed(&roles.question_time.name, &roles.label_time.name)
        }
    };
    pipeline.references.clone_from(&choice.references);
    pipeline.features.clone_from(&choice.features);
    learners(pipeline, roles)
}

/// Recent means of the categories that tell most of the error lead; a hashed linear model with
/// their crosses and decayed means per segment challenge them.
fn learners(mut pipeline: RealtimeMlPipeline, roles: &Roles<'_>) -> RealtimeMlPipeline {
    let columns = telling(&pipeline, roles);
    let name = |column: &&Column| column.name.clone();
    let all: Vec<String> = columns.iter().map(name).collect();
    let mut recent: Vec<Vec<String>> = all.iter().map(|name| vec![name.clone()]).collect();
    recent.extend(all.get(..2).map(<[String]>::to_vec));
    pipeline.learner = LearnerSpec::Rls(RlsParams { recent, ..Default::default() });
    if all.is_empty() {
        return pipeline;
    }
    let mut crosses = Vec::new();
    for (i, first) in all.iter().enumerate() {
        crosses.extend(all[i + 1..].iter().map(|other| vec![first.clone(), other.clone()]));
    }
    // A segment is a place or a kind, which lasts; hours and days come and go.
    let lasting = |column: &&&Column| !names::is_calendar(&column.name);
    let mut coarse: Vec<&Column> = columns.iter().filter(lasting).take(3).copied().collect();
    coarse.sort_by_key(|column| column.distinct);
    let path: Vec<String> = coarse.iter().map(name).collect();
    let levels = (1..=path.len()).map(|depth| path[..depth].to_vec()).collect();
    pipeline.challengers = vec![
        LearnerSpec::Linear(LinearParams { crosses, ..Default::default() }),
        LearnerSpec::Segment(SegmentParams { levels, ..Default::default() }),
    ];
    pipeline.gate.guards = vec![guard(roles, coarse.first().map(name))];
    pipeline
}

/// The four categories whose means tell most of the estimate's error, the most telling first.
fn telling<'a>(pipeline: &RealtimeMlPipeline, roles: &Roles<'a>) -> Vec<&'a Column> {
    let mut columns: Vec<(f64, &Column)> = pipeline
        .features
        .iter()
        .filter_map(|feature| match &feature.kind {
            FeatureKind::Category { column } => roles.question.column(column),
            FeatureKind::Number { .. }
            | FeatureKind::Log { .. }
            | FeatureKind::Bucket { .. }
            | FeatureKind::HourOfWeek { .. }
            | FeatureKind::HourOfDay { .. }
            | FeatureKind::DayOfWeek { .. }
            | FeatureKind::Geohash { .. } => None,
        })
        .map(|column| (explained(column, roles), column))
        .collect();
    columns.sort_by(|a, b| b.0.total_cmp(&a.0));
    columns.into_iter().take(4).map(|(_, column)| column).collect()
}

/// How much of the squared error the means of a column's values explain; values seen a few times
/// count for little.
fn explained(column: &Column, roles: &Roles<'_>) -> f64 {
    const SHRINK: f64 = 20.0;
    let mut groups: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    let (mut sum, mut count) = (0.0, 0.0);
    for pair in &roles.pairs {
        let (Some(actual), Some(estimate)) = (roles.actual(*pair), roles.estimate.value(pair.0))
        else {
            continue;
        };
        let group = groups.entry(column.hashes.get(pair.0).copied().unwrap_or(0)).or_default();
        group.0 += actual - estimate;
        group.1 += 1.0;
        sum += actual - estimate;
        count += 1.0;
    }
    let mean = sum / f64::max(count, 1.0);
    let part = |(sum, count): (f64, f64)| {
        let apart = sum / count - mean;
        count * apart * apart * count / (count + SHRINK)
    };
    groups.into_values().map(part).sum()
}

/// The slow tail may get worse by a twentieth.
fn guard(roles: &Roles<'_>, per: Option<String>) -> Guard {
    let tail = sorted(roles.residuals().iter().map(|residual| residual.abs()));
    let worse_by = round_up(quantile(&tail, 0.95).unwrap_or(1.0) / 20.0);
    let named = RealtimeMlPipeline::new("guard").guard("p95", worse_by);
    let questions_min = named.gate.guards.first().map_or(100, |guard| guard.questions_min);
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
    let mut text =
        String::from("# Guessed from the columns of the data: read it before you trust it.\n");
    let mut comments =
        String::from("# hours are counted in UTC: name the zone your users live in\n");
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
    // A label counted from the question's time reads that too where both are in one file.
    let from = match roles.value {
        Value::Elapsed { .. } if roles.is_wide() => Some(roles.question_time),
        Value::Elapsed { .. } | Value::Column(_) => None,
    };
    let times = [(roles.question_time, None), (roles.label_time, from)];
    for (event, (time, other)) in events.iter().zip(times) {
        text.push_str(&format!("\n[event.{}]\n", bare_or_quoted(event)));
        text.push_str(&format!("time     = {}\n", Toml::Text(time.name.clone())));
        let own = time_lines(time);
        text.push_str(&own);
        let more = other.map(time_lines).filter(|more| *more != own);
        text.push_str(&more.unwrap_or_default());
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
