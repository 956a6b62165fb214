//! From the values of a request to a question: what can be read is read, what cannot is named.

use crate::definition::Definition;
use crate::question::{Question, Refused};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use trueup_event::EventTime;
use trueup_learner::features::Value;

/// A value as a request has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(Cow<'a, str>),
    /// An array or an object, which no column holds.
    Nested(&'static str),
}

impl<'de> Deserialize<'de> for Cell<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Cell::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Cell::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Cell::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Cell::Number(value as f64), Cell::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Cell::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Cell::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Cell::Text(Cow::Borrowed(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Nested("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Nested("an object"))
    }
}

/// A text that is borrowed from the request where it has no escapes.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Name<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// A question as it was read.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) time: Option<EventTime>,
    pub(super) estimate: f64,
    pub(super) columns: Vec<(&'a str, Value<'a>)>,
    /// Names of columns that the definition does not know: passed over, and told.
    pub(super) unknown: Vec<&'a str>,
}

/// How many unknown columns are told of.
const UNKNOWN_MAX: usize = 16;

impl<'a> Asked<'a> {
    /// Reads the values of a question, each under the name of its column.
    pub(super) fn read(
        definition: &Definition,
        cells: impl Iterator<Item = (&'a str, &'a Cell<'a>)>,
    ) -> Result<Self, Refused> {
        let (mut time, mut estimate) = (None, None);
        let (mut columns, mut unknown) = (Vec::new(), Vec::new());
        let mut seen = vec![false; definition.columns().len()];
        for (name, cell) in cells {
            let Some(place) = definition.place(name) else {
                if unknown.len() < UNKNOWN_MAX {
                    unknown.push(name);
                }
                continue;
            };
            if std::mem::replace(&mut seen[place], true) {
                return Err(refused(format!("column is sent twice: `{name}`")));
            }
            if *cell == Cell::Null {
                continue;
            }
            if name == definition.estimate_column() {
                estimate = Some(number(name, cell)?);
            } else if name == definition.time_column() {
                time = Some(moment(name, cell)?);
            } else {
                columns.push((name, value(name, cell)?));
            }
        }
        let estimate = estimate.ok_or_else(|| {
            refused(format!("estimate is missing: `{}`", definition.estimate_column()))
        })?;
        Ok(Self { time, estimate, columns, unknown })
    }

    pub(super) fn question(&self) -> Question<'_> {
        Question { time: self.time, estimate: self.estimate, columns: &self.columns }
    }
}

fn refused(text: String) -> Refused {
    Refused::Column(Cow::Owned(text))
}

fn kind(cell: &Cell<'_>) -> &'static str {
    match cell {
        Cell::Null => "null",
        Cell::Boolean(_) => "a boolean",
        Cell::Integer(_) => "an integer",
        Cell::Number(_) => "a float",
        Cell::Text(_) => "a text",
        Cell::Nested(kind) => kind,
    }
}

fn wrong_type(name: &str, expected: &str, cell: &Cell<'_>) -> Refused {
    let found = kind(cell);
    refused(format!("value cannot serve as {expected}, being {found}: `{name}`"))
}

fn number(name: &str, cell: &Cell<'_>) -> Result<f64, Refused> {
    match cell {
        Cell::Integer(value) => Ok(*value as f64),
        Cell::Number(value) => Ok(*value),
        Cell::Null | Cell::Boolean(_) | Cell::Text(_) | Cell::Nested(_) => {
            Err(wrong_type(name, "a number", cell))
        }
    }
}

fn moment(name: &str, cell: &Cell<'_>) -> Result<EventTime, Refused> {
    let Cell::Text(text) = cell else { return Err(wrong_type(name, "a time", cell)) };
    let at = text.parse::<jiff::Timestamp>().map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        refused(format!(
            "time is not an RFC 3339 text with an offset in column `{name}`: `{shown}`"
        ))
    })?;
    Ok(EventTime::from_micros(at.as_microsecond()))
}

fn value<'a>(name: &str, cell: &'a Cell<'_>) -> Result<Value<'a>, Refused> {
    Ok(match cell {
        Cell::Boolean(value) => Value::Boolean(*value),
        Cell::Integer(value) => Value::Integer(*value),
        Cell::Number(value) => Value::Number(*value),
        Cell::Text(value) => Value::Text(value),
        Cell::Null | Cell::Nested(_) => return Err(wrong_type(name, "a value", cell)),
    })
}
