//! `--set learner.rate=0.1`: a definition with some keys changed for one run.

use crate::failure::Failure;
use trueup_pipeline::{Definition, Project};

/// Reads definition `name` with the given keys changed; each is `key.path=value`.
pub(crate) fn definition(
    project: &Project,
    name: &str,
    sets: &[String],
) -> Result<Definition, Failure> {
    Ok(trueup_pipeline::overrides::definition(project, name, sets)?)
}
