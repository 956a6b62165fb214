//! The parameters of each kind of learner, read off the learner's own declaration.

use super::Choice;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;
use trueup_learner::learners::{LEARNERS, LearnerSpec, elastic_net, linear, rls, segment};

/// A parameter of a learner.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Its key.
    pub name: String,
    /// Its JSON Schema, without the description.
    pub schema: Value,
    /// The value that holds when it is absent; null for none.
    pub default: Value,
    /// What it means.
    pub about: String,
}

/// The kinds of learner.
#[must_use]
pub fn kinds() -> Vec<Choice> {
    LEARNERS.iter().map(|kind| Choice { name: kind.name, about: kind.about }).collect()
}

/// The metrics that a guard may name.
#[must_use]
pub fn metrics() -> Vec<Choice> {
    let all = trueup_learner::metrics::METRICS.iter();
    all.map(|metric| Choice { name: metric.name, about: metric.about }).collect()
}

/// The parameters of a kind, by name; none for a kind that is not known.
#[must_use]
pub fn params(kind: &str) -> Option<Vec<Param>> {
    let kind = LEARNERS.iter().find(|known| known.name == kind)?;
    let defaults = (kind.defaults)();
    let schema = match &defaults {
        LearnerSpec::ElasticNet(_) => schema_of::<elastic_net::ElasticNetParams>(),
        LearnerSpec::Linear(_) => schema_of::<linear::LinearParams>(),
        LearnerSpec::Rls(_) => schema_of::<rls::RlsParams>(),
        LearnerSpec::Segment(_) => schema_of::<segment::SegmentParams>(),
    };
    let defaults = to_json(&defaults);
    let keys = schema.get("properties").and_then(Value::as_object);
    Some(keys.into_iter().flatten().map(|(name, schema)| param(name, schema, &defaults)).collect())
}

/// The parameters of a learner as JSON, without the kind around them.
///
/// # Panics
/// When a kind's parameters are no table.
#[must_use]
pub fn to_json(learner: &LearnerSpec) -> Value {
    let tagged = serde_json::to_value(learner).expect("parameters are plain values");
    tagged.get(learner.kind()).cloned().expect("a learner is written as its kind and a table")
}

/// A learner of a kind from its parameters as JSON.
///
/// # Errors
/// What is wrong with them, in serde's words.
pub fn from_json(kind: &str, params: Value) -> Result<LearnerSpec, String> {
    let tagged = Value::Object([(kind.to_owned(), params)].into_iter().collect());
    serde_json::from_value(tagged).map_err(|error| error.to_string())
}

fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    SchemaGenerator::new(settings).into_root_schema_for::<T>().to_value()
}

fn param(name: &str, schema: &Value, defaults: &Value) -> Param {
    let mut schema = schema.clone();
    let mut about = String::new();
    if let Some(object) = schema.as_object_mut() {
        if let Some(Value::String(text)) = object.remove("description") {
            about = text.split_whitespace().collect::<Vec<_>>().join(" ");
        }
        object.remove("default");
    }
    let default = defaults.get(name).cloned().unwrap_or(Value::Null);
    Param { name: name.to_owned(), schema, default, about }
}
