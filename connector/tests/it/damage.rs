//! Damaged files are errors that name the file; nothing panics and nothing hangs.

use crate::support::{bytes, request, row, rows_batch};
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use std::sync::Arc;
use trueup_connector::{Dataset, Error, ErrorKind};

/// Opens and reads to the end.
fn read(file: &[u8]) -> Result<usize, Error> {
    let store = InMemory::new();
    let key = Key::from("a.parquet");
    futures::executor::block_on(store.put(&key, file.to_vec().into())).unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let dataset = Dataset::open_in(store, "a.parquet")?;
    let mut request = request(&["id", "city"]);
    request.dictionary = vec!["city".into()];
    let batches = dataset.read(&request)?.collect::<Result<Vec<_>, _>>()?;
    Ok(batches.iter().map(trueup_event::EventBatch::len).sum())
}

fn whole() -> Vec<u8> {
    bytes(&rows_batch(&(0..200).map(|id| row(id / 3, id)).collect::<Vec<_>>()), 80)
}

#[test]
fn a_file_cut_anywhere_is_an_error_that_names_it() {
    let whole = whole();
    assert_eq!(read(&whole).unwrap(), 200);
    for length in (0..whole.len()).step_by(97).chain(whole.len() - 12..whole.len()) {
        let error = read(&whole[..length]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{length}: {error}");
        assert!(error.to_string().contains("`a.parquet`"), "{length}: {error}");
        assert!(error.hint().is_some());
    }
    assert!(read(b"at,id,city\n2013-01-01,1,x\n").unwrap_err().to_string().contains("a.parquet"));
}

#[test]
fn a_flipped_bit_never_panics() {
    let whole = whole();
    let mut refused = 0;
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        match read(&flipped) {
            Ok(count) => assert!(count <= 200, "{at}: {count}"),
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty(), "{at}");
            }
        }
    }
    assert!(refused > whole.len() / 20, "{refused}");
}
