//! From text to [`Definition`]. Shape and range are held against the table of keys first, so that
//! what is read here is known to fit.

use super::{Definition, Label, LabelSource, RealtimeMlPipeline};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::keys::features::FEATURE;
use crate::keys::{Need, Section, learner, pipeline as keys};
use crate::shape;
use crate::tree::{self, Table, Value};
use trueup_event::Duration;
use trueup_learner::features::{FeatureKind, FeatureSpec, Zone};
use trueup_learner::learners::LearnerSpec;
use trueup_learner::spec::{
    Cadence, Correction, GateSpec, Guard, Late, Limit, Objective, Promote, PublishSpec,
    QuestionSpec,
};

/// Reads a definition.
pub(super) fn read(name: &str, file: &str, text: &str) -> Result<Definition, Diagnostics> {
    if !is_name(name) {
        let message = format!("not a name of a pipeline: `{name}`");
        let remedy = "name it with lower-case letters, digits, `_`, `-` and `.`, a letter or \
                      digit first, 64 characters at most";
        return Err(Diagnostic::of_file(file, message, remedy.to_owned()).into());
    }
    let (source, table) = tree::parse(file, text)?;
    let findings = shape::check(&source, &keys::ROOT, &table);
    let mut faults = findings.faults;
    faults.extend(findings.later.into_iter().map(|(_, fault)| fault));
    if !faults.is_empty() {
        return Err(Diagnostics::new(faults));
    }
    Ok(Definition { pipeline: pipeline(name, &table), source })
}

/// Whether a name can stand in paths and registries everywhere.
fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.".contains(&b);
    (1..=64).contains(&name.len())
        && name.bytes().all(allowed)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !name.contains("..")
}

/// A table of known shape; absent keys give their defaults.
struct Known<'a> {
    table: Option<&'a Table>,
    section: &'static Section,
}

impl<'a> Known<'a> {
    const fn new(table: Option<&'a Table>, section: &'static Section) -> Self {
        Self { table, section }
    }

    fn get(&self, name: &str) -> Option<Value> {
        let key = self.section.key(name).expect("only keys of the table are read");
        match (self.table.and_then(|table| table.get(name)), key.need) {
            (Some(value), _) => Some(value.clone()),
            (None, Need::Default(text)) => Some(tree::literal(text)),
            (None, Need::Optional(_) | Need::Required) => None,
        }
    }

    fn maybe_text(&self, name: &str) -> Option<String> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            Some(_) | None => None,
        }
    }

    fn text(&self, name: &str) -> String {
        self.maybe_text(name).expect("the shape was checked: a text")
    }

    fn maybe_number(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(|value| value.number())
    }

    fn number(&self, name: &str) -> f64 {
        self.maybe_number(name).expect("the shape was checked: a number")
    }

    fn maybe_count(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Value::Integer(count)) => u64::try_from(count).ok(),
            Some(_) | None => None,
        }
    }

    fn count(&self, name: &str) -> u64 {
        self.maybe_count(name).expect("the shape was checked: a count")
    }

    fn duration(&self, name: &str) -> Duration {
        self.text(name).parse().expect("the shape was checked: a duration")
    }

    fn texts(&self, name: &str) -> Vec<String> {
        self.items(name)
            .into_iter()
            .filter_map(|item| match item {
                Value::Text(text) => Some(text),
                _ => None,
            })
            .collect()
    }

    fn items(&self, name: &str) -> Vec<Value> {
        match self.get(name) {
            Some(Value::Array(items)) => items,
            Some(_) | None => Vec::new(),
        }
    }
}

fn pipeline(name: &str, table: &Table) -> RealtimeMlPipeline {
    let root = Known::new(Some(table), &keys::ROOT);
    let section = |name, section| Known::new(table.table(name), section);
    let main = section("learner", &keys::LEARNER);
    let join = section("join", &keys::JOIN);
    RealtimeMlPipeline {
        name: name.to_owned(),
        unit: root.text("unit"),
        question: question(&section("question", &keys::QUESTION)),
        label: label(&section("label", &keys::LABEL)),
        references: root.texts("reference"),
        features: features(table.table("features")),
        learner: learner(&main),
        challengers: tables(&root, "challenger", &keys::CHALLENGER, |table| learner(&table)),
        objective: objective(&main),
        correction: match main.text("correction").as_str() {
            "multiplicative" => Correction::Multiplicative,
            _ => Correction::Additive,
        },
        limit: limit(main.table.and_then(|table| table.table("limit"))),
        gate: gate(&section("gate", &keys::GATE)),
        publish: publish(&section("publish", &keys::PUBLISH)),
        late: match join.text("late").as_str() {
            "apply" => Late::Apply,
            _ => Late::Drop,
        },
        pending_max: usize::try_from(join.count("pending_max")).unwrap_or(usize::MAX),
    }
}

fn tables<T>(
    from: &Known<'_>,
    name: &str,
    section: &'static Section,
    read: impl Fn(Known<'_>) -> T,
) -> Vec<T> {
    let items = from.items(name);
    let tables = items.iter().filter_map(|item| match item {
        Value::Table(table) => Some(read(Known::new(Some(table), section))),
        _ => None,
    });
    tables.collect()
}

fn question(table: &Known<'_>) -> QuestionSpec {
    QuestionSpec {
        event: table.text("event"),
        join: table.text("join"),
        id: table.maybe_text("id"),
        estimate: table.text("estimate"),
        served_answer: table.maybe_text("served_answer"),
    }
}

fn label(table: &Known<'_>) -> Label {
    let value = match table.get("value") {
        Some(Value::Table(value)) => {
            let value = Known::new(Some(&value), &keys::ELAPSED);
            LabelSource::Elapsed { from: value.text("from"), until: value.text("until") }
        }
        Some(_) | None => LabelSource::Column(table.text("value")),
    };
    Label {
        event: table.text("event"),
        join: table.text("join"),
        value,
        wait: table.duration("wait"),
    }
}

fn features(table: Option<&Table>) -> Vec<FeatureSpec> {
    let entries = table.map(|table| table.0.as_slice()).unwrap_or_default();
    let features = entries.iter().map(|(name, value)| {
        let empty = Table::default();
        let (word, table) = match value {
            Value::Table(table) => (Known::new(Some(table), &FEATURE).text("as"), table),
            Value::Text(word) => (word.clone(), &empty),
            _ => unreachable!("the shape was checked: a feature is a word or a table"),
        };
        let table = Known::new(Some(table), &FEATURE);
        FeatureSpec { name: name.clone(), kind: feature(name, &word, &table) }
    });
    features.collect()
}

fn feature(name: &str, word: &str, table: &Known<'_>) -> FeatureKind {
    let column = || table.maybe_text("column").unwrap_or_else(|| name.to_owned());
    let zone = || match table.get("zone") {
        Some(Value::Table(zone)) => Zone::Column(
            Known::new(Some(&zone), &crate::keys::features::ZONE_COLUMN).text("column"),
        ),
        Some(_) | None => Zone::Named(table.text("zone")),
    };
    match word {
        "category" => FeatureKind::Category { column: column() },
        "number" => FeatureKind::Number { column: column() },
        "log" => FeatureKind::Log { column: column() },
        "bucket" => FeatureKind::Bucket {
            column: column(),
            edges: table.items("edges").iter().filter_map(Value::number).collect(),
        },
        "hour_of_week" => FeatureKind::HourOfWeek { time: table.text("time"), zone: zone() },
        "hour_of_day" => FeatureKind::HourOfDay { time: table.text("time"), zone: zone() },
        "day_of_week" => FeatureKind::DayOfWeek { time: table.text("time"), zone: zone() },
        geohash => FeatureKind::Geohash {
            latitude: table.text("latitude"),
            longitude: table.text("longitude"),
            precision: geohash
                .trim_start_matches("geohash")
                .parse()
                .expect("the shape was checked: a form"),
        },
    }
}

fn learner(table: &Known<'_>) -> LearnerSpec {
    let kind = table.text("kind");
    let entries = table.table.map(|table| table.0.as_slice()).unwrap_or_default();
    let own = entries.iter().filter(|(name, _)| table.section.key(name).is_none());
    let params = own.map(|(name, value)| (name.clone(), value.to_json())).collect();
    learner::from_json(&kind, serde_json::Value::Object(params))
        .expect("the shape was checked: parameters")
}

fn objective(table: &Known<'_>) -> Objective {
    match table.get("objective") {
        Some(Value::Table(quantile)) => {
            Objective::Quantile(Known::new(Some(&quantile), &keys::QUANTILE).number("quantile"))
        }
        Some(Value::Text(word)) if word == "mean" => Objective::Mean,
        Some(_) | None => Objective::Median,
    }
}

fn limit(table: Option<&Table>) -> Limit {
    let table = Known::new(table, &keys::LIMIT);
    Limit {
        absolute: table.maybe_number("absolute"),
        relative: table.maybe_number("relative"),
        floor: table.maybe_number("floor"),
    }
}

fn gate(table: &Known<'_>) -> GateSpec {
    GateSpec {
        confidence: table.number("confidence"),
        independent: table.maybe_text("independent"),
        units_min: table.count("units_min"),
        guards: tables(table, "guard", &keys::GUARD, |guard| Guard {
            metric: guard.text("metric"),
            worse_by: guard.number("worse_by"),
            per: guard.maybe_text("per"),
            questions_min: guard.count("questions_min"),
        }),
        change_max: table.number("change_max"),
    }
}

fn publish(table: &Known<'_>) -> PublishSpec {
    PublishSpec {
        every: match table.maybe_count("every_labels") {
            Some(labels) => Cadence::Labels(labels),
            None => Cadence::Time(table.duration("every")),
        },
        promote: match table.text("promote").as_str() {
            "shadow" => Promote::Shadow,
            "manual" => Promote::Manual,
            _ => Promote::Automatic,
        },
        expires: table.duration("expires"),
        serving_delay: table.duration("serving_delay"),
        base_every: table.count("base_every"),
    }
}
