//! Nothing is lost: every event ends in exactly one count, whatever comes.

use crate::stream::*;
use trueup_event::RowOrder;
use trueup_learner::engine::Engine;
use trueup_learner::spec::{LabelValue, Late, Side, Spec};

/// Runs streams in order of arrival; [`drive`] checks that both counts add up.
fn arrive(spec: &Spec, questions: &[Question], labels: &[Label]) -> (Engine, Told) {
    let mut engine = engine(spec);
    let mut told = Told::default();
    let questions = question_batches(questions, 100, RowOrder::Arrival);
    let labels = label_batches(labels, 100, RowOrder::Arrival);
    drive(&mut engine, [&questions, &labels], &mut told);
    (engine, told)
}

fn question(minute: i64, key: i64) -> Question {
    Question {
        time: minute * MINUTE,
        key,
        id: 0,
        estimate: 10.0,
        city: "rome",
        kind: "ride",
        distance: 2.0,
    }
}

fn label(minute: i64, key: i64) -> Label {
    Label { time: minute * MINUTE, key, value: 12.0 }
}

#[test]
fn every_fate_of_questions_and_labels_is_counted() {
    let questions = [
        question(0, 1), // learned
        question(0, 1), // duplicate
        question(1, 2), // expired: its label comes after two hours
        question(2, 3), // learned at once: its label was there before
        Question { estimate: f64::NAN, ..question(3, 4) },
        question(100, 5),                                // pending at the end
        question(80, 6),                                 // late
        Question { estimate: 99.0, ..question(100, 5) }, // conflict
        question(300, 7),
    ];
    let labels = [
        label(2, 3),
        label(20, 1),
        label(21, 1), // conflict: another time
        label(22, 9), // orphan
        Label { value: f64::INFINITY, ..label(23, 10) },
        label(124, 2), // expired: its question is still remembered
        label(290, 2), // orphan in time: nobody remembers the question
    ];
    let (engine, told) = arrive(&spec(), &questions, &labels);
    let (asked, labelled) = (engine.questions(), engine.labels());
    assert_eq!((asked.fed, asked.learned, asked.expired, asked.late), (9, 2, 2, 1), "{asked:?}");
    assert_eq!((asked.quarantined, asked.pending, asked.evicted), (3, 1, 0), "{asked:?}");
    assert_eq!((labelled.fed, labelled.learned, labelled.orphan), (7, 2, 1), "{labelled:?}");
    assert_eq!((labelled.quarantined, labelled.expired), (2, 1), "{labelled:?}");
    assert_eq!(labelled.pending, 1, "{labelled:?}");
    let dead: Vec<_> = told.dead.iter().map(|(reason, count)| (*reason, *count)).collect();
    let expected = [
        ("conflict", 2),
        ("duplicate", 1),
        ("expired", 1),
        ("late", 1),
        ("not_finite", 2),
        ("orphan", 1),
    ];
    assert_eq!(dead, expected);
}

#[test]
fn late_events_are_taken_when_the_definition_says_so() {
    let questions = [question(0, 1), question(100, 2), question(80, 3), question(200, 4)];
    let labels = [label(110, 3), label(120, 2)];
    let (dropped, _) = arrive(&spec(), &questions, &labels);
    assert_eq!((dropped.questions().late, dropped.questions().learned), (1, 1));
    let (applied, _) = arrive(&Spec { late: Late::Apply, ..spec() }, &questions, &labels);
    assert_eq!((applied.questions().late, applied.questions().learned), (0, 2));
    assert_eq!(applied.late_applied(), 1);
}

#[test]
fn refreshed_estimates_share_one_label() {
    let mut spec = spec();
    spec.question.id = Some("id".into());
    let refresh = |minute, id| Question { id, ..question(minute, 1) };
    let questions = [refresh(0, 1), refresh(5, 2), refresh(5, 3), refresh(9, 2), question(60, 8)];
    let (engine, told) = arrive(&spec, &questions, &[label(20, 1)]);
    assert_eq!(engine.questions().learned, 3, "three of one key; the repeated id is not a fourth");
    assert_eq!(told.dead["conflict"], 1);
    assert_eq!(engine.labels().learned, 1);
    assert_eq!(engine.step().gate().evidence(0).0, 1, "one vote per key, not per row");
}

#[test]
fn the_cap_on_memory_evicts_the_oldest_and_says_so() {
    let spec = Spec { pending_max: 100, ..spec() };
    let questions: Vec<_> = (0..1_000).map(|i| question(i / 50, i)).collect();
    let labels: Vec<_> = (0..1_000).map(|i| label(21 + i / 200, i)).collect();
    let (engine, told) = arrive(&spec, &questions, &labels);
    let asked = engine.questions();
    assert!(asked.evicted >= 800 && asked.learned <= 150, "{asked:?}");
    assert_eq!(told.evicted, asked.evicted);
    let labelled = engine.labels();
    assert_eq!(labelled.learned, asked.learned);
    assert!(labelled.evicted > 0, "{labelled:?}");
}

#[test]
fn a_label_can_be_the_time_since_the_question() {
    let mut spec = spec();
    spec.label.value = LabelValue::Elapsed {
        from: "asked_at".into(),
        from_event: Side::Question,
        until: "arrived_at".into(),
        unit_micros: MINUTE,
    };
    let with_time = |batches: Vec<trueup_event::EventBatch>, name: &str| {
        let mut with = Vec::new();
        for batch in batches {
            let times = arrow::array::TimestampMicrosecondArray::from_iter_values(
                batch.times.iter().copied(),
            );
            let column: arrow::array::ArrayRef = std::sync::Arc::new(times.with_timezone("UTC"));
            let mut columns: Vec<_> = batch
                .rows
                .schema()
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .zip(batch.rows.columns().iter().cloned())
                .collect();
            columns.push((name.to_owned(), column));
            let rows = arrow::record_batch::RecordBatch::try_from_iter(columns).unwrap();
            with.push(trueup_event::EventBatch { rows, ..batch });
        }
        with
    };
    let questions = with_time(
        question_batches(&[question(0, 1), question(60, 2)], 9, RowOrder::Time),
        "asked_at",
    );
    let labels = with_time(label_batches(&[label(17, 1)], 9, RowOrder::Time), "arrived_at");
    let mut engine = engine(&spec);
    drive(&mut engine, [&questions, &labels], &mut Told::default());
    let primary = &engine.step().scores().primary;
    assert_eq!(primary.count(), 1);
    assert!(
        (primary.bias().unwrap() - 7.0).abs() < 1e-9,
        "17 minutes came true, 10 were estimated"
    );
}

#[test]
fn bad_events_leave_no_trace_in_the_state() {
    let (questions, labels) = world(21, 2_000);
    let (mut clean, _) = run(&spec(), &questions, &labels);
    let mut dirty_questions = questions.clone();
    let mut dirty_labels = labels.clone();
    for i in (0..questions.len()).step_by(20) {
        let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][i / 20 % 3];
        dirty_questions.push(Question { estimate: bad, key: -1, ..questions[i].clone() });
        dirty_questions.push(Question { distance: bad, key: -2, ..questions[i].clone() });
        dirty_questions.push(questions[i].clone());
    }
    for i in (0..labels.len()).step_by(20) {
        dirty_labels.push(Label { value: f64::NAN, ..labels[i].clone() });
        dirty_labels.push(labels[i].clone());
    }
    dirty_questions.sort_by_key(|row| row.time);
    dirty_labels.sort_by_key(|row| row.time);
    let (mut dirty, told) = run(&spec(), &dirty_questions, &dirty_labels);
    assert_eq!(dirty.digest(), clean.digest());
    assert_eq!(told.dead["not_finite"], 200 + labels.len().div_ceil(20) as u64);
    assert_eq!(told.dead["duplicate"], 100 + labels.len().div_ceil(20) as u64);
}

#[test]
fn a_question_asked_after_its_label_was_used_waits_for_one_of_its_own() {
    let mut spec = spec();
    spec.question.id = Some("id".into());
    let refresh = |minute, id| Question { id, ..question(minute, 1) };
    // A daily flight number: the same key again, with a label of its own.
    let questions = [refresh(0, 1), refresh(30, 2), refresh(31, 3), question(200, 9)];
    let labels = [label(20, 1), Label { value: 14.0, ..label(50, 1) }, label(52, 1)];
    let (engine, told) = arrive(&spec, &questions, &labels);
    assert_eq!(engine.questions().learned, 3);
    assert_eq!(engine.labels().learned, 2);
    assert_eq!(engine.step().gate().evidence(0).0, 2, "one vote per label");
    assert_eq!(told.dead["conflict"], 1, "a third label has no question left");
    let errors: f64 = engine.step().scores().primary.mae().unwrap();
    assert!((errors - (2.0 + 4.0 + 4.0) / 3.0).abs() < 1e-9);
}

#[test]
fn the_cap_on_waiting_labels_does_not_count_those_that_found_their_question() {
    let spec = Spec { pending_max: 60, ..spec() };
    let mut questions: Vec<_> = (0..60).map(|i| question(i, i)).collect();
    let mut labels: Vec<_> = (0..60).map(|i| label(i + 1, i)).collect();
    labels.push(label(62, 1_000));
    questions.push(question(63, 1_000));
    labels.sort_by_key(|label| label.time);
    let (engine, _) = arrive(&spec, &questions, &labels);
    assert_eq!(engine.labels().evicted, 0);
    assert_eq!(engine.labels().learned, 61);
}

#[test]
fn events_at_the_end_of_time_and_beyond_belief_are_dead_letters() {
    let far = |time| Question { time, ..question(0, 77) };
    let questions =
        [question(0, 1), far(i64::MAX - 1), far(i64::MIN + 1), question(10, 2), question(400, 3)];
    let labels = [label(5, 1), Label { value: 1.7e308, ..label(20, 2) }];
    let (engine, told) = arrive(&spec(), &questions, &labels);
    assert_eq!(told.dead["malformed"], 3);
    assert_eq!(engine.questions().learned, 1);
}

#[test]
fn an_event_too_far_ahead_of_its_record_never_raises_the_watermark() {
    let questions = [question(100_000, 1), question(0, 2), question(10, 3), question(20, 4)];
    let mut batches = question_batches(&questions, 9, RowOrder::Arrival);
    batches[0].record_times = Some([0, 0, 10 * MINUTE, 20 * MINUTE].into());
    let labels = label_batches(&[label(5, 2), label(15, 3)], 9, RowOrder::Arrival);
    let (mut engine, mut told) = (engine(&spec()), Told::default());
    drive(&mut engine, [&batches, &labels], &mut told);
    assert_eq!(told.dead["future"], 1);
    assert_eq!((engine.questions().late, engine.questions().learned), (0, 2));
    assert_eq!(engine.questions().quarantined, 1);
}
