//! The gate: may a candidate serve?
//!
//! Superiority is proved once per *lineage* (definition and learner), against no correction and
//! against the champion, by an anytime-valid confidence sequence on independent units; the error is
//! spent over successive challengers. Later snapshots of an admitted lineage refresh on cheap
//! checks: finite, not changed too much since the last, guardrails not worse. Proving every
//! snapshot anew would serve a model weeks old.
//!
//! A guardrail fails when its metric is worse than the rival's by more than its margin even within
//! two standard errors of both: point estimates of a tail in a segment of one airport would refuse
//! every seventh refresh by chance, and so serve the primary estimate.
//!
//! What is scored is the answer that was given when the question was asked, never a later one.

mod segments;
mod verdict;

use crate::confidence::{self, AsymptoticConfidence};
use crate::metrics;
use crate::spec::GateSpec;
use segments::{Group, worse_by_at_least};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use trueup_event::{Duration, EventTime, hash};
pub use verdict::{Refusal, Rival, Verdict};

/// The number of units at which admission is meant to be quickest: the tuning of the sequence.
const UNITS_BEST: f64 = 2_000.0;
/// Units open at once, where units are not join keys; beyond it the oldest vote early.
const OPEN_MAX: usize = 1_000_000;
/// Answers compared before a change is judged.
const CHANGES_MIN: u64 = 20;

/// A guarded metric must be worse by more than chance explains: so many standard errors of both.
const GUARD_ERRORS: f64 = 2.0;

/// Whether what a person made serve is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The next candidate that passes replaces it.
    Ends,
    /// Nothing replaces it until the next promotion.
    Begins,
}

/// The errors (actual minus answer) of one question.
#[derive(Debug)]
pub struct Scores<'a> {
    /// Of the primary estimate.
    pub primary: f64,
    /// Of the answer that serving gave; only what changed since is measured on it.
    pub served: f64,
    /// The lineage whose version served; none is the primary estimate.
    pub served_by: Option<usize>,
    /// Of each lineage's learner.
    pub lineages: &'a [f64],
    /// Distance of each lineage's answer from the served one.
    pub changes: &'a [f64],
}

/// Errors count as no larger than this, and NaN as this large: sums of squares stay finite.
const ERROR_MAX: f64 = 1e100;

/// The gate's whole state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Gate {
    spec: GateSpec,
    /// How long a unit is open after its first score, where units are not join keys.
    unit_open: Duration,
    champion: Option<usize>,
    /// Whether a person holds what serves.
    is_held: bool,
    attempts: u64,
    lineages: Vec<Trial>,
    votes: Vec<Vote>,
    open: BTreeMap<u64, Open>,
    closing: VecDeque<(EventTime, u64)>,
    open_digest: u128,
    groups: Vec<Group>,
}

/// One lineage on trial.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Trial {
    attempt: u64,
    over_none: AsymptoticConfidence,
    over_champion: AsymptoticConfidence,
    change_sum: f64,
    served_sum: f64,
    change_count: u64,
}

/// The votes of a unit whose time is not over.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Open {
    deadline: EventTime,
    votes: Vec<Vote>,
    digest: u128,
}

/// Improvements of one unit, summed over its questions, for one lineage.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Vote {
    over_none: f64,
    count: u32,
    over_champion: f64,
    champion_count: u32,
}

impl Gate {
    /// A gate for `lineages` lineages; `categories` are the names of the category features.
    #[must_use]
    pub fn new(
        spec: &GateSpec,
        lineages: usize,
        categories: &[String],
        unit_open: Duration,
    ) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for guard in &spec.guards {
            if groups.iter().all(|group| group.per != guard.per) {
                let place = guard
                    .per
                    .as_ref()
                    .and_then(|per| categories.iter().position(|category| category == per));
                groups.push(Group::new(guard.per.clone(), place));
            }
        }
        let alpha = 1.0 - spec.confidence;
        let sequence = AsymptoticConfidence::new(UNITS_BEST, alpha);
        Self {
            spec: spec.clone(),
            unit_open,
            champion: None,
            is_held: false,
            attempts: lineages as u64,
            lineages: (1..=lineages as u64).map(|attempt| Trial::new(attempt, sequence)).collect(),
            votes: vec![Vote::default(); lineages],
            open: BTreeMap::new(),
            closing: VecDeque::new(),
            open_digest: 0,
            groups,
        }
    }

    /// The lineage that serves; none is the primary estimate.
    #[must_use]
    pub const fn champion(&self) -> Option<usize> {
        self.champion
    }

    /// Independent units seen by a lineage's trial, and its improvement per unit over no
    /// correction: mean, lower and upper bound.
    #[must_use]
    pub fn evidence(&self, lineage: usize) -> (u64, Option<[f64; 3]>) {
        let trial = &self.lineages[lineage];
        let alpha = confidence::spend(1.0 - self.spec.confidence, trial.attempt);
        let bounds = trial.over_none.mean().and_then(|mean| {
            Some([mean, trial.over_none.lower(alpha)?, trial.over_none.upper(alpha)?])
        });
        (trial.over_none.count(), bounds)
    }

    /// Takes one scored question; its unit votes at [`Gate::vote`] or when it closes.
    ///
    /// A challenger is compared with the champion's learner, not with what was served: both as they
    /// were when the question was asked, so that neither is older than the other.
    pub fn score(&mut self, scores: &Scores<'_>, categories: &[u64]) {
        let size = |error: f64| if error.is_nan() { ERROR_MAX } else { error.abs().min(ERROR_MAX) };
        let champion = self.champion.map(|champion| size(scores.lineages[champion]));
        for (lineage, trial) in self.lineages.iter_mut().enumerate() {
            let vote = &mut self.votes[lineage];
            let own = size(scores.lineages[lineage]);
            vote.over_none += size(scores.primary) - own;
            vote.count += 1;
            if let Some(champion) = champion {
                vote.over_champion += champion - own;
                vote.champion_count += 1;
            }
            if scores.served_by == Some(lineage) {
                trial.change_sum += size(scores.changes[lineage]);
                trial.served_sum += size(scores.served);
                trial.change_count += 1;
            }
        }
        for group in &mut self.groups {
            group.update(scores, categories);
        }
    }

    /// Ends the questions of one label: they vote once together, under `unit` where units are not
    /// join keys.
    pub fn vote(&mut self, unit: Option<u64>, now: EventTime) {
        match unit {
            None => {
                for (trial, vote) in self.lineages.iter_mut().zip(&mut self.votes) {
                    trial.take(std::mem::take(vote));
                }
            }
            Some(unit) => {
                let deadline = now.plus(self.unit_open);
                let open = self.open.entry(unit).or_insert_with(|| {
                    self.closing.push_back((deadline, unit));
                    Open { deadline, votes: vec![Vote::default(); self.votes.len()], digest: 0 }
                });
                for (sum, vote) in open.votes.iter_mut().zip(&mut self.votes) {
                    sum.add(&std::mem::take(vote));
                }
                let digest = open.digest_of(unit);
                self.open_digest = self.open_digest.wrapping_sub(open.digest).wrapping_add(digest);
                open.digest = digest;
            }
        }
        self.close(now);
    }

    /// Lets the units vote whose time was over before `now`, and the oldest when there are too
    /// many.
    pub fn close(&mut self, now: EventTime) {
        while let Some(&(deadline, unit)) = self.closing.front()
            && (deadline < now || self.open.len() > OPEN_MAX)
        {
            self.closing.pop_front();
            let Some(open) = self.open.remove(&unit) else { continue };
            self.open_digest = self.open_digest.wrapping_sub(open.digest);
            for (trial, vote) in self.lineages.iter_mut().zip(open.votes) {
                trial.take(vote);
            }
        }
    }

    /// Judges the candidate of `lineage`. `is_finite` tells whether all its weights are;
    /// `is_served` whether the champion's last version still answers.
    pub fn judge(&mut self, lineage: usize, is_finite: bool, is_served: bool) -> Verdict {
        if !is_finite {
            return Verdict::Refused(Refusal::NotFinite);
        }
        if self.is_held {
            return Verdict::Refused(Refusal::Held);
        }
        let checked = if self.champion == Some(lineage) {
            self.check_change(lineage, is_served).map(|()| Verdict::Refreshed)
        } else {
            self.check_better(lineage)
        };
        match checked.and_then(|verdict| self.check_guards(lineage).map(|()| verdict)) {
            Ok(verdict) => verdict,
            Err(refusal) => Verdict::Refused(refusal),
        }
    }

    /// Makes `lineage` the champion, or notes that its newest version now serves.
    pub fn promote(&mut self, lineage: usize) {
        let trial = &mut self.lineages[lineage];
        (trial.change_sum, trial.served_sum, trial.change_count) = (0.0, 0.0, 0);
        if self.champion == Some(lineage) {
            return;
        }
        self.champion = Some(lineage);
        let fresh = AsymptoticConfidence::new(UNITS_BEST, 1.0 - self.spec.confidence);
        for (other, trial) in self.lineages.iter_mut().enumerate() {
            if other != lineage {
                self.attempts += 1;
                trial.attempt = self.attempts;
                trial.over_champion = fresh;
            }
        }
    }

    /// Obeys a person's word about what serves; none is no lineage of this definition. Held, no
    /// candidate replaces it.
    pub fn appoint(&mut self, lineage: Option<usize>, hold: Hold) {
        self.is_held = hold == Hold::Begins;
        match lineage {
            Some(lineage) => self.promote(lineage),
            None => self.champion = None,
        }
    }

    /// Begins anew, as the learners do: no lineage serves by what it has proved so far.
    pub fn restart(&mut self) {
        self.champion = None;
        (self.open, self.closing, self.open_digest) = (BTreeMap::new(), VecDeque::new(), 0);
        self.votes.fill(Vote::default());
        let sequence = AsymptoticConfidence::new(UNITS_BEST, 1.0 - self.spec.confidence);
        for trial in &mut self.lineages {
            self.attempts += 1;
            *trial = Trial::new(self.attempts, sequence);
        }
        for group in &mut self.groups {
            *group = Group::new(group.per.clone(), group.place);
        }
    }

    fn check_better(&self, lineage: usize) -> Result<Verdict, Refusal> {
        let trial = &self.lineages[lineage];
        let units_min = self.spec.units_min.max(confidence::UNITS_MIN);
        let units = match self.champion {
            None => trial.over_none.count(),
            Some(_) => trial.over_none.count().min(trial.over_champion.count()),
        };
        if units < units_min {
            return Err(Refusal::TooLittleEvidence { units, units_min });
        }
        let alpha = confidence::spend(1.0 - self.spec.confidence, trial.attempt);
        let lower = |sequence: &AsymptoticConfidence| sequence.lower(alpha).unwrap_or(f64::MIN);
        let over_none = lower(&trial.over_none);
        let rivals =
            [(Rival::NoCorrection, over_none), (Rival::Champion, lower(&trial.over_champion))];
        for (rival, improvement_lower) in rivals {
            let applies = rival == Rival::NoCorrection || self.champion.is_some();
            let is_better = improvement_lower > 0.0;
            if applies && !is_better {
                return Err(Refusal::NotBetter { rival, improvement_lower });
            }
        }
        Ok(Verdict::Admitted { units, improvement_lower: over_none })
    }

    fn check_change(&self, lineage: usize, is_served: bool) -> Result<(), Refusal> {
        let trial = &self.lineages[lineage];
        let limit = self.spec.change_max * trial.served_sum;
        if is_served && trial.change_count >= CHANGES_MIN && trial.change_sum > limit {
            let change_ratio = trial.change_sum / trial.served_sum;
            return Err(Refusal::ChangeTooLarge { change_ratio });
        }
        Ok(())
    }

    fn check_guards(&self, lineage: usize) -> Result<(), Refusal> {
        for guard in &self.spec.guards {
            let kind = metrics::find(&guard.metric).expect("a checked definition names metrics");
            let group = self.groups.iter().find(|group| group.per == guard.per);
            for (&segment, sketches) in group.into_iter().flat_map(|group| &group.segments) {
                if u64::from(sketches.primary.count()) < guard.questions_min {
                    continue;
                }
                let mut rivals = vec![(Rival::NoCorrection, &sketches.primary)];
                if let Some(champion) = self.champion.filter(|champion| *champion != lineage) {
                    rivals.push((Rival::Champion, &sketches.lineages[champion]));
                }
                for (rival, sketch) in rivals {
                    let bounds = |sketch| (kind.bounds)(sketch, GUARD_ERRORS);
                    let own = bounds(&sketches.lineages[lineage]);
                    let Some((own, rival_bounds)) = own.zip(bounds(sketch)) else { continue };
                    let worse_by = worse_by_at_least(kind.better, own, rival_bounds);
                    let is_within = worse_by <= guard.worse_by;
                    if !is_within {
                        let segment = guard.per.is_some().then_some(segment);
                        let metric = guard.metric.clone();
                        return Err(Refusal::Guard { metric, segment, rival, worse_by });
                    }
                }
            }
        }
        Ok(())
    }

    /// The digest of the whole state; only sketches touched since the last call are hashed.
    pub fn digest(&mut self) -> u128 {
        let mut words =
            vec![self.champion.map_or(0, |champion| champion as u64 + 1), self.attempts];
        for trial in &self.lineages {
            words.push(trial.attempt);
            words.extend(trial.over_none.words());
            words.extend(trial.over_champion.words());
            let sums = [trial.change_sum.to_bits(), trial.served_sum.to_bits()];
            words.extend(sums.into_iter().chain([trial.change_count]));
        }
        words.extend([self.open_digest as u64, (self.open_digest >> 64) as u64]);
        words.extend(self.is_held.then_some(1));
        for group in &mut self.groups {
            let digest = group.refresh_digest();
            words.extend([digest as u64, (digest >> 64) as u64]);
        }
        hash::of_bytes(bytemuck::cast_slice(&words))
    }
}

impl Trial {
    const fn new(attempt: u64, sequence: AsymptoticConfidence) -> Self {
        Self {
            attempt,
            over_none: sequence,
            over_champion: sequence,
            change_sum: 0.0,
            served_sum: 0.0,
            change_count: 0,
        }
    }

    fn take(&mut self, vote: Vote) {
        if vote.count > 0 {
            self.over_none.update(vote.over_none / f64::from(vote.count));
        }
        if vote.champion_count > 0 {
            self.over_champion.update(vote.over_champion / f64::from(vote.champion_count));
        }
    }
}

impl Vote {
    fn add(&mut self, other: &Self) {
        self.over_none += other.over_none;
        self.count += other.count;
        self.over_champion += other.over_champion;
        self.champion_count += other.champion_count;
    }
}

impl Open {
    fn digest_of(&self, unit: u64) -> u128 {
        let mut folded = hash::mix(unit, self.deadline.micros() as u64);
        for vote in &self.votes {
            folded = hash::mix(folded, vote.over_none.to_bits());
            folded = hash::mix(folded, vote.over_champion.to_bits());
            folded =
                hash::mix(folded, u64::from(vote.count) << 32 | u64::from(vote.champion_count));
        }
        hash::of_cell(9, folded)
    }
}
