//! What a bridge counts and times, for Prometheus: a prefix, base units, `_total` on counters.
//!
//! No label has more values than there are models, reasons or protocols. What is true of the
//! version that answers now (its number, its age) is read when it is asked for, so that no version
//! of yesterday stays in the list.

use crate::bridge::Slots;
use crate::question::{Answer, Reason, Refused, Status};
use arc_swap::ArcSwap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;

type Labels = Vec<(&'static str, String)>;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// Upper bounds of the time that an answer takes, in seconds.
const PREDICT_SECONDS: [f64; 12] =
    [25e-6, 50e-6, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2.5e-2, 0.1, 1.0];
/// Upper bounds of the time from an alias' move to its first answer, in seconds.
const SWAP_SECONDS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0, 300.0];

/// The families of all models.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    answers: Family<Labels, Counter>,
    fallbacks: Family<Labels, Counter>,
    swaps: Family<Labels, Counter>,
    failures: Family<Labels, Counter>,
    publish_to_serve: Histograms,
    predict: Histograms,
}

impl Telemetry {
    /// Adds what a bridge tells to a registry of metrics.
    pub(crate) fn register(metrics: &mut Registry, slots: &Arc<ArcSwap<Slots>>) -> Self {
        let swap_histogram: fn() -> Histogram = || Histogram::new(SWAP_SECONDS);
        let predict_histogram: fn() -> Histogram = || Histogram::new(PREDICT_SECONDS);
        let telemetry = Self {
            answers: Family::default(),
            fallbacks: Family::default(),
            swaps: Family::default(),
            failures: Family::default(),
            publish_to_serve: Family::new_with_constructor(swap_histogram),
            predict: Family::new_with_constructor(predict_histogram),
        };
        let trueup = metrics.sub_registry_with_prefix("trueup");
        trueup.register("answers", "Answers, by who gave them", telemetry.answers.clone());
        let help = "Answers by the primary estimate alone, by reason";
        trueup.register("fallback", help, telemetry.fallbacks.clone());
        let help = "Versions that began to answer";
        trueup.register("swaps", help, telemetry.swaps.clone());
        let help = "Versions that could not be loaded, each try";
        trueup.register("swap_failures", help, telemetry.failures.clone());
        let help = "From the move of the alias to the first answer";
        let family = telemetry.publish_to_serve.clone();
        trueup.register_with_unit("publish_to_serve", help, Unit::Seconds, family);
        let help = "From a request's last byte to its answer, by protocol";
        let family = telemetry.predict.clone();
        trueup.register_with_unit("predict_duration", help, Unit::Seconds, family);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        trueup.register("build", "The program", build);
        trueup.register_collector(Box::new(Live { slots: Arc::clone(slots) }));
        telemetry
    }

    /// The counters of one model.
    pub(crate) fn model(&self, model: &str) -> ModelMetrics {
        let counter = |family: &Family<Labels, Counter>, more: Option<(&'static str, &str)>| {
            let mut labels = vec![("model", model.to_owned())];
            labels.extend(more.map(|(name, value)| (name, value.to_owned())));
            family.get_or_create(&labels).clone()
        };
        let status = |status| counter(&self.answers, Some(("status", status)));
        let labels = vec![("model", model.to_owned())];
        ModelMetrics {
            corrected: status("corrected"),
            primary: status("primary"),
            refused: status("refused"),
            fallbacks: Reason::ALL
                .map(|reason| counter(&self.fallbacks, Some(("reason", reason.name())))),
            swaps: counter(&self.swaps, None),
            failures: counter(&self.failures, None),
            publish_to_serve: self.publish_to_serve.get_or_create(&labels).clone(),
        }
    }

    /// The times that answers by a protocol take.
    pub(crate) fn protocol(&self, protocol: &'static str) -> Histogram {
        self.predict.get_or_create(&vec![("protocol", protocol.to_owned())]).clone()
    }
}

/// The counters of one model.
#[derive(Debug)]
pub(crate) struct ModelMetrics {
    corrected: Counter,
    primary: Counter,
    refused: Counter,
    fallbacks: [Counter; Reason::ALL.len()],
    pub(crate) swaps: Counter,
    pub(crate) failures: Counter,
    pub(crate) publish_to_serve: Histogram,
}

impl ModelMetrics {
    /// Counts an answer.
    pub(crate) fn count(&self, answer: &Result<Answer, Refused>) {
        let counter = match answer {
            Err(_) => &self.refused,
            Ok(answer) => match answer.status {
                Status::Corrected => &self.corrected,
                Status::Primary(reason) => {
                    let place = Reason::ALL.iter().position(|known| *known == reason);
                    self.fallbacks[place.expect("every reason is listed")].inc();
                    &self.primary
                }
            },
        };
        counter.inc();
    }

    /// Questions answered and refused so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.corrected.get() + self.primary.get(), self.refused.get())
    }
}

/// What is true of the versions that answer now.
#[derive(Debug)]
struct Live {
    slots: Arc<ArcSwap<Slots>>,
}

impl Collector for Live {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let slots = self.slots.load();
        let one = ConstGauge::new(1_i64);
        let help = "The version that answers now";
        let mut family = encoder.encode_descriptor("model_info", help, None, one.metric_type())?;
        for slot in slots.values() {
            if let Ok(served) = &slot.current().served {
                let labels = [
                    ("model", slot.model().to_owned()),
                    ("version", served.version.to_string()),
                    ("digest", served.digest.to_string()),
                ];
                one.encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "Age of the last label in the version that answers now";
        let mut family = encoder.encode_descriptor(
            "model_staleness",
            help,
            Some(&Unit::Seconds),
            one.metric_type(),
        )?;
        let now = crate::bridge::now();
        for slot in slots.values() {
            if let Ok(served) = &slot.current().served {
                let seconds = now.since(served.trained_until).micros() as f64 / 1e6;
                let labels = [("model", slot.model().to_owned())];
                ConstGauge::new(seconds).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "Whether the registry could be read at the last look";
        let mut family =
            encoder.encode_descriptor("registry_reachable", help, None, one.metric_type())?;
        for slot in slots.values() {
            let labels = [("model", slot.model().to_owned())];
            let is_reachable = i64::from(slot.registry_trouble().is_none());
            ConstGauge::new(is_reachable).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
