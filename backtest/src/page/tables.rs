//! What needs no plot: metrics, what became of every event, what was set aside, what it rests on.

use super::markup::{Align, Table, element, escape, figure, put, wrapped};
use crate::report::{DRIFTS_MAX, DriftReport, Metrics, RunReport, StreamReport};
use crate::wording::{
    NONE, bytes, count, decimals, elapsed, fixed, moment, number, percent, span, words,
};

/// One metric: its name, and its text for some answers at so many decimals.
type Row = (&'static str, fn(&Metrics, usize) -> String);

const ROWS: [Row; 8] = [
    ("mean absolute error", |metrics, places| one(metrics.mae, places)),
    ("bias (actual \u{2212} answer)", |metrics, places| one(metrics.bias, places)),
    ("root mean squared error", |metrics, places| one(metrics.rmse, places)),
    ("median absolute error", |metrics, places| one(metrics.p50, places)),
    ("p90 of absolute errors", |metrics, places| one(metrics.p90, places)),
    ("p95 of absolute errors", |metrics, places| one(metrics.p95, places)),
    ("within 5", |metrics, _| share(metrics.within_5)),
    ("within 15", |metrics, _| share(metrics.within_15)),
];

fn one(value: Option<f64>, places: usize) -> String {
    value.map_or(NONE.to_owned(), |value| fixed(value, places))
}

fn share(value: Option<f64>) -> String {
    value.map_or(NONE.to_owned(), |value| format!("{} %", percent(value)))
}

/// Every metric of every source of answers.
pub(super) fn metrics(run: &RunReport) -> String {
    let mut sources = vec![
        ("primary", &run.primary),
        ("corrected", &run.corrected),
        ("as served", &run.as_served),
    ];
    let named = run.references.iter().chain(&run.challengers);
    sources.extend(named.map(|named| (named.name.as_str(), &named.metrics)));
    let mut columns = vec![(Align::Text, run.unit.as_str())];
    columns.extend(sources.iter().map(|(name, _)| (Align::Number, *name)));
    let mut table = Table::new("", &columns);
    let places = decimals(run.primary.mae.unwrap_or_default());
    for (name, show) in ROWS {
        let mut cells = vec![escape(name)];
        cells.extend(sources.iter().map(|(_, metrics)| figure(&show(metrics, places))));
        table.row(&cells);
    }
    if let Some(since) = &run.since_admission {
        let after = [since.primary_mae, since.corrected_mae, since.served_mae];
        let mut cells = vec![escape("mean absolute error since admission")];
        cells.extend(after.map(|value| figure(&fixed(value, places))));
        cells.resize(columns.len(), NONE.to_owned());
        table.row(&cells);
    }
    let note = "Corrected: the learner as it was when each question was asked. As served: what \
                publishing, gate and serving delay would have let out.";
    format!("{}{}", table.finish(), element("p", "aside", note))
}

/// What came in and what became of it.
pub(super) fn events(run: &RunReport) -> String {
    let mut text = streams([&run.question_event, &run.label_event]);
    if let Some(delay) = run.label_delay_minutes {
        let matched = run.match_share.map_or(NONE.to_owned(), percent);
        let [p50, p90, p99] = [delay.p50, delay.p90, delay.p99].map(span);
        let said = format!(
            "{matched} % of the labels found a question. From question to label: median {p50}, p90 \
             {p90}, p99 {p99}."
        );
        text.push_str(&element("p", "", &said));
    }
    let (questions, labels) = (&run.counts, &run.labels);
    let rows = [
        ("learned; joined", Some(questions.learned), Some(labels.joined)),
        ("pending; waiting", Some(questions.pending), Some(labels.waiting)),
        ("expired", Some(questions.expired), Some(labels.expired)),
        ("orphan", None, Some(labels.orphan)),
        ("evicted", Some(questions.evicted), Some(labels.evicted)),
        ("quarantined", Some(questions.quarantined), Some(labels.quarantined)),
        ("late", Some(questions.late), Some(labels.late)),
        ("fed: the sum", Some(questions.fed), Some(labels.fed)),
    ];
    let columns =
        [(Align::Text, "ended as"), (Align::Number, "questions"), (Align::Number, "labels")];
    let mut table = Table::new("Nothing is lost", &columns);
    for (name, questions, labels) in rows {
        let cell = |value: Option<u64>| value.map_or(NONE.to_owned(), count);
        table.row(&[escape(name), cell(questions), cell(labels)]);
    }
    text.push_str(&table.finish());
    text.push_str(&dead_letters(run));
    text
}

fn streams(streams: [&StreamReport; 2]) -> String {
    let mut table = Table::new(
        "",
        &[
            (Align::Text, "event"),
            (Align::Number, "fed"),
            (Align::Number, "no time yet"),
            (Align::Time, "first"),
            (Align::Time, "last"),
            (Align::Long, "read from"),
        ],
    );
    for stream in streams {
        let time = |text: &Option<String>| text.as_deref().map_or(NONE.to_owned(), moment);
        table.row(&[
            escape(&stream.event),
            count(stream.fed),
            count(stream.not_yet),
            escape(&time(&stream.first)),
            escape(&time(&stream.last)),
            wrapped("code", "", &escape(&stream.location)),
        ]);
    }
    table.finish()
}

fn dead_letters(run: &RunReport) -> String {
    if run.dead_letters.is_empty() {
        return element("p", "aside", "No event was set aside.");
    }
    let mut table = Table::new(
        "Set aside",
        &[
            (Align::Text, "event"),
            (Align::Text, "reason"),
            (Align::Number, "events"),
            (Align::Long, "the first of them"),
        ],
    );
    for letter in &run.dead_letters {
        table.row(&[
            escape(&letter.event),
            escape(&words(&letter.reason)),
            count(letter.count),
            escape(&letter.example),
        ]);
    }
    table.finish()
}

/// Drift alarms; empty where there was none.
pub(super) fn drifts(drifts: &[DriftReport]) -> String {
    if drifts.is_empty() {
        return String::new();
    }
    let mut table = Table::new(
        "",
        &[
            (Align::Time, "at"),
            (Align::Text, "detector"),
            (Align::Number, "mean absolute error before"),
            (Align::Number, "after"),
        ],
    );
    for drift in drifts {
        let cell = |value: Option<f64>| value.map_or(NONE.to_owned(), number);
        table.row(&[
            escape(&moment(&drift.at)),
            escape(&drift.detector),
            figure(&cell(drift.before)),
            figure(&cell(drift.after)),
        ]);
    }
    let alarms = count(drifts.len() as u64);
    let more = if drifts.len() < DRIFTS_MAX { "" } else { "; later ones are not listed" };
    let summary = format!("Drift alarms on the corrected error: {alarms}{more}");
    format!("<details>{}{}</details>", element("summary", "", &summary), table.finish())
}

/// What the numbers can be checked against.
pub(super) fn foundation(run: &RunReport) -> String {
    let written = &run.artifacts;
    let rate = count(run.events_per_second.round().max(0.0) as u64);
    let rows = [
        ("state digest", wrapped("code", "", &escape(&run.digest.to_string()))),
        (
            "artifacts",
            escape(&format!(
                "{} bases of {} in all, {} deltas of {} in all",
                count(written.bases),
                bytes(written.base_bytes),
                count(written.deltas),
                bytes(written.delta_bytes)
            )),
        ),
        ("speed", escape(&format!("{rate} events/s, {} in all", elapsed(run.elapsed_seconds)))),
    ];
    let mut text = String::from("<div class=\"scroll\"><table><tbody>");
    for (name, cell) in rows {
        put(&mut text, format_args!("<tr><th scope=\"row\">{name}</th><td>{cell}</td></tr>"));
    }
    text.push_str("</tbody></table></div>");
    text.push_str(&element(
        "p",
        "aside",
        "The same definition over the same events gives the same digest, live or replayed.",
    ));
    text
}

/// Several definitions side by side: the row of each links to its section.
pub(super) fn side_by_side(runs: &[RunReport]) -> String {
    let unit = runs.first().map_or("", |run| run.unit.as_str());
    let caption = format!("Errors in {unit}");
    let mut table = Table::new(
        &caption,
        &[
            (Align::Text, "definition"),
            (Align::Text, "learner"),
            (Align::Text, "objective"),
            (Align::Number, "MAE primary"),
            (Align::Number, "MAE corrected"),
            (Align::Number, "MAE as served"),
            (Align::Number, "bias as served"),
            (Align::Number, "p90 as served"),
            (Align::Number, "days to admission"),
        ],
    );
    for (index, run) in runs.iter().enumerate() {
        let places = decimals(run.primary.mae.unwrap_or_default());
        let admitted = run.since_admission.as_ref().map(|since| since.days_to_admission);
        let name = format!("<a href=\"#run-{}\">{}</a>", index + 1, escape(&run.definition));
        let served = &run.as_served;
        let numbers = [run.primary.mae, run.corrected.mae, served.mae, served.bias, served.p90];
        let mut cells = vec![name, escape(&run.learner), escape(&run.objective)];
        cells.extend(numbers.map(|value| figure(&one(value, places))));
        cells.push(figure(&one(admitted, 1)));
        table.row(&cells);
    }
    table.finish()
}
