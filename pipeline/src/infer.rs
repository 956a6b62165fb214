//! `trueup init --from FILES`: a first definition from the columns of one's own data.
//!
//! Everything is guessed from names, types and values; every guess that matters is told in a
//! [`Notice`] or in a comment of the definition. What comes out passes [`crate::Definition::check`]
//! against the same files. Nothing is read here: schemas and rows are handed in.

mod features;
mod names;
mod notices;
mod profile;
mod roles;
mod stats;
mod write;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use serde::Serialize;

/// A file, or a sample of it.
#[derive(Debug, Clone)]
pub struct FileSample {
    /// The location, as it is to stand in the project's file.
    pub path: String,
    /// The columns.
    pub schema: SchemaRef,
    /// Its rows, or some of them. Question and label rows that belong together must be in both
    /// samples; whole files are best.
    pub rows: Vec<RecordBatch>,
}

/// A project with one definition, and what its reader should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Inference {
    /// The definition's name.
    pub name: String,
    /// The text of `trueup.toml`.
    pub project: String,
    /// The text of `pipelines/NAME.toml`.
    pub definition: String,
    /// What was found on the way.
    pub notices: Vec<Notice>,
}

/// Something that was found in the data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notice {
    /// How much it matters.
    pub level: Level,
    /// What was found.
    pub message: String,
    /// What to do about it; empty when there is nothing to do.
    pub remedy: String,
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good to know.
    Note,
    /// Probably wrong in the data or in the guess.
    Warning,
}

/// Why no definition could be made of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is missing, the place last, in backticks.
    pub message: String,
    /// What would be right.
    pub remedy: String,
}

impl Refusal {
    pub(crate) fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: remedy.into() }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nhint: {}", self.message, self.remedy)
    }
}

impl std::error::Error for Refusal {}

/// Makes a project of the files: two that join, or one with both events in each row.
///
/// # Errors
/// When no estimate, no outcome, no times or no join key can be found.
pub fn infer(files: &[FileSample]) -> Result<Inference, Refusal> {
    let tables = profile::tables(files);
    if let Some(empty) = tables.iter().find(|table| table.rows == 0) {
        let message = format!("no rows: `{}`", empty.location);
        return Err(Refusal::new(message, "name files with rows"));
    }
    let roles = roles::find(&tables)?;
    if roles.pairs.is_empty() {
        let message = format!("no question has a label: `{}`", roles.question_join.name);
        return Err(Refusal::new(message, "name files of the same time, with the same keys"));
    }
    let choice = features::choose(&roles);
    let mut notices = notices::of(&roles, &choice);
    for table in &tables {
        let is_used = std::ptr::eq(table, roles.question) || std::ptr::eq(table, roles.label);
        if !is_used {
            notices.push(Notice {
                level: Level::Note,
                message: format!("not used: `{}`", table.location),
                remedy: "join it to the questions before they are written, if it helps".into(),
            });
        }
    }
    Ok(write::inference(&roles, &choice, notices))
}
