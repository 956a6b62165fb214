//! What every store must do.

use crate::support::runtime;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use trueup_registry::store::{Created, Disk, Faults, Faulty, Objects};
use trueup_registry::{Store, StoreErrorKind};

fn conforms(store: &dyn Store) {
    assert!(store.list("").unwrap().is_empty());
    assert!(store.list("models/a").unwrap().is_empty());
    assert!(store.folders("models").unwrap().is_empty());
    assert_eq!(store.read("models/a/b").unwrap(), None);
    assert_eq!(store.read_range("models/a/b", 0..1).unwrap(), None);
    assert_eq!(store.create("models/a/b", b"12345").unwrap(), Created::New);
    assert_eq!(store.create("models/a/b", b"other").unwrap(), Created::Exists);
    assert_eq!(store.read("models/a/b").unwrap().unwrap(), b"12345");
    let range = |from, to| store.read_range("models/a/b", from..to).unwrap().unwrap();
    assert_eq!(range(1, 3), b"23");
    assert_eq!(range(3, 99), b"45");
    assert!(range(5, 6).is_empty() && range(9, 12).is_empty() && range(2, 2).is_empty());
    store.put("models/hint", b"1").unwrap();
    store.put("models/hint", b"22").unwrap();
    assert_eq!(store.read("models/hint").unwrap().unwrap(), b"22");
    store.create("models/ab/c", b"").unwrap();
    let listed = |folder: &str| {
        let listed = store.list(folder).unwrap();
        listed.into_iter().map(|l| (l.path, l.size_bytes)).collect::<Vec<_>>()
    };
    assert_eq!(listed("models/a"), [("models/a/b".to_owned(), 5)], "a folder, not a beginning");
    let all = [("models/a/b", 5), ("models/ab/c", 0), ("models/hint", 2)];
    assert_eq!(listed(""), all.map(|(path, size)| (path.to_owned(), size)));
    assert!(
        store.list("models").unwrap().iter().all(|l| l.modified_micros > 1_600_000_000_000_000)
    );
    assert_eq!(store.folders("models").unwrap(), ["a", "ab"]);
    assert_eq!(store.folders("").unwrap(), ["models"]);
    store.delete("models/a/b").unwrap();
    store.delete("models/a/b").unwrap();
    assert_eq!(store.read("models/a/b").unwrap(), None);
    assert_eq!(store.create("models/a/b", b"again").unwrap(), Created::New);
    for path in ["", "..", "a/../b", "/a", "a//b"] {
        assert_eq!(store.create(path, b"").unwrap_err().kind(), StoreErrorKind::Invalid, "{path}");
    }
}

/// Of sixteen that create at once, one does, and all find what that one wrote.
fn one_wins(store: &dyn Store) {
    for round in 0..20 {
        let path = format!("race/{round}");
        let won = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for writer in 0..16 {
                let (path, won) = (&path, &won);
                scope.spawn(move || {
                    let bytes = format!("{writer}").repeat(1000);
                    if store.create(path, bytes.as_bytes()).unwrap() == Created::New {
                        won.fetch_add(1, Ordering::Relaxed);
                        let found = store.read(path).unwrap().unwrap();
                        assert_eq!(found, bytes.as_bytes());
                    }
                });
            }
        });
        assert_eq!(won.into_inner(), 1);
    }
}

#[test]
fn a_disk_is_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(folder.path().join("not/made/yet")).unwrap();
    conforms(&disk);
    one_wins(&disk);
}

#[test]
fn an_object_store_in_memory_is_a_store() {
    let whole = Objects::new(Arc::new(InMemory::new()), "", runtime());
    conforms(&whole);
    one_wins(&whole);
    let shared = Arc::new(InMemory::new());
    let beside = Objects::new(shared.clone(), "a/prefix-2", runtime());
    beside.create("x", b"").unwrap();
    conforms(&Objects::new(shared, "a/prefix", runtime()));
    assert_eq!(beside.list("").unwrap().len(), 1);
}

#[test]
fn an_object_store_on_disk_is_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let local = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
    let store = Objects::new(Arc::new(local), "prefix", runtime());
    conforms(&store);
    one_wins(&store);
}

#[test]
fn a_faulty_store_without_faults_is_a_store_and_with_them_keeps_what_it_holds() {
    let sound: Arc<dyn Store> = Arc::new(Objects::new(Arc::new(InMemory::new()), "", runtime()));
    conforms(&Faulty::new(Arc::clone(&sound), Faults::all(0.0), 1));
    let faulty = Faulty::new(Arc::clone(&sound), Faults::all(0.5), 7);
    let (mut failed, mut spoiled, mut doubted) = (0, 0, 0);
    for number in 0..200 {
        let path = format!("faults/{number}");
        match faulty.create(&path, b"whole") {
            Ok(created) => doubted += usize::from(created == Created::Exists),
            Err(_) => failed += 1,
        }
        spoiled += usize::from(matches!(faulty.read(&path), Ok(Some(found)) if found != b"whole"));
        assert!(matches!(sound.read(&path).unwrap().as_deref(), None | Some(b"whole")));
    }
    assert!(failed > 50 && spoiled > 20 && doubted > 10, "{failed} {spoiled} {doubted}");
    assert!(faulty.injected() > 200);
}
