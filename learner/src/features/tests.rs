//! Columns and requests give the same features; every accepted type gives the expected one.

use super::*;
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array,
    Float64Array, Int8Array, Int32Array, Int64Array, LargeStringArray, StringArray,
    StringViewArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt64Array, new_null_array,
};
use arrow::datatypes::{DataType, Int32Type};
use arrow::record_batch::RecordBatch;
use proptest::prelude::*;
use std::sync::Arc;
use trueup_event::{Reason, hash};

fn named(name: &str, kind: FeatureKind) -> FeatureSpec {
    FeatureSpec { name: name.to_owned(), kind }
}

fn category(column: &str) -> FeatureSpec {
    named(column, FeatureKind::Category { column: column.to_owned() })
}

fn number(column: &str) -> FeatureSpec {
    named(column, FeatureKind::Number { column: column.to_owned() })
}

fn hour_of_week(zone: Zone) -> FeatureSpec {
    named("hour_of_week", FeatureKind::HourOfWeek { time: "t".to_owned(), zone })
}

fn new_york() -> Zone {
    Zone::Named("America/New_York".to_owned())
}

fn set(specs: &[FeatureSpec]) -> FeatureSet {
    FeatureSet::new(specs.to_vec()).expect("valid features")
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
}

/// Every kind of feature, over the columns of [`Row`].
fn every_kind() -> FeatureSet {
    let zone = Zone::Column("zone".to_owned());
    let geohash = FeatureKind::Geohash {
        latitude: "lat".to_owned(),
        longitude: "lon".to_owned(),
        precision: 6,
    };
    let edges = vec![-1.0, 0.0, 10.0];
    set(&[
        category("text"),
        category("integer"),
        named("log", FeatureKind::Log { column: "speed".to_owned() }),
        category("flag"),
        hour_of_week(new_york()),
        named("hour", FeatureKind::HourOfDay { time: "t".to_owned(), zone: zone.clone() }),
        number("speed"),
        named("day", FeatureKind::DayOfWeek { time: "day".to_owned(), zone }),
        named("cell", geohash),
        named("bucket", FeatureKind::Bucket { column: "speed".to_owned(), edges }),
        category("day_text"),
        number("integer_number"),
    ])
}

/// The values of one event, by column; the columns' types never change.
#[derive(Debug, Clone)]
struct Row {
    text: Option<String>,
    integer: Option<i64>,
    flag: Option<bool>,
    micros: Option<i64>,
    day: Option<i32>,
    zone: Option<String>,
    speed: Option<f64>,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

impl Row {
    fn value(&self, column: &str) -> Option<Value<'_>> {
        match column {
            "text" => self.text.as_deref().map(Value::Text),
            "integer" | "integer_number" => self.integer.map(Value::Integer),
            "flag" => self.flag.map(Value::Boolean),
            "t" => self.micros.map(Value::TimeMicros),
            "day" | "day_text" => self.day.map(Value::DateDays),
            "zone" => self.zone.as_deref().map(Value::Text),
            "speed" => self.speed.map(Value::Number),
            "lat" => self.latitude.map(Value::Number),
            "lon" => self.longitude.map(Value::Number),
            other => panic!("no such column: {other}"),
        }
    }

    fn batch(&self) -> RecordBatch {
        let integer = Int64Array::from(vec![self.integer]);
        let zone: DictionaryArray<Int32Type> = [self.zone.as_deref()].into_iter().collect();
        batch(vec![
            ("text", Arc::new(StringViewArray::from(vec![self.text.as_deref()]))),
            ("integer", Arc::new(integer.clone())),
            ("integer_number", Arc::new(integer)),
            ("flag", Arc::new(BooleanArray::from(vec![self.flag]))),
            ("t", Arc::new(TimestampMicrosecondArray::from(vec![self.micros]).with_timezone_utc())),
            ("day", Arc::new(Date32Array::from(vec![self.day]))),
            ("day_text", Arc::new(Date32Array::from(vec![self.day]))),
            ("zone", Arc::new(zone)),
            ("speed", Arc::new(Float64Array::from(vec![self.speed]))),
            ("lat", Arc::new(Float64Array::from(vec![self.latitude]))),
            ("lon", Arc::new(Float64Array::from(vec![self.longitude]))),
        ])
    }
}

fn any_number(limit: f64) -> BoxedStrategy<Option<f64>> {
    let odd = prop::sample::select(vec![f64::NAN, f64::INFINITY, -0.0, f64::MAX, 1e-300, limit]);
    prop_oneof![
        1 => Just(None),
        8 => (-limit..limit).prop_map(Some),
        1 => odd.prop_map(Some),
    ]
    .boxed()
}

fn any_row() -> impl Strategy<Value = Row> {
    let zones = vec!["Europe/Berlin", "Asia/Kathmandu", "UTC", "Mars/Base", ""];
    let zone = prop::option::of(prop::sample::select(zones).prop_map(str::to_owned));
    let micros = prop_oneof![9 => -5e15 as i64..5e15 as i64, 1 => any::<i64>()];
    (
        prop::option::of(".{0,12}"),
        any::<Option<i64>>(),
        any::<Option<bool>>(),
        prop::option::of(micros),
        any::<Option<i32>>(),
        zone,
        any_number(40.0),
        any_number(90.0),
        any_number(180.0),
    )
        .prop_map(|(text, integer, flag, micros, day, zone, speed, latitude, longitude)| Row {
            text,
            integer,
            flag,
            micros,
            day,
            zone,
            speed,
            latitude,
            longitude,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_request_gives_what_a_batch_gives(row in any_row()) {
        let set = every_kind();
        let batch = row.batch();
        let bound = set.bind(&batch).expect("types that serve");
        let (mut categories, mut numbers) = (Vec::new(), Vec::new());
        match set.bind_row(&|column| row.value(column), &mut categories, &mut numbers) {
            Ok(()) => {
                prop_assert_eq!(&bound.refused, &[]);
                let column: Vec<u64> = bound.categories.iter().map(|hashes| hashes[0]).collect();
                prop_assert_eq!(&column, &categories);
                let bits = |value: &f64| value.to_bits();
                let column: Vec<u64> = bound.numbers.iter().map(|n| n[0].to_bits()).collect();
                prop_assert_eq!(column, numbers.iter().map(bits).collect::<Vec<_>>());
                for (i, found) in categories.iter().enumerate() {
                    let text = set.category_text(&batch, 0, i);
                    let is_missing = *found == MISSING && text == "null";
                    prop_assert!(is_missing || *found == hash::of_text(&text), "{}", text);
                }
            }
            Err(Refusal { reason, detail }) => {
                prop_assert_eq!(&bound.refused, &[RefusedRow { row: 0, reason, detail }]);
            }
        }
    }
}

#[test]
fn every_physical_type_gives_the_same_feature() {
    let dictionary: DictionaryArray<Int32Type> = [Some("JFK"), None].into_iter().collect();
    let texts: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![Some("JFK"), None])),
        Arc::new(LargeStringArray::from(vec![Some("JFK"), None])),
        Arc::new(StringViewArray::from(vec![Some("JFK"), None])),
        Arc::new(dictionary),
    ];
    for array in texts {
        let bound = set(&[category("c")]).bind(&batch(vec![("c", array)])).expect("binds");
        assert_eq!(bound.categories, [[hash::of_text("JFK"), MISSING]]);
    }
    let decimals = |scale| {
        let array = Decimal128Array::from(vec![Some(-7), None]);
        array.with_precision_and_scale(20, scale).expect("valid")
    };
    let numbers: Vec<(ArrayRef, f64)> = vec![
        (Arc::new(Int8Array::from(vec![Some(-7), None])), -7.0),
        (Arc::new(Int32Array::from(vec![Some(-7), None])), -7.0),
        (Arc::new(UInt64Array::from(vec![Some(u64::MAX), None])), 18_446_744_073_709_552_000.0),
        (Arc::new(Float32Array::from(vec![Some(0.5), None])), 0.5),
        (Arc::new(decimals(2)), -0.07),
        (Arc::new(decimals(-2)), -700.0),
        (Arc::new(BooleanArray::from(vec![Some(true), None])), 1.0),
    ];
    for (array, expected) in numbers {
        let bound = set(&[number("n")]).bind(&batch(vec![("n", array)])).expect("binds");
        assert_eq!(bound.numbers[0][0], expected);
        assert!(bound.numbers[0][1].is_nan());
        assert_eq!(bound.refused, []);
    }
    let integers: Vec<(ArrayRef, &str)> = vec![
        (Arc::new(Int8Array::from(vec![Some(-7), None])), "-7"),
        (Arc::new(UInt64Array::from(vec![Some(u64::MAX), None])), "18446744073709551615"),
        (Arc::new(decimals(0)), "-7"),
        (Arc::new(Date32Array::from(vec![Some(15_706), None])), "2013-01-01"),
    ];
    for (array, expected) in integers {
        let bound = set(&[category("c")]).bind(&batch(vec![("c", array)])).expect("binds");
        assert_eq!(bound.categories, [[hash::of_text(expected), MISSING]]);
    }
}

#[test]
fn a_time_is_the_same_in_every_unit() {
    // 2013-03-10T07:00:00Z: 03:00 on a Sunday in New York, the first hour of summer time.
    let seconds = 1_362_898_800;
    let text = "2013-03-10T03:00:00-04:00";
    let times: Vec<ArrayRef> = vec![
        Arc::new(TimestampSecondArray::from(vec![seconds]).with_timezone_utc()),
        Arc::new(TimestampMillisecondArray::from(vec![seconds * 1000]).with_timezone("+05:45")),
        Arc::new(TimestampMicrosecondArray::from(vec![seconds * 1_000_000]).with_timezone_utc()),
        Arc::new(TimestampNanosecondArray::from(vec![seconds * 1_000_000_000]).with_timezone_utc()),
        Arc::new(StringArray::from(vec![text])),
    ];
    let set = set(&[hour_of_week(new_york())]);
    for array in times {
        let bound = set.bind(&batch(vec![("t", array)])).expect("binds");
        assert_eq!(bound.categories, [[hash::of_text("147")]]);
    }
    let mut categories = Vec::new();
    set.bind_row(&|_| Some(Value::Text(text)), &mut categories, &mut Vec::new()).expect("binds");
    assert_eq!(categories, [hash::of_text("147")]);

    let naive: ArrayRef = Arc::new(TimestampSecondArray::from(vec![seconds]));
    let naive = batch(vec![("t", naive)]);
    let refusal = set.bind(&naive).expect_err("no zone");
    assert!(refusal.hint().starts_with("the timestamp has no zone"), "{}", refusal.hint());
    let bound = set.assume_utc().bind(&naive).expect("binds");
    assert_eq!(bound.categories, [[hash::of_text("147")]]);
}

#[test]
fn bad_rows_are_refused_one_by_one() {
    let zones = StringArray::from(vec![Some("UTC"), Some("Mars/Base"), None, Some("UTC")]);
    let times = StringArray::from(vec![Some("1970-01-05T00:00:00Z"), None, Some("now"), None]);
    let speeds = Float64Array::from(vec![Some(1.0), None, Some(f64::NAN), Some(f64::INFINITY)]);
    let batch =
        batch(vec![("zone", Arc::new(zones)), ("t", Arc::new(times)), ("speed", Arc::new(speeds))]);
    let set = set(&[hour_of_week(Zone::Column("zone".to_owned())), number("speed")]);
    let bound = set.bind(&batch).expect("types that serve");
    assert_eq!(bound.categories, [[hash::of_text("0"), MISSING, MISSING, MISSING]]);
    let refused: Vec<_> =
        bound.refused.iter().map(|r| (r.row, r.reason, r.detail.as_ref())).collect();
    let not_a_time = "time is not an RFC 3339 text with an offset in column `t`: `now`";
    let not_finite = "number in column `speed` is not finite: `inf`";
    assert_eq!(
        refused,
        [(2, Reason::Malformed, not_a_time), (3, Reason::NotFinite, not_finite)],
        "a row is refused once, for its first fault"
    );
}

#[test]
fn columns_that_cannot_serve_are_named_with_a_remedy() {
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["fast"]));
    let batch =
        batch(vec![("speed", floats), ("word", texts), ("t", Arc::new(Int64Array::from(vec![0])))]);
    let zone = Zone::Column("speed".to_owned());
    for (spec, text, hint) in [
        (
            category("speed"),
            "column `speed` of feature `speed` cannot serve as a category: `Float64`",
            "declare it as a number",
        ),
        (
            number("word"),
            "column `word` of feature `word` cannot serve as a number: `Utf8`",
            "a number is",
        ),
        (
            hour_of_week(new_york()),
            "column `t` of feature `hour_of_week` cannot serve as a time: `Int64`",
            "a time is",
        ),
        (
            named("hour", FeatureKind::HourOfDay { time: "word".to_owned(), zone }),
            "column `speed` of feature `hour` cannot serve as the name of a time zone: `Float64`",
            "a time zone's name is",
        ),
        (number("sped"), "column of feature `sped` is missing: `sped`", "add the column"),
    ] {
        let refusal = set(&[spec]).bind(&batch).expect_err("cannot serve");
        assert_eq!(refusal.to_string(), text);
        assert!(refusal.hint().starts_with(hint), "{}", refusal.hint());
    }
    let refusal = set(&[category("speed")]).bind_row(
        &|_| Some(Value::Number(1.5)),
        &mut Vec::new(),
        &mut Vec::new(),
    );
    let refusal = refusal.expect_err("cannot serve");
    assert_eq!(refusal.detail, "value cannot serve as a category, being a float: `speed`");
}

#[test]
fn declarations_that_make_no_sense_are_refused() {
    let geohash = |precision| {
        let (latitude, longitude) = ("lat".to_owned(), "lon".to_owned());
        named("f", FeatureKind::Geohash { latitude, longitude, precision })
    };
    let bucket = |edges: &[f64]| {
        named("f", FeatureKind::Bucket { column: "c".to_owned(), edges: edges.to_vec() })
    };
    for (specs, text) in [
        (vec![category("c"), number("c")], "two features have the same name: `c`"),
        (vec![geohash(13)], "geohash of feature `f` must have 1 to 12 characters: `13`"),
        (
            vec![bucket(&[2.0, 1.0])],
            "bucket edges of feature `f` must be finite and ascend: `[2.0, 1.0]`",
        ),
        (vec![bucket(&[])], "bucket edges of feature `f` must be finite and ascend: `[]`"),
        (
            vec![hour_of_week(Zone::Named("America/NewYork".to_owned()))],
            "time zone of feature `hour_of_week` is unknown: `America/NewYork`",
        ),
    ] {
        let refusal = FeatureSet::new(specs).expect_err("makes no sense");
        assert_eq!(refusal.to_string(), text);
        assert!(!refusal.hint().is_empty());
    }
}

#[test]
fn names_and_columns_stand_in_order() {
    let set = every_kind();
    let categories =
        ["text", "integer", "flag", "hour_of_week", "hour", "day", "cell", "bucket", "day_text"];
    assert_eq!(set.category_names().collect::<Vec<_>>(), categories);
    assert_eq!(set.number_names().collect::<Vec<_>>(), ["log", "speed", "integer_number"]);
    assert_eq!(
        set.columns_needed(),
        [
            "day",
            "day_text",
            "flag",
            "integer",
            "integer_number",
            "lat",
            "lon",
            "speed",
            "t",
            "text",
            "zone"
        ]
    );
    let stored = serde_json::to_string(set.specs()).expect("writes");
    assert!(
        stored.contains(r#"{"hour_of_week":{"time":"t","zone":{"named":"America/New_York"}}}"#)
    );
    let restored: Vec<FeatureSpec> = serde_json::from_str(&stored).expect("reads");
    assert_eq!(restored, set.specs());
}

#[test]
fn known_buckets_logarithms_and_empty_batches() {
    let set = set(&[
        named("b", FeatureKind::Bucket { column: "x".to_owned(), edges: vec![0.0, 10.0] }),
        named("l", FeatureKind::Log { column: "x".to_owned() }),
    ]);
    let values = [-0.5, 0.0, 9.99, 10.0, 1e9];
    let array: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
    let bound = set.bind(&batch(vec![("x", array)])).expect("binds");
    let buckets: Vec<u64> = ["0", "1", "1", "2", "2"].map(hash::of_text).to_vec();
    assert_eq!(bound.categories[0], buckets);
    assert_eq!(bound.numbers[0][1], 0.0);
    assert!((bound.numbers[0][0] + libm::log(1.5)).abs() < 1e-15, "{}", bound.numbers[0][0]);
    assert!((bound.numbers[0][4] - libm::log(1e9 + 1.0)).abs() < 1e-14);

    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let all_null = batch(vec![("c", new_null_array(&dictionary, 2))]);
    let bound = self::set(&[category("c")]).bind(&all_null).expect("binds");
    assert_eq!(bound.categories, [[MISSING, MISSING]]);
    let sliced = all_null.slice(1, 0);
    let bound = self::set(&[category("c")]).bind(&sliced).expect("binds");
    assert_eq!(bound.categories, [Vec::<u64>::new()]);
}
