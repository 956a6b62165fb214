//! A project: its analytics events, the environments in which they live, and its definitions.
//!
//! What an environment says is looked at only when it is used: a variable that only production
//! sets, or a stream this build cannot read, is no fault of a local replay.

mod environment;

pub use environment::{Environment, Location, Place, Record};

use crate::definition::Definition;
use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean, list};
use crate::keys::project as keys;
use crate::keys::{Need, Section};
use crate::shape;
use crate::source::{Part, Source};
use crate::tree::{self, Table, Value};
use std::path::{Path, PathBuf};
use trueup_event::Duration;

/// The name of a project's file.
pub const PROJECT_FILE: &str = "trueup.toml";
/// The folder of a project's definitions.
pub const PIPELINES_FOLDER: &str = "pipelines";

/// A project's file, read.
#[derive(Debug, Clone)]
pub struct Project {
    root: PathBuf,
    source: Source,
    default_environment: String,
    events: Vec<Event>,
    environments: Vec<(String, Table)>,
    later: Vec<(String, Diagnostic)>,
}

/// What is true of an analytics event wherever it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// The column with the time at which it happened.
    pub time: String,
    /// How much later than a younger one an event may still arrive.
    pub disorder: Duration,
    /// The zone of times that have none: an IANA name, or an offset such as `+02:00`.
    pub zone: Option<String>,
    /// What times that are whole numbers count.
    pub epoch: Option<Epoch>,
    /// How far an event may be ahead of its record's own timestamp.
    pub future_max: Duration,
}

/// What times that are whole numbers count since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Epoch {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

impl Project {
    /// Reads the project of `dir`, or of the nearest folder above that has a `trueup.toml`.
    ///
    /// # Errors
    /// When there is none, when it cannot be read, and everything that is wrong with it.
    pub fn load(dir: &Path) -> Result<Self, Diagnostics> {
        let start = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
        let Some(root) = start.ancestors().find(|folder| folder.join(PROJECT_FILE).is_file())
        else {
            return Err(Diagnostic::of_file(
                &shown(&start.join(PROJECT_FILE)),
                format!("no project here or above: `{}`", start.display()),
                "run `trueup init .` to make one, or name the folder of an existing one".into(),
            )
            .into());
        };
        let file = root.join(PROJECT_FILE);
        Self::read(root, &shown(&file), &text_of(&file)?)
    }

    /// Reads a project's file from its text; `file` is how messages name it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(root: &Path, file: &str, text: &str) -> Result<Self, Diagnostics> {
        let (source, table) = tree::parse(file, text)?;
        let findings = shape::check(&source, &keys::ROOT, &table);
        let (later, mut faults): (Vec<_>, Vec<_>) = (findings.later, findings.faults);
        names(&source, &table, &mut faults);
        if !faults.is_empty() {
            return Err(Diagnostics::new(faults));
        }
        Ok(Self {
            root: root.to_path_buf(),
            default_environment: text_or_default(&table, &keys::ROOT, "default_environment")
                .unwrap_or_default(),
            events: tables(&table, "event").map(|(name, table)| event(name, table)).collect(),
            environments: tables(&table, "environment")
                .map(|(name, table)| (name.to_owned(), table.clone()))
                .collect(),
            source,
            later,
        })
    }

    /// The project's folder, which relative locations start from.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The text of its file.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// The environment that is used when a command names none.
    #[must_use]
    pub fn default_environment(&self) -> &str {
        &self.default_environment
    }

    /// The analytics events, in the order of the file.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The analytics event of this name.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<&Event> {
        self.events.iter().find(|event| event.name == name)
    }

    /// The names of the environments, in the order of the file.
    #[must_use]
    pub fn environment_names(&self) -> Vec<&str> {
        self.environments.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The names of the definitions, sorted.
    #[must_use]
    pub fn definition_names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.join(PIPELINES_FOLDER));
        let mut names: Vec<String> = entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        names
    }

    /// Reads the definition of this name.
    ///
    /// # Errors
    /// When there is none, when it cannot be read, and everything that is wrong with its text.
    pub fn definition(&self, name: &str) -> Result<Definition, Diagnostics> {
        let folder = self.root.join(PIPELINES_FOLDER);
        let names = self.definition_names();
        if !names.iter().any(|known| known == name) {
            let remedy = match names.is_empty() {
                true => format!("write one in `{}`", shown(&folder.join("NAME.toml"))),
                false => did_you_mean(name, "there are", names.iter().map(String::as_str)),
            };
            let message = format!("no such pipeline: `{name}`");
            return Err(Diagnostic::of_file(&shown(&folder), message, remedy).into());
        }
        let path = folder.join(format!("{name}.toml"));
        Definition::read(name, &shown(&path), &text_of(&path)?)
    }
}

impl Epoch {
    /// Nanoseconds in one of what is counted.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1000,
            Self::Nanoseconds => 1,
        }
    }
}

/// A path as a reader of messages knows it: relative to the current folder where it is below.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

fn text_of(path: &Path) -> Result<String, Diagnostics> {
    std::fs::read_to_string(path).map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::InvalidData => "save the file as UTF-8".to_owned(),
            _ => "check that the file is there and that you may read it".to_owned(),
        };
        Diagnostic::of_file(&shown(path), format!("cannot read the file: {error}"), remedy).into()
    })
}

/// What the table of keys cannot say: names that must be known elsewhere in the file.
fn names(source: &Source, table: &Table, faults: &mut Vec<Diagnostic>) {
    let events: Vec<&str> = tables(table, "event").map(|(name, _)| name).collect();
    let environments: Vec<&str> = tables(table, "environment").map(|(name, _)| name).collect();
    for (environment, entries) in tables(table, "environment") {
        for (event, value) in entries.table("events").iter().flat_map(|located| &located.0) {
            if let Value::Table(location) = value
                && ["files", "log", "kafka", "kinesis"]
                    .iter()
                    .all(|key| location.get(key).is_none())
            {
                let path = format!("environment.{environment}.events.{event}");
                let message = format!("does not say where the event is: `{event}`");
                let remedy = "write `files = \"PATH\"` or `log = \"TOPIC\"`".to_owned();
                faults.push(source.error(Part::Value, &path, message, remedy));
            }
            if !events.contains(&event.as_str()) {
                let path = format!("environment.{environment}.events.{event}");
                let message = format!("not a declared event: `{event}`");
                let remedy = match crate::diagnostic::nearest(event, events.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("declare it with `[event.{event}]` and its `time` column"),
                };
                faults.push(source.error(Part::Key, &path, message, remedy));
            }
        }
    }
    let Some(default) = text_or_default(table, &keys::ROOT, "default_environment") else { return };
    if !environments.is_empty() && !environments.contains(&default.as_str()) {
        let message = format!("no such environment: `{default}`");
        let path = match source.has("default_environment") {
            true => "default_environment",
            false => "environment",
        };
        let remedy = match crate::diagnostic::nearest(&default, environments.iter().copied()) {
            Some(near) => format!("write `default_environment = \"{near}\"`"),
            None => format!(
                "write `default_environment = …` with one of {}",
                list(environments.iter().copied())
            ),
        };
        faults.push(source.error(Part::Value, path, message, remedy));
    }
}

/// The tables of a map, with the names the user gave them.
fn tables<'a>(table: &'a Table, name: &str) -> impl Iterator<Item = (&'a str, &'a Table)> {
    let entries = table.table(name).map(|map| map.0.as_slice()).unwrap_or_default();
    entries.iter().filter_map(|(name, value)| match value {
        Value::Table(table) => Some((name.as_str(), table)),
        _ => None,
    })
}

fn text_or_default(table: &Table, section: &Section, name: &str) -> Option<String> {
    let default = match section.key(name).map(|key| key.need) {
        Some(Need::Default(text)) => Some(tree::literal(text)),
        Some(Need::Required | Need::Optional(_)) | None => None,
    };
    match table.get(name).cloned().or(default) {
        Some(Value::Text(text)) => Some(text),
        Some(_) | None => None,
    }
}

fn event(name: &str, table: &Table) -> Event {
    let text = |key| text_or_default(table, &keys::EVENT, key);
    let duration = |key| {
        let text = text(key).expect("the key has a default");
        text.parse().expect("the shape was checked: a duration")
    };
    Event {
        name: name.to_owned(),
        time: text("time").expect("the shape was checked: a text"),
        disorder: duration("disorder"),
        zone: text("zone"),
        epoch: text("epoch").map(|unit| match unit.as_str() {
            "s" => Epoch::Seconds,
            "ms" => Epoch::Milliseconds,
            "us" => Epoch::Microseconds,
            _ => Epoch::Nanoseconds,
        }),
        future_max: duration("future_max"),
    }
}
