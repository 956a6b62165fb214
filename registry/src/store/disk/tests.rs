//! What a folder must do as a store, beyond what every store must.

use super::*;

fn disk() -> (tempfile::TempDir, Disk) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(folder.path().join("registry")).unwrap();
    (folder, disk)
}

#[test]
fn leftovers_are_not_listed_and_are_swept_when_old() {
    let (folder, disk) = disk();
    disk.create("a/b", b"1").unwrap();
    let leftover = folder.path().join("registry/.tmp/1-dead");
    fs::write(&leftover, b"half").unwrap();
    let names = |listed: Vec<Listed>| listed.into_iter().map(|l| l.path).collect::<Vec<_>>();
    assert_eq!(names(disk.list("").unwrap()), ["a/b"]);
    assert_eq!(disk.folders("").unwrap(), ["a"]);
    assert_eq!(disk.sweep(0).unwrap(), 0);
    assert!(leftover.exists());
    assert_eq!(disk.sweep(i64::MAX).unwrap(), 1, "the leftover alone is in there");
    assert!(!leftover.exists());
}

#[test]
fn a_file_in_place_of_a_folder_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    assert_eq!(Disk::open(&file).unwrap_err().kind(), StoreErrorKind::Invalid);
    assert_eq!(Disk::open(file.join("beneath")).unwrap_err().kind(), StoreErrorKind::Invalid);
    let disk = Disk::open(folder.path()).unwrap();
    let error = disk.create("file/object", b"1").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Invalid, "{error}");
    assert!(error.hint().is_some());
}

#[cfg(unix)]
#[test]
fn a_folder_that_forbids_writing_is_read_only() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, disk) = disk();
    disk.create("a/b", b"1").unwrap();
    let locked = folder.path().join("registry/a");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    // Permissions do not bind the superuser, who cannot see the error.
    if File::create(locked.join("probe")).is_err() {
        let error = disk.create("a/c", b"1").unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::ReadOnly, "{error}");
    }
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_and_a_read_only_disk_are_told() {
    let kind = |code| {
        let error = io::Error::from_raw_os_error(code);
        StoreError::disk("cannot write", Path::new("/registry"), error).kind()
    };
    assert_eq!(kind(28), StoreErrorKind::Full);
    assert_eq!(kind(122), StoreErrorKind::Full);
    assert_eq!(kind(30), StoreErrorKind::ReadOnly);
    assert_eq!(kind(5), StoreErrorKind::Retry);
}

#[test]
fn no_path_leaves_the_folder() {
    let (_folder, disk) = disk();
    for path in ["", "..", "../a", "a/../../b", "/a", "a//b", "a/", "a/./b", "a\\b", "a\0", "c:"] {
        let error = disk.create(path, b"1").unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Invalid, "{path:?}");
        assert!(disk.read(path).is_err(), "{path:?}");
    }
}
