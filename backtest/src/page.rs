//! The report as one HTML file: it asks nothing of any network, and is read without scripts, in
//! light and dark, on a telephone, on paper and aloud.
//!
//! Plots are drawn here as SVG, each followed by its numbers as a table. Every text from data or
//! definition is escaped on its way in (`markup`).

mod chart;
mod gate;
mod markup;
mod scale;
mod segments;
mod spread;
mod strip;
mod tables;
mod trend;

use crate::findings::missing;
use crate::report::{Report, RunReport};
use crate::wording::{NONE, count, counted, decimals, fixed, moment, percent, signed};
use markup::{element, escape, figure, prose, put, wrapped};
use trend::Measure;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");
/// A page that loads nothing needs leave for nothing but what it carries.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      base-uri 'none'; form-action 'none'";

/// The report as an HTML document.
#[must_use]
pub fn html(report: &Report) -> String {
    let names: Vec<_> = report.runs.iter().map(|run| run.definition.as_str()).collect();
    let title = format!("{} \u{b7} backtest", names.join(", "));
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        escape(&title)
    );
    match report.runs.as_slice() {
        [] => text.push_str(&element("p", "lead", "Nothing was replayed.")),
        [only] => text.push_str(&run(only, 1, 1)),
        runs => {
            text.push_str(&comparison(report));
            for (index, one) in runs.iter().enumerate() {
                text.push_str(&run(one, index + 1, runs.len()));
            }
        }
    }
    put(
        &mut text,
        format_args!(
            "\n<footer>Written by <code>trueup backtest</code>. Errors are actual \u{2212} answer; \
             every answer is scored as it was given when its question was asked.</footer>\n\
             <script>\n{SCRIPT}</script>\n</body>\n</html>\n"
        ),
    );
    text
}

/// The figures and the errors over time, as a piece of a larger page such as a notebook: without a
/// script, and styled without an effect on what surrounds it.
#[must_use]
pub fn excerpt(report: &Report) -> String {
    let scoped = STYLE.replace(":root {", "& {").replace("body {", "& {").replace("html {", "& {");
    let mut text = format!("<div class=\"trueup\"><style>.trueup {{\n{scoped}}}</style>");
    if report.runs.len() > 1 {
        text.push_str(&comparison(report));
    }
    for (index, run) in report.runs.iter().enumerate() {
        put(&mut text, format_args!("<h1>{}</h1>", escape(&run.definition)));
        text.push_str(&element("p", "meta", &period(run)));
        text.push_str(&wrapped("p", "lead", &figure(&lead(run))));
        text.push_str(&notice(run));
        if run.primary.mae.is_some() {
            text.push_str(&figures(run));
            text.push_str(&tables::metrics(run));
        }
        let id = format!("excerpt-{}-{}", index + 1, run.digest);
        text.push_str(&trend::trend(run, &id, Measure::Absolute));
    }
    text.push_str("</div>");
    text
}

/// What several definitions have in common, and how they differ.
fn comparison(report: &Report) -> String {
    let runs = &report.runs;
    let unit = runs.first().map_or("", |run| run.unit.as_str());
    let heading = format!("{} compared", counted(runs.len() as u64, "definition"));
    let period = runs.first().map_or(String::new(), period);
    let header = format!(
        "<header>{}{}{}</header>",
        element("p", "over", "Backtest"),
        element("h1", "", &heading),
        element("p", "meta", &period)
    );
    format!(
        "{header}{}{}",
        gate::comparisons(&report.comparisons, unit),
        tables::side_by_side(runs)
    )
}

fn run(run: &RunReport, number: usize, of: usize) -> String {
    let id = |name: &str| format!("run-{number}-{name}");
    let heading =
        if of > 1 { format!("Definition {number} of {of}") } else { "Backtest".to_owned() };
    let facts = [&run.environment, &run.learner, &run.objective].map(String::as_str);
    let meta = format!("{} \u{b7} {}", facts.join(" \u{b7} "), period(run));
    let mut text = format!(
        "<article class=\"{}\" id=\"run-{number}\">{}<h1>{}</h1>{}",
        if of > 1 { "run" } else { "sole" },
        element("p", "over", &heading),
        escape(&run.definition),
        element("p", "meta", &meta)
    );
    text.push_str(&wrapped("p", "lead", &figure(&lead(run))));
    text.push_str(&notice(run));
    if run.primary.mae.is_some() {
        text.push_str(&figures(run));
        text.push_str(&tables::metrics(run));
    }
    let bias = trend::trend(run, &id("bias"), Measure::Signed);
    let drifts = tables::drifts(&run.drifts);
    let errors = trend::trend(run, &id("errors"), Measure::Absolute);
    for (title, body) in [
        ("Error over time", errors + &drifts),
        ("Bias over time", bias),
        ("Bias by segment", segments::segments(run)),
        ("Spread of errors", spread::spread(run, &id("spread"))),
        ("The gate", gate::gate(run, &id("gate"))),
        ("Events", tables::events(run)),
        ("What it rests on", tables::foundation(run)),
    ] {
        if !body.is_empty() {
            put(&mut text, format_args!("<section>{}{body}</section>", element("h2", "", title)));
        }
    }
    text.push_str("</article>");
    text
}

fn period(run: &RunReport) -> String {
    let stream = &run.question_event;
    let questions = counted(stream.fed, "question");
    match stream.first.as_deref().zip(stream.last.as_deref()) {
        Some((first, last)) => format!("{questions}, {} to {}", moment(first), moment(last)),
        None => questions,
    }
}

/// The finding, in a sentence or two.
fn lead(run: &RunReport) -> String {
    let unit = &run.unit;
    let (Some(primary), Some(corrected), Some(served)) =
        (run.primary.mae, run.corrected.mae, run.as_served.mae)
    else {
        return "No question could be scored.".to_owned();
    };
    let places = decimals(primary);
    let [before, instant, after] = [primary, corrected, served].map(|value| fixed(value, places));
    let Some(since) = &run.since_admission else {
        return format!(
            "No version was admitted, so the primary estimate was served: a mean absolute error of \
             {before} {unit}. The learner's own answers had {instant}, {}.",
            change(primary, corrected)
        );
    };
    let moved = match (before == after, served < primary) {
        (true, _) => format!("stayed at {before} {unit}"),
        (false, true) => {
            format!("fell from {before} to {after} {unit}, {}", change(primary, served))
        }
        (false, false) => {
            format!("rose from {before} to {after} {unit}, {}", change(primary, served))
        }
    };
    format!(
        "As served, the mean absolute error {moved}. The first version was admitted after {} days; \
         since then it was {} than that of the learner's own answers.",
        fixed(since.days_to_admission, 1),
        change(since.corrected_mae, since.served_mae)
    )
}

/// `17.1 % lower`.
fn change(before: f64, after: f64) -> String {
    let change = (after / before - 1.0) * 100.0;
    if !change.is_finite() {
        return "which no percentage can say,".to_owned();
    }
    let text = fixed(change.abs(), 1);
    match text.as_str() {
        "0.0" => "less than 0.1 % other".to_owned(),
        _ if change < 0.0 => format!("{text} % lower"),
        _ => format!("{text} % higher"),
    }
}

fn notice(run: &RunReport) -> String {
    let said = missing(run);
    if said.is_empty() {
        return String::new();
    }
    let mut text = String::from("<div class=\"notice\" role=\"note\">");
    for (said, hints) in said {
        let mut first = said.chars();
        let start = first.next().map_or(String::new(), |c| c.to_uppercase().to_string());
        put(&mut text, format_args!("<p>{}.</p>", prose(&format!("{start}{}", first.as_str()))));
        for hint in hints {
            put(&mut text, format_args!("<p class=\"aside\">Hint: {}</p>", prose(&hint)));
        }
    }
    text.push_str("</div>");
    text
}

/// The four numbers to remember: as served, with the primary's beneath.
fn figures(run: &RunReport) -> String {
    let (primary, served) = (&run.primary, &run.as_served);
    let places = decimals(primary.mae.unwrap_or_default());
    let plain = |value: Option<f64>| value.map_or(NONE.to_owned(), |v| fixed(v, places));
    let with_sign = |value: Option<f64>| value.map_or(NONE.to_owned(), |v| signed(v, places));
    let share = |value: Option<f64>| value.map_or(NONE.to_owned(), |v| format!("{} %", percent(v)));
    let within = format!("Within 15 {}", run.unit);
    let rows = [
        ("Mean absolute error", plain(served.mae), plain(primary.mae)),
        ("Bias (actual \u{2212} answer)", with_sign(served.bias), with_sign(primary.bias)),
        ("p90 of absolute errors", plain(served.p90), plain(primary.p90)),
        (within.as_str(), share(served.within_15), share(primary.within_15)),
    ];
    let mut text = String::from("<dl class=\"figures\">");
    for (name, now, was) in rows {
        put(
            &mut text,
            format_args!(
                "<div><dt>{}</dt><dd class=\"big\">{}</dd><dd class=\"was\">primary {}</dd></div>",
                escape(name),
                figure(&now),
                figure(&was)
            ),
        );
    }
    text.push_str("</dl>");
    let scored = count(run.counts.learned);
    let note = format!("As served, over {scored} labelled questions; in {}.", run.unit);
    text.push_str(&element("p", "aside", &note));
    text
}

#[cfg(test)]
mod tests;
