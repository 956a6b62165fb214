//! Python values as TOML values, so that what is said in code is held to the rules of a file.

use crate::error::Failure;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDelta, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use toml_edit::{Array, InlineTable, Value};

/// A value in TOML: texts, numbers, booleans, lists, dictionaries, and lengths of time.
pub(crate) fn value(given: &Bound<'_, PyAny>) -> Result<Value, Failure> {
    if given.is_instance_of::<PyBool>() {
        return Ok(given.extract::<bool>()?.into());
    }
    if given.is_instance_of::<PyString>() {
        return Ok(given.extract::<String>()?.into());
    }
    if let Ok(delta) = given.cast::<PyDelta>() {
        return Ok(duration(delta)?.into());
    }
    if let Ok(table) = given.cast::<PyDict>() {
        return Ok(Value::InlineTable(inline(table)?));
    }
    if given.is_instance_of::<PyList>() || given.is_instance_of::<PyTuple>() {
        let mut array = Array::new();
        for item in given.try_iter()? {
            array.push(value(&item?)?);
        }
        return Ok(array.into());
    }
    if given.is_instance_of::<PyInt>() || given.hasattr("__index__")? {
        return Ok(given.extract::<i64>()?.into());
    }
    if given.is_instance_of::<PyFloat>() || given.hasattr("__float__")? {
        return Ok(given.extract::<f64>()?.into());
    }
    Err(Failure::usage(
        format!("not a value of a definition: `{}`", given.repr()?),
        "give a text, number, boolean, timedelta, list or dictionary",
    ))
}

/// A dictionary as an inline table. Entries that are `None` are left out, and `as_` and the like
/// stand for keys that Python keeps to itself.
pub(crate) fn inline(given: &Bound<'_, PyDict>) -> Result<InlineTable, Failure> {
    let mut table = InlineTable::new();
    for (key, item) in given {
        if !item.is_none() {
            let key: String = key.extract()?;
            table.insert(key.trim_end_matches('_'), value(&item)?);
        }
    }
    Ok(table)
}

/// A length of time as definitions write it, in the largest unit that is exact.
fn duration(delta: &Bound<'_, PyDelta>) -> PyResult<String> {
    let part = |name: &str| delta.getattr(name)?.extract::<i64>();
    let seconds = part("days")? * 86_400 + part("seconds")?;
    Ok(match (part("microseconds")?, seconds) {
        (0, seconds) if seconds != 0 && seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        (0, seconds) if seconds != 0 && seconds % 60 == 0 => format!("{}m", seconds / 60),
        (0, seconds) => format!("{seconds}s"),
        (micros, seconds) => format!("{}us", seconds * 1_000_000 + micros),
    })
}

/// `set=` of a call as the overrides of the command line.
pub(crate) fn sets(given: Option<&Bound<'_, PyAny>>) -> Result<Vec<String>, Failure> {
    let Some(given) = given else { return Ok(Vec::new()) };
    if let Ok(table) = given.cast::<PyDict>() {
        let set = |(key, item): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            Ok(format!("{}={}", key.extract::<String>()?, value(&item)?.to_string().trim()))
        };
        return table.iter().map(set).collect();
    }
    match given.extract::<String>() {
        Ok(one) => Ok(vec![one]),
        Err(_) => Ok(given.extract::<Vec<String>>()?),
    }
}
