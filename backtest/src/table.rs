//! The summary of a replay in a terminal.
//!
//! It holds everything that decides whether a definition is worth serving, on one screen; the page
//! holds the rest. An empty result explains itself. Colour only helps the eye: without it nothing
//! is lost. Texts from data are printed without their control characters.

mod compared;
mod grid;

use crate::findings::missing;
use crate::report::{DRIFTS_MAX, DeadLetterCount, Metrics, Report, RunReport, StreamReport};
use crate::wording::{NONE, elapsed, words};
use crate::wording::{
    bytes, count, counted, decimals, fixed, interval_decimals, moment, number, percent, plain, span,
};
use grid::{Column, Grid};

/// How the summary looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether escape codes may be used.
    pub colour: Colour,
    /// Columns of the terminal; longer lines are wrapped. 0 never wraps.
    pub width: usize,
}

/// Whether escape codes may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Text alone.
    Plain,
    /// ANSI escape codes for bold and faint.
    Ansi,
}

/// The summary of `report`, ending in a line feed.
#[must_use]
pub fn text(report: &Report, style: Style) -> String {
    let mut page = Page { style, text: String::new() };
    match report.runs.as_slice() {
        [] => page.line("nothing was replayed"),
        [run] => single(&mut page, run),
        runs => compared::compared(&mut page, runs, &report.comparisons),
    }
    page.text
}

/// Lines being written.
#[derive(Debug)]
struct Page {
    style: Style,
    text: String,
}

/// How a piece of text stands out, where colour is allowed.
#[derive(Debug, Clone, Copy)]
enum Weight {
    Strong,
    Faint,
}

/// The columns that the words before an entry take.
const LABEL: usize = 12;

impl Page {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn paint(&self, weight: Weight, text: &str) -> String {
        let code = match (self.style.colour, weight) {
            (Colour::Plain, Weight::Strong | Weight::Faint) => return text.to_owned(),
            (Colour::Ansi, Weight::Strong) => "1",
            (Colour::Ansi, Weight::Faint) => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// A line with a word before it; what does not fit goes on beneath its beginning.
    fn entry(&mut self, label: &str, text: &str) {
        self.entry_of(label, LABEL, text);
    }

    fn entry_of(&mut self, label: &str, indent: usize, text: &str) {
        let padded = format!("{label:indent$}");
        let padded = self.paint(Weight::Faint, &padded);
        for (row, line) in wrap(text, self.style.width.saturating_sub(indent)).iter().enumerate() {
            let start = if row == 0 { padded.clone() } else { " ".repeat(indent) };
            self.line(&format!("{start}{line}"));
        }
    }
}

/// Breaks a text at spaces into lines of at most `width` columns; 0 never breaks. Words stay whole.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        let line = lines.last_mut().expect("there is a first line");
        if width > 0 && used > 0 && used + 1 + length > width {
            lines.push(word.to_owned());
            used = length;
            continue;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines
}

fn single(page: &mut Page, run: &RunReport) {
    header(page, run);
    streams(page, run);
    page.gap();
    if run.primary.mae.is_some() {
        metrics(page, run);
        page.gap();
    }
    explain(page, run);
    gate(page, run);
    counts(page, run);
    dead_letters(page, &run.dead_letters);
    drifts(page, run);
    let digest = run.digest.to_string();
    let rate = count(run.events_per_second.round().max(0.0) as u64);
    let elapsed = elapsed(run.elapsed_seconds);
    page.entry("digest", &format!("{}  {rate} events/s, {elapsed}", &digest[..16]));
    next(page, &run.definition);
}

/// Says what is missing, if anything is.
fn explain(page: &mut Page, run: &RunReport) {
    let said = missing(run);
    for (text, hints) in &said {
        let hints = hints.iter().map(|hint| format!("hint: {hint}"));
        for text in [text.clone()].into_iter().chain(hints) {
            for line in wrap(&text, page.style.width) {
                let line = page.paint(Weight::Strong, &line);
                page.line(&line);
            }
        }
    }
    if !said.is_empty() {
        page.gap();
    }
}

fn header(page: &mut Page, run: &RunReport) {
    let name = page.paint(Weight::Strong, &plain(&run.definition));
    let rest = [&run.environment, &run.learner, &run.objective].map(|text| plain(text));
    page.line(&format!("{name}  {}", rest.join("  ")));
}

fn streams(page: &mut Page, run: &RunReport) {
    let (questions, labels) = (&run.question_event, &run.label_event);
    let counts = [count(questions.fed), count(labels.fed)];
    let width = counts.each_ref().map(String::len).into_iter().max().unwrap_or_default();
    let indent = [questions, labels]
        .map(|stream| stream.event.chars().count() + 2)
        .into_iter()
        .fold(LABEL, usize::max);
    let mut said = period(questions);
    said.extend(not_yet(questions));
    let text = format!("{:>width$} questions  {}", counts[0], said.join("; "));
    page.entry_of(&plain(&questions.event), indent, text.trim_end());
    let mut said = Vec::new();
    if let Some(share) = run.match_share {
        said.push(format!("{} % matched", percent(share)));
    }
    if let Some(delay) = run.label_delay_minutes {
        said.push(format!("delay p50 {}, p99 {}", span(delay.p50), span(delay.p99)));
    }
    said.extend(not_yet(labels));
    let text = format!("{:>width$} labels     {}", counts[1], said.join("; "));
    page.entry_of(&plain(&labels.event), indent, text.trim_end());
}

fn period(stream: &StreamReport) -> Vec<String> {
    let ends = stream.first.as_deref().zip(stream.last.as_deref());
    let text = |(first, last)| format!("{} to {}", moment(first), moment(last));
    ends.map(text).into_iter().collect()
}

fn not_yet(stream: &StreamReport) -> Option<String> {
    (stream.not_yet > 0).then(|| format!("{} without a time yet", counted(stream.not_yet, "row")))
}

fn metrics(page: &mut Page, run: &RunReport) {
    let mut sources = vec![
        ("primary".to_owned(), &run.primary),
        ("corrected".to_owned(), &run.corrected),
        ("as served".to_owned(), &run.as_served),
    ];
    for named in run.references.iter().chain(&run.challengers) {
        sources.push((plain(&named.name), &named.metrics));
    }
    let rows = [
        "mean absolute error",
        "bias (actual - answer)",
        "root mean squared error",
        "p50 / p90 / p95",
        "within 5 / 15",
    ];
    let places = decimals(run.primary.mae.unwrap_or_default());
    let columns = sources
        .into_iter()
        .map(|(title, metrics)| Column { title, cells: metric_cells(metrics, places).to_vec() });
    let rows = rows.map(str::to_owned).to_vec();
    Grid { corner: plain(&run.unit), rows, columns: columns.collect() }.write(page);
}

fn metric_cells(metrics: &Metrics, places: usize) -> [String; 5] {
    let one = |value: Option<f64>| value.map_or(NONE.to_owned(), |value| fixed(value, places));
    let coarse = places.saturating_sub(1);
    [
        one(metrics.mae),
        one(metrics.bias),
        one(metrics.rmse),
        joined(&[metrics.p50, metrics.p90, metrics.p95], |value| fixed(value, coarse), ""),
        joined(&[metrics.within_5, metrics.within_15], percent, "%"),
    ]
}

fn joined(values: &[Option<f64>], show: impl Fn(f64) -> String, unit: &str) -> String {
    let known: Option<Vec<_>> = values.iter().map(|value| value.map(&show)).collect();
    known.map_or(NONE.to_owned(), |known| format!("{}{unit}", known.join("/")))
}

fn gate(page: &mut Page, run: &RunReport) {
    let gate = &run.gate;
    let refused: u64 = gate.refused.values().sum();
    let ends = [
        (gate.admitted, "admitted"),
        (gate.refreshed, "refreshed"),
        (gate.unchanged, "unchanged"),
        (refused, "refused"),
    ];
    let mut said = counted(gate.candidates, "candidate");
    let ends = terms(&ends, ", ");
    if !ends.is_empty() {
        said = format!("{said}: {ends}");
    }
    if !gate.refused.is_empty() {
        let reasons: Vec<_> =
            gate.refused.iter().map(|(name, n)| format!("{} {}", count(*n), words(name))).collect();
        said = format!("{said} ({})", reasons.join(", "));
    }
    if gate.idle > 0 {
        said = format!("{said}; {} with nothing new", counted(gate.idle, "publish point"));
    }
    page.entry("gate", &said);
    if let Some(since) = &run.since_admission {
        let after = fixed(since.days_to_admission, 1);
        let at = moment(&since.admitted_at);
        page.entry("admitted", &format!("{at}, {after} days after the first question"));
        page.entry("since then", &since_then(run));
    }
    if let Some([mean, lower, upper]) = gate.improvement {
        let unit = plain(&run.unit);
        let places = interval_decimals(mean);
        let [mean, lower, upper] = [mean, lower, upper].map(|value| fixed(value, places));
        let units = counted(gate.units, "independent unit");
        let text = format!("{mean} {unit} better per unit ({lower} to {upper}) on {units}");
        page.entry("evidence", &text);
    }
    artifacts(page, run);
}

fn since_then(run: &RunReport) -> String {
    let Some(since) = &run.since_admission else { return String::new() };
    let places = decimals(since.primary_mae);
    let [served, instant, primary] = [since.served_mae, since.corrected_mae, since.primary_mae]
        .map(|value| fixed(value, places));
    let ratio = (since.served_mae / since.corrected_mae - 1.0) * 100.0;
    let compared = if ratio < 0.0 { "below" } else { "above" };
    format!(
        "served {served} {}, {} % {compared} the instant learner's {instant}; primary {primary}; \
         {}",
        plain(&run.unit),
        fixed(ratio.abs(), 1),
        counted(since.questions, "question"),
    )
}

fn artifacts(page: &mut Page, run: &RunReport) {
    let written = &run.artifacts;
    if written.bases + written.deltas > 0 {
        page.entry(
            "artifacts",
            &format!(
                "{} {} + {} {}",
                counted(written.bases, "base"),
                bytes(written.base_bytes),
                counted(written.deltas, "delta"),
                bytes(written.delta_bytes)
            ),
        );
    }
}

fn counts(page: &mut Page, run: &RunReport) {
    let questions = &run.counts;
    let ends = [
        (questions.learned, "learned"),
        (questions.pending, "pending"),
        (questions.expired, "expired"),
        (questions.evicted, "evicted"),
        (questions.quarantined, "quarantined"),
        (questions.late, "late"),
    ];
    page.entry("questions", &sum(questions.fed, &ends));
    let labels = &run.labels;
    let ends = [
        (labels.joined, "joined"),
        (labels.waiting, "waiting"),
        (labels.orphan, "orphan"),
        (labels.expired, "expired"),
        (labels.evicted, "evicted"),
        (labels.quarantined, "quarantined"),
        (labels.late, "late"),
    ];
    page.entry("labels", &sum(labels.fed, &ends));
}

/// `12 fed = 10 learned + 2 expired`; a sum that does not come out is said to be one.
fn sum(fed: u64, ends: &[(u64, &str)]) -> String {
    let total: u64 = ends.iter().map(|(n, _)| n).sum();
    let terms = terms(ends, " + ");
    let equals = if total == fed { "=" } else { "is not" };
    if terms.is_empty() && fed == 0 {
        return "0 fed".to_owned();
    }
    let terms = if terms.is_empty() { "0".to_owned() } else { terms };
    format!("{} fed {equals} {terms}", count(fed))
}

fn terms(ends: &[(u64, &str)], glue: &str) -> String {
    let some = ends.iter().filter(|(n, _)| *n > 0);
    some.map(|(n, name)| format!("{} {name}", count(*n))).collect::<Vec<_>>().join(glue)
}

fn dead_letters(page: &mut Page, letters: &[DeadLetterCount]) {
    for (row, letter) in letters.iter().enumerate() {
        let label = if row == 0 { "set aside" } else { "" };
        let (event, reason) = (plain(&letter.event), words(&letter.reason));
        let example = plain(&letter.example);
        page.entry(label, &format!("{} {event} {reason}: {example}", count(letter.count)));
    }
}

fn drifts(page: &mut Page, run: &RunReport) {
    let Some(last) = run.drifts.last() else { return };
    let alarms = counted(run.drifts.len() as u64, "alarm");
    let alarms = if run.drifts.len() < DRIFTS_MAX {
        format!("{alarms}; last")
    } else {
        format!("at least {alarms}; the last listed")
    };
    let mut said = format!("{alarms} {} by {}", moment(&last.at), plain(&last.detector));
    if let Some((before, after)) = last.before.zip(last.after) {
        let [before, after] = [before, after].map(number);
        said = format!("{said}: mean absolute error {before} to {after} {}", plain(&run.unit));
    }
    page.entry("drift", &said);
}

fn next(page: &mut Page, definition: &str) {
    let command = format!("trueup backtest {} --report report.html", plain(definition));
    page.entry("next", &command);
    page.entry("", "trueup init --from YOUR.parquet");
}

#[cfg(test)]
mod tests;
