//! Which versions may go: a pure function of the state and a policy.

use crate::state::{State, Version};
use std::collections::{BTreeMap, BTreeSet};

const HOUR_MICROS: i64 = 3_600_000_000;
const DAY_MICROS: i64 = 24 * HOUR_MICROS;

/// What is kept. Whatever an alias names, what it would go back to, and all that these are made
/// from, is kept in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GcPolicy {
    /// The wall clock, in microseconds since the Unix epoch.
    pub now_micros: i64,
    /// How many of the newest versions are kept.
    pub keep_last: usize,
    /// Of the last so many hours, the newest version of each is kept.
    pub keep_hourly_hours: u32,
    /// Of the last so many days, the newest version of each is kept.
    pub keep_daily_days: u32,
    /// Nothing younger than this is deleted, in microseconds: longer than any writer may pause
    /// between its blob and its entry, and any reader between an entry and its blob.
    pub grace_micros: i64,
    /// How long moves of aliases and ids of collected versions are remembered, in microseconds.
    pub history_micros: i64,
}

impl GcPolicy {
    /// The newest 60 versions, one per hour for two days, one per day for 90; an hour of grace,
    /// and the history of a year.
    #[must_use]
    pub const fn at(now_micros: i64) -> Self {
        Self {
            now_micros,
            keep_last: 60,
            keep_hourly_hours: 48,
            keep_daily_days: 90,
            grace_micros: HOUR_MICROS,
            history_micros: 365 * DAY_MICROS,
        }
    }

    /// The point in time before which what is not needed may go.
    pub(crate) fn grace_from(&self) -> i64 {
        self.now_micros.saturating_sub(self.grace_micros)
    }

    /// The point in time before which history may go.
    pub(crate) fn history_from(&self) -> i64 {
        self.now_micros.saturating_sub(self.history_micros)
    }
}

/// The versions that go, ascending.
pub(crate) fn doomed(state: &State, policy: &GcPolicy) -> Vec<u64> {
    let mut kept: BTreeSet<u64> = BTreeSet::new();
    kept.extend(state.versions().keys().rev().take(policy.keep_last));
    let grace_from = policy.grace_from();
    kept.extend(state.versions().iter().filter(|(_, v)| v.at_micros >= grace_from).map(|(n, _)| n));
    kept.extend(newest_of_each(state, policy, HOUR_MICROS, policy.keep_hourly_hours));
    kept.extend(newest_of_each(state, policy, DAY_MICROS, policy.keep_daily_days));
    for (alias, found) in state.aliases() {
        kept.extend(found.version);
        kept.extend(state.previous(alias));
        // A run that is replayed obeys what a person said, and needs the version again.
        let by_person = state.history(alias).filter(|moved| moved.is_by_person);
        kept.extend(by_person.filter_map(|moved| moved.to));
    }
    kept.retain(|version| state.versions().contains_key(version));
    let chosen: Vec<u64> = kept.iter().copied().collect();
    for version in chosen {
        // A version whose chain is broken is kept as it is.
        let chain = state.chain(version).unwrap_or_default();
        kept.extend(chain.iter().map(|summary| summary.version));
    }
    state.versions().keys().filter(|version| !kept.contains(version)).copied().collect()
}

fn newest_of_each(
    state: &State,
    policy: &GcPolicy,
    span_micros: i64,
    spans: u32,
) -> impl Iterator<Item = u64> {
    let span = |at: i64| at.div_euclid(span_micros);
    let oldest = span(policy.now_micros).saturating_sub(i64::from(spans));
    let is_recent = |version: &&Version| span(version.at_micros) > oldest;
    let mut newest = BTreeMap::new();
    for version in state.versions().values().filter(is_recent) {
        newest.insert(span(version.at_micros), version.summary.version);
    }
    newest.into_values()
}
