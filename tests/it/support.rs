//! What the end-to-end tests share: projects in temporary folders and the real program.
//!
//! Every run has a deadline, so that a program that hangs fails its test.

use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) mod rows;

/// No run of the suite takes a tenth of it, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// The checked-out workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether what is found is to be written into frozen files and documents, rather than held
/// against them.
pub(crate) fn is_freezing() -> bool {
    std::env::var_os("TRUEUP_FREEZE").is_some()
}

/// A project in a folder of its own, gone after the test.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// The example project as it is checked out, with its data.
    pub(crate) fn flights() -> Self {
        let project = Self::empty();
        project.take("trueup.toml");
        for entry in std::fs::read_dir(workspace().join("pipelines")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            project.take(&format!("pipelines/{name}"));
        }
        for name in ["departures", "arrivals"] {
            project.take(&format!("data/samples/flights/{name}.parquet"));
        }
        project
    }

    /// The example project with the flights that departed, and landed, before a moment.
    pub(crate) fn flights_until(moment: i64) -> Self {
        let project = Self::flights();
        for (stream, time) in [("departures", "departed_at"), ("arrivals", "arrived_at")] {
            let path = project.path(&format!("data/samples/flights/{stream}.parquet"));
            let all = rows::read(&path);
            rows::write(&path, &rows::before(&all, time, moment), 100_000);
        }
        project
    }

    /// A project of the given files' texts.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let project = Self::empty();
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    /// Copies a file of the workspace to the same place in the project.
    fn take(&self, path: &str) {
        std::fs::copy(workspace().join(path), self.prepared(path)).unwrap();
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder().join(path)
    }

    /// The path of a file whose folder is there.
    pub(crate) fn prepared(&self, path: &str) -> PathBuf {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::write(self.prepared(path), text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    /// Replaces a text that is in the file.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "`{from}` is not in `{path}`");
        self.write(path, &text.replace(from, to));
    }

    /// Runs the program in the project's folder with arguments parted by spaces.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.run_words(&arguments.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs the program in the project's folder.
    pub(crate) fn run_words(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trueup"));
        command.args(arguments).current_dir(self.folder());
        finish(&mut command, &format!("trueup {}", arguments.join(" ")))
    }

    /// The report of a replay that succeeds.
    pub(crate) fn backtest(&self, arguments: &str) -> Value {
        self.run(&format!("backtest {arguments} --json")).json()
    }

    /// The report of the only definition of a replay that succeeds.
    pub(crate) fn backtest_one(&self, arguments: &str) -> Value {
        let report = self.backtest(arguments);
        let runs = report["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 1);
        runs[0].clone()
    }
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command, what: &str) -> Ran {
    command.env_remove("COLUMNS").env("NO_COLOR", "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let stdout = std::thread::spawn(move || read_all(&mut stdout));
    let stderr = std::thread::spawn(move || read_all(&mut stderr));
    let code = wait(&mut child, what);
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    Ran { what: what.to_owned(), code, stdout, stderr }
}

fn read_all(source: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).expect("the program writes UTF-8")
}

fn wait(child: &mut Child, what: &str) -> i32 {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or_else(|| panic!("killed by a signal: `{what}`"));
        }
        if started.elapsed() > DEADLINE {
            child.kill().unwrap();
            panic!("hangs: `{what}`");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    what: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// It succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self}");
        self
    }

    /// It succeeded and wrote exactly one JSON object.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let ran = self.ok();
        let value: Value = match serde_json::from_str(&ran.stdout) {
            Ok(value) => value,
            Err(error) => panic!("not one JSON value: {error}\n{ran}"),
        };
        assert!(value.is_object(), "not an object\n{ran}");
        value
    }

    /// It failed with this code, wrote nothing to standard output, and says all of `words`.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self}");
        assert_eq!(self.stdout, "", "a failure writes nothing to standard output\n{self}");
        assert!(!self.stderr.contains("panicked"), "{self}");
        self.says(words)
    }

    /// Its talk holds all of `words`.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "it does not say `{word}`\n{self}");
        }
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, code, stdout, stderr } = self;
        writeln!(f, "`{what}` ended with {code}")?;
        write!(f, "--- standard output\n{stdout}--- standard error\n{stderr}")
    }
}

/// A number of a report, such as `corrected.mae`.
#[track_caller]
pub(crate) fn number(value: &Value, path: &str) -> f64 {
    let found = path.split('.').fold(value, |value, key| &value[key]);
    found.as_f64().unwrap_or_else(|| panic!("no number at `{path}` but `{found}`"))
}

/// A count of a report.
#[track_caller]
pub(crate) fn count(value: &Value, path: &str) -> u64 {
    let found = path.split('.').fold(value, |value, key| &value[key]);
    found.as_u64().unwrap_or_else(|| panic!("no count at `{path}` but `{found}`"))
}

/// The digest of a run, in hexadecimal.
#[track_caller]
pub(crate) fn digest(run: &Value) -> String {
    match &run["digest"] {
        Value::String(text) => text.clone(),
        Value::Array(bytes) => {
            let hex = bytes.iter().map(|byte| format!("{:02x}", byte.as_u64().unwrap()));
            hex.collect()
        }
        other => panic!("no digest: `{other}`"),
    }
}

/// Nothing was lost: what was fed is the sum of what became of it.
#[track_caller]
pub(crate) fn assert_adds_up(run: &Value) {
    for (counts, kinds) in [
        ("counts", ["learned", "pending", "expired", "evicted", "quarantined", "late"].as_slice()),
        ("labels", &["joined", "waiting", "orphan", "expired", "evicted", "quarantined", "late"]),
    ] {
        let sum: u64 = kinds.iter().map(|kind| count(&run[counts], kind)).sum();
        assert_eq!(count(&run[counts], "fed"), sum, "{counts}: {}", run[counts]);
    }
}
