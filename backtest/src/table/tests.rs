//! The summary as a whole, and the explanations of empty results.

use super::*;
use crate::fixture;

fn shown(run: RunReport, width: usize) -> String {
    let report = Report { runs: vec![run], comparisons: Vec::new() };
    text(&report, Style { colour: Colour::Plain, width })
}

/// What stands between the streams and the gate.
fn explanation(run: RunReport) -> String {
    let text = shown(run, 96);
    text.rsplit("\n\n").nth(1).expect("a paragraph before the last").to_owned()
}

#[test]
fn a_typical_replay() {
    let expected = "\
flight_eta  local  stacked  median
departures  12,345 questions  2013-01-01 10:00Z to 2013-02-09 05:00Z
arrivals    12,100 labels     99.2 % matched; delay p50 2h40m, p99 6h47m

minutes                         primary      corrected      as served
mean absolute error               14.50          12.00          12.25
bias (actual - answer)            -5.66           0.12           0.25
root mean squared error           18.12          15.00          15.31
p50 / p90 / p95          10.9/29.0/36.2  9.0/24.0/30.0  9.2/24.5/30.6
within 5 / 15               23.8/>99.9%    23.8/>99.9%    23.8/>99.9%

minutes                         linear
mean absolute error              13.00
bias (actual - answer)            1.00
root mean squared error          16.25
p50 / p90 / p95          9.8/26.0/32.5
within 5 / 15              23.8/>99.9%

gate        900 candidates: 1 admitted, 839 refreshed, 60 refused (20 guard, 40
            not better); 24 publish points with nothing new
admitted    2013-01-03 00:00Z, 1.6 days after the first question
since then  served 12.12 minutes, 1.0 % above the instant learner's 12.00;
            primary 14.50; 11,500 questions
evidence    2.56 minutes better per unit (2.00 to 3.12) on 12,000 independent
            units
artifacts   9 bases 1.2 MB + 891 deltas 6.1 MB
questions   12,345 fed = 12,000 learned + 45 pending + 300 expired
labels      12,100 fed = 12,000 joined + 88 orphan + 12 quarantined
set aside   12 arrivals not finite: data/arrivals.parquet, row 7: actual_minutes
            is NaN
drift       1 alarm; last 2013-01-21 03:00Z by adwin: mean absolute error 11.50
            to 14.25 minutes
digest      01080f161d242b32  412,346 events/s, 0.060 s
next        trueup backtest flight_eta --report report.html
            trueup init --from YOUR.parquet
";
    assert_eq!(shown(fixture::run(), 80), expected);
}

#[test]
fn an_empty_result_explains_itself() {
    let none = explanation(fixture::nothing_fed());
    assert_eq!(
        none,
        "\
no question was fed: 0 rows came from `data/departures.parquet`
hint: look at `events.departures` under [environment.local] in trueup.toml, and at `--from` and
`--to`
no label was fed: the time of all 7 rows is null in `data/arrivals.parquet`
hint: is `time` of [event.arrivals] in trueup.toml the right column?"
    );
    let unmatched = explanation(fixture::unmatched());
    assert_eq!(
        unmatched,
        "\
0 of 12,100 labels joined
hint: labels run from 2013-02-20T00:00:00Z to 2013-04-01T00:00:00Z, questions from
2013-01-01T10:00:00Z to 2013-02-09T05:00:00Z: are both times in the same zone?
hint: 12 labels set aside: the reasons stand below
hint: 12,088 labels found no question: do both `join` columns hold the same values of the same
type, and is `wait` under [label] longer than labels take?"
    );
    let refused = explanation(fixture::never_admitted());
    assert_eq!(
        refused,
        "\
no version was admitted: the improvement of 0.12 minutes per unit is not proved; its lower bound
is -0.25 after 12,000 units, and must be above 0"
    );
}

#[test]
fn definitions_stand_side_by_side() {
    let style = Style { colour: Colour::Plain, width: 100 };
    let expected = "\
flight_eta  flight_eta_mean  local
departures  12,345 questions  2013-01-01 10:00Z to 2013-02-09 05:00Z
arrivals    12,100 labels     99.2 % matched; delay p50 2h40m, p99 6h47m

minutes                                  flight_eta   flight_eta_mean
learner                                     stacked           stacked
objective                                    median              mean
primary mean absolute error                   14.50             14.50
corrected mean absolute error                 12.00             12.00
as served mean absolute error                 12.25             12.25
as served bias (actual - answer)               0.25              0.25
as served root mean squared error             15.31             15.31
as served p50 / p90 / p95             9.2/24.5/30.6     9.2/24.5/30.6
as served within 5 / 15                 23.8/>99.9%       23.8/>99.9%
questions learned                            12,000            12,000
days to admission                               1.6               1.6
candidates refused                               60                60
digest                             01080f161d242b32  01080f161d242b32

flight_eta_mean is worse than flight_eta by 0.23 minutes per unit (0.20 to 0.26, 95 %) on 12,000
units

next        trueup backtest flight_eta flight_eta_mean --report report.html
";
    assert_eq!(text(&fixture::pair(), style), expected);
}

#[test]
fn a_sum_that_does_not_come_out_is_not_hidden() {
    assert_eq!(sum(0, &[(0, "learned")]), "0 fed");
    assert_eq!(sum(1_200, &[(1_000, "learned"), (0, "late")]), "1,200 fed is not 1,000 learned");
}

#[test]
fn narrow_terminals_lose_nothing() {
    let wide = shown(fixture::run(), 0);
    let narrow = shown(fixture::run(), 44);
    let words = |text: &str| -> std::collections::BTreeSet<String> {
        text.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(words(&narrow), words(&wide));
    let longest = narrow.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(44), "{narrow}");
}

#[test]
fn data_cannot_write_to_the_terminal() {
    let mut run = fixture::run();
    run.definition = "eta\u{1b}[2J".to_owned();
    run.dead_letters[0].example = "row 1:\r\u{7}".to_owned();
    run.challengers[0].name = "\u{9b}31m".to_owned();
    let text = shown(run, 80);
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
}

#[test]
fn colour_carries_no_meaning() {
    let report = Report { runs: vec![fixture::never_admitted()], comparisons: Vec::new() };
    let coloured = text(&report, Style { colour: Colour::Ansi, width: 80 });
    let mut plain = coloured.clone();
    for code in ["\u{1b}[1m", "\u{1b}[2m", "\u{1b}[0m"] {
        plain = plain.replace(code, "");
    }
    assert_ne!(coloured, plain);
    let lines = |text: &str| -> Vec<_> { text.lines().map(|l| l.trim_end().to_owned()).collect() };
    assert_eq!(lines(&plain), lines(&shown(fixture::never_admitted(), 80)));
}
