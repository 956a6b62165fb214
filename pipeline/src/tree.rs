//! A TOML document as a tree in the order in which it was written, each node with its place.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::{Entry, Source};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A date or a time, which no key takes.
    Date(String),
    /// A list.
    Array(Vec<Value>),
    /// A table, inline or with a header.
    Table(Table),
}

/// The entries of a table in the order in which they were written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Table(pub(crate) Vec<(String, Value)>);

impl Value {
    /// The kind of value, as a person calls it, with its article.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Boolean(_) => "a boolean",
            Self::Date(_) => "a date",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// The number, whole or not.
    pub(crate) const fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Text(_) | Self::Boolean(_) | Self::Date(_) | Self::Array(_) | Self::Table(_) => {
                None
            }
        }
    }

    /// The same value as JSON, which the learners' parameters are read from.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) | Self::Date(text) => text.as_str().into(),
            Self::Integer(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::Boolean(value) => (*value).into(),
            Self::Array(items) => items.iter().map(Self::to_json).collect(),
            Self::Table(table) => {
                let entries = table.0.iter().map(|(key, value)| (key.clone(), value.to_json()));
                serde_json::Value::Object(entries.collect())
            }
        }
    }
}

impl std::fmt::Display for Value {
    /// As TOML, on one line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{}", quoted(text)),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{}", toml::Value::from(*value)),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Date(text) => write!(f, "{text}"),
            Self::Array(items) => {
                write!(f, "[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i > 0 { ", " } else { "" })?;
                }
                write!(f, "]")
            }
            Self::Table(table) => {
                write!(f, "{{")?;
                for (i, (key, value)) in table.0.iter().enumerate() {
                    let comma = if i > 0 { "," } else { "" };
                    write!(f, "{comma} {} = {value}", bare_or_quoted(key))?;
                }
                write!(f, " }}")
            }
        }
    }
}

impl Table {
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The table of a key; none when there is none, or when the value is something else.
    pub(crate) fn table(&self, key: &str) -> Option<&Self> {
        match self.get(key) {
            Some(Value::Table(table)) => Some(table),
            Some(_) | None => None,
        }
    }
}

/// A key as TOML writes it: bare where it can be.
pub(crate) fn bare_or_quoted(key: &str) -> String {
    let is_bare =
        !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if is_bare { key.to_owned() } else { quoted(key) }
}

/// A text as TOML writes it, always on one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The path of `key` below `path`.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Reads a document. Every fault of its syntax is reported.
///
/// # Errors
/// The faults of the TOML itself.
pub(crate) fn parse(file: &str, text: &str) -> Result<(Source, Table), Diagnostics> {
    let mut source = Source::new(file, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let table = table(&mut source, "", document.into_inner());
        return Ok((source, table));
    }
    Err(Diagnostics::new(errors.iter().map(|error| syntax(&source, error)).collect()))
}

/// A value written by ourselves, such as a default.
///
/// # Panics
/// When it is no TOML.
pub(crate) fn literal(text: &str) -> Value {
    let value = DeValue::parse(text).expect("defaults and examples are TOML values");
    convert(&mut Source::default(), "", value.into_inner())
}

fn syntax(source: &Source, error: &toml::de::Error) -> Diagnostic {
    let said = error.message().lines().next().unwrap_or("not TOML");
    let remedy = if said.contains("duplicate key") {
        "a key may stand once in a table: remove one of them"
    } else if said.contains("must be quoted") || said.contains("string") {
        "a text stands in double quotes on one line, such as `unit = \"minutes\"`"
    } else {
        "write `key = value`, a text in double quotes, a table as `[name]` or `{ key = value }`"
    };
    let range = error.span().unwrap_or(0..0);
    source.at(range, format!("not TOML: {said}"), remedy.to_owned())
}

fn table(source: &mut Source, path: &str, table: DeTable<'_>) -> Table {
    let mut entries: Vec<(Spanned<DeString<'_>>, Spanned<DeValue<'_>>)> =
        table.into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let mut read = Table::default();
    for (key, value) in entries {
        let path = join(path, key.get_ref());
        let value_range = value.span();
        source.insert(path.clone(), places(key.span(), value_range, value.get_ref()));
        read.0.push((key.get_ref().to_string(), convert(source, &path, value.into_inner())));
    }
    read
}

/// A table with a header is pointed at by its header, in whole.
fn places(key: Range<usize>, value: Range<usize>, node: &DeValue<'_>) -> Entry {
    let is_headed = matches!(node, DeValue::Table(_)) && value.start < key.start;
    let value = if value.is_empty() { key.clone() } else { value };
    if is_headed { Entry { key: value.clone(), value } } else { Entry { key, value } }
}

fn convert(source: &mut Source, path: &str, value: DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
            Ok(value) => Value::Integer(value),
            Err(_) => Value::Float(digits.as_str().parse().unwrap_or(f64::INFINITY)),
        },
        DeValue::Float(digits) => Value::Float(digits.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(value) => Value::Date(value.to_string()),
        DeValue::Array(items) => {
            let mut read = Vec::new();
            for (i, item) in items.into_iter().enumerate() {
                let path = format!("{path}[{i}]");
                source.insert(path.clone(), places(item.span(), item.span(), item.get_ref()));
                read.push(convert(source, &path, item.into_inner()));
            }
            Value::Array(read)
        }
        DeValue::Table(inner) => Value::Table(table(source, path, inner)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Part;

    #[test]
    fn keeps_the_order_and_the_places() {
        let text = "b = 1\na.x = 2\n[t]\nk = { z = \"é\", y = [1, 2.5] }\n[[l]]\nm = true\n";
        let (source, table) = parse("f.toml", text).expect("is TOML");
        let keys: Vec<&str> = table.0.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["b", "a", "t", "l"]);
        let place = |part, path: &str| {
            let found = source.error(part, path, String::new(), String::new());
            (found.line, found.column, found.width)
        };
        assert_eq!(place(Part::Value, "b"), (1, 5, 1));
        assert_eq!(place(Part::Value, "a.x"), (2, 7, 1));
        assert_eq!(place(Part::Key, "t"), (3, 1, 3));
        assert_eq!(place(Part::Value, "t.k.y[1]"), (4, 24, 3));
        assert_eq!(place(Part::Key, "t.k.missing"), (4, 1, 1));
        assert_eq!(place(Part::Key, "l[0]"), (5, 1, 5));
        assert_eq!(table.table("t").map(|t| t.0[0].1.to_string()).as_deref(), {
            Some("{ z = \"é\", y = [1, 2.5] }")
        });
    }

    #[test]
    fn reports_every_fault_of_the_syntax() {
        let problems = parse("f.toml", "a = b\nc = 1\nc = 2\n[x\n").expect_err("is no TOML");
        assert!(problems.len() >= 3, "{problems}");
    }
}
