//! The builder: one word per thing a definition can say. What is not said has the default of the
//! table of keys.

use super::{Label, LabelSource, RealtimeMlPipeline};
use crate::keys::pipeline::{GATE, GUARD, JOIN, PUBLISH};
use crate::keys::{Need, Section};
use crate::tree::{self, Value};
use trueup_event::Duration;
use trueup_learner::features::{FeatureKind, FeatureSpec, Zone};
use trueup_learner::learners::LearnerSpec;
use trueup_learner::learners::linear::LinearParams;
use trueup_learner::spec::{
    Cadence, Correction, GateSpec, Guard, Late, Limit, Objective, Promote, PublishSpec,
    QuestionSpec,
};

impl RealtimeMlPipeline {
    /// A pipeline of this name that corrects in minutes with a linear learner and waits a day for
    /// labels. Question and label must be named before it can be used.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            unit: "minutes".into(),
            question: QuestionSpec {
                event: String::new(),
                join: String::new(),
                id: None,
                estimate: String::new(),
                served_answer: None,
            },
            label: Label {
                event: String::new(),
                join: String::new(),
                value: LabelSource::Column(String::new()),
                wait: Duration::from_hours(24),
            },
            references: Vec::new(),
            features: Vec::new(),
            learner: LearnerSpec::Linear(LinearParams::default()),
            challengers: Vec::new(),
            objective: Objective::Median,
            correction: Correction::Additive,
            limit: Limit { absolute: None, relative: None, floor: None },
            gate: gate(),
            publish: publish(),
            late: Late::Drop,
            pending_max: usize::try_from(default_count(&JOIN, "pending_max")).unwrap_or(usize::MAX),
        }
    }

    /// The unit of estimate, label, correction and every error.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// The event, join key and estimate of questions.
    #[must_use]
    pub fn question(
        mut self,
        event: impl Into<String>,
        join: impl Into<String>,
        estimate: impl Into<String>,
    ) -> Self {
        self.question.event = event.into();
        self.question.join = join.into();
        self.question.estimate = estimate.into();
        self
    }

    /// The column that tells repeated questions of one key apart.
    #[must_use]
    pub fn question_id(mut self, column: impl Into<String>) -> Self {
        self.question.id = Some(column.into());
        self
    }

    /// The column with the answer that was really served.
    #[must_use]
    pub fn served_answer(mut self, column: impl Into<String>) -> Self {
        self.question.served_answer = Some(column.into());
        self
    }

    /// The event, join key and value of labels.
    #[must_use]
    pub fn label(
        mut self,
        event: impl Into<String>,
        join: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        self.label.event = event.into();
        self.label.join = join.into();
        self.label.value = LabelSource::Column(value.into());
        self
    }

    /// The label's value is the time from one column to another.
    #[must_use]
    pub fn label_elapsed(mut self, from: impl Into<String>, until: impl Into<String>) -> Self {
        self.label.value = LabelSource::Elapsed { from: from.into(), until: until.into() };
        self
    }

    /// How long after its question a label is waited for.
    #[must_use]
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.label.wait = wait;
        self
    }

    /// A question column with another model's estimate.
    #[must_use]
    pub fn reference(mut self, column: impl Into<String>) -> Self {
        self.references.push(column.into());
        self
    }

    /// A feature of any kind. A feature of the same name is replaced.
    #[must_use]
    pub fn feature(mut self, name: impl Into<String>, kind: FeatureKind) -> Self {
        let name = name.into();
        self.features.retain(|feature| feature.name != name);
        self.features.push(FeatureSpec { name, kind });
        self
    }

    /// A category feature: the column of the same name.
    #[must_use]
    pub fn category(self, column: impl Into<String>) -> Self {
        let column = column.into();
        self.feature(column.clone(), FeatureKind::Category { column })
    }

    /// A number feature: the column of the same name.
    #[must_use]
    pub fn number(self, column: impl Into<String>) -> Self {
        let column = column.into();
        self.feature(column.clone(), FeatureKind::Number { column })
    }

    /// The feature `hour_of_week` of a time column, counted in an IANA time zone.
    #[must_use]
    pub fn hour_of_week(self, time: impl Into<String>, zone: impl Into<String>) -> Self {
        let zone = Zone::Named(zone.into());
        self.feature("hour_of_week", FeatureKind::HourOfWeek { time: time.into(), zone })
    }

    /// The main learner.
    #[must_use]
    pub fn learner(mut self, learner: LearnerSpec) -> Self {
        self.learner = learner;
        self
    }

    /// A learner that learns beside the main one.
    #[must_use]
    pub fn challenger(mut self, learner: LearnerSpec) -> Self {
        self.challengers.push(learner);
        self
    }

    /// What is learned.
    #[must_use]
    pub const fn objective(mut self, objective: Objective) -> Self {
        self.objective = objective;
        self
    }

    /// How a correction is applied.
    #[must_use]
    pub const fn correction(mut self, correction: Correction) -> Self {
        self.correction = correction;
        self
    }

    /// How far an answer may leave the estimate.
    #[must_use]
    pub const fn limit(mut self, limit: Limit) -> Self {
        self.limit = limit;
        self
    }

    /// A metric that must not get worse by more than this over the whole stream.
    #[must_use]
    pub fn guard(mut self, metric: impl Into<String>, worse_by: f64) -> Self {
        let questions_min = default_count(&GUARD, "questions_min");
        self.gate.guards.push(Guard { metric: metric.into(), worse_by, per: None, questions_min });
        self
    }

    /// Publish points in event time.
    #[must_use]
    pub const fn publish_every(mut self, every: Duration) -> Self {
        self.publish.every = Cadence::Time(every);
        self
    }

    /// What a passed gate leads to.
    #[must_use]
    pub const fn promote(mut self, promote: Promote) -> Self {
        self.publish.promote = promote;
        self
    }
}

fn gate() -> GateSpec {
    GateSpec {
        confidence: default_number(&GATE, "confidence"),
        independent: None,
        units_min: default_count(&GATE, "units_min"),
        guards: Vec::new(),
        change_max: default_number(&GATE, "change_max"),
    }
}

fn publish() -> PublishSpec {
    PublishSpec {
        every: Cadence::Time(default_duration(&PUBLISH, "every")),
        promote: Promote::Automatic,
        expires: default_duration(&PUBLISH, "expires"),
        serving_delay: default_duration(&PUBLISH, "serving_delay"),
        base_every: default_count(&PUBLISH, "base_every"),
    }
}

fn default(section: &Section, name: &str) -> Value {
    match section.key(name).map(|key| key.need) {
        Some(Need::Default(text)) => tree::literal(text),
        Some(Need::Required | Need::Optional(_)) | None => {
            unreachable!("the key has a default: `{name}`")
        }
    }
}

fn default_number(section: &Section, name: &str) -> f64 {
    default(section, name).number().expect("the default is a number")
}

fn default_count(section: &Section, name: &str) -> u64 {
    default_number(section, name) as u64
}

fn default_duration(section: &Section, name: &str) -> Duration {
    match default(section, name) {
        Value::Text(text) => text.parse().expect("the default is a duration"),
        other => unreachable!("the default is a duration: `{other}`"),
    }
}
