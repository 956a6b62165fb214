//! Publishing: at every boundary of event time, a candidate of each lineage is made and judged.
//!
//! Boundaries are event time or counts of matured labels, never wall time; a run that catches up
//! publishes them all, and tells of those at which nothing had changed by their number alone. A
//! version that the gate lets pass is queued for serving at this place of the merge order.

use crate::artifact::{self, Artifact, Cells, Form};
use crate::effect::{Candidate, CandidateKey, CandidateScores, Effect, Score, Sink, StateDigest};
use crate::gate::{Refusal, Verdict};
use crate::served::{Current, Promotion};
use crate::spec::{Cadence, Promote};
use crate::state::{AnyTable, Use};
use crate::step::{Cursor, Step};
use trueup_event::{Duration, EventTime};

impl Step {
    /// Event time has reached `time`: whatever lies before it is done first.
    pub(crate) fn advance_to(&mut self, time: EventTime, sink: &mut dyn Sink) {
        self.cursor.now = self.cursor.now.max(Some(time));
        let Cadence::Time(every) = self.spec.publish.every else { return };
        let Some(mut boundary) = self.cursor.boundary else {
            self.cursor.boundary = Some(next_boundary(time, every));
            return;
        };
        // A boundary that cannot be later has been passed for good.
        while boundary <= time && boundary < EventTime::MAX {
            self.expire(boundary, sink);
            if self.cursor.is_changed {
                self.publish(boundary, sink);
            } else {
                // Nothing happened: all boundaries up to here would publish the same again.
                let last = boundary.max(next_boundary(time, every).minus(every));
                let skipped = last.since(boundary).micros() / every.micros();
                sink.take(Effect::Idle { boundaries: skipped.unsigned_abs() + 1 });
                boundary = last;
            }
            boundary = boundary.plus(every);
        }
        self.cursor.boundary = Some(boundary);
    }

    /// Publishes a candidate of every lineage at `boundary`.
    pub(crate) fn publish(&mut self, boundary: EventTime, sink: &mut dyn Sink) {
        self.cursor.is_changed = false;
        self.cursor.labels = 0;
        self.gate.close(boundary);
        let found: Vec<_> =
            (0..self.lineages.len()).map(|index| self.publish_one(index, boundary)).collect();
        let digest = self.state_digest();
        for (mut candidate, artifact) in found {
            candidate.digest = digest;
            sink.take(Effect::Candidate(&candidate, &artifact));
        }
    }

    /// Publishes and judges the candidate of one lineage; its digest is still to come.
    fn publish_one(&mut self, index: usize, boundary: EventTime) -> (Candidate, Artifact) {
        self.cursor.version += 1;
        let ordinal = (self.cursor.version - 1) / self.lineages.len() as u64;
        let lineage = &mut self.lineages[index];
        let (published, mut artifact) = artifact::publish(lineage.learner.as_mut());
        let mut form = Form::Delta;
        if ordinal.is_multiple_of(self.spec.publish.base_every.max(1)) {
            artifact = artifact::base(lineage.learner.as_mut());
            form = Form::Base;
        }
        let parent = lineage.published.filter(|_| form == Form::Delta);
        let verdict = self.judge(index, boundary, published);
        if verdict != Verdict::Unchanged {
            let Cursor { version, history, .. } = self.cursor;
            self.lineages[index].published = Some(CandidateKey { version, history });
        }
        self.promote(index, &verdict, form, &artifact.serving);
        let scores = CandidateScores {
            questions: self.scores.primary.count(),
            primary: Score::of(&self.scores.primary),
            corrected: Score::of(&self.scores.lineages[index]),
            served: Score::of(&self.scores.served),
        };
        let candidate = Candidate {
            version: self.cursor.version,
            lineage: index,
            boundary,
            form,
            parent,
            artifact_bytes: artifact.len_bytes() as u64,
            verdict,
            trained_until: self.cursor.trained_until,
            merged: self.cursor.merged,
            history: self.cursor.history,
            inputs: self.inputs.clone(),
            scores,
            digest: StateDigest([0; 32]),
        };
        (candidate, artifact)
    }

    fn judge(
        &mut self,
        index: usize,
        boundary: EventTime,
        published: artifact::Published,
    ) -> Verdict {
        let current = self.served.newest();
        let expires = self.spec.publish.expires;
        let is_served = current.is_some_and(|current| current.is_fresh(boundary, expires));
        if published.changed_cells == 0 && self.lineages[index].is_followed {
            return Verdict::Unchanged;
        }
        let verdict = self.gate.judge(index, published.all_finite, is_served);
        match (self.spec.publish.promote, &verdict) {
            (Promote::Automatic, _) | (_, Verdict::Refused(_) | Verdict::Unchanged) => verdict,
            (Promote::Shadow | Promote::Manual, _) => Verdict::Refused(Refusal::NotAutomatic),
        }
    }

    fn promote(&mut self, index: usize, verdict: &Verdict, form: Form, serving: &[u8]) {
        if !verdict.is_promoted() {
            // An unchanged candidate equals the one before it, so that a replica still follows.
            self.lineages[index].is_followed &= *verdict == Verdict::Unchanged;
            return;
        }
        self.gate.promote(index);
        let lineage = &mut self.lineages[index];
        let (form, bytes) = if form == Form::Base || lineage.is_followed {
            (form, serving.to_vec())
        } else {
            (Form::Base, artifact::encode(lineage.learner.as_mut(), Use::Serving, Cells::Published))
        };
        for (other, lineage) in self.lineages.iter_mut().enumerate() {
            lineage.is_followed = other == index;
        }
        let frontier = self.cursor.frontier.unwrap_or(EventTime::MIN);
        self.served.catch_up(frontier, &mut self.lineages);
        self.served.promote(Promotion {
            effective: frontier.plus(self.spec.publish.serving_delay),
            version: Current {
                lineage: index,
                number: self.cursor.version,
                trained_until: self.cursor.trained_until.unwrap_or(EventTime::MIN),
                is_held: false,
            },
            form,
            bytes,
        });
    }

    /// The digest of learners (as last published), join and gate.
    pub(crate) fn state_digest(&mut self) -> StateDigest {
        self.digest_over(|table| table.digest())
    }

    /// The digest of the state as it is now. What was learned since the last publish is folded in
    /// on a copy of the sums, so that asking changes nothing that a later delta holds.
    #[must_use]
    pub fn digest(&mut self) -> StateDigest {
        self.digest_over(|table| table.current_digest())
    }

    fn digest_over(&mut self, sum: impl Fn(&dyn AnyTable) -> u128) -> StateDigest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.spec_digest);
        for lineage in &mut self.lineages {
            lineage.learner.tables(&mut |_, _, table| {
                hasher.update(&sum(table).to_le_bytes());
            });
        }
        hasher.update(&self.join.digest().to_le_bytes());
        hasher.update(&self.gate.digest().to_le_bytes());
        StateDigest(*hasher.finalize().as_bytes())
    }
}

/// The first boundary after `time`.
fn next_boundary(time: EventTime, every: Duration) -> EventTime {
    let every = every.micros();
    EventTime::from_micros(time.micros().div_euclid(every).saturating_add(1).saturating_mul(every))
}
