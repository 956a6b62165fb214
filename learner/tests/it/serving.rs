//! What was served: versions in their time, expiry, and answers that were really given.

use crate::stream::*;
use trueup_event::Duration;
use trueup_learner::spec::{Cadence, Promote};

#[test]
fn served_answers_follow_the_learner_from_admission_on() {
    let (questions, labels) = world(31, 6_000);
    let (engine, told) = run(&spec(), &questions, &labels);
    let (admitted, _) = told.admitted[0];
    for (asked, _, _, served, version) in &told.learned {
        if *asked <= admitted {
            assert_eq!(*version, 0, "nothing serves before it is admitted");
        }
        assert!(served.is_finite());
    }
    let after: Vec<_> = told.learned.iter().filter(|row| row.0 > admitted + 10 * MINUTE).collect();
    assert!(after.len() > 3_000 && after.iter().all(|row| row.4 > 0));
    let (count, [primary, corrected, served]) = engine.step().scores().since_admission;
    assert!(count > 3_000);
    assert!(served < 0.6 * primary, "served {served}, primary {primary}");
    assert!((served / corrected - 1.0).abs() < 0.05, "served {served}, corrected {corrected}");
}

#[test]
fn a_silent_learner_expires_to_the_primary_estimate() {
    let (questions, mut labels) = world(32, 6_000);
    let silence = questions[4_000].time;
    labels.retain(|label| label.time < silence);
    let (_, told) = run(&spec(), &questions, &labels);
    assert!(!told.admitted.is_empty());
    // Only questions that were labelled are told of; ask for the last of them.
    let mut engine = engine(&spec());
    let mut heard = Pending::default();
    let questions = question_batches(&questions, 500, trueup_event::RowOrder::Time);
    let labels = label_batches(&labels, 500, trueup_event::RowOrder::Time);
    let mut told = Told::default();
    drive(&mut engine, [&questions, &labels], &mut told);
    engine.tell_pending(&mut heard);
    let beyond = silence + Duration::from_hours(6).micros();
    let late: Vec<_> = heard.0.iter().filter(|(asked, ..)| *asked > beyond).collect();
    assert!(late.len() > 50);
    assert!(late.iter().all(|(_, estimate, served, version)| served == estimate && *version == 0));
}

#[derive(Debug, Default)]
struct Pending(Vec<(i64, f64, f64, u64)>);

impl trueup_learner::effect::Sink for Pending {
    fn take(&mut self, effect: trueup_learner::effect::Effect<'_>) {
        if let trueup_learner::effect::Effect::Outcome(o) = effect {
            self.0.push((o.time().micros(), o.estimate(), o.served(), o.version()));
        }
    }
}

#[test]
fn shadow_is_scored_and_never_served() {
    let (questions, labels) = world(33, 3_000);
    let mut spec = spec();
    spec.publish.promote = Promote::Shadow;
    let (engine, told) = run(&spec, &questions, &labels);
    assert!(told.admitted.is_empty() && told.learned.iter().all(|row| row.4 == 0));
    let scores = engine.step().scores();
    assert!(scores.lineages[0].mae().unwrap() < 0.7 * scores.primary.mae().unwrap());
    assert_eq!(scores.served.mae(), scores.primary.mae());
}

#[test]
fn versions_can_be_made_by_matured_labels() {
    let (questions, labels) = world(34, 2_000);
    let mut spec = spec();
    spec.publish.every = Cadence::Labels(100);
    let (engine, told) = run(&spec, &questions, &labels);
    let points = engine.labels().learned / 100;
    assert_eq!(told.digests.len() as u64, points * spec.learners.len() as u64);
}
