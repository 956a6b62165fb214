//! What each decoder promises about bytes that others wrote: a value or an error, never a panic.
//!
//! A check takes any bytes, says whether they were accepted, and panics only where its decoder
//! breaks that promise. libFuzzer feeds the checks in `fuzz_targets/`; a short run of the same
//! checks is part of the workspace's tests.

pub mod seeds;

use arrow::datatypes::{DataType, Field};
use futures::executor::block_on;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use std::path::Path;
use std::sync::Arc;
use trueup_connector::{Dataset, EpochUnit, Error, ReadRequest, TimeColumn};
use trueup_event::{Duration, EventTime, StreamId};
use trueup_learner::artifact::{self, Form};
use trueup_learner::engine::Engine;
use trueup_learner::features::FeatureSet;
use trueup_learner::learners::{Features, Learner};
use trueup_learner::state::Use;
use trueup_pipeline::{Definition, Diagnostics, Project, RealtimeMlPipeline};

/// One decoder.
#[derive(Debug, Clone, Copy)]
pub struct Decoder {
    /// Its name, which is also that of its fuzz target.
    pub name: &'static str,
    /// Feeds it, and panics where it breaks its promise.
    pub check: fn(&[u8]) -> bool,
    /// What is accepted: where mutation starts from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every decoder, by name.
pub const DECODERS: &[Decoder] = &[
    Decoder { name: "artifact", check: artifact, seeds: seeds::artifacts },
    Decoder { name: "checkpoint", check: checkpoint, seeds: seeds::checkpoints },
    Decoder { name: "duration", check: duration, seeds: seeds::durations },
    Decoder { name: "parquet", check: parquet, seeds: seeds::parquet_files },
    Decoder { name: "pipeline_toml", check: pipeline_toml, seeds: seeds::pipelines },
    Decoder { name: "project_toml", check: project_toml, seeds: seeds::projects },
];

/// Artifacts: refused, or applied to a learner that then still answers and learns.
pub fn artifact(bytes: &[u8]) -> bool {
    let mut is_accepted = false;
    for spec in seeds::learners() {
        for part in [Use::Serving, Use::Training] {
            for form in [Form::Base, Form::Delta] {
                let mut learner = spec.build(&seeds::shape()).expect("the parameters are in range");
                if artifact::apply(learner.as_mut(), part, form, bytes).is_ok() {
                    use_learner(learner.as_mut());
                    is_accepted = true;
                }
            }
        }
    }
    is_accepted
}

fn use_learner(learner: &mut dyn Learner) {
    let mut inputs = vec![0.0; learner.inputs_len()];
    for hour in 0..3 {
        let time = EventTime::from_micros(1_700_000_000_000_000).plus(Duration::from_hours(hour));
        let question = Features { time, categories: &[1, 2], numbers: &[0.5] };
        learner.predict_one(&question, &mut inputs);
        learner.learn_one(&question, &inputs, time, 1.5);
    }
}

/// Checkpoints, as they came and with their digest made right: refused, or restored to a core that
/// can be saved.
pub fn checkpoint(bytes: &[u8]) -> bool {
    let is_accepted = restore(&seeds::sealed(bytes));
    restore(bytes) || is_accepted
}

fn restore(bytes: &[u8]) -> bool {
    let spec = seeds::spec();
    let features = FeatureSet::new(spec.features.clone()).expect("the features are sound");
    let restored = Engine::restore(spec, features, &seeds::PARTITIONS, bytes);
    restored.map(|mut engine| engine.save()).is_ok()
}

/// Durations: refused, or written as a text that means the same.
pub fn duration(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<Duration>() {
        Ok(duration) => {
            let written = duration.to_string();
            assert_eq!(written.parse(), Ok(duration), "`{text}` was written as `{written}`");
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

/// Parquet files: an error that says something, or rows in event-time order.
pub fn parquet(bytes: &[u8]) -> bool {
    let read = read_parquet(bytes);
    assert!(read.as_ref().err().is_none_or(|error| !error.to_string().is_empty()));
    read.is_ok()
}

fn read_parquet(bytes: &[u8]) -> Result<(), Error> {
    let store = InMemory::new();
    let key = Key::from("a.parquet");
    block_on(store.put(&key, bytes.to_vec().into())).expect("memory takes any file");
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let dataset = Dataset::open_in(store, "a.parquet")?;
    let columns: Vec<String> =
        dataset.schema().fields().iter().map(|field| field.name().clone()).collect();
    let is_time = |field: &&Arc<Field>| matches!(field.data_type(), DataType::Timestamp(..));
    let time = dataset.schema().fields().iter().find(is_time);
    let time = TimeColumn {
        name: time.map_or("at", |field| field.name()).to_owned(),
        zone: Some("America/New_York".into()),
        epoch: Some(EpochUnit::Seconds),
    };
    let mut request = ReadRequest::new(StreamId(0), time, columns.clone());
    request.dictionary = columns.into_iter().step_by(2).collect();
    // What a sample finds wrong, a reading finds too; that it does not panic is what counts.
    drop(dataset.sample(3, None));
    let mut last = i64::MIN;
    for batch in dataset.read(&request)? {
        for &time in batch?.times.iter() {
            assert!(last <= time, "a reading went back in time");
            last = time;
        }
    }
    Ok(())
}

/// Definitions: told what is wrong, or written as a text that means the same.
pub fn pipeline_toml(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let definition = match Definition::read("fuzzed", "pipelines/fuzzed.toml", &text) {
        Ok(definition) => definition,
        Err(found) => return told(&found),
    };
    let written = definition.pipeline().to_toml();
    let read = RealtimeMlPipeline::from_toml("fuzzed", &written);
    assert_eq!(read.as_ref(), Ok(definition.pipeline()), "{text}\nwas written as\n{written}");
    let project = Project::read(Path::new("."), "trueup.toml", seeds::PROJECT)
        .expect("the shipped project is sound");
    match definition.check(&project, None) {
        Ok(checked) => {
            assert!(!checked.warnings.has_errors());
            FeatureSet::new(checked.spec.features).expect("a checked definition has features");
        }
        Err(found) => assert!(!told(&found)),
    }
    true
}

/// Projects: told what is wrong, or with environments that can be asked for.
pub fn project_toml(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let project = match Project::read(Path::new("."), "trueup.toml", &text) {
        Ok(project) => project,
        Err(found) => return told(&found),
    };
    for name in project.environment_names() {
        match project.environment_with(Some(name), &|name| Some(name.to_lowercase())) {
            Ok(environment) => {
                for event in project.events() {
                    drop(project.location(&environment, &event.name));
                }
            }
            Err(found) => assert!(!told(&found)),
        }
    }
    true
}

/// Not accepted, with words that say why.
fn told(found: &Diagnostics) -> bool {
    assert!(found.has_errors() && !found.to_string().is_empty());
    false
}
