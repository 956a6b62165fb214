//! Which version answers, at every place in merge order.
//!
//! A promoted version serves once the frontier has moved `serving_delay` beyond the place where it
//! was published; what a person promotes or goes back to serves at once. The replica of the learner
//! that answers is brought up to date from the very bytes of the serving artifact, base or delta,
//! as a serving bridge does it.

use crate::artifact::{self, Form};
use crate::state::Use;
use crate::step::Lineage;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use trueup_event::{Duration, EventTime};

/// A version on its way to serving.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Promotion {
    /// The frontier at which it begins to answer.
    pub(crate) effective: EventTime,
    pub(crate) version: Current,
    pub(crate) form: Form,
    /// Its serving artifact.
    pub(crate) bytes: Vec<u8>,
}

/// A version that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Current {
    pub(crate) lineage: usize,
    pub(crate) number: u64,
    /// The time of the last label in it.
    pub(crate) trained_until: EventTime,
    /// Whether a person holds it, so that it does not expire.
    pub(crate) is_held: bool,
}

/// The versions that answer, and those on their way.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Served {
    queue: VecDeque<Promotion>,
    current: Option<Current>,
    newest: Option<Current>,
    /// The frontier at which the first version began to answer.
    since: Option<EventTime>,
}

impl Served {
    /// Queues a promoted version.
    pub(crate) fn promote(&mut self, promotion: Promotion) {
        self.newest = Some(promotion.version);
        self.queue.push_back(promotion);
    }

    /// Lets a version answer from this frontier on, or none; its replica is up to date.
    pub(crate) fn install(&mut self, version: Option<Current>, frontier: EventTime) {
        self.queue.clear();
        (self.current, self.newest) = (version, version);
        if version.is_some() {
            self.since = self.since.or(Some(frontier));
        }
    }

    /// The version promoted last.
    pub(crate) fn newest(&self) -> Option<Current> {
        self.newest
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
            let replica = lineages[next.version.lineage].replica.as_mut();
            artifact::apply(replica, Use::Serving, next.form, &next.bytes)
                .expect("an artifact applies to the learner that wrote it");
            self.current = Some(next.version);
            self.since = self.since.or(Some(frontier));
            self.queue.pop_front();
        }
    }

    /// The version that answers a question asked at `time`, unless its last label is too old.
    pub(crate) fn current(&self, time: EventTime, expires: Duration) -> Option<Current> {
        self.current.filter(|current| current.is_fresh(time, expires))
    }
}

impl Current {
    /// Whether it may answer a question asked at `time`.
    pub(crate) fn is_fresh(&self, time: EventTime, expires: Duration) -> bool {
        self.is_held || self.trained_until.plus(expires) >= time
    }
}
