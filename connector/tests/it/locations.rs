//! What a location may be, and what its files may differ in.

use crate::support::{batch, bytes, outcome, request, row, rows_batch, write};
use arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::DataType;
use futures::executor::block_on;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use std::path::Path;
use std::sync::Arc;
use trueup_connector::{Dataset, Error, ErrorKind};

fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, time: i64| {
        write(&folder.path().join(name), &rows_batch(&[row(time, time)]), 9)
    };
    at("a.parquet", 1);
    at("sub/b.PARQUET", 2);
    at("sub/deep/c.parquet", 3);
    at("sub/_temporary/d.parquet", 4);
    at("sub/.hidden.parquet", 5);
    at("100% ä#[1].parquet", 6);
    std::fs::write(folder.path().join("sub/notes.txt"), "no").unwrap();
    folder
}

fn listed(folder: &Path, location: &str) -> Vec<String> {
    Dataset::open(location, folder).unwrap().files().to_vec()
}

#[test]
fn paths_globs_and_folders() {
    let folder = tree();
    let folder = folder.path();
    assert_eq!(listed(folder, "a.parquet"), ["a.parquet"]);
    assert_eq!(listed(folder, "100% ä#[1].parquet"), ["100% ä#[1].parquet"]);
    assert_eq!(listed(folder, "*.parquet"), ["100% ä#[1].parquet", "a.parquet"]);
    assert_eq!(listed(folder, "sub"), ["sub/b.PARQUET", "sub/deep/c.parquet"]);
    assert_eq!(listed(folder, "sub/"), ["sub/b.PARQUET", "sub/deep/c.parquet"]);
    assert_eq!(
        listed(folder, "**/*.parquet"),
        ["100% ä#[1].parquet", "a.parquet", "sub/deep/c.parquet"]
    );
    assert_eq!(listed(folder, "s?b/*"), ["sub/b.PARQUET", "sub/deep/c.parquet"]);
    let whole = folder.join("sub/deep");
    let shown = format!("{}/c.parquet", whole.display());
    assert_eq!(listed(Path::new("/"), whole.to_str().unwrap()), [shown.as_str()]);
    assert_eq!(listed(Path::new("/"), &format!("file://{}", whole.display())), [shown]);
    for file in Dataset::open("**", folder).unwrap().files() {
        Dataset::open(file, folder).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

#[test]
fn nothing_there_is_explained() {
    let folder = tree();
    let open = |location: &str| Dataset::open(location, folder.path()).unwrap_err();
    let said = |error: &Error| format!("{error} / {}", error.hint().unwrap_or_default());
    let error = open("b.parquet");
    assert_eq!(error.kind(), ErrorKind::Missing);
    assert!(
        said(&error).contains("`b.parquet` / the nearest names in that folder are `a.parquet`"),
        "{}",
        said(&error)
    );
    assert!(
        said(&open("nowhere/*.parquet")).contains("nowhere"),
        "{}",
        said(&open("nowhere/*.parquet"))
    );
    assert!(said(&open("sub/*.csv")).contains("no Parquet file found: `sub/*.csv`"));
    assert!(said(&open("sub/notes.txt")).contains("sub/notes.txt"));
    assert!(said(&open("s3://bucket/x")).contains("feature `cloud`") || cfg!(feature = "cloud"));
    assert!(said(&open("ftp://host/x")).contains("unknown kind of location"));
    std::fs::create_dir(folder.path().join("sub/_delta_log")).unwrap();
    std::fs::write(folder.path().join("sub/_delta_log/0.json"), "{}").unwrap();
    assert!(said(&open("sub")).contains("the folder is a Delta Lake table: `sub`"));
    write(&folder.path().join("empty.parquet"), &rows_batch(&[]), 9);
    assert!(said(&open("empty.parquet")).contains("no row in 1 Parquet file(s): `empty.parquet`"));
}

#[test]
fn folders_of_partitions_become_columns() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, time: i64| {
        write(&folder.path().join(name), &rows_batch(&[row(time, time)]), 9)
    };
    at("trips/dt=2024-01-01/hour=07/a.parquet", 1);
    at("trips/dt=2024-01-02/hour=10/a.parquet", 2);
    at("trips/dt=__HIVE_DEFAULT_PARTITION__/hour=11/a.parquet", 3);
    at("trips/dt=a%3Ab/a.parquet", 4);
    for location in ["trips", "trips/dt=*", "trips/**/*.parquet"] {
        let dataset = Dataset::open(location, folder.path()).unwrap();
        let mut request = request(&["hour", "dt", "id"]);
        request.dictionary = vec!["dt".into()];
        let read = outcome(&dataset, &request);
        let rows: Vec<_> = read.groups.iter().map(|(_, rows)| rows[0].as_str()).collect();
        assert_eq!(
            rows,
            ["7|2024-01-01|1", "10|2024-01-02|2", "11|null|3", "null|a:b|4"],
            "{location}"
        );
        let types: Vec<_> =
            dataset.schema().fields().iter().map(|f| f.data_type().clone()).collect();
        assert_eq!(types[3..], [DataType::Utf8, DataType::Int64]);
    }
}

#[test]
fn schemas_are_united_and_clashes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |time: i64| -> ArrayRef {
        Arc::new(TimestampMillisecondArray::from(vec![time]).with_timezone("UTC"))
    };
    let one = batch(vec![
        ("at", at(1)),
        ("count", Arc::new(Int32Array::from(vec![7]))),
        ("clash", Arc::new(Int64Array::from(vec![7]))),
        ("only_here", Arc::new(StringArray::from(vec!["x"]))),
    ]);
    let two = batch(vec![
        ("count", Arc::new(Int64Array::from(vec![1 << 40]))),
        ("clash", Arc::new(Float64Array::from(vec![0.5]))),
        ("at", at(2)),
        ("none", Arc::new(arrow::array::NullArray::new(1))),
    ]);
    write(&folder.path().join("1.parquet"), &one, 9);
    write(&folder.path().join("2.parquet"), &two, 9);
    let dataset = Dataset::open(".", folder.path()).unwrap();
    assert_eq!(dataset.row_count(), 2);
    let read = outcome(&dataset, &request(&["only_here", "count", "none"]));
    let rows: Vec<_> = read.groups.iter().map(|(_, rows)| rows[0].as_str()).collect();
    assert_eq!(rows, ["x|7|null", "null|1099511627776|null"]);
    let error = dataset.read(&request(&["clash"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column has type Int64 in `./1.parquet` but Float64 in `./2.parquet`: `clash`"
    );
    let error = dataset.check_column("coutn").unwrap_err();
    assert_eq!(error.to_string(), "no such column: `coutn`");
    assert!(
        error.hint().unwrap().starts_with("the nearest columns are `count`"),
        "{:?}",
        error.hint()
    );
    let sample = dataset.sample(10, None).unwrap();
    assert_eq!((sample.num_rows(), sample.num_columns()), (2, 4), "all but the one that clashes");
    assert_eq!(dataset.sample(1, Some(&["count".into()])).unwrap().num_rows(), 1);
}

#[test]
fn a_store_in_memory_and_a_file_that_changes() {
    let store = Arc::new(InMemory::new());
    let put = |key: &str, rows: &[crate::support::Row]| {
        block_on(store.put(&Key::from(key), bytes(&rows_batch(rows), 100).into())).unwrap();
    };
    put("in/x/1.parquet", &[row(5, 1), row(6, 2)]);
    put("in/y/2.parquet", &[row(1, 3)]);
    let shared: Arc<dyn ObjectStore> = Arc::clone(&store) as _;
    let open = |location: &str| Dataset::open_in(Arc::clone(&shared), location).unwrap();
    assert_eq!(open("memory:///in").files(), ["in/x/1.parquet", "in/y/2.parquet"]);
    assert_eq!(open("in/y/2.parquet").files(), ["in/y/2.parquet"]);
    let dataset = open("in/*/*.parquet");
    let read = outcome(&dataset, &request(&["id"]));
    assert_eq!(read.groups, [(1, vec!["3".into()]), (5, vec!["1".into()]), (6, vec!["2".into()])]);
    put("in/x/1.parquet", &[row(9, 9), row(9, 9)]);
    let error = dataset.read(&request(&["id"])).unwrap().find_map(Result::err).unwrap();
    assert_eq!(error.kind(), ErrorKind::Retry);
    assert!(error.hint().unwrap().contains("changed while it was read"), "{error:?}");
}
