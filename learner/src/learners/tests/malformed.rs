//! Bytes that are no artifact are refused or applied, and never end the process.

use super::*;

/// Applies `bytes` to `learner` and uses whatever it then is.
fn survives(learner: &mut dyn Learner, form: Form, bytes: &[u8], event: &Event) -> bool {
    let is_applied = artifact::apply(learner, Use::Serving, form, bytes).is_ok();
    let mut inputs = vec![0.0; learner.inputs_len()];
    learner.predict_one(&event.features(), &mut inputs);
    for _ in 0..2 {
        learner.learn_one(&event.features(), &inputs, event.time, event.residual);
    }
    is_applied
}

/// The serving base of a learner that has learned.
fn serving(kind: &LearnerKind, events: &[Event]) -> Vec<u8> {
    let mut run = Run::new(&small(kind), Objective::Median);
    run.feed_all(events);
    run.publish();
    run.state()[0].serving.clone()
}

#[test]
fn truncations_and_flips_are_survived() {
    let events = stream(40, [1.0; 3]);
    for kind in LEARNERS {
        let base = serving(kind, &events);
        let mut learner = built(&small(kind), Objective::Median);
        for len in 0..base.len() {
            let is_applied = survives(learner.as_mut(), Form::Base, &base[..len], &events[0]);
            assert!(!is_applied, "{} cut at {len}", kind.name);
        }
        let longer = [base.as_slice(), &[0]].concat();
        assert!(!survives(learner.as_mut(), Form::Base, &longer, &events[0]), "{}", kind.name);
        for at in 0..base.len() {
            for flip in [0x01, 0x80, 0xFF] {
                let mut bytes = base.clone();
                bytes[at] ^= flip;
                survives(learner.as_mut(), Form::Base, &bytes, &events[at % 40]);
            }
        }
    }
}

#[test]
fn random_cells_are_survived() {
    let events = stream(40, [1.0; 3]);
    let mut draws = Draws(23);
    for kind in LEARNERS {
        let base = serving(kind, &events);
        let header = 8 + u64::from_le_bytes(*base.first_chunk().expect("a header")) as usize;
        let mut learner = built(&small(kind), Objective::Mean);
        for _ in 0..2_000 {
            // A true header, so that what follows is read at all.
            let mut bytes = base.clone();
            for byte in &mut bytes[header..] {
                *byte = (256.0 * draws.next()) as u8 >> (8.0 * draws.next()) as u32;
            }
            survives(learner.as_mut(), Form::Delta, &bytes, &events[0]);
        }
    }
}

#[test]
fn an_artifact_of_another_learner_or_part_is_named() {
    let artifact = Run::new(&small(&linear::KIND), Objective::Mean).publish();
    let mut learner = built(&small(&segment::KIND), Objective::Mean);
    let mut refused = |part, bytes: &[u8]| {
        let error = artifact::apply(learner.as_mut(), part, Form::Base, bytes);
        error.expect_err("not its bytes").to_string()
    };
    assert_eq!(
        refused(Use::Serving, &artifact.serving),
        "artifact holds `dense.index` where table `segments.index` belongs: it is of another \
         learner"
    );
    let own = Run::new(&small(&segment::KIND), Objective::Mean).publish();
    refused(Use::Training, &own.serving);
}
