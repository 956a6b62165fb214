//! Holds a definition against its project and the columns of its data, and makes the [`Spec`].
//!
//! Without schemas only names inside the definition and the project are checked. Nothing here
//! reads data: whoever knows the events hands in their Arrow schemas.

mod columns;
mod learners;

pub(crate) use columns::ColumnKind;

use crate::definition::{Definition, LabelSource, RealtimeMlPipeline};
use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::project::{Event, Project};
use crate::source::Part;
use arrow::datatypes::SchemaRef;
use std::collections::BTreeMap;
use trueup_event::Duration;
use trueup_learner::features::FeatureKind;
use trueup_learner::metrics::{self, Scale};
use trueup_learner::spec::{Cadence, LabelSpec, LabelValue, Side, Spec};

/// The columns of each event, by the event's name.
pub type Schemas = BTreeMap<String, SchemaRef>;

/// A definition that can run.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What the core needs of it.
    pub spec: Spec,
    /// What is probably not meant.
    pub warnings: Diagnostics,
}

/// The units in which a time between two columns can be expressed, with their microseconds.
const TIME_UNITS: [(&str, i64); 6] = [
    ("microseconds", 1),
    ("milliseconds", 1000),
    ("seconds", 1_000_000),
    ("minutes", 60_000_000),
    ("hours", 3_600_000_000),
    ("days", 86_400_000_000),
];

impl Definition {
    /// Holds the definition against its project and, where they are known, the columns of its
    /// events.
    ///
    /// # Errors
    /// Everything that is wrong, warnings included.
    pub fn check(
        &self,
        project: &Project,
        schemas: Option<&Schemas>,
    ) -> Result<Checked, Diagnostics> {
        let mut check = Check::new(self, project, schemas);
        check.events();
        if self.pipeline.question.event != self.pipeline.label.event {
            check.label_columns();
        }
        check.question_columns();
        check.features();
        check.learners();
        check.gate();
        check.publish();
        let found = Diagnostics::new(check.found).into_result()?;
        Ok(Checked { spec: spec(&self.pipeline, project, schemas), warnings: found })
    }
}

/// A check under way.
struct Check<'a> {
    definition: &'a Definition,
    pipeline: &'a RealtimeMlPipeline,
    project: &'a Project,
    schemas: Option<&'a Schemas>,
    found: Vec<Diagnostic>,
}

impl<'a> Check<'a> {
    const fn new(
        definition: &'a Definition,
        project: &'a Project,
        schemas: Option<&'a Schemas>,
    ) -> Self {
        let pipeline = &definition.pipeline;
        Self { definition, pipeline, project, schemas, found: Vec::new() }
    }

    fn error(&mut self, path: &str, message: String, remedy: impl Into<String>) {
        let error = self.definition.source.error(Part::Value, path, message, remedy.into());
        self.found.push(error);
    }

    fn warning(&mut self, path: &str, message: &str, remedy: &str) {
        let source = &self.definition.source;
        self.found.push(source.warning(path, message.to_owned(), remedy.to_owned()));
    }

    fn events(&mut self) {
        let (question, label) = (&self.pipeline.question.event, &self.pipeline.label.event);
        for (path, name) in [("question.event", question), ("label.event", label)] {
            let project = self.project;
            match project.event(name) {
                Some(event) => self.time_column(event),
                None => {
                    let names = project.events().iter().map(|event| event.name.as_str());
                    let remedy = did_you_mean(name, "trueup.toml declares", names);
                    self.error(path, format!("not a declared event: `{name}`"), remedy);
                }
            }
        }
        if question == label {
            let remedy = format!(
                "declare a second event over the same place in trueup.toml, with the column in \
                 which `{label}` came true as its `time`"
            );
            let message = "question and label are the same event, so that labels would be known \
                           at once";
            self.error("label.event", format!("{message}: `{label}`"), remedy);
        }
    }

    fn gate(&mut self) {
        let gate = &self.pipeline.gate;
        self.independent();
        for (i, guard) in gate.guards.iter().enumerate() {
            if let Some(name) = &guard.per {
                self.category(&format!("gate.guard[{i}].per"), name);
            }
            let is_share = metrics::find(&guard.metric).is_some_and(|m| m.scale == Scale::Share);
            if is_share && guard.worse_by >= 1.0 {
                let message = format!("`{}` is a share: `{}`", guard.metric, guard.worse_by);
                let remedy = "write a share, such as 0.02 for two percentage points";
                self.error(&format!("gate.guard[{i}].worse_by"), message, remedy);
            }
        }
        if gate.guards.is_empty() {
            self.warning(
                "gate",
                "no guard: a better average may hide a worse segment",
                "add `guard = [{ metric = \"p95\", worse_by = … }]` to [gate]",
            );
        }
    }

    fn publish(&mut self) {
        let publish = &self.pipeline.publish;
        if let Cadence::Time(every) = publish.every
            && publish.expires < every
        {
            self.warning(
                "publish.expires",
                "a version expires before the next one is made",
                "let `expires` be longer than `every`",
            );
        }
    }

    /// Complains unless `name` is a feature that is a category.
    fn category(&mut self, path: &str, name: &str) {
        let features = &self.pipeline.features;
        match features.iter().find(|feature| feature.name == name) {
            Some(feature) if is_category(&feature.kind) => {}
            Some(_) => {
                let message = format!("not a category but a number: `{name}`");
                let remedy = format!(
                    "name a category, or declare one such as `{name}_bucket = {{ column = \
                     \"{name}\", as = \"bucket\", edges = [5, 10, 30] }}`"
                );
                self.error(path, message, remedy);
            }
            None => {
                let categories = features.iter().filter(|feature| is_category(&feature.kind));
                let names = categories.map(|feature| feature.name.as_str());
                let remedy = match did_you_mean(name, "category features", names) {
                    none if none.contains("no category") => {
                        format!("declare `{name} = \"category\"` in [features]")
                    }
                    some => some,
                };
                self.error(path, format!("not a declared feature: `{name}`"), remedy);
            }
        }
    }
}

/// Whether a feature gives a category; the others give a number.
pub(crate) const fn is_category(kind: &FeatureKind) -> bool {
    match kind {
        FeatureKind::Category { .. }
        | FeatureKind::Bucket { .. }
        | FeatureKind::HourOfWeek { .. }
        | FeatureKind::HourOfDay { .. }
        | FeatureKind::DayOfWeek { .. }
        | FeatureKind::Geohash { .. } => true,
        FeatureKind::Number { .. } | FeatureKind::Log { .. } => false,
    }
}

/// What the core needs of a checked definition.
fn spec(pipeline: &RealtimeMlPipeline, project: &Project, schemas: Option<&Schemas>) -> Spec {
    let events = [&pipeline.question.event, &pipeline.label.event]
        .map(|name| project.event(name).expect("the events were checked"));
    let longest = |of: fn(&Event) -> Duration| of(events[0]).max(of(events[1]));
    let mut learners = vec![pipeline.learner.clone()];
    learners.extend(pipeline.challengers.iter().cloned());
    Spec {
        name: pipeline.name.clone(),
        unit: pipeline.unit.clone(),
        question: pipeline.question.clone(),
        label: label(pipeline, schemas),
        disorder: longest(|event| event.disorder),
        late: pipeline.late,
        future_max: longest(|event| event.future_max),
        features: pipeline.features.clone(),
        references: pipeline.references.clone(),
        learners,
        objective: pipeline.objective,
        correction: pipeline.correction,
        limit: pipeline.limit,
        gate: pipeline.gate.clone(),
        publish: pipeline.publish.clone(),
        pending_max: pipeline.pending_max,
    }
}

fn label(pipeline: &RealtimeMlPipeline, schemas: Option<&Schemas>) -> LabelSpec {
    let label = &pipeline.label;
    let value = match &label.value {
        LabelSource::Column(column) => LabelValue::Column(column.clone()),
        LabelSource::Elapsed { from, until } => LabelValue::Elapsed {
            from: from.clone(),
            from_event: from_event(pipeline, from, schemas),
            until: until.clone(),
            unit_micros: unit_micros(&pipeline.unit).expect("the unit was checked"),
        },
    };
    LabelSpec { event: label.event.clone(), join: label.join.clone(), value, wait: label.wait }
}

/// The label event where it has the column, or where nothing is known; else the question event.
fn from_event(pipeline: &RealtimeMlPipeline, from: &str, schemas: Option<&Schemas>) -> Side {
    let has = |event: &str| {
        let schema = schemas.and_then(|schemas| schemas.get(event));
        schema.map(|schema| schema.column_with_name(from).is_some())
    };
    match (has(&pipeline.label.event), has(&pipeline.question.event)) {
        (Some(false), Some(true)) => Side::Question,
        (_, _) => Side::Label,
    }
}

fn unit_micros(unit: &str) -> Option<i64> {
    TIME_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, micros)| *micros)
}
