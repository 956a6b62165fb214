//! What holds for every learner of the table, and known answers of single ones.

mod known;
mod malformed;

use super::*;
use crate::artifact::{self, Artifact, Cells, Form};
use std::collections::VecDeque;
use trueup_event::{Duration, hash};

const OBJECTIVES: [Objective; 3] = [Objective::Median, Objective::Mean, Objective::Quantile(0.8)];

/// A question whose answer comes later.
#[derive(Debug, Clone)]
struct Event {
    time: EventTime,
    categories: [u64; 2],
    numbers: [f64; 2],
    residual: f64,
}

impl Event {
    fn features(&self) -> Features<'_> {
        Features { time: self.time, categories: &self.categories, numbers: &self.numbers }
    }
}

/// A repeatable stream of numbers from 0 to below 1.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 = hash::mix(self.0, 0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Units of the two numbers and of the residual.
type Units = [f64; 3];

/// Segments with effects, a slope on the first number, an idle second number that is sometimes
/// missing, and noise; an event every ten minutes.
fn stream(count: usize, units: Units) -> Vec<Event> {
    let mut draws = Draws(11);
    (0..count)
        .map(|i| {
            let (carrier, hour) = ((6.0 * draws.next()) as u64, (4.0 * draws.next()) as u64);
            let (load, idle) = (10.0 * draws.next(), draws.next());
            let noise = draws.next() + draws.next() + draws.next() - 1.5;
            let effect = [6.0, -4.0, 0.0, 2.0, 9.0, -7.0][carrier as usize] + hour as f64;
            let residual = (effect + 0.8 * (load - 5.0) + 2.0 * noise) * units[2];
            let idle = if draws.next() < 0.05 { f64::NAN } else { idle * units[1] };
            Event {
                time: EventTime::from_micros(1_700_000_000_000_000 + i as i64 * 600_000_000),
                categories: [hash::mix(1, carrier), hash::mix(2, hour)],
                numbers: [load * units[0], idle],
                residual,
            }
        })
        .collect()
}

fn shape(objective: Objective) -> Shape {
    let names = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    Shape { categories: names(["carrier", "hour"]), numbers: names(["load", "idle"]), objective }
}

/// The defaults with tables small enough for a test, and fits often enough.
fn small(kind: &LearnerKind) -> LearnerSpec {
    match (kind.defaults)() {
        LearnerSpec::ElasticNet(params) => LearnerSpec::ElasticNet(elastic_net::ElasticNetParams {
            refit_every: Duration::from_hours(4),
            rows_max: 500,
            buckets: 256,
            ..params
        }),
        LearnerSpec::Linear(params) => {
            LearnerSpec::Linear(linear::LinearParams { bits: 10, ..params })
        }
        LearnerSpec::Rls(params) => {
            LearnerSpec::Rls(rls::RlsParams { segments_max: 256, ..params })
        }
        LearnerSpec::Segment(params) => {
            LearnerSpec::Segment(segment::SegmentParams { segments_max: 256, ..params })
        }
    }
}

/// Every kind for every objective, and the linear learner's other steps.
fn every() -> Vec<(LearnerSpec, Objective)> {
    let adagrad = LearnerSpec::Linear(linear::LinearParams {
        crosses: vec![vec!["carrier".to_owned(), "hour".to_owned()]],
        bits: 10,
        rate: 0.5,
        steps: linear::Steps::Adagrad,
        l2: 1e-4,
        ..linear::LinearParams::default()
    });
    let specs = LEARNERS.iter().map(small).chain([adagrad]);
    specs.flat_map(|spec| OBJECTIVES.map(|objective| (spec.clone(), objective))).collect()
}

fn built(spec: &LearnerSpec, objective: Objective) -> Box<dyn Learner> {
    spec.build(&shape(objective)).expect("valid parameters")
}

/// A learner whose labels come a few questions late.
struct Run {
    learner: Box<dyn Learner>,
    waiting: VecDeque<(Event, Vec<f64>)>,
}

const DELAY: usize = 3;

impl Run {
    fn new(spec: &LearnerSpec, objective: Objective) -> Self {
        Self { learner: built(spec, objective), waiting: VecDeque::new() }
    }

    fn ask(&self, event: &Event) -> (f64, Vec<f64>) {
        let mut inputs = vec![f64::NAN; self.learner.inputs_len()];
        let answer = self.learner.predict_one(&event.features(), &mut inputs);
        assert!(answer.is_finite(), "{answer} for {event:?} of {:?}", self.learner);
        (answer, inputs)
    }

    fn feed(&mut self, event: &Event) -> f64 {
        let (answer, inputs) = self.ask(event);
        self.waiting.push_back((event.clone(), inputs));
        if self.waiting.len() > DELAY {
            let (asked, inputs) = self.waiting.pop_front().expect("some wait");
            self.learner.learn_one(&asked.features(), &inputs, event.time, asked.residual);
        }
        answer
    }

    fn feed_all(&mut self, events: &[Event]) -> Vec<f64> {
        events.iter().map(|event| self.feed(event)).collect()
    }

    /// Everything that a checkpoint holds of the learner.
    fn state(&mut self) -> [Artifact; 2] {
        let learner = self.learner.as_mut();
        let mut unpublished = |part| artifact::encode(learner, part, Cells::Unpublished);
        let [serving, training] = PARTS.map(&mut unpublished);
        [artifact::base(self.learner.as_mut()), Artifact { serving, training }]
    }

    fn publish(&mut self) -> Artifact {
        let (published, artifact) = artifact::publish(self.learner.as_mut());
        assert!(published.all_finite, "{:?}", self.learner);
        artifact
    }

    /// A new learner from [`Run::state`], with the same questions waiting.
    fn restored(&mut self, spec: &LearnerSpec, objective: Objective) -> Self {
        let [base, unpublished] = self.state();
        let mut learner = built(spec, objective);
        apply(learner.as_mut(), Form::Base, &base);
        artifact::settle(learner.as_mut());
        apply(learner.as_mut(), Form::Delta, &unpublished);
        Self { learner, waiting: self.waiting.clone() }
    }

    fn digests(&mut self) -> Vec<[u128; 2]> {
        let mut digests = Vec::new();
        self.learner.tables(&mut |_, _, table| {
            digests.push([table.digest(), table.current_digest()]);
        });
        digests
    }
}

const PARTS: [Use; 2] = [Use::Serving, Use::Training];

/// Applies both parts of our own bytes.
fn apply(learner: &mut dyn Learner, form: Form, artifact: &Artifact) {
    for part in PARTS {
        artifact::apply(learner, part, form, artifact.part(part)).expect("our own bytes");
    }
}

#[test]
fn kinds_are_sorted_and_named_alike() {
    assert!(LEARNERS.is_sorted_by_key(|kind| kind.name));
    for kind in LEARNERS {
        assert_eq!((kind.defaults)().kind(), kind.name);
        assert!(kind.about.len() > 20, "{}", kind.name);
    }
}

#[test]
fn asking_never_teaches() {
    let events = stream(300, [1.0; 3]);
    for (spec, objective) in every() {
        let mut run = Run::new(&spec, objective);
        run.feed_all(&events[..100]);
        run.publish();
        run.feed_all(&events[100..150]);
        let before = run.state();
        let answers: Vec<f64> = events.iter().map(|event| run.ask(event).0).collect();
        assert_eq!(run.state(), before, "{spec:?} {objective:?}");
        let again: Vec<f64> = events.iter().map(|event| run.ask(event).0).collect();
        assert_eq!(answers, again, "{spec:?} {objective:?}");
        assert!(answers.iter().any(|answer| *answer != 0.0), "{spec:?} learned nothing");
    }
}

#[test]
fn same_inputs_same_bytes_and_deltas_add_up_to_the_base() {
    let events = stream(300, [1.0; 3]);
    for (spec, objective) in every() {
        let [mut run, mut twin] = [Run::new(&spec, objective), Run::new(&spec, objective)];
        let mut follower = Run::new(&spec, objective);
        for events in events.chunks(60) {
            run.feed_all(events);
            twin.feed_all(events);
            assert_eq!(run.state(), twin.state(), "{spec:?} {objective:?}");
            let delta = run.publish();
            assert_eq!(twin.publish(), delta, "{spec:?} {objective:?}");
            apply(follower.learner.as_mut(), Form::Delta, &delta);
            follower.publish();
            let [base, unpublished] = run.state();
            assert_eq!(follower.state(), [base.clone(), unpublished], "{spec:?} {objective:?}");
            let mut copy = Run::new(&spec, objective);
            // What the copy learned before must leave no trace.
            copy.feed_all(&events[..20]);
            apply(copy.learner.as_mut(), Form::Base, &base);
            copy.publish();
            assert_eq!(copy.digests(), run.digests(), "{spec:?} {objective:?}");
            assert_eq!(copy.state(), run.state(), "{spec:?} {objective:?}");
            for event in events {
                assert_eq!(copy.ask(event).0.to_bits(), run.ask(event).0.to_bits(), "{spec:?}");
                assert_eq!(follower.ask(event).0.to_bits(), run.ask(event).0.to_bits(), "{spec:?}");
            }
        }
    }
}

#[test]
fn a_learner_restored_anywhere_goes_on_bit_for_bit() {
    let events = stream(90, [1.0; 3]);
    let publish_at = [20, 61];
    for (spec, objective) in every() {
        let go_on = |run: &mut Run, from: usize| {
            let mut bytes = Vec::new();
            for (i, event) in events.iter().enumerate().skip(from) {
                if publish_at.contains(&i) {
                    let artifact = run.publish();
                    bytes.extend(PARTS.into_iter().flat_map(|part| artifact.part(part).to_vec()));
                }
                bytes.extend(run.feed(event).to_bits().to_le_bytes());
            }
            (run.digests(), run.state(), bytes)
        };
        // The one that never stops.
        let (digests, state, bytes) = go_on(&mut Run::new(&spec, objective), 0);
        let mut run = Run::new(&spec, objective);
        for (at, event) in events.iter().enumerate() {
            let mut restored = run.restored(&spec, objective);
            assert_eq!(restored.digests(), run.digests(), "{spec:?} {objective:?} at {at}");
            let found = go_on(&mut restored, at);
            assert_eq!((found.0, found.1), (digests.clone(), state.clone()), "{spec:?} at {at}");
            assert!(bytes.ends_with(&found.2), "{spec:?} {objective:?} at {at}");
            if publish_at.contains(&at) {
                run.publish();
            }
            run.feed(event);
        }
    }
}

#[test]
fn unseen_categories_and_missing_numbers_get_finite_answers() {
    let events = stream(400, [1.0; 3]);
    for (spec, objective) in every() {
        let mut run = Run::new(&spec, objective);
        run.feed_all(&events);
        let known = run.ask(&events[0]).0;
        for i in 0..200 {
            let categories = [hash::mix(77, i), hash::mix(78, i)];
            let numbers = [[f64::NAN, 1e300], [f64::NAN; 2], [-1e300, 0.5], [5.0, 0.5]];
            let event = Event { categories, numbers: numbers[i as usize % 4], ..events[0].clone() };
            assert!(run.ask(&event).0.abs() < 100.0, "{spec:?} {objective:?}");
            run.feed(&event);
        }
        assert!((run.ask(&events[0]).0 - known).abs() < 20.0, "{spec:?} {objective:?}");
        run.publish();
    }
}

/// The mean loss of the answers from `from` on, as a share of that of answering 0.
fn share_of_loss(answers: &[f64], events: &[Event], objective: Objective, from: usize) -> f64 {
    let cost = |error: f64| match objective {
        Objective::Median => error.abs(),
        Objective::Mean => error * error,
        Objective::Quantile(q) => error.abs() * if error > 0.0 { q } else { 1.0 - q },
    };
    let pairs = || answers.iter().zip(events).skip(from);
    let ours: f64 = pairs().map(|(answer, event)| cost(event.residual - answer)).sum();
    let zero: f64 = pairs().map(|(_, event)| cost(event.residual)).sum();
    ours / zero
}

#[test]
fn every_learner_learns_segments_and_slopes() {
    let events = stream(4000, [1.0; 3]);
    for (spec, objective) in every() {
        let answers = Run::new(&spec, objective).feed_all(&events);
        let share = share_of_loss(&answers, &events, objective, 1000);
        let most = match objective {
            Objective::Mean => 0.2,
            Objective::Median | Objective::Quantile(_) => 0.45,
        };
        assert!(share < most, "{spec:?} {objective:?}: {share}");
    }
}

#[test]
fn the_units_of_numbers_do_not_matter_and_those_of_residuals_break_nothing() {
    let plain = stream(1500, [1.0; 3]);
    for (spec, objective) in every() {
        let share = |events: &[Event], objective| {
            let mut run = Run::new(&spec, objective);
            let answers = run.feed_all(events);
            run.publish();
            share_of_loss(&answers, events, objective, 500)
        };
        let expected = share(&plain, objective);
        for units in [[1e9, 1e-9, 1.0], [1e-9, 1e9, 1.0]] {
            let found = share(&stream(1500, units), objective);
            assert!((found - expected).abs() < 0.02, "{spec:?} {objective:?}: {found} {expected}");
        }
        for unit in [1e9, 1e-9] {
            let found = share(&stream(1500, [1.0, 1.0, unit]), objective);
            let most = if objective == Objective::Mean { expected + 0.05 } else { 1.05 };
            assert!(found < most, "{spec:?} {objective:?} in {unit:e}: {found} {expected}");
        }
    }
}

#[test]
fn the_first_answer_is_zero_and_no_answer_leaves_reason() {
    let mut draws = Draws(5);
    for (spec, objective) in every() {
        for unit in [1.0, 1e6, 1e-6] {
            let mut run = Run::new(&spec, objective);
            let events = stream(1000, [1.0; 3]);
            for (i, event) in events.iter().enumerate() {
                let wild = [f64::NAN, 1e300, -1e300, 0.0, 1e9 * draws.next()];
                let numbers = [wild[(5.0 * draws.next()) as usize], wild[i % 5]];
                let categories = [hash::mix(3, (i / 7) as u64), hash::mix(4, i as u64 % 2)];
                let mut event = Event { categories, numbers, ..event.clone() };
                let answer = run.ask(&event).0;
                assert!(i > 0 || answer == 0.0, "{spec:?} {objective:?}: {answer}");
                assert!(answer.abs() <= 20.0 * unit, "{spec:?} {objective:?} at {i}: {answer}");
                // The truth always lies on the other side.
                event.residual = if answer > 0.0 { -unit } else { unit };
                run.feed(&event);
            }
            run.publish();
        }
    }
}

#[test]
fn residuals_near_overflow_leave_the_state_finite() {
    for (spec, objective) in every() {
        let mut run = Run::new(&spec, objective);
        let mut events = stream(600, [1.0; 3]);
        for event in &mut events[100..130] {
            event.residual *= 1e300;
        }
        run.feed_all(&events);
        run.publish();
    }
}
