//! Data as strangers have them: other names, types, zones, files and ways to say what came true.
//!
//! Each is checked, replayed, and held against a mean absolute error that is computed here.

use crate::support::rows::{self, Random};
use crate::support::{Project, assert_adds_up, count, number};
use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Float32Array, Float64Array, Int8Array, Int64Array,
    LargeStringArray, RecordBatch, StringArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt32Array,
};
use arrow::datatypes::Int32Type;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

const TRIPS: usize = 3000;
const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2024-07-01T00:00:00Z.
const START: i64 = 1_719_792_000_000_000;
const CITIES: [&str; 4] = ["Berlin", "Łódź", "são paulo", "東京"];

/// What happened.
struct Trip {
    /// The moment of the question, in microseconds; whole seconds.
    asked: i64,
    city: usize,
    is_express: bool,
    estimate: f64,
    /// Minutes it took, in whole seconds.
    took: f64,
    /// Whether it has ended.
    is_done: bool,
}

impl Trip {
    fn done(&self) -> i64 {
        self.asked + (self.took * 60.0).round() as i64 * 1_000_000
    }
}

/// Twenty days of trips whose estimates are off by city.
fn trips() -> Vec<Trip> {
    let mut random = Random(2024);
    let trip = |number: usize| {
        let city = random.below(4);
        let estimate = (20.0 + 40.0 * random.share()).round();
        let noise = 6.0 * (random.share() + random.share() - 1.0);
        let off = [9.0, -4.0, 5.0, 0.0][city];
        Trip {
            asked: START + (number as i64 * 20 * DAY / TRIPS as i64) / 1_000_000 * 1_000_000,
            city,
            is_express: random.below(5) == 0,
            estimate,
            took: ((estimate + off + noise) * 60.0).round() / 60.0,
            is_done: random.below(20) > 0,
        }
    };
    (0..TRIPS).map(trip).collect()
}

/// The mean absolute error of `estimate` over the trips that are done.
fn mae(trips: &[Trip], estimate: impl Fn(&Trip) -> Option<f64>) -> f64 {
    let done = trips.iter().filter(|trip| trip.is_done);
    let errors: Vec<f64> =
        done.filter_map(|trip| Some((trip.took - estimate(trip)?).abs())).collect();
    errors.iter().sum::<f64>() / errors.len() as f64
}

fn table<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    let columns = columns.map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn write(path: &Path, rows: &RecordBatch) {
    rows::write(path, rows, 700);
}

/// A column of 64-bit floats.
fn floats(trips: &[Trip], value: impl Fn(&Trip) -> f64) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(trips.iter().map(value)))
}

/// A column of UTC times.
fn times(trips: &[Trip], value: impl Fn(&Trip) -> i64) -> ArrayRef {
    let times = TimestampMicrosecondArray::from_iter_values(trips.iter().map(value));
    Arc::new(times.with_timezone("UTC"))
}

fn keys(trips: &[Trip]) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(0..trips.len() as i64))
}

fn cities(trips: &[Trip]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(trips.iter().map(|trip| CITIES[trip.city])))
}

fn done(trips: Vec<Trip>) -> Vec<Trip> {
    trips.into_iter().filter(|trip| trip.is_done).collect()
}

/// A project of one pipeline; the texts are the keys of each section.
fn project(asked: &str, came: &str, question: &str, label: &str, features: &str) -> Project {
    let toml = format!(
        "[event.asked]\n{asked}\n[event.came]\n{came}\n[environment.local]\n\
         events.asked = \"asked\"\nevents.came = \"came\"\n"
    );
    let pipeline = format!(
        "unit = \"minutes\"\n[question]\nevent = \"asked\"\n{question}\n[label]\n\
         event = \"came\"\nwait = \"6h\"\n{label}\n[features]\n{features}\n[learner]\n\
         kind = \"segment\"\n[gate]\nguard = [{{ metric = \"p95\", worse_by = 1 }}]\n"
    );
    let project = Project::of(&[("trueup.toml", &toml), ("pipelines/trips.toml", &pipeline)]);
    for folder in ["asked", "came"] {
        project.prepared(&format!("{folder}/part-0.parquet"));
    }
    project
}

/// Checks, replays, and holds the primary error against `expected`.
#[track_caller]
fn runs(project: &Project, learned: usize, expected: f64) -> Value {
    project.run("check").ok().says(&["nothing wrong: trips"]);
    let run = project.backtest_one("trips");
    assert_adds_up(&run);
    let all = format!("{} {} {}", run["counts"], run["labels"], run["dead_letters"]);
    assert_eq!(count(&run, "counts.learned"), learned as u64, "{all}");
    let found = number(&run, "primary.mae");
    assert!((found - expected).abs() < 1e-6, "{found} and not {expected}");
    let corrected = number(&run, "corrected.mae");
    assert!(corrected < 0.75 * expected, "what is off by city is learned: {corrected}");
    run
}

fn uuid(number: usize) -> String {
    format!("{:08x}-0000-4000-8000-{:012x}", (number as u32).wrapping_mul(0x9E37_79B1), number)
}

#[test]
fn uuids_local_times_narrow_floats_and_nulls() {
    let project = project(
        "time = \"Requested At\"\nzone = \"Europe/Berlin\"",
        "time = \"finished\"",
        "join = \"trip uuid\"\nestimate = \"model.eta\"",
        "join = \"uuid\"\nvalue = \"took\"",
        "city = \"category\"\nexpress = \"category\"\nlane = \"category\"\n\
         weight = { column = \"express\", as = \"number\" }",
    );
    let trips = trips();
    let has_estimate = |number: usize| number % 50 != 7;
    // In July, Berlin is two hours ahead of UTC.
    let local = trips.iter().map(|trip| (trip.asked + 2 * HOUR) * 1000 + 999);
    let estimates = trips.iter().enumerate();
    let estimates =
        estimates.map(|(n, trip)| has_estimate(n).then_some(trip.estimate as f32 + 0.1));
    let uuids: Vec<String> = (0..TRIPS).map(uuid).collect();
    let city: DictionaryArray<Int32Type> =
        trips.iter().map(|trip| (trip.city != 3).then_some(CITIES[trip.city])).collect();
    write(
        &project.path("asked/part-0.parquet"),
        &table([
            ("trip uuid", Arc::new(StringArray::from_iter_values(&uuids))),
            ("Requested At", Arc::new(TimestampNanosecondArray::from_iter_values(local))),
            ("model.eta", Arc::new(Float32Array::from_iter(estimates))),
            ("city", Arc::new(city)),
            (
                "express",
                Arc::new(BooleanArray::from_iter(trips.iter().map(|t| Some(t.is_express)))),
            ),
            ("lane", Arc::new(Int8Array::from_iter(trips.iter().map(|t| Some(t.city as i8 - 2))))),
        ]),
    );
    let came: Vec<usize> = (0..TRIPS).filter(|number| trips[*number].is_done).collect();
    let finished = came.iter().map(|number| trips[*number].done() / 1_000_000);
    let finished = TimestampSecondArray::from_iter_values(finished).with_timezone("+00:00");
    write(
        &project.path("came/part-0.parquet"),
        &table([
            ("uuid", Arc::new(LargeStringArray::from_iter_values(came.iter().map(|n| &uuids[*n])))),
            ("finished", Arc::new(finished)),
            ("took", Arc::new(Float64Array::from_iter_values(came.iter().map(|n| trips[*n].took)))),
        ]),
    );
    let matched: Vec<&usize> = came.iter().filter(|number| has_estimate(**number)).collect();
    let error = |n: &&usize| (trips[**n].took - f64::from(trips[**n].estimate as f32 + 0.1)).abs();
    let expected = matched.iter().map(error).sum::<f64>() / matched.len() as f64;
    let run = runs(&project, matched.len(), expected);
    assert_eq!(run["question_event"]["first"], "2024-07-01T00:00:00Z", "the zone is obeyed");
    let nulls = (0..TRIPS).filter(|number| !has_estimate(*number)).count() as u64;
    assert_eq!(count(&run, "counts.quarantined"), nulls);
    assert_eq!(count(&run, "labels.orphan") + count(&run, "labels.waiting"), {
        came.len() as u64 - matched.len() as u64
    });
}

#[test]
fn one_wide_file_with_both_events() {
    let project = project(
        "time = \"asked_at\"",
        "time = \"done_at\"",
        "join = \"id\"\nestimate = \"eta\"",
        "join = \"id\"\nvalue = \"took\"",
        "city = \"category\"",
    );
    project.edit("trueup.toml", "\"asked\"\nevents.came = \"came\"", {
        "\"wide.parquet\"\nevents.came = \"wide.parquet\""
    });
    let trips = trips();
    let ended = |trip: &Trip| trip.is_done.then(|| trip.done());
    let done_at = TimestampMicrosecondArray::from_iter(trips.iter().map(ended));
    let took = trips.iter().map(|trip| trip.is_done.then_some(trip.took));
    write(
        &project.path("wide.parquet"),
        &table([
            ("id", keys(&trips)),
            ("asked_at", times(&trips, |trip| trip.asked)),
            ("eta", floats(&trips, |trip| trip.estimate)),
            ("city", cities(&trips)),
            ("done_at", Arc::new(done_at.with_timezone("UTC"))),
            ("took", Arc::new(Float64Array::from_iter(took))),
        ]),
    );
    let learned = trips.iter().filter(|trip| trip.is_done).count();
    let run = runs(&project, learned, mae(&trips, |trip| Some(trip.estimate)));
    assert_eq!(count(&run, "label_event.not_yet"), (TRIPS - learned) as u64);
    assert_eq!(count(&run, "labels.fed"), learned as u64);
    assert_eq!(count(&run, "labels.quarantined"), 0);
}

#[test]
fn folders_of_regions_and_days() {
    let project = project(
        "time = \"at\"",
        "time = \"at\"",
        "join = \"id\"\nestimate = \"eta\"",
        "join = \"id\"\nvalue = \"took\"",
        "region = \"category\"",
    );
    let trips = trips();
    let ids: Vec<i64> = (0..TRIPS as i64).collect();
    for region in 0..4 {
        for day in 0..20 {
            let here = |n: &usize| {
                trips[*n].city == region && (trips[*n].asked - START).div_euclid(DAY) == day
            };
            let chosen: Vec<usize> = (0..TRIPS).filter(here).collect();
            let asked = chosen.iter().map(|n| trips[*n].asked);
            let id = chosen.iter().map(|n| ids[*n]);
            let eta = chosen.iter().map(|n| trips[*n].estimate);
            let rows = table([
                ("id", Arc::new(Int64Array::from_iter_values(id))),
                ("at", {
                    let asked = TimestampMicrosecondArray::from_iter_values(asked);
                    Arc::new(asked.with_timezone("UTC"))
                }),
                ("eta", Arc::new(Float64Array::from_iter_values(eta))),
            ]);
            let path = format!("asked/region=r%2F{region}/dt=2024-07-{:02}/x.parquet", day + 1);
            write(&project.prepared(&path), &rows);
        }
    }
    let labels = done_table(&trips, |trip| trip.took);
    write(&project.path("came/part-0.parquet"), &labels);
    let run = runs(&project, labels.num_rows(), mae(&trips, |trip| Some(trip.estimate)));
    let regions = &run["segments"][0];
    assert_eq!(regions["feature"], "region");
    assert_eq!(count(regions, "distinct"), 4);
    assert!(regions["values"][0]["value"].as_str().unwrap().starts_with("r/"), "{regions}");
}

/// Labels of the trips that are done: `id`, `at`, `took`.
fn done_table(trips: &[Trip], took: impl Fn(&Trip) -> f64) -> RecordBatch {
    let all = table([
        ("id", keys(trips)),
        ("at", times(trips, Trip::done)),
        ("took", floats(trips, took)),
    ]);
    let chosen: Vec<usize> = (0..trips.len()).filter(|n| trips[*n].is_done).collect();
    rows::at(&all, &chosen)
}

/// Questions: `id`, `at`, `eta`, `city`.
fn asked_table(trips: &[Trip]) -> RecordBatch {
    table([
        ("id", keys(trips)),
        ("at", times(trips, |trip| trip.asked)),
        ("eta", floats(trips, |trip| trip.estimate)),
        ("city", cities(trips)),
    ])
}

#[test]
fn the_time_between_two_columns_of_the_label() {
    let project = project(
        "time = \"at\"",
        "time = \"reported_at\"",
        "join = \"id\"\nestimate = \"eta\"",
        "join = \"id\"\nvalue = { from = \"left_at\", until = \"came_at\" }",
        "city = \"category\"",
    );
    let trips = done(trips());
    write(&project.path("asked/part-0.parquet"), &asked_table(&trips));
    // They leave a quarter of an hour after the question, and report ten minutes after arrival.
    let left = trips.iter().map(|trip| (trip.asked + 15 * MINUTE) / 1000);
    write(
        &project.path("came/part-0.parquet"),
        &table([
            ("id", keys(&trips)),
            (
                "left_at",
                Arc::new(TimestampMillisecondArray::from_iter_values(left).with_timezone("UTC")),
            ),
            ("came_at", times(&trips, |trip| trip.done() + 15 * MINUTE)),
            ("reported_at", times(&trips, |trip| trip.done() + 25 * MINUTE)),
        ]),
    );
    runs(&project, trips.len(), mae(&trips, |trip| Some(trip.estimate)));
}

#[test]
fn the_time_since_a_column_of_the_question() {
    let project = project(
        "time = \"at\"",
        "time = \"came_at\"",
        "join = \"id\"\nestimate = \"eta\"",
        "join = \"id\"\nvalue = { from = \"at\", until = \"came_at\" }",
        "city = \"category\"",
    );
    let trips = done(trips());
    write(&project.path("asked/part-0.parquet"), &asked_table(&trips));
    let came = trips.iter().map(|trip| trip.done() * 1000);
    write(
        &project.path("came/part-0.parquet"),
        &table([
            ("id", keys(&trips)),
            (
                "came_at",
                Arc::new(TimestampNanosecondArray::from_iter_values(came).with_timezone("UTC")),
            ),
        ]),
    );
    runs(&project, trips.len(), mae(&trips, |trip| Some(trip.estimate)));
}

#[test]
fn estimates_that_are_refreshed() {
    let project = project(
        "time = \"at\"",
        "time = \"at\"",
        "join = \"id\"\nid = \"request\"\nestimate = \"eta\"",
        "join = \"id\"\nvalue = \"took\"",
        "city = \"category\"",
    );
    let trips = trips();
    // Three estimates of each trip, two of them at the same moment, each better than the last.
    let refreshed = |trip: &Trip, round: usize| {
        (trip.estimate * (3.0 - round as f64) + trip.took * round as f64) / 3.0
    };
    let rounds: Vec<(usize, usize)> =
        (0..TRIPS).flat_map(|n| (0..3).map(move |round| (n, round))).collect();
    let at = rounds.iter().map(|(n, round)| trips[*n].asked + (*round as i64 / 2) * 3 * MINUTE);
    let eta = rounds.iter().map(|(n, round)| refreshed(&trips[*n], *round));
    let city = rounds.iter().map(|(n, _)| CITIES[trips[*n].city]);
    let request = rounds.iter().map(|(_, round)| ["first", "second", "third"][*round]);
    write(
        &project.path("asked/part-0.parquet"),
        &table([
            ("id", Arc::new(Int64Array::from_iter_values(rounds.iter().map(|(n, _)| *n as i64)))),
            ("request", Arc::new(StringArray::from_iter_values(request))),
            ("at", {
                let at = TimestampMicrosecondArray::from_iter_values(at);
                Arc::new(at.with_timezone("UTC"))
            }),
            ("eta", Arc::new(Float64Array::from_iter_values(eta))),
            ("city", Arc::new(StringArray::from_iter_values(city))),
        ]),
    );
    let labels = done_table(&trips, |trip| trip.took);
    write(&project.path("came/part-0.parquet"), &labels);
    let expected =
        (0..3).map(|round| mae(&trips, |trip| Some(refreshed(trip, round)))).sum::<f64>();
    let run = runs(&project, 3 * labels.num_rows(), expected / 3.0);
    assert_eq!(count(&run, "labels.joined"), labels.num_rows() as u64);
    let units = count(&run, "gate.units");
    assert!(units <= labels.num_rows() as u64, "a trip votes once: {units}");
    assert!(units > labels.num_rows() as u64 - 50, "every trip votes: {units}");
}

#[test]
fn another_models_estimate_is_scored_alike() {
    let project = project(
        "time = \"at\"",
        "time = \"at\"",
        "join = \"id\"\nestimate = \"eta\"",
        "join = \"id\"\nvalue = \"took\"",
        "city = \"category\"",
    );
    project.edit("pipelines/trips.toml", "unit = ", "reference = [\"vendor\", \"lucky\"]\nunit = ");
    let trips = trips();
    let vendor = |trip: &Trip| (!trip.is_express).then_some(trip.estimate + 2.0);
    let asked = asked_table(&trips);
    let mut columns: Vec<(&str, ArrayRef)> = ["id", "at", "eta", "city"]
        .map(|name| (name, asked.column_by_name(name).unwrap().clone()))
        .to_vec();
    columns.push(("vendor", Arc::new(Float64Array::from_iter(trips.iter().map(vendor)))));
    let lucky = trips.iter().map(|trip| trip.took.round() as u32);
    columns.push(("lucky", Arc::new(UInt32Array::from_iter_values(lucky))));
    let asked = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    );
    write(&project.path("asked/part-0.parquet"), &asked.unwrap());
    let labels = done_table(&trips, |trip| trip.took);
    write(&project.path("came/part-0.parquet"), &labels);
    let run = runs(&project, labels.num_rows(), mae(&trips, |trip| Some(trip.estimate)));
    for (index, (name, expected)) in
        [("vendor", mae(&trips, vendor)), ("lucky", mae(&trips, |trip| Some(trip.took.round())))]
            .into_iter()
            .enumerate()
    {
        let reference = &run["references"][index];
        assert_eq!(reference["name"], name);
        assert!((number(reference, "mae") - expected).abs() < 1e-9, "{reference}");
    }
}

#[test]
fn whole_numbers_as_times() {
    let project = project(
        "time = \"ts\"\nepoch = \"ms\"",
        "time = \"ts\"\nepoch = \"s\"",
        "join = \"id\"\nestimate = \"eta\"",
        "join = \"id\"\nvalue = \"took\"",
        "city = \"category\"\n\
         hour = { column = \"hour\", as = \"category\" }",
    );
    let trips = trips();
    let millis = trips.iter().map(|trip| trip.asked / 1000 + 1);
    let hours = trips.iter().map(|trip| (trip.asked.rem_euclid(DAY) / HOUR) as i8);
    write(
        &project.path("asked/part-0.parquet"),
        &table([
            ("id", keys(&trips)),
            ("ts", Arc::new(Int64Array::from_iter_values(millis))),
            ("hour", Arc::new(Int8Array::from_iter_values(hours))),
            ("eta", floats(&trips, |trip| trip.estimate)),
            ("city", cities(&trips)),
        ]),
    );
    let trips_done: Vec<usize> = (0..TRIPS).filter(|n| trips[*n].is_done).collect();
    let seconds = trips_done.iter().map(|n| (trips[*n].done() / 1_000_000) as u32);
    let took = trips_done.iter().map(|n| trips[*n].took);
    write(
        &project.path("came/part-0.parquet"),
        &table([
            ("id", Arc::new(Int64Array::from_iter_values(trips_done.iter().map(|n| *n as i64)))),
            ("ts", Arc::new(UInt32Array::from_iter_values(seconds))),
            ("took", Arc::new(Float64Array::from_iter_values(took))),
        ]),
    );
    let run = runs(&project, trips_done.len(), mae(&trips, |trip| Some(trip.estimate)));
    assert_eq!(run["question_event"]["first"], "2024-07-01T00:00:00.001Z");
}

#[test]
fn the_time_from_a_local_time_to_a_text() {
    let project = project(
        "time = \"at\"\nzone = \"Europe/Berlin\"",
        "time = \"reported_at\"",
        "join = \"id\"\nestimate = \"eta\"",
        "join = \"id\"\nvalue = { from = \"at\", until = \"came_at\" }",
        "city = \"category\"",
    );
    let trips = done(trips());
    let local = trips.iter().map(|trip| trip.asked + 2 * HOUR);
    write(
        &project.path("asked/part-0.parquet"),
        &table([
            ("id", keys(&trips)),
            ("at", Arc::new(TimestampMicrosecondArray::from_iter_values(local))),
            ("eta", floats(&trips, |trip| trip.estimate)),
            ("city", cities(&trips)),
        ]),
    );
    let text = |micros: i64| {
        let seconds = (micros - START) / 1_000_000;
        let (day, hour) = (1 + seconds / 86_400, seconds / 3600 % 24);
        format!("2024-07-{day:02}T{hour:02}:{:02}:{:02}Z", seconds / 60 % 60, seconds % 60)
    };
    let came = trips.iter().map(|trip| text(trip.done()));
    write(
        &project.path("came/part-0.parquet"),
        &table([
            ("id", keys(&trips)),
            ("came_at", Arc::new(StringArray::from_iter_values(came))),
            ("reported_at", times(&trips, |trip| trip.done() + MINUTE)),
        ]),
    );
    runs(&project, trips.len(), mae(&trips, |trip| Some(trip.estimate)));
}

#[test]
fn a_moment_beyond_all_reason_holds_nothing_up() {
    let project = project(
        "time = \"at\"",
        "time = \"at\"",
        "join = \"id\"\nestimate = \"eta\"",
        "join = \"id\"\nvalue = \"took\"",
        "city = \"category\"",
    );
    let mut trips = trips();
    let labels = done_table(&trips, |trip| trip.took);
    write(&project.path("came/part-0.parquet"), &labels);
    let lost: Vec<usize> = (0..TRIPS).rev().filter(|n| trips[*n].is_done).take(2).collect();
    // Two ways to write never: the first leaves a thousand years of hourly publish points between,
    // the second is the last day that many databases know.
    for (place, moment) in lost.into_iter().zip([32_503_593_600_000_000, 253_402_214_400_000_000]) {
        trips[place].asked = moment;
        trips[place].is_done = false;
    }
    write(&project.path("asked/part-0.parquet"), &asked_table(&trips));
    let expected = mae(&trips, |trip| Some(trip.estimate));
    let run = runs(&project, labels.num_rows() - 2, expected);
    assert_eq!(count(&run, "counts.pending"), 1);
    assert_eq!(count(&run, "counts.quarantined"), 1, "{}", run["dead_letters"]);
    assert_eq!(count(&run, "labels.orphan"), 2);
}
