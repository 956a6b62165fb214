//! The job that the project exists for: a year of flights, two definitions side by side.

use crate::support::{Project, assert_adds_up, count, digest, number};
use serde_json::Value;

const QUESTIONS: u64 = 328_521;
const LABELS: u64 = 327_346;
const ARTIFACT_BYTES_MAX: u64 = 200_000_000;

#[test]
fn a_year_of_flights_is_corrected_as_promised() {
    let project = Project::flights();
    let report = project.backtest("flight_eta flight_eta_mean");
    let [median, mean] = [0, 1].map(|index| &report["runs"][index]);
    for (run, name) in [(median, "flight_eta"), (mean, "flight_eta_mean")] {
        assert_eq!(run["definition"], name);
        every_row_is_accounted_for(run);
        the_primary_estimate_is_as_published(run);
        serving_keeps_up_with_the_learner(run);
        whatever_a_script_reads_is_there(run);
    }
    assert!(number(median, "corrected.mae") <= 11.9, "{}", median["corrected"]);
    assert!(number(mean, "corrected.mae") <= 12.3, "{}", mean["corrected"]);
    assert!(number(mean, "corrected.bias").abs() <= 0.2, "{}", mean["corrected"]);
    the_two_are_compared(&report);
}

fn every_row_is_accounted_for(run: &Value) {
    assert_adds_up(run);
    assert_eq!(count(run, "counts.fed"), QUESTIONS);
    assert_eq!(count(run, "counts.learned"), LABELS);
    assert_eq!(count(run, "labels.fed"), LABELS);
    assert_eq!(count(run, "labels.joined"), LABELS);
    assert_eq!(run["dead_letters"], Value::Array(Vec::new()));
}

fn the_primary_estimate_is_as_published(run: &Value) {
    assert!((number(run, "primary.mae") - 14.489).abs() < 0.001, "{}", run["primary"]);
    assert!((number(run, "primary.bias") + 5.660).abs() < 0.001, "{}", run["primary"]);
}

fn serving_keeps_up_with_the_learner(run: &Value) {
    let since = &run["since_admission"];
    let (served, corrected) = (number(since, "served_mae"), number(since, "corrected_mae"));
    assert!(served <= corrected * 1.015, "{since}");
    assert!(number(since, "primary_mae") > 14.0, "{since}");
    assert!(number(since, "days_to_admission") < 7.0, "{since}");
    let bytes = count(run, "artifacts.base_bytes") + count(run, "artifacts.delta_bytes");
    assert!(bytes <= ARTIFACT_BYTES_MAX, "{}", run["artifacts"]);
    assert!(count(run, "artifacts.deltas") > 0, "{}", run["artifacts"]);
}

fn whatever_a_script_reads_is_there(run: &Value) {
    for source in ["primary", "corrected", "as_served"] {
        for metric in ["mae", "bias", "rmse"] {
            assert!(number(&run[source], metric).is_finite());
        }
    }
    assert!(number(run, "events_per_second") > 0.0);
    assert_eq!(digest(run).len(), 64);
    let days: u64 = run["days"].as_array().unwrap().iter().map(|day| count(day, "questions")).sum();
    assert_eq!(days, LABELS, "the days hold every labelled question");
}

fn the_two_are_compared(report: &Value) {
    let comparisons = report["comparisons"].as_array().unwrap();
    assert_eq!(comparisons.len(), 1);
    let comparison = &comparisons[0];
    assert_eq!(comparison["baseline"], "flight_eta");
    assert_eq!(comparison["definition"], "flight_eta_mean");
    assert_eq!(count(comparison, "units"), LABELS);
    let [median, mean] = [0, 1].map(|index| number(&report["runs"][index], "corrected.mae"));
    // Every flight asks once, so that units are questions and the means differ by as much.
    let difference = number(comparison, "difference");
    assert!((difference - (median - mean)).abs() < 1e-9, "{comparison}");
    let [lower, upper] = [0, 1].map(|index| comparison["bounds"][index].as_f64().unwrap());
    assert!(lower < difference && difference < upper, "{comparison}");
    let verdict = if lower > 0.0 {
        "better"
    } else if upper < 0.0 {
        "worse"
    } else {
        "undecided"
    };
    assert_eq!(comparison["verdict"], verdict);
}

#[test]
fn the_table_says_what_the_json_says() {
    let project = Project::flights();
    let arguments = "flight_eta --to 2013-01-20";
    let run = project.backtest_one(arguments);
    let table = project.run(&format!("backtest {arguments} --report page.html")).ok();
    for words in [
        format!("{:.2}", number(&run, "primary.mae")),
        format!("{:.2}", number(&run, "corrected.mae")),
        format!("{:.2}", number(&run, "as_served.mae")),
        digest(&run)[..16].to_owned(),
        "16,292 questions".to_owned(),
    ] {
        assert!(table.stdout.contains(&words), "it does not say `{words}`\n{table}");
    }
    let page = project.read("page.html");
    assert!(page.contains("flight_eta") && page.contains("<svg"), "the page has plots");
}
