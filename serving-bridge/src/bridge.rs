//! All models of a registry, followed by one thread.
//!
//! The thread looks at each model's alias in turn, and from time to time for new models. While it
//! builds a version of one model, new versions of the others wait; answers never do.

use crate::corrector::Corrector;
use crate::follow::Following;
use crate::slot::Slot;
use crate::telemetry::Telemetry;
use arc_swap::ArcSwap;
use prometheus_client::registry::Registry as Metrics;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use trueup_event::EventTime;
use trueup_registry::{AliasName, ModelName, Registry};

/// The places of all models, by name.
pub(crate) type Slots = BTreeMap<String, Arc<Slot>>;

/// How often the registry is asked for new models, at most.
const SCAN_EVERY: Duration = Duration::from_secs(1);

/// Which models are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Models {
    /// All of the registry, those that come later included.
    All,
    /// These, whether they exist yet or not.
    Named(Vec<ModelName>),
}

/// How a bridge follows a registry.
#[derive(Debug)]
pub struct BridgeOptions {
    /// Which models.
    pub models: Models,
    /// The alias whose version answers.
    pub alias: AliasName,
    /// How long the follower sleeps between two looks at the registry. 50 ms suit a disk; each look
    /// costs two small requests per model.
    pub poll: Duration,
    /// Where what the bridge counts is added, to be told with whatever else is there.
    pub metrics: Metrics,
}

impl Default for BridgeOptions {
    fn default() -> Self {
        Self {
            models: Models::All,
            alias: AliasName::champion(),
            poll: Duration::from_millis(50),
            metrics: Metrics::default(),
        }
    }
}

/// Why a bridge cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system gives no thread.
    #[error("thread that follows the registry cannot be started")]
    Thread(#[source] std::io::Error),
}

/// The models of a registry, ready to answer.
#[derive(Debug, Clone)]
pub struct Bridge {
    slots: Arc<ArcSwap<Slots>>,
    follower: Arc<Follower>,
    metrics: Arc<Metrics>,
    telemetry: Telemetry,
    scan_trouble: Arc<Mutex<Option<String>>>,
}

impl Bridge {
    /// Follows a registry, and returns once each model was read once. A registry or a model that
    /// cannot be read is no error: the primary estimate answers until it can.
    ///
    /// # Errors
    /// When the thread that follows cannot be started.
    pub fn open(registry: Registry, mut options: BridgeOptions) -> Result<Self, OpenError> {
        let slots: Arc<ArcSwap<Slots>> = Arc::default();
        let telemetry = Telemetry::register(&mut options.metrics, &slots);
        let metrics = Arc::new(std::mem::take(&mut options.metrics));
        let scan_trouble: Arc<Mutex<Option<String>>> = Arc::default();
        let mut round = Round {
            registry,
            scan_trouble: Arc::clone(&scan_trouble),
            telemetry: telemetry.clone(),
            slots: Arc::clone(&slots),
            followings: BTreeMap::new(),
            gone: Vec::new(),
            scan_at: Instant::now(),
            options,
        };
        let signal = Arc::new(Signal::default());
        let heard = Arc::clone(&signal);
        let (ready, is_ready) = mpsc::channel();
        let thread = std::thread::Builder::new().name("bridge-follower".to_owned());
        let thread = thread
            .spawn(move || {
                round.look();
                // The opener may have gone away in the meantime.
                ready.send(()).ok();
                while heard.sleep(round.options.poll) == Wake::Look {
                    round.look();
                }
            })
            .map_err(OpenError::Thread)?;
        is_ready.recv().ok();
        let follower = Arc::new(Follower { signal, thread: Some(thread) });
        Ok(Self { slots, follower, metrics, telemetry, scan_trouble })
    }

    /// The places of all models, by name.
    #[must_use]
    pub fn slots(&self) -> Arc<BTreeMap<String, Arc<Slot>>> {
        self.slots.load_full()
    }

    /// The place of one model.
    #[must_use]
    pub fn slot(&self, model: &str) -> Option<Arc<Slot>> {
        self.slots.load().get(model).cloned()
    }

    /// Answers the questions of one model; none if the registry does not have it.
    #[must_use]
    pub fn corrector(&self, model: &str) -> Option<Corrector> {
        Some(Corrector::new(self.slot(model)?, Arc::clone(&self.follower)))
    }

    /// Looks at the registry now, instead of when the sleep is over: for a publisher in this
    /// process. Returns at once.
    pub fn wake(&self) {
        self.follower.signal.set(Wish::Look);
    }

    /// What was counted so far, and what stands, in the text format of Prometheus: OpenMetrics 1.0.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.metrics)
            .expect("writing to a string succeeds");
        text
    }

    /// Why the registry cannot be asked for its models, if it cannot.
    #[must_use]
    pub fn registry_trouble(&self) -> Option<String> {
        self.scan_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) const fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }
}

/// The wall clock.
pub(crate) fn now() -> EventTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    EventTime::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The thread that follows; it ends with this.
#[derive(Debug)]
pub(crate) struct Follower {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.signal.set(Wish::End);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was our bug and is on stderr; there is nothing to add.
            thread.join().ok();
        }
    }
}

/// What the follower is wanted to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Wish {
    #[default]
    Sleep,
    Look,
    End,
}

/// Why the follower does not sleep any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wake {
    Look,
    End,
}

#[derive(Debug, Default)]
struct Signal {
    wish: Mutex<Wish>,
    changed: Condvar,
}

impl Signal {
    fn set(&self, wish: Wish) {
        let mut held = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
        if *held != Wish::End {
            *held = wish;
        }
        self.changed.notify_all();
    }

    fn sleep(&self, time: Duration) -> Wake {
        let held = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
        let slept = self.changed.wait_timeout_while(held, time, |wish| *wish == Wish::Sleep);
        let (mut wish, _) = slept.unwrap_or_else(PoisonError::into_inner);
        match *wish {
            Wish::End => Wake::End,
            Wish::Sleep | Wish::Look => {
                *wish = Wish::Sleep;
                Wake::Look
            }
        }
    }
}

/// What the follower does in each round.
#[derive(Debug)]
struct Round {
    registry: Registry,
    telemetry: Telemetry,
    slots: Arc<ArcSwap<Slots>>,
    followings: BTreeMap<ModelName, Following>,
    /// Followed, and not in the registry at the last scan.
    gone: Vec<ModelName>,
    scan_at: Instant,
    scan_trouble: Arc<Mutex<Option<String>>>,
    options: BridgeOptions,
}

impl Round {
    fn look(&mut self) {
        self.scan();
        for (name, following) in &mut self.followings {
            following.look();
            if self.gone.contains(name) {
                following.complain(format!("model is not in the registry: `{name}`"));
            }
        }
    }

    /// Takes in new models, at most once a second.
    fn scan(&mut self) {
        if Instant::now() < self.scan_at {
            return;
        }
        self.scan_at = Instant::now() + SCAN_EVERY;
        let found = self.registry.models();
        *self.scan_trouble.lock().unwrap_or_else(PoisonError::into_inner) =
            found.as_ref().err().map(ToString::to_string);
        let wanted = match (&self.options.models, &found) {
            (Models::Named(names), _) => names.clone(),
            (Models::All, Ok(found)) => found.clone(),
            (Models::All, Err(_)) => Vec::new(),
        };
        let new: Vec<_> =
            wanted.into_iter().filter(|name| !self.followings.contains_key(name)).collect();
        if !new.is_empty() {
            self.take_in(new);
        }
        let is_gone = |name: &&ModelName| found.as_ref().is_ok_and(|found| !found.contains(name));
        self.gone = self.followings.keys().filter(is_gone).cloned().collect();
    }

    fn take_in(&mut self, names: Vec<ModelName>) {
        for name in names {
            let metrics = self.telemetry.model(name.as_str());
            let slot = Slot::new(name.as_str(), self.options.alias.as_str(), metrics);
            let registry = self.registry.model(&name);
            let following = Following::new(registry, self.options.alias.clone(), Arc::new(slot));
            self.followings.insert(name, following);
        }
        let slots = self.followings.iter();
        let slots = slots.map(|(name, f)| (name.as_str().to_owned(), Arc::clone(f.slot())));
        self.slots.store(Arc::new(slots.collect()));
    }
}
