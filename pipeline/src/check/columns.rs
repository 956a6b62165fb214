//! Checks of columns: that they are there, that their types fit, and that none is the label.

use super::{Check, TIME_UNITS, unit_micros};
use crate::definition::LabelSource;
use crate::diagnostic::did_you_mean;
use crate::project::Event;
use crate::source::Part;
use arrow::datatypes::{DataType, Schema};
use trueup_learner::features::{FeatureKind, Zone};

/// What matters of a column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// Whole numbers.
    Integer,
    /// Numbers with a fraction.
    Float,
    /// Texts.
    Text,
    /// True or false.
    Boolean,
    /// Points in time.
    Time,
    /// Points in time whose zone the column does not say.
    ZonelessTime,
    /// Days.
    Date,
    /// Anything else.
    Other,
}

impl ColumnKind {
    /// The kind of an Arrow type.
    pub(crate) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Dictionary(_, values) => Self::of(values),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Boolean => Self::Boolean,
            DataType::Timestamp(_, Some(_)) => Self::Time,
            DataType::Timestamp(_, None) => Self::ZonelessTime,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Decimal128(..) => Self::Float,
            other if other.is_integer() => Self::Integer,
            other if other.is_floating() => Self::Float,
            _ => Self::Other,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Integer => "whole numbers",
            Self::Float => "numbers with a fraction",
            Self::Text => "texts",
            Self::Boolean => "booleans",
            Self::Time => "points in time",
            Self::ZonelessTime => "times without a zone",
            Self::Date => "days",
            Self::Other => "values of another type",
        }
    }

    const fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Float)
    }

    /// Whether it can be a key, an identity or a unit that votes.
    const fn is_key(self) -> bool {
        matches!(self, Self::Integer | Self::Text)
    }
}

impl Check<'_> {
    fn schema(&self, event: &str) -> Option<&Schema> {
        self.schemas.and_then(|schemas| schemas.get(event)).map(AsRef::as_ref)
    }

    /// The kind of a column of an event; none when it is not known. Complains when it is missing.
    fn column(&mut self, path: &str, event: &str, column: &str) -> Option<ColumnKind> {
        let schema = self.schema(event)?;
        if let Ok(field) = schema.field_with_name(column) {
            return Some(ColumnKind::of(field.data_type()));
        }
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let what = format!("columns of `{event}`");
        let mut remedy = did_you_mean(column, &what, names);
        let (question, label) = (&self.pipeline.question.event, &self.pipeline.label.event);
        let other = if event == question { label } else { question };
        if self.schema(other).is_some_and(|schema| schema.column_with_name(column).is_some()) {
            remedy = format!("it is a column of `{other}`: name one of `{event}`");
        }
        self.error(path, format!("no such column in `{event}`: `{column}`"), remedy);
        None
    }

    /// Complains unless the column is known to fit, or nothing is known.
    fn expect(
        &mut self,
        path: &str,
        (event, column): (&str, &str),
        fits: fn(ColumnKind) -> bool,
        (needed, remedy): (&str, &str),
    ) {
        if let Some(kind) = self.column(path, event, column)
            && !fits(kind)
        {
            let message = format!("`{column}` holds {}, not {needed}", kind.words());
            self.error(path, message, remedy);
        }
    }

    fn number(&mut self, path: &str, event: &str, column: &str) {
        let remedy = "name a column of numbers, or write it as numbers in the data";
        self.expect(path, (event, column), ColumnKind::is_number, ("numbers", remedy));
    }

    /// A time other than the event's own. What its type leaves unsaid, its event must say.
    fn time(&mut self, path: &str, event: &str, column: &str) {
        let Some(kind) = self.column(path, event, column) else { return };
        let declared = self.project.event(event);
        let has_zone = declared.is_some_and(|event| event.zone.is_some());
        let has_epoch = declared.is_some_and(|event| event.epoch.is_some());
        let named = "name a column of points in time";
        let (message, remedy) = match kind {
            ColumnKind::Time | ColumnKind::Date | ColumnKind::Text => return,
            ColumnKind::ZonelessTime if has_zone => return,
            ColumnKind::Integer if has_epoch => return,
            ColumnKind::ZonelessTime => (
                format!("the times have no zone: `{column}`"),
                format!("add `zone = \"UTC\"`, or the zone they are in, to [event.{event}]"),
            ),
            ColumnKind::Integer => (
                format!("`{column}` holds whole numbers, not points in time"),
                format!("{named}, or add `epoch` to [event.{event}] if they count time since 1970"),
            ),
            ColumnKind::Float | ColumnKind::Boolean | ColumnKind::Other => (
                format!("`{column}` holds {}, not points in time", kind.words()),
                format!("{named}, or write it as timestamps in the data"),
            ),
        };
        self.error(path, message, remedy);
    }

    /// The column whose every value has one vote at the gate.
    pub(super) fn independent(&mut self) {
        let question = &self.pipeline.question;
        if let Some(unit) = &self.pipeline.gate.independent
            && *unit != question.join
        {
            let remedy = "name the join key, or a question column of whole numbers or texts";
            let needed = ("whole numbers or texts", remedy);
            let place = (question.event.as_str(), unit.as_str());
            self.expect("gate.independent", place, ColumnKind::is_key, needed);
        }
    }

    /// The time column of an event, which trueup.toml names.
    pub(super) fn time_column(&mut self, event: &Event) {
        let Some(schema) = self.schema(&event.name) else { return };
        let path = format!("event.{}.time", event.name);
        let column = &event.time;
        let Ok(field) = schema.field_with_name(column) else {
            let names = schema.fields().iter().map(|field| field.name().as_str());
            let remedy = did_you_mean(column, &format!("columns of `{}`", event.name), names);
            let message = format!("no such column in `{}`: `{column}`", event.name);
            self.found.push(self.project.source().error(Part::Value, &path, message, remedy));
            return;
        };
        let (message, remedy) = match (ColumnKind::of(field.data_type()), event.zone.is_some()) {
            (ColumnKind::ZonelessTime | ColumnKind::Date, false) => (
                format!("the times have no zone: `{column}`"),
                format!("add `zone = \"UTC\"`, or the zone they are in, to [event.{}]", event.name),
            ),
            (ColumnKind::Integer, _) if event.epoch.is_none() => (
                format!("whole numbers that do not say what they count: `{column}`"),
                format!("add `epoch = \"s\"`, \"ms\", \"us\" or \"ns\" to [event.{}]", event.name),
            ),
            (ColumnKind::Float | ColumnKind::Boolean | ColumnKind::Other, _) => (
                format!("not a time: `{column}`"),
                "name a column of timestamps, or of whole numbers with `epoch`".to_owned(),
            ),
            (ColumnKind::Time | ColumnKind::ZonelessTime | ColumnKind::Date, _)
            | (ColumnKind::Integer | ColumnKind::Text, _) => return,
        };
        self.found.push(self.project.source().error(Part::Value, &path, message, remedy));
    }

    pub(super) fn question_columns(&mut self) {
        let question = &self.pipeline.question;
        let event = question.event.as_str();
        self.number("question.estimate", event, &question.estimate);
        if let Some(answer) = &question.served_answer {
            self.number("question.served_answer", event, answer);
        }
        if let Some(id) = &question.id {
            self.expect(
                "question.id",
                (event, id),
                ColumnKind::is_key,
                ("whole numbers or texts", "name a column of whole numbers or texts"),
            );
        }
        for (i, reference) in self.pipeline.references.iter().enumerate() {
            let path = format!("reference[{i}]");
            self.leak(&path, reference);
            self.number(&path, event, reference);
        }
        if let LabelSource::Column(value) = &self.pipeline.label.value
            && *value == question.estimate
        {
            self.error(
                "question.estimate",
                format!("the estimate is the label: `{value}`"),
                "name the column with what the primary model answered before it came true",
            );
        }
    }

    pub(super) fn label_columns(&mut self) {
        let (question, label) = (&self.pipeline.question, &self.pipeline.label);
        self.join_keys();
        match &label.value {
            LabelSource::Column(value) => self.number("label.value", &label.event, value),
            LabelSource::Elapsed { from, until } => {
                let in_label =
                    self.schema(&label.event).map(|s| s.column_with_name(from).is_some());
                let in_question = self
                    .schema(&question.event)
                    .is_some_and(|s| s.column_with_name(from).is_some());
                let event = match in_label {
                    Some(false) if in_question => &question.event,
                    Some(_) | None => &label.event,
                };
                self.time("label.value.from", event, from);
                self.time("label.value.until", &label.event, until);
                if unit_micros(&self.pipeline.unit).is_none() {
                    let names = TIME_UNITS.iter().map(|(name, _)| *name);
                    let remedy = did_you_mean(&self.pipeline.unit, "units of time", names);
                    let message = format!(
                        "a label of `from` and `until` needs a unit of time: `{}`",
                        self.pipeline.unit
                    );
                    self.error("unit", message, remedy);
                }
            }
        }
    }

    fn join_keys(&mut self) {
        let (question, label) = (&self.pipeline.question, &self.pipeline.label);
        let asked = self.column("question.join", &question.event, &question.join);
        let came = self.column("label.join", &label.event, &label.join);
        for (path, kind, column) in
            [("question.join", asked, &question.join), ("label.join", came, &label.join)]
        {
            if let Some(kind) = kind
                && !kind.is_key()
            {
                let message = format!("`{column}` holds {}, which join badly", kind.words());
                self.error(path, message, "name a column of whole numbers or texts");
                return;
            }
        }
        if let (Some(asked), Some(came)) = (asked, came)
            && asked != came
        {
            let message = format!(
                "`{}` holds {} in `{}`, but `{}` holds {} in `{}`",
                question.join,
                asked.words(),
                question.event,
                label.join,
                came.words(),
                label.event
            );
            let remedy = "write both as whole numbers or both as texts in the data";
            self.error("label.join", message, remedy);
        }
    }

    pub(super) fn features(&mut self) {
        let pipeline = self.pipeline;
        for feature in &pipeline.features {
            let path = format!("features.{}", feature.name);
            let before = self.found.len();
            for column in columns(&feature.kind) {
                self.leak(&path, column);
            }
            if self.found.len() == before {
                self.feature(&path, &pipeline.question.event, &feature.kind);
            }
        }
    }

    fn feature(&mut self, path: &str, event: &str, kind: &FeatureKind) {
        let place = |check: &Self, key: &str| {
            let deep = format!("{path}.{key}");
            if check.definition.source.has(&deep) { deep } else { path.to_owned() }
        };
        match kind {
            FeatureKind::Category { column } => {
                let path = place(self, "column");
                self.category_column(&path, event, column);
            }
            FeatureKind::Number { column } | FeatureKind::Log { column } => {
                let path = place(self, "column");
                let remedy = "write `= \"category\"` to take its values as names";
                let fits = |kind: ColumnKind| kind.is_number() || kind == ColumnKind::Boolean;
                self.expect(&path, (event, column), fits, ("numbers", remedy));
            }
            FeatureKind::Bucket { column, edges: _ } => {
                let path = place(self, "column");
                self.number(&path, event, column);
            }
            FeatureKind::HourOfWeek { time, zone }
            | FeatureKind::HourOfDay { time, zone }
            | FeatureKind::DayOfWeek { time, zone } => {
                let path = place(self, "time");
                self.time(&path, event, time);
                if let Zone::Column(column) = zone {
                    let path = place(self, "zone");
                    let needed = ("texts", "name a column with IANA time zones");
                    self.expect(&path, (event, column), |k| k == ColumnKind::Text, needed);
                }
            }
            FeatureKind::Geohash { latitude, longitude, precision: _ } => {
                let path = place(self, "latitude");
                self.number(&path, event, latitude);
                let path = place(self, "longitude");
                self.number(&path, event, longitude);
            }
        }
    }

    fn category_column(&mut self, path: &str, event: &str, column: &str) {
        let Some(kind) = self.column(path, event, column) else { return };
        let remedy = match kind {
            ColumnKind::Text | ColumnKind::Integer | ColumnKind::Boolean | ColumnKind::Date => {
                return;
            }
            ColumnKind::Float => format!(
                "write `{{ column = \"{column}\", as = \"bucket\", edges = [5, 10, 30] }}`, or \
                 `= \"number\"`"
            ),
            ColumnKind::Time | ColumnKind::ZonelessTime => format!(
                "write `{{ time = \"{column}\", as = \"hour_of_week\", zone = \
                 \"America/New_York\" }}`"
            ),
            ColumnKind::Other => "name a column of texts or whole numbers".to_owned(),
        };
        let message = format!("`{column}` holds {}, which make no categories", kind.words());
        self.error(path, message, remedy);
    }

    /// Complains when a question's column is what is to be foretold.
    fn leak(&mut self, path: &str, column: &str) {
        let label = &self.pipeline.label;
        let time = self.project.event(&label.event).map(|event| event.time.as_str());
        let what = match &label.value {
            LabelSource::Column(value) if value == column => "the label itself",
            LabelSource::Elapsed { until, .. } if until == column => "the end of the label",
            LabelSource::Column(_) | LabelSource::Elapsed { .. } if time == Some(column) => {
                "the time at which the label came true"
            }
            LabelSource::Column(_) | LabelSource::Elapsed { .. } => return,
        };
        let asked = self.project.event(&self.pipeline.question.event);
        if asked.is_some_and(|event| event.time == column) {
            return;
        }
        let message = format!("not known when the question is asked: `{column}`, {what}");
        self.error(path, message, "remove it: a feature must be known before the label is");
    }
}

/// The columns a feature is computed from.
pub(crate) fn columns(kind: &FeatureKind) -> Vec<&str> {
    match kind {
        FeatureKind::Category { column }
        | FeatureKind::Number { column }
        | FeatureKind::Log { column }
        | FeatureKind::Bucket { column, edges: _ } => vec![column],
        FeatureKind::HourOfWeek { time, zone }
        | FeatureKind::HourOfDay { time, zone }
        | FeatureKind::DayOfWeek { time, zone } => match zone {
            Zone::Named(_) => vec![time],
            Zone::Column(column) => vec![time, column],
        },
        FeatureKind::Geohash { latitude, longitude, precision: _ } => vec![latitude, longitude],
    }
}
