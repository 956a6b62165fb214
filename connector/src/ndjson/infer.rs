//! What columns lines of JSON show, and whether a line's values fit them.

use super::BadLine;
use arrow::datatypes::{DataType, FieldRef, Fields, Schema};
use arrow::error::ArrowError;
use arrow::json::reader::infer_json_schema_from_iterator;
use serde_json::Value;

/// Columns of these values that are not in `schema`. Values that fit no column together with those
/// before them become bad lines. A column without a value has no type yet and is left out.
pub(super) fn new_columns(
    schema: &Schema,
    good: &mut Vec<(u64, Value)>,
    bad: &mut Vec<BadLine>,
) -> Vec<FieldRef> {
    let is_known = good.iter().all(|(_, value)| match value {
        Value::Object(map) => map.iter().all(|(k, v)| schema.index_of(k).is_ok() || v.is_null()),
        _ => true,
    });
    if is_known {
        return Vec::new();
    }
    loop {
        match inferred(good) {
            Ok(found) => {
                let is_new = |field: &&FieldRef| {
                    schema.index_of(field.name()).is_err() && has_type(field.data_type())
                };
                return found.fields().iter().filter(is_new).cloned().collect();
            }
            Err(error) => {
                // The shortest beginning that does not fit ends with the value to blame.
                let (mut fits, mut fails) = (0, good.len());
                while fails - fits > 1 {
                    let middle = fits + (fails - fits) / 2;
                    match inferred(&good[..middle]) {
                        Ok(_) => fits = middle,
                        Err(_) => fails = middle,
                    }
                }
                let (line, _) = good.remove(fails - 1);
                let reason = format!("a value fits no column: {error}");
                bad.push(BadLine { line, reason: reason.chars().take(300).collect() });
            }
        }
    }
}

fn inferred(values: &[(u64, Value)]) -> Result<Schema, ArrowError> {
    infer_json_schema_from_iterator(values.iter().map(|(_, value)| Ok(value)))
}

/// Whether values were seen that give a type.
fn has_type(data_type: &DataType) -> bool {
    match data_type {
        DataType::Null => false,
        DataType::List(item) => has_type(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| has_type(field.data_type())),
        _ => true,
    }
}

/// Whether all values of an object fit the columns without loss; else what does not.
pub(super) fn fit(value: &Value, schema: &Schema) -> Result<(), String> {
    fits_fields(value, schema.fields(), "")
}

fn fits_fields(value: &Value, fields: &Fields, parent: &str) -> Result<(), String> {
    let Value::Object(map) = value else { return Err(wrong(parent, "an object", value)) };
    for (name, value) in map {
        let path = if parent.is_empty() { name.clone() } else { format!("{parent}.{name}") };
        match fields.find(name) {
            Some((_, field)) => fits_type(value, field.data_type(), &path)?,
            // Nothing is lost.
            None if value.is_null() => {}
            None => return Err(format!("there is no such column: `{}`", shortened(&path))),
        }
    }
    for field in fields.iter().filter(|field| !field.is_nullable()) {
        if map.get(field.name()).is_none_or(Value::is_null) {
            return Err(format!("there is no value in column `{}`", field.name()));
        }
    }
    Ok(())
}

fn fits_type(value: &Value, data_type: &DataType, path: &str) -> Result<(), String> {
    match (data_type, value) {
        (_, Value::Null) => Ok(()),
        (integer, Value::Number(number)) if integer.is_integer() => {
            match number.is_i64() || number.is_u64() {
                true => Ok(()),
                false => Err(wrong(path, "a whole number within 64 bits", value)),
            }
        }
        (integer, _) if integer.is_integer() => Err(wrong(path, "a whole number", value)),
        (float, Value::Number(_)) if float.is_floating() => Ok(()),
        (float, _) if float.is_floating() => Err(wrong(path, "a number", value)),
        (DataType::Boolean, Value::Bool(_)) => Ok(()),
        (DataType::Boolean, _) => Err(wrong(path, "true or false", value)),
        (DataType::Timestamp(..) | DataType::Date32 | DataType::Date64, Value::Number(number))
            if !number.is_i64() =>
        {
            Err(wrong(path, "a time", value))
        }
        (DataType::Struct(fields), value) => fits_fields(value, fields, path),
        (DataType::List(item) | DataType::LargeList(item), Value::Array(values)) => {
            values.iter().try_for_each(|value| fits_type(value, item.data_type(), path))
        }
        // What is left is for Arrow to refuse.
        _ => Ok(()),
    }
}

fn wrong(path: &str, expected: &str, value: &Value) -> String {
    let (path, value) = (shortened(path), shortened(&value.to_string()));
    format!("column `{path}` must be {expected}: `{value}`")
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}
