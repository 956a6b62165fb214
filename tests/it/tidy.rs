//! The style of the files, held as tests: edges between crates, sizes, reachability, purity.
//!
//! What rustc, rustfmt and clippy can say is left to them. Limits that older files break stand in
//! [`GIANTS`] with their present size: they may shrink and never grow.

mod source;

use source::{Source, sources};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, TableLike};
use trueup_learner::drift::DETECTORS;
use trueup_learner::learners::LEARNERS;
use trueup_learner::metrics::METRICS;

/// Each crate, and the crates of the workspace that it may use.
const EDGES: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("learner", &["event"]),
    ("pipeline", &["event", "learner"]),
    ("connector", &["event"]),
    ("registry", &["event"]),
    ("serving-bridge", &["event", "learner", "registry"]),
    ("backtest", &["event", "learner", "pipeline", "connector", "registry"]),
    ("python", &["event", "learner", "pipeline", "registry", "backtest"]),
    (".", &["event", "learner", "pipeline", "connector", "registry", "backtest", "serving-bridge"]),
];

/// Crates without clock, I/O, thread or chance.
const PURE: [&str; 2] = ["event", "learner"];

/// Crates in which nothing is async.
const SYNCHRONOUS: [&str; 4] = ["event", "learner", "pipeline", "backtest"];

/// What a pure crate has no use for.
const IMPURE: [&str; 8] =
    ["async-std", "chrono", "getrandom", "object_store", "rand", "rayon", "reqwest", "tokio"];

/// Crates of which two versions in one program cost dear: their types would not fit each other.
const ONCE: [&str; 6] = ["arrow", "ndarray", "object_store", "parquet", "tokio", "trueup-event"];

/// Crates that want more of a machine than Rust and a C compiler.
const NEVER: [&str; 4] = ["aws-lc-rs", "cmake", "openssl-sys", "prost-build"];

const LINE_COLUMNS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Files (`path`) and functions (`path::name`) above the limits, with the lines they may have.
const GIANTS: &[(&str, usize)] = &[];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails with all findings at once, each on a line of its own.
#[track_caller]
fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

fn manifest(folder: &str) -> DocumentMut {
    read(Path::new(folder).join("Cargo.toml")).parse().expect("a manifest is TOML")
}

/// The names of all dependencies of a crate, those of its tests included.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = manifest(folder);
    let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
    let tables = tables.iter().filter_map(|name| manifest.get(name)?.as_table_like());
    tables.flat_map(TableLike::iter).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn crates_use_only_what_stands_before_them() {
    let manifest = manifest(".");
    let members = manifest["workspace"]["members"].as_array().expect("the workspace has members");
    let mut members: BTreeSet<_> = members.iter().filter_map(|member| member.as_str()).collect();
    members.insert(".");
    let listed: BTreeSet<_> = EDGES.iter().map(|(folder, _)| *folder).collect();
    assert_eq!(members, listed, "every crate of the workspace is in the table of edges");
    let mut forbidden = Vec::new();
    for (folder, allowed) in EDGES {
        for name in dependencies(folder) {
            match name.strip_prefix("trueup-") {
                Some(used) if !allowed.contains(&used) => {
                    forbidden.push(format!("`{folder}` may not use `{used}`"));
                }
                Some(_) | None => {}
            }
        }
    }
    none("forbidden edges between crates", &forbidden);
}

#[test]
fn pure_crates_stay_pure() {
    for folder in PURE {
        let impure: Vec<_> =
            dependencies(folder).into_iter().filter(|name| IMPURE.contains(&&**name)).collect();
        none(&format!("impure dependencies of `{folder}`"), &impure);
    }
    let [event, learner] = PURE.map(|folder| read(Path::new(folder).join("clippy.toml")));
    assert!(event == learner, "the pure crates have the same clippy.toml");
}

#[test]
fn nothing_is_async_before_the_edge() {
    let is_inside = |source: &&Source| {
        SYNCHRONOUS.iter().any(|folder| source.path.starts_with(&format!("{folder}/")))
    };
    let mut found = Vec::new();
    for source in sources(root()).iter().filter(is_inside) {
        for (number, line) in (1..).zip(source.code.lines()) {
            if source::words(line).any(|word| word == "async" || word == "await") {
                found.push(format!("{}:{number}", source.path));
            }
        }
    }
    none("async code", &found);
}

#[test]
fn dependencies_come_once_and_build_anywhere() {
    let lock: DocumentMut = read("Cargo.lock").parse().expect("a lock file is TOML");
    let packages = lock["package"].as_array_of_tables().expect("packages are locked");
    let names: Vec<_> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let count = |name: &&str| names.iter().filter(|found| found == &name).count();
    assert!(names.len() > 50);
    for name in ONCE {
        assert_eq!(count(&name), 1, "versions of `{name}`");
    }
    for name in NEVER {
        assert_eq!(count(&name), 0, "`{name}` does not build on every machine");
    }
}

#[test]
fn every_file_says_what_it_is() {
    let silent = |source: &Source| !source.text.starts_with("//! ");
    let sources = sources(root());
    let found: Vec<_> = sources.iter().filter(|s| silent(s)).map(|s| s.path.clone()).collect();
    none("files that do not begin with `//! ` and a sentence", &found);
}

#[test]
fn lines_fit() {
    let mut found = Vec::new();
    for source in sources(root()) {
        for (number, line) in (1..).zip(source.text.lines()) {
            let columns = line.chars().count();
            if columns > LINE_COLUMNS_MAX {
                found.push(format!("{}:{number}: {columns} columns", source.path));
            }
        }
    }
    none("lines above 100 columns", &found);
}

#[test]
fn files_and_functions_fit() {
    let mut above = Vec::new();
    for source in sources(root()) {
        let lines = source.code_lines();
        if !source.is_test() && lines > FILE_LINES_MAX {
            above.push((source.path.clone(), lines));
        }
        for (name, lines) in source.functions() {
            if lines > FUNCTION_LINES_MAX {
                above.push((format!("{}::{name}", source.path), lines));
            }
        }
    }
    let allowed = |name: &str| GIANTS.iter().find(|(giant, _)| *giant == name);
    let mut found = Vec::new();
    for (name, lines) in &above {
        match allowed(name) {
            None => found.push(format!("{name}: {lines} lines")),
            Some((_, max)) if lines > max => {
                found.push(format!("{name}: {lines} lines, not {max}"))
            }
            Some(_) => {}
        }
    }
    for (giant, _) in GIANTS.iter().filter(|(giant, _)| above.iter().all(|(name, _)| name != giant))
    {
        found.push(format!("{giant}: no giant any more, take it off the list"));
    }
    none("files above 500 lines of code, functions above 70 lines", &found);
}

#[test]
fn every_file_is_part_of_a_crate() {
    let sources = sources(root());
    let paths: BTreeSet<PathBuf> = sources.iter().map(|s| PathBuf::from(&s.path)).collect();
    let mut reached: BTreeSet<PathBuf> = BTreeSet::new();
    let mut next: Vec<PathBuf> =
        sources.iter().filter(|s| s.is_crate_root()).map(|s| PathBuf::from(&s.path)).collect();
    let mut missing = Vec::new();
    while let Some(path) = next.pop() {
        if !reached.insert(path.clone()) {
            continue;
        }
        let source = sources.iter().find(|s| Path::new(&s.path) == path).expect("it is there");
        for candidates in source.modules() {
            match candidates.iter().find(|candidate| paths.contains(*candidate)) {
                Some(found) => next.push(found.clone()),
                None => missing.push(format!("{}: {candidates:?}", source.path)),
            }
        }
    }
    none("modules without a file", &missing);
    let dead: Vec<_> = paths.difference(&reached).map(|path| path.display().to_string()).collect();
    none("files that no `mod` line reaches", &dead);
}

#[test]
fn nothing_is_left_to_do() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let mut found = Vec::new();
    for path in source::files(root(), &["rs", "toml", "md", "sh", ""]) {
        for (number, line) in (1..).zip(read(&path).lines()) {
            if source::words(line).any(|word| marks.contains(&word)) {
                found.push(format!("{}:{number}", path.display()));
            }
        }
    }
    none("marks of unfinished work", &found);
}

#[test]
fn tables_are_sorted_and_say_what_they_hold() {
    let learners: Vec<_> = LEARNERS.iter().map(|kind| (kind.name, kind.about)).collect();
    let detectors: Vec<_> = DETECTORS.iter().map(|kind| (kind.name, kind.about)).collect();
    let mut metrics: Vec<_> = METRICS.iter().map(|kind| (kind.name, kind.about)).collect();
    // Metrics stand in the order of reports.
    metrics.sort_unstable();
    for table in [learners, detectors, metrics] {
        assert!(!table.is_empty());
        for pair in table.windows(2) {
            assert!(pair[0].0 < pair[1].0, "`{}` stands before `{}`", pair[0].0, pair[1].0);
        }
        for (name, about) in table {
            let is_told = about.len() > 10 && !about.ends_with('.');
            assert!(is_told, "`{name}` says what it is, without a full stop: `{about}`");
        }
    }
}
