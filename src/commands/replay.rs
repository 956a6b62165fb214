//! `trueup replay --verify`: rebuilds a published version from its inputs, and compares.

use super::registry::split;
use crate::failure::Failure;
use crate::setup::Setup;
use crate::{progress, publishing, words};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, sync_channel};
use trueup_backtest::publication::{self, FileRecord, Input, Publication, Record};
use trueup_backtest::{Error, Job, Options, Output, publication_of, replay};
use trueup_connector::recording::Recording;
use trueup_registry::{Digest, ModelRegistry, VersionSummary};

/// Rebuild a published version from its inputs, and compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// The version to rebuild, such as `flight_eta@12`; without `@`, the champion.
    #[arg(long, required = true, value_name = "MODEL@VERSION")]
    verify: String,

    /// The environment of `trueup.toml`; by default the one that the version was made in.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Found {
    version: u64,
    is_equal: bool,
    /// The digests that were published, and those that were rebuilt: state, serving, training.
    published: [String; 3],
    rebuilt: Option<[String; 3]>,
    /// The first input that differs.
    first_difference: Option<String>,
}

impl Replay {
    /// Exit code 1 when the version cannot be rebuilt as it was published.
    pub(crate) fn run(&self, project: &Path) -> Result<ExitCode, Failure> {
        let (name, version) = split(&self.verify);
        let setup = Setup::load(project, self.env.as_deref())?;
        let model = publishing::setup_model(&setup, name)?;
        let summary = model.resolve(version)?.clone();
        let record = publication::record(&model, summary.version)?;
        let setup = match &self.env {
            Some(_) => setup,
            None => Setup::load(project, Some(&record.environment))?,
        };
        let job = job(&setup, &model, &summary, &record)?;
        let publication = publication_of(&job)?;
        let rebuilt = rebuild(&job, &publication, summary.ordinal)?;
        let found = compare(&setup, &model, &summary, &record, &rebuilt)?;
        if self.json {
            words::json(&found);
        } else {
            words::out(&found.text());
        }
        Ok(if found.is_equal { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

/// The definition that made a version, over the inputs that it was made from.
fn job(
    setup: &Setup,
    model: &ModelRegistry,
    summary: &VersionSummary,
    record: &Record,
) -> Result<Job, Failure> {
    let spec = publication::definition(model, summary.version)?;
    let mut job = Job {
        environment: setup.environment.name.clone(),
        questions: setup.source(&spec.question.event)?,
        labels: setup.source(&spec.label.event)?,
        orders: Vec::new(),
        spec,
    };
    let is_live = record.sources.iter().any(|source| source.kind != "files");
    if is_live {
        let Some(folder) = publishing::recording_of(setup, &record.pipeline) else {
            let message =
                format!("version was made live, and nothing was recorded: `{}`", summary.version);
            let hint = format!(
                "set `record` in [environment.{}], so that later versions can be rebuilt",
                setup.environment.name
            );
            return Err(Failure::Operation(anyhow::anyhow!(message), Some(hint)));
        };
        let recording = Recording::open(&folder)?;
        if let Some(place) = publishing::beginning(&recording) {
            let message =
                format!("{place}: its first events are gone, and no version can be rebuilt");
            let hint = "let `keep` of `record` be longer, so that later runs can be rebuilt";
            return Err(Failure::Operation(anyhow::anyhow!(message), Some(hint.to_owned())));
        }
        job = publishing::over_recording(job, (&folder, &recording), model)?;
    }
    if let Some(from) = record.warm_start {
        let (order, _) = publishing::warm_start(model, &from.to_string(), &job.spec)?;
        job.orders.insert(0, order);
    }
    Ok(job)
}

/// What a replay made, by the engine's own numbers.
struct Rebuilt {
    inputs: BTreeMap<u64, Vec<Input>>,
    /// State, serving and training digests of the version that is looked for.
    digests: Option<[String; 3]>,
}

fn rebuild(job: &Job, publication: &Publication, ordinal: u64) -> Result<Rebuilt, Failure> {
    let (sender, receiver) = sync_channel(64);
    std::thread::scope(|scope| {
        let taker = scope.spawn(move || take(publication, &receiver, ordinal));
        let output = Output { candidates: Some(sender), ..Output::default() };
        let jobs = std::slice::from_ref(job);
        let options = Options::default();
        let replayed = progress::with_bar(|progress| replay(jobs, &options, &output, progress));
        drop(output);
        match replayed {
            // Once the version is there, the rest does not matter.
            Ok(_) | Err(Error::Stopped) => Ok(taker.join().expect("comparing does not panic")),
            Err(error) => Err(error.into()),
        }
    })
}

fn take(
    publication: &Publication,
    receiver: &Receiver<publishing::Published>,
    ordinal: u64,
) -> Rebuilt {
    let mut rebuilt = Rebuilt { inputs: BTreeMap::new(), digests: None };
    for (candidate, artifact) in receiver {
        rebuilt.inputs.insert(candidate.version, publication.inputs(&candidate));
        if candidate.version == ordinal {
            let sha256 = |bytes: &[u8]| Digest::of(bytes).to_string();
            let state = candidate.digest.to_string();
            rebuilt.digests = Some([state, sha256(&artifact.serving), sha256(&artifact.training)]);
            break;
        }
    }
    rebuilt
}

fn compare(
    setup: &Setup,
    model: &ModelRegistry,
    summary: &VersionSummary,
    record: &Record,
    rebuilt: &Rebuilt,
) -> Result<Found, Failure> {
    let published = [
        summary.state_digest.clone(),
        summary.serving.sha256.to_string(),
        summary.training.sha256.to_string(),
    ];
    let is_equal = rebuilt.digests.as_ref() == Some(&published);
    let mut first_difference = None;
    if !is_equal {
        first_difference = changed_file(setup, record)?;
        if first_difference.is_none() {
            first_difference = differing_input(model, summary, rebuilt)?;
        }
    }
    let rebuilt = rebuilt.digests.clone();
    Ok(Found { version: summary.version, is_equal, published, rebuilt, first_difference })
}

/// The first file that is not what it was.
fn changed_file(setup: &Setup, record: &Record) -> Result<Option<String>, Failure> {
    for source in &record.sources {
        for file in &source.files {
            let now = FileRecord::of(setup.project.root(), &file.path)?;
            let what = match now {
                None => "is not there any more".to_owned(),
                Some(now) if now == *file => continue,
                Some(now) => {
                    format!(
                        "has {} bytes instead of {}, or others",
                        now.size_bytes, file.size_bytes
                    )
                }
            };
            return Ok(Some(format!("{}: file {} {what}", source.event, file.path)));
        }
    }
    Ok(None)
}

/// The first stretch of a partition that differs, by the versions published on the way.
fn differing_input(
    model: &ModelRegistry,
    summary: &VersionSummary,
    rebuilt: &Rebuilt,
) -> Result<Option<String>, Failure> {
    let digest = publication::record(model, summary.version)?.definition_digest;
    let mut before: BTreeMap<(String, u32), u64> = BTreeMap::new();
    let versions = model.state().versions().values().map(|version| &version.summary);
    for version in versions.filter(|version| version.ordinal <= summary.ordinal) {
        let record = publication::record(model, version.version)?;
        if record.definition_digest != digest {
            continue;
        }
        let Some(found) = rebuilt.inputs.get(&version.ordinal) else {
            return Ok(Some(format!("nothing was published at {}", record.boundary)));
        };
        for input in &record.inputs {
            let place = (input.event.clone(), input.partition);
            let from = before.get(&place).copied().unwrap_or(0);
            if !found.contains(input) {
                let Input { event, partition, next_offset, .. } = input;
                return Ok(Some(format!(
                    "{event} partition {partition}: events from offset {from} to {next_offset} \
                     are not those that were learned from"
                )));
            }
            before.insert(place, input.next_offset);
        }
    }
    Ok(None)
}

impl Found {
    fn text(&self) -> String {
        if self.is_equal {
            let [state, ..] = &self.published;
            return format!("version {} is rebuilt bit for bit: {state}\n", self.version);
        }
        let mut text = format!("version {} cannot be rebuilt as it was published\n", self.version);
        let names = ["state", "serving", "training"];
        for (place, name) in names.iter().enumerate() {
            let rebuilt = self.rebuilt.as_ref().map_or("nothing", |all| all[place].as_str());
            let published = &self.published[place];
            let mark = if rebuilt == published { "same" } else { "differs" };
            text += &format!("{name:<9} {mark:<8} published {published}, rebuilt {rebuilt}\n");
        }
        let unknown = "inputs are the same: this program computes something else";
        let first = self.first_difference.as_deref().unwrap_or(unknown);
        text += &format!("first     {first}\n");
        text
    }
}
