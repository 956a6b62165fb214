//! What a bridge needs to know of a version's definition: its columns, and how they are read.

use crate::question::Question;
use std::collections::BTreeMap;
use trueup_event::EventTime;
use trueup_learner::features::{FeatureKind, FeatureSpec, Zone};
use trueup_learner::spec::Spec;

/// A definition, with the columns of its questions.
#[derive(Debug, PartialEq)]
pub struct Definition {
    spec: Spec,
    digest: String,
    time: String,
    columns: Vec<Column>,
}

/// A column of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub holds: Holds,
}

/// What a column of a question holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holds {
    /// A category: a text, an integer or a boolean.
    Category,
    /// A point in time, as an RFC 3339 text.
    Time,
    /// The IANA name of a time zone.
    Zone,
    /// A number.
    Number,
}

impl Definition {
    /// Of the core's definition, whose digest this is, and the name of the questions' time column.
    pub(crate) fn new(spec: Spec, digest: String, time: String) -> Self {
        let mut columns = BTreeMap::new();
        for feature in &spec.features {
            for (name, holds) in columns_of(feature) {
                let known = columns.entry(name.to_owned()).or_insert(holds);
                *known = (*known).max(holds);
            }
        }
        columns.insert(spec.question.estimate.clone(), Holds::Number);
        columns.insert(time.clone(), Holds::Time);
        let columns = columns.into_iter().map(|(name, holds)| Column { name, holds }).collect();
        Self { spec, digest, time, columns }
    }

    /// The core's definition.
    #[must_use]
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Its digest, in hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The column of the primary estimate.
    #[must_use]
    pub fn estimate_column(&self) -> &str {
        &self.spec.question.estimate
    }

    /// The column of the question's time.
    #[must_use]
    pub fn time_column(&self) -> &str {
        &self.time
    }

    /// Every column that a question may have: those of the features, estimate and time, by name.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The columns that a question does not have, or that are null, by name.
    #[must_use]
    pub fn missing(&self, question: &Question<'_>) -> Vec<&str> {
        let columns = self.columns.iter().map(|column| column.name.as_str());
        let is_missing = |name: &&str| question.column(self, EventTime::MIN, name).is_none();
        columns.filter(is_missing).collect()
    }

    /// The place of a column among [`Definition::columns`].
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.columns.binary_search_by(|column| column.name.as_str().cmp(name)).ok()
    }
}

fn columns_of(feature: &FeatureSpec) -> Vec<(&str, Holds)> {
    match &feature.kind {
        FeatureKind::Category { column } => vec![(column, Holds::Category)],
        FeatureKind::Number { column }
        | FeatureKind::Log { column }
        | FeatureKind::Bucket { column, .. } => vec![(column, Holds::Number)],
        FeatureKind::Geohash { latitude, longitude, .. } => {
            vec![(latitude, Holds::Number), (longitude, Holds::Number)]
        }
        FeatureKind::HourOfWeek { time, zone }
        | FeatureKind::HourOfDay { time, zone }
        | FeatureKind::DayOfWeek { time, zone } => match zone {
            Zone::Named(_) => vec![(time, Holds::Time)],
            Zone::Column(column) => vec![(time, Holds::Time), (column, Holds::Zone)],
        },
    }
}
