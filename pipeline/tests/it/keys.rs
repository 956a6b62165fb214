//! Schema, reference, parser and writer say the same: they share one table of keys.

use crate::mistakes::{DEFINITION, SHAPE, with};
use crate::{project, repository};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use trueup_pipeline::Definition;
use trueup_pipeline::keys::{Params, Section, learner, pipeline, project as project_keys};
use trueup_pipeline::reference::reference_markdown;
use trueup_pipeline::schema::{pipeline_schema, project_schema};

/// Says every key of a pipeline's file, but the one that excludes another.
const EVERYTHING: &str = include_str!("everything.toml");

fn as_json(text: &str) -> Value {
    let table: toml::Table = toml::from_str(text).expect("is TOML");
    serde_json::to_value(table).expect("is JSON")
}

#[test]
fn shipped_files_fit_the_schemas() {
    let shipped =
        |file: &str| std::fs::read_to_string(repository().join(file)).expect("is shipped");
    for name in project().definition_names() {
        let value = as_json(&shipped(&format!("pipelines/{name}.toml")));
        assert_eq!(fits(&pipeline_schema(), &value), Ok(()), "{name}");
    }
    assert_eq!(fits(&project_schema(), &as_json(&shipped("trueup.toml"))), Ok(()));
}

#[test]
fn schema_and_parser_accept_the_same() {
    let schema = pipeline_schema();
    for text in [DEFINITION, EVERYTHING] {
        Definition::read("eta", "eta.toml", text).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(fits(&schema, &as_json(text)), Ok(()));
    }
    // What a schema cannot say: an order of numbers, and which zones there are.
    let beyond = ["edges that do not ascend", "a zone that is none"];
    for mistake in SHAPE.iter().filter(|(name, _, _)| !beyond.contains(name)) {
        let value = as_json(&with(DEFINITION, mistake));
        assert!(fits(&schema, &value).is_err(), "{}", mistake.0);
    }
}

#[test]
fn everything_says_every_key_and_survives_the_round_trip() {
    let read = Definition::read("eta", "eta.toml", EVERYTHING).expect("is right");
    let again = Definition::read("eta", "eta.toml", &read.pipeline().to_toml()).expect("is right");
    assert_eq!(read.pipeline(), again.pipeline());
    let said = keys_of(&as_json(EVERYTHING));
    for section in pipeline::ROOT.all() {
        for key in section.keys.iter().filter(|key| key.name != "every") {
            assert!(said.contains(key.name), "{} of {}", key.name, section.title);
        }
    }
}

#[test]
fn every_key_is_in_schema_and_reference() {
    let page = reference_markdown();
    let schemas = keys_of(&json!([pipeline_schema(), project_schema()]));
    let all: Vec<&Section> =
        pipeline::ROOT.all().into_iter().chain(project_keys::ROOT.all()).collect();
    assert!(all.iter().any(|section| section.params == Params::Learner));
    for section in all {
        for key in section.keys {
            assert!(schemas.contains(key.name), "{}", key.name);
            assert!(page.contains(&format!("| `{}` | `{}` |", key.name, key.example)), "{}", {
                key.name
            });
        }
    }
    for choice in learner::kinds().into_iter().chain(learner::metrics()) {
        assert!(page.contains(choice.name) && page.contains(choice.about), "{}", choice.name);
    }
}

/// The keys of all tables in a document.
fn keys_of(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(entries) => entries
            .iter()
            .flat_map(|(key, value)| keys_of(value).into_iter().chain([key.clone()]))
            .collect(),
        Value::Array(items) => items.iter().flat_map(keys_of).collect(),
        _ => BTreeSet::new(),
    }
}

/// A validator of the keywords that our schemas use; it refuses to pass over another.
fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let rules = schema.as_object().ok_or("a schema is an object")?;
    for (keyword, rule) in rules {
        let ok = match keyword.as_str() {
            "$schema" | "title" | "description" | "default" | "examples" | "format" => true,
            "type" => is_a(rule.as_str().unwrap_or_default(), value),
            "const" => rule == value,
            "pattern" => value.as_str().is_none_or(|text| matches(rule, text)),
            "minLength" => value.as_str().is_none_or(|text| !text.is_empty()),
            "minimum" => compare(value, rule, |value, bound| value >= bound),
            "maximum" => compare(value, rule, |value, bound| value <= bound),
            "exclusiveMinimum" => compare(value, rule, |value, bound| value > bound),
            "exclusiveMaximum" => compare(value, rule, |value, bound| value < bound),
            "not" => fits(rule, value).is_err(),
            "oneOf" => alternatives(rule, value) == 1,
            "anyOf" => alternatives(rule, value) >= 1,
            "items" => value.as_array().is_none_or(|all| all.iter().all(|v| fits(rule, v).is_ok())),
            "required" => value.as_object().is_none_or(|table| {
                let names = rule.as_array().into_iter().flatten().filter_map(Value::as_str);
                names.into_iter().all(|name| table.contains_key(name))
            }),
            "properties" | "additionalProperties" | "propertyNames" => match value.as_object() {
                Some(table) => members(rules, keyword, rule, table)?,
                None => true,
            },
            other => return Err(format!("a keyword that this test does not know: `{other}`")),
        };
        if !ok {
            return Err(format!("`{value}` breaks {keyword} `{rule}`"));
        }
    }
    Ok(())
}

fn members(
    rules: &Map<String, Value>,
    keyword: &str,
    rule: &Value,
    table: &Map<String, Value>,
) -> Result<bool, String> {
    for (name, value) in table {
        let declared = rules.get("properties").and_then(|all| all.get(name));
        match (keyword, declared) {
            ("properties", Some(schema)) => fits(schema, value)?,
            ("additionalProperties", None) if rule == &Value::Bool(false) => return Ok(false),
            ("additionalProperties", None) => fits(rule, value)?,
            ("propertyNames", _) => fits(rule, &Value::from(name.as_str()))?,
            (_, _) => {}
        }
    }
    Ok(true)
}

fn alternatives(rule: &Value, value: &Value) -> usize {
    let all = rule.as_array().into_iter().flatten();
    all.filter(|schema| fits(schema, value).is_ok()).count()
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("a type that this test does not know: `{other}`"),
    }
}

fn compare(value: &Value, bound: &Value, holds: fn(f64, f64) -> bool) -> bool {
    match (value.as_f64(), bound.as_f64()) {
        (Some(value), Some(bound)) => holds(value, bound),
        (_, _) => true,
    }
}

/// The patterns of our schemas, told by their beginnings.
fn matches(pattern: &Value, text: &str) -> bool {
    match pattern.as_str().unwrap_or_default() {
        "\\S" => !text.trim().is_empty(),
        zone if zone.starts_with("^[A-Za-z]") || zone.starts_with("^([A-Za-z]") => {
            text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+/-".contains(&b))
        }
        time if time.starts_with("^\\s*([0-9]") => {
            let length = text.parse::<trueup_event::Duration>();
            let least = i64::from(time.contains("[1-9]"));
            length.is_ok_and(|length| length.micros() >= least)
        }
        other => panic!("a pattern that this test does not know: `{other}`"),
    }
}
