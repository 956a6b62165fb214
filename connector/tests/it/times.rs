//! Every kind of time column, zones and their changes of offset.

use crate::support::{batch, outcome, request, write};
use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Date64Array, Int32Array, Int64Array, LargeStringArray,
    StringArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use std::sync::Arc;
use trueup_connector::{Dataset, EpochUnit, Error, ErrorKind, NullTime, TimeColumn};

/// The event times of a column, and the details of the dead letters.
fn times(
    column: ArrayRef,
    zone: Option<&str>,
    epoch: Option<EpochUnit>,
) -> Result<(Vec<i64>, Vec<String>), Error> {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.parquet"), &batch(vec![("at", column)]), 2);
    let dataset = Dataset::open("a.parquet", folder.path())?;
    let mut request = request(&[]);
    request.time = TimeColumn { zone: zone.map(str::to_string), epoch, ..request.time };
    request.null_time = NullTime::DeadLetter;
    if let Some(error) = dataset.read(&request)?.find_map(Result::err) {
        return Err(error);
    }
    let outcome = outcome(&dataset, &request);
    let dead = outcome.dead.iter().map(|letter| letter.detail.to_string()).collect();
    Ok((outcome.groups.into_iter().map(|(time, _)| time).collect(), dead))
}

fn instants(column: ArrayRef, zone: &str) -> Vec<i64> {
    let (times, dead) = times(column, Some(zone), None).unwrap();
    assert!(dead.is_empty(), "{dead:?}");
    times
}

#[test]
fn units_are_converted_and_floored() {
    let zoned: [(ArrayRef, &[i64]); 5] = [
        (
            Arc::new(TimestampSecondArray::from(vec![-1, 2]).with_timezone("UTC")),
            &[-1_000_000, 2_000_000],
        ),
        (
            Arc::new(TimestampMillisecondArray::from(vec![-1, 2]).with_timezone("+02:00")),
            &[-1000, 2000],
        ),
        (Arc::new(TimestampMicrosecondArray::from(vec![-1, 2]).with_timezone("UTC")), &[-1, 2]),
        (Arc::new(TimestampNanosecondArray::from(vec![-1, 1999]).with_timezone("UTC")), &[-1, 1]),
        (
            Arc::new(LargeStringArray::from(vec![
                "1970-01-01T00:00:00.0000019Z",
                "1970-01-01 01:00:02+01:00",
            ])),
            &[1, 2_000_000],
        ),
    ];
    for (column, expected) in zoned {
        let kind = column.data_type().clone();
        assert_eq!(times(column, None, None).unwrap(), (expected.to_vec(), vec![]), "{kind}");
    }
    let day = 86_400_000_000;
    assert_eq!(instants(Arc::new(Date32Array::from(vec![-1, 2])), "UTC"), [-day, 2 * day]);
    assert_eq!(instants(Arc::new(Date64Array::from(vec![0, 86_400_000])), "Z"), [0, day]);
    assert_eq!(
        instants(Arc::new(StringArray::from(vec!["1970-01-02", "1970-01-03T00:00"])), "UTC"),
        [day, 2 * day]
    );
    for (unit, expected) in [
        (EpochUnit::Seconds, 5_000_000),
        (EpochUnit::Milliseconds, 5000),
        (EpochUnit::Microseconds, 5),
        (EpochUnit::Nanoseconds, 0),
    ] {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![5]));
        assert_eq!(times(column, None, Some(unit)).unwrap().0, [expected], "{unit:?}");
    }
}

#[test]
fn times_beyond_the_range_are_dead_letters() {
    let column: ArrayRef =
        Arc::new(TimestampSecondArray::from(vec![i64::MAX, 1, i64::MIN]).with_timezone("UTC"));
    let (read, dead) = times(column, None, None).unwrap();
    assert_eq!((read, dead.len()), (vec![1_000_000], 2));
    assert!(dead[0].starts_with("time is out of range in column `at`"), "{}", dead[0]);
    let column: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX, 7]));
    assert_eq!(times(column, None, Some(EpochUnit::Microseconds)).unwrap().0, [7]);
    let column: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, i64::MIN, 7]));
    assert_eq!(times(column, None, Some(EpochUnit::Microseconds)).unwrap().0, [7]);
    let column: ArrayRef =
        Arc::new(StringArray::from(vec!["1970-01-01T00:00:07Z", "soon", "2013-02-30T00:00:00Z"]));
    let (read, dead) = times(column, None, None).unwrap();
    assert_eq!(read, [7_000_000]);
    assert_eq!(
        dead,
        [
            "no time can be read in column `at`: `soon`",
            "no time can be read in column `at`: `2013-02-30T00:00:00Z`"
        ]
    );
}

#[test]
fn local_times_follow_their_zone_through_changes_of_offset() {
    // New York 2013: forward on 10 March at 02:00 (-5 to -4), back on 3 November at 02:00.
    let local = [
        "2013-01-01 05:17:00",
        "2013-03-10 01:59:59",
        "2013-03-10 02:30:00",
        "2013-03-10 03:30:00",
        "2013-11-03 00:59:59",
        "2013-11-03 01:30:00",
        "2013-11-03 02:30:00",
        "2013-12-24 12:00:00",
    ];
    let utc = [
        "2013-01-01T10:17:00Z",
        "2013-03-10T06:59:59Z",
        "2013-03-10T07:30:00Z",
        "2013-03-10T07:30:00Z",
        "2013-11-03T04:59:59Z",
        "2013-11-03T05:30:00Z",
        "2013-11-03T07:30:00Z",
        "2013-12-24T17:00:00Z",
    ];
    let mut expected = instants(Arc::new(StringArray::from(utc.to_vec())), "UTC");
    let as_text = instants(Arc::new(StringArray::from(local.to_vec())), "America/New_York");
    assert_eq!(as_text, expected);
    let naive = instants(Arc::new(StringArray::from(local.to_vec())), "UTC");
    // Backwards, so that no answer can lean on the one before.
    let backwards: Vec<i64> = naive.iter().rev().copied().collect();
    let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(backwards));
    expected.sort_unstable();
    assert_eq!(instants(column, "America/New_York"), expected);
    let noon: ArrayRef = Arc::new(TimestampSecondArray::from(vec![43_200]));
    assert_eq!(instants(noon, "+05:30"), [(43_200 - 19_800) * 1_000_000]);
}

#[test]
fn times_beside_the_event_time_are_read_alike() {
    // The same local times of New York through its changes of offset, as each type holds them.
    let local = ["2013-01-01 05:17:00", "2013-03-10 02:30:00", "2013-11-03 01:30:00"];
    let utc = ["2013-01-01T10:17:00Z", "2013-03-10T07:30:00Z", "2013-11-03T05:30:00Z"];
    let expected = instants(Arc::new(StringArray::from(utc.to_vec())), "UTC");
    let seconds: Vec<i64> = instants(Arc::new(StringArray::from(local.to_vec())), "UTC")
        .into_iter()
        .map(|micros| micros / 1_000_000)
        .collect();
    let day = TimestampMicrosecondArray::from(vec![Some(expected[0]), None, Some(expected[2])]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("at", Arc::new(TimestampSecondArray::from(seconds.clone()))),
        ("naive", Arc::new(TimestampSecondArray::from(vec![seconds[0], i64::MAX, seconds[2]]))),
        ("text", Arc::new(StringArray::from(vec![utc[0], "soon", local[2]]))),
        ("millis", Arc::new(Int64Array::from_iter(expected.iter().map(|time| time / 1000)))),
        ("count", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("word", Arc::new(StringArray::from(local.to_vec()))),
        ("date", Arc::new(Date32Array::from(vec![15_706; 3]))),
    ];
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.parquet"), &batch(columns.clone()), 2);
    // Another unit in another file, and a column that has no type there.
    let mut others = columns;
    others[0].1 = Arc::new(TimestampMillisecondArray::from_iter_values(
        seconds.iter().map(|second| second * 1000 + 1),
    ));
    others[1].1 = Arc::new(arrow::array::NullArray::new(3));
    others.remove(3);
    write(&folder.path().join("b.parquet"), &batch(others), 2);
    let dataset = Dataset::open(".", folder.path()).unwrap();
    let names = ["at", "count", "date", "millis", "naive", "text", "word"];
    let mut request = request(&names);
    request.time.zone = Some("America/New_York".into());
    request.time.epoch = Some(EpochUnit::Milliseconds);
    request.instants = ["date", "millis", "text"].map(str::to_string).to_vec();
    request.dictionary = ["text", "word"].map(str::to_string).to_vec();
    let read: Vec<_> = dataset.read(&request).unwrap().map(Result::unwrap).collect();
    let rows = arrow::compute::concat_batches(&read[0].rows.schema(), read.iter().map(|b| &b.rows));
    let rows = rows.unwrap();
    let column = |name: &str| -> Vec<Option<i64>> {
        let column = rows.column_by_name(name).unwrap();
        assert_eq!(column.data_type().to_string(), "Timestamp(µs, \"UTC\")", "{name}");
        column.as_primitive::<TimestampMicrosecondType>().iter().collect()
    };
    let of_files = |first: &[Option<i64>], second: &[Option<i64>]| -> Vec<Option<i64>> {
        first.iter().zip(second).flat_map(|(one, other)| [*one, *other]).collect()
    };
    let known: Vec<Option<i64>> = expected.iter().copied().map(Some).collect();
    let later: Vec<Option<i64>> = expected.iter().map(|time| Some(time + 1000)).collect();
    let sparse: Vec<Option<i64>> = day.iter().collect();
    assert_eq!(column("at"), of_files(&known, &later));
    assert_eq!(column("naive"), of_files(&sparse, &[None; 3]));
    assert_eq!(column("text"), of_files(&sparse, &sparse));
    assert_eq!(column("millis"), of_files(&known, &[None; 3]));
    // 2013-01-01 begins at 05:00 UTC in New York.
    assert_eq!(column("date"), [Some(1_357_016_400_000_000); 6]);
    assert_eq!(*rows.column_by_name("count").unwrap().data_type(), DataType::Int64);
    assert!(matches!(rows.column_by_name("word").unwrap().data_type(), DataType::Dictionary(..)));
}

#[test]
fn what_a_type_leaves_unsaid_must_be_said() {
    let naive: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["2013-01-01 00:00:00"]));
    for column in [naive.clone(), text] {
        let error = times(column, None, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("has no zone"), "{error}");
        assert!(error.hint().unwrap().contains("zone = \"UTC\""));
    }
    let error = times(naive.clone(), Some("America/New_Yrok"), None).unwrap_err();
    assert!(error.hint().unwrap().contains("`America/New_York`"), "{:?}", error.hint());
    let error = times(Arc::new(Int64Array::from(vec![1])), None, None).unwrap_err();
    assert!(error.hint().unwrap().contains("epoch = \"s\""), "{:?}", error.hint());
    let error =
        times(Arc::new(arrow::array::BooleanArray::from(vec![true])), None, None).unwrap_err();
    assert!(error.to_string().contains("has type Boolean in `a.parquet`: `at`"), "{error}");
}

#[test]
fn every_file_must_have_the_time_column() {
    let folder = tempfile::tempdir().unwrap();
    let column =
        || -> ArrayRef { Arc::new(TimestampSecondArray::from(vec![1]).with_timezone("UTC")) };
    write(&folder.path().join("a.parquet"), &batch(vec![("at", column())]), 2);
    write(&folder.path().join("b.parquet"), &batch(vec![("att", column())]), 2);
    let error = Dataset::open(".", folder.path()).unwrap().read(&request(&[])).unwrap_err();
    assert_eq!(error.to_string(), "no time column `at` in the file: `./b.parquet`");
    assert_eq!(error.hint(), Some("the nearest columns are `att`"));
}
