//! Nothing is known before its time: other labels after a moment change no answer before it.

use crate::support::Project;
use crate::support::rows::{self, Random};
use std::collections::BTreeMap;

const TO: &str = "2013-01-22";
const HOUR: i64 = 3_600_000_000;
/// 2013-01-01T00:00:00Z.
const START: i64 = 1_356_998_400_000_000;

/// What was answered, bit by bit, by when it was asked and by trip.
type Answers = BTreeMap<(i64, String), [u64; 3]>;

fn answers(project: &Project) -> Answers {
    project.run(&format!("backtest flight_eta --to {TO} --predictions answers.parquet")).ok();
    let rows = rows::read(&project.path("answers.parquet"));
    let places = rows::integers(&rows, "asked_at").into_iter().zip(rows::texts(&rows, "key"));
    let learner = rows::numbers(&rows, "answer").into_iter();
    let served = rows::numbers(&rows, "served_answer");
    let version = rows::integers(&rows, "version");
    let values = learner.zip(served).zip(version);
    let bits = values.map(|((a, b), version)| [a.to_bits(), b.to_bits(), version as u64]);
    let answers: Answers = places.zip(bits).collect();
    assert_eq!(answers.len(), rows.num_rows(), "every flight asks once");
    answers
}

/// Exchanges the outcomes of all labels at or after `moment` with one another.
fn shuffle_outcomes_after(project: &Project, moment: i64) {
    let path = project.path("data/samples/flights/arrivals.parquet");
    let labels = rows::read(&path);
    let times = rows::integers(&labels, "arrived_at");
    let mut values = rows::numbers(&labels, "actual_minutes");
    let later: Vec<usize> = (0..times.len()).filter(|row| times[*row] >= moment).collect();
    let mut outcomes: Vec<f64> = later.iter().map(|row| values[*row]).collect();
    Random(moment as u64).shuffle(&mut outcomes);
    for (row, outcome) in later.into_iter().zip(outcomes) {
        values[row] = outcome;
    }
    rows::write(&path, &rows::with(&labels, "actual_minutes", values), 100_000);
}

#[test]
fn later_labels_change_no_earlier_answer() {
    let before = answers(&Project::flights());
    for hours in [31, 200, 333, 470] {
        let moment = START + hours * HOUR;
        let project = Project::flights();
        shuffle_outcomes_after(&project, moment);
        let after = answers(&project);
        assert!(before.keys().eq(after.keys()), "the same questions are asked");
        let (mut same, mut other) = (0, 0);
        for ((place, was), is) in before.iter().zip(after.values()) {
            if place.0 < moment {
                assert_eq!(was, is, "asked at {place:?}, labels differ from {moment} on");
                same += 1;
            } else if was != is {
                other += 1;
            }
        }
        assert!(same > 500 && other > 500, "{same} before {moment} and {other} changed after");
    }
}
