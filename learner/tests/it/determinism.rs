//! Same inputs, same bits: batch sizes, ties, disorder, and restarts anywhere.

use crate::stream::*;
use trueup_event::{DeadLetter, EventBatch, Origin, Place, Reason, RowOrder};
use trueup_learner::checkpoint::RestoreError;
use trueup_learner::engine::{Engine, Wants};
use trueup_learner::features::FeatureSet;

#[test]
fn batch_sizes_do_not_matter() {
    let (questions, labels) = world(1, 3_000);
    let mut digests = Vec::new();
    for batch_rows in [1, 7, 64, 1_000, 100_000] {
        let mut engine = engine(&spec());
        let mut told = Told::default();
        let questions = question_batches(&questions, batch_rows, RowOrder::Time);
        let labels = label_batches(&labels, batch_rows, RowOrder::Time);
        drive(&mut engine, [&questions, &labels], &mut told);
        digests.push((engine.digest(), told));
    }
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(digests[0].1.digests.len() > 50, "publish points were passed");
}

#[test]
fn the_order_of_rows_with_equal_times_does_not_matter() {
    let (mut questions, mut labels) = world(2, 3_000);
    let (mut whole, _) = run(&spec(), &questions, &labels);
    let mut random = Random(7);
    random.shuffle(&mut questions);
    random.shuffle(&mut labels);
    questions.sort_by_key(|row| row.time);
    labels.sort_by_key(|row| row.time);
    let (mut shuffled, _) = run(&spec(), &questions, &labels);
    assert_eq!(whole.digest(), shuffled.digest());
}

/// Streams as a message log has them: out of order by up to four minutes, some far too late.
fn disordered() -> (Vec<Question>, Vec<Label>) {
    let (mut questions, mut labels) = world(3, 2_000);
    let mut random = Random(9);
    let mut late = |index: usize, time: i64| {
        let jitter = random.below(4 * MINUTE as u64) as i64;
        time + jitter + if index % 97 == 5 { 30 * MINUTE } else { 0 }
    };
    // Rows that cannot be used, at the ends of the stream too.
    for index in [0, 700, 701, 702, 1_999] {
        let bad = Question { estimate: f64::NAN, ..questions[index].clone() };
        questions.insert(index, bad);
    }
    questions.push(Question { estimate: f64::INFINITY, ..questions[1_999].clone() });
    let mut keyed: Vec<_> =
        questions.drain(..).enumerate().map(|(i, q)| (late(i, q.time), q)).collect();
    keyed.sort_by_key(|(arrival, question)| (*arrival, question.key));
    let questions = keyed.into_iter().map(|(_, question)| question).collect();
    let mut keyed: Vec<_> =
        labels.drain(..).enumerate().map(|(i, l)| (late(i, l.time), l)).collect();
    keyed.sort_by_key(|(arrival, label)| (*arrival, label.key));
    (questions, keyed.into_iter().map(|(_, label)| label).collect())
}

#[test]
fn a_run_killed_and_restored_at_200_random_events_is_the_unbroken_run() {
    let (questions, labels) = disordered();
    let questions = question_batches(&questions, 300, RowOrder::Arrival);
    let labels = label_batches(&labels, 300, RowOrder::Arrival);
    let streams = [questions.as_slice(), labels.as_slice()];
    let mut whole = engine(&spec());
    let mut told = Told::default();
    drive(&mut whole, streams, &mut told);
    assert!(told.dead["late"] > 10, "{:?}", told.dead);
    assert!(!told.admitted.is_empty());
    assert_eq!(told.dead["not_finite"], 6);

    let mut random = Random(11);
    for _ in 0..200 {
        let cut = random.below(4_000);
        let (mut broken, mut heard) = (engine(&spec()), Told::default());
        broken = kill_after(broken, streams, cut, &mut heard);
        drive(&mut broken, streams, &mut heard);
        assert_eq!(broken.digest(), whole.digest(), "cut after {cut} events");
        assert_eq!(heard, told, "cut after {cut} events");
        assert_eq!(broken.questions(), whole.questions());
        assert_eq!(broken.labels(), whole.labels());
        assert_eq!(broken.step().scores(), whole.step().scores());
    }
}

/// Puts two rows without an event behind the events of each batch, as a log of messages does.
fn with_dead_rows(batches: Vec<EventBatch>) -> Vec<EventBatch> {
    let with_dead = |(before, batch): (usize, EventBatch)| {
        let first_offset = batch.first_offset + 2 * before as u64;
        let end = first_offset + batch.len() as u64;
        let (stream, partition) = (batch.stream, batch.partition);
        let dead = (end..end + 2).map(|offset| DeadLetter {
            place: Place { stream, partition, offset },
            origin: Origin::default(),
            time: None,
            reason: Reason::Malformed,
            detail: "time is null".into(),
        });
        EventBatch { first_offset, next_offset: end + 2, dead: dead.collect(), ..batch }
    };
    batches.into_iter().enumerate().map(with_dead).collect()
}

/// The same rows with the last dead row of each batch in a batch of its own.
fn cut_apart(batches: &[EventBatch]) -> Vec<EventBatch> {
    let pair = |batch: &EventBatch| {
        let (mut first, mut last) = (batch.clone(), batch.clone());
        let end = batch.next_offset - 1;
        (first.next_offset, last.first_offset) = (end, end);
        last.dead = first.dead.split_off(1);
        (last.times, last.origins, last.rows) = ([].into(), [].into(), batch.rows.slice(0, 0));
        [first, last]
    };
    batches.iter().flat_map(pair).collect()
}

#[test]
fn a_dead_row_between_events_is_counted_once_however_often_the_run_is_killed() {
    let (questions, labels) = disordered();
    let questions = with_dead_rows(question_batches(&questions, 40, RowOrder::Arrival));
    let labels = with_dead_rows(label_batches(&labels, 60, RowOrder::Arrival));
    let streams = [questions.as_slice(), labels.as_slice()];
    let apart = [cut_apart(&questions), cut_apart(&labels)];
    let (mut whole, mut told) = (engine(&spec()), Told::default());
    drive(&mut whole, streams, &mut told);
    assert_eq!(told.dead["malformed"] as usize, 2 * (questions.len() + labels.len()));
    let mut random = Random(5);
    for _ in 0..40 {
        let cut = random.below(4_000);
        let mut heard = Told::default();
        // The source hands the rows out in other batches when it is read again.
        let before = [apart[0].as_slice(), apart[1].as_slice()];
        let mut broken = kill_after(engine(&spec()), before, cut, &mut heard);
        let from = broken.positions();
        let rest = |index: usize| {
            let passed = streams[index].partition_point(|batch| batch.next_offset <= from[index]);
            &streams[index][passed..]
        };
        drive(&mut broken, [rest(0), rest(1)], &mut heard);
        assert_eq!(heard, told, "cut after {cut} events");
        assert_eq!(broken.digest(), whole.digest(), "cut after {cut} events");
    }
}

/// Runs for `events` events, saves, forgets everything, and restores.
fn kill_after(
    mut engine: Engine,
    streams: [&[trueup_event::EventBatch]; 2],
    events: u64,
    told: &mut Told,
) -> Engine {
    let mut next = [0, 0];
    let mut taken = 0;
    while taken < events {
        match engine.run_one(told) {
            None => taken += 1,
            Some(Wants::Nothing) => break,
            Some(Wants::Batch(index)) => {
                match streams[index].get(next[index]) {
                    Some(batch) => engine.offer(batch, told).unwrap(),
                    None => engine.end(index),
                }
                next[index] += 1;
            }
        }
    }
    let bytes = engine.save();
    let features = FeatureSet::new(spec().features).unwrap();
    Engine::restore(spec(), features, &PARTITIONS, &bytes).unwrap()
}

#[test]
fn a_damaged_or_foreign_checkpoint_is_refused() {
    let (questions, labels) = world(4, 300);
    let (mut engine, _) = run(&spec(), &questions, &labels);
    let bytes = engine.save();
    let restore = |bytes: &[u8], spec: trueup_learner::spec::Spec| {
        let features = FeatureSet::new(spec.features.clone()).unwrap();
        Engine::restore(spec, features, &PARTITIONS, bytes)
    };
    assert_eq!(
        restore(&bytes, spec()).unwrap().save(),
        bytes,
        "save after restore is the identity"
    );
    for cut in (0..bytes.len()).step_by(997) {
        assert!(restore(&bytes[..cut], spec()).is_err(), "cut at {cut}");
        let mut flipped = bytes.clone();
        flipped[cut] ^= 0x10;
        assert!(restore(&flipped, spec()).is_err(), "flipped at {cut}");
    }
    let mut other = spec();
    other.publish.base_every += 1;
    assert!(matches!(restore(&bytes, other), Err(RestoreError::OtherDefinition(_))));
}

#[test]
fn no_answer_depends_on_later_labels() {
    let (questions, labels) = world(5, 3_000);
    let (_, told) = run(&spec(), &questions, &labels);
    let answers = |told: &Told| -> std::collections::BTreeMap<u64, (i64, u64, u64, u64)> {
        let bits = |row: &(i64, u64, f64, f64, u64)| {
            (row.1, (row.0, row.2.to_bits(), row.3.to_bits(), row.4))
        };
        told.learned.iter().map(bits).collect()
    };
    let honest = answers(&told);
    let mut random = Random(13);
    let (first, last) = (questions[0].time, questions[questions.len() - 1].time);
    for _ in 0..50 {
        let cut = first + random.below((last - first) as u64) as i64;
        let mut shuffled = labels.clone();
        let later = shuffled.partition_point(|label| label.time <= cut);
        let mut values: Vec<_> = shuffled[later..].iter().map(|label| label.value).collect();
        random.shuffle(&mut values);
        for (label, value) in shuffled[later..].iter_mut().zip(values) {
            label.value = value * 3.0;
        }
        let (_, told) = run(&spec(), &questions, &shuffled);
        let mut compared = 0;
        for (key, answer) in answers(&told).iter().filter(|(_, answer)| answer.0 <= cut) {
            assert_eq!(
                Some(answer),
                honest.get(key),
                "answer of {key} changed by labels after {cut}"
            );
            compared += 1;
        }
        assert!(compared > 0 || cut - first < 100 * MINUTE);
    }
}
