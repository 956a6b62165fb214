//! Holds a document against the table of keys: what is unknown, missing or of another shape.

use crate::diagnostic::{Diagnostic, did_you_mean, list};
use crate::keys::features::form;
use crate::keys::learner::{from_json, params};
use crate::keys::{Key, Need, Params, Section, Shape, Within};
use crate::source::{Part, Source};
use crate::tree::{Table, Value, join};
use std::str::FromStr;
use trueup_event::Duration;

/// What is wrong with the shape of a document.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Faults.
    pub(crate) faults: Vec<Diagnostic>,
    /// Keys that this build does not know yet, by path.
    pub(crate) later: Vec<(String, Diagnostic)>,
}

/// Holds a document against its root section. Everything found is reported, in no order.
pub(crate) fn check(source: &Source, root: &'static Section, table: &Table) -> Findings {
    let mut walk = Walk { source, root, found: Findings::default() };
    walk.section("", table, root);
    walk.found
}

struct Walk<'a> {
    source: &'a Source,
    root: &'static Section,
    found: Findings,
}

impl Walk<'_> {
    fn fault(&mut self, part: Part, path: &str, message: String, remedy: String) {
        self.found.faults.push(self.source.error(part, path, message, remedy));
    }

    fn section(&mut self, path: &str, table: &Table, section: &'static Section) {
        let mut is_later = false;
        for (name, _) in &table.0 {
            if let Some(later) = section.later.iter().find(|later| later.name == name) {
                is_later = true;
                let at = join(path, name);
                let message = format!("not available in {}: `{name}`", title(section, path));
                let error = self.source.error(Part::Key, &at, message, later.remedy.to_owned());
                self.found.later.push((at, error));
            }
        }
        for (name, value) in &table.0 {
            let at = join(path, name);
            if let Some(key) = section.key(name) {
                self.value(&at, value, &key.shape, key);
            } else if !section.later.iter().any(|later| later.name == name)
                && section.params != Params::Learner
                && !is_later
            {
                self.unknown(&at, name, section);
            }
        }
        match section.params {
            Params::None => {}
            Params::Learner => self.params(path, table, section),
            Params::Form => self.form(path, table, section),
        }
        for [one, other] in section.excludes {
            if table.get(one).is_some() && table.get(other).is_some() {
                let message = format!("`{one}` and `{other}` exclude each other");
                let remedy = format!("keep one of them; `{other}` is {}", about(section, other));
                self.fault(Part::Key, &join(path, other), message, remedy);
            }
        }
        for key in section.keys {
            let is_meant = table.0.iter().any(|(name, _)| meant(name, section) == Some(key.name));
            if key.need == Need::Required && table.get(key.name).is_none() && !is_meant {
                let message = format!("{} lacks {}", title(section, path), header(key));
                self.fault(Part::Key, path, message, missing(section, key));
            }
        }
    }

    fn unknown(&mut self, at: &str, name: &str, section: &Section) {
        let elsewhere = self.root.all().into_iter().find(|other| other.key(name).is_some());
        let remedy = match (meant(name, section), elsewhere) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, Some(other)) => format!("`{name}` belongs to {}", other.title),
            (None, None) => {
                let names = section.keys.iter().map(|key| key.name);
                format!("{} takes {}", section.title, list(names))
            }
        };
        let message = format!("unknown key in {}: `{name}`", title(section, parent(at)));
        self.fault(Part::Key, at, message, remedy);
    }

    fn value(&mut self, path: &str, value: &Value, shape: &'static Shape, key: &Key) {
        match (shape, value) {
            (Shape::Table(section), Value::Table(table)) => self.section(path, table, section),
            (Shape::List(each), Value::Array(items)) => {
                for (i, item) in items.iter().enumerate() {
                    self.value(&format!("{path}[{i}]"), item, each, key);
                }
            }
            (Shape::Map { of, each }, Value::Table(table)) => {
                for (name, value) in &table.0 {
                    let at = join(path, name);
                    if name.is_empty() {
                        let message = format!("{of} without a name");
                        self.fault(Part::Key, &at, message, format!("give the {of} a name"));
                    }
                    self.value(&at, value, each, key);
                }
            }
            (Shape::Either(shapes), _) => {
                let fits = |shape: &&'static Shape| {
                    matches!(
                        (shape, value),
                        (Shape::Table(_), Value::Table(_)) | (Shape::List(_), Value::Array(_))
                    ) || !matches!(shape, Shape::Table(_) | Shape::List(_))
                        && matches!(value, Value::Text(_))
                };
                match shapes.iter().find(|shape| fits(shape)) {
                    Some(shape) => self.value(path, value, shape, key),
                    None => self.mismatch(path, value, shape, key),
                }
            }
            (Shape::Choice(choices), Value::Text(text)) => {
                let names: Vec<&str> = choices().iter().map(|choice| choice.name).collect();
                if !names.contains(&text.as_str()) {
                    let what = path.rsplit('.').next().unwrap_or(path);
                    let message = format!("not a value of `{what}`: `{text}`");
                    let remedy = did_you_mean(text, "it may be", names.iter().copied());
                    self.fault(Part::Value, path, message, remedy);
                }
            }
            (_, _) => match scalar(shape, value) {
                Ok(()) => {}
                Err(None) => self.mismatch(path, value, shape, key),
                Err(Some((message, remedy))) => self.fault(Part::Value, path, message, remedy),
            },
        }
    }

    fn mismatch(&mut self, path: &str, value: &Value, shape: &Shape, key: &Key) {
        let message = format!(
            "`{}` is {}, not {}: `{value}`",
            path.rsplit('.').next().unwrap_or(path),
            value.kind(),
            shape.words()
        );
        let remedy = match path.ends_with(key.name) {
            true => format!("write `{} = {}`: {}", key.name, key.example, key.about),
            false => format!("write {}", shape.words()),
        };
        self.fault(Part::Value, path, message, remedy);
    }

    /// Holds a feature's keys against its form.
    fn form(&mut self, path: &str, table: &Table, section: &'static Section) {
        let Some(Value::Text(word)) = table.get("as") else { return };
        let Some(form) = form(word) else { return };
        for key in form.takes.iter().filter(|key| **key != "column") {
            if table.get(key).is_none() {
                let message = format!("`{}` lacks `{key}`", form.name);
                self.fault(Part::Value, path, message, section.usage(key));
            }
        }
        for (key, _) in &table.0 {
            let is_other = key != "as" && !form.takes.contains(&key.as_str());
            if is_other && section.key(key).is_some() {
                let takes = list(form.takes.iter().copied());
                let message = format!("`{}` takes no `{key}`", form.name);
                let remedy = format!("`{}` takes {takes}", form.name);
                self.fault(Part::Key, &join(path, key), message, remedy);
            }
        }
        if let Some(Value::Array(edges)) = table.get("edges") {
            let edges: Vec<f64> = edges.iter().filter_map(Value::number).collect();
            if edges.is_empty() || edges.windows(2).any(|pair| pair[0] >= pair[1]) {
                let remedy = "write each edge once, from the lowest to the highest".to_owned();
                let message = format!("edges do not ascend: `{edges:?}`");
                self.fault(Part::Value, &join(path, "edges"), message, remedy);
            }
        }
    }

    /// Holds a learner's parameters against its kind, each alone, so that each fault has its place.
    fn params(&mut self, path: &str, table: &Table, section: &'static Section) {
        let Some(Value::Text(kind)) = table.get("kind") else { return };
        let Some(known) = params(kind) else { return };
        let own = |name: &str| {
            section.key(name).is_some() || section.later.iter().any(|later| later.name == name)
        };
        for (name, value) in table.0.iter().filter(|(name, _)| !own(name)) {
            let at = join(path, name);
            let Some(param) = known.iter().find(|param| param.name == *name) else {
                let names = section.keys.iter().map(|key| key.name);
                let names = names.chain(known.iter().map(|param| param.name.as_str()));
                let remedy = did_you_mean(name, &format!("`{kind}` takes"), names);
                let message = format!("unknown parameter of `{kind}`: `{name}`");
                self.fault(Part::Key, &at, message, remedy);
                continue;
            };
            let alone = [(name.clone(), value.to_json())].into_iter().collect();
            if let Err(said) = from_json(kind, serde_json::Value::Object(alone)) {
                let message = format!("not a value of `{name}`: {said}");
                let default = match &param.default {
                    serde_json::Value::Null => String::new(),
                    default => format!(" (by default `{default}`)"),
                };
                let remedy = format!("it is {}{default}", lower(&param.about));
                self.fault(Part::Value, &at, message, remedy);
            }
        }
    }
}

fn about(section: &Section, key: &str) -> &'static str {
    section.key(key).map_or("", |key| key.about)
}

/// The key that a name which is none was meant to be.
fn meant(name: &str, section: &Section) -> Option<&'static str> {
    let is_known = section.key(name).is_some()
        || section.params == Params::Learner
        || section.later.iter().any(|later| later.name == name);
    if is_known {
        return None;
    }
    crate::diagnostic::nearest(name, section.keys.iter().map(|key| key.name))
}

/// A key as it stands in a file: a table by its header.
fn header(key: &Key) -> String {
    match key.shape {
        Shape::Table(section) if section.title.starts_with('[') => section.title.to_owned(),
        _ => format!("`{}`", key.name),
    }
}

/// What to do about a missing key.
fn missing(section: &Section, key: &Key) -> String {
    match key.shape {
        Shape::Table(inner) if inner.title.starts_with('[') => {
            let needed = inner.keys.iter().filter(|key| key.need == Need::Required);
            let lines: Vec<String> =
                needed.map(|key| format!("`{} = {}`", key.name, key.example)).collect();
            format!("add {} with {}: {}", inner.title, lines.join(", "), key.about)
        }
        _ => section.usage(key.name),
    }
}

/// A sentence as a part of another: no capital, no full stop.
fn lower(sentence: &str) -> String {
    let mut letters = sentence.trim_end_matches('.').chars();
    let first: String = letters.next().into_iter().flat_map(char::to_lowercase).collect();
    format!("{first}{}", letters.as_str())
}

/// The path of the table around a key.
fn parent(path: &str) -> &str {
    path.rfind('.').map_or("", |end| &path[..end])
}

/// What a section is called in a message: a named one by its path.
fn title(section: &Section, path: &str) -> String {
    if section.title.contains("NAME") { format!("[{path}]") } else { section.title.to_owned() }
}

/// Whether a value that holds no others fits: none means it is of another kind altogether.
fn scalar(shape: &Shape, value: &Value) -> Result<(), Option<(String, String)>> {
    match (shape, value) {
        (Shape::Text | Shape::Event | Shape::Column | Shape::Category, Value::Text(text)) => {
            match text.trim().is_empty() {
                false => Ok(()),
                true => {
                    Err(Some(("an empty text: ``".to_owned(), format!("write {}", shape.words()))))
                }
            }
        }
        (Shape::Zone, Value::Text(text)) => zone(text).map_err(Some),
        (Shape::ZoneOrOffset, Value::Text(text)) => match is_offset(text) {
            true => Ok(()),
            false => zone(text).map_err(Some),
        },
        (Shape::Duration(within), Value::Text(text)) => duration(text, *within).map_err(Some),
        (Shape::Number(within), Value::Integer(_) | Value::Float(_)) => {
            match value.number().is_some_and(|number| within.holds(number)) {
                true => Ok(()),
                false => Err(Some((
                    format!("out of range: `{value}`"),
                    format!("write {}", shape.words()),
                ))),
            }
        }
        (Shape::Count, Value::Integer(count)) => match *count >= 1 {
            true => Ok(()),
            false => {
                Err(Some((format!("out of range: `{count}`"), format!("write {}", shape.words()))))
            }
        },
        (_, _) => Err(None),
    }
}

fn duration(text: &str, within: Within) -> Result<(), (String, String)> {
    let written = "write a number and its unit, such as `90s`, `5m`, `24h` or `7d`".to_owned();
    let length = Duration::from_str(text)
        .map_err(|_| (format!("not a time with its unit: `{text}`"), written.clone()))?;
    match within.holds(length.micros() as f64) {
        true => Ok(()),
        false => Err((format!("out of range: `{text}`"), "it must be longer than nothing".into())),
    }
}

/// Whether a text is an offset from UTC of less than a day: `+02:00`, `-0330` or `+02`.
fn is_offset(text: &str) -> bool {
    let Some(digits) = text.strip_prefix(['+', '-']) else { return false };
    let parts = match digits.split_once(':') {
        Some(parts) => Some(parts),
        None if digits.len() == 2 => Some((digits, "00")),
        None => digits.split_at_checked(2),
    };
    let is_below = |part: &str, bound: u32| {
        let is_pair = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        is_pair && part.parse::<u32>().is_ok_and(|number| number < bound)
    };
    parts.is_some_and(|(hours, minutes)| is_below(hours, 24) && is_below(minutes, 60))
}

fn zone(text: &str) -> Result<(), (String, String)> {
    let known = jiff::tz::TimeZoneDatabase::bundled();
    match known.get(text) {
        Ok(zone) if !zone.is_unknown() => Ok(()),
        Ok(_) | Err(_) => {
            let names: Vec<String> = known.available().map(|name| name.to_string()).collect();
            let remedy = match crate::diagnostic::nearest(text, names.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write an IANA name, such as `America/New_York` or `UTC`".to_owned(),
            };
            Err((format!("not a time zone: `{text}`"), remedy))
        }
    }
}
