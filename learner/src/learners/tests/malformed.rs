//! Bytes that are no artifact are refused or applied, and never end the process.

use super::*;

/// Applies `bytes` to `learner` and uses whatever it then is.
fn survives(learner: &mut dyn Learner, form: Form, bytes: &[u8], event: &Event) -> bool {
    let is_applied = artifact::apply(learner, form, bytes).is_ok();
    let mut inputs = vec![0.0; learner.inputs_len()];
    learner.predict_one(&event.features(), &mut inputs);
    for _ in 0..2 {
        learner.learn_one(&event.features(), &inputs, event.time, event.residual);
    }
    is_applied
}

#[test]
fn truncations_and_flips_are_survived() {
    let events = stream(40, [1.0; 3]);
    for kind in LEARNERS {
        let spec = small(kind);
        let mut run = Run::new(&spec, Objective::Median);
        run.feed_all(&events);
        run.publish();
        let [base, _] = run.state();
        let mut learner = built(&spec, Objective::Median);
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
fn random_bytes_are_survived() {
    let event = &stream(1, [1.0; 3])[0];
    let mut draws = Draws(23);
    for kind in LEARNERS {
        let mut learner = built(&small(kind), Objective::Mean);
        let mut names = Vec::new();
        learner.tables(&mut |name, _, _| names.push(name));
        for i in 0..10_000 {
            let len = (40.0 * draws.next()) as usize;
            let mut bytes: Vec<u8> = (0..len).map(|_| (256.0 * draws.next()) as u8).collect();
            if i % 2 == 0 {
                // A true beginning, so that what follows is read at all.
                let count = [(4.0 * draws.next()) as u8, 0, 0, 0];
                let name = names[0].as_bytes();
                let head = [&[name.len() as u8], name, count.as_slice(), &bytes];
                bytes = head.concat();
            }
            survives(learner.as_mut(), Form::Delta, &bytes, event);
        }
    }
}

#[test]
fn an_artifact_of_another_learner_is_named() {
    let bytes = Run::new(&small(&linear::KIND), Objective::Mean).publish();
    let mut learner = built(&small(&segment::KIND), Objective::Mean);
    let error = artifact::apply(learner.as_mut(), Form::Base, &bytes).expect_err("not its bytes");
    assert_eq!(
        error.to_string(),
        "artifact holds table `weights` where `segments` belongs: it is of another learner"
    );
}
