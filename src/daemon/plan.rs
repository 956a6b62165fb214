//! What a daemon runs: the definition against the columns of its streams, and where they live.

use super::feed::{Live, Partition};
use super::{Config, Handle};
use crate::failure::Failure;
use crate::overrides;
use crate::setup::Setup;
use arrow::datatypes::SchemaRef;
use std::sync::Arc;
use std::time::Duration;
use trueup_backtest::publication::{Publication, SourceRecord};
use trueup_backtest::{Job, Opened, Place as At, Source, requests};
use trueup_connector::folder::Admitted;
use trueup_connector::log::LogReader;
use trueup_connector::{ErrorKind, GrowingFolder, ReadRequest};
use trueup_event::{PartitionId, StreamId};
use trueup_learner::engine::{LABELS, QUESTIONS};
use trueup_learner::features::FeatureSet;
use trueup_learner::spec::Spec;
use trueup_pipeline::{Definition, Schemas};

/// How long to wait before looking again for the first events.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a daemon runs.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) spec: Spec,
    pub(crate) features: FeatureSet,
    /// Questions, then labels.
    pub(crate) streams: [Stream; 2],
    pub(crate) environment: String,
}

/// One stream of the definition.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: StreamId,
    pub(crate) event: String,
    pub(crate) source: Source,
    pub(crate) idle: Duration,
    pub(crate) request: ReadRequest,
    pub(crate) partitions: Vec<PartitionId>,
}

impl Plan {
    /// Checks the definition against its streams, and waits for their first events; none when it
    /// is told to stop before they come.
    pub(crate) fn load(config: &Config, handle: &Handle) -> Result<Option<Self>, Failure> {
        let setup = &config.setup;
        let definition = overrides::definition(&setup.project, &config.name, &config.sets)?;
        definition.check(&setup.project, None)?;
        let mut waits = false;
        while !handle.stop().is_asked() {
            if let Some(schemas) = schemas(setup, &definition)? {
                let job = setup.job_of(&definition, &schemas)?;
                return Self::of(setup, job, &schemas).map(Some);
            }
            if !waits {
                tracing::info!("waiting for the first events");
                waits = true;
            }
            if config.once {
                let hint = "append events first, or run without `--once`".to_owned();
                let message = format!("no events are there yet: `{}`", config.name);
                return Err(Failure::Operation(anyhow::anyhow!(message), Some(hint)));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(None)
    }

    fn of(setup: &Setup, job: Job, schemas: &Schemas) -> Result<Self, Failure> {
        let features =
            FeatureSet::new(job.spec.features.clone()).map_err(trueup_backtest::Error::from)?;
        let events = [&job.spec.question.event, &job.spec.label.event];
        let columns = events.map(|event| Arc::clone(&schemas[event]));
        let times = [&job.questions.time, &job.labels.time];
        let mut asked = requests(&job.spec, &features, [&columns[0], &columns[1]], times);
        if setup.environment.record.is_some() {
            for (request, schema) in asked.iter_mut().zip(&columns) {
                let known = schema.fields().iter().map(|field| field.name().clone());
                let missing = known.filter(|name| !request.columns.contains(name));
                let missing: Vec<_> = missing.collect();
                request.columns.extend(missing);
            }
        }
        let [questions, labels] = asked;
        let stream = |id, event: &str, source: &Source, request| -> Result<Stream, Failure> {
            let idle = setup.project.location(&setup.environment, event)?.idle;
            let partitions = match &source.at {
                At::Files { .. } => vec![PartitionId(0)],
                At::Log { .. } | At::Recording { .. } => Opened::open(&source.at)?.partitions(),
            };
            let (event, source) = (event.to_owned(), source.clone());
            let idle = Duration::from_micros(idle.micros().unsigned_abs());
            Ok(Stream { id, event, source, idle, request, partitions })
        };
        let streams = [
            stream(QUESTIONS, events[0], &job.questions, questions)?,
            stream(LABELS, events[1], &job.labels, labels)?,
        ];
        let environment = setup.environment.name.clone();
        Ok(Self { features, streams, environment, spec: job.spec })
    }

    /// The partitions of both streams, ascending.
    pub(crate) fn partitions(&self) -> Vec<(StreamId, PartitionId)> {
        let of = |stream: &'_ Stream| -> Vec<_> {
            stream.partitions.iter().map(|partition| (stream.id, *partition)).collect()
        };
        self.streams.iter().flat_map(of).collect()
    }

    /// What versions have in common.
    pub(crate) fn publication(&self) -> Publication {
        let mut publication = Publication::new(&self.spec, &self.spec.name);
        publication.environment.clone_from(&self.environment);
        publication.question_time.clone_from(&self.streams[0].source.time.name);
        for stream in &self.streams {
            let (kind, location) = match &stream.source.at {
                At::Files { location, .. } => ("folder", location.clone()),
                At::Log { topic, .. } => ("log", topic.clone()),
                At::Recording { event, .. } => ("recording", event.clone()),
            };
            let record = SourceRecord::new(&stream.event, kind, &location, Vec::new());
            publication.sources.push(record);
            let parts = stream.partitions.iter();
            publication.partitions.extend(parts.map(|part| (stream.event.clone(), part.0)));
        }
        publication
    }
}

impl Stream {
    /// Begins to read a partition at an offset; a folder goes on with the files admitted by then.
    pub(crate) fn open(
        &self,
        partition: PartitionId,
        from_offset: u64,
        admitted: &[Admitted],
    ) -> Result<Partition, Failure> {
        let live = match &self.source.at {
            At::Files { location, base } => {
                let mut folder = GrowingFolder::open(location, base, &self.request)?;
                folder.resume(admitted.to_vec(), from_offset);
                Live::Folder(Box::new(folder))
            }
            At::Log { folder, topic } => {
                let reader =
                    LogReader::open(folder, topic, partition.0, from_offset, &self.request)?;
                Live::Log(Box::new(reader))
            }
            At::Recording { folder, event } => {
                let message = format!("a recording is replayed, not run: `{event}`");
                let hint = format!("use `trueup backtest` on `{}`", folder.display());
                return Err(Failure::Usage(message, Some(hint)));
            }
        };
        Ok(Partition { event: self.event.clone(), stream: self.id, partition, live })
    }
}

/// The columns of both events; none while one of them has had no event.
fn schemas(setup: &Setup, definition: &Definition) -> Result<Option<Schemas>, Failure> {
    let mut schemas = Schemas::new();
    let pipeline = definition.pipeline();
    for event in [&pipeline.question.event, &pipeline.label.event] {
        let Some(columns) = columns(&setup.source(event)?)? else { return Ok(None) };
        schemas.insert(event.clone(), columns);
    }
    Ok(Some(schemas))
}

/// The columns of a source; none while it has had no event.
fn columns(source: &Source) -> Result<Option<SchemaRef>, Failure> {
    let schema = match Opened::open(&source.at) {
        Ok(opened) => opened.schema(),
        Err(trueup_backtest::Error::NoTopic { .. }) => return Ok(None),
        Err(trueup_backtest::Error::Connector(error)) => match (error.kind(), &source.at) {
            (ErrorKind::Missing, _) => return Ok(None),
            // One file that cannot be read is passed over, as it is when it comes later.
            (ErrorKind::Corrupt | ErrorKind::Invalid, At::Files { location, base }) => {
                let request = ReadRequest::new(QUESTIONS, source.time.clone(), Vec::new());
                let mut folder = GrowingFolder::open(location, base, &request)?;
                if folder.discover()?.is_empty() {
                    return Err(error.into());
                }
                Arc::clone(folder.schema())
            }
            (ErrorKind::Corrupt | ErrorKind::Invalid | ErrorKind::Retry, _) => {
                return Err(error.into());
            }
        },
        Err(error) => return Err(error.into()),
    };
    Ok((!schema.fields().is_empty()).then_some(schema))
}
