//! Reports for tests: a typical one, and what goes wrong with it.

use crate::report::{
    ArtifactReport, Comparison, Day, DeadLetterCount, Delay, DriftReport, GateReport, LabelCounts,
    Metrics, NamedMetrics, QuestionCounts, Report, Residuals, RunReport, SegmentReport,
    SegmentValue, SinceAdmission, StreamReport, Sums, VerdictRun,
};
use std::collections::BTreeMap;
use trueup_event::{EventTime, hash};
use trueup_learner::effect::StateDigest;
use trueup_learner::gate::{Refusal, Rival, Verdict};

const MICROS_PER_DAY: i64 = 86_400_000_000;
const FIRST_DAY: i64 = 15_706;

fn time(day: i64, hour: i64) -> String {
    EventTime::from_micros((FIRST_DAY + day) * MICROS_PER_DAY + hour * 3_600_000_000).to_string()
}

fn metrics(mae: f64, bias: f64) -> Metrics {
    Metrics {
        mae: Some(mae),
        bias: Some(bias),
        rmse: Some(mae * 1.25),
        p50: Some(mae * 0.75),
        p90: Some(mae * 2.0),
        p95: Some(mae * 2.5),
        within_5: Some(0.238),
        within_15: Some(0.9999),
    }
}

fn sums(questions: u64, bias: f64) -> Sums {
    let count = questions as f64;
    Sums {
        questions,
        absolute: [14.5, 12.0, 12.25].map(|mae| mae * count),
        signed: [-bias, bias / 8.0, bias / 4.0].map(|mean| mean * count),
    }
}

fn stream(event: &str, fed: u64) -> StreamReport {
    StreamReport {
        event: event.to_owned(),
        location: format!("data/{event}.parquet"),
        fed,
        first: Some(time(0, 10)),
        last: Some(time(39, 5)),
        not_yet: 0,
    }
}

fn verdicts(version: u64, day: i64, count: u64, verdict: Verdict) -> VerdictRun {
    let until = time(day + i64::try_from(count).expect("small") / 24, 0);
    VerdictRun { lineage: 0, version, from: time(day, 0), until, count, verdict }
}

fn gate() -> GateReport {
    let not_better = Refusal::NotBetter { rival: Rival::NoCorrection, improvement_lower: -0.25 };
    let guard = Refusal::Guard {
        metric: "p95".to_owned(),
        segment: Some(hash::of_text("JFK")),
        rival: Rival::Champion,
        worse_by: 0.8125,
    };
    GateReport {
        candidates: 900,
        idle: 24,
        admitted: 1,
        refreshed: 839,
        unchanged: 0,
        refused: BTreeMap::from([("guard".to_owned(), 20), ("not_better".to_owned(), 40)]),
        units: 12_000,
        improvement: Some([2.5625, 2.0, 3.125]),
        timeline: vec![
            verdicts(1, 0, 40, Verdict::Refused(not_better)),
            verdicts(41, 2, 1, Verdict::Admitted { units: 900, improvement_lower: 0.375 }),
            verdicts(42, 3, 839, Verdict::Refreshed),
            verdicts(881, 38, 20, Verdict::Refused(guard)),
        ],
    }
}

fn segment() -> SegmentReport {
    let value = |(value, bias): (&str, f64)| SegmentValue {
        value: value.to_owned(),
        sums: sums(4_000, bias),
    };
    SegmentReport {
        feature: "origin".to_owned(),
        distinct: 9,
        values: [("JFK", 5.5), ("EWR", -2.0), ("LGA", 0.0)].map(value).to_vec(),
    }
}

fn counts() -> QuestionCounts {
    QuestionCounts {
        fed: 12_345,
        learned: 12_000,
        pending: 45,
        expired: 300,
        evicted: 0,
        quarantined: 0,
        late: 0,
    }
}

fn labels() -> LabelCounts {
    LabelCounts {
        fed: 12_100,
        joined: 12_000,
        waiting: 0,
        orphan: 88,
        expired: 0,
        evicted: 0,
        quarantined: 12,
        late: 0,
    }
}

/// Forty days of a definition that helps.
pub(crate) fn run() -> RunReport {
    RunReport {
        definition: "flight_eta".to_owned(),
        environment: "local".to_owned(),
        unit: "minutes".to_owned(),
        learner: "stacked".to_owned(),
        objective: "median".to_owned(),
        question_event: stream("departures", 12_345),
        label_event: stream("arrivals", 12_100),
        primary: metrics(14.5, -5.656),
        corrected: metrics(12.0, 0.125),
        as_served: metrics(12.25, 0.25),
        references: Vec::new(),
        challengers: vec![NamedMetrics { name: "linear".to_owned(), metrics: metrics(13.0, 1.0) }],
        since_admission: Some(SinceAdmission {
            admitted_at: time(2, 0),
            days_to_admission: 1.6,
            questions: 11_500,
            primary_mae: 14.5,
            corrected_mae: 12.0,
            served_mae: 12.12,
        }),
        counts: counts(),
        labels: labels(),
        dead_letters: vec![DeadLetterCount {
            event: "arrivals".to_owned(),
            reason: "not_finite".to_owned(),
            count: 12,
            example: "data/arrivals.parquet, row 7: actual_minutes is NaN".to_owned(),
        }],
        match_share: Some(12_000.0 / 12_100.0),
        label_delay_minutes: Some(Delay { p50: 160.0, p90: 330.0, p99: 407.0 }),
        gate: gate(),
        artifacts: ArtifactReport {
            bases: 9,
            base_bytes: 1_240_000,
            deltas: 891,
            delta_bytes: 6_100_000,
        },
        digest: StateDigest(std::array::from_fn(|index| index as u8 * 7 + 1)),
        events_per_second: 412_345.6,
        elapsed_seconds: 0.06,
        days: (0..40)
            .map(|day| Day {
                day: time(day, 0)[..10].to_owned(),
                sums: sums(300, (day % 9) as f64),
            })
            .collect(),
        segments: vec![segment()],
        residuals: Residuals {
            from: -20.0,
            width: 10.0,
            counts: [
                vec![3_000, 4_000, 3_000, 2_000],
                vec![1_000, 5_000, 5_000, 1_000],
                vec![1_500, 4_500, 4_500, 1_500],
            ],
        },
        drifts: vec![DriftReport {
            at: time(20, 3),
            detector: "adwin".to_owned(),
            before: Some(11.5),
            after: Some(14.25),
        }],
    }
}

/// Nothing came: neither stream had a row.
pub(crate) fn nothing_fed() -> RunReport {
    let mut run = unmatched();
    for stream in [&mut run.question_event, &mut run.label_event] {
        (stream.fed, stream.first, stream.last) = (0, None, None);
    }
    run.label_event.not_yet = 7;
    run.counts = QuestionCounts { fed: 0, pending: 0, ..run.counts };
    run.labels = LabelCounts { fed: 0, orphan: 0, ..run.labels };
    (run.match_share, run.dead_letters) = (None, Vec::new());
    run
}

/// No label found its question.
pub(crate) fn unmatched() -> RunReport {
    let mut run = run();
    (run.primary, run.corrected, run.as_served) = <(Metrics, Metrics, Metrics)>::default();
    run.challengers[0].metrics = Metrics::default();
    run.since_admission = None;
    run.label_delay_minutes = None;
    run.match_share = Some(0.0);
    run.counts = QuestionCounts { learned: 0, pending: 12_345, expired: 0, ..run.counts };
    run.labels = LabelCounts { joined: 0, orphan: 12_088, ..run.labels };
    run.label_event.first = Some(time(50, 0));
    run.label_event.last = Some(time(90, 0));
    run.gate = GateReport {
        candidates: 0,
        idle: 900,
        admitted: 0,
        refreshed: 0,
        refused: BTreeMap::new(),
        units: 0,
        improvement: None,
        timeline: Vec::new(),
        ..run.gate
    };
    run.artifacts = ArtifactReport::default();
    (run.days, run.segments, run.drifts) = (Vec::new(), Vec::new(), Vec::new());
    run.residuals = Residuals::default();
    run
}

/// It learned, and was never proved better.
pub(crate) fn never_admitted() -> RunReport {
    let mut run = run();
    run.as_served = run.primary.clone();
    run.since_admission = None;
    run.gate.timeline.truncate(1);
    run.gate = GateReport {
        candidates: 40,
        admitted: 0,
        refreshed: 0,
        refused: BTreeMap::from([("not_better".to_owned(), 40)]),
        improvement: Some([0.125, -0.25, 0.5]),
        ..run.gate
    };
    run
}

/// Two definitions, the second worse.
pub(crate) fn pair() -> Report {
    let second = RunReport {
        definition: "flight_eta_mean".to_owned(),
        objective: "mean".to_owned(),
        ..run()
    };
    let comparison = Comparison {
        baseline: "flight_eta".to_owned(),
        definition: "flight_eta_mean".to_owned(),
        units: 12_000,
        difference: Some(-0.23),
        bounds: Some([-0.26, -0.2]),
        verdict: "worse".to_owned(),
    };
    Report { runs: vec![run(), second], comparisons: vec![comparison] }
}
