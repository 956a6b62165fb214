//! How errors spread: histograms of actual minus answer, the three sources over one another.

use super::chart::{Frame, SOURCES, Size, Svg, Title, both, legend, vertical_ticks};
use super::markup::{Align, Table, escape, figure, minus, put};
use super::scale::{tick_decimals, ticks};
use crate::report::{Residuals, RunReport};
use crate::wording::{fixed, percent};

/// Rows of the table: neighbouring bins are joined until there are no more.
const ROWS_MAX: usize = 20;

/// The figure; empty where nothing was scored.
pub(super) fn spread(run: &RunReport, id: &str) -> String {
    let residuals = &run.residuals;
    let bins = residuals.counts.each_ref().map(Vec::len);
    let is_sound = bins[0] > 1 && bins.iter().all(|&len| len == bins[0]) && residuals.width > 0.0;
    if !is_sound || residuals.counts.iter().all(|counts| counts.iter().sum::<u64>() == 0) {
        return String::new();
    }
    let shares = residuals.counts.each_ref().map(|counts| shares(counts));
    let shown = shown(&shares);
    let plot = both(|size| draw(run, &shares, shown, id, size));
    let note = format!(
        "Share of questions by error (actual \u{2212} answer) in {}: right of 0 the answer was too \
         low. The outermost steps hold what lies beyond.",
        run.unit
    );
    format!(
        "<figure>{}{plot}<figcaption>{}</figcaption></figure>{}",
        legend(),
        escape(&note),
        table(run, &shares, shown)
    )
}

fn shares(counts: &[u64]) -> Vec<f64> {
    let total = counts.iter().sum::<u64>().max(1) as f64;
    counts.iter().map(|&count| count as f64 / total).collect()
}

/// The bins worth drawing: those within 0.1 % of the tails of every source. What lies beyond is
/// joined to the outermost.
fn shown(shares: &[Vec<f64>; 3]) -> (usize, usize) {
    let bins = shares[0].len();
    let (mut first, mut last) = (bins - 1, 0);
    for shares in shares {
        let mut below = 0.0;
        let low = shares.iter().position(|share| {
            below += share;
            below > 0.002
        });
        let mut above = 0.0;
        let high = shares.iter().rposition(|share| {
            above += share;
            above > 0.002
        });
        first = first.min(low.unwrap_or(0));
        last = last.max(high.unwrap_or(bins - 1));
    }
    (first.min(last), last)
}

/// Shares of the bins shown, with the tails in the outermost.
fn folded(shares: &[f64], (first, last): (usize, usize)) -> Vec<f64> {
    let mut folded = shares[first..=last].to_vec();
    let end = folded.len() - 1;
    folded[0] += shares[..first].iter().sum::<f64>();
    folded[end] += shares[last + 1..].iter().sum::<f64>();
    folded
}

fn edge(residuals: &Residuals, bin: usize) -> f64 {
    residuals.from + residuals.width * bin as f64
}

fn draw(
    run: &RunReport,
    shares: &[Vec<f64>; 3],
    shown: (usize, usize),
    id: &str,
    size: Size,
) -> String {
    let residuals = &run.residuals;
    let height = match size {
        Size::Wide => 240.0,
        Size::Narrow => 200.0,
    };
    let frame = Frame::new(size, height, 28.0);
    let folded = shares.each_ref().map(|shares| folded(shares, shown));
    let high = folded.iter().flatten().copied().fold(0.0, f64::max) * 100.0;
    let upright = vertical_ticks(0.0, high);
    let (from, until) = (edge(residuals, shown.0), edge(residuals, shown.1 + 1));
    let (x, y) = (frame.horizontal(from, until), frame.vertical(&upright));
    let about = describe(run);
    let title = format!("Spread of errors, {}", run.definition);
    let mut svg = Svg::new(frame, Title { id, title: &title, description: &about }, "");
    svg.vertical_axis(&y, &upright, " %");
    let (floor, ceiling) = (y.start, y.end);
    let across = ticks(from, until, if size == Size::Wide { 10 } else { 5 });
    for &tick in across.iter().filter(|&&tick| tick >= from && tick <= until) {
        let text = minus(&fixed(tick, tick_decimals(&across)));
        svg.line("mark", (x.at(tick), floor), (x.at(tick), floor + 4.0));
        svg.label("tick middle", (x.at(tick), floor + 17.0), &text);
    }
    if from < 0.0 && until > 0.0 {
        svg.line("zero", (x.at(0.0), ceiling), (x.at(0.0), floor));
    }
    for source in [2, 0, 1] {
        let mut points = vec![Some((x.start, floor))];
        for (bin, share) in folded[source].iter().enumerate() {
            let level = y.at(share * 100.0);
            points.push(Some((x.at(edge(residuals, shown.0 + bin)), level)));
            points.push(Some((x.at(edge(residuals, shown.0 + bin + 1)), level)));
        }
        points.push(Some((x.end, floor)));
        svg.path(&format!("series steps {}", SOURCES[source].1), &points);
    }
    svg.finish()
}

fn describe(run: &RunReport) -> String {
    let mut text = format!("Histograms of errors in {}.", run.unit);
    for ((name, _), metrics) in SOURCES.iter().zip([&run.primary, &run.corrected, &run.as_served]) {
        if let Some((bias, rmse)) = metrics.bias.zip(metrics.rmse) {
            let (bias, rmse) = (fixed(bias, 2), fixed(rmse, 2));
            put(&mut text, format_args!(" {name}: mean {bias}, root mean square {rmse}."));
        }
    }
    text
}

fn table(run: &RunReport, shares: &[Vec<f64>; 3], (first, last): (usize, usize)) -> String {
    let residuals = &run.residuals;
    let bins = last - first + 1;
    let step = bins.div_ceil(ROWS_MAX).max(1);
    let mut table = Table::new(
        "",
        &[
            (Align::Text, "error"),
            (Align::Number, "primary %"),
            (Align::Number, "corrected %"),
            (Align::Number, "as served %"),
        ],
    );
    let places = tick_decimals(&[0.0, residuals.width]);
    let bound = |bin: usize| fixed(edge(residuals, bin), places);
    let folded = shares.each_ref().map(|shares| folded(shares, (first, last)));
    for start in (0..bins).step_by(step) {
        let end = (start + step).min(bins);
        let name = match (start == 0, end == bins) {
            (true, _) => format!("below {}", bound(first + end)),
            (false, true) => format!("{} and above", bound(first + start)),
            (false, false) => format!("{} to {}", bound(first + start), bound(first + end)),
        };
        let mut cells = vec![figure(&name)];
        cells.extend(folded.iter().map(|s| figure(&percent(s[start..end].iter().sum()))));
        table.row(&cells);
    }
    let summary =
        format!("<summary>Share of questions by error in {}</summary>", escape(&run.unit));
    format!("<details>{summary}{}</details>", table.finish())
}
