//! Which columns a definition reads of its two events, and which of them as points in time.

use arrow::datatypes::{DataType, Schema};
use trueup_connector::{NullTime, ReadRequest, TimeColumn};
use trueup_learner::engine::{LABELS, QUESTIONS};
use trueup_learner::features::{FeatureKind, FeatureSet};
use trueup_learner::spec::{LabelValue, Side, Spec};

/// What a definition asks of the readers of its question and its label event, which have these
/// columns and times.
#[must_use]
pub fn requests(
    spec: &Spec,
    features: &FeatureSet,
    schemas: [&Schema; 2],
    times: [&TimeColumn; 2],
) -> [ReadRequest; 2] {
    let columns = question_columns(spec, features);
    let mut questions = ReadRequest::new(QUESTIONS, times[0].clone(), columns);
    questions.dictionary = features.columns_needed().into_iter().map(str::to_owned).collect();
    let mut labels = ReadRequest::new(LABELS, times[1].clone(), label_columns(spec));
    labels.null_time = NullTime::Skip;
    [questions.instants, labels.instants] = instants(spec, schemas);
    [questions, labels]
}

/// The columns that a definition reads of its question event.
fn question_columns(spec: &Spec, features: &FeatureSet) -> Vec<String> {
    let question = &spec.question;
    let mut columns = vec![question.join.clone(), question.estimate.clone()];
    columns.extend(question.id.clone());
    columns.extend(question.served_answer.clone());
    columns.extend(spec.gate.independent.clone());
    columns.extend(spec.references.iter().cloned());
    columns.extend(features.columns_needed().into_iter().map(str::to_owned));
    if let LabelValue::Elapsed { from, from_event: Side::Question, .. } = &spec.label.value {
        columns.push(from.clone());
    }
    distinct(columns)
}

/// The columns that a definition reads of its label event.
fn label_columns(spec: &Spec) -> Vec<String> {
    let mut columns = vec![spec.label.join.clone()];
    match &spec.label.value {
        LabelValue::Column(column) => columns.push(column.clone()),
        LabelValue::Elapsed { from, from_event, until, .. } => {
            columns.push(until.clone());
            if *from_event == Side::Label {
                columns.push(from.clone());
            }
        }
    }
    distinct(columns)
}

/// The columns of questions and of labels that become points in time as they are read, where their
/// types leave something unsaid.
fn instants(spec: &Spec, [questions, labels]: [&Schema; 2]) -> [Vec<String>; 2] {
    let is_of = |schema: &Schema, column: &str, of: fn(&DataType) -> bool| {
        schema.field_with_name(column).is_ok_and(|field| of(field.data_type()))
    };
    // A date whose hours are asked for is the same day in every zone.
    let is_number_or_text = |kind: &DataType| kind.is_integer() || *kind == DataType::Utf8;
    let is_untimed = |kind: &DataType| !matches!(kind, DataType::Timestamp(..));
    let clocks = spec.features.iter().filter_map(|feature| clock(&feature.kind));
    let mut asked: Vec<String> = clocks
        .filter(|column| is_of(questions, column, is_number_or_text))
        .map(str::to_owned)
        .collect();
    let mut came = Vec::new();
    if let LabelValue::Elapsed { from, from_event, until, .. } = &spec.label.value {
        came.push(until.clone());
        match from_event {
            Side::Question if is_of(questions, from, is_untimed) => asked.push(from.clone()),
            Side::Question => {}
            Side::Label => came.push(from.clone()),
        }
    }
    came.retain(|column| is_of(labels, column, is_untimed));
    [distinct(asked), distinct(came)]
}

/// The column whose hours or days a feature counts.
fn clock(kind: &FeatureKind) -> Option<&str> {
    match kind {
        FeatureKind::HourOfWeek { time, .. }
        | FeatureKind::HourOfDay { time, .. }
        | FeatureKind::DayOfWeek { time, .. } => Some(time),
        FeatureKind::Category { .. }
        | FeatureKind::Number { .. }
        | FeatureKind::Log { .. }
        | FeatureKind::Bucket { .. }
        | FeatureKind::Geohash { .. } => None,
    }
}

/// Each name once, sorted.
pub(crate) fn distinct(mut columns: Vec<String>) -> Vec<String> {
    columns.sort_unstable();
    columns.dedup();
    columns
}
