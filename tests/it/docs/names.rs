//! Names in the reference are those of the program, and all of them.

use crate::support::{Project, is_freezing, workspace};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

fn page(name: &str) -> String {
    std::fs::read_to_string(workspace().join("docs/src/reference").join(name)).unwrap()
}

/// The names of metrics that a section of the page lists.
fn listed(section: &str) -> BTreeSet<String> {
    let text = page("metrics.md");
    let heading = format!("\n## {section}\n");
    let (_, after) = text.split_once(&heading).expect("the page has the section");
    let section = after.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `trueup_"));
    rows.map(|row| format!("trueup_{}", row.split('`').next().unwrap())).collect()
}

/// A server that is gone at the end.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the server tells of itself once it has a model.
fn told(project: &Project) -> String {
    project.run("backtest flight_eta --to 2013-01-05 --publish").ok();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_trueup"));
    serve.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(project.folder());
    let mut serving = Serving(serve.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(serving.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_page_names_every_metric_of_the_server_and_no_other() {
    let text = told(&Project::flights());
    let mut names = BTreeSet::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.trim().split_once(' ').unwrap();
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        names.insert(format!("{name}{suffix}"));
    }
    assert!(names.len() > 5, "{text}");
    assert_eq!(listed("`trueup serve`"), names);
}

#[test]
fn the_page_names_every_metric_of_the_daemon_and_no_other() {
    let code = std::fs::read_to_string(workspace().join("src/daemon/status.rs")).unwrap();
    let names: BTreeSet<String> = code
        .split("\"trueup_")
        .skip(1)
        .map(|rest| format!("trueup_{}", rest.split('"').next().unwrap()))
        .collect();
    assert!(names.len() > 10, "{names:?}");
    assert_eq!(listed("`trueup run`"), names);
}

#[test]
fn the_page_names_every_route() {
    let document = std::fs::read(workspace().join("serving-bridge/openapi.json")).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
    let page = page("http.md");
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let row = format!("`{} {path}`", method.to_uppercase());
            assert!(page.contains(&row), "`http.md` does not name {row}");
        }
    }
}

#[test]
fn the_page_of_commands_shows_their_help() {
    let project = Project::empty();
    let path = workspace().join("docs/src/reference/command-line.md");
    let (text, mut new) = (page("command-line.md"), String::new());
    let mut commands = BTreeSet::new();
    for (at, section) in text.split("\n## trueup").enumerate() {
        if at == 0 {
            new.push_str(section);
            continue;
        }
        let (name, rest) = section.split_once('\n').unwrap();
        commands.insert(name.trim().to_owned());
        let help = project.run(&format!("{name} --help")).ok().stdout;
        let (before, rest) = rest.split_once("```text\n").expect("a section begins with help");
        let (_, after) = rest.split_once("```\n").unwrap();
        new.push_str(&format!("\n## trueup{name}\n{before}```text\n{help}```\n{after}"));
    }
    if is_freezing() {
        std::fs::write(path, &new).unwrap();
    }
    assert!(is_freezing() || new == text, "TRUEUP_FREEZE=1 writes the help into the page");
    for line in project.run("--help").ok().stdout.lines() {
        let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else {
            continue;
        };
        let name = name.split(' ').next().unwrap();
        let is_command = name != "help" && !name.starts_with('-');
        assert!(!is_command || commands.contains(name), "the page lacks `trueup {name}`");
    }
}
