//! Which version answers, at every place in merge order.
//!
//! A promoted version serves once the frontier has moved `serving_delay` beyond the place where it
//! was published. The replica of the learner that answers is brought up to date from the very
//! bytes of the artifact, base or delta, as a serving bridge does it.

use crate::artifact::{self, Form};
use crate::step::Lineage;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use trueup_event::{Duration, EventTime};

/// A version on its way to serving.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Promotion {
    /// The frontier at which it begins to answer.
    pub(crate) effective: EventTime,
    pub(crate) lineage: usize,
    pub(crate) version: u64,
    /// The time of the last label in it.
    pub(crate) trained_until: EventTime,
    pub(crate) form: Form,
    pub(crate) bytes: Vec<u8>,
}

/// A version that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Current {
    pub(crate) lineage: usize,
    pub(crate) version: u64,
    pub(crate) trained_until: EventTime,
}

/// The versions that answer, and those on their way.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Served {
    queue: VecDeque<Promotion>,
    current: Option<Current>,
    newest: Option<Current>,
    /// The frontier at which the first version began to answer.
    since: Option<EventTime>,
    /// From which version on each lineage served, ascending.
    reigns: Vec<(u64, usize)>,
}

impl Served {
    /// Queues a promoted version.
    pub(crate) fn promote(&mut self, promotion: Promotion) {
        let Promotion { lineage, version, trained_until, .. } = promotion;
        self.newest = Some(Current { lineage, version, trained_until });
        if self.reigns.last().is_none_or(|(_, last)| *last != lineage) {
            self.reigns.push((version, lineage));
        }
        self.queue.push_back(promotion);
    }

    /// The version promoted last.
    pub(crate) fn newest(&self) -> Option<Current> {
        self.newest
    }

    /// The lineage whose version this is.
    pub(crate) fn lineage_of(&self, version: u64) -> Option<usize> {
        self.reigns.iter().rev().find(|(from, _)| *from <= version).map(|(_, lineage)| *lineage)
    }

    /// When the first version began to answer, in microseconds; later than everything before that.
    pub(crate) fn since_micros(&self) -> i64 {
        self.since.map_or(i64::MAX, EventTime::micros)
    }

    /// Lets every version answer that is due at this frontier.
    pub(crate) fn catch_up(&mut self, frontier: EventTime, lineages: &mut [Lineage]) {
        while let Some(next) = self.queue.front()
            && next.effective <= frontier
        {
            let replica = &mut lineages[next.lineage].replica;
            artifact::apply(replica.as_mut(), next.form, &next.bytes)
                .expect("an artifact applies to the learner that wrote it");
            let Promotion { lineage, version, trained_until, .. } = *next;
            self.current = Some(Current { lineage, version, trained_until });
            self.since = self.since.or(Some(frontier));
            self.queue.pop_front();
        }
    }

    /// The version that answers a question asked at `time`, unless its last label is too old.
    pub(crate) fn current(&self, time: EventTime, expires: Duration) -> Option<Current> {
        self.current.filter(|current| current.trained_until.plus(expires) >= time)
    }
}
