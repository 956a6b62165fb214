//! Replays and the registry: warm starts, recordings with their control inputs, publishing.

use crate::failure::Failure;
use crate::setup::Setup;
use crate::{overrides, stores, words};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use trueup_backtest::publication::{self, Publication};
use trueup_backtest::{Job, Place as At, Source};
use trueup_connector::recording::Recording;
use trueup_event::Control;
use trueup_learner::artifact::Artifact;
use trueup_learner::effect::Candidate;
use trueup_learner::orders::Order;
use trueup_learner::spec::Spec;
use trueup_pipeline::Schemas;
use trueup_registry::{AliasName, Commit, ModelRegistry};

/// Versions that are published together at most.
const GROUP: usize = 256;

/// A candidate with its artifacts.
pub(crate) type Published = (Candidate, Artifact);

/// The order to go on from a version before the first event, with the version's number.
pub(crate) fn warm_start(
    model: &ModelRegistry,
    version: &str,
    spec: &Spec,
) -> Result<(Order, u64), Failure> {
    let found = model.resolve(version)?;
    let (from, lineage) = (found.version, found.lineage as usize);
    let other = publication::definition(model, from)?;
    let is_alike = other.features == spec.features
        && other.learners.get(lineage) == spec.learners.get(lineage)
        && (other.objective, other.correction) == (spec.objective, spec.correction);
    if !is_alike {
        let message = format!("version has other features or another learner: `{from}`");
        let hint = "start from a version of these features and this learner, or from none";
        return Err(Failure::Usage(message, Some(hint.to_owned())));
    }
    let stored = Some(publication::stored(model, from)?);
    Ok((Order { position: 0, control: Control::Retrain { from }, stored }, from))
}

/// A definition over what a live run recorded, with the control inputs that it obeyed.
pub(crate) fn recorded_job(
    setup: &Setup,
    name: &str,
    sets: &[String],
    folder: Option<&Path>,
) -> Result<Job, Failure> {
    let folder = match folder {
        Some(folder) => folder.to_path_buf(),
        None => stores::recording_folder(setup, name)?,
    };
    let recording = Recording::open(&folder)?;
    let definition = overrides::definition(&setup.project, name, sets)?;
    let mut schemas = Schemas::new();
    for event in recording.events() {
        schemas.insert(event.name.clone(), event.schema.clone());
    }
    if let Some(place) = beginning(&recording) {
        words::say(&format!(
            "warning: {place}: this is not the run that was recorded, and what people said is left \
             out"
        ));
    }
    let job = setup.job_of(&definition, &schemas)?;
    let model = setup_model(setup, name)?;
    over_recording(job, (&folder, &recording), &model)
}

/// Where a recording begins, if that is not where its run began.
pub(crate) fn beginning(recording: &Recording) -> Option<String> {
    let partitions = recording.events().iter().flat_map(|event| {
        event.partitions.iter().map(|part| (&event.name, part.partition.0, part.first_offset))
    });
    let (name, partition, first) = partitions.into_iter().find(|(_, _, first)| *first > 0)?;
    Some(format!("the recording of {name} partition {partition} begins at offset {first}"))
}

/// A job that reads the recording in a folder instead.
pub(crate) fn over_recording(
    mut job: Job,
    (folder, recording): (&Path, &Recording),
    model: &ModelRegistry,
) -> Result<Job, Failure> {
    let at = |event: &str, source: &Source| Source {
        at: At::Recording { folder: folder.to_path_buf(), event: event.to_owned() },
        time: source.time.clone(),
    };
    job.questions = at(&job.spec.question.event, &job.questions);
    job.labels = at(&job.spec.label.event, &job.labels);
    let digest = publication::digest_of(&job.spec);
    let is_cut = beginning(recording).is_some();
    for recorded in recording.controls() {
        let control = recorded.control.clone();
        // The others have their place after so many events from the very first on.
        if is_cut && !matches!(control, Control::Lift { .. } | Control::Discover { .. }) {
            continue;
        }
        let stored = publication::named(model, &control, &digest)?;
        job.orders.push(Order { position: recorded.position, control, stored });
    }
    Ok(job)
}

/// The model that a pipeline publishes to, as it is now.
pub(crate) fn setup_model(setup: &Setup, name: &str) -> Result<ModelRegistry, Failure> {
    let mut model = stores::registry(setup)?.model(&stores::model_name(name)?);
    model.refresh()?;
    Ok(model)
}

/// Publishes what comes while `work` runs, which is given where to send it. Gives what `work` does,
/// and how many versions are new, of how many.
pub(crate) fn publishing<T: Send>(
    mut model: ModelRegistry,
    publication: &Publication,
    work: impl FnOnce(SyncSender<Published>) -> T + Send,
) -> Result<(T, u64, u64), Failure> {
    let (sender, receiver) = sync_channel(GROUP);
    let before = model.state().version_last();
    let (done, published) = std::thread::scope(|scope| {
        let publisher = scope.spawn(move || publish_all(&mut model, publication, &receiver));
        let done = work(sender);
        (done, publisher.join().expect("publishing does not panic"))
    });
    let (last, count) = published?;
    Ok((done, last - before, count))
}

fn publish_all(
    model: &mut ModelRegistry,
    publication: &Publication,
    receiver: &Receiver<Published>,
) -> Result<(u64, u64), Failure> {
    let champion = AliasName::champion();
    let mut seen = model.state().aliases().get(&champion).map_or(0, |alias| alias.person_entry);
    let mut versions = Vec::new();
    let mut count = 0;
    let mut is_open = true;
    while is_open {
        match receiver.recv() {
            Ok((candidate, artifact)) => {
                versions.extend(publication.version(&candidate, &artifact));
            }
            Err(_) => is_open = false,
        }
        if versions.len() >= GROUP || (!is_open && !versions.is_empty()) {
            let commit = Commit { seen, ..stores::by_person("trueup backtest", "replayed") };
            count += versions.len() as u64;
            let published = model.publish(&versions, &commit)?;
            // Its own moves do not stand in its way.
            seen = seen.max(published.entry.unwrap_or(0));
            versions.clear();
        }
    }
    Ok((model.state().version_last(), count))
}

/// The folder of a pipeline's recording, if there is one.
pub(crate) fn recording_of(setup: &Setup, name: &str) -> Option<PathBuf> {
    stores::recording_folder(setup, name).ok().filter(|folder| folder.is_dir())
}
