//! A small world of flights whose estimates are wrong by segment, the versions that learning from
//! it makes, and a registry to publish them in.

// Tests, benches and examples each take a part of it.
#![allow(dead_code)]

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use trueup_event::{Duration, EventBatch, EventTime, Origin, PartitionId, RowOrder, StreamId};
use trueup_learner::artifact::Form;
use trueup_learner::effect::{Effect, Sink};
use trueup_learner::engine::{Engine, LABELS, QUESTIONS, Wants};
use trueup_learner::features::{FeatureKind, FeatureSet, FeatureSpec, Value, Zone};
use trueup_learner::learners::{LearnerSpec, rls::RlsParams};
use trueup_learner::model::{Model, Scratch};
use trueup_learner::spec::{
    Cadence, Correction, GateSpec, LabelSpec, LabelValue, Late, Limit, Objective, Promote,
    PublishSpec, QuestionSpec, Spec,
};
use trueup_registry::store::Disk;
use trueup_registry::{
    AliasName, Commit, Expect, ModelName, ModelRegistry, NewVersion, Nonce, Registry, RollbackTo,
};
use trueup_serving_bridge::{Bridge, BridgeOptions, Question, Slot};

/// The model's name.
pub(crate) const MODEL: &str = "flight_eta";

/// A question of the world.
#[derive(Debug, Clone)]
pub(crate) struct Flight {
    pub(crate) time: i64,
    pub(crate) key: i64,
    pub(crate) estimate: f64,
    pub(crate) carrier: &'static str,
    pub(crate) origin: &'static str,
    pub(crate) destination: &'static str,
    pub(crate) distance: i64,
    pub(crate) delay: f64,
}

impl Flight {
    /// The columns of a question in the process.
    pub(crate) fn columns(&self) -> [(&'static str, Value<'static>); 5] {
        [
            ("carrier", Value::Text(self.carrier)),
            ("origin", Value::Text(self.origin)),
            ("destination", Value::Text(self.destination)),
            ("distance_miles", Value::Integer(self.distance)),
            ("departure_delay_minutes", Value::Number(self.delay)),
        ]
    }

    /// The question in JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        json!({
            "eta_minutes": self.estimate,
            "departed_at": EventTime::from_micros(self.time).to_string(),
            "carrier": self.carrier,
            "origin": self.origin,
            "destination": self.destination,
            "distance_miles": self.distance,
            "departure_delay_minutes": self.delay,
        })
    }
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

const MINUTE: i64 = 60_000_000;

/// `count` flights about a minute apart, with when each landed and how long it really took.
pub(crate) fn world(count: usize) -> (Vec<Flight>, Vec<(i64, i64, f64)>) {
    let mut state = 7;
    let mut time = 1_700_000_000_000_000;
    let (mut flights, mut labels) = (Vec::new(), Vec::new());
    for key in 0..count as i64 {
        let mut below = |n: u64| (random(&mut state) % n) as usize;
        time += below(2 * MINUTE as u64) as i64;
        let origin = ["EWR", "JFK", "LGA"][below(3)];
        let destination = ["ATL", "BOS", "LAX", "ORD", "SFO"][below(5)];
        let carrier = ["AA", "B6", "DL", "UA"][below(4)];
        let distance = 200 + below(2_300) as i64;
        let delay = below(600) as f64 / 10.0;
        let noise = (0..12).map(|_| below(1_000) as f64 / 1_000.0).sum::<f64>() - 6.0;
        let estimate = 30.0 + distance as f64 / 8.0;
        let bias = if origin == "JFK" { 9.0 } else { -4.0 };
        let actual = estimate + bias - 0.1 * delay + 3.0 * noise;
        flights.push(Flight { time, key, estimate, carrier, origin, destination, distance, delay });
        labels.push((time + (actual * MINUTE as f64) as i64, key, actual));
    }
    labels.sort_by_key(|label| (label.0, label.1));
    (flights, labels)
}

/// The definition of `pipelines/flight_eta.toml`, with a smaller table.
pub(crate) fn spec() -> Spec {
    let feature = |name: &str, kind| FeatureSpec { name: name.into(), kind };
    let category = |name: &str| feature(name, FeatureKind::Category { column: name.into() });
    let number = |name: &str| feature(name, FeatureKind::Number { column: name.into() });
    let zone = || Zone::Named("America/New_York".into());
    let time = || "departed_at".to_owned();
    let recent: [&[&str]; 4] = [
        &["origin"],
        &["destination"],
        &["origin", "destination"],
        &["carrier", "origin", "destination"],
    ];
    let recent = recent.iter().map(|names| names.iter().map(|n| (*n).to_owned()).collect());
    let params = RlsParams { segments_max: 256, recent: recent.collect(), ..RlsParams::default() };
    Spec {
        name: MODEL.into(),
        unit: "minutes".into(),
        question: QuestionSpec {
            event: "departures".into(),
            join: "trip_id".into(),
            id: None,
            estimate: "eta_minutes".into(),
            served_answer: None,
        },
        label: LabelSpec {
            event: "arrivals".into(),
            join: "trip_id".into(),
            value: LabelValue::Column("actual_minutes".into()),
            wait: Duration::from_hours(24),
        },
        disorder: Duration::from_seconds(60),
        late: Late::Drop,
        future_max: Duration::from_hours(1),
        features: vec![
            category("carrier"),
            category("origin"),
            category("destination"),
            feature("hour_of_day", FeatureKind::HourOfDay { time: time(), zone: zone() }),
            feature("day_of_week", FeatureKind::DayOfWeek { time: time(), zone: zone() }),
            feature("hour_of_week", FeatureKind::HourOfWeek { time: time(), zone: zone() }),
            number("distance_miles"),
            number("departure_delay_minutes"),
            number("eta_minutes"),
        ],
        references: Vec::new(),
        learners: vec![LearnerSpec::Rls(params)],
        objective: Objective::Median,
        correction: Correction::Additive,
        limit: Limit { absolute: Some(45.0), relative: Some(0.3), floor: Some(0.0) },
        gate: GateSpec {
            confidence: 0.95,
            independent: None,
            units_min: 200,
            guards: Vec::new(),
            change_max: 3.0,
        },
        publish: PublishSpec {
            every: Cadence::Time(Duration::from_hours(1)),
            promote: Promote::Automatic,
            expires: Duration::from_hours(6),
            serving_delay: Duration::from_seconds(30),
            base_every: 24,
        },
        pending_max: 10_000,
    }
}

/// What the core told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The versions that it made, in order.
    pub(crate) versions: Vec<NewVersion>,
    /// Per labelled flight: the answer that was served, and the number of the version (0 is none).
    pub(crate) served: BTreeMap<i64, (f64, u64)>,
    record: serde_json::Value,
}

impl Sink for Told {
    fn take(&mut self, effect: Effect<'_>) {
        match effect {
            Effect::Candidate(candidate, artifact) => {
                let id = |version: u64| format!("{MODEL}/{version}");
                self.versions.push(NewVersion {
                    id: id(candidate.version),
                    lineage: candidate.lineage as u32,
                    ordinal: candidate.version,
                    form: match candidate.form {
                        Form::Base => trueup_registry::Form::Base,
                        Form::Delta => trueup_registry::Form::Delta,
                    },
                    parent: candidate.parent.map(|parent| id(parent.version)),
                    verdict: candidate.verdict.name().to_owned(),
                    boundary_micros: candidate.boundary.micros(),
                    trained_until_micros: candidate
                        .trained_until
                        .unwrap_or(EventTime::MIN)
                        .micros(),
                    state_digest: candidate.digest.to_string(),
                    serving: artifact.serving.clone(),
                    training: artifact.training.clone(),
                    definition: Vec::new(),
                    manifest: self.record.clone(),
                    promote: candidate.verdict.is_promoted(),
                });
            }
            Effect::Outcome(outcome) => {
                let key = outcome.layout.key_of(outcome.row).words()[0] as i64;
                self.served.insert(key, (outcome.served(), outcome.version()));
            }
            Effect::DeadLetter(letter) => panic!("{letter:?}"),
            Effect::Idle { .. } => {}
        }
    }
}

/// Learns from the world.
pub(crate) fn learn(spec: &Spec, flights: &[Flight], labels: &[(i64, i64, f64)]) -> Told {
    let digest = spec.digest().map(|byte| format!("{byte:02x}")).concat();
    let record = json!({
        "definition": spec,
        "definition_digest": digest,
        "question_time": "departed_at",
    });
    let mut told = Told { record, ..Told::default() };
    let features = FeatureSet::new(spec.features.clone()).unwrap();
    let partitions = [(QUESTIONS, PartitionId(0)), (LABELS, PartitionId(0))];
    let mut engine = Engine::new(spec.clone(), features, &partitions).unwrap();
    let mut batches = [Some(questions(flights)), Some(arrivals(labels))];
    while let Wants::Batch(index) = engine.run(&mut told) {
        match batches[index].take() {
            Some(batch) => engine.offer(&batch, &mut told).unwrap(),
            None => engine.end(index),
        }
    }
    told
}

fn questions(flights: &[Flight]) -> EventBatch {
    let texts = |of: fn(&Flight) -> &'static str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(flights.iter().map(of)))
    };
    let floats = |of: fn(&Flight) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(flights.iter().map(of)))
    };
    let integers = |of: fn(&Flight) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(flights.iter().map(of)))
    };
    let times: Vec<_> = flights.iter().map(|flight| flight.time).collect();
    let departed = TimestampMicrosecondArray::from(times.clone()).with_timezone("UTC");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("trip_id", integers(|flight| flight.key)),
        ("departed_at", Arc::new(departed)),
        ("carrier", texts(|flight| flight.carrier)),
        ("origin", texts(|flight| flight.origin)),
        ("destination", texts(|flight| flight.destination)),
        ("distance_miles", integers(|flight| flight.distance)),
        ("departure_delay_minutes", floats(|flight| flight.delay)),
        ("eta_minutes", floats(|flight| flight.estimate)),
    ];
    batch(QUESTIONS, times, columns)
}

fn arrivals(labels: &[(i64, i64, f64)]) -> EventBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("trip_id", Arc::new(Int64Array::from_iter_values(labels.iter().map(|l| l.1)))),
        ("actual_minutes", Arc::new(Float64Array::from_iter_values(labels.iter().map(|l| l.2)))),
    ];
    batch(LABELS, labels.iter().map(|label| label.0).collect(), columns)
}

fn batch(stream: StreamId, times: Vec<i64>, columns: Vec<(&str, ArrayRef)>) -> EventBatch {
    let origins: Vec<_> = (0..times.len()).map(|row| Origin::new(0, row as u64)).collect();
    let next_offset = times.len() as u64;
    EventBatch {
        stream,
        partition: PartitionId(0),
        first_offset: 0,
        next_offset,
        order: RowOrder::Time,
        times: times.into(),
        record_times: None,
        origins: origins.into(),
        rows: RecordBatch::try_from_iter(columns).unwrap(),
        dead: Vec::new(),
    }
}

/// A registry on disk, with a writer.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) registry: Registry,
    pub(crate) model: ModelRegistry,
    pub(crate) flights: Vec<Flight>,
    pub(crate) told: Told,
}

impl World {
    /// A world of so many flights, of which nothing is published yet.
    pub(crate) fn new(flights: usize) -> Self {
        let (flights, labels) = world(flights);
        let told = learn(&spec(), &flights, &labels);
        let folder = tempfile::tempdir().unwrap();
        let registry = open(folder.path());
        let model = registry.model(&ModelName::new(MODEL).unwrap());
        Self { folder, registry, model, flights, told }
    }

    /// Publishes the first so many of the versions, each by an entry of its own.
    pub(crate) fn publish(&mut self, versions: std::ops::Range<usize>) {
        for version in versions {
            let version = self.told.versions[version].clone();
            self.publish_one(version);
        }
    }

    /// Publishes a version; gives its number.
    pub(crate) fn publish_one(&mut self, version: NewVersion) -> u64 {
        self.model.publish(&[version], &commit()).unwrap().numbers[0]
    }

    /// The places of the versions that the gate let pass.
    pub(crate) fn promoted(&self) -> Vec<usize> {
        let versions = self.told.versions.iter().enumerate();
        versions.filter(|(_, version)| version.promote).map(|(place, _)| place).collect()
    }

    /// The model of a version, made from the artifacts by nothing but the core.
    pub(crate) fn model_of(&self, place: usize) -> Model {
        let versions = &self.told.versions;
        let mut chain = vec![&versions[place]];
        while let Some(parent) = &chain[chain.len() - 1].parent {
            chain.push(versions.iter().find(|version| version.id == *parent).unwrap());
        }
        let mut model = Model::new(spec(), 0).unwrap();
        for version in chain.iter().rev() {
            let form = match version.form {
                trueup_registry::Form::Base => Form::Base,
                trueup_registry::Form::Delta => Form::Delta,
            };
            model.apply(form, &version.serving).unwrap();
        }
        model
    }

    /// A bridge that follows closely.
    pub(crate) fn bridge(&self) -> Bridge {
        self.bridge_polling(std::time::Duration::from_millis(2))
    }

    /// A bridge that looks so often.
    pub(crate) fn bridge_polling(&self, poll: std::time::Duration) -> Bridge {
        let options = BridgeOptions { poll, ..BridgeOptions::default() };
        Bridge::open(self.registry.clone(), options).unwrap()
    }

    /// Waits until something holds of what answers.
    #[track_caller]
    pub(crate) fn wait(&self, bridge: &Bridge, holds: impl Fn(&Slot) -> bool) {
        let slot = bridge.slot(MODEL).unwrap();
        for _ in 0..5_000 {
            if holds(&slot) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let (version, registry) = (slot.version_trouble(), slot.registry_trouble());
        panic!("it did not come to that: {version:?}, {registry:?}");
    }

    /// Goes back to a version, which is held.
    pub(crate) fn roll_back(&mut self, to: RollbackTo) {
        self.model.rollback(&AliasName::champion(), to, Expect::Anything, &commit()).unwrap();
    }

    /// Marks a version as bad.
    pub(crate) fn quarantine(&mut self, version: u64) {
        self.model.quarantine(version, &commit()).unwrap();
    }

    /// Promotes a version; a hold ends.
    pub(crate) fn promote(&mut self, version: u64) {
        let champion = AliasName::champion();
        self.model.promote(&champion, version, Expect::Anything, &commit()).unwrap();
    }

    /// Changes a byte in each file that holds the last published version's artifacts.
    pub(crate) fn damage_newest(&self) {
        let newest = self.model.state().versions().values().next_back().unwrap();
        let blob = newest.summary.serving.blob.to_string();
        let path = self.folder.path().join("models").join(MODEL).join("blobs/sha256").join(blob);
        let mut bytes = std::fs::read(&path).unwrap();
        let place = usize::try_from(newest.summary.serving.offset).unwrap() + 100;
        bytes[place] ^= 0x40;
        std::fs::write(&path, bytes).unwrap();
    }
}

impl Flight {
    /// The question, with its own columns.
    pub(crate) fn question<'a>(&self, columns: &'a [(&'a str, Value<'a>)]) -> Question<'a> {
        let time = Some(EventTime::from_micros(self.time));
        Question { time, estimate: self.estimate, columns }
    }

    /// What a model says.
    pub(crate) fn answer_of(&self, model: &Model) -> f64 {
        let columns = self.columns();
        let lookup = |name: &str| match name {
            "departed_at" => Some(Value::TimeMicros(self.time)),
            "eta_minutes" => Some(Value::Number(self.estimate)),
            _ => columns.iter().find(|(known, _)| *known == name).map(|(_, value)| *value),
        };
        let (time, mut scratch) = (EventTime::from_micros(self.time), Scratch::default());
        model.correct(time, self.estimate, &lookup, &mut scratch).unwrap()
    }
}

/// The number of the version that answers; none if the primary estimate does.
pub(crate) fn version(slot: &Slot) -> Option<u64> {
    slot.current().served.as_ref().ok().map(|served| served.version)
}

/// The registry of a folder.
pub(crate) fn open(folder: &Path) -> Registry {
    Registry::open(Arc::new(Disk::open(folder).unwrap()))
}

/// A commit by a person, now.
pub(crate) fn commit() -> Commit {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Commit {
        actor: "tester".into(),
        reason: "a test".into(),
        at_micros: now.as_micros() as i64,
        nonce: Nonce::random(),
        writer: None,
        seen: u64::MAX,
    }
}
