//! `--set learner.rate=0.1`: a definition with some keys changed for one run.

use crate::failure::Failure;
use anyhow::Context;
use toml_edit::{DocumentMut, Item, Value};
use trueup_pipeline::{Definition, Project};

/// Reads definition `name` with the given keys changed; each is `key.path=value`, the value in TOML
/// or else taken as a text.
pub(crate) fn definition(
    project: &Project,
    name: &str,
    sets: &[String],
) -> Result<Definition, Failure> {
    if sets.is_empty() {
        return Ok(project.definition(name)?);
    }
    // Read it as it is first, so that what is wrong in the file itself is told as such.
    project.definition(name)?;
    let path = project.root().join("pipelines").join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read the file: `{}`", path.display()))?;
    let mut document: DocumentMut =
        text.parse().with_context(|| format!("not TOML: `{}`", path.display()))?;
    for set in sets {
        apply(&mut document, set)?;
    }
    let file = format!("pipelines/{name}.toml with {}", sets.join(" "));
    Ok(Definition::read(name, &file, &document.to_string())?)
}

fn apply(document: &mut DocumentMut, set: &str) -> Result<(), Failure> {
    let wrong = |why: &str| {
        let hint = "write `--set KEY=VALUE`, such as `--set learner.rate=0.1`".to_owned();
        Failure::Usage(format!("{why}: `--set {set}`"), Some(hint))
    };
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
