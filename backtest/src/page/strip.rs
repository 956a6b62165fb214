//! The strip beneath the errors: a lane per kind of verdict of the main learner, and one for drift.

use super::chart::{Frame, Size, Svg};
use super::scale::{Scale, day_of};
use crate::report::{RunReport, VerdictRun};
use trueup_learner::gate::Verdict;

/// The height of a lane with its gap.
const LANE: f64 = 15.0;
/// Room between the dates and the first lane.
const GAP: f64 = 12.0;
/// Admissions whose version is written out.
const ADMISSIONS_NAMED: usize = 3;

/// One lane: its name, its class, and the spans in days that it holds.
#[derive(Debug)]
pub(super) struct Lane {
    name: &'static str,
    class: &'static str,
    spans: Vec<(f64, f64)>,
}

/// The lanes that have something to show.
pub(super) fn lanes(run: &RunReport) -> Vec<Lane> {
    let lane = |name, class| Lane { name, class, spans: Vec::new() };
    let mut lanes = [
        lane("admitted", "admitted"),
        lane("refreshed", "refreshed"),
        lane("unchanged", "unchanged"),
        lane("refused", "refused"),
        lane("drift", "drift"),
    ];
    for verdicts in run.gate.timeline.iter().filter(|verdicts| verdicts.lineage == 0) {
        let place = match verdicts.verdict {
            Verdict::Admitted { .. } => 0,
            Verdict::Refreshed => 1,
            Verdict::Unchanged => 2,
            Verdict::Refused(_) => 3,
        };
        if let Some(span) = day_of(&verdicts.from).zip(day_of(&verdicts.until)) {
            lanes[place].spans.push(span);
        }
    }
    for drift in &run.drifts {
        lanes[4].spans.extend(day_of(&drift.at).map(|day| (day, day)));
    }
    lanes.into_iter().filter(|lane| !lane.spans.is_empty()).collect()
}

/// The height that the lanes need.
pub(super) fn height(lanes: &[Lane]) -> f64 {
    if lanes.is_empty() { 0.0 } else { GAP + LANE * lanes.len() as f64 }
}

/// Draws the lanes, and where versions were admitted through the whole plot.
pub(super) fn draw(svg: &mut Svg, run: &RunReport, lanes: &[Lane], x: &Scale) {
    let Frame { size, left, height: bottom, .. } = svg.frame;
    if lanes.is_empty() {
        return;
    }
    let top = bottom - LANE * lanes.len() as f64;
    for (place, lane) in lanes.iter().enumerate() {
        let y = top + LANE * place as f64;
        svg.label("tick end", (left - 7.0, y + 9.0), lane.name);
        svg.rect("lane", (x.start, y), (x.end - x.start, LANE - 5.0));
        for (from, until) in merged(&lane.spans, x) {
            let class = format!("verdict {}", lane.class);
            svg.rect(&class, (from, y), (until - from, LANE - 5.0));
        }
    }
    admissions(svg, run, x, size);
}

/// Spans as runs of whole pixels, so that thousands of verdicts draw as few marks.
fn merged(spans: &[(f64, f64)], x: &Scale) -> Vec<(f64, f64)> {
    let mut pixels: Vec<_> = spans
        .iter()
        .map(|(from, until)| (x.clamped(*from).floor(), x.clamped(*until).floor() + 2.0))
        .collect();
    pixels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut merged: Vec<(f64, f64)> = Vec::new();
    for (from, until) in pixels {
        match merged.last_mut().filter(|last| from <= last.1) {
            Some(last) => last.1 = last.1.max(until),
            None => merged.push((from, until)),
        }
    }
    merged
}

fn admissions(svg: &mut Svg, run: &RunReport, x: &Scale, size: Size) {
    let is_admitted = |run: &&VerdictRun| matches!(run.verdict, Verdict::Admitted { .. });
    let frame = svg.frame;
    for (place, admitted) in run.gate.timeline.iter().filter(is_admitted).enumerate() {
        let Some(day) = day_of(&admitted.from) else { continue };
        let at = x.clamped(day);
        svg.line("admission", (at, frame.top), (at, frame.height - frame.bottom));
        if place < ADMISSIONS_NAMED && size == Size::Wide {
            let text = format!("version {} admitted", admitted.version);
            let (class, at) =
                if at > x.end - 130.0 { ("note end", at - 5.0) } else { ("note", at + 5.0) };
            svg.label(class, (at, frame.top + 9.0 + 13.0 * place as f64), &text);
        }
    }
}
