//! Building a version from what the registry keeps: read, checked, applied and warmed, all off the
//! path of requests.
//!
//! The registry checks the digest of every byte. Beyond that a version is refused whose definition
//! is not the one its digest names, which does not fit its definition, or which has a weight that
//! is not finite: nothing of it ever answers.

use crate::definition::Definition;
use crate::question::Question;
use crate::slot::Served;
use serde::Deserialize;
use std::sync::Arc;
use trueup_event::EventTime;
use trueup_learner::artifact::{DecodeError, Form};
use trueup_learner::effect::StateDigest;
use trueup_learner::model::{Model, ModelError, Scratch};
use trueup_learner::spec::Spec;
use trueup_registry::{Form as StoredForm, ModelRegistry, VersionSummary};

/// How many questions a model answers before it is swapped in.
const WARM_UP_QUESTIONS: u32 = 64;

/// Why a version cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The registry cannot give it.
    #[error(transparent)]
    Registry(#[from] trueup_registry::Error),
    /// Its lineage record or definition cannot be read.
    #[error("lineage record of version {version} cannot be read: `{detail}`")]
    Manifest {
        /// The version.
        version: u64,
        /// What is wrong.
        detail: String,
    },
    /// Its definition has another digest than its lineage record says.
    #[error("definition of version {version} has digest {found}, its lineage record says `{said}`")]
    Definition {
        /// The version.
        version: u64,
        /// The digest of the definition.
        found: String,
        /// The digest in the lineage record.
        said: String,
    },
    /// Its definition gives no model.
    #[error("definition of version {version} gives no model: {source}")]
    Model {
        /// The version.
        version: u64,
        /// Why.
        source: ModelError,
    },
    /// Its artifact does not fit its definition.
    #[error("artifact of version {version} does not fit its definition: {source}")]
    Artifact {
        /// The version whose artifact it is.
        version: u64,
        /// Why.
        source: DecodeError,
    },
    /// A weight is NaN or infinite.
    #[error("a weight is not finite in version `{version}`")]
    NotFinite {
        /// The version.
        version: u64,
    },
    /// It has no state digest.
    #[error("state digest of version {version} is none: `{found}`")]
    Digest {
        /// The version.
        version: u64,
        /// What stands in its place.
        found: String,
    },
}

/// What a bridge reads of a lineage record.
#[derive(Debug, Deserialize)]
struct Record {
    /// None when it stands beside the artifacts.
    definition: Option<Spec>,
    definition_digest: String,
    question_time: String,
}

/// The definition of a version; `known` again if it is the same.
pub(crate) fn definition(
    registry: &ModelRegistry,
    version: u64,
    known: Option<&Arc<Definition>>,
) -> Result<Arc<Definition>, BuildError> {
    let manifest = registry.manifest(version)?;
    let unreadable =
        |error: serde_json::Error| BuildError::Manifest { version, detail: error.to_string() };
    let record: Record = serde_json::from_value(manifest.record).map_err(unreadable)?;
    let spec = match record.definition {
        Some(spec) => spec,
        None => serde_json::from_slice(&registry.read_slice(&manifest.definition)?)
            .map_err(unreadable)?,
    };
    let found = hex(&spec.digest());
    if found != record.definition_digest {
        let said = record.definition_digest;
        return Err(BuildError::Definition { version, found, said });
    }
    match known {
        Some(known) if known.digest() == found && known.time_column() == record.question_time => {
            Ok(Arc::clone(known))
        }
        Some(_) | None => Ok(Arc::new(Definition::new(spec, found, record.question_time))),
    }
}

/// The serving artifacts of a version, its base first.
struct Chain<'r> {
    registry: &'r ModelRegistry,
    links: Vec<&'r VersionSummary>,
}

impl Chain<'_> {
    fn apply(&self, model: &mut Model, from: usize) -> Result<(), BuildError> {
        for link in &self.links[from..] {
            let version = link.version;
            let bytes = self.registry.read_slice(&link.serving)?;
            let form = match link.form {
                StoredForm::Base => Form::Base,
                StoredForm::Delta => Form::Delta,
            };
            model.apply(form, &bytes).map_err(|source| BuildError::Artifact { version, source })?;
        }
        Ok(())
    }
}

/// A version, ready to answer: from the version that answers now where it extends it, else from its
/// base. `hold` and `moved_micros` are the alias'.
pub(crate) fn build(
    registry: &ModelRegistry,
    wanted: &Wanted,
    current: Option<&Served>,
    known: Option<&Arc<Definition>>,
) -> Result<Served, BuildError> {
    let version = wanted.version;
    let chain = Chain { registry, links: registry.chain(version)? };
    let summary = *chain.links.last().expect("a chain ends with its version");
    let definition = definition(registry, version, known)?;
    let lineage = usize::try_from(summary.lineage).unwrap_or(usize::MAX);
    let place = current.and_then(|current| {
        let is_kin = current.lineage == lineage && current.definition == definition;
        let at = chain.links.iter().position(|link| link.version == current.version)?;
        is_kin.then_some((at, current))
    });
    let model = match place {
        Some((at, current)) if at + 1 == chain.links.len() => Arc::clone(&current.model),
        Some((at, current)) => {
            let mut model = current.model.duplicate();
            chain.apply(&mut model, at + 1)?;
            Arc::new(check(model, version)?)
        }
        None => {
            let mut model = Model::new(definition.spec().clone(), lineage)
                .map_err(|source| BuildError::Model { version, source })?;
            chain.apply(&mut model, 0)?;
            Arc::new(check(model, version)?)
        }
    };
    let served = Served {
        version,
        digest: digest(summary)?,
        trained_until: EventTime::from_micros(summary.trained_until_micros),
        is_held: wanted.is_held,
        lineage,
        moved_micros: wanted.moved_micros,
        definition,
        model,
    };
    warm(&served);
    Ok(served)
}

/// What an alias names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) version: u64,
    pub(crate) is_held: bool,
    pub(crate) moved_micros: i64,
}

fn check(mut model: Model, version: u64) -> Result<Model, BuildError> {
    if model.is_finite() { Ok(model) } else { Err(BuildError::NotFinite { version }) }
}

/// Touches the memory that answers will need. What comes out is nobody's answer.
fn warm(served: &Served) {
    let mut scratch = Scratch::default();
    for number in 0..WARM_UP_QUESTIONS {
        let question = Question { time: None, estimate: f64::from(number), columns: &[] };
        // A feature that cannot be missing refuses the question: it is warm all the same.
        let answer = served.correct(&question, served.trained_until, &mut scratch);
        std::hint::black_box(answer.is_ok());
    }
}

fn digest(summary: &VersionSummary) -> Result<StateDigest, BuildError> {
    let text = serde_json::Value::String(summary.state_digest.clone());
    serde_json::from_value(text).map_err(|_| BuildError::Digest {
        version: summary.version,
        found: summary.state_digest.clone(),
    })
}

fn hex(digest: &[u8; 32]) -> String {
    StateDigest(*digest).to_string()
}
