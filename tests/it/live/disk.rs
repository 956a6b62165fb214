//! Disks that are full, read-only or damaged: a run stops in clear words or goes on, and what it
//! publishes is never wrong.

#![allow(clippy::print_stdout, reason = "tests print for whoever runs them")]

use super::support::{copy, left, logged, once, status, twin, versions};
use crate::support::{Project, finish};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system of its own, gone after the test; none where it may not be made.
struct Mount(PathBuf);

impl Mount {
    fn new(folder: &Path, bytes: u64) -> Option<Self> {
        std::fs::create_dir_all(folder).unwrap();
        let size = format!("size={bytes}");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder);
        if !command.status().is_ok_and(|status| status.success()) {
            println!("skipped: a file system cannot be mounted here");
            return None;
        }
        Some(Self(folder.to_path_buf()))
    }

    fn change(&self, option: &str) {
        let options = format!("remount,{option}");
        finish(Command::new("mount").args(["-o", &options]).arg(&self.0), "mount").ok();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // What stays mounted ends with the machine.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The unbroken run over the same log.
fn unbroken(project: &Project) -> super::support::Left {
    let twin = twin(project);
    once(&twin);
    left(&twin)
}

#[test]
fn a_full_disk_ends_a_run_and_the_next_one_goes_on() {
    let project = logged();
    let state = project.path(".trueup");
    let aside = project.path("aside");
    std::fs::rename(&state, &aside).unwrap();
    let Some(mount) = Mount::new(&state, 1_600_000) else { return };
    copy(&aside, &state);
    let ran = project.run("run flight_eta --env live --once --checkpoint-every 0.02");
    assert_eq!(ran.code, 3, "{ran}");
    assert!(ran.stderr.contains("hint: "), "{ran}");
    mount.change("size=100m");
    once(&project);
    assert_eq!(left(&project), unbroken(&project));
}

#[test]
fn a_read_only_disk_ends_a_run() {
    let project = logged();
    let state = project.path(".trueup");
    let aside = project.path("aside");
    std::fs::rename(&state, &aside).unwrap();
    let Some(mount) = Mount::new(&state, 100_000_000) else { return };
    copy(&aside, &state);
    mount.change("ro");
    project.run("run flight_eta --env live --once").fails(3, &["hint: "]);
    project.run("append --env live --from local flight_eta").fails(3, &["hint: "]);
    mount.change("rw");
    once(&project);
    assert_eq!(left(&project), unbroken(&project));
}

/// The newest file of a folder whose name is a number.
fn newest(folder: &Path, is_wanted: impl Fn(&[u8]) -> bool) -> PathBuf {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_numbered = |path: &PathBuf| {
        path.file_name().unwrap().to_str().unwrap().starts_with("0000000")
            && is_wanted(&std::fs::read(path).unwrap())
    };
    entries.filter(is_numbered).max().unwrap()
}

fn spoil(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let project = logged();
    project.run("run flight_eta --env live --once --checkpoint-every 0.02").ok();
    let expected = left(&project);
    let size = status(&project)["checkpoint"]["state_bytes"].as_u64().unwrap();
    let folder = project.path(".trueup/shards/flight_eta");
    spoil(&newest(&folder, |bytes| bytes.len() as u64 >= size / 4));
    once(&project).says(&["checkpoint is damaged"]);
    assert_eq!(left(&project), expected);
}

#[test]
fn a_damaged_entry_of_the_registry_ends_a_run() {
    let project = logged();
    once(&project);
    let state = project.path(".trueup");
    let before = versions(&state);
    let entry = newest(&state.join("registry/models/flight_eta/log"), |_| true);
    let sound = std::fs::read(&entry).unwrap();
    spoil(&entry);
    project.run("run flight_eta --env live --once").fails(3, &["damaged"]);
    std::fs::write(&entry, sound).unwrap();
    once(&project);
    assert_eq!(versions(&state), before);
}

#[test]
fn a_log_that_was_replaced_ends_a_run_and_its_status_says_so() {
    let project = logged();
    once(&project);
    let before = versions(&project.path(".trueup"));
    std::fs::remove_dir_all(project.path(".trueup/log")).unwrap();
    project.run("append --env live --from local flight_eta --until 2013-01-02").ok();
    let words = ["lies beyond the end", "hint: "];
    project.run("run flight_eta --env live --once").fails(3, &words);
    let shown = project.run("status flight_eta --env live");
    assert_eq!(shown.code, 1, "{shown}");
    assert!(shown.stdout.contains("lies beyond the end"), "{shown}");
    assert_eq!(versions(&project.path(".trueup")), before);
}
