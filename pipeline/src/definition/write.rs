//! From [`RealtimeMlPipeline`] to text: every section in the order of the table of keys, without
//! what is the default anyway.

use super::{LabelSource, RealtimeMlPipeline};
use crate::keys::features::FORMS;
use crate::keys::{Need, Section, learner, pipeline as keys};
use crate::tree::{self, Table, Value, bare_or_quoted};
use trueup_event::Duration;
use trueup_learner::features::{FeatureKind, FeatureSpec, Zone};
use trueup_learner::learners::{LEARNERS, LearnerSpec};
use trueup_learner::spec::{
    Cadence, Correction, GateSpec, Late, Limit, Objective, Promote, PublishSpec,
};

/// The text of a pipeline's file.
pub(super) fn to_toml(pipeline: &RealtimeMlPipeline) -> String {
    let mut text = String::new();
    lines(&mut text, &root(pipeline).0);
    section(&mut text, "[question]", &question(pipeline));
    section(&mut text, "[label]", &label(pipeline));
    section(&mut text, "[features]", &features(&pipeline.features));
    section(&mut text, "[learner]", &main_learner(pipeline));
    for challenger in &pipeline.challengers {
        section(&mut text, "[[challenger]]", &params(challenger));
    }
    section(&mut text, "[gate]", &gate(&pipeline.gate));
    section(&mut text, "[publish]", &publish(&pipeline.publish));
    section(&mut text, "[join]", &join(pipeline));
    text
}

fn section(text: &mut String, header: &str, table: &Table) {
    if !table.0.is_empty() {
        text.push_str(&format!("\n{header}\n"));
        lines(text, &table.0);
    }
}

/// One line per entry, the equal signs in one column.
fn lines(text: &mut String, entries: &[(String, Value)]) {
    let keys: Vec<String> = entries.iter().map(|(key, _)| bare_or_quoted(key)).collect();
    let width = keys.iter().map(|key| key.chars().count()).max().unwrap_or(0);
    for (key, (_, value)) in keys.iter().zip(entries) {
        text.push_str(&format!("{key:<width$} = {value}\n"));
    }
}

/// Collects the entries of a section, leaving out those that are the default.
struct Entries {
    section: &'static Section,
    table: Table,
}

impl Entries {
    const fn of(section: &'static Section) -> Self {
        Self { section, table: Table(Vec::new()) }
    }

    fn put(mut self, name: &str, value: impl Into<Option<Value>>) -> Self {
        let key = self.section.key(name).expect("only keys of the table are written");
        if let Some(value) = value.into() {
            let is_default = match key.need {
                Need::Default(text) => same(&tree::literal(text), &value),
                Need::Required | Need::Optional(_) => false,
            };
            if !is_default {
                self.table.0.push((name.to_owned(), value));
            }
        }
        self
    }
}

/// Whether two values mean the same: `1` and `1.0` do, `"1h"` and `"60m"` do not.
fn same(a: &Value, b: &Value) -> bool {
    a == b || a.number().is_some() && a.number() == b.number()
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn maybe(value: Option<&String>) -> Option<Value> {
    value.map(|value| text(value))
}

/// A number as a person writes it: whole numbers without a fraction.
fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let is_whole =
        value.fract() == 0.0 && value.abs() < EXACT && !(value == 0.0 && value.is_sign_negative());
    if is_whole { Value::Integer(value as i64) } else { Value::Float(value) }
}

fn count(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

/// A time in the largest unit that holds it whole: `24h` stays readable as `1d`.
fn duration(value: Duration) -> Value {
    Value::Text(value.to_string())
}

fn root(pipeline: &RealtimeMlPipeline) -> Table {
    let references = pipeline.references.iter().map(|name| text(name)).collect();
    Entries::of(&keys::ROOT)
        .put("unit", text(&pipeline.unit))
        .put("reference", Value::Array(references))
        .table
}

fn question(pipeline: &RealtimeMlPipeline) -> Table {
    let question = &pipeline.question;
    Entries::of(&keys::QUESTION)
        .put("event", text(&question.event))
        .put("join", text(&question.join))
        .put("id", maybe(question.id.as_ref()))
        .put("estimate", text(&question.estimate))
        .put("served_answer", maybe(question.served_answer.as_ref()))
        .table
}

fn label(pipeline: &RealtimeMlPipeline) -> Table {
    let label = &pipeline.label;
    let value = match &label.value {
        LabelSource::Column(column) => text(column),
        LabelSource::Elapsed { from, until } => Value::Table(
            Entries::of(&keys::ELAPSED).put("from", text(from)).put("until", text(until)).table,
        ),
    };
    Entries::of(&keys::LABEL)
        .put("event", text(&label.event))
        .put("join", text(&label.join))
        .put("value", value)
        .put("wait", duration(label.wait))
        .table
}

fn features(features: &[FeatureSpec]) -> Table {
    Table(features.iter().map(|feature| (feature.name.clone(), feature_value(feature))).collect())
}

fn feature_value(feature: &FeatureSpec) -> Value {
    let entries = Entries::of(&crate::keys::features::FEATURE);
    let form = form(&feature.kind);
    let with_column = |column: &String, entries: Entries| {
        if *column == feature.name { entries } else { entries.put("column", text(column)) }
    };
    let entries = match &feature.kind {
        FeatureKind::Category { column }
        | FeatureKind::Number { column }
        | FeatureKind::Log { column } => {
            if *column == feature.name {
                return text(form);
            }
            with_column(column, entries).put("as", text(form))
        }
        FeatureKind::Bucket { column, edges } => with_column(column, entries)
            .put("as", text(form))
            .put("edges", Value::Array(edges.iter().map(|edge| number(*edge)).collect())),
        FeatureKind::HourOfWeek { time, zone: at }
        | FeatureKind::HourOfDay { time, zone: at }
        | FeatureKind::DayOfWeek { time, zone: at } => {
            entries.put("time", text(time)).put("as", text(form)).put("zone", zone(at))
        }
        FeatureKind::Geohash { latitude, longitude, precision: _ } => entries
            .put("latitude", text(latitude))
            .put("longitude", text(longitude))
            .put("as", text(form)),
    };
    Value::Table(entries.table)
}

/// The word after `as`.
fn form(kind: &FeatureKind) -> &'static str {
    match kind {
        FeatureKind::Category { .. } => "category",
        FeatureKind::Number { .. } => "number",
        FeatureKind::Log { .. } => "log",
        FeatureKind::Bucket { .. } => "bucket",
        FeatureKind::HourOfWeek { .. } => "hour_of_week",
        FeatureKind::HourOfDay { .. } => "hour_of_day",
        FeatureKind::DayOfWeek { .. } => "day_of_week",
        FeatureKind::Geohash { precision, .. } => {
            let word = format!("geohash{precision}");
            let known = FORMS.iter().find(|form| form.name == word);
            known.map_or("geohash12", |form| form.name)
        }
    }
}

fn zone(zone: &Zone) -> Value {
    match zone {
        Zone::Named(name) => text(name),
        Zone::Column(column) => Value::Table(
            Entries::of(&crate::keys::features::ZONE_COLUMN).put("column", text(column)).table,
        ),
    }
}

fn main_learner(pipeline: &RealtimeMlPipeline) -> Table {
    let objective = match pipeline.objective {
        Objective::Median => text("median"),
        Objective::Mean => text("mean"),
        Objective::Quantile(quantile) => {
            Value::Table(Entries::of(&keys::QUANTILE).put("quantile", Value::Float(quantile)).table)
        }
    };
    let correction = match pipeline.correction {
        Correction::Additive => "additive",
        Correction::Multiplicative => "multiplicative",
    };
    let mut learner = params(&pipeline.learner);
    let rest = learner.0.split_off(1);
    let own = Entries::of(&keys::LEARNER)
        .put("kind", learner.0.pop().map(|(_, kind)| kind))
        .put("objective", objective)
        .put("correction", text(correction))
        .put("limit", limit(pipeline.limit));
    Table(own.table.0.into_iter().chain(rest).collect())
}

fn limit(limit: Limit) -> Value {
    Value::Table(
        Entries::of(&keys::LIMIT)
            .put("absolute", limit.absolute.map(number))
            .put("relative", limit.relative.map(number))
            .put("floor", limit.floor.map(number))
            .table,
    )
}

/// `kind`, then the parameters that differ from the kind's defaults.
fn params(spec: &LearnerSpec) -> Table {
    let kind = LEARNERS.iter().find(|kind| kind.name == spec.kind());
    let defaults = kind.map(|kind| learner::to_json(&(kind.defaults)()));
    let values = learner::to_json(spec);
    let mut table = Table(vec![("kind".to_owned(), text(spec.kind()))]);
    for param in learner::params(spec.kind()).unwrap_or_default() {
        let value = values.get(&param.name);
        let is_default = value == defaults.as_ref().and_then(|all| all.get(&param.name));
        if let Some(value) = value.filter(|_| !is_default).and_then(from_json) {
            table.0.push((param.name, value));
        }
    }
    table
}

/// JSON as TOML; null, which TOML does not have, is left out.
fn from_json(value: &serde_json::Value) -> Option<Value> {
    Some(match value {
        serde_json::Value::Null => return None,
        serde_json::Value::Bool(value) => Value::Boolean(*value),
        serde_json::Value::Number(value) => match value.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => Value::Float(value.as_f64()?),
        },
        serde_json::Value::String(value) => text(value),
        serde_json::Value::Array(items) => {
            Value::Array(items.iter().filter_map(from_json).collect())
        }
        serde_json::Value::Object(entries) => {
            let entries = entries.iter();
            Value::Table(Table(
                entries.filter_map(|(key, value)| Some((key.clone(), from_json(value)?))).collect(),
            ))
        }
    })
}

fn gate(gate: &GateSpec) -> Table {
    let guards = gate.guards.iter().map(|guard| {
        Value::Table(
            Entries::of(&keys::GUARD)
                .put("metric", text(&guard.metric))
                .put("worse_by", number(guard.worse_by))
                .put("per", maybe(guard.per.as_ref()))
                .put("questions_min", count(guard.questions_min))
                .table,
        )
    });
    Entries::of(&keys::GATE)
        .put("confidence", Value::Float(gate.confidence))
        .put("independent", maybe(gate.independent.as_ref()))
        .put("units_min", count(gate.units_min))
        .put("guard", Value::Array(guards.collect()))
        .put("change_max", number(gate.change_max))
        .table
}

fn publish(publish: &PublishSpec) -> Table {
    let promote = match publish.promote {
        Promote::Automatic => "automatic",
        Promote::Shadow => "shadow",
        Promote::Manual => "manual",
    };
    let entries = Entries::of(&keys::PUBLISH);
    let entries = match publish.every {
        Cadence::Time(every) => entries.put("every", duration(every)),
        Cadence::Labels(labels) => entries.put("every_labels", count(labels)),
    };
    entries
        .put("promote", text(promote))
        .put("expires", duration(publish.expires))
        .put("serving_delay", duration(publish.serving_delay))
        .put("base_every", count(publish.base_every))
        .table
}

fn join(pipeline: &RealtimeMlPipeline) -> Table {
    let late = match pipeline.late {
        Late::Drop => "drop",
        Late::Apply => "apply",
    };
    let pending = u64::try_from(pipeline.pending_max).unwrap_or(u64::MAX);
    Entries::of(&keys::JOIN).put("pending_max", count(pending)).put("late", text(late)).table
}
