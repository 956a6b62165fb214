//! The page is sound whatever the data say, and asks nothing of any network.

use super::*;
use crate::fixture;
use crate::report::{Metrics, Sums};
use std::collections::BTreeSet;

fn page(run: RunReport) -> String {
    html(&Report { runs: vec![run], comparisons: Vec::new() })
}

/// Every report that a test draws.
fn all() -> Vec<Report> {
    let mut wild = fixture::run();
    wild.primary = Metrics { mae: Some(f64::NAN), bias: Some(f64::INFINITY), ..wild.primary };
    wild.days[3].sums = Sums { questions: 1, absolute: [f64::MAX; 3], signed: [f64::NAN; 3] };
    wild.days[5].day = "not a day".to_owned();
    wild.gate.improvement = Some([0.0, f64::MIN, f64::MAX]);
    wild.segments[0].values[0].sums.signed = [f64::NEG_INFINITY; 3];
    let mut brief = fixture::run();
    brief.days.truncate(1);
    brief.gate.timeline.clear();
    let singles = [
        fixture::run(),
        fixture::nothing_fed(),
        fixture::unmatched(),
        fixture::never_admitted(),
        wild,
        brief,
    ];
    let single = |run| Report { runs: vec![run], comparisons: Vec::new() };
    let mut reports: Vec<_> = singles.into_iter().map(single).collect();
    reports.push(fixture::pair());
    reports.push(Report { runs: Vec::new(), comparisons: Vec::new() });
    reports
}

/// The tags of a document in order, as (name, attributes after a space); fails where they are not
/// well formed.
fn tags(html: &str) -> Vec<(String, String)> {
    let body = html.strip_prefix("<!doctype html>\n").expect("a document type");
    let (mut rest, mut open, mut tags) = (body, Vec::new(), Vec::new());
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed in order");
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert_eq!(attributes.matches('"').count() % 2, 0, "quotes are paired: {tag}");
        tags.push((name.to_owned(), format!(" {attributes}")));
        if matches!(name, "script" | "style") {
            let close = format!("</{name}>");
            rest = &rest[rest.find(&close).expect("it ends")..];
        }
        if name != "meta" && !attributes.ends_with('/') {
            open.push(name.to_owned());
        }
    }
    assert_eq!(open, Vec::<String>::new(), "all are closed");
    tags
}

fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = attributes.split_once(&format!("{name}=\""))?;
    value.split_once('"').map(|(value, _)| value)
}

#[test]
fn every_page_is_well_formed() {
    for report in all() {
        let html = html(&report);
        let tags = tags(&html);
        let mut ids = BTreeSet::new();
        for id in tags.iter().filter_map(|(_, a)| attribute(a, " id")) {
            assert!(ids.insert(id.to_owned()), "id twice: {id}");
        }
        for (name, attributes) in &tags {
            let names = attribute(attributes, "aria-labelledby").unwrap_or_default();
            assert!(names.split_whitespace().all(|id| ids.contains(id)), "{names}");
            let is_image = attributes.contains("role=\"img\"");
            let is_silent = attributes.contains("aria-hidden=\"true\"");
            let is_nested =
                attribute(attributes, "viewBox").is_some() && attributes.starts_with(" x=");
            assert!(name != "svg" || is_image || is_silent || is_nested, "{attributes}");
            for place in ["x", "y", "x1", "x2", "y1", "y2", "width", "height", "d"] {
                let value = attribute(attributes, &format!(" {place}")).unwrap_or_default();
                assert!(!value.contains("NaN") && !value.contains("inf"), "{name} {attributes}");
            }
        }
    }
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    for report in all() {
        let html = html(&report);
        for outside in ["http:", "https:", "src=", "@import", "url(", "<link", "<iframe", "fetch("]
        {
            assert!(!html.contains(outside), "{outside}");
        }
        let links: Vec<_> = html.match_indices("href=\"").collect();
        assert!(links.iter().all(|(place, link)| html[place + link.len()..].starts_with('#')));
    }
}

/// Replaces every text in a report; the gate's verdicts are a closed set, and a digest is no text.
fn replace(value: &mut serde_json::Value, text: &str) {
    match value {
        serde_json::Value::String(old) => *old = text.to_owned(),
        serde_json::Value::Array(values) => values.iter_mut().for_each(|v| replace(v, text)),
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                let is_verdict = value.is_object() || value == "refreshed";
                if !(name == "verdict" && is_verdict || name == "digest") {
                    replace(value, text);
                }
            }
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

#[test]
fn hostile_names_stay_text() {
    let hostile = "</title><script>alert(1)</script>\" onload='x' &amp;\u{0}";
    let mut value = serde_json::to_value(fixture::pair()).expect("a report is data");
    replace(&mut value, hostile);
    let report: Report = serde_json::from_value(value).expect("texts are free");
    for html in [page(report.runs[0].clone()), html(&report)] {
        let scripts = tags(&html).iter().filter(|(name, _)| name == "script").count();
        assert_eq!(scripts, 1, "only the page's own");
        assert!(!html.contains("<script>alert"));
        assert!(
            html.contains(
                "&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&#39;x&#39; &amp;amp;"
            )
        );
    }
}

#[test]
fn the_lead_tells_what_happened() {
    let lead = lead(&fixture::run());
    assert_eq!(
        lead,
        "As served, the mean absolute error fell from 14.50 to 12.25 minutes, 15.5 % lower. The \
         first version was admitted after 1.6 days; since then it was 1.0 % higher than that of \
         the learner's own answers."
    );
    let html = page(fixture::never_admitted());
    assert!(html.contains("No version was admitted, so the primary estimate was served"), "{html}");
    assert!(html.contains("The improvement") || html.contains("is not proved"), "{html}");
    let html = page(fixture::run());
    assert!(
        html.contains("p95 worse by 0.81 than the champion for <code>JFK</code>"),
        "the value has a name"
    );
}

#[test]
fn ten_thousand_verdicts_draw_as_few_marks() {
    let mut run = fixture::run();
    let last = run.gate.timeline.len() - 1;
    for index in 0..10_000 {
        let next = run.gate.timeline[if index % 2 == 0 { last } else { 2 }].clone();
        run.gate.timeline.push(next);
    }
    let more = page(run).len();
    let less = page(fixture::run()).len();
    assert!(more < less + 40_000, "{more} and {less} bytes");
}

#[test]
fn an_excerpt_has_no_script_and_leaves_the_page_around_it_alone() {
    for report in all() {
        let html = excerpt(&report);
        let tags = tags(&format!("<!doctype html>\n{html}"));
        assert!(!tags.iter().any(|(name, _)| matches!(&**name, "script" | "html" | "body")));
        let style = html.split("</style>").next().unwrap();
        assert!(style.starts_with("<div class=\"trueup\"><style>.trueup {"));
        for reaching in [":root", "body", "html"] {
            assert!(!style.contains(&format!("{reaching} {{")), "`{reaching}` is styled");
        }
    }
    let html = excerpt(&Report { runs: vec![fixture::run()], comparisons: Vec::new() });
    assert!(html.contains("<svg") && html.contains("<table"));
}
