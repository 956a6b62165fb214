//! Which file asks and which answers, and by which columns.

use super::profile::{Column, Table};
use super::stats::{correlation, quantile, sorted};
use super::{Refusal, names};
use std::collections::HashMap;

/// What was found.
#[derive(Debug)]
pub(super) struct Roles<'a> {
    pub(super) question: &'a Table,
    pub(super) label: &'a Table,
    pub(super) question_time: &'a Column,
    pub(super) label_time: &'a Column,
    pub(super) question_join: &'a Column,
    pub(super) label_join: &'a Column,
    pub(super) estimate: &'a Column,
    pub(super) value: Value<'a>,
    pub(super) unit: Option<&'static str>,
    /// Rows of question and label that belong together.
    pub(super) pairs: Vec<(usize, usize)>,
}

/// Where the label's value comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// A column of the label's file.
    Column(&'a Column),
    /// The time from question to label, in units of so many microseconds.
    Elapsed {
        /// Microseconds in one unit.
        unit_micros: f64,
    },
}

/// Units in which an elapsed time is tried.
const UNITS: [(&str, f64); 4] =
    [("seconds", 1e6), ("minutes", 6e7), ("hours", 3.6e9), ("milliseconds", 1e3)];

impl<'a> Roles<'a> {
    /// Whether both events are in one file.
    pub(super) fn is_wide(&self) -> bool {
        std::ptr::eq(self.question, self.label)
    }

    /// The label's value for a pair of rows.
    pub(super) fn actual(&self, (asked, came): (usize, usize)) -> Option<f64> {
        match self.value {
            Value::Column(column) => column.value(came),
            Value::Elapsed { unit_micros } => Some(
                (self.label_time.value(came)? - self.question_time.value(asked)?) / unit_micros,
            ),
        }
    }

    /// `actual - estimate` of each pair.
    pub(super) fn residuals(&self) -> Vec<f64> {
        let residual =
            |pair: &(usize, usize)| Some(self.actual(*pair)? - self.estimate.value(pair.0)?);
        sorted(self.pairs.iter().filter_map(residual))
    }

    /// The time from question to label of each pair, in microseconds, sorted.
    pub(super) fn delays(&self) -> Vec<f64> {
        sorted(self.pairs.iter().filter_map(|(asked, came)| {
            Some(self.label_time.value(*came)? - self.question_time.value(*asked)?)
        }))
    }
}

/// Finds the roles in one or more tables.
pub(super) fn find(tables: &[Table]) -> Result<Roles<'_>, Refusal> {
    let [first, rest @ ..] = tables else {
        return Err(Refusal::new("no file was given", "name one or more Parquet files"));
    };
    if rest.is_empty() {
        return wide(first);
    }
    let mut best: Option<(f64, &Table, &Table, Join<'_>)> = None;
    for question in tables {
        for label in tables.iter().filter(|label| !std::ptr::eq(*label, question)) {
            let Some(join) = join(question, label) else { continue };
            let score = join.score
                + likeness(question, names::estimate)
                + likeness(label, names::outcome)
                + 0.5
                    * (time_likeness(question, names::asked)
                        + time_likeness(label, names::came_true));
            if best.as_ref().is_none_or(|(other, ..)| score > *other) {
                best = Some((score, question, label, join));
            }
        }
    }
    let Some((_, question, label, join)) = best else {
        return Err(Refusal::new(
            "no column joins two of the files",
            "both files need a column with the same key, of whole numbers or of texts in both",
        ));
    };
    let pairs = pairs(join.question, join.label);
    let question_time = time(question, names::asked, "estimates")?;
    let label_time = time(label, names::came_true, "outcomes")?;
    finish(Parts { question, label, question_time, label_time, join, pairs })
}

/// What is known before the columns of numbers are told apart.
struct Parts<'a> {
    question: &'a Table,
    label: &'a Table,
    question_time: &'a Column,
    label_time: &'a Column,
    join: Join<'a>,
    pairs: Vec<(usize, usize)>,
}

fn finish(parts: Parts<'_>) -> Result<Roles<'_>, Refusal> {
    let Parts { question, label, question_time, label_time, join, pairs } = parts;
    let estimate = estimate(question, label, &pairs)?;
    let mut roles = Roles {
        question,
        label,
        question_time,
        label_time,
        question_join: join.question,
        label_join: join.label,
        estimate,
        value: Value::Elapsed { unit_micros: 1.0 },
        unit: names::unit(&estimate.name),
        pairs,
    };
    match value(&roles) {
        Some(column) => {
            roles.value = Value::Column(column);
            roles.unit = roles.unit.or_else(|| names::unit(&column.name));
        }
        None => elapsed(&mut roles)?,
    }
    Ok(roles)
}

fn likeness(table: &Table, of: fn(&str) -> u32) -> f64 {
    let numbers = table.columns.iter().filter(|column| column.is_number());
    numbers.map(|column| f64::from(of(&column.name))).fold(0.0, f64::max)
}

fn time_likeness(table: &Table, of: fn(&str) -> u32) -> f64 {
    let times = table.columns.iter().filter(|column| column.is_time());
    times.map(|column| f64::from(of(&column.name))).fold(0.0, f64::max)
}

/// One file with both events in each row.
fn wide(table: &Table) -> Result<Roles<'_>, Refusal> {
    let times: Vec<&Column> = table.columns.iter().filter(|column| column.is_time()).collect();
    let rank = |column: &Column| {
        i64::from(names::asked(&column.name)) - i64::from(names::came_true(&column.name))
    };
    let asked = times.iter().copied().max_by_key(|column| (rank(column), -mean_order(column)));
    let came = times.iter().copied().min_by_key(|column| (rank(column), -mean_order(column)));
    let (Some(asked), Some(came)) = (asked, came) else {
        return Err(no_time(&table.location));
    };
    if std::ptr::eq(asked, came) {
        return Err(Refusal::new(
            format!("one time for question and label: `{}`", asked.name),
            "the file needs two: when the estimate was made, and when the outcome was known",
        ));
    }
    let key = table
        .columns
        .iter()
        .filter(|column| column.is_key() && column.uniqueness() > 0.9 && column.nulls == 0)
        .max_by_key(|column| {
            (names::is_identifier(&column.name), (column.uniqueness() * 1e6) as u64)
        });
    let Some(key) = key else {
        return Err(Refusal::new(
            format!("no column tells the rows apart: `{}`", table.location),
            "add a column with an identifier of its own for each row",
        ));
    };
    let pairs = (0..table.rows).filter(|row| came.value(*row).is_some()).map(|row| (row, row));
    let join = Join { question: key, label: key, score: 1.0 };
    let pairs = pairs.collect();
    finish(Parts {
        question: table,
        label: table,
        question_time: asked,
        label_time: came,
        join,
        pairs,
    })
}

/// Where a column's times lie on the whole, in seconds.
fn mean_order(column: &Column) -> i64 {
    let (mut sum, mut known) = (0.0, 0.0);
    for value in column.values.iter().flatten() {
        sum += value / 1e6;
        known += 1.0;
    }
    if known > 0.0 { (sum / known) as i64 } else { i64::MAX }
}

fn no_time(location: &str) -> Refusal {
    Refusal::new(
        format!("no column holds points in time: `{location}`"),
        "write times as timestamps, or as whole numbers in a column called like `created_at`",
    )
}

fn time<'a>(table: &'a Table, of: fn(&str) -> u32, what: &str) -> Result<&'a Column, Refusal> {
    let times = table.columns.iter().filter(|column| column.is_time());
    let best = times.max_by_key(|column| (of(&column.name), -mean_order(column)));
    best.ok_or_else(|| {
        let refusal = no_time(&table.location);
        Refusal { message: format!("{}, which holds the {what}", refusal.message), ..refusal }
    })
}

/// A column of each file that joins them.
#[derive(Debug)]
struct Join<'a> {
    question: &'a Column,
    label: &'a Column,
    score: f64,
}

fn join<'a>(question: &'a Table, label: &'a Table) -> Option<Join<'a>> {
    let mut best: Option<Join<'a>> = None;
    for asked in question.columns.iter().filter(|column| column.is_key()) {
        for came in label.columns.iter().filter(|column| column.is_key()) {
            if asked.kind != came.kind {
                continue;
            }
            let matched = pairs(asked, came).len() as f64 / question.rows.max(1) as f64;
            let is_named = asked.name == came.name;
            let bonus = if is_named { 0.5 } else { 0.0 }
                + if names::is_identifier(&asked.name) { 0.2 } else { 0.0 };
            let score = matched * came.uniqueness() * asked.uniqueness().sqrt() + bonus;
            let is_better = best.as_ref().is_none_or(|other| score > other.score);
            if matched > 0.01 && came.uniqueness() > 0.5 && is_better {
                best = Some(Join { question: asked, label: came, score });
            }
        }
    }
    best
}

/// Each question row with the first label row of its key.
fn pairs(asked: &Column, came: &Column) -> Vec<(usize, usize)> {
    let mut rows: HashMap<u64, usize> = HashMap::new();
    for (row, hash) in came.hashes.iter().enumerate().filter(|(_, hash)| **hash != 0) {
        rows.entry(*hash).or_insert(row);
    }
    let questions = asked.hashes.iter().enumerate();
    questions.filter_map(|(row, hash)| Some((row, *rows.get(hash)?))).collect()
}

/// The question's column that sounds most like an estimate; of several, the one nearest to a column
/// that sounds like what came true.
fn estimate<'a>(
    question: &'a Table,
    label: &'a Table,
    pairs: &[(usize, usize)],
) -> Result<&'a Column, Refusal> {
    let outcome = label
        .columns
        .iter()
        .filter(|column| column.is_number())
        .max_by_key(|column| names::outcome(&column.name))
        .filter(|column| names::outcome(&column.name) > 0);
    let near = |column: &Column| {
        let known = pairs
            .iter()
            .filter_map(|(asked, came)| Some((column.value(*asked)?, outcome?.value(*came)?)));
        correlation(known).unwrap_or(0.0)
    };
    let sounding = question
        .columns
        .iter()
        .filter(|column| column.is_number() && names::estimate(&column.name) > 0)
        .filter(|column| names::outcome(&column.name) == 0);
    let best = sounding.max_by(|a, b| {
        let by_name = names::estimate(&a.name).cmp(&names::estimate(&b.name));
        by_name.then_with(|| near(a).total_cmp(&near(b)))
    });
    best.ok_or_else(|| {
        Refusal::new(
            format!("no column sounds like an estimate: `{}`", question.location),
            "call the column with the primary model's estimate like `eta_minutes`, \
             `predicted_price` or `forecast`",
        )
    })
}

/// The label's column that sounds like what came true, or else goes with the estimate.
fn value<'a>(roles: &Roles<'a>) -> Option<&'a Column> {
    let numbers = roles.label.columns.iter().filter(|column| {
        column.is_number()
            && !std::ptr::eq(*column, roles.label_join)
            && !std::ptr::eq(*column, roles.estimate)
            && !column.is_constant()
    });
    let near = |column: &Column| {
        let known = roles.pairs.iter().filter_map(|(asked, came)| {
            Some((roles.estimate.value(*asked)?, column.value(*came)?))
        });
        correlation(known).unwrap_or(0.0)
    };
    let sounding =
        numbers.clone().filter(|column| names::outcome(&column.name) > 0).max_by(|a, b| {
            let by_name = names::outcome(&a.name).cmp(&names::outcome(&b.name));
            by_name.then_with(|| near(a).total_cmp(&near(b)))
        });
    if sounding.is_some() || roles.is_wide() {
        return sounding;
    }
    numbers.filter(|column| near(column) > 0.3).max_by(|a, b| near(a).total_cmp(&near(b)))
}

/// Takes the time from question to label as the label, in the unit nearest to the estimate.
fn elapsed(roles: &mut Roles<'_>) -> Result<(), Refusal> {
    let (start, end) = (roles.question_time, roles.label_time);
    if roles.is_wide() && start.epoch.zip(end.epoch).is_some_and(|(one, other)| one != other) {
        return Err(Refusal::new(
            format!("`{}` and `{}` count time in different units", start.name, end.name),
            "write both in the same unit, or as timestamps",
        ));
    }
    let delays = roles.delays();
    let asked = roles.pairs.iter().filter_map(|(asked, _)| roles.estimate.value(*asked));
    let estimates = sorted(asked);
    let (Some(delay), Some(estimate)) = (quantile(&delays, 0.5), quantile(&estimates, 0.5)) else {
        return Err(no_outcome(roles));
    };
    let off = |micros: f64| (delay / micros / estimate.max(1e-9)).max(1e-9).ln().abs();
    let named = UNITS.iter().find(|(name, _)| roles.unit == Some(*name));
    let nearest = UNITS.iter().min_by(|a, b| off(a.1).total_cmp(&off(b.1)));
    let Some((unit, unit_micros)) = named.or(nearest).filter(|(_, micros)| off(*micros) < 1.6)
    else {
        return Err(no_outcome(roles));
    };
    roles.value = Value::Elapsed { unit_micros: *unit_micros };
    roles.unit = Some(unit);
    Ok(())
}

fn no_outcome(roles: &Roles<'_>) -> Refusal {
    Refusal::new(
        format!("no column sounds like what came true: `{}`", roles.label.location),
        "call the column with the outcome like `actual_minutes`, or give question and label times \
         whose difference it is",
    )
}
