//! `learner.rate=0.1`: a definition with some keys changed for one run.
//!
//! The text is changed, not the object, so that later complaints point to what was asked for.

use crate::definition::Definition;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::project::Project;
use toml_edit::{DocumentMut, Item, Value};

/// Why a definition cannot be changed as asked.
#[derive(Debug, thiserror::Error)]
pub enum OverrideError {
    /// What is asked for is not `KEY=VALUE`, or there is no such place.
    #[error("{message}: `{set}`")]
    Usage {
        /// What is wrong with it.
        message: &'static str,
        /// What was asked for.
        set: String,
    },
    /// The definition is wrong before or after the change.
    #[error(transparent)]
    Definition(#[from] Diagnostics),
}

impl OverrideError {
    /// What would be right, where it is not said by the diagnostics.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Usage { .. } => Some("write `KEY=VALUE`, such as `learner.rate=0.1`"),
            Self::Definition(_) => None,
        }
    }
}

/// Reads definition `name` of a project with the given keys changed; each is `key.path=value`, the
/// value in TOML or else taken as a text.
///
/// # Errors
/// When a change is not `key.path=value`, and everything that is wrong with the text before or
/// after the changes.
pub fn definition(
    project: &Project,
    name: &str,
    sets: &[String],
) -> Result<Definition, OverrideError> {
    // Read it as it is first, so that what is wrong in the file itself is told as such.
    changed(&project.definition(name)?, sets)
}

/// A definition with the given keys changed, as [`definition`] does.
///
/// # Errors
/// As [`definition`].
pub fn changed(definition: &Definition, sets: &[String]) -> Result<Definition, OverrideError> {
    if sets.is_empty() {
        return Ok(definition.clone());
    }
    let source = definition.source();
    let mut document = document(source.file(), source.text())?;
    for set in sets {
        apply(&mut document, set)?;
    }
    let name = definition.name();
    let file = format!("{} with {}", source.file(), sets.join(" "));
    Ok(Definition::read(name, &file, &document.to_string())?)
}

fn document(file: &str, text: &str) -> Result<DocumentMut, Diagnostics> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let message = format!("not TOML: {}", error.message());
        Diagnostic::of_file(file, message, "see https://toml.io".to_owned()).into()
    })
}

fn apply(document: &mut DocumentMut, set: &str) -> Result<(), OverrideError> {
    let wrong = |message| OverrideError::Usage { message, set: set.to_owned() };
    let (path, value) = set.split_once('=').ok_or_else(|| wrong("no value is given"))?;
    let value: Value =
        value.trim().parse().unwrap_or_else(|_| Value::from(value.trim().to_owned()));
    let mut keys: Vec<&str> = path.trim().split('.').collect();
    let last = keys.pop().filter(|key| !key.is_empty()).ok_or_else(|| wrong("no key is given"))?;
    let mut item: &mut Item = document.as_item_mut();
    for key in keys {
        let table =
            item.as_table_like_mut().ok_or_else(|| wrong("the key is inside of a plain value"))?;
        if !table.contains_key(key) {
            table.insert(key, toml_edit::table());
        }
        item = table.get_mut(key).ok_or_else(|| wrong("the key cannot be set"))?;
    }
    let table =
        item.as_table_like_mut().ok_or_else(|| wrong("the key is inside of a plain value"))?;
    table.insert(last, Item::Value(value));
    Ok(())
}
