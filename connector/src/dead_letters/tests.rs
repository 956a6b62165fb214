//! What a line says, and that there is no half-written file.

use super::*;
use trueup_event::{EventTime, Origin, PartitionId, Place, Reason, StreamId};

fn letter(time: Option<EventTime>) -> DeadLetter {
    DeadLetter {
        place: Place { stream: StreamId(1), partition: PartitionId(2), offset: 7 },
        origin: Origin::new(1, 41),
        time,
        reason: Reason::Malformed,
        detail: "value is \"x\"\n".into(),
    }
}

#[test]
fn a_line_names_file_row_and_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dead.ndjson");
    std::fs::write(&path, "old").expect("an old file");
    let files = ["a.parquet".to_string(), "b.parquet".to_string()];
    let mut file = DeadLetterFile::create(&path).expect("a file");
    file.write("labels", &files, &letter(None)).expect("a letter");
    file.write("labels", &[], &letter(Some(EventTime::from_micros(0)))).expect("a letter");
    assert_eq!(
        std::fs::read_to_string(&path).expect("readable"),
        "old",
        "not there until finished"
    );
    assert_eq!(file.finish().expect("finished"), 2);
    let expected = concat!(
        r#"{"stream":"labels","partition":2,"offset":7,"file":"b.parquet","row":41,"time":null,"#,
        r#""reason":"malformed","detail":"value is \"x\"\n"}"#,
        "\n",
        r#"{"stream":"labels","partition":2,"offset":7,"row":41,"time":"1970-01-01T00:00:00Z","#,
        r#""reason":"malformed","detail":"value is \"x\"\n"}"#,
        "\n",
    );
    assert_eq!(std::fs::read_to_string(&path).expect("readable"), expected);
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[cfg(unix)]
#[test]
fn whoever_may_read_a_plain_file_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let (path, plain) = (folder.path().join("dead.ndjson"), folder.path().join("plain"));
    DeadLetterFile::create(&path).expect("a file").finish().expect("finished");
    std::fs::write(&plain, "").expect("a plain file");
    let mode = |path: &Path| std::fs::metadata(path).expect("is there").permissions().mode();
    assert_eq!(mode(&path), mode(&plain));
}

#[test]
fn an_unfinished_file_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(DeadLetterFile::create(&folder.path().join("dead.ndjson")).expect("a file"));
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    let error = DeadLetterFile::create(&folder.path().join("missing/dead.ndjson"));
    assert_eq!(error.expect_err("no folder").kind(), crate::ErrorKind::Missing);
}
