//! Sound inputs of each decoder: small, and made the same every time.

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::sync::Arc;
use trueup_event::{Duration, EventBatch, Origin, PartitionId, RowOrder, StreamId};
use trueup_learner::artifact;
use trueup_learner::effect::{Effect, Sink};
use trueup_learner::engine::{Engine, LABELS, QUESTIONS, Wants};
use trueup_learner::features::{FeatureKind, FeatureSet, FeatureSpec};
use trueup_learner::learners::elastic_net::ElasticNetParams;
use trueup_learner::learners::linear::LinearParams;
use trueup_learner::learners::rls::RlsParams;
use trueup_learner::learners::segment::SegmentParams;
use trueup_learner::learners::{LearnerSpec, Shape};
use trueup_learner::spec::{
    Cadence, Correction, GateSpec, LabelSpec, LabelValue, Late, Limit, Objective, Promote,
    PublishSpec, QuestionSpec, Spec,
};

/// The shipped project, which every definition is checked against.
pub const PROJECT: &str = include_str!("../../trueup.toml");

/// The partitions of the core whose checkpoints are decoded.
pub const PARTITIONS: [(StreamId, PartitionId); 2] =
    [(QUESTIONS, PartitionId(0)), (LABELS, PartitionId(0))];

/// Questions of the small stream behind checkpoints and artifacts, one a minute.
const QUESTIONS_LEN: i64 = 120;

/// Microseconds in a minute.
const MINUTE: i64 = 60_000_000;

/// Each kind of learner, small.
#[must_use]
pub fn learners() -> Vec<LearnerSpec> {
    vec![
        LearnerSpec::ElasticNet(ElasticNetParams {
            rows_max: 16,
            buckets: 4,
            refit_every: Duration::from_hours(1),
            ..ElasticNetParams::default()
        }),
        LearnerSpec::Linear(LinearParams { bits: 8, ..LinearParams::default() }),
        LearnerSpec::Rls(RlsParams { segments_max: 64, ..RlsParams::default() }),
        LearnerSpec::Segment(SegmentParams { segments_max: 64, ..SegmentParams::default() }),
    ]
}

/// The features that [`learners`] are built for: those of [`spec`].
#[must_use]
pub fn shape() -> Shape {
    Shape {
        categories: vec!["city".into(), "kind".into()],
        numbers: vec!["distance".into()],
        objective: Objective::Median,
    }
}

/// The definition whose checkpoints are decoded.
#[must_use]
pub fn spec() -> Spec {
    let category = |name: &str| FeatureSpec {
        name: name.into(),
        kind: FeatureKind::Category { column: name.into() },
    };
    let distance = FeatureKind::Number { column: "distance".into() };
    Spec {
        name: "seed".into(),
        unit: "minutes".into(),
        question: QuestionSpec {
            event: "asked".into(),
            join: "key".into(),
            id: None,
            estimate: "distance".into(),
            served_answer: None,
        },
        label: LabelSpec {
            event: "arrived".into(),
            join: "key".into(),
            value: LabelValue::Column("value".into()),
            wait: Duration::from_hours(1),
        },
        disorder: Duration::from_seconds(60),
        late: Late::Drop,
        future_max: Duration::from_hours(1),
        features: vec![
            category("city"),
            category("kind"),
            FeatureSpec { name: "distance".into(), kind: distance },
        ],
        references: Vec::new(),
        learners: learners(),
        objective: Objective::Median,
        correction: Correction::Additive,
        limit: Limit { absolute: Some(30.0), relative: None, floor: Some(0.0) },
        gate: GateSpec {
            confidence: 0.95,
            independent: None,
            units_min: 20,
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
        pending_max: 1000,
    }
}

/// A core that was made for [`spec`].
fn engine() -> Engine {
    let features = FeatureSet::new(spec().features).expect("the features are sound");
    Engine::new(spec(), features, &PARTITIONS).expect("the learners are sound")
}

/// Effects are not looked at.
#[derive(Debug)]
struct Unheard;

impl Sink for Unheard {
    fn take(&mut self, _: Effect<'_>) {}
}

/// Checkpoints: of a core that has seen nothing, of one in the midst of its streams, and of one
/// that has seen all.
#[must_use]
pub fn checkpoints() -> Vec<Vec<u8>> {
    let mut engine = engine();
    let mut saved = vec![engine.save()];
    let mut batches = [Some(questions()), Some(labels())];
    while let Wants::Batch(index) = engine.run(&mut Unheard) {
        match batches[index].take() {
            Some(batch) => {
                engine.offer(&batch, &mut Unheard).expect("the batch fits the definition")
            }
            None => {
                saved.push(engine.save());
                engine.end(index);
            }
        }
    }
    engine.drain(&mut Unheard);
    saved.push(engine.save());
    saved
}

/// A checkpoint's bytes with the length and digest that its payload should have.
#[must_use]
pub fn sealed(bytes: &[u8]) -> Vec<u8> {
    const HEADER: usize = 8 + 4 + 8;
    const DIGEST: usize = 32;
    let mut sealed = bytes.to_vec();
    if let Some(payload) = sealed.len().checked_sub(HEADER + DIGEST) {
        sealed[..8].copy_from_slice(b"trueupck");
        sealed[8..12].copy_from_slice(&1_u32.to_le_bytes());
        sealed[12..HEADER].copy_from_slice(&(payload as u64).to_le_bytes());
        let digest = blake3::hash(&sealed[..HEADER + payload]);
        sealed[HEADER + payload..].copy_from_slice(digest.as_bytes());
    }
    sealed
}

fn questions() -> EventBatch {
    let of = |i: i64| ["ams", "ber", "cph"][i as usize % 3];
    event_batch(
        QUESTIONS,
        0,
        vec![
            ("key", Arc::new(Int64Array::from_iter_values(0..QUESTIONS_LEN))),
            ("city", Arc::new(StringArray::from_iter_values((0..QUESTIONS_LEN).map(of)))),
            ("kind", Arc::new(StringArray::from_iter_values((1..=QUESTIONS_LEN).map(of)))),
            ("distance", Arc::new(Float64Array::from_iter_values(distances()))),
        ],
    )
}

fn labels() -> EventBatch {
    let values = distances().map(|distance| 1.2 * distance + 3.0);
    event_batch(
        LABELS,
        20 * MINUTE,
        vec![
            ("key", Arc::new(Int64Array::from_iter_values(0..QUESTIONS_LEN))),
            ("value", Arc::new(Float64Array::from_iter_values(values))),
        ],
    )
}

fn distances() -> impl Iterator<Item = f64> {
    (0..QUESTIONS_LEN).map(|i| (i * 37 % 50) as f64)
}

fn event_batch(stream: StreamId, delay: i64, columns: Vec<(&str, ArrayRef)>) -> EventBatch {
    let start = 1_700_000_000_000_000 + delay;
    EventBatch {
        stream,
        partition: PartitionId(0),
        first_offset: 0,
        next_offset: QUESTIONS_LEN as u64,
        order: RowOrder::Time,
        times: (0..QUESTIONS_LEN).map(|i| start + i * MINUTE).collect(),
        record_times: None,
        origins: (0..QUESTIONS_LEN as u64).map(|row| Origin::new(0, row)).collect(),
        rows: RecordBatch::try_from_iter(columns).expect("the columns have one length"),
        dead: Vec::new(),
    }
}

/// Artifacts: a base of every kind of learner after some learning.
#[must_use]
pub fn artifacts() -> Vec<Vec<u8>> {
    let artifact = |spec: LearnerSpec| {
        let mut learner = spec.build(&shape()).expect("the parameters are in range");
        for _ in 0..8 {
            super::use_learner(learner.as_mut());
        }
        let (_, artifact) = artifact::publish(learner.as_mut());
        [artifact.serving, artifact.training]
    };
    learners().into_iter().flat_map(artifact).collect()
}

/// Durations in each unit.
#[must_use]
pub fn durations() -> Vec<Vec<u8>> {
    let texts = ["90s", "5m", "1h30m", "24h", "7d", "2w3d", "250ms", "17us", "0s", "1 h 2m"];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Definitions: the shipped ones, and one that uses every key.
#[must_use]
pub fn pipelines() -> Vec<Vec<u8>> {
    [
        include_str!("../../pipelines/flight_eta.toml"),
        include_str!("../../pipelines/flight_eta_mean.toml"),
        include_str!("../../pipeline/tests/it/everything.toml"),
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Projects: the shipped one, and one that uses every key.
#[must_use]
pub fn projects() -> Vec<Vec<u8>> {
    let everything = r#"
default_environment = "warehouse"
event.trips = { time = "at", disorder = "1h30m", zone = "Europe/Berlin", future_max = "1m" }

[event."the \"late\" ones"]
time  = "seen"
epoch = "ms"

[environment.warehouse]
state  = "${HOME}/.trueup"
events = { trips = "s3://${BUCKET}/trips/dt=*/*.parquet", "the \"late\" ones" = "late.parquet" }

[environment.live]
kafka  = { brokers = "localhost:9092" }
record = { keep = "90d", drop = ["rider"] }
events.trips = { log = "trips", idle = "10s" }
events."the \"late\" ones" = { files = "late/*.parquet" }

[environment.later]
events.trips = { kafka = "trips" }
"#;
    [PROJECT, everything].map(|text| text.as_bytes().to_vec()).to_vec()
}

/// Parquet files with times of several types, plain and compressed.
#[must_use]
pub fn parquet_files() -> Vec<Vec<u8>> {
    let times: Vec<i64> = (0..60).map(|i| 1_357_000_000_000_000 + i / 2 * MINUTE).collect();
    let micros = TimestampMicrosecondArray::from(times.clone());
    let seconds = times.iter().map(|time| Some(time / 1_000_000).filter(|time| time % 7 > 0));
    let texts = times.iter().map(|time| format!("2013-01-01 {:02}:17:00", time / MINUTE % 24));
    let plain = Compression::UNCOMPRESSED;
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let files: [(ArrayRef, Compression); 4] = [
        (Arc::new(micros.clone().with_timezone("UTC")), plain),
        (Arc::new(micros), Compression::SNAPPY),
        (Arc::new(seconds.collect::<Int64Array>()), zstd),
        (Arc::new(StringArray::from_iter_values(texts)), Compression::LZ4_RAW),
    ];
    files.into_iter().map(|(at, compression)| parquet_file(at, compression)).collect()
}

fn parquet_file(at: ArrayRef, compression: Compression) -> Vec<u8> {
    let len = at.len() as i64;
    let city = |i: i64| (i % 11 > 0).then(|| format!("city {}", i % 7));
    let price = |i: i64| if i % 13 == 0 { f64::NAN } else { i as f64 / 8.0 };
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("at", at, true),
        ("city", Arc::new((0..len).map(city).collect::<StringArray>()) as ArrayRef, true),
        ("id", Arc::new(Int64Array::from_iter_values(0..len)) as ArrayRef, false),
        ("price", Arc::new((0..len).map(price).collect::<Float64Array>()) as ArrayRef, true),
    ])
    .expect("the columns have one length");
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_row_count(Some(25))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties))
        .expect("the types can be written");
    writer.write(&rows).expect("memory takes all rows");
    writer.close().expect("memory takes the footer");
    bytes
}
