//! Bias by segment: the values of each category feature, before and after, as a table with bars.

use super::chart::{SOURCES, legend, place};
use super::markup::{Align, Table, element, escape, figure, wrapped};
use super::scale::Scale;
use crate::report::{RunReport, SegmentReport, SegmentValue, Sums};
use crate::wording::{count, counted, decimals, fixed};

/// Values shown per feature, unless all are numbers: those are shown whole and in order.
const VALUES_MAX: usize = 12;
/// Features whose tables are open; the others wait to be asked.
const OPEN_MAX: usize = 3;
/// The size of a cell's bars.
const BARS: (f64, f64) = (220.0, 22.0);

/// A table per category feature; empty where there is none.
pub(super) fn segments(run: &RunReport) -> String {
    let scored = run.segments.iter().filter(|segment| !segment.values.is_empty());
    let mut tables = String::new();
    for (place, segment) in scored.enumerate() {
        let values = chosen(segment);
        let caption = caption(segment, values.len());
        if place < OPEN_MAX {
            tables.push_str(&table(run, segment, &values, &caption));
        } else {
            let summary = element("summary", "", &caption);
            let table = table(run, segment, &values, "");
            tables.push_str(&wrapped("details", "", &format!("{summary}{table}")));
        }
    }
    if tables.is_empty() { tables } else { format!("{}{tables}", legend()) }
}

/// The values to show: those with most questions, or all in their order where they are numbers,
/// such as hours.
fn chosen(segment: &SegmentReport) -> Vec<&SegmentValue> {
    let values = &segment.values;
    let number = |value: &SegmentValue| value.value.parse::<i64>().ok();
    let numbers: Option<Vec<_>> = values.iter().map(|v| Some((number(v)?, v))).collect();
    match numbers {
        Some(mut numbers) if values.len() as u64 == segment.distinct => {
            numbers.sort_by_key(|(number, _)| *number);
            numbers.into_iter().map(|(_, value)| value).collect()
        }
        Some(_) | None => values.iter().take(VALUES_MAX).collect(),
    }
}

fn caption(segment: &SegmentReport, shown: usize) -> String {
    let all = counted(segment.distinct, "value");
    if (shown as u64) < segment.distinct {
        format!("By {}: the {shown} with most questions of {all}", segment.feature)
    } else {
        format!("By {}: {all}", segment.feature)
    }
}

fn table(
    run: &RunReport,
    segment: &SegmentReport,
    values: &[&SegmentValue],
    caption: &str,
) -> String {
    let all = values.iter().flat_map(|value| biases(&value.sums)).filter(|bias| bias.is_finite());
    let (low, high) = all.fold((0.0_f64, 0.0_f64), |(l, h), bias| (l.min(bias), h.max(bias)));
    let scale = Scale { from: low, until: high, start: 2.0, end: BARS.0 - 2.0 };
    let mut table = Table::new(
        caption,
        &[
            (Align::Text, &segment.feature),
            (Align::Spare, "questions"),
            (Align::Bars, "bias, before and after"),
            (Align::Number, "bias primary"),
            (Align::Number, "bias as served"),
            (Align::Spare, "MAE primary"),
            (Align::Number, "MAE as served"),
        ],
    );
    let places = decimals(run.primary.mae.unwrap_or_default());
    for value in values {
        table.row(&cells(value, &scale, places));
    }
    table.finish()
}

fn cells(value: &SegmentValue, scale: &Scale, places: usize) -> Vec<String> {
    let [primary, _, served] = biases(&value.sums);
    let questions = value.sums.questions.max(1) as f64;
    let [mae_primary, _, mae_served] = value.sums.absolute.map(|sum| sum / questions);
    let mut cells = vec![escape(&value.value), count(value.sums.questions)];
    cells.push(bars(&value.sums, scale));
    let numbers = [primary, served, mae_primary, mae_served];
    cells.extend(numbers.map(|number| figure(&fixed(number, places))));
    cells
}

fn bars(sums: &Sums, scale: &Scale) -> String {
    let (width, height) = BARS;
    let zero = scale.at(0.0);
    let mut text =
        format!("<svg class=\"cell\" viewBox=\"0 0 {width} {height}\" aria-hidden=\"true\">");
    for (source, bias) in biases(sums).into_iter().enumerate() {
        if bias.is_finite() {
            text.push_str(&bar(
                SOURCES[source].1,
                zero,
                scale.clamped(bias),
                2.0 + 6.5 * source as f64,
            ));
        }
    }
    let x = place(zero);
    text.push_str(&format!(
        "<line class=\"zero\" x1=\"{x}\" y1=\"0\" x2=\"{x}\" y2=\"{height}\"/></svg>"
    ));
    text
}

fn biases(sums: &Sums) -> [f64; 3] {
    sums.signed.map(|sum| sum / sums.questions.max(1) as f64)
}

/// A bar from zero.
fn bar(class: &str, zero: f64, end: f64, top: f64) -> String {
    let (from, width) = (zero.min(end), (end - zero).abs().max(0.5));
    format!(
        "<rect class=\"bar {class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"5\"/>",
        place(from),
        place(top),
        place(width)
    )
}
