//! One reader, several engines: each batch is decoded once and handed to all.
//!
//! Engines move at different speeds along the same event time, so each has a queue. The reader
//! goes on while no queue is long, and also whenever some engine waits with nothing in its queue:
//! that engine may hold up another stream which the slower ones wait for. Nothing can therefore
//! wait in a circle, and memory is bounded by how far the engines are apart.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use trueup_event::EventBatch;

/// A batch for several engines, or why there is none.
pub(crate) type Feed = Result<Arc<EventBatch>, Arc<trueup_connector::Error>>;

/// Batches that may wait in a queue before the reader does.
const QUEUE_MAX: usize = 8;

/// The queues of one stream.
#[derive(Default)]
pub(crate) struct Broadcast {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queues: Vec<Queue>,
    is_ended: bool,
    skipped: u64,
}

#[derive(Default)]
struct Queue {
    feeds: VecDeque<Feed>,
    is_waiting: bool,
    is_gone: bool,
}

/// One engine's end.
pub(crate) struct Taker {
    broadcast: Arc<Broadcast>,
    index: usize,
}

impl Broadcast {
    /// A new end; all are made before the first batch is given.
    pub(crate) fn taker(self: &Arc<Self>) -> Taker {
        let mut state = self.lock();
        state.queues.push(Queue::default());
        Taker { broadcast: Arc::clone(self), index: state.queues.len() - 1 }
    }

    /// Hands a batch to all, once there is room; false when nobody is left.
    pub(crate) fn give(&self, feed: &Feed, skipped: u64) -> bool {
        let mut state = self.lock();
        while !state.has_room() {
            state = self.wait(state);
        }
        state.skipped = skipped;
        for queue in state.queues.iter_mut().filter(|queue| !queue.is_gone) {
            queue.feeds.push_back(feed.clone());
        }
        self.changed.notify_all();
        state.queues.iter().any(|queue| !queue.is_gone)
    }

    /// Says that no more batches come.
    pub(crate) fn end(&self, skipped: u64) {
        let mut state = self.lock();
        state.is_ended = true;
        state.skipped = skipped;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the lock")
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).expect("nobody panics while holding the lock")
    }
}

impl State {
    fn has_room(&self) -> bool {
        let mut queues = self.queues.iter().filter(|queue| !queue.is_gone);
        let starves = |queue: &Queue| queue.is_waiting && queue.feeds.is_empty();
        queues.clone().any(starves) || queues.all(|queue| queue.feeds.len() < QUEUE_MAX)
    }
}

impl Taker {
    /// The next batch; none at the end.
    pub(crate) fn take(&self) -> Option<Feed> {
        let mut state = self.broadcast.lock();
        loop {
            if let Some(feed) = state.queues[self.index].feeds.pop_front() {
                state.queues[self.index].is_waiting = false;
                self.broadcast.changed.notify_all();
                return Some(feed);
            }
            if state.is_ended {
                return None;
            }
            state.queues[self.index].is_waiting = true;
            self.broadcast.changed.notify_all();
            state = self.broadcast.wait(state);
        }
    }

    /// Rows that the reader passed over so far because they have no time yet.
    pub(crate) fn skipped(&self) -> u64 {
        self.broadcast.lock().skipped
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        let mut state = self.broadcast.lock();
        state.queues[self.index] = Queue { is_gone: true, ..Queue::default() };
        self.broadcast.changed.notify_all();
    }
}
