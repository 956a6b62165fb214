//! A first definition from one's own data: what is guessed, what is told, what is refused.

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::record_batch::RecordBatch;
use std::path::Path;
use std::sync::Arc;
use trueup_pipeline::infer::{FileSample, Inference, Level, infer};
use trueup_pipeline::{Definition, Project, RealtimeMlPipeline, Schemas, template};

const ROWS: i64 = 400;
const START: i64 = 1_700_000_000_000_000;
const MINUTE: i64 = 60_000_000;

fn sample(path: &str, columns: Vec<(&str, ArrayRef)>) -> FileSample {
    let rows = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, values)| (name, values, true)),
    );
    let rows = rows.expect("columns of equal length");
    FileSample { path: path.into(), schema: rows.schema(), rows: vec![rows] }
}

fn integers(of: impl Fn(i64) -> i64) -> ArrayRef {
    Arc::new((0..ROWS).map(of).collect::<Int64Array>())
}

fn numbers(of: impl Fn(i64) -> f64) -> ArrayRef {
    Arc::new((0..ROWS).map(|i| Some(of(i))).collect::<Float64Array>())
}

fn texts(of: impl Fn(i64) -> String) -> ArrayRef {
    Arc::new((0..ROWS).map(|i| Some(of(i))).collect::<StringArray>())
}

fn times(of: impl Fn(i64) -> Option<i64>) -> TimestampMicrosecondArray {
    (0..ROWS).map(of).collect()
}

fn zoned(of: impl Fn(i64) -> i64) -> ArrayRef {
    Arc::new(times(|i| Some(of(i))).with_timezone("UTC"))
}

/// Something that looks random, the same every time.
fn noise(i: i64) -> f64 {
    (i * 7919 % 101) as f64 / 10.0
}

fn actual(i: i64) -> f64 {
    20.0 + noise(i) + (i % 37) as f64
}

fn asked(i: i64) -> i64 {
    START + i * 13 * MINUTE
}

fn came(i: i64) -> i64 {
    asked(i) + (actual(i) * MINUTE as f64) as i64
}

/// The pipeline of an inference, which must pass against the very files.
fn passes(inference: &Inference, files: &[FileSample]) -> RealtimeMlPipeline {
    let project = Project::read(Path::new("."), "trueup.toml", &inference.project)
        .unwrap_or_else(|faults| panic!("{faults}\n{}", inference.project));
    let definition = Definition::read(&inference.name, "guess.toml", &inference.definition)
        .unwrap_or_else(|faults| panic!("{faults}\n{}", inference.definition));
    let environment = project.environment(None).expect("needs no variable");
    let mut schemas = Schemas::new();
    for event in project.events() {
        let location = project.location(&environment, &event.name).expect("is said");
        let file =
            files.iter().find(|file| file.path.starts_with(location.files().expect("is a file")));
        schemas.insert(event.name.clone(), file.expect("is one of ours").schema.clone());
    }
    if let Err(faults) = definition.check(&project, Some(&schemas)) {
        panic!("{faults}\n{}", inference.definition);
    }
    definition.pipeline().clone()
}

fn told(inference: &Inference, level: Level, what: &str) -> bool {
    inference.notices.iter().any(|notice| notice.level == level && notice.message.contains(what))
}

#[test]
fn two_files_of_the_template() {
    let files: Vec<FileSample> = template::data()
        .into_iter()
        .map(|(path, rows)| FileSample {
            path: path.into(),
            schema: rows.schema(),
            rows: vec![rows],
        })
        .collect();
    let inference = infer(&files).expect("has both");
    let pipeline = passes(&inference, &files);
    assert_eq!(pipeline.question.estimate, "eta_minutes");
    assert_eq!(pipeline.question.join, "order_id");
    assert_eq!((inference.name.as_str(), pipeline.unit.as_str()), ("eta_minutes", "minutes"));
    assert!(inference.notices.iter().all(|notice| notice.level == Level::Note));
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("infer_template", format!(
            "{}\n{}\n{}",
            inference.project,
            inference.definition,
            inference.notices.iter().map(|n| format!("{}\n", n.message)).collect::<String>(),
        ));
    });
}

fn wide() -> FileSample {
    let open = |i: i64| i % 50 == 7;
    sample(
        "dump/trips.parquet",
        vec![
            ("trip_uuid", texts(|i| format!("t-{i:08}"))),
            ("requested_at", Arc::new(times(|i| Some(asked(i))))),
            ("completed_at", Arc::new(times(|i| (!open(i)).then(|| came(i))))),
            ("city", texts(|i| ["ams", "ber", "cph"][(i % 3) as usize].into())),
            ("pickup_lat", numbers(|i| 52.0 + noise(i * 3) / 100.0)),
            ("pickup_lng", numbers(|i| 4.0 + noise(i + 3) / 100.0)),
            ("is_airport", Arc::new((0..ROWS).map(|i| Some(i % 9 == 0)).collect::<BooleanArray>())),
            ("driver_id", integers(|i| 10_000 + i * 31 % 397)),
            ("predicted_minutes", numbers(|i| 20.0 + (i % 37) as f64)),
            ("vendor_eta", numbers(|i| 24.0 + (i % 37) as f64 * 0.5 + noise(i + 5))),
            (
                "actual_minutes",
                Arc::new(
                    (0..ROWS).map(|i| (!open(i)).then(|| actual(i))).collect::<Float64Array>(),
                ),
            ),
            ("overrun", numbers(|i| actual(i) - (20.0 + (i % 37) as f64))),
            ("billed_minutes", numbers(|i| actual(i) * 1.5 + 1.0)),
            ("app_version", texts(|_| "7".into())),
        ],
    )
}

#[test]
fn one_wide_file_with_leaks() {
    let files = [wide()];
    let inference = infer(&files).expect("has both");
    let pipeline = passes(&inference, &files);
    assert_eq!(pipeline.question.join, "trip_uuid");
    assert_eq!(pipeline.question.estimate, "predicted_minutes");
    assert_eq!(pipeline.references, ["vendor_eta"]);
    let features: Vec<&str> = pipeline.features.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        features,
        ["city", "pickup_cell", "is_airport", "predicted_minutes", "hour_of_week"]
    );
    for leak in ["overrun", "billed_minutes"] {
        assert!(told(&inference, Level::Warning, leak), "{leak}: {:?}", inference.notices);
        assert!(inference.definition.contains(&format!("# left out: {leak} says the same as")));
    }
    assert!(inference.definition.contains("# left out: driver_id has 397 values"));
    assert!(inference.definition.contains("# left out: app_version has one value only"));
    assert!(told(&inference, Level::Warning, "no zone and are taken as UTC: `requested_at`"));
    assert!(inference.project.contains("zone     = \"UTC\""));
}

#[test]
fn an_outcome_that_is_the_time_between() {
    let files = [
        sample(
            "quotes/dt=2023-11-14/a.parquet",
            vec![
                ("ride", integers(|i| i)),
                ("created_ts", integers(|i| asked(i) / 1000)),
                ("eta_seconds", numbers(|i| 60.0 * (20.0 + (i % 37) as f64))),
            ],
        ),
        sample("done.parquet", vec![("ride", integers(|i| i)), ("finished_at", zoned(came))]),
    ];
    let inference = infer(&files).expect("has both");
    passes(&inference, &files);
    let text = &inference.definition;
    assert!(text.contains("value = { from = \"created_ts\", until = \"finished_at\" }"), "{text}");
    assert!(text.contains("unit = \"seconds\""), "{text}");
    assert!(inference.project.contains("epoch    = \"ms\""), "{}", inference.project);
}

#[test]
fn one_file_whose_times_are_written_in_two_ways() {
    let file = |created: ArrayRef, finished: ArrayRef| {
        let columns = vec![
            ("ride", integers(|i| i)),
            ("created_ts", created),
            ("finished_at", finished),
            ("eta_seconds", numbers(|i| 60.0 * (20.0 + (i % 37) as f64))),
        ];
        [sample("rides", columns)]
    };
    let counted = file(integers(|i| asked(i) / 1000), zoned(came));
    let inference = infer(&counted).expect("has both");
    passes(&inference, &counted);
    assert_eq!(inference.project.matches("epoch    = \"ms\"").count(), 2, "{}", inference.project);
    let naive = file(Arc::new(times(|i| Some(asked(i)))), zoned(came));
    passes(&infer(&naive).expect("has both"), &naive);
    let unlike = file(integers(|i| asked(i) / 1000), integers(|i| came(i) / 1_000_000));
    let refusal = infer(&unlike).expect_err("one event counts in one unit");
    assert!(refusal.message.contains("in different units"), "{refusal}");
}

#[test]
fn dates_of_folders_are_no_features() {
    let days = ["2023-11-14", "2023-11-15", "2023-12-01"];
    let day = |i: i64| days[(i / 150) as usize];
    let mut wide = wide();
    let rows = &wide.rows[0];
    let mut columns: Vec<(String, ArrayRef)> = rows
        .schema()
        .fields()
        .iter()
        .zip(rows.columns())
        .map(|(field, column)| (field.name().clone(), Arc::clone(column)))
        .collect();
    columns.push(("dt".into(), texts(|i| day(i).to_owned())));
    columns.push(("ds".into(), integers(|i| day(i).replace('-', "").parse().expect("a number"))));
    columns.push(("month".into(), texts(|i| day(i)[..7].to_owned())));
    columns.push(("week".into(), integers(|i| i / 150)));
    let rows = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, values)| (name, values, true)),
    );
    let rows = rows.expect("columns of equal length");
    (wide.schema, wide.rows) = (rows.schema(), vec![rows]);
    let inference = infer(std::slice::from_ref(&wide)).expect("has both");
    let pipeline = passes(&inference, &[wide]);
    let names: Vec<&str> = pipeline.features.iter().map(|f| f.name.as_str()).collect();
    assert!(
        names.contains(&"week") && !names.iter().any(|name| ["dt", "ds", "month"].contains(name))
    );
    for name in ["dt", "ds", "month"] {
        let comment = format!("# left out: {name} is a date, and each is seen once");
        assert!(inference.definition.contains(&comment), "{}", inference.definition);
    }
}

fn pair(shift_minutes: i64, factor: f64) -> [FileSample; 2] {
    [
        sample(
            "asked.parquet",
            vec![
                ("order", integers(|i| if i == 200 { 199 } else { i })),
                ("asked_at", zoned(asked)),
                ("eta", numbers(|i| (20.0 + (i % 37) as f64) * factor)),
            ],
        ),
        sample(
            "came.parquet",
            vec![
                ("order", integers(|i| i)),
                ("arrived_at", zoned(move |i| came(i) + shift_minutes * MINUTE)),
                ("actual_minutes", numbers(actual)),
            ],
        ),
    ]
}

#[test]
fn clocks_units_and_repeats_are_told() {
    let right = infer(&pair(0, 1.0)).expect("has both");
    assert!(right.notices.iter().all(|notice| notice.level == Level::Note), "{:?}", right.notices);
    assert!(told(
        &right,
        Level::Note,
        "questions that repeat a `order`, told apart by their time: 1"
    ));
    let ahead = infer(&pair(300, 1.0)).expect("has both");
    assert!(told(&ahead, Level::Warning, "is +5 h from"), "{:?}", ahead.notices);
    let behind = infer(&pair(-120, 1.0)).expect("has both");
    assert!(
        told(&behind, Level::Warning, "earlier than their questions: 4"),
        "{:?}",
        behind.notices
    );
    let seconds = infer(&pair(0, 60.0)).expect("has both");
    assert!(told(&seconds, Level::Warning, "60 times off"), "{:?}", seconds.notices);
}

#[test]
fn what_cannot_be_guessed_is_refused_with_a_remedy() {
    let [asked, came] = pair(0, 1.0);
    let text_keys = sample(
        "came.parquet",
        vec![
            ("order", texts(|i| i.to_string())),
            ("arrived_at", zoned(self::came)),
            ("actual_minutes", numbers(actual)),
        ],
    );
    let no_estimate = sample(
        "asked.parquet",
        vec![
            ("order", integers(|i| i)),
            ("asked_at", zoned(self::asked)),
            ("distance", numbers(noise)),
        ],
    );
    let no_time =
        sample("came.parquet", vec![("order", integers(|i| i)), ("actual", numbers(actual))]);
    for (files, what) in [
        (vec![], "no file"),
        (vec![asked.clone(), text_keys], "no column joins"),
        (vec![no_estimate, came.clone()], "sounds like an estimate: `asked.parquet`"),
        (vec![asked.clone(), no_time], "points in time: `came.parquet`"),
        (vec![came], "no column tells the rows apart"),
    ] {
        let refusal = infer(&files).err().unwrap_or_else(|| panic!("{what}: not refused"));
        let is_meant = refusal.message.contains(what) || what.contains("tells the rows");
        assert!(is_meant && !refusal.remedy.is_empty(), "{what}: {refusal}");
    }
}
