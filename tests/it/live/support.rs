//! What the tests of live runs share: a small project with its log, daemons, and what they left.

use crate::support::{Project, Ran, finish, rows};
use serde_json::Value;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use trueup_registry::store::Disk;
use trueup_registry::{ModelName, Registry, VersionSummary};

/// 2013-01-08T00:00:00Z: a week.
pub(super) const WEEK: i64 = 1_357_603_200_000_000;
pub(super) const NAME: &str = "flight_eta";
const DEPARTURES: &str = "data/samples/flights/departures.parquet";

/// A week of flights, some of which cannot be used, recorded as they are learned from.
pub(super) fn week() -> Project {
    let project = Project::flights_until(WEEK);
    let path = project.path(DEPARTURES);
    let all = rows::read(&path);
    let mut estimates = rows::numbers(&all, "eta_minutes");
    for estimate in estimates.iter_mut().step_by(97) {
        *estimate = f64::NAN;
    }
    rows::write(&path, &rows::with(&all, "eta_minutes", estimates), 100_000);
    project
}

/// A week of flights in the log.
pub(super) fn logged() -> Project {
    let project = week();
    project.run("append --env live --from local flight_eta").ok();
    project
}

/// The same log in a project of its own.
pub(super) fn twin(project: &Project) -> Project {
    let twin = Project::flights();
    copy(&project.path(".trueup/log"), &twin.path(".trueup/log"));
    twin
}

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Runs until everything that is there has been taken.
pub(super) fn once(project: &Project) -> Ran {
    project.run("run flight_eta --env live --once").ok()
}

/// The status that the last run left.
pub(super) fn status(project: &Project) -> Value {
    serde_json::from_str(&project.read(".trueup/status/flight_eta.json")).unwrap()
}

/// A version as it was published.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Version {
    number: u64,
    id: String,
    state_digest: String,
    serving: String,
    training: String,
    verdict: String,
}

/// All versions of the registry beneath `state`.
pub(super) fn versions(state: &Path) -> Vec<Version> {
    let store = Arc::new(Disk::open(state.join("registry")).unwrap());
    let mut model = Registry::open(store).model(&ModelName::new(NAME).unwrap());
    model.refresh().unwrap();
    let version = |summary: &VersionSummary| Version {
        number: summary.version,
        id: summary.id.clone(),
        state_digest: summary.state_digest.clone(),
        serving: summary.serving.sha256.to_string(),
        training: summary.training.sha256.to_string(),
        verdict: summary.verdict.clone(),
    };
    model.state().versions().values().map(|found| version(&found.summary)).collect()
}

/// All dead letters, whatever files they are in, sorted.
pub(super) fn letters(project: &Project) -> Vec<String> {
    let folder = project.path(".trueup/dead_letters/flight_eta");
    let texts = std::fs::read_dir(folder).unwrap();
    let texts = texts.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let mut letters: Vec<String> =
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    letters.sort();
    letters
}

/// Everything that a run leaves and that no crash may change.
#[derive(Debug, PartialEq)]
pub(super) struct Left {
    digest: Value,
    merged: Value,
    questions: Value,
    labels: Value,
    counted: Value,
    /// Their order is that of arrival, and so of the batches that came.
    letters: Vec<String>,
    versions: Vec<Version>,
}

pub(super) fn left(project: &Project) -> Left {
    let status = status(project);
    let left = Left {
        digest: status["checkpoint"]["digest"].clone(),
        merged: status["merged"].clone(),
        questions: status["questions"].clone(),
        labels: status["labels"].clone(),
        counted: status["dead_letters"].clone(),
        letters: letters(project),
        versions: versions(&project.path(".trueup")),
    };
    let told: u64 =
        left.counted.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(left.letters.len() as u64, told, "each dead letter once");
    assert!(told > 20 && left.versions.len() > 50, "{told}, {}", left.versions.len());
    left
}

/// What it recorded replays to the same digest and the very same versions.
#[track_caller]
pub(super) fn assert_replays(project: &Project) {
    let arguments = "flight_eta --env live --recording --publish";
    let state = project.path(".trueup");
    let (live, digest) = (versions(&state), status(project)["checkpoint"]["digest"].clone());
    let moved = project.path(".trueup/live_registry");
    std::fs::rename(state.join("registry"), &moved).unwrap();
    let replayed = project.backtest_one(arguments);
    assert_eq!(replayed["digest"], digest);
    let again = versions(&state);
    assert_eq!(live.len(), again.len());
    for (live, again) in live.iter().zip(&again) {
        assert_eq!(live, again);
    }
    std::fs::remove_dir_all(state.join("registry")).unwrap();
    std::fs::rename(&moved, state.join("registry")).unwrap();
}

/// A program that runs; it is killed when the test ends.
pub(super) struct Running {
    child: Child,
    stderr: Option<std::thread::JoinHandle<String>>,
}

impl Running {
    pub(super) fn start(project: &Project, arguments: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trueup"));
        command.args(arguments.split_whitespace()).current_dir(project.folder());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        Self { child, stderr: Some(stderr) }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGKILL.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM.
    pub(super) fn terminate(&self) {
        let pid = self.pid().to_string();
        finish(Command::new("kill").args(["-TERM", &pid]), "kill -TERM").ok();
    }

    /// Its exit code, and what it said.
    pub(super) fn ends(mut self) -> (i32, String) {
        let began = Instant::now();
        while self.is_running() {
            assert!(began.elapsed() < Duration::from_secs(60), "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        let code = self.child.wait().unwrap().code().expect("no signal ended it");
        (code, self.stderr.take().unwrap().join().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the status of a run is as wanted.
#[track_caller]
pub(super) fn wait_for(project: &Project, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let text = std::fs::read(project.path(".trueup/status/flight_eta.json"));
        let found = text.ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        if let Some(status) = found.as_ref().filter(|status| is_so(status)) {
            return status.clone();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "never {what}: {found:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
