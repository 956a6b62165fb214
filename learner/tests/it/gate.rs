//! The gate admits what is better and, in the long run, not what is merely different.

use crate::stream::Random;
use trueup_event::Duration;
use trueup_learner::gate::{Gate, Refusal, Scores, Verdict};
use trueup_learner::spec::{GateSpec, Guard};

fn spec() -> GateSpec {
    GateSpec {
        confidence: 0.95,
        independent: None,
        units_min: 200,
        guards: Vec::new(),
        change_max: 3.0,
    }
}

/// Noise with the tails of Student's t with five degrees of freedom.
fn heavy(random: &mut Random) -> f64 {
    let square: f64 = (0..5).map(|_| random.normal()).map(|z| z * z).sum();
    random.normal() / (square / 5.0).sqrt()
}

fn score(gate: &mut Gate, primary: f64, own: f64) {
    gate.score(
        &Scores { primary, served: primary, served_by: None, lineages: &[own], changes: &[0.0] },
        &[],
    );
    gate.vote(None, trueup_event::EventTime::MIN);
}

#[test]
fn two_equal_models_are_told_apart_in_no_more_than_the_stated_share_of_streams() {
    let mut random = Random(41);
    let mut admitted = 0;
    for _ in 0..2_000 {
        let mut gate = Gate::new(&spec(), 1, &[], Duration::from_hours(1));
        for unit in 1..=2_000 {
            let (a, b) = (heavy(&mut random), heavy(&mut random));
            score(&mut gate, a, b);
            // It looks after every hundred units: the bound must hold for all looks together.
            if unit % 100 == 0 && matches!(gate.judge(0, true, true), Verdict::Admitted { .. }) {
                admitted += 1;
                break;
            }
        }
    }
    assert!(admitted <= 100, "{admitted} of 2,000 streams without a difference were admitted");
}

#[test]
fn a_better_lineage_is_admitted_and_a_worse_one_never() {
    let mut random = Random(42);
    let mut better = Gate::new(&spec(), 1, &[], Duration::from_hours(1));
    let mut worse = Gate::new(&spec(), 1, &[], Duration::from_hours(1));
    let mut admitted_after = None;
    for unit in 1..=5_000 {
        let (a, b) = (2.0 * random.normal(), 1.5 * random.normal());
        score(&mut better, a, b);
        score(&mut worse, b, a);
        let verdict = better.judge(0, true, true);
        match verdict {
            Verdict::Admitted { units, .. } if admitted_after.is_none() => {
                admitted_after = Some(units)
            }
            Verdict::Refused(Refusal::TooLittleEvidence { .. }) => assert!(unit < 200),
            _ => {}
        }
        assert!(matches!(worse.judge(0, true, true), Verdict::Refused(_)));
    }
    assert!(admitted_after.is_some_and(|units| units < 3_000), "{admitted_after:?}");
    assert_eq!(better.judge(0, false, true), Verdict::Refused(Refusal::NotFinite));
}

#[test]
fn a_guarded_segment_that_gets_worse_is_named() {
    let mut spec = spec();
    spec.guards.push(Guard {
        metric: "mae".into(),
        worse_by: 0.2,
        per: Some("city".into()),
        questions_min: 100,
    });
    let mut gate = Gate::new(&spec, 1, &["city".to_owned()], Duration::from_hours(1));
    let mut random = Random(43);
    for unit in 0..3_000 {
        let hurt = unit % 10 == 0;
        let primary = 3.0 * random.normal();
        let own = if hurt { 2.0 * primary } else { 0.3 * primary };
        gate.score(
            &Scores {
                primary,
                served: primary,
                served_by: None,
                lineages: &[own],
                changes: &[0.0],
            },
            &[if hurt { 7 } else { 8 }],
        );
        gate.vote(None, trueup_event::EventTime::MIN);
    }
    match gate.judge(0, true, true) {
        Verdict::Refused(Refusal::Guard { metric, segment, worse_by, .. }) => {
            assert_eq!((metric.as_str(), segment), ("mae", Some(7)));
            assert!(worse_by > 0.2, "{worse_by}");
        }
        other => panic!("the guard must refuse: {other:?}"),
    }
}

/// Scores one question for two lineages; `champion` answered it, from a stale snapshot.
fn score_two(gate: &mut Gate, primary: f64, served: f64, lineages: [f64; 2]) {
    gate.score(
        &Scores {
            primary,
            served,
            served_by: gate.champion(),
            lineages: &lineages,
            changes: &[0.0, 0.0],
        },
        &[],
    );
    gate.vote(None, trueup_event::EventTime::MIN);
}

#[test]
fn a_challenger_that_equals_the_champion_never_takes_its_place() {
    let mut random = Random(44);
    let mut switches = 0;
    for _ in 0..200 {
        let mut gate = Gate::new(&spec(), 2, &[], Duration::from_hours(1));
        for unit in 1..=3_000 {
            let (primary, noise) = (4.0 * random.normal(), random.normal());
            // What is served is older, and so a little worse, than both learners as they are.
            let twin = noise + 0.5 * random.normal();
            score_two(&mut gate, primary, 1.5 * noise, [noise + 0.5 * random.normal(), twin]);
            if unit % 100 == 0 {
                for lineage in [0, 1] {
                    if matches!(gate.judge(lineage, true, true), Verdict::Admitted { .. }) {
                        switches += usize::from(gate.champion().is_some());
                        gate.promote(lineage);
                    }
                }
            }
        }
    }
    assert!(switches <= 10, "{switches} of 200 champions were replaced by their equals");
}

#[test]
fn a_better_challenger_takes_the_place_of_the_champion() {
    let mut random = Random(45);
    let mut gate = Gate::new(&spec(), 2, &[], Duration::from_hours(1));
    for unit in 1..=6_000 {
        let noise = random.normal();
        score_two(&mut gate, 4.0 * noise, 2.0 * noise, [2.0 * noise, noise]);
        if unit == 400 {
            assert!(matches!(gate.judge(0, true, true), Verdict::Admitted { .. }));
            gate.promote(0);
        }
    }
    assert!(matches!(gate.judge(1, true, true), Verdict::Admitted { .. }));
}

#[test]
fn evidence_that_is_not_a_number_admits_nothing() {
    let mut random = Random(46);
    let mut gate = Gate::new(&spec(), 1, &[], Duration::from_hours(1));
    for unit in 0..2_000 {
        let own = if unit == 1_000 { f64::NAN } else { 0.1 * random.normal() };
        score(&mut gate, random.normal(), own);
    }
    assert!(matches!(gate.judge(0, true, true), Verdict::Refused(_)));
}
