//! Errors over time, with what the gate said and when drift was noticed beneath.

use super::chart::{Frame, SOURCES, Size, Svg, Title, both, legend, vertical_ticks};
use super::markup::{Align, Table, escape, figure, put, wrapped};
use super::scale::{Scale, day_of};
use super::strip::{self, Lane};
use crate::report::{RunReport, Sums};
use crate::wording::{count, decimals, fixed};

/// Days a point of a smoothed line looks back on, itself included.
const WINDOW_DAYS: i64 = 7;
/// Fewer days than this are drawn as they are.
const SMOOTHED_FROM: usize = 14;

/// What is drawn of the errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Mean absolute error.
    Absolute,
    /// Bias: mean of actual - answer.
    Signed,
}

impl Measure {
    const fn name(self) -> &'static str {
        match self {
            Self::Absolute => "Mean absolute error",
            Self::Signed => "Bias (actual \u{2212} answer)",
        }
    }

    fn of(self, sums: &Sums) -> [f64; 3] {
        let questions = sums.questions.max(1) as f64;
        let all = match self {
            Self::Absolute => sums.absolute,
            Self::Signed => sums.signed,
        };
        all.map(|sum| sum / questions)
    }
}

/// Days with their errors, as they are and smoothed.
#[derive(Debug)]
struct Series {
    days: Vec<i64>,
    questions: Vec<u64>,
    raw: Vec<[f64; 3]>,
    smooth: Vec<[f64; 3]>,
    is_smoothed: bool,
}

impl Series {
    fn new(run: &RunReport, measure: Measure) -> Self {
        let days: Vec<_> = run
            .days
            .iter()
            .filter_map(|day| Some((day_of(&day.day)?.floor() as i64, day.sums)))
            .filter(|(_, sums)| sums.questions > 0)
            .collect();
        let is_smoothed = days.len() >= SMOOTHED_FROM;
        let window = if is_smoothed { WINDOW_DAYS } else { 1 };
        let mut smooth = Vec::with_capacity(days.len());
        for (place, (day, _)) in days.iter().enumerate() {
            let recent = days[..=place].iter().rev().take_while(|(past, _)| past + window > *day);
            let recent: Vec<_> = recent.map(|(_, sums)| *sums).collect();
            smooth.push(measure.of(&total(&recent)));
        }
        Self {
            raw: days.iter().map(|(_, sums)| measure.of(sums)).collect(),
            questions: days.iter().map(|(_, sums)| sums.questions).collect(),
            days: days.into_iter().map(|(day, _)| day).collect(),
            smooth,
            is_smoothed,
        }
    }

    /// Low and high of what must be seen whole: the smoothed lines, with room, and zero.
    fn range(&self) -> (f64, f64) {
        let values = self.smooth.iter().flatten().copied().filter(|value| value.is_finite());
        let (low, high) = values.fold((0.0_f64, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
        (low * 1.15, if high > 0.0 { high * 1.15 } else { high })
    }

    /// The points of one source's line; a gap where a week or more has no day.
    fn points(&self, values: &[[f64; 3]], source: usize, x: &Scale, y: &Scale) -> Points {
        let mut points = Vec::new();
        for (place, day) in self.days.iter().enumerate() {
            if place > 0 && day - self.days[place - 1] > WINDOW_DAYS {
                points.push(None);
            }
            let value = values[place][source];
            let at = (x.at(*day as f64 + 0.5), y.at(value));
            points.push(value.is_finite().then_some(at));
        }
        points
    }
}

type Points = Vec<Option<(f64, f64)>>;

/// The sums of several days or values.
pub(super) fn total(parts: &[Sums]) -> Sums {
    let mut total = Sums::default();
    for part in parts {
        total.questions += part.questions;
        for source in 0..3 {
            total.absolute[source] += part.absolute[source];
            total.signed[source] += part.signed[source];
        }
    }
    total
}

/// The figure of one measure; empty where no day was scored.
pub(super) fn trend(run: &RunReport, id: &str, measure: Measure) -> String {
    let series = Series::new(run, measure);
    if series.days.is_empty() {
        return String::new();
    }
    let lanes = match measure {
        Measure::Absolute => strip::lanes(run),
        Measure::Signed => Vec::new(),
    };
    let plot = both(|size| draw(run, &series, &lanes, measure, (id, size)));
    let name = measure.name();
    let smoothing = if series.is_smoothed {
        "Strong lines: mean of the last 7 days. Faint lines: single days of primary and as served."
    } else {
        "One point per day."
    };
    let beneath = match (measure, lanes.is_empty()) {
        (Measure::Absolute, false) => " Beneath: what the gate said at each publish point.",
        (Measure::Absolute, true) | (Measure::Signed, _) => "",
    };
    let aim = match measure {
        Measure::Signed if run.objective != "mean" => {
            " A learner that does not aim at the mean leaves a bias where errors are skewed."
        }
        Measure::Signed | Measure::Absolute => "",
    };
    let unit = &run.unit;
    let note = format!("{name} in {unit} by day of the question (UTC). {smoothing}{beneath}{aim}");
    let details = table(run, measure);
    format!(
        "<figure class=\"trend\" data-unit=\"{}\" data-points=\"{}\">\
         <div class=\"head\">{}<p class=\"readout\" aria-hidden=\"true\"></p></div>{plot}\
         <figcaption>{}</figcaption></figure>{details}",
        escape(&run.unit),
        data(&series, decimals(series.smooth[0][0])),
        legend(),
        escape(&note)
    )
}

/// What the pointer reads: `day questions primary corrected served` joined by `;`.
fn data(series: &Series, places: usize) -> String {
    let mut text = String::new();
    for (place, day) in series.days.iter().enumerate() {
        let values = series.smooth[place].map(|value| fixed(value, places));
        put(
            &mut text,
            format_args!(
                "{day} {} {};",
                series.questions[place],
                values.join(" ").replace(',', "")
            ),
        );
    }
    text
}

fn draw(
    run: &RunReport,
    series: &Series,
    lanes: &[Lane],
    measure: Measure,
    (id, size): (&str, Size),
) -> String {
    let height = match (size, measure) {
        (Size::Wide, Measure::Absolute) => 290.0,
        (Size::Wide, Measure::Signed) => 220.0,
        (Size::Narrow, Measure::Absolute | Measure::Signed) => 210.0,
    };
    let strip = strip::height(lanes);
    let frame = Frame::new(size, height + strip, 26.0 + strip);
    let (low, high) = series.range();
    let ticks = vertical_ticks(low, high);
    let first = series.days[0] as f64;
    let last = series.days[series.days.len() - 1] as f64 + 1.0;
    let (x, y) = (frame.horizontal(first, last), frame.vertical(&ticks));
    let title = format!("{} over time, {}", measure.name(), run.definition);
    let about = describe(run, series, measure);
    let title = Title { id, title: &title, description: &about };
    let data = format!(
        " data-plot=\"{} {} {} {}\" data-days=\"{first} {last}\"",
        x.start, x.end, y.end, y.start
    );
    let mut svg = Svg::new(frame, title, &data);
    svg.vertical_axis(&y, &ticks, "");
    svg.time_axis(&x, frame.height - frame.bottom + 2.0);
    svg.clip();
    if series.is_smoothed {
        for source in [0, 2] {
            let points = series.points(&series.raw, source, &x, &y);
            svg.path(&format!("raw {}", SOURCES[source].1), &points);
        }
    }
    // The widest lies lowest: where lines coincide, all are seen.
    for source in [2, 0, 1] {
        let points = series.points(&series.smooth, source, &x, &y);
        svg.path(&format!("series {}", SOURCES[source].1), &points);
    }
    svg.unclip();
    if size == Size::Wide {
        name_lines(&mut svg, series, &y, x.end + 8.0);
    }
    strip::draw(&mut svg, run, lanes, &x);
    svg.finish()
}

/// Writes each line's name at its end, apart from one another.
fn name_lines(svg: &mut Svg, series: &Series, y: &Scale, x: f64) {
    let Some(last) = series.smooth.last() else { return };
    let mut names: Vec<_> = (0..3).map(|source| (y.clamped(last[source]), source)).collect();
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    let middle = names[1].0.clamp(y.end + 16.0, y.start - 16.0);
    let places = [names[0].0.min(middle - 14.0), middle, names[2].0.max(middle + 14.0)];
    for ((_, source), place) in names.into_iter().zip(places) {
        let (name, class) = SOURCES[source];
        svg.label(&format!("name {class}"), (x, place + 4.0), name);
    }
}

fn describe(run: &RunReport, series: &Series, measure: Measure) -> String {
    let places = decimals(series.smooth[0][0]);
    let ends = |values: &[f64; 3]| {
        let pairs = SOURCES.iter().zip(values);
        let texts: Vec<_> =
            pairs.map(|((name, _), value)| format!("{name} {}", fixed(*value, places))).collect();
        texts.join(", ")
    };
    let (first, last) = (&series.smooth[0], &series.smooth[series.smooth.len() - 1]);
    format!(
        "{} in {} over {} days. First: {}. Last: {}. The numbers stand in the table that follows.",
        measure.name(),
        run.unit,
        count(series.days.len() as u64),
        ends(first),
        ends(last)
    )
}

/// The same as numbers: by day, or by month where there are many days.
fn table(run: &RunReport, measure: Measure) -> String {
    let by_month = run.days.len() > 62;
    let mut groups: Vec<(&str, Vec<Sums>)> = Vec::new();
    for day in &run.days {
        let end = if by_month { day.day.len().saturating_sub(3) } else { day.day.len() };
        let name = day.day.get(..end).unwrap_or(&day.day);
        match groups.last_mut().filter(|(last, _)| *last == name) {
            Some((_, sums)) => sums.push(day.sums),
            None => groups.push((name, vec![day.sums])),
        }
    }
    let period = if by_month { "month" } else { "day" };
    let mut table = Table::new(
        "",
        &[
            (Align::Text, period),
            (Align::Number, "questions"),
            (Align::Number, "primary"),
            (Align::Number, "corrected"),
            (Align::Number, "as served"),
        ],
    );
    let places = decimals(run.primary.mae.unwrap_or_default());
    for (name, sums) in groups {
        let sums = total(&sums);
        let mut cells = vec![escape(name), count(sums.questions)];
        cells.extend(measure.of(&sums).map(|value| figure(&fixed(value, places))));
        table.row(&cells);
    }
    let summary = format!("{} by {period}, in {}", measure.name(), run.unit);
    let summary = wrapped("summary", "", &escape(&summary));
    format!("<details>{summary}{}</details>", table.finish())
}
