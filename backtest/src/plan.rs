//! A job with its sources open: what is read, and what its versions have in common.

use crate::columns::requests;
use crate::error::Error;
use crate::publication::Publication;
use crate::replay::{Job, Options};
use crate::source::{Feed, Opened, Source};
use trueup_connector::ReadRequest;
use trueup_event::{PartitionId, StreamId};
use trueup_learner::engine::{LABELS, QUESTIONS};
use trueup_learner::features::FeatureSet;

/// What the versions of a job have in common, by the sources as they are now.
///
/// # Errors
/// When a source cannot be read.
pub fn publication(job: &Job) -> Result<Publication, Error> {
    let plan = Plan::open(job)?;
    let mut publication = Publication::new(&job.spec, &job.spec.name);
    publication.environment.clone_from(&job.environment);
    publication.question_time.clone_from(&job.questions.time.name);
    for side in [0, 1] {
        let event = [&job.spec.question.event, &job.spec.label.event][side].clone();
        let opened = &plan.opened[side];
        let numbers = opened.partitions().into_iter();
        publication.partitions.extend(numbers.map(|number| (event.clone(), number.0)));
        publication.sources.push(plan.source(side).at.record(event, opened.files())?);
    }
    Ok(publication)
}

/// A job with its sources open.
pub(crate) struct Plan<'a> {
    pub(crate) job: &'a Job,
    pub(crate) features: FeatureSet,
    pub(crate) opened: [Opened; 2],
    pub(crate) requests: [ReadRequest; 2],
}

impl<'a> Plan<'a> {
    pub(crate) fn open(job: &'a Job) -> Result<Self, Error> {
        let features = FeatureSet::new(job.spec.features.clone())?;
        let opened = [Opened::open(&job.questions.at)?, Opened::open(&job.labels.at)?];
        let schemas = [opened[0].schema(), opened[1].schema()];
        let times = [&job.questions.time, &job.labels.time];
        let requests = requests(&job.spec, &features, [&schemas[0], &schemas[1]], times);
        Ok(Self { job, features, opened, requests })
    }

    pub(crate) fn source(&self, side: usize) -> &'a Source {
        [&self.job.questions, &self.job.labels][side]
    }

    /// The partitions of both streams, ascending.
    pub(crate) fn partitions(&self) -> Vec<(StreamId, PartitionId)> {
        let of = |side: usize| {
            let stream = [QUESTIONS, LABELS][side];
            self.opened[side].partitions().into_iter().map(move |partition| (stream, partition))
        };
        of(0).chain(of(1)).collect()
    }

    /// What each partition is read by, in the order of the partitions.
    pub(crate) fn feeds(&self, options: &Options) -> Result<Vec<Feed>, Error> {
        let mut feeds = Vec::new();
        for (opened, request) in self.opened.iter().zip(&self.requests) {
            feeds.extend(opened.feeds(&bounded(request, options))?);
        }
        Ok(feeds)
    }

    /// Whether several definitions may share one reading of its data.
    pub(crate) fn is_shareable(&self) -> bool {
        self.opened.iter().all(Opened::is_whole)
    }
}

/// A request with what a replay asks for.
pub(crate) fn bounded(request: &ReadRequest, options: &Options) -> ReadRequest {
    ReadRequest {
        batch_rows: options.batch_rows,
        from: options.from,
        to: options.to,
        ..request.clone()
    }
}
