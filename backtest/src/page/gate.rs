//! What the gate saw and said: the evidence with its bounds, the counts, and the run of verdicts.

use super::chart::{Frame, Size, Svg, Title, both};
use super::markup::{Align, Table, element, escape, figure, minus, prose, wrapped};
use super::scale::{Scale, tick_decimals, ticks};
use crate::findings::sentence;
use crate::report::{Comparison, RunReport, VerdictRun};
use crate::wording::{
    NONE, count, counted, fixed, interval_decimals, moment, verdict_detail, verdict_name, words,
};
use trueup_learner::gate::Verdict;

/// Runs of verdicts listed; admissions are listed beyond.
const VERDICTS_MAX: usize = 40;

/// A mean with its bounds, and its name.
#[derive(Debug)]
struct Interval {
    name: String,
    bounds: [f64; 3],
}

/// The section about the gate.
pub(super) fn gate(run: &RunReport, id: &str) -> String {
    let mut text = String::new();
    if let Some(bounds) = run.gate.improvement {
        let interval = Interval { name: "over no correction".to_owned(), bounds };
        let note = format!(
            "Improvement per independent unit over no correction, in {}: mean and bounds that hold \
             at every look, after {}. A version is admitted once the lower bound is above 0.",
            run.unit,
            counted(run.gate.units, "unit")
        );
        let title = format!("Evidence of the gate, {}", run.definition);
        text.push_str(&forest(&[interval], (id, &title), &note));
    }
    text.push_str(&counts(run));
    text.push_str(&verdicts(run));
    text
}

/// Every comparison as a row of one plot, and in words.
pub(super) fn comparisons(comparisons: &[Comparison], unit: &str) -> String {
    let known: Vec<_> = comparisons
        .iter()
        .filter_map(|comparison| {
            let [lower, upper] = comparison.bounds?;
            let bounds = [comparison.difference?, lower, upper];
            Some(Interval { name: comparison.definition.clone(), bounds })
        })
        .collect();
    let mut text = String::new();
    for comparison in comparisons {
        text.push_str(&wrapped(
            "p",
            "finding",
            &figure(&format!("{}.", sentence(comparison, unit))),
        ));
    }
    let Some(baseline) = comparisons.first().map(|comparison| &comparison.baseline) else {
        return text;
    };
    if !known.is_empty() {
        let note = format!(
            "Difference of the absolute errors of the corrected answers per independent unit, in \
             {unit}, paired on the same questions: right of 0 is better than {baseline}. Bounds at \
             95 %, valid at every look."
        );
        let title = format!("Definitions compared with {baseline}");
        text.push_str(&forest(&known, ("comparisons", &title), &note));
    }
    text
}

fn forest(intervals: &[Interval], (id, title): (&str, &str), note: &str) -> String {
    let plot = both(|size| draw(intervals, (id, title), size));
    format!("<figure>{plot}<figcaption>{}</figcaption></figure>", escape(note))
}

fn draw(intervals: &[Interval], (id, title): (&str, &str), size: Size) -> String {
    let height = 34.0 * intervals.len() as f64 + 40.0;
    let mut frame = Frame::new(size, height, 26.0);
    frame.left = 12.0;
    frame.right = 12.0;
    let ends = intervals.iter().flat_map(|interval| interval.bounds);
    let (low, high) = ends.fold((0.0_f64, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
    let across = ticks(low, high, if size == Size::Wide { 10 } else { 5 });
    let (from, until) = (across[0], across[across.len() - 1]);
    let inset = 18.0;
    let x =
        Scale { from, until, start: frame.left + inset, end: frame.width - frame.right - inset };
    let about: Vec<_> = intervals.iter().map(|i| format!("{}: {}", i.name, told(i))).collect();
    let mut svg = Svg::new(frame, Title { id, title, description: &about.join(". ") }, "");
    let floor = frame.height - frame.bottom;
    for &tick in &across {
        let class = if tick.abs() < 1e-12 { "zero" } else { "grid" };
        svg.line(class, (x.at(tick), frame.top), (x.at(tick), floor));
        let text = minus(&fixed(tick, tick_decimals(&across)));
        svg.label("tick middle", (x.at(tick), floor + 17.0), &text);
    }
    for (row, interval) in intervals.iter().enumerate() {
        let y = frame.top + 24.0 + 34.0 * row as f64;
        let [mean, lower, upper] = interval.bounds.map(|value| x.clamped(value));
        svg.line("bounds", (lower, y), (upper, y));
        svg.line("bounds", (lower, y - 5.0), (lower, y + 5.0));
        svg.line("bounds", (upper, y - 5.0), (upper, y + 5.0));
        svg.dot("mean", (mean, y), 4.5);
        let is_right = (lower + upper) / 2.0 > frame.width / 2.0;
        let (class, at) = if is_right { ("note end", upper) } else { ("note", lower) };
        let text = minus(&format!("{}  {}", interval.name, told(interval)));
        svg.label(class, (at, y - 9.0), &text);
    }
    svg.finish()
}

fn told(interval: &Interval) -> String {
    let places = interval_decimals(interval.bounds[0]);
    let [mean, lower, upper] = interval.bounds.map(|value| fixed(value, places));
    format!("{mean} ({lower} to {upper})")
}

fn counts(run: &RunReport) -> String {
    let gate = &run.gate;
    let mut table =
        Table::new("Candidates", &[(Align::Text, "verdict"), (Align::Number, "candidates")]);
    let mut row = |name: &str, n: u64| table.row(&[escape(name), count(n)]);
    row("admitted", gate.admitted);
    row("refreshed", gate.refreshed);
    row("unchanged", gate.unchanged);
    for (reason, n) in &gate.refused {
        row(&format!("refused: {}", words(reason)), *n);
    }
    row("all candidates", gate.candidates);
    row("publish points with nothing new", gate.idle);
    table.finish()
}

fn verdicts(run: &RunReport) -> String {
    let timeline = &run.gate.timeline;
    if timeline.is_empty() {
        return String::new();
    }
    let is_admitted = |verdicts: &VerdictRun| matches!(verdicts.verdict, Verdict::Admitted { .. });
    let mut table = Table::new(
        "",
        &[
            (Align::Text, "verdict"),
            (Align::Number, "candidates"),
            (Align::Number, "first version"),
            (Align::Time, "from"),
            (Align::Time, "until"),
            (Align::Text, "learner"),
            (Align::Long, "detail of the first"),
        ],
    );
    let mut listed = 0;
    for (place, verdicts) in timeline.iter().enumerate() {
        if place >= VERDICTS_MAX && !is_admitted(verdicts) {
            continue;
        }
        listed += 1;
        table.row(&[
            escape(&verdict_name(&verdicts.verdict)),
            count(verdicts.count),
            verdicts.version.to_string(),
            escape(&moment(&verdicts.from)),
            escape(&moment(&verdicts.until)),
            escape(lineage_name(run, verdicts.lineage)),
            prose(&verdict_detail(&verdicts.verdict, run)),
        ]);
    }
    let rest = timeline.len() - listed;
    let more = match rest {
        0 => String::new(),
        rest => {
            let text = format!("{} more are in the JSON report.", counted(rest as u64, "run"));
            element("p", "aside", &text)
        }
    };
    let summary = format!("Versions: {} of equal verdicts", counted(timeline.len() as u64, "run"));
    let summary = element("summary", "", &summary);
    format!("<details>{summary}{}{more}</details>", table.finish())
}

fn lineage_name(run: &RunReport, lineage: usize) -> &str {
    match lineage.checked_sub(1) {
        None => &run.learner,
        Some(other) => run.challengers.get(other).map_or(NONE, |named| &named.name),
    }
}
