//! How many events a second one core learns: each learner alone, the whole core, and its parts.
//!
//! `cargo bench -p trueup-learner --bench learners` prints items a second. An event is a question
//! with 7 category features and 3 numbers together with its label.

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use std::sync::Arc;
use trueup_event::{Duration, EventBatch, EventTime, Origin, PartitionId, RowOrder, hash};
use trueup_learner::artifact;
use trueup_learner::effect::NoSink;
use trueup_learner::engine::{Engine, LABELS, QUESTIONS, Wants};
use trueup_learner::features::{FeatureKind, FeatureSet, FeatureSpec};
use trueup_learner::learners::linear::{LinearParams, Steps};
use trueup_learner::learners::{Features, LEARNERS, Learner, LearnerSpec, Shape};
use trueup_learner::metrics::{ErrorSketch, Errors};
use trueup_learner::spec::{
    Cadence, Correction, GateSpec, LabelSpec, LabelValue, Late, Limit, Objective, Promote,
    PublishSpec, QuestionSpec, Spec,
};

fn main() {
    divan::main();
}

/// How many values each category feature has.
const CATEGORIES: [(&str, u64); 7] = [
    ("carrier", 16),
    ("origin", 30),
    ("destination", 110),
    ("hour_of_week", 168),
    ("vehicle", 4000),
    ("route", 3000),
    ("weather", 8),
];
const NUMBERS: [&str; 3] = ["distance", "load", "wind"];
const CROSSES: [[&str; 2]; 3] =
    [["carrier", "origin"], ["origin", "hour_of_week"], ["destination", "weather"]];
/// What learns alone, and which lineages learn in the whole core.
const LEARNING: [&str; 5] = ["elastic_net", "linear", "linear_adagrad", "rls", "segment"];
const KINDS: [&str; 4] = ["elastic_net", "linear", "rls", "segment"];
const LINEAGES: [&str; 4] = ["linear", "rls", "segment", "linear+segment"];
/// Event time from one question to the next.
const STEP_MICROS: i64 = 20_000_000;
const START_MICROS: i64 = 1_700_000_000_000_000;

/// A repeatable stream of words.
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = hash::mix(self.0, 0x5851_F42D_4C95_7F2D).wrapping_add(1);
        ((u128::from(self.0) * u128::from(end)) >> 64) as u64
    }

    fn share(&mut self) -> f64 {
        self.below(1 << 53) as f64 / (1_u64 << 53) as f64
    }
}

/// The features and residual of a question.
struct Event {
    values: [u64; 7],
    categories: [u64; 7],
    numbers: [f64; 3],
    residual: f64,
}

fn events(count: usize) -> Vec<Event> {
    let mut draws = Draws(1);
    let event = |_| {
        let values = CATEGORIES.map(|(_, end)| draws.below(end));
        let numbers = [2500.0 * draws.share(), draws.share(), 30.0 * draws.share()];
        let noise = 10.0 * (draws.share() + draws.share() - 1.0);
        let residual = (values[0] % 5) as f64 - 2.0 + 0.3 * numbers[2] + noise;
        Event { values, categories: values.map(|v| hash::mix(9, v)), numbers, residual }
    };
    (0..count).map(event).collect()
}

fn shape() -> Shape {
    Shape {
        categories: CATEGORIES.iter().map(|(name, _)| (*name).to_owned()).collect(),
        numbers: NUMBERS.iter().map(|name| (*name).to_owned()).collect(),
        objective: Objective::Median,
    }
}

fn linear(steps: Steps) -> LearnerSpec {
    let crosses = CROSSES.iter().map(|cross| cross.map(str::to_owned).to_vec()).collect();
    LearnerSpec::Linear(LinearParams { crosses, steps, ..LinearParams::default() })
}

/// Every kind by default, the linear one with crosses.
fn spec_of(name: &str) -> LearnerSpec {
    match name {
        "linear" => linear(Steps::Normalised),
        "linear_adagrad" => linear(Steps::Adagrad),
        _ => {
            let kind = LEARNERS.iter().find(|kind| kind.name == name).expect("a kind's name");
            (kind.defaults)()
        }
    }
}

/// A learner and how far its stream has come.
struct Run {
    learner: Box<dyn Learner>,
    inputs: Vec<f64>,
    events: Vec<Event>,
    micros: i64,
}

impl Run {
    fn new(name: &str, count: usize) -> Self {
        let learner = spec_of(name).build(&shape()).expect("valid parameters");
        let inputs = vec![0.0; learner.inputs_len()];
        Self { learner, inputs, events: events(count), micros: START_MICROS }
    }

    /// Asks and learns every event once.
    fn feed(&mut self) -> f64 {
        let mut sum = 0.0;
        for event in &self.events {
            self.micros += STEP_MICROS;
            let time = EventTime::from_micros(self.micros);
            let question =
                Features { time, categories: &event.categories, numbers: &event.numbers };
            sum += self.learner.predict_one(&question, &mut self.inputs);
            self.learner.learn_one(&question, &self.inputs, time, event.residual);
        }
        sum
    }
}

#[divan::bench(args = LEARNING, sample_count = 20)]
fn predict_and_learn(bencher: Bencher<'_, '_>, name: &str) {
    let mut run = Run::new(name, 50_000);
    run.feed();
    bencher.counter(ItemsCount::new(run.events.len())).bench_local(|| run.feed());
}

#[divan::bench(args = KINDS, sample_count = 20)]
fn predict_alone(bencher: Bencher<'_, '_>, name: &str) {
    let mut run = Run::new(name, 50_000);
    run.feed();
    let Run { learner, mut inputs, events, micros } = run;
    let time = EventTime::from_micros(micros);
    bencher.counter(ItemsCount::new(events.len())).bench_local(|| {
        let mut sum = 0.0;
        for event in &events {
            let question =
                Features { time, categories: &event.categories, numbers: &event.numbers };
            sum += learner.predict_one(&question, &mut inputs);
        }
        sum
    });
}

/// Items are cells that changed: what an hour of labels touches.
#[divan::bench(args = KINDS, sample_count = 20)]
fn publish(bencher: Bencher<'_, '_>, name: &str) {
    let mut run = Run::new(name, 180);
    run.feed();
    artifact::publish(run.learner.as_mut());
    run.feed();
    let changed_cells = artifact::publish(run.learner.as_mut()).0.changed_cells;
    let run = std::cell::RefCell::new(run);
    bencher
        .counter(ItemsCount::new(changed_cells))
        .with_inputs(|| run.borrow_mut().feed())
        .bench_local_values(|_| artifact::publish(run.borrow_mut().learner.as_mut()));
}

#[divan::bench]
fn errors_update(bencher: Bencher<'_, '_>) {
    let mut errors = Errors::new(0.01, &[5.0, 15.0]).expect("valid limits");
    let events = events(10_000);
    bencher.counter(ItemsCount::new(events.len())).bench_local(|| {
        for event in &events {
            errors.update(black_box(event.residual));
        }
    });
}

#[divan::bench]
fn sketch_update(bencher: Bencher<'_, '_>) {
    let mut sketch = ErrorSketch::new(0.01);
    let events = events(10_000);
    bencher.counter(ItemsCount::new(events.len())).bench_local(|| {
        for event in &events {
            sketch.update(black_box(event.residual));
        }
    });
}

fn core_spec(learners: Vec<LearnerSpec>) -> (Spec, FeatureSet) {
    let category = |&(name, _): &(&str, u64)| {
        let kind = FeatureKind::Category { column: name.to_owned() };
        FeatureSpec { name: name.to_owned(), kind }
    };
    let number = |name: &&str| {
        let kind = FeatureKind::Number { column: (*name).to_owned() };
        FeatureSpec { name: (*name).to_owned(), kind }
    };
    let features: Vec<FeatureSpec> =
        CATEGORIES.iter().map(category).chain(NUMBERS.iter().map(number)).collect();
    let set = FeatureSet::new(features.clone()).expect("valid features");
    let spec = Spec {
        name: "bench".to_owned(),
        unit: "minutes".to_owned(),
        question: QuestionSpec {
            event: "asked".to_owned(),
            join: "key".to_owned(),
            id: None,
            estimate: "estimate".to_owned(),
            served_answer: None,
        },
        label: LabelSpec {
            event: "arrived".to_owned(),
            join: "key".to_owned(),
            value: LabelValue::Column("actual".to_owned()),
            wait: Duration::from_hours(24),
        },
        disorder: Duration::from_micros(60_000_000),
        late: Late::Drop,
        future_max: Duration::from_hours(1),
        features,
        references: Vec::new(),
        learners,
        objective: Objective::Median,
        correction: Correction::Additive,
        limit: Limit { absolute: Some(30.0), relative: None, floor: Some(0.0) },
        gate: GateSpec {
            confidence: 0.95,
            independent: None,
            units_min: 300,
            guards: Vec::new(),
            change_max: 0.5,
        },
        publish: PublishSpec {
            every: Cadence::Time(Duration::from_hours(1)),
            promote: Promote::Automatic,
            expires: Duration::from_hours(48),
            serving_delay: Duration::ZERO,
            base_every: 24,
        },
        pending_max: 1_000_000,
    };
    (spec, set)
}

/// Labels come this much later than their questions: some hundred wait at any time.
const DELAY_MICROS: i64 = 2 * 3600 * 1_000_000;

/// Questions and their labels in batches of 8192.
fn batches(events: &[Event]) -> [Vec<EventBatch>; 2] {
    let keys: Vec<i64> = (0..events.len() as i64).collect();
    let micros = |key: &i64| START_MICROS + key * STEP_MICROS;
    let batch = |stream, first: usize, delay: i64, columns: Vec<(&str, ArrayRef)>| EventBatch {
        stream,
        partition: PartitionId(0),
        first_offset: first as u64,
        next_offset: (first + columns[0].1.len()) as u64,
        order: RowOrder::Time,
        times: keys[first..][..columns[0].1.len()].iter().map(|key| micros(key) + delay).collect(),
        record_times: None,
        origins: vec![Origin::default(); columns[0].1.len()].into(),
        rows: RecordBatch::try_from_iter(columns).expect("columns of one length"),
        dead: Vec::new(),
    };
    let mut found = [Vec::new(), Vec::new()];
    for (chunk, events) in events.chunks(8192).enumerate() {
        let first = chunk * 8192;
        let key: ArrayRef = Arc::new(Int64Array::from(keys[first..][..events.len()].to_vec()));
        let floats = |of: &dyn Fn(&Event) -> f64| -> ArrayRef {
            Arc::new(events.iter().map(of).collect::<Float64Array>())
        };
        let mut columns = vec![("key", key.clone()), ("estimate", floats(&|_| 40.0))];
        for (place, (name, _)) in CATEGORIES.iter().enumerate() {
            let texts = events.iter().map(|event| Some(format!("{name}{}", event.values[place])));
            columns.push((*name, Arc::new(texts.collect::<StringArray>())));
        }
        for (place, name) in NUMBERS.iter().enumerate() {
            columns.push((*name, floats(&move |event| event.numbers[place])));
        }
        found[0].push(batch(QUESTIONS, first, 0, columns));
        let actual = floats(&|event| 40.0 + event.residual);
        found[1].push(batch(LABELS, first, DELAY_MICROS, vec![("key", key), ("actual", actual)]));
    }
    found
}

/// The whole core: columns to rows, merge, hold, serve, join, score, learn, gate, publish hourly.
#[divan::bench(args = LINEAGES, sample_count = 5, sample_size = 1)]
fn whole_core(bencher: Bencher<'_, '_>, names: &str) {
    let events = events(200_000);
    let [questions, labels] = batches(&events);
    let partitions = [(QUESTIONS, PartitionId(0)), (LABELS, PartitionId(0))];
    let learners: Vec<LearnerSpec> = names.split('+').map(spec_of).collect();
    bencher.counter(ItemsCount::new(events.len())).bench_local(|| {
        let (spec, features) = core_spec(learners.clone());
        let mut engine = Engine::new(spec, features, &partitions).expect("valid definition");
        let mut streams = [questions.iter(), labels.iter()];
        while let Wants::Batch(index) = engine.run(&mut NoSink) {
            match streams[index].next() {
                Some(batch) => engine.offer(batch, &mut NoSink).expect("columns fit"),
                None => engine.end(index),
            }
        }
        assert!(engine.labels().learned > 190_000, "labels must find their questions");
        engine.digest()
    });
}
