//! The whole core as bytes, and back: a restored run goes on bit for bit.
//!
//! Format: eight bytes of magic, the format's version, the payload's length, the payload
//! (postcard), and the BLAKE3 digest of all that. The digest is verified before anything is
//! decoded. Sources are not in it: they are read again from [`Engine::positions`].

use crate::arena::Arena;
use crate::artifact::{self, Cells, Form};
use crate::effect::CandidateKey;
use crate::engine::Engine;
use crate::features::FeatureSet;
use crate::gate::Gate;
use crate::join::{JoinState, Label};
use crate::learners::BuildError;
use crate::served::Served;
use crate::spec::Spec;
use crate::state::Use;
use crate::step::{Cursor, InputMark, Lineage, Scoreboard};
use serde::{Deserialize, Serialize};
use trueup_event::{Hold, PartitionId, SequencerState, StreamId};

const MAGIC: &[u8; 8] = b"trueupck";
const VERSION: u32 = 2;
const HEADER: usize = 8 + 4 + 8;
const DIGEST: usize = 32;

/// Why some bytes are no checkpoint of this definition.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// They do not begin as a checkpoint does.
    #[error("not a checkpoint")]
    NotACheckpoint,
    /// They were written by another version of this program.
    #[error("checkpoint has format `{found}`, this program reads `{VERSION}`")]
    Version {
        /// The format found.
        found: u32,
    },
    /// They were cut or changed.
    #[error("checkpoint is damaged")]
    Damaged,
    /// They belong to another definition.
    #[error("checkpoint is of another definition than `{0}`")]
    OtherDefinition(String),
    /// They belong to other partitions.
    #[error("checkpoint is of other partitions")]
    OtherPartitions,
    /// The learner cannot be built as declared.
    #[error(transparent)]
    Build(#[from] BuildError),
}

#[derive(Serialize, Deserialize)]
struct Payload {
    spec_digest: [u8; 32],
    partitions: Vec<(StreamId, PartitionId)>,
    sequencer: SequencerState,
    buried: Vec<u64>,
    hold: Hold,
    labels: Vec<Label>,
    free_labels: Vec<u32>,
    held: (u64, u64, u64),
    arena: Arena,
    join: JoinState,
    gate: Gate,
    served: Served,
    scores: Scoreboard,
    cursor: Cursor,
    inputs: Vec<InputMark>,
    lineages: Vec<LineageState>,
}

#[derive(Serialize, Deserialize)]
struct LineageState {
    /// Serving and training tables as last published, then what changed since.
    tables: [[Vec<u8>; 2]; 2],
    /// Serving tables of the replica.
    replica: Vec<u8>,
    is_followed: bool,
    published: Option<CandidateKey>,
}

const PARTS: [Use; 2] = [Use::Serving, Use::Training];

impl LineageState {
    fn of(lineage: &mut Lineage) -> Self {
        let learner = lineage.learner.as_mut();
        let mut cells = |which| PARTS.map(|part| artifact::encode(learner, part, which));
        Self {
            tables: [cells(Cells::Published), cells(Cells::Unpublished)],
            replica: artifact::encode(lineage.replica.as_mut(), Use::Serving, Cells::Current),
            is_followed: lineage.is_followed,
            published: lineage.published,
        }
    }

    fn restore(&self, lineage: &mut Lineage) -> Result<(), artifact::DecodeError> {
        let learner = lineage.learner.as_mut();
        let [published, unpublished] = &self.tables;
        for (part, bytes) in PARTS.into_iter().zip(published) {
            artifact::apply(learner, part, Form::Base, bytes)?;
        }
        artifact::settle(learner);
        for (part, bytes) in PARTS.into_iter().zip(unpublished) {
            artifact::apply(learner, part, Form::Delta, bytes)?;
        }
        let replica = lineage.replica.as_mut();
        artifact::apply(replica, Use::Serving, Form::Base, &self.replica)?;
        lineage.is_followed = self.is_followed;
        lineage.published = self.published;
        Ok(())
    }
}

impl Engine {
    /// The first offset of each partition that is not yet merged: where sources go on.
    #[must_use]
    pub fn positions(&self) -> Vec<u64> {
        self.sequencer.state().partitions.iter().map(|position| position.next_offset).collect()
    }

    /// The whole state as bytes.
    pub fn save(&mut self) -> Vec<u8> {
        let step = &mut self.step;
        let payload = Payload {
            spec_digest: step.spec_digest,
            partitions: self.partitions.clone(),
            sequencer: self.sequencer.state(),
            buried: self.buried.clone(),
            hold: self.hold.clone(),
            labels: self.labels.clone(),
            free_labels: self.free_labels.clone(),
            held: (self.held_questions, self.held_labels, self.late_applied),
            arena: step.arena.clone(),
            join: step.join.state(),
            gate: step.gate.clone(),
            served: step.served.clone(),
            scores: step.scores.clone(),
            cursor: step.cursor.clone(),
            inputs: step.inputs.clone(),
            lineages: step.lineages.iter_mut().map(LineageState::of).collect(),
        };
        seal(&postcard::to_allocvec(&payload).expect("the state is plain data"))
    }

    /// A core that goes on from [`Engine::save`].
    ///
    /// # Errors
    /// When the bytes are damaged, or of another format, definition or set of partitions.
    pub fn restore(
        spec: Spec,
        features: FeatureSet,
        partitions: &[(StreamId, PartitionId)],
        bytes: &[u8],
    ) -> Result<Self, RestoreError> {
        let payload: Payload =
            postcard::from_bytes(open(bytes)?).map_err(|_| RestoreError::Damaged)?;
        let mut engine = Self::new(spec, features, partitions)?;
        let step = &mut engine.step;
        if payload.spec_digest != step.spec_digest {
            return Err(RestoreError::OtherDefinition(step.spec.name.clone()));
        }
        if payload.partitions != partitions {
            return Err(RestoreError::OtherPartitions);
        }
        for (lineage, state) in step.lineages.iter_mut().zip(&payload.lineages) {
            state.restore(lineage).map_err(|_| RestoreError::Damaged)?;
        }
        step.arena = payload.arena;
        step.join.restore(payload.join);
        step.gate = payload.gate;
        step.served = payload.served;
        step.scores = payload.scores;
        step.cursor = payload.cursor;
        step.inputs = payload.inputs;
        engine.sequencer.restore(&payload.sequencer);
        engine.from = engine.positions();
        engine.buried = payload.buried;
        engine.hold = payload.hold;
        engine.labels = payload.labels;
        engine.free_labels = payload.free_labels;
        (engine.held_questions, engine.held_labels, engine.late_applied) = payload.held;
        Ok(engine)
    }
}

fn seal(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + payload.len() + DIGEST);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(payload);
    let digest = blake3::hash(&bytes);
    bytes.extend_from_slice(digest.as_bytes());
    bytes
}

/// The payload of a checkpoint, once its digest is verified.
fn open(bytes: &[u8]) -> Result<&[u8], RestoreError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(RestoreError::NotACheckpoint)?;
    let (version, rest) = rest.split_first_chunk::<4>().ok_or(RestoreError::Damaged)?;
    let found = u32::from_le_bytes(*version);
    if found != VERSION {
        return Err(RestoreError::Version { found });
    }
    let (len, rest) = rest.split_first_chunk::<8>().ok_or(RestoreError::Damaged)?;
    let (payload, digest) = rest.split_last_chunk::<DIGEST>().ok_or(RestoreError::Damaged)?;
    let is_whole = u64::from_le_bytes(*len) == payload.len() as u64;
    if !is_whole || blake3::hash(&bytes[..bytes.len() - DIGEST]).as_bytes() != digest {
        return Err(RestoreError::Damaged);
    }
    Ok(payload)
}
