//! Damaged files: each is noticed, none makes a panic or wrong data.

use crate::support::{base, delta, learner, memory, model, person, publish};
use std::sync::Arc;
use trueup_registry::{AliasName, ErrorKind, Expect, ModelRegistry, Problem, RollbackTo, Store};

/// A small model with every kind of file; checkpoint and hint come with the hundredth entry.
fn small() -> Arc<dyn Store> {
    with_entries(101)
}

/// A model whose log has so many entries.
fn with_entries(last: i64) -> Arc<dyn Store> {
    let store = memory();
    let mut model = model(&store);
    publish(&mut model, base("a"), 1);
    publish(&mut model, delta("b", "a"), 2);
    let alias = AliasName::champion();
    model.rollback(&alias, RollbackTo::Previous, Expect::Anything, &person(3)).unwrap();
    for number in 4..=last {
        model.tag(1, "round", &number.to_string(), &person(number)).unwrap();
    }
    assert_eq!(model.verify().unwrap(), []);
    store
}

fn files(store: &Arc<dyn Store>) -> Vec<(String, Vec<u8>)> {
    let listed = store.list("").unwrap();
    listed.into_iter().map(|l| (l.path.clone(), store.read(&l.path).unwrap().unwrap())).collect()
}

/// The files that are tried: all but most of the tags.
fn telling(files: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let is_telling = |path: &str| {
        let number = path.rsplit_once("log/").and_then(|(_, name)| name[..20].parse::<u64>().ok());
        number.is_none_or(|number| number <= 3 || number >= 100)
    };
    files.into_iter().filter(|(path, _)| is_telling(path)).collect()
}

fn is_found(model: &ModelRegistry, path: &str, what: &str) {
    let findings = model.verify().unwrap();
    assert!(findings.iter().any(|found| found.path == path), "{what} of `{path}`: {findings:?}");
}

#[test]
fn every_changed_byte_and_every_cut_is_found_and_named() {
    let tried = changed_and_cut(&with_entries(4), usize::MAX);
    assert!(tried > 6_000, "{tried}");
}

/// Each verification reads the whole model, so long files are tried at a stride.
#[test]
fn changes_and_cuts_of_checkpoint_and_hint_are_found_and_named() {
    let tried = changed_and_cut(&small(), 150);
    assert!(tried > 1_000, "{tried}");
}

/// Changes and cuts every file at so many places at most, and gives how many were tried.
fn changed_and_cut(store: &Arc<dyn Store>, places_max: usize) -> usize {
    let model = model(store);
    let mut tried = 0;
    for (path, bytes) in telling(files(store)) {
        let stride = bytes.len().div_ceil(places_max);
        let mut damaged = bytes.clone();
        for at in (0..bytes.len()).step_by(stride) {
            damaged[at] ^= 1 << (at % 8);
            store.put(&path, &damaged).unwrap();
            is_found(&model, &path, "a change");
            damaged[at] = bytes[at];
            store.put(&path, &bytes[..at]).unwrap();
            is_found(&model, &path, "a cut");
            tried += 2;
        }
        store.put(&path, &bytes).unwrap();
    }
    assert_eq!(model.verify().unwrap(), []);
    tried
}

/// What a reader holds is either what was written or nothing, whatever byte is changed.
#[test]
fn a_reader_takes_no_damaged_file() {
    let store = small();
    let mut whole = model(&store);
    whole.refresh().unwrap();
    for (path, bytes) in telling(files(&store)) {
        let mut damaged = bytes.clone();
        for at in (0..bytes.len()).step_by(bytes.len().div_ceil(500)) {
            damaged[at] ^= 1 << (at % 8);
            store.put(&path, &damaged).unwrap();
            damaged[at] = bytes[at];
            let mut reader = model(&store);
            match reader.refresh() {
                Ok(_) => {
                    let known = reader.state().number();
                    assert!(known == 101 || known == 0, "{known} entries despite `{path}`");
                    assert!(known == 0 || reader.state() == whole.state(), "byte {at} of `{path}`");
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                    assert!(error.to_string().contains(&path), "{error}");
                }
            }
            if path.contains("blobs") {
                for version in whole.state().versions().values() {
                    let summary = &version.summary;
                    if let Ok(read) = whole.read_slice(&summary.serving) {
                        assert_eq!(read, format!("serving {}", summary.id).into_bytes());
                    }
                }
            }
        }
        store.put(&path, &bytes).unwrap();
    }
}

#[test]
fn readers_keep_what_they_have_when_the_next_entry_is_damaged() {
    let store = memory();
    let mut writer = model(&store);
    publish(&mut writer, base("a"), 1);
    let mut reader = model(&store);
    reader.refresh().unwrap();
    publish(&mut writer, base("b"), 2);
    let path = "models/eta-bias/log/00000000000000000002.json";
    let bytes = store.read(path).unwrap().unwrap();
    store.put(path, &bytes[..bytes.len() / 2]).unwrap();
    let error = reader.refresh().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(path) && error.hint().is_some());
    assert_eq!(reader.resolve("champion").unwrap().id, "a");
    let error = reader.publish(&[base("c")], &learner(1, 3)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "nobody writes behind a damaged entry");
    store.put(path, &bytes).unwrap();
    reader.refresh().unwrap();
    assert_eq!(reader.resolve("champion").unwrap().id, "b");
}

#[test]
fn files_that_are_missing_exchanged_or_strange_are_found() {
    let store = small();
    let model = model(&store);
    let problem = |path: &str| {
        let findings = model.verify().unwrap();
        let found = findings.iter().find(|found| found.path == path);
        found.unwrap_or_else(|| panic!("{findings:?}")).problem
    };
    let entry = |number: u64| format!("models/eta-bias/log/{number:020}.json");
    let all = files(&store);
    for path in [entry(2), all.iter().find(|(p, _)| p.contains("blobs")).unwrap().0.clone()] {
        let bytes = store.read(&path).unwrap().unwrap();
        store.delete(&path).unwrap();
        assert_eq!(problem(&path), Problem::Missing);
        store.put(&path, &bytes).unwrap();
    }
    let (first, second) =
        (store.read(&entry(50)).unwrap().unwrap(), store.read(&entry(51)).unwrap().unwrap());
    store.put(&entry(51), &first).unwrap();
    assert_eq!(problem(&entry(51)), Problem::Damaged, "an old file under a new name");
    store.put(&entry(51), &second).unwrap();
    store.put("models/eta-bias/note.txt", b"").unwrap();
    assert_eq!(problem("models/eta-bias/note.txt"), Problem::Unknown);
    store.delete("models/eta-bias/note.txt").unwrap();
    assert_eq!(model.verify().unwrap(), []);
}

#[test]
fn a_damaged_hint_or_checkpoint_falls_back() {
    let store = small();
    let mut whole = model(&store);
    whole.refresh().unwrap();
    let opens = |what: &str| {
        let mut reader = model(&store);
        reader.refresh().unwrap();
        assert_eq!(reader.state(), whole.state(), "{what}");
    };
    let hint = "models/eta-bias/_last_checkpoint";
    let checkpoint = "models/eta-bias/checkpoint/00000000000000000100.json";
    store.put(checkpoint, b"{").unwrap();
    opens("damaged checkpoint");
    store.put(hint, b"").unwrap();
    opens("damaged hint and checkpoint");
    store.delete(checkpoint).unwrap();
    opens("damaged hint, no checkpoint");
    store.delete(hint).unwrap();
    opens("neither");
}

/// A disk that is not mounted, a bucket that was emptied: who has read the log does not believe it.
#[test]
fn a_log_that_vanished_is_no_empty_log() {
    let store = small();
    let mut reader = model(&store);
    reader.refresh().unwrap();
    let state = reader.state().clone();
    for (path, _) in files(&store) {
        store.delete(&path).unwrap();
    }
    assert_eq!(reader.refresh().unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(reader.publish(&[base("z")], &learner(1, 1)).is_err());
    assert_eq!(reader.state(), &state);
    assert!(store.list("").unwrap().is_empty());
}
