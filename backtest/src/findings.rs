//! What a replay found, in sentences without their full stop: shared by the table and the page.

use crate::report::{Comparison, RunReport, StreamReport};
use crate::wording::{
    count, counted, fixed, interval_decimals, plain, verdict_detail, verdict_name,
};
use trueup_learner::gate::Verdict;

/// Sentences, each with hints of what to look at.
pub(crate) type Said = Vec<(String, Vec<String>)>;

/// Says what is missing, if anything is: events, matches, or an admitted version.
pub(crate) fn missing(run: &RunReport) -> Said {
    let sides = [(&run.question_event, "question"), (&run.label_event, "label")];
    let empty: Said = sides
        .into_iter()
        .filter(|(stream, _)| stream.fed == 0)
        .map(|(stream, noun)| nothing_fed(run, stream, noun))
        .collect();
    if !empty.is_empty() {
        return empty;
    }
    if run.labels.joined == 0 {
        return vec![nothing_joined(run)];
    }
    if run.gate.admitted == 0 { vec![(never_admitted(run), Vec::new())] } else { Vec::new() }
}

fn nothing_fed(run: &RunReport, stream: &StreamReport, noun: &str) -> (String, Vec<String>) {
    let location = plain(&stream.location);
    if stream.not_yet > 0 {
        let rows = counted(stream.not_yet, "row");
        let text = format!("no {noun} was fed: the time of all {rows} is null in `{location}`");
        let event = plain(&stream.event);
        return (
            text,
            vec![format!("is `time` of [event.{event}] in trueup.toml the right column?")],
        );
    }
    let text = format!("no {noun} was fed: 0 rows came from `{location}`");
    let key = format!("events.{}", plain(&stream.event));
    let place = format!("[environment.{}]", plain(&run.environment));
    (
        text,
        vec![format!("look at `{key}` under {place} in trueup.toml, and at `--from` and `--to`")],
    )
}

fn nothing_joined(run: &RunReport) -> (String, Vec<String>) {
    let text = format!("0 of {} joined", counted(run.labels.fed, "label"));
    let mut hints = Vec::new();
    let (questions, labels) = (&run.question_event, &run.label_event);
    if let (Some(asked_from), Some(asked_until), Some(from), Some(until)) =
        (&questions.first, &questions.last, &labels.first, &labels.last)
        && (from > asked_until || until < asked_from)
    {
        hints.push(format!(
            "labels run from {} to {}, questions from {} to {}: are both times in the same zone?",
            plain(from),
            plain(until),
            plain(asked_from),
            plain(asked_until)
        ));
    }
    if run.labels.expired > 0 {
        let late = counted(run.labels.expired, "label");
        hints.push(format!("{late} came after the wait was over: raise `wait` under [label]"));
    }
    let lost = run.labels.quarantined + run.labels.late;
    if lost > 0 {
        hints.push(format!("{} set aside: the reasons stand below", counted(lost, "label")));
    }
    let unmatched = run.labels.orphan + run.labels.waiting;
    if unmatched > 0 {
        hints.push(format!(
            "{} found no question: do both `join` columns hold the same values of the same type, \
             and is `wait` under [label] longer than labels take?",
            counted(unmatched, "label")
        ));
    }
    (text, hints)
}

fn never_admitted(run: &RunReport) -> String {
    let main = run.gate.timeline.iter().rev().find(|verdicts| verdicts.lineage == 0);
    let Some(last) = main else {
        return "no version was admitted: no publish point was reached".to_owned();
    };
    let name = verdict_name(&last.verdict);
    let unit = plain(&run.unit);
    match (&last.verdict, run.gate.improvement) {
        (Verdict::Refused(refusal), Some([mean, lower, _])) if refusal.name() == "not_better" => {
            format!(
                "no version was admitted: the improvement of {} {unit} per unit is not proved; its \
                 lower bound is {} after {}, and must be above 0",
                fixed(mean, interval_decimals(mean)),
                fixed(lower, interval_decimals(mean)),
                counted(run.gate.units, "unit")
            )
        }
        (Verdict::Refused(refusal), _) if refusal.name() == "too_little_evidence" => {
            let detail = verdict_detail(&last.verdict, run);
            format!(
                "no version was admitted: too little evidence ({detail} when first asked, {} at \
                 the end)",
                count(run.gate.units)
            )
        }
        (Verdict::Refused(_), _) => {
            let detail = verdict_detail(&last.verdict, run);
            format!("no version was admitted; last {name}: {detail}")
        }
        (Verdict::Admitted { .. } | Verdict::Refreshed | Verdict::Unchanged, _) => {
            format!("no version was admitted; the last candidate was {name}")
        }
    }
}

/// What a paired comparison found, in one sentence without its full stop.
pub(crate) fn sentence(comparison: &Comparison, unit: &str) -> String {
    let [baseline, definition] = [&comparison.baseline, &comparison.definition].map(|n| plain(n));
    let (Some(difference), Some([lower, upper])) = (comparison.difference, comparison.bounds)
    else {
        return format!(
            "{definition} and {baseline} were not compared: {} answered by both",
            counted(comparison.units, "unit")
        );
    };
    let places = interval_decimals(difference);
    let unit = plain(unit);
    let units = counted(comparison.units, "unit");
    if comparison.verdict == "undecided" {
        let [mean, lower, upper] = [difference, lower, upper].map(|value| fixed(value, places));
        return format!(
            "{definition} and {baseline} cannot be told apart: {mean} {unit} better per unit \
             ({lower} to {upper}, 95 %) on {units}"
        );
    }
    let (nearer, further) = if difference < 0.0 { (-upper, -lower) } else { (lower, upper) };
    let [mean, lower, upper] =
        [difference.abs(), nearer, further].map(|value| fixed(value, places));
    format!(
        "{definition} is {} than {baseline} by {mean} {unit} per unit ({lower} to {upper}, 95 %) \
         on {units}",
        plain(&comparison.verdict)
    )
}
