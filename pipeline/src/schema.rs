//! The JSON Schema (draft 2020-12) of both files, made from the table of keys.
//!
//! Editors check and complete with it. What spans several files (columns, events) only
//! [`crate::Definition::check`] knows.

use crate::keys::features::{FORMS, Form};
use crate::keys::{Key, Need, Params, Section, Shape, Within, learner, pipeline, project};
use crate::tree;
use serde_json::{Map, Value, json};

/// The schema of `pipelines/NAME.toml`.
#[must_use]
pub fn pipeline_schema() -> Value {
    document("A trueup pipeline", &pipeline::ROOT)
}

/// The schema of `trueup.toml`.
#[must_use]
pub fn project_schema() -> Value {
    document("A trueup project", &project::ROOT)
}

fn document(title: &str, root: &'static Section) -> Value {
    let mut schema = section(root);
    let object = schema.as_object_mut().expect("a section is an object");
    object.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    object.insert("title".into(), title.into());
    schema
}

fn section(section: &'static Section) -> Value {
    let keys = || section.keys.iter();
    let mut schema = match section.params {
        Params::None => object(keys().map(|key| (key.name.to_owned(), self::key(key))), section),
        Params::Learner => {
            json!({ "type": "object", "oneOf": learner::kinds()
                .into_iter()
                .map(|kind| {
                    let params = learner::params(kind.name).unwrap_or_default();
                    let own = keys().map(|key| match key.name {
                        "kind" => ("kind".into(), one(kind.name, kind.about)),
                        name => (name.to_owned(), self::key(key)),
                    });
                    object(own.chain(params.into_iter().map(param)), section)
                })
                .collect::<Vec<_>>() })
        }
        Params::Form => json!({ "type": "object", "oneOf": forms(section) }),
    };
    let map = schema.as_object_mut().expect("a section is an object");
    map.insert("description".into(), section.about.into());
    if let [pair, ..] = section.excludes {
        map.insert("not".into(), json!({ "required": pair }));
    }
    schema
}

/// A table that takes these keys and no others.
fn object(keys: impl Iterator<Item = (String, Value)>, section: &Section) -> Value {
    let required = section.keys.iter().filter(|key| key.need == Need::Required);
    json!({
        "type": "object",
        "properties": keys.collect::<Map<_, _>>(),
        "required": required.map(|key| key.name).collect::<Vec<_>>(),
        "additionalProperties": false,
    })
}

/// One alternative for all forms that take the same keys.
fn forms(section: &'static Section) -> Vec<Value> {
    let mut groups: Vec<(&[&str], Vec<&Form>)> = Vec::new();
    for form in FORMS {
        match groups.iter_mut().find(|(takes, _)| *takes == form.takes) {
            Some((_, forms)) => forms.push(form),
            None => groups.push((form.takes, vec![form])),
        }
    }
    let alternative = |(takes, forms): (&[&str], Vec<&Form>)| {
        let mut properties: Map<String, Value> = takes
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), key(section.key(name)?))))
            .collect();
        let words: Vec<Value> = forms.iter().map(|form| one(form.name, form.about)).collect();
        properties.insert("as".into(), json!({ "type": "string", "oneOf": words }));
        let needed = takes.iter().filter(|name| **name != "column").chain(&["as"]);
        json!({
            "type": "object",
            "properties": properties,
            "required": needed.collect::<Vec<_>>(),
            "additionalProperties": false,
        })
    };
    groups.into_iter().map(alternative).collect()
}

fn key(key: &'static Key) -> Value {
    let mut schema = shape(&key.shape);
    let map = schema.as_object_mut().expect("a shape is an object");
    map.insert("description".into(), sentence(key).into());
    map.insert("examples".into(), json!([tree::literal(key.example).to_json()]));
    if let Need::Default(text) = key.need {
        map.insert("default".into(), tree::literal(text).to_json());
    }
    schema
}

/// What a key means, as a sentence, with what its absence means.
fn sentence(key: &Key) -> String {
    let mut about = key.about.chars();
    let first: String = about.next().into_iter().flat_map(char::to_uppercase).collect();
    match key.need {
        Need::Optional(absent) => format!("{first}{}. Absent: {absent}.", about.as_str()),
        Need::Required | Need::Default(_) => format!("{first}{}.", about.as_str()),
    }
}

fn param(param: learner::Param) -> (String, Value) {
    let mut schema = without_null(param.schema);
    if let Some(map) = schema.as_object_mut() {
        map.insert("description".into(), param.about.into());
        if !param.default.is_null() {
            map.insert("default".into(), param.default);
        }
    }
    (param.name, schema)
}

/// TOML has no null: an optional value is absent.
fn without_null(mut schema: Value) -> Value {
    if let Some(alternatives) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        alternatives.retain(|alternative| alternative.get("type") != Some(&json!("null")));
        if let [only] = alternatives.as_slice() {
            return only.clone();
        }
    }
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|name| name != "null");
    }
    schema
}

fn one(word: &str, about: &str) -> Value {
    json!({ "const": word, "description": about })
}

fn shape(shape: &'static Shape) -> Value {
    match shape {
        Shape::Text | Shape::Event | Shape::Column | Shape::Category => {
            json!({ "type": "string", "pattern": "\\S" })
        }
        Shape::Zone => json!({ "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_+/-]*$" }),
        Shape::ZoneOrOffset => json!({
            "type": "string",
            "pattern": "^([A-Za-z][A-Za-z0-9_+/-]*|[+-][0-9]{2}(:?[0-9]{2})?)$",
        }),
        Shape::Duration(within) => {
            let unit = "[0-9]+\\s*(w|d|h|m|s|ms|us)\\s*";
            let pattern = match within {
                Within::Any | Within::NotNegative => format!("^\\s*({unit})+$"),
                Within::Positive | Within::Share => {
                    format!("^\\s*({unit})*[0-9]*[1-9]{}({unit})*$", unit.replace('+', "*"))
                }
            };
            json!({ "type": "string", "pattern": pattern })
        }
        Shape::Number(within) => match within {
            Within::Any => json!({ "type": "number" }),
            Within::Positive => json!({ "type": "number", "exclusiveMinimum": 0 }),
            Within::NotNegative => json!({ "type": "number", "minimum": 0 }),
            Within::Share => {
                json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 })
            }
        },
        Shape::Count => json!({ "type": "integer", "minimum": 1 }),
        Shape::Choice(choices) => {
            let words: Vec<Value> =
                choices().iter().map(|choice| one(choice.name, choice.about)).collect();
            json!({ "type": "string", "oneOf": words })
        }
        Shape::List(each) => json!({ "type": "array", "items": self::shape(each) }),
        Shape::Table(section) => self::section(section),
        Shape::Map { of: _, each } => json!({
            "type": "object",
            "additionalProperties": self::shape(each),
            "propertyNames": { "minLength": 1 },
        }),
        Shape::Either(shapes) => {
            let known = shapes.iter();
            let mut schemas: Vec<Value> = known.map(self::shape).collect();
            match (schemas.pop(), schemas.is_empty()) {
                (Some(only), true) => only,
                (last, _) => {
                    json!({ "anyOf": schemas.into_iter().chain(last).collect::<Vec<_>>() })
                }
            }
        }
    }
}
