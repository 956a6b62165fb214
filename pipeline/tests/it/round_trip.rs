//! An object, its text, and the object read from it are the same.

use proptest::prelude::*;
use proptest::{option, sample::select};
use trueup_event::Duration;
use trueup_learner::features::{FeatureKind, Zone};
use trueup_learner::learners::{LearnerSpec, linear, rls, segment};
use trueup_learner::spec::{Cadence, Correction, Guard, Late, Limit, Objective, Promote};
use trueup_pipeline::RealtimeMlPipeline;
use trueup_pipeline::keys::learner::kinds;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z_0-9]{0,12}",
        "[ -~]{0,8}[!-~][ -~]{0,8}",
        select(vec!["é ü", "a.b", "\"", "'''", "\"\"\"", "a\\", "a\nb", "a\tb", "=", "[x]", "#"])
            .prop_map(str::to_owned),
    ]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-1000_i32..1000).prop_map(f64::from),
        -1.0e9..1.0e9,
        select(vec![0.1, 1e-12, 1e300, 0.0, -0.0, 9_007_199_254_740_994.0])
    ]
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (1_i64..500).prop_map(Duration::from_hours),
        (1_i64..1_000_000_000_000_000).prop_map(Duration::from_micros),
    ]
}

fn zone() -> impl Strategy<Value = Zone> {
    prop_oneof![
        select(vec!["UTC", "America/New_York"]).prop_map(|name| Zone::Named(name.into())),
        text().prop_map(Zone::Column),
    ]
}

fn feature() -> impl Strategy<Value = FeatureKind> {
    let edges = prop::collection::btree_set(-1000_i32..1000, 1..5)
        .prop_map(|edges| edges.into_iter().map(|edge| f64::from(edge) / 8.0).collect());
    prop_oneof![
        text().prop_map(|column| FeatureKind::Category { column }),
        text().prop_map(|column| FeatureKind::Number { column }),
        text().prop_map(|column| FeatureKind::Log { column }),
        (text(), edges).prop_map(|(column, edges)| FeatureKind::Bucket { column, edges }),
        (text(), zone()).prop_map(|(time, zone)| FeatureKind::HourOfWeek { time, zone }),
        (text(), zone()).prop_map(|(time, zone)| FeatureKind::HourOfDay { time, zone }),
        (text(), zone()).prop_map(|(time, zone)| FeatureKind::DayOfWeek { time, zone }),
        (text(), text(), 1_u8..=12).prop_map(|(latitude, longitude, precision)| {
            FeatureKind::Geohash { latitude, longitude, precision }
        }),
    ]
}

fn learner() -> impl Strategy<Value = LearnerSpec> {
    let groups = || prop::collection::vec(prop::collection::vec(text(), 1..3), 0..3);
    prop_oneof![
        (groups(), 10_u8..24, number()).prop_map(|(crosses, bits, rate)| {
            let loss = Some(linear::LossName::Absolute);
            LearnerSpec::Linear(linear::LinearParams {
                crosses,
                bits,
                rate,
                loss,
                ..Default::default()
            })
        }),
        (groups(), prop::collection::vec(duration(), 0..3)).prop_map(|(recent, half_lives)| {
            LearnerSpec::Rls(rls::RlsParams { recent, half_lives, ..Default::default() })
        }),
        (groups(), duration(), number()).prop_map(|(levels, half_life, shrink)| {
            LearnerSpec::Segment(segment::SegmentParams {
                levels,
                half_life,
                shrink,
                ..Default::default()
            })
        }),
    ]
}

fn objective() -> impl Strategy<Value = Objective> {
    prop_oneof![
        Just(Objective::Median),
        Just(Objective::Mean),
        (0.001..0.999).prop_map(Objective::Quantile)
    ]
}

fn guard() -> impl Strategy<Value = Guard> {
    (select(vec!["p95", "bias"]), 0.0..10.0, option::of(text()), 1_u64..1000).prop_map(
        |(metric, worse_by, per, questions_min)| Guard {
            metric: metric.into(),
            worse_by,
            per,
            questions_min,
        },
    )
}

prop_compose! {
    fn named()(
        unit in text(), event in text(), join in text(), estimate in text(), value in text(),
        id in option::of(text()), served in option::of(text()), label in text(),
        references in prop::collection::vec(text(), 0..3), wait in duration(),
        elapsed in option::of((text(), text())),
    ) -> RealtimeMlPipeline {
        let mut pipeline = RealtimeMlPipeline::new("any")
            .unit(unit).question(event, join.clone(), estimate).label(label, join, value)
            .wait(wait);
        if let Some((from, until)) = elapsed {
            pipeline = pipeline.label_elapsed(from, until);
        }
        pipeline.question.id = id;
        pipeline.question.served_answer = served;
        pipeline.references = references;
        pipeline
    }
}

prop_compose! {
    fn any_pipeline()(
        named in named(),
        features in prop::collection::vec((text(), feature()), 0..6),
        learner in learner(), challengers in prop::collection::vec(learner(), 0..3),
        objective in objective(), is_multiplicative in any::<bool>(),
        limit in (option::of(0.0..100.0), option::of(0.0..2.0), option::of(number())),
        guards in prop::collection::vec(guard(), 0..3),
        (confidence, units_min, change_max) in (0.01..0.99, 1_u64..9999, 0.01..10.0),
        labels in option::of(1_u64..100_000),
        (every, expires, serving_delay) in (duration(), duration(), duration()),
        (base_every, pending_max) in (1_u64..100, 1_usize..1_000_000_000),
        (promote, late) in (
            select(vec![Promote::Automatic, Promote::Shadow, Promote::Manual]),
            select(vec![Late::Drop, Late::Apply])
        ),
    ) -> RealtimeMlPipeline {
        let mut pipeline = named.learner(learner).objective(objective).promote(promote);
        for (name, kind) in features {
            pipeline = pipeline.feature(name, kind);
        }
        pipeline.challengers = challengers;
        if is_multiplicative {
            pipeline.correction = Correction::Multiplicative;
        }
        pipeline.limit = Limit { absolute: limit.0, relative: limit.1, floor: limit.2 };
        pipeline.gate.guards = guards;
        pipeline.gate.confidence = confidence;
        pipeline.gate.units_min = units_min;
        pipeline.gate.change_max = change_max;
        pipeline.publish.every = labels.map_or(Cadence::Time(every), Cadence::Labels);
        pipeline.publish.expires = expires;
        pipeline.publish.serving_delay = serving_delay;
        pipeline.publish.base_every = base_every;
        pipeline.pending_max = pending_max;
        pipeline.late = late;
        pipeline
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn text_and_back_is_the_identity(pipeline in any_pipeline()) {
        let text = pipeline.to_toml();
        let read = RealtimeMlPipeline::from_toml("any", &text);
        let read = read.map_err(|faults| TestCaseError::fail(format!("{faults}\n{text}")))?;
        prop_assert_eq!(&read, &pipeline, "{}", text);
        prop_assert_eq!(read.to_toml(), text);
    }
}

#[test]
fn a_built_pipeline_is_held_to_the_rules_of_a_file() {
    let built = RealtimeMlPipeline::new("eta")
        .question("departures", "trip_id", "eta_minutes")
        .label("arrivals", "trip_id", "actual_minutes")
        .category("carrier")
        .hour_of_week("departed_at", "America/NewYork")
        .guard("p95", 0.5);
    let faults = built.define().expect_err("the zone is none").to_string();
    assert!(faults.contains("eta (built in code):") && faults.contains("did you mean"), "{faults}");
    assert!(RealtimeMlPipeline::new("Eta").define().is_err());
    assert!(kinds().iter().any(|kind| kind.name == built.learner.kind()));
}
