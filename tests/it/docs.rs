//! The documents do what they say: every command in them runs, and prints what is printed there.
//!
//! A `console` block holds commands, each after `$ `, and what they print. A line with `…` stands
//! for any number of lines. A command that prints `error:` there must fail, every other one
//! succeed. Commands of one page run one after the other in a copy of the example project. One that
//! ends with ` &` goes on beside the others until the page ends; where it listens is replaced by a
//! free port. With `TRUEUP_FREEZE=1` what is printed now is written into the pages.

use crate::support::{Project, Ran, finish, is_freezing, workspace};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

mod links;
mod names;

const ELISION: &str = "…";
/// Where servers of the pages listen.
const ADDRESS: &str = "127.0.0.1:8080";

/// A command of a page, and what the page says it prints.
#[derive(Debug)]
struct Step {
    line: usize,
    command: String,
    printed: Vec<String>,
}

/// The commands of a page, in order.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut is_console = false;
    for (index, line) in text.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            is_console = !is_console && language.trim() == "console";
        } else if !is_console {
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { line: index + 1, command: command.to_owned(), printed: Vec::new() });
        } else {
            let step = steps.last_mut().expect("a block begins with a command");
            step.printed.push(line.to_owned());
        }
    }
    steps
}

/// Every page of the book, and the front page.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![workspace().join("README.md")];
    let mut folders = vec![workspace().join("docs/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

/// A reader's shell: a project, and what runs beside it until the page ends.
struct Shell {
    project: Project,
    address: String,
    beside: Vec<Child>,
}

impl Shell {
    fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { project: Project::flights(), address: free.to_string(), beside: Vec::new() }
    }

    fn command(&self, script: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_trueup"));
        let found = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{found}", program.parent().unwrap().display());
        let script = script.replace("cargo run --release --", "trueup");
        let script = script.replace(ADDRESS, &self.address);
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).current_dir(self.project.folder());
        shell.env("PATH", path).env("USER", "you");
        shell
    }

    /// Runs a command with both outputs in one, or starts it and waits until it listens.
    fn run(&mut self, command: &str) -> Option<Ran> {
        let Some(beside) = command.strip_suffix(" &") else {
            let mut shell = self.command(&format!("exec 2>&1\n{command}"));
            return Some(finish(&mut shell, command));
        };
        let mut shell = self.command(&format!("exec {beside}"));
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.beside.push(shell.spawn().unwrap());
        let began = Instant::now();
        while TcpStream::connect(&self.address).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "it does not listen: `{command}`");
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        for child in &mut self.beside {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A line without what differs from run to run: speeds, and times of the clock, which have
/// fractions of a second as no time in the sample data has.
fn steady(line: &str) -> String {
    let mut line = line.trim_end().to_owned();
    for unit in [" events/s", " rows/s"] {
        if let Some((before, _)) = line.split_once(unit) {
            let digits = |c: char| c.is_ascii_digit() || c == ',';
            line = format!("{}…{unit}", before.trim_end_matches(digits));
        }
    }
    let is_clock =
        |word: &&str| word.starts_with("20") && word.ends_with('Z') && word.contains('.');
    while let Some(word) = line.split_whitespace().find(is_clock) {
        line = line.replace(word, "…");
    }
    line
}

/// Whether what was printed is what the page says, where an elision stands for any lines.
fn matches(said: &[String], printed: &[String]) -> bool {
    match said {
        [] => printed.is_empty(),
        [first, rest @ ..] if first == ELISION => {
            (0..=printed.len()).any(|skipped| matches(rest, &printed[skipped..]))
        }
        [first, rest @ ..] => printed.first() == Some(first) && matches(rest, &printed[1..]),
    }
}

/// What is wrong with a step, if anything is.
fn wrong(ran: &Ran, step: &Step) -> Option<String> {
    let must_fail = step.printed.iter().any(|line| line.starts_with("error:"));
    if must_fail != (ran.code != 0) {
        return Some(format!("the page says otherwise of its end\n{ran}"));
    }
    let said: Vec<String> = step.printed.iter().map(|line| steady(line)).collect();
    let printed: Vec<String> = ran.stdout.lines().map(steady).collect();
    (!matches(&said, &printed)).then(|| {
        let said = step.printed.join("\n");
        format!("it prints something else than the page says\n--- page\n{said}\n--- run\n{ran}")
    })
}

/// What the page should say instead: each stretch between elisions as long as it was, from the line
/// that begins like its first.
fn renewed(said: &[String], printed: &[String]) -> Vec<String> {
    if !said.iter().any(|line| line == ELISION) {
        return printed.to_vec();
    }
    let label = |line: &str| {
        let end = line.find("  ").into_iter().chain(line.find(|c: char| c.is_ascii_digit())).min();
        line[..end.unwrap_or(line.len())].to_owned()
    };
    let (mut lines, mut rest) = (Vec::new(), printed);
    for stretch in said.split_inclusive(|line| line == ELISION) {
        let (kept, elided) = match stretch.split_last() {
            Some((last, kept)) if last == ELISION => (kept, Some(ELISION.to_owned())),
            _ => (stretch, None),
        };
        let place =
            kept.first().and_then(|first| rest.iter().position(|line| label(line) == label(first)));
        match place {
            Some(place) => {
                let end = rest.len().min(place + kept.len());
                lines.extend_from_slice(&rest[place..end]);
                rest = &rest[end..];
            }
            None => lines.extend_from_slice(kept),
        }
        lines.extend(elided);
    }
    lines
}

fn page_is_true(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let steps = steps(&text);
    if steps.is_empty() {
        return Vec::new();
    }
    let mut shell = Shell::new();
    let shown = path.strip_prefix(workspace()).unwrap().display();
    let mut wrongs = Vec::new();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut shift = 0;
    for step in &steps {
        let Some(ran) = shell.run(&step.command) else { continue };
        let Some(wrong) = wrong(&ran, step) else { continue };
        wrongs.push(format!("{shown}:{}: `{}`: {wrong}", step.line, step.command));
        let printed: Vec<String> = ran.stdout.lines().map(str::to_owned).collect();
        let new = renewed(&step.printed, &printed);
        let start = step.line.checked_add_signed(shift).unwrap();
        shift += new.len() as isize - step.printed.len() as isize;
        lines.splice(start..start + step.printed.len(), new);
    }
    if is_freezing() && !wrongs.is_empty() {
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }
    wrongs
}

#[test]
fn every_command_of_the_documents_does_what_they_say() {
    let pages = Mutex::new(pages());
    assert!(pages.lock().unwrap().len() > 10, "the book has pages");
    let wrongs = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(page) = pages.lock().unwrap().pop() else { return };
                    let found = page_is_true(&page);
                    wrongs.lock().unwrap().extend(found);
                }
            });
        }
    });
    let wrongs = wrongs.into_inner().unwrap();
    assert!(
        wrongs.is_empty(),
        "{} commands (TRUEUP_FREEZE=1 writes what they print into the pages):\n\n{}",
        wrongs.len(),
        wrongs.join("\n\n")
    );
}

#[test]
fn commands_and_elisions_are_read_as_meant() {
    let page = "x\n```console\n$ a b\none\n…\ntwo\n$ c\n```\n```text\n$ no\n```\n";
    let steps = steps(page);
    assert_eq!(steps.len(), 2);
    assert_eq!((steps[0].line, steps[0].command.as_str()), (3, "a b"));
    assert_eq!(steps[0].printed, ["one", "…", "two"]);
    let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert!(matches(&lines("a … c"), &lines("a b b c")));
    assert!(matches(&lines("a … c …"), &lines("a c")));
    assert!(!matches(&lines("a … c"), &lines("a b c d")));
    assert!(!matches(&lines("a b"), &lines("a b c")));
    let renewed = renewed(&lines("… x1 y … z2"), &lines("a x3 b c z4 d"));
    assert_eq!(renewed, lines("… x3 b … z4"));
    assert_eq!(steady("digest  ab12  260,922 events/s, 2.5 s"), "digest  ab12  … events/s");
    assert_eq!(steady("2  2026-11-23T01:04:04.705877Z  me "), "2  …  me");
    assert_eq!(steady("2013-01-14T23:00:00Z"), "2013-01-14T23:00:00Z");
}

#[test]
fn the_reference_of_keys_is_what_the_program_prints() {
    let printed = Project::empty().run("schema reference").ok().stdout;
    let path = workspace().join("docs/src/reference/keys.md");
    if is_freezing() {
        std::fs::write(&path, &printed).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page == printed, "run `trueup schema reference > docs/src/reference/keys.md`");
}

#[test]
fn both_schemas_are_json_schemas() {
    for file in ["pipeline", "project"] {
        let schema = Project::empty().run(&format!("schema {file}")).json();
        assert!(schema["$schema"].is_string() && schema["properties"].is_object(), "{file}");
    }
}
