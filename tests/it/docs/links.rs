//! What pages point to is there: files, headings, tests.

use crate::support::workspace;
use std::path::{Path, PathBuf};

/// Every page of the repository that is ours.
fn pages() -> Vec<PathBuf> {
    let front = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    let crates = ["registry/README.md", "serving-bridge/README.md", "python/README.md"];
    let mut pages = super::pages();
    pages.extend(front.iter().chain(&crates).map(|name| workspace().join(name)));
    pages
}

/// The text without what stands in code.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            let outside = line.split('`').step_by(2);
            outside.for_each(|part| prose.push_str(part));
            prose.push('\n');
        }
    }
    prose
}

/// The name by which a heading is linked.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-' || *c == '_');
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn has_heading(page: &Path, wanted: &str) -> bool {
    let text = std::fs::read_to_string(page).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).any(|found| found == wanted)
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for page in pages() {
        let text = prose(&std::fs::read_to_string(&page).unwrap());
        for rest in text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap();
            if target.contains("://") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { page.clone() } else { page.with_file_name(path) };
            let is_good = file.exists() && (heading.is_empty() || has_heading(&file, heading));
            if !is_good {
                wrong.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn the_summary_has_every_page() {
    let book = workspace().join("docs/src");
    let summary = std::fs::read_to_string(book.join("SUMMARY.md")).unwrap();
    for page in super::pages() {
        let Ok(name) = page.strip_prefix(&book) else { continue };
        let link = format!("({})", name.display());
        let is_there = name.ends_with("SUMMARY.md") || summary.contains(&link);
        assert!(is_there, "SUMMARY.md lacks {}", name.display());
    }
}

/// The tests that tables of invariants name, each as its file and its own name.
fn named_tests(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for row in text.lines().filter(|line| line.starts_with("| ")) {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let mut file = None;
        for word in cell.split('`').skip(1).step_by(2) {
            if word.ends_with(".rs") {
                file = Some(word.to_owned());
            } else if let Some(file) = file.clone().filter(|_| !word.contains(['/', '.', ':'])) {
                found.push((file, word.to_owned()));
            }
        }
    }
    found
}

#[test]
fn tests_that_hold_invariants_are_there() {
    for page in ["ARCHITECTURE.md", "registry/README.md", "serving-bridge/README.md"] {
        let page = workspace().join(page);
        let text = std::fs::read_to_string(&page).unwrap();
        let (_, table) = text.split_once("where it is tested").expect("it has the table");
        let table = table.split("\n\n").next().unwrap();
        let named = named_tests(table);
        assert!(named.len() > 3, "{}: {named:?}", page.display());
        for (file, name) in named {
            let code = std::fs::read_to_string(page.with_file_name(&file));
            let code = code.unwrap_or_else(|error| panic!("`{file}`: {error}"));
            assert!(code.contains(&format!("fn {name}(")), "`{file}` has no test `{name}`");
        }
    }
}
