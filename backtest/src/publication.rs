//! From candidates to versions of the registry, and back.
//!
//! Live runs and replays publish alike: a version's id is a function of definition, shard and
//! everything that the candidate is a function of, so that whoever reproduces a version finds it
//! published already, with the same bytes.

use crate::error::Error;
use serde::{Deserialize, Serialize};
use trueup_event::{Control, EventTime};
use trueup_learner::artifact::{Artifact, Form};
use trueup_learner::effect::{Candidate, CandidateKey, CandidateScores, StateDigest};
use trueup_learner::gate::Verdict;
use trueup_learner::model::Model;
use trueup_learner::orders::Stored;
use trueup_learner::spec::Spec;
use trueup_learner::step::InputMark;
use trueup_registry::{ModelRegistry, NewVersion, VersionSummary};

/// What the registry keeps of a version's making: the lineage record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The definition's name.
    pub pipeline: String,
    /// The digest of the definition, in hexadecimal digits.
    pub definition_digest: String,
    /// The version of the program that made it.
    pub code_version: String,
    /// The environment it was made in.
    pub environment: String,
    /// The kind of learner.
    pub learner: String,
    /// The unit of all errors.
    pub unit: String,
    /// The column with the time of a question.
    pub question_time: String,
    /// The publish point, in event time.
    pub boundary: EventTime,
    /// The time of the last label in it.
    pub trained_until: Option<EventTime>,
    /// The number of events merged.
    pub merged: u64,
    /// A digest of the events in merge order and of what was obeyed between them, in hexadecimal
    /// digits.
    pub history: String,
    /// How far each partition was merged, and a digest of what it held.
    pub inputs: Vec<Input>,
    /// Where the events were read from.
    pub sources: Vec<SourceRecord>,
    /// The version that the learner went on from before the first event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_start: Option<u64>,
    /// Prequential errors so far.
    pub scores: CandidateScores,
    /// What the gate says.
    pub verdict: Verdict,
}

/// How far one partition was merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The event.
    pub event: String,
    /// The partition.
    pub partition: u32,
    /// The next offset to merge.
    pub next_offset: u64,
    /// A digest of the events before it, in hexadecimal digits.
    pub digest: String,
}

/// Where the events of one stream were read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// The event.
    pub event: String,
    /// `files`, `log`, `folder` or `recording`.
    pub kind: String,
    /// Path, topic or address.
    pub location: String,
    /// The files, where their number is known beforehand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileRecord>,
}

/// One file of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its path, relative to the project if the location was.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// The BLAKE3 digest of its bytes, in hexadecimal digits.
    pub blake3: String,
}

/// What all versions of one run have in common.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The shard that makes them.
    pub shard: String,
    /// The environment's name.
    pub environment: String,
    /// The column with the time of a question.
    pub question_time: String,
    /// Where the events are read from.
    pub sources: Vec<SourceRecord>,
    /// The version that the learner goes on from.
    pub warm_start: Option<u64>,
    /// The event and the partition of each of the engine's partitions.
    pub partitions: Vec<(String, u32)>,
    spec: Spec,
    definition: Vec<u8>,
    definition_digest: String,
}

impl SourceRecord {
    /// Where events were read from. Of an address, what may be a secret is left out: user,
    /// password and query.
    #[must_use]
    pub fn new(event: &str, kind: &str, location: &str, files: Vec<FileRecord>) -> Self {
        let location = match location.split_once("://") {
            None => location.to_owned(),
            Some((scheme, rest)) => {
                let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
                let path = path.split_once('?').map_or(path, |(path, _)| path);
                format!("{scheme}://{host}/{path}")
            }
        };
        Self { event: event.to_owned(), kind: kind.to_owned(), location, files }
    }
}

impl Publication {
    /// Of a definition; where events come from is filled in by the caller.
    #[must_use]
    pub fn new(spec: &Spec, shard: &str) -> Self {
        Self {
            shard: shard.to_owned(),
            environment: String::new(),
            question_time: String::new(),
            sources: Vec::new(),
            warm_start: None,
            partitions: Vec::new(),
            spec: spec.clone(),
            definition_digest: digest_of(spec),
            definition: serde_json::to_vec(spec).expect("a spec is plain data"),
        }
    }

    /// The digest of the definition, in hexadecimal digits.
    #[must_use]
    pub fn definition_digest(&self) -> &str {
        &self.definition_digest
    }

    /// The id of a candidate.
    #[must_use]
    pub fn id(&self, key: CandidateKey) -> String {
        let CandidateKey { version, history } = key;
        let told = format!("{} {} {version} {history:016x}", self.definition_digest, self.shard);
        blake3::hash(told.as_bytes()).to_hex()[..32].to_owned()
    }

    /// The version that a candidate becomes; none if it equals the one before it.
    #[must_use]
    pub fn version(&self, candidate: &Candidate, artifact: &Artifact) -> Option<NewVersion> {
        if candidate.verdict == Verdict::Unchanged {
            return None;
        }
        let record = self.record(candidate);
        Some(NewVersion {
            id: self.id(candidate.key()),
            lineage: u32::try_from(candidate.lineage).expect("lineages are few"),
            ordinal: candidate.version,
            form: match candidate.form {
                Form::Base => trueup_registry::Form::Base,
                Form::Delta => trueup_registry::Form::Delta,
            },
            parent: candidate.parent.map(|parent| self.id(parent)),
            verdict: candidate.verdict.name().to_owned(),
            boundary_micros: candidate.boundary.micros(),
            trained_until_micros: candidate.trained_until.unwrap_or(EventTime::MIN).micros(),
            state_digest: candidate.digest.to_string(),
            serving: artifact.serving.clone(),
            training: artifact.training.clone(),
            definition: self.definition.clone(),
            manifest: serde_json::to_value(record).expect("a record is plain data"),
            promote: candidate.verdict.is_promoted(),
        })
    }

    /// How far each partition was merged at a candidate's publish point.
    #[must_use]
    pub fn inputs(&self, candidate: &Candidate) -> Vec<Input> {
        let marks = candidate.inputs.iter().zip(&self.partitions);
        let input = |(mark, (event, partition)): (&InputMark, &(String, u32))| Input {
            event: event.clone(),
            partition: *partition,
            next_offset: mark.next_offset,
            digest: format!("{:016x}", mark.digest),
        };
        marks.map(input).collect()
    }

    fn record(&self, candidate: &Candidate) -> Record {
        Record {
            pipeline: self.spec.name.clone(),
            definition_digest: self.definition_digest.clone(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: self.environment.clone(),
            learner: self.spec.learners[candidate.lineage].kind().to_owned(),
            unit: self.spec.unit.clone(),
            question_time: self.question_time.clone(),
            boundary: candidate.boundary,
            trained_until: candidate.trained_until,
            merged: candidate.merged,
            history: format!("{:016x}", candidate.history),
            inputs: self.inputs(candidate),
            sources: self.sources.clone(),
            warm_start: self.warm_start,
            scores: candidate.scores,
            verdict: candidate.verdict.clone(),
        }
    }
}

/// The lineage record of a version.
///
/// # Errors
/// When there is no such version, or its record cannot be read.
pub fn record(model: &ModelRegistry, version: u64) -> Result<Record, Error> {
    let manifest = model.manifest(version)?;
    serde_json::from_value(manifest.record).map_err(|error| Error::Record { version, error })
}

/// The definition of a version.
///
/// # Errors
/// When there is no such version, or its definition cannot be read.
pub fn definition(model: &ModelRegistry, version: u64) -> Result<Spec, Error> {
    let manifest = model.manifest(version)?;
    let bytes = model.read_slice(&manifest.definition)?;
    serde_json::from_slice(&bytes).map_err(|error| Error::Record { version, error })
}

/// The digest of a definition, in hexadecimal digits.
#[must_use]
pub fn digest_of(spec: &Spec) -> String {
    StateDigest(spec.digest()).to_string()
}

/// Brings a model up to date with the serving artifacts of a part of its chain.
///
/// # Errors
/// When a file is damaged or absent, or an artifact is not of the model's learner.
pub fn apply(
    registry: &ModelRegistry,
    model: &mut Model,
    links: &[&VersionSummary],
) -> Result<(), Error> {
    for link in links {
        model.apply(form(link.form), &registry.read_slice(&link.serving)?)?;
    }
    Ok(())
}

/// The version that a control input names, as the core obeys it. None if it names none, or one of
/// another definition than that of this digest: that one answers in the world, and not in the
/// books of a run.
///
/// # Errors
/// When there is no such version, or a file of it is damaged or absent.
pub fn named(
    model: &ModelRegistry,
    control: &Control,
    definition_digest: &str,
) -> Result<Option<Stored>, Error> {
    let Some(version) = control.version() else { return Ok(None) };
    let is_ours = record(model, version)?.definition_digest == definition_digest;
    is_ours.then(|| stored(model, version)).transpose()
}

/// A version as the core obeys it, with everything that its artifacts are against.
///
/// # Errors
/// When there is no such version, or a file of it is damaged or absent.
pub fn stored(model: &ModelRegistry, version: u64) -> Result<Stored, Error> {
    let chain = model.chain(version)?;
    let last = *chain.last().expect("a chain ends in its version");
    let mut stored = Stored {
        lineage: last.lineage as usize,
        number: last.ordinal,
        trained_until: EventTime::from_micros(last.trained_until_micros),
        serving: Vec::new(),
        training: Vec::new(),
    };
    for part in chain {
        let form = form(part.form);
        stored.serving.push((form, model.read_slice(&part.serving)?));
        stored.training.push((form, model.read_slice(&part.training)?));
    }
    Ok(stored)
}

const fn form(form: trueup_registry::Form) -> Form {
    match form {
        trueup_registry::Form::Base => Form::Base,
        trueup_registry::Form::Delta => Form::Delta,
    }
}

#[cfg(test)]
mod tests {
    use super::SourceRecord;

    #[test]
    fn secrets_of_an_address_are_left_out() {
        let told = |location| SourceRecord::new("trips", "files", location, Vec::new()).location;
        assert_eq!(told("s3://key:secret@bucket/a/*.parquet?sig=abc"), "s3://bucket/a/*.parquet");
        assert_eq!(told("s3://bucket"), "s3://bucket/");
        assert_eq!(told("data/trips?.parquet"), "data/trips?.parquet");
    }
}
