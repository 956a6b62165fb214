//! Which question columns become features, and why the others do not.

use super::names;
use super::profile::{Column, Table};
use super::roles::{Roles, Value};
use super::stats::correlation;
use crate::check::ColumnKind;
use trueup_learner::features::{FeatureKind, FeatureSpec, Zone};

/// The most values of a category.
const CATEGORY_DISTINCT_MAX: usize = 1000;
/// Beyond this a column says the same as the label.
const LEAK_CORRELATION: f64 = 0.999;

/// What becomes of the question's columns.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Features, in the order of the columns.
    pub(super) features: Vec<FeatureSpec>,
    /// Other models' estimates.
    pub(super) references: Vec<String>,
    /// Columns that are left out, each with the reason.
    pub(super) left_out: Vec<LeftOut>,
}

/// A column that is no feature.
#[derive(Debug)]
pub(super) struct LeftOut {
    pub(super) column: String,
    pub(super) reason: String,
    /// Whether it would have told the label.
    pub(super) is_leak: bool,
}

impl Choice {
    fn leave(&mut self, column: &Column, reason: String) {
        self.left_out.push(LeftOut { column: column.name.clone(), reason, is_leak: false });
    }

    fn leak(&mut self, column: &Column, reason: String) {
        self.left_out.push(LeftOut { column: column.name.clone(), reason, is_leak: true });
    }

    /// Adds a feature; a name that is taken gets an underscore more.
    fn add(&mut self, name: &str, kind: FeatureKind) {
        let mut name = name.to_owned();
        while self.features.iter().any(|feature| feature.name == name) {
            name.push('_');
        }
        self.features.push(FeatureSpec { name, kind });
    }
}

/// Chooses.
pub(super) fn choose(roles: &Roles<'_>) -> Choice {
    let mut choice = Choice::default();
    let mut placed: Vec<String> = Vec::new();
    for column in &roles.question.columns {
        if placed.contains(&column.name) || has_role(roles, column) {
            continue;
        }
        if let Some(reason) = leak(roles, column) {
            choice.leak(column, reason);
            continue;
        }
        if let Some(east) = longitude(roles.question, column) {
            let rest = names::longitude_of(&column.name).map(|(_, rest)| rest);
            let name = match rest.as_deref() {
                None | Some("") => "cell".to_owned(),
                Some(rest) => format!("{rest}_cell"),
            };
            let (latitude, longitude) = (column.name.clone(), east.name.clone());
            placed.push(longitude.clone());
            choice.add(&name, FeatureKind::Geohash { latitude, longitude, precision: 6 });
            continue;
        }
        one(&mut choice, roles, column);
    }
    // A later column may be the longitude of an earlier one.
    choice.features.retain(|feature| match &feature.kind {
        FeatureKind::Number { column } => !placed.contains(column),
        FeatureKind::Category { .. }
        | FeatureKind::HourOfWeek { .. }
        | FeatureKind::HourOfDay { .. }
        | FeatureKind::DayOfWeek { .. }
        | FeatureKind::Geohash { .. }
        | FeatureKind::Bucket { .. }
        | FeatureKind::Log { .. } => true,
    });
    let time = roles.question_time.name.clone();
    let zone = Zone::Named("UTC".to_owned());
    choice.add("hour_of_week", FeatureKind::HourOfWeek { time, zone });
    choice
}

fn has_role(roles: &Roles<'_>, column: &Column) -> bool {
    let is = |other: &Column| std::ptr::eq(other, column);
    let is_value = match roles.value {
        Value::Column(value) => is(value),
        Value::Elapsed { .. } => false,
    };
    is(roles.question_join) || is(roles.question_time) || is(roles.label_time) || is_value
}

fn one(choice: &mut Choice, roles: &Roles<'_>, column: &Column) {
    let (name, owned) = (column.name.as_str(), column.name.clone());
    if std::ptr::eq(column, roles.estimate) {
        choice.add(name, FeatureKind::Number { column: owned });
    } else if column.is_constant() {
        choice.leave(column, "has one value only".to_owned());
    } else if column.is_time() {
        choice.leave(column, "is a point in time: name it with `as = \"hour_of_week\"`".to_owned());
    } else if column.is_written_date {
        choice.leave(column, "is a date, and each is seen once".to_owned());
    } else if column.is_number() && names::estimate(name) == 2 {
        choice.references.push(owned);
    } else {
        match column.kind {
            ColumnKind::Text | ColumnKind::Boolean => category(choice, column),
            ColumnKind::Integer => integer(choice, column),
            ColumnKind::Float => choice.add(name, FeatureKind::Number { column: owned }),
            ColumnKind::Time | ColumnKind::ZonelessTime | ColumnKind::Date => {
                choice.leave(column, "is a day, and each is seen once".to_owned());
            }
            ColumnKind::Other => choice.leave(column, "has a type that no feature takes".into()),
        }
    }
}

fn category(choice: &mut Choice, column: &Column) {
    if column.distinct > CATEGORY_DISTINCT_MAX || column.uniqueness() > 0.5 {
        let reason = format!("has {} values, as an identifier has", thousands(column.distinct));
        choice.leave(column, reason);
    } else {
        choice.add(&column.name, FeatureKind::Category { column: column.name.clone() });
    }
}

fn integer(choice: &mut Choice, column: &Column) {
    let name = &column.name;
    if names::is_identifier(name) || names::is_calendar(name) {
        category(choice, column);
    } else if names::is_measure(name) || column.distinct <= 100 {
        choice.add(name, FeatureKind::Number { column: name.clone() });
    } else {
        let reason = format!(
            "has {} whole values and sounds like no measure: say \"number\" if it is one",
            thousands(column.distinct)
        );
        choice.leave(column, reason);
    }
}

/// Why a column cannot have been known when the question was asked.
fn leak(roles: &Roles<'_>, column: &Column) -> Option<String> {
    if std::ptr::eq(column, roles.estimate) {
        return None;
    }
    if names::outcome(&column.name) == 2 {
        return Some("sounds like an outcome".to_owned());
    }
    if roles.is_wide() && column.nulls > 0 {
        let unknown = |row: usize| column.hashes.get(row).is_none_or(|hash| *hash == 0);
        let is_open = |row: usize| roles.label_time.value(row).is_none();
        if (0..roles.question.rows).all(|row| unknown(row) == is_open(row)) {
            return Some("is known exactly when the label is".to_owned());
        }
    }
    if column.is_time() {
        return late(roles, column);
    }
    let near = |target: &dyn Fn((usize, usize)) -> Option<f64>| {
        let known: Vec<(f64, f64)> = roles
            .pairs
            .iter()
            .filter_map(|pair| Some((column.value(pair.0)?, target(*pair)?)))
            .collect();
        correlation(known.into_iter()).unwrap_or(0.0).abs()
    };
    let actual = near(&|pair| roles.actual(pair));
    if actual > LEAK_CORRELATION {
        return Some(format!("says the same as the label (correlation {actual:.4})"));
    }
    let error = near(&|pair| Some(roles.actual(pair)? - roles.estimate.value(pair.0)?));
    if error > LEAK_CORRELATION {
        return Some(format!("says the same as the estimate's error (correlation {error:.4})"));
    }
    None
}

/// A time is a leak when it lies after the question and goes with the label's.
fn late(roles: &Roles<'_>, column: &Column) -> Option<String> {
    let delays = roles.pairs.iter().filter_map(|(asked, came)| {
        let start = roles.question_time.value(*asked)?;
        Some((column.value(*asked)? - start, roles.label_time.value(*came)? - start))
    });
    let delays: Vec<(f64, f64)> = delays.collect();
    let later = delays.iter().filter(|(delay, _)| *delay > 0.0).count();
    let is_later = later * 2 > delays.len();
    let near = correlation(delays.into_iter()).unwrap_or(0.0);
    (is_later && near > LEAK_CORRELATION)
        .then(|| "goes with the time at which the label came true".to_owned())
}

/// The column of degrees east that goes with one of degrees north.
fn longitude<'a>(table: &'a Table, column: &Column) -> Option<&'a Column> {
    let is_degrees = |column: &Column, bound: f64| {
        column.is_number() && column.values.iter().flatten().all(|degrees| degrees.abs() <= bound)
    };
    let (easts, _) = names::longitude_of(&column.name)?;
    let east = easts
        .iter()
        .find_map(|name| table.columns.iter().find(|column| column.name.to_lowercase() == *name))?;
    (is_degrees(column, 90.0) && is_degrees(east, 180.0)).then_some(east)
}

/// A count as people write it: `4,044`.
pub(super) fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
