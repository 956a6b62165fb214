//! `trueup.RealtimeMLPipeline`: the definition object, in Python.
//!
//! What a builder says becomes keys of the file that it would be, so that one table of keys, one
//! parser and one check stand behind both. Nothing is judged before it is whole.

use crate::error::{Failure, findings};
use crate::toml;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::path::{Path, PathBuf};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value};
use trueup_backtest::setup::Setup;
use trueup_pipeline::{Definition, Diagnostic, Diagnostics, Project};

/// One definition of a real-time machine-learning application.
#[pyclass(name = "RealtimeMLPipeline", module = "trueup")]
#[derive(Debug)]
pub(crate) struct Pipeline {
    name: String,
    /// How messages name the text.
    file: String,
    document: DocumentMut,
    /// The project it was read from.
    folder: Option<PathBuf>,
    /// Events declared in code, as `trueup.toml` would.
    events: Table,
}

/// The environment of a project that is declared in code.
const MEMORY: &str = "[environment.memory]\nstate = \".trueup\"\n";

impl Pipeline {
    /// What is declared, whole.
    pub(crate) fn definition(&self) -> Result<Definition, Diagnostics> {
        Definition::read(&self.name, &self.file, &self.document.to_string())
    }

    /// The project that is named, or else the one in code, or else the one it was read from.
    pub(crate) fn project(&self, named: Option<&Path>) -> Result<Project, Diagnostics> {
        if named.is_none() && !self.events.is_empty() {
            let mut project: DocumentMut = MEMORY.parse().expect("the text is TOML");
            project.insert("default_environment", toml_edit::value("memory"));
            project.insert("event", Item::Table(self.events.clone()));
            let file = format!("events of {} (declared in code)", self.name);
            return Project::read(Path::new("."), &file, &project.to_string());
        }
        Project::load(named.or(self.folder.as_deref()).unwrap_or(Path::new(".")))
    }

    /// The table of this name, made if there is none.
    fn section(&mut self, name: &str) -> Result<&mut dyn toml_edit::TableLike, Failure> {
        self.edited();
        let item = self.document.entry(name).or_insert_with(toml_edit::table);
        item.as_table_like_mut().ok_or_else(|| {
            Failure::usage(format!("not a table: `{name}`"), format!("write `[{name}]`"))
        })
    }

    /// A section with these entries and no others.
    fn replace(&mut self, name: &str, entries: InlineTable) {
        self.edited();
        self.document.insert(name, Item::Table(entries.into_table()));
    }

    /// Sets the given entries of a section; the others stay.
    fn update(&mut self, name: &str, entries: InlineTable) -> Result<(), Failure> {
        let section = self.section(name)?;
        for (key, value) in entries {
            section.insert(&key, Item::Value(value));
        }
        Ok(())
    }

    /// Appends to a list, whichever way it is written.
    fn append(&mut self, section: Option<&str>, name: &str, value: Value) -> Result<(), Failure> {
        self.edited();
        let table: &mut dyn toml_edit::TableLike = match section {
            Some(section) => self.section(section)?,
            None => self.document.as_table_mut(),
        };
        let item = table.entry(name).or_insert(toml_edit::value(Array::new()));
        if let Some(array) = item.as_array_mut() {
            array.push(value);
        } else if let (Some(tables), Value::InlineTable(entries)) =
            (item.as_array_of_tables_mut(), value)
        {
            tables.push(entries.into_table());
        } else {
            return Err(Failure::usage(format!("not a list: `{name}`"), "make it one"));
        }
        Ok(())
    }

    /// Lines of the text may no longer be those of the file.
    fn edited(&mut self) {
        if self.folder.is_some() && !self.file.ends_with(CHANGED) {
            self.file.push_str(CHANGED);
        }
    }

    fn read(name: String, file: String, text: &str, folder: PathBuf) -> Result<Self, Failure> {
        // What is wrong in the file is told at once, with its own lines.
        Definition::read(&name, &file, text)?;
        let document = text.parse().expect("the text was read as TOML");
        Ok(Self { name, file, document, folder: Some(folder), events: Table::new() })
    }
}

const CHANGED: &str = " (changed in code)";

/// Entries of keyword arguments, with those that have a name of their own first.
fn entries<'py>(
    named: &[(&str, Option<&Bound<'py, PyAny>>)],
    rest: Option<&Bound<'py, PyDict>>,
) -> Result<InlineTable, Failure> {
    let mut table = InlineTable::new();
    for (key, given) in named {
        if let Some(given) = given {
            table.insert(*key, toml::value(given)?);
        }
    }
    if let Some(rest) = rest {
        for (key, value) in toml::inline(rest)? {
            table.insert(key, value);
        }
    }
    Ok(table)
}

type Chain<'py> = Result<Bound<'py, Pipeline>, Failure>;
type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

#[pymethods]
impl Pipeline {
    /// A pipeline of this name that says nothing yet but its unit.
    #[new]
    #[pyo3(signature = (name, *, unit = "minutes"))]
    fn new(name: String, unit: &str) -> Self {
        let file = format!("{name} (built in code)");
        let mut document = DocumentMut::new();
        document.insert("unit", toml_edit::value(unit));
        Self { name, file, document, folder: None, events: Table::new() }
    }

    /// Reads the definition of a project by its name, or any by the path of its file.
    #[staticmethod]
    #[pyo3(signature = (path_or_name, *, project = PathBuf::from(".")))]
    fn load(path_or_name: PathBuf, project: PathBuf) -> Result<Self, Failure> {
        let is_path = path_or_name.extension().is_some_and(|extension| extension == "toml");
        if !is_path {
            let project = Project::load(&project)?;
            let definition = project.definition(&path_or_name.to_string_lossy())?;
            let source = definition.source();
            let (name, file) = (definition.name().to_owned(), source.file().to_owned());
            return Self::read(name, file, source.text(), project.root().to_path_buf());
        }
        let file = path_or_name.display().to_string();
        let text = std::fs::read_to_string(&path_or_name).map_err(|error| {
            let remedy = "check that the file is there and that you may read it".to_owned();
            let message = format!("cannot read the file: {error}");
            Diagnostics::from(Diagnostic::of_file(&file, message, remedy))
        })?;
        let name = path_or_name.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let whole = std::path::absolute(&path_or_name).unwrap_or(path_or_name);
        Self::read(name, file, &text, whole.parent().unwrap_or(Path::new(".")).to_path_buf())
    }

    /// The pipeline's name.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// The unit of estimate, label, correction and every error.
    fn unit<'py>(slf: Bound<'py, Self>, unit: &str) -> Bound<'py, Self> {
        let mut this = slf.borrow_mut();
        this.edited();
        this.document.insert("unit", toml_edit::value(unit));
        drop(this);
        slf
    }

    /// Declares an event, as `[event.NAME]` of `trueup.toml` does, for use without a project.
    #[pyo3(signature = (name, *, time, **more))]
    fn event<'py>(
        slf: Bound<'py, Self>,
        name: &str,
        time: &Bound<'py, PyAny>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> Chain<'py> {
        let entries = entries(&[("time", Some(time))], more)?;
        slf.borrow_mut().events.insert(name, Item::Table(entries.into_table()));
        Ok(slf)
    }

    /// The event, join key and estimate of questions.
    #[pyo3(signature = (event, *, join, estimate, **more))]
    fn question<'py>(
        slf: Bound<'py, Self>,
        event: &Bound<'py, PyAny>,
        join: &Bound<'py, PyAny>,
        estimate: &Bound<'py, PyAny>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> Chain<'py> {
        let named = [("event", Some(event)), ("join", Some(join)), ("estimate", Some(estimate))];
        slf.borrow_mut().replace("question", entries(&named, more)?);
        Ok(slf)
    }

    /// The event, join key and value of labels, and how long they are waited for.
    #[pyo3(signature = (event, *, join, value, wait, **more))]
    fn label<'py>(
        slf: Bound<'py, Self>,
        event: &Bound<'py, PyAny>,
        join: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        wait: &Bound<'py, PyAny>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> Chain<'py> {
        let named = [("event", event), ("join", join), ("value", value), ("wait", wait)].map(some);
        slf.borrow_mut().replace("label", entries(&named, more)?);
        Ok(slf)
    }

    /// Question columns with other models' estimates.
    #[pyo3(signature = (*columns))]
    fn reference<'py>(slf: Bound<'py, Self>, columns: &Bound<'py, PyTuple>) -> Chain<'py> {
        for column in columns {
            slf.borrow_mut().append(None, "reference", toml::value(&column)?)?;
        }
        Ok(slf)
    }

    /// A feature: `"category"`, `"number"`, or what it is computed from.
    #[pyo3(signature = (name, kind = None, **how))]
    fn feature<'py>(
        slf: Bound<'py, Self>,
        name: &str,
        kind: Given<'_, 'py>,
        how: Option<&Bound<'py, PyDict>>,
    ) -> Chain<'py> {
        let value = match (kind, how) {
            (Some(kind), None) => toml::value(kind)?,
            (Some(kind), how) => Value::InlineTable(entries(&[("as", Some(kind))], how)?),
            (None, how) => Value::InlineTable(entries(&[], how)?),
        };
        slf.borrow_mut().section("features")?.insert(name, Item::Value(value));
        Ok(slf)
    }

    /// Category features: the columns of these names.
    #[pyo3(signature = (*columns))]
    fn category<'py>(slf: Bound<'py, Self>, columns: Vec<String>) -> Chain<'py> {
        plain(slf, columns, "category")
    }

    /// Number features: the columns of these names.
    #[pyo3(signature = (*columns))]
    fn number<'py>(slf: Bound<'py, Self>, columns: Vec<String>) -> Chain<'py> {
        plain(slf, columns, "number")
    }

    /// The main learner: its kind, objective, correction, limit and parameters.
    #[pyo3(signature = (kind, **parameters))]
    fn learner<'py>(
        slf: Bound<'py, Self>,
        kind: &Bound<'py, PyAny>,
        parameters: Option<&Bound<'py, PyDict>>,
    ) -> Chain<'py> {
        slf.borrow_mut().replace("learner", entries(&[("kind", Some(kind))], parameters)?);
        Ok(slf)
    }

    /// A learner that learns beside the main one.
    #[pyo3(signature = (kind, **parameters))]
    fn challenger<'py>(
        slf: Bound<'py, Self>,
        kind: &Bound<'py, PyAny>,
        parameters: Option<&Bound<'py, PyDict>>,
    ) -> Chain<'py> {
        let value = Value::InlineTable(entries(&[("kind", Some(kind))], parameters)?);
        slf.borrow_mut().append(None, "challenger", value)?;
        Ok(slf)
    }

    /// When a candidate may replace the champion.
    #[pyo3(signature = (**keys))]
    fn gate<'py>(slf: Bound<'py, Self>, keys: Option<&Bound<'py, PyDict>>) -> Chain<'py> {
        slf.borrow_mut().update("gate", entries(&[], keys)?)?;
        Ok(slf)
    }

    /// A metric that must not get worse by more than this.
    #[pyo3(signature = (metric, worse_by, **more))]
    fn guard<'py>(
        slf: Bound<'py, Self>,
        metric: &Bound<'py, PyAny>,
        worse_by: &Bound<'py, PyAny>,
        more: Option<&Bound<'py, PyDict>>,
    ) -> Chain<'py> {
        let value = entries(&[("metric", metric), ("worse_by", worse_by)].map(some), more)?;
        slf.borrow_mut().append(Some("gate"), "guard", Value::InlineTable(value))?;
        Ok(slf)
    }

    /// When candidates are made and how long they stay good.
    #[pyo3(signature = (**keys))]
    fn publish<'py>(slf: Bound<'py, Self>, keys: Option<&Bound<'py, PyDict>>) -> Chain<'py> {
        slf.borrow_mut().update("publish", entries(&[], keys)?)?;
        Ok(slf)
    }

    /// How questions wait for their labels.
    #[pyo3(signature = (**keys))]
    fn join<'py>(slf: Bound<'py, Self>, keys: Option<&Bound<'py, PyDict>>) -> Chain<'py> {
        slf.borrow_mut().update("join", entries(&[], keys)?)?;
        Ok(slf)
    }

    /// The text of its file: what differs from the defaults, in the order of the reference.
    fn to_toml(&self) -> Result<String, Failure> {
        Ok(self.definition()?.pipeline().to_toml())
    }

    /// Holds it against its project and its data; gives what is probably not meant.
    #[pyo3(signature = (project = None, *, env = None, offline = false))]
    fn check<'py>(
        &self,
        py: Python<'py>,
        project: Option<PathBuf>,
        env: Option<&str>,
        offline: bool,
    ) -> Result<Bound<'py, PyAny>, Failure> {
        let definition = self.definition()?;
        let project = self.project(project.as_deref())?;
        definition.check(&project, None)?;
        let setup = Setup::of(project, env)?;
        let schemas = match offline {
            true => None,
            false => Some(py.detach(|| setup.schemas(&definition))?),
        };
        let warnings = definition.check(&setup.project, schemas.as_ref())?.warnings;
        Ok(findings(py, &warnings)?)
    }

    /// Replays it: as `trueup.backtest` with this pipeline.
    #[pyo3(signature = (**options))]
    fn backtest<'py>(
        slf: Bound<'py, Self>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("trueup._native")?.getattr("backtest")?.call((slf,), options)
    }

    fn __eq__(&self, other: &Self) -> bool {
        let read = |one: &Self| one.definition().ok().map(|read| read.pipeline().clone());
        match (read(self), read(other)) {
            (Some(this), Some(other)) => this == other,
            _ => self.name == other.name && self.document.to_string() == other.document.to_string(),
        }
    }

    fn __repr__(&self) -> String {
        let text = self.document.to_string();
        format!("# pipelines/{}.toml\n{}", self.name, text.trim_end())
    }
}

fn some<'a, 'py>(
    (key, given): (&'static str, &'a Bound<'py, PyAny>),
) -> (&'static str, Given<'a, 'py>) {
    (key, Some(given))
}

/// Features that are columns of the same name.
fn plain<'py>(slf: Bound<'py, Pipeline>, columns: Vec<String>, kind: &str) -> Chain<'py> {
    for column in columns {
        let value = Item::Value(kind.into());
        slf.borrow_mut().section("features")?.insert(&column, value);
    }
    Ok(slf)
}
