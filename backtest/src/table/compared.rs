//! Several definitions side by side.

use super::grid::{Column, Grid};
use super::{Page, Weight, explain, joined, streams};
use crate::findings::sentence;
use crate::report::{Comparison, RunReport};
use crate::wording::{NONE, count, decimals, fixed, percent, plain};

/// One row: its name, and what it says of a run.
type Row = (&'static str, fn(&RunReport, usize) -> String);

const ROWS: [Row; 13] = [
    ("learner", |run, _| plain(&run.learner)),
    ("objective", |run, _| plain(&run.objective)),
    ("primary mean absolute error", |run, places| one(run.primary.mae, places)),
    ("corrected mean absolute error", |run, places| one(run.corrected.mae, places)),
    ("as served mean absolute error", |run, places| one(run.as_served.mae, places)),
    ("as served bias (actual - answer)", |run, places| one(run.as_served.bias, places)),
    ("as served root mean squared error", |run, places| one(run.as_served.rmse, places)),
    ("as served p50 / p90 / p95", |run, places| {
        let served = &run.as_served;
        let show = |value| fixed(value, places.saturating_sub(1));
        joined(&[served.p50, served.p90, served.p95], show, "")
    }),
    ("as served within 5 / 15", |run, _| {
        joined(&[run.as_served.within_5, run.as_served.within_15], percent, "%")
    }),
    ("questions learned", |run, _| count(run.counts.learned)),
    ("days to admission", |run, _| {
        one(run.since_admission.as_ref().map(|since| since.days_to_admission), 1)
    }),
    ("candidates refused", |run, _| count(run.gate.refused.values().sum())),
    ("digest", |run, _| run.digest.to_string()[..16].to_owned()),
];

/// Writes the comparison of `runs`.
pub(super) fn compared(page: &mut Page, runs: &[RunReport], comparisons: &[Comparison]) {
    let Some(first) = runs.first() else { return };
    let names: Vec<_> = runs.iter().map(|run| plain(&run.definition)).collect();
    let title = page.paint(Weight::Strong, &names.join("  "));
    page.line(&format!("{title}  {}", plain(&first.environment)));
    streams(page, first);
    page.gap();
    let places = decimals(first.primary.mae.unwrap_or_default());
    let columns = runs.iter().map(|run| Column {
        title: plain(&run.definition),
        cells: ROWS.iter().map(|(_, show)| show(run, places)).collect(),
    });
    let rows = ROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    Grid { corner: plain(&first.unit), rows, columns: columns.collect() }.write(page);
    page.gap();
    for run in runs {
        explain(page, run);
    }
    for comparison in comparisons {
        page.entry_of("", 0, &sentence(comparison, &first.unit));
    }
    page.gap();
    let command = format!("trueup backtest {} --report report.html", names.join(" "));
    page.entry("next", &command);
}

fn one(value: Option<f64>, places: usize) -> String {
    value.map_or(NONE.to_owned(), |value| fixed(value, places))
}
