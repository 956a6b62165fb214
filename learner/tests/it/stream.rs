//! A small synthetic world: trips whose estimates are wrong by segment, with delayed labels.

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use std::sync::Arc;
use trueup_event::{Duration, EventBatch, Origin, PartitionId, RowOrder, StreamId};
use trueup_learner::effect::{Effect, Fate, Sink};
use trueup_learner::engine::{Engine, LABELS, QUESTIONS, Wants};
use trueup_learner::features::{FeatureKind, FeatureSet, FeatureSpec};
use trueup_learner::gate::Verdict;
use trueup_learner::learners::{
    LearnerSpec, linear::LinearParams, rls::RlsParams, segment::SegmentParams,
};
use trueup_learner::spec::{
    Cadence, Correction, GateSpec, LabelSpec, LabelValue, Late, Limit, Objective, Promote,
    PublishSpec, QuestionSpec, Spec,
};

/// One question of the world.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) time: i64,
    pub(crate) key: i64,
    pub(crate) id: i64,
    pub(crate) estimate: f64,
    pub(crate) city: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) distance: f64,
}

/// One label of the world.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    pub(crate) time: i64,
    pub(crate) key: i64,
    pub(crate) value: f64,
}

/// A seeded generator (splitmix64, Steele et al. 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Twelve uniforms less six: close to normal.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

pub(crate) const MINUTE: i64 = 60_000_000;

/// `count` trips about a minute apart, each labelled 5 to 45 minutes later; some never are.
pub(crate) fn world(seed: u64, count: usize) -> (Vec<Question>, Vec<Label>) {
    let mut random = Random(seed);
    let (mut questions, mut labels) = (Vec::new(), Vec::new());
    let mut time = 1_700_000_000_000_000;
    for key in 0..count as i64 {
        time += random.below(2 * MINUTE as u64) as i64 / MINUTE * MINUTE;
        let city = ["berlin", "oslo", "rome"][random.below(3) as usize];
        let kind = ["ride", "food"][random.below(2) as usize];
        let distance = 1.0 + 9.0 * random.unit();
        let estimate = 5.0 + 2.0 * distance;
        let bias = match city {
            "berlin" => 6.0,
            "oslo" => -3.0,
            _ => 1.0,
        };
        let actual = estimate + bias + 0.4 * distance + 2.0 * random.normal();
        questions.push(Question { time, key, id: 0, estimate, city, kind, distance });
        if random.below(50) != 0 {
            let delay = 5 * MINUTE + random.below(40 * MINUTE as u64) as i64;
            labels.push(Label { time: time + delay, key, value: actual });
        }
    }
    labels.sort_by_key(|label| (label.time, label.key));
    (questions, labels)
}

pub(crate) fn spec() -> Spec {
    let category = |name: &str| FeatureSpec {
        name: name.into(),
        kind: FeatureKind::Category { column: name.into() },
    };
    let number = |name: &str| FeatureSpec {
        name: name.into(),
        kind: FeatureKind::Number { column: name.into() },
    };
    Spec {
        name: "world".into(),
        unit: "minutes".into(),
        question: QuestionSpec {
            event: "asked".into(),
            join: "key".into(),
            id: None,
            estimate: "estimate".into(),
            served_answer: None,
        },
        label: LabelSpec {
            event: "arrived".into(),
            join: "key".into(),
            value: LabelValue::Column("value".into()),
            wait: Duration::from_hours(2),
        },
        disorder: Duration::from_seconds(300),
        late: Late::Drop,
        future_max: Duration::from_hours(1),
        features: vec![category("city"), category("kind"), number("distance")],
        references: Vec::new(),
        learners: vec![
            LearnerSpec::Rls(RlsParams { segments_max: 256, ..RlsParams::default() }),
            LearnerSpec::Linear(LinearParams { bits: 10, ..LinearParams::default() }),
            LearnerSpec::Segment(SegmentParams { segments_max: 256, ..SegmentParams::default() }),
        ],
        objective: Objective::Median,
        correction: Correction::Additive,
        limit: Limit { absolute: Some(30.0), relative: None, floor: Some(0.0) },
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

/// Cuts a stream into batches; without `sorted`, rows keep the order in which they arrived.
pub(crate) fn question_batches(
    rows: &[Question],
    batch_rows: usize,
    order: RowOrder,
) -> Vec<EventBatch> {
    let batch = |offset: usize, rows: &[Question]| {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("key", Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.key)))),
            ("id", Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.id)))),
            ("estimate", Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.estimate)))),
            ("city", Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.city)))),
            ("kind", Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.kind)))),
            ("distance", Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.distance)))),
        ];
        event_batch(QUESTIONS, offset, order, rows.iter().map(|r| r.time).collect(), columns)
    };
    cut(rows, batch_rows, order, |row| row.time, batch)
}

pub(crate) fn label_batches(rows: &[Label], batch_rows: usize, order: RowOrder) -> Vec<EventBatch> {
    let batch = |offset: usize, rows: &[Label]| {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("key", Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.key)))),
            ("value", Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.value)))),
        ];
        event_batch(LABELS, offset, order, rows.iter().map(|r| r.time).collect(), columns)
    };
    cut(rows, batch_rows, order, |row| row.time, batch)
}

fn event_batch(
    stream: StreamId,
    offset: usize,
    order: RowOrder,
    times: Vec<i64>,
    columns: Vec<(&str, ArrayRef)>,
) -> EventBatch {
    let origins: Vec<_> = (0..times.len()).map(|i| Origin::new(0, (offset + i) as u64)).collect();
    EventBatch {
        stream,
        partition: PartitionId(0),
        first_offset: offset as u64,
        next_offset: (offset + times.len()) as u64,
        order,
        times: times.into(),
        record_times: None,
        origins: origins.into(),
        rows: RecordBatch::try_from_iter(columns).unwrap(),
        dead: Vec::new(),
    }
}

/// Batches of about `batch_rows`; under [`RowOrder::Time`] never through rows of equal time.
fn cut<R>(
    rows: &[R],
    batch_rows: usize,
    order: RowOrder,
    time: impl Fn(&R) -> i64,
    batch: impl Fn(usize, &[R]) -> EventBatch,
) -> Vec<EventBatch> {
    let mut batches = Vec::new();
    let mut start = 0;
    while start < rows.len() {
        let mut end = rows.len().min(start + batch_rows);
        while order == RowOrder::Time
            && end < rows.len()
            && time(&rows[end]) == time(&rows[end - 1])
        {
            end += 1;
        }
        batches.push(batch(start, &rows[start..end]));
        start = end;
    }
    batches
}

pub(crate) const PARTITIONS: [(StreamId, PartitionId); 2] =
    [(QUESTIONS, PartitionId(0)), (LABELS, PartitionId(0))];

pub(crate) fn engine(spec: &Spec) -> Engine {
    let features = FeatureSet::new(spec.features.clone()).unwrap();
    Engine::new(spec.clone(), features, &PARTITIONS).unwrap()
}

/// What a run told.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Told {
    /// Per learned question: asked at, key, answer, served, version.
    pub(crate) learned: Vec<(i64, u64, f64, f64, u64)>,
    pub(crate) expired: u64,
    pub(crate) evicted: u64,
    pub(crate) dead: std::collections::BTreeMap<&'static str, u64>,
    pub(crate) digests: Vec<(i64, String)>,
    pub(crate) admitted: Vec<(i64, usize)>,
    pub(crate) refreshed: u64,
    pub(crate) artifact_bytes: u64,
}

impl Sink for Told {
    fn take(&mut self, effect: Effect<'_>) {
        match effect {
            Effect::DeadLetter(letter) => *self.dead.entry(letter.reason.name()).or_default() += 1,
            Effect::Outcome(outcome) => match outcome.fate {
                Fate::Learned { .. } => {
                    let key = outcome.layout.key_of(outcome.row).words()[0];
                    let (answer, served) = (outcome.answer(0), outcome.served());
                    let asked = outcome.time().micros();
                    self.learned.push((asked, key, answer, served, outcome.version()));
                }
                Fate::Expired => self.expired += 1,
                Fate::Evicted => self.evicted += 1,
                Fate::Pending => {}
            },
            Effect::Candidate(candidate, _) => {
                let boundary = candidate.boundary.micros();
                self.digests.push((boundary, candidate.digest.to_string()));
                self.artifact_bytes += candidate.artifact_bytes;
                match &candidate.verdict {
                    Verdict::Admitted { .. } => self.admitted.push((boundary, candidate.lineage)),
                    Verdict::Refreshed => self.refreshed += 1,
                    Verdict::Unchanged | Verdict::Refused(_) => {}
                }
            }
            Effect::Idle { .. } => {}
        }
    }
}

/// Feeds batches to an engine until both streams end; restores pass over what was merged.
pub(crate) fn drive(engine: &mut Engine, streams: [&[EventBatch]; 2], told: &mut Told) {
    let mut next = [0, 0];
    while let Wants::Batch(index) = engine.run(told) {
        match streams[index].get(next[index]) {
            Some(batch) => engine.offer(batch, told).unwrap(),
            None => engine.end(index),
        }
        next[index] += 1;
    }
    engine.drain(told);
    assert!(engine.questions().add_up(), "{:?}", engine.questions());
    assert!(engine.labels().add_up(), "{:?}", engine.labels());
}

pub(crate) fn run(spec: &Spec, questions: &[Question], labels: &[Label]) -> (Engine, Told) {
    let mut engine = engine(spec);
    let mut told = Told::default();
    let questions = question_batches(questions, 500, RowOrder::Time);
    let labels = label_batches(labels, 500, RowOrder::Time);
    drive(&mut engine, [&questions, &labels], &mut told);
    (engine, told)
}
