//! What is decided outside: promotions, rollbacks and retrains, obeyed at their place.

use crate::stream::*;
use std::collections::BTreeMap;
use trueup_event::{Control, EventTime, RowOrder};
use trueup_learner::artifact::{Artifact, Form};
use trueup_learner::effect::{Candidate, Effect, Sink};
use trueup_learner::engine::{Engine, InputError, Wants};
use trueup_learner::features::Value;
use trueup_learner::gate::{Refusal, Verdict};
use trueup_learner::model::{Model, Scratch};
use trueup_learner::orders::{Order, Stored};

/// Keeps every candidate, as a registry does.
#[derive(Default)]
struct Kept {
    told: Told,
    versions: BTreeMap<u64, (Candidate, Artifact)>,
}

impl Sink for Kept {
    fn take(&mut self, effect: Effect<'_>) {
        if let Effect::Candidate(candidate, artifact) = &effect {
            let kept = ((*candidate).clone(), (*artifact).clone());
            self.versions.insert(candidate.version, kept);
        }
        self.told.take(effect);
    }
}

impl Kept {
    /// A version with what its artifacts are against.
    fn stored(&self, version: u64) -> Stored {
        let (mut serving, mut training) = (Vec::new(), Vec::new());
        let mut at = Some(version);
        while let Some(number) = at {
            let (candidate, artifact) = &self.versions[&number];
            serving.insert(0, (candidate.form, artifact.serving.clone()));
            training.insert(0, (candidate.form, artifact.training.clone()));
            at = candidate.parent.map(|parent| parent.version);
        }
        assert_eq!(serving[0].0, Form::Base);
        let candidate = &self.versions[&version].0;
        Stored {
            lineage: candidate.lineage,
            number: version,
            trained_until: candidate.trained_until.unwrap_or(EventTime::MIN),
            serving,
            training,
        }
    }
}

/// Runs the world from where the engine is, obeying orders; a restored engine is given all again.
fn go_on(
    engine: &mut Engine,
    world: &(Vec<Question>, Vec<Label>),
    orders: &[Order],
    rows: usize,
) -> Kept {
    let mut kept = Kept::default();
    let merged = engine.merged();
    for order in orders.iter().filter(|order| order.position >= merged) {
        engine.control(order.clone(), &mut kept).unwrap();
    }
    let batches = [
        question_batches(&world.0, rows, RowOrder::Time),
        label_batches(&world.1, rows, RowOrder::Time),
    ];
    drive_into(engine, &batches, &mut kept);
    kept
}

fn drive_into(engine: &mut Engine, batches: &[Vec<trueup_event::EventBatch>; 2], kept: &mut Kept) {
    let mut next = [0, 0];
    while let Wants::Batch(index) = engine.run(kept) {
        match batches[index].get(next[index]) {
            Some(batch) => engine.offer(batch, kept).unwrap(),
            None => engine.end(index),
        }
        next[index] += 1;
    }
}

fn order(position: u64, control: Control, stored: Option<Stored>) -> Order {
    Order { position, control, stored }
}

fn admitted(kept: &Kept) -> u64 {
    let admitted = |(_, (candidate, _)): &(&u64, &(Candidate, Artifact))| {
        matches!(candidate.verdict, Verdict::Admitted { .. })
    };
    *kept.versions.iter().find(admitted).unwrap().0
}

#[test]
fn a_rolled_back_version_answers_until_a_promotion() {
    let world = world(71, 6_000);
    let first = go_on(&mut engine(&spec()), &world, &[], 500);
    let version = admitted(&first) + 3;
    let stored = first.stored(version);
    let newest = first.versions.keys().rev().nth(6).copied().unwrap();
    let orders = [
        order(6_000, Control::Rollback { version: 9 }, Some(stored.clone())),
        order(9_000, Control::Promote { version: 12 }, Some(first.stored(newest))),
    ];
    let second = go_on(&mut engine(&spec()), &world, &orders, 500);
    let held: Vec<_> = second.told.learned.iter().filter(|row| row.4 == version).collect();
    assert!(held.len() > 1_000, "{}", held.len());
    let refused = |candidate: &Candidate| candidate.verdict == Verdict::Refused(Refusal::Held);
    let refused: Vec<_> = second.versions.values().filter(|(c, _)| refused(c)).collect();
    assert!(refused.len() > 30, "{}", refused.len());
    let last = second.told.learned.last().unwrap();
    assert!(last.4 > newest, "automatic versions serve again after a promotion: {last:?}");

    // What answered is the stored version, bit for bit as a request would have it.
    let mut model = Model::new(spec(), stored.lineage).unwrap();
    for (form, bytes) in &stored.serving {
        model.apply(*form, bytes).unwrap();
    }
    let mut scratch = Scratch::default();
    for row in held {
        let asked =
            world.0.iter().find(|question| question.time == row.0 && key(question) == row.1);
        let asked = asked.unwrap();
        let lookup = |column: &str| match column {
            "city" => Some(Value::Text(asked.city)),
            "kind" => Some(Value::Text(asked.kind)),
            "distance" => Some(Value::Number(asked.distance)),
            _ => None,
        };
        let time = EventTime::from_micros(asked.time);
        let answer = model.correct(time, asked.estimate, &lookup, &mut scratch).unwrap();
        assert_eq!(answer.to_bits(), row.3.to_bits());
    }
}

fn key(question: &Question) -> u64 {
    trueup_event::Key::of_integer(question.key).words()[0]
}

#[test]
fn orders_have_their_place_whatever_the_batches_and_restarts() {
    let world = world(72, 3_000);
    let first = go_on(&mut engine(&spec()), &world, &[], 500);
    let stored = |version: u64| Some(first.stored(version));
    let version = admitted(&first);
    let orders = [
        order(2_500, Control::Retrain { from: 2 }, stored(version)),
        order(2_500, Control::Rollback { version: 1 }, None),
        order(4_001, Control::Promote { version: 2 }, stored(version + 1)),
        order(5_000, Control::Retrain { from: 0 }, None),
    ];
    let mut whole = engine(&spec());
    let told = go_on(&mut whole, &world, &orders, 500);
    assert_ne!(told.told.digests, first.told.digests);
    for rows in [1, 37, 4_096] {
        let mut other = engine(&spec());
        assert_eq!(go_on(&mut other, &world, &orders, rows).told, told.told);
        assert_eq!(other.digest(), whole.digest());
    }
    for stop in [0, 100, 2_499, 2_500, 2_501, 4_001, 5_000] {
        let mut broken = engine(&spec());
        let mut kept = Kept::default();
        let batches = [
            question_batches(&world.0, 100, RowOrder::Time),
            label_batches(&world.1, 100, RowOrder::Time),
        ];
        let mut next = [0, 0];
        for order in orders.iter().filter(|order| order.position < stop) {
            broken.control(order.clone(), &mut kept).unwrap();
        }
        while broken.merged() < stop {
            if let Some(Wants::Batch(index)) = broken.run_one(&mut kept) {
                broken.offer(&batches[index][next[index]], &mut kept).unwrap();
                next[index] += 1;
            }
        }
        let saved = broken.save();
        let features = trueup_learner::features::FeatureSet::new(spec().features).unwrap();
        let mut restored = Engine::restore(spec(), features, &PARTITIONS, &saved).unwrap();
        let rest = go_on(&mut restored, &world, &orders, 64);
        assert_eq!(restored.digest(), whole.digest(), "stopped at {stop}");
        let all: Vec<_> = kept.versions.values().chain(rest.versions.values()).collect();
        assert!(all.into_iter().eq(told.versions.values()), "stopped at {stop}");
    }
}

#[test]
fn a_learner_goes_on_from_a_stored_state() {
    let world = world(73, 3_000);
    let first = go_on(&mut engine(&spec()), &world, &[], 500);
    let last = *first.versions.keys().rev().find(|v| first.versions[*v].0.lineage == 0).unwrap();
    let warm = [order(0, Control::Retrain { from: 1 }, Some(first.stored(last)))];
    let error = |kept: &Kept| {
        let learned = kept.told.learned.iter().take(300);
        let truth = |row: &(i64, u64, f64, f64, u64)| {
            let asked = world.0.iter().find(|q| key(q) == row.1).unwrap();
            let label = world.1.iter().find(|label| label.key == asked.key).unwrap();
            (label.value - row.2).abs()
        };
        learned.map(truth).sum::<f64>() / 300.0
    };
    let warm = go_on(&mut engine(&spec()), &world, &warm, 500);
    assert!(error(&warm) < 0.75 * error(&first), "{} {}", error(&warm), error(&first));
    assert!(admitted(&warm) > 3, "a warm start proves itself before it serves");
}

#[test]
fn orders_that_cannot_be_obeyed_are_refused() {
    let world = world(74, 1_000);
    let mut engine = engine(&spec());
    let kept = go_on(&mut engine, &world, &[], 500);
    let merged = engine.merged();
    let mut sink = Kept::default();
    let passed = engine.control(order(merged - 1, Control::Drain, None), &mut sink);
    assert!(matches!(passed, Err(InputError::Passed { .. })), "{passed:?}");
    let mut stored = kept.stored(1);
    stored.lineage = 1;
    let promote = Control::Promote { version: 1 };
    let other = engine.control(order(merged, promote.clone(), Some(stored.clone())), &mut sink);
    assert!(matches!(other, Err(InputError::Version(_))), "{other:?}");
    stored.lineage = 3;
    let none = engine.control(order(merged, promote, Some(stored)), &mut sink);
    assert!(matches!(none, Err(InputError::Lineage { .. })), "{none:?}");
}
