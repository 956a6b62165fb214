//! An environment, with its `${VARIABLES}` replaced.

use super::{Project, text_or_default};
use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::keys::project as keys;
use crate::source::Part;
use crate::tree::{Table, Value};
use std::collections::BTreeMap;
use trueup_event::Duration;

/// A place in which pipelines run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// The folder of registry, checkpoints and recordings.
    pub state: String,
    /// Where each event lives.
    pub events: BTreeMap<String, Location>,
    /// What is recorded of live runs, if anything.
    pub record: Option<Record>,
}

/// Where an event lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Files or a stream.
    pub at: Place,
    /// How long a live run waits for a silent partition.
    pub idle: Duration,
}

/// Files or a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Parquet files: a path, a pattern, a folder or an address. Paths are relative to the
    /// project's folder.
    Files(String),
    /// A topic of the embedded log.
    Log(String),
}

/// What is recorded of live runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// How long it is kept after its events arrived; none is for good.
    pub keep: Option<Duration>,
    /// Columns that are not recorded.
    pub drop: Vec<String>,
}

impl Location {
    /// The path, pattern, folder or address of files; none if the event lives in a stream.
    #[must_use]
    pub fn files(&self) -> Option<&str> {
        match &self.at {
            Place::Files(location) => Some(location),
            Place::Log(_) => None,
        }
    }
}

impl Project {
    /// The environment of this name, or the default one, with this process's variables.
    ///
    /// # Errors
    /// When there is none of that name, when it uses a variable that is not set, or what this
    /// build does not know.
    pub fn environment(&self, name: Option<&str>) -> Result<Environment, Diagnostics> {
        self.environment_with(name, &|variable| std::env::var(variable).ok())
    }

    /// [`Project::environment`] with other variables than this process's.
    ///
    /// # Errors
    /// As [`Project::environment`].
    pub fn environment_with(
        &self,
        name: Option<&str>,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Environment, Diagnostics> {
        let name = name.unwrap_or(&self.default_environment);
        let Some((_, table)) = self.environments.iter().find(|(known, _)| known == name) else {
            let names = self.environments.iter().map(|(known, _)| known.as_str());
            let remedy = did_you_mean(name, "there are", names);
            let message = format!("no such environment: `{name}`");
            return Err(self.source.error(Part::Key, "environment", message, remedy).into());
        };
        let path = format!("environment.{name}");
        let below = format!("{path}.");
        let mut faults: Vec<Diagnostic> = self
            .later
            .iter()
            .filter(|(at, _)| at.starts_with(&below))
            .map(|(_, fault)| fault.clone())
            .collect();
        let mut replaced = |at: &str, text: &str| {
            replace(text, variables).unwrap_or_else(|(message, remedy)| {
                faults.push(self.source.error(Part::Value, at, message, remedy));
                String::new()
            })
        };
        let state = text_or_default(table, &keys::ENVIRONMENT, "state").unwrap_or_default();
        let state = replaced(&format!("{path}.state"), &state);
        let mut events = BTreeMap::new();
        for (event, value) in table.table("events").iter().flat_map(|located| &located.0) {
            let at = format!("{path}.events.{event}");
            if let Some(location) = located(value, &mut |key, text| {
                replaced(&key.map_or_else(|| at.clone(), |key| format!("{at}.{key}")), text)
            }) {
                events.insert(event.clone(), location);
            }
        }
        let record = table.table("record").map(record);
        if faults.is_empty() {
            Ok(Environment { name: name.to_owned(), state, events, record })
        } else {
            Err(Diagnostics::new(faults))
        }
    }

    /// Where an event lives in an environment.
    ///
    /// # Errors
    /// When the environment does not say.
    pub fn location<'a>(
        &self,
        environment: &'a Environment,
        event: &str,
    ) -> Result<&'a Location, Diagnostics> {
        environment.events.get(event).ok_or_else(|| {
            let name = &environment.name;
            let path = format!("environment.{name}.events");
            let message = format!("environment {name} does not say where the event is: `{event}`");
            let remedy = format!("add `events.{event} = \"PATH.parquet\"` to [environment.{name}]");
            self.source.error(Part::Key, &path, message, remedy).into()
        })
    }
}

/// A location as it is written; `replaced` is given the key of each text and the text.
fn located(
    value: &Value,
    replaced: &mut dyn FnMut(Option<&str>, &str) -> String,
) -> Option<Location> {
    let table = match value {
        Value::Text(text) => {
            let idle = text_or_default(&Table::default(), &keys::STREAM, "idle");
            let at = Place::Files(replaced(None, text));
            return Some(Location { at, idle: duration(idle.as_deref()?) });
        }
        Value::Table(table) => table,
        _ => return None,
    };
    let mut text = |key: &str| match table.get(key) {
        Some(Value::Text(text)) => Some(replaced(Some(key), text)),
        Some(_) | None => None,
    };
    let files = text("files").map(Place::Files);
    let at = files.or_else(|| text("log").map(Place::Log))?;
    let idle = text_or_default(table, &keys::STREAM, "idle");
    Some(Location { at, idle: duration(idle.as_deref()?) })
}

fn record(table: &Table) -> Record {
    let columns = match table.get("drop") {
        Some(Value::Array(columns)) => columns.as_slice(),
        Some(_) | None => &[],
    };
    let name = |column: &Value| match column {
        Value::Text(name) => Some(name.clone()),
        _ => None,
    };
    Record {
        keep: text_or_default(table, &keys::RECORD, "keep").map(|text| duration(&text)),
        drop: columns.iter().filter_map(name).collect(),
    }
}

fn duration(text: &str) -> Duration {
    text.parse().expect("the shape was checked: a duration")
}

/// Replaces each `${NAME}`; a dollar sign alone stays. An error is a message and its remedy.
fn replace(
    text: &str,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<String, (String, String)> {
    let mut done = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        done.push_str(&rest[..start]);
        rest = &rest[start + 2..];
        let Some(end) = rest.find('}') else {
            return Err((
                format!("a variable without its end: `${{{rest}`"),
                "close it with `}`".to_owned(),
            ));
        };
        let name = &rest[..end];
        match variables(name) {
            Some(value) => done.push_str(&value),
            None => {
                return Err((
                    format!("environment variable is not set: `{name}`"),
                    format!("set it, such as with `export {name}=…`"),
                ));
            }
        }
        rest = &rest[end + 1..];
    }
    done.push_str(rest);
    Ok(done)
}
