//! Bad lines are counted and named; nothing is rounded, nothing panics.

use super::*;
use arrow::datatypes::{DataType, Field};

fn read(text: &[u8], columns: NdjsonColumns) -> NdjsonBatch {
    let mut reader = NdjsonReader::new(text, columns, 1000);
    let mut whole = reader.next_batch().unwrap().unwrap();
    while let Some(mut more) = reader.next_batch().unwrap() {
        let rows = [&whole.rows, &more.rows];
        whole.rows = arrow::compute::concat_batches(&more.rows.schema(), rows).unwrap();
        whole.lines.append(&mut more.lines);
        whole.bad.append(&mut more.bad);
    }
    assert_eq!(reader.bad_count(), whole.bad.len() as u64);
    whole
}

#[test]
fn bad_lines_are_told_of_and_the_rest_is_read() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(LINE_BYTES_MAX));
    let lines = [
        r#"{"id":1,"city":"Oslo","at":"2024-01-01T00:00:00Z"}"#,
        "not json",
        r#"{"id":2}{"id":3}"#,
        r#"[1,2]"#,
        "",
        &deep,
        &long,
        r#"{"id":null,"city":null}"#,
        r#"{"id":"x","city":{"deeper":1}}"#,
        "{\"id\":9,\"city\":\"\\ud800\"}",
        r#"{"id":4}"#,
    ];
    let mut text = lines.join("\n").into_bytes();
    text.extend_from_slice(b"\n{\"id\":5,\"city\":\"\xff\"}\n{\"id\":6");
    let batch = read(&text, NdjsonColumns::Inferred);
    let bad: Vec<u64> = batch.bad.iter().map(|bad| bad.line).collect();
    assert_eq!(bad, [2, 3, 4, 6, 7, 9, 10, 12, 13], "{:?}", batch.bad);
    assert_eq!((batch.lines, batch.rows.num_rows()), (vec![1, 8, 11], 3));
    let reasons: Vec<&str> = batch.bad.iter().map(|bad| bad.reason.as_str()).collect();
    assert!(reasons[3].contains("64 deep") && reasons[4].contains("1 MiB"), "{reasons:?}");
}

#[test]
fn numbers_are_never_rounded_to_fit() {
    let begun = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
    let text = b"{\"id\":1.5}\n{\"id\":9223372036854775808}\n{\"id\":9223372036854775807}\n\
        {\"id\":1e3}\n{\"id\":\"7\"}\n{\"id\":2,\"new\":0.5}\n";
    let batch = read(text, NdjsonColumns::Begun(Arc::clone(&begun)));
    assert_eq!(batch.lines, [3, 6]);
    assert_eq!(batch.rows.schema().field(1).data_type(), &DataType::Float64);
    assert!(batch.bad[0].reason.contains("column `id` must be a whole number"), "{:?}", batch.bad);
    let given = read(text, NdjsonColumns::Given(begun));
    assert_eq!(given.lines, [3]);
    assert_eq!(given.bad.last().unwrap().reason, "there is no such column: `new`");
}

#[test]
fn columns_that_appear_later_are_added() {
    let text = b"{\"a\":1}\n{\"a\":2}\n{\"b\":\"x\",\"a\":null}\n{\"c\":null}\n";
    let mut reader = NdjsonReader::new(&text[..], NdjsonColumns::Inferred, 2);
    let first = reader.next_batch().unwrap().unwrap();
    let second = reader.next_batch().unwrap().unwrap();
    assert_eq!((first.rows.num_columns(), second.rows.num_columns()), (1, 2));
    assert_eq!((second.lines, second.bad), (vec![3, 4], vec![]));
}

#[test]
fn lines_without_a_value_are_rows_all_the_same() {
    let batch = read(b"{\"a\":null}\n{}\n", NdjsonColumns::Inferred);
    assert_eq!((batch.rows.num_columns(), batch.rows.num_rows(), batch.lines.len()), (0, 2, 2));
}

#[test]
fn a_source_that_must_be_waited_for_ends_a_batch() {
    struct Slow(Vec<&'static [u8]>);
    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let Some(next) = (!self.0.is_empty()).then(|| self.0.remove(0)) else { return Ok(0) };
            buffer[..next.len()].copy_from_slice(next);
            Ok(next.len())
        }
    }
    let slow = Slow(vec![b"{\"a\":1}\n{\"a\"", b":2}\n", b"{\"a\":3}"]);
    let mut reader = NdjsonReader::new(slow, NdjsonColumns::Inferred, 100);
    let mut lines = Vec::new();
    while let Some(batch) = reader.next_batch().unwrap() {
        lines.push(batch.lines);
    }
    assert_eq!(lines, [vec![1], vec![2], vec![3]]);
}
