//! `trueup registry diff`: what differs between two versions.

use super::list::heads;
use super::{Context, find, print, split, time};
use crate::failure::Failure;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use trueup_backtest::publication::{self, Record};
use trueup_learner::model::Model;
use trueup_learner::spec::Spec;
use trueup_learner::state::CellType;
use trueup_registry::{ModelRegistry, VersionSummary};

/// Compare two versions: definition, inputs, errors, weights.
#[derive(Debug, clap::Args)]
pub(crate) struct Diff {
    /// The one, such as `flight_eta@12`.
    #[arg(value_name = "MODEL@VERSION")]
    one: String,

    /// The other; of the same model if it has no `@`.
    #[arg(value_name = "VERSION")]
    other: String,
}

/// One thing that differs.
#[derive(Debug, Serialize)]
struct Difference {
    what: String,
    one: String,
    other: String,
}

struct Side {
    found: VersionSummary,
    record: Record,
    definition: Spec,
    tables: BTreeMap<&'static str, Cells>,
}

/// The cells of a serving table that are not empty.
type Cells = (CellType, BTreeMap<usize, u64>);

impl Diff {
    pub(super) fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let other = match self.other.contains('@') {
            true => self.other.clone(),
            false => format!("{}@{}", split(&self.one).0, self.other),
        };
        let (one, other) = (Side::load(context, &self.one)?, Side::load(context, &other)?);
        let mut found = Vec::new();
        values(&mut found, "definition", &json(&one.definition), &json(&other.definition));
        let of = |side: &Side| {
            [
                ("boundary", time(side.found.boundary_micros)),
                ("trained until", time(side.found.trained_until_micros)),
                ("verdict", side.found.verdict.clone()),
                ("code", side.record.code_version.clone()),
                ("history", side.record.history.clone()),
            ]
        };
        for ((what, one), (_, other)) in of(&one).into_iter().zip(of(&other)) {
            push(&mut found, what, one, other);
        }
        values(&mut found, "inputs", &json(&one.record.inputs), &json(&other.record.inputs));
        values(&mut found, "scores", &json(&one.record.scores), &json(&other.record.scores));
        weights(&mut found, &one, &other);
        let mut rows = vec![heads(&["what", "one", "other"])];
        let row = |d: &Difference| vec![d.what.clone(), d.one.clone(), d.other.clone()];
        rows.extend(found.iter().map(row));
        if found.is_empty() {
            rows = vec![vec!["the same in everything".to_owned()]];
        }
        print(context, &found, &rows);
        Ok(ExitCode::SUCCESS)
    }
}

impl Side {
    fn load(context: &Context, text: &str) -> Result<Self, Failure> {
        let (model, found) = find(context, text)?;
        let record = publication::record(&model, found.version)?;
        let definition = publication::definition(&model, found.version)?;
        let tables = tables(&model, &found, &definition)?;
        Ok(Self { found, record, definition, tables })
    }
}

fn tables(
    model: &ModelRegistry,
    found: &VersionSummary,
    definition: &Spec,
) -> Result<BTreeMap<&'static str, Cells>, Failure> {
    let lineage = found.lineage as usize;
    let mut tables = BTreeMap::new();
    if lineage >= definition.learners.len() {
        return Ok(tables);
    }
    let mut served = Model::new(definition.clone(), lineage).map_err(anyhow::Error::from)?;
    publication::apply(model, &mut served, &model.chain(found.version)?)?;
    served.tables(&mut |name, table| {
        let mut cells = BTreeMap::new();
        table.current(&mut |index, bits| {
            cells.insert(index, bits);
        });
        tables.insert(name, (table.cell_type(), cells));
    });
    Ok(tables)
}

/// How far apart the weights are, table by table.
fn weights(found: &mut Vec<Difference>, one: &Side, other: &Side) {
    for (name, (cell, cells)) in &one.tables {
        let Some((_, others)) = other.tables.get(name) else { continue };
        let indices: BTreeSet<_> = cells.keys().chain(others.keys()).collect();
        let at =
            |cells: &BTreeMap<usize, u64>, index: &usize| cells.get(index).copied().unwrap_or(0);
        let changed = indices.iter().filter(|index| at(cells, index) != at(others, index)).count();
        if changed == 0 {
            continue;
        }
        let norm = |cells: &BTreeMap<usize, u64>| match cell {
            CellType::F64 => {
                let sum: f64 = cells.values().map(|bits| f64::from_bits(*bits).powi(2)).sum();
                format!("{} cells, norm {:.6}", cells.len(), sum.sqrt())
            }
            CellType::F32Pair | CellType::U64 => format!("{} cells", cells.len()),
        };
        let what = format!("table {name}: {changed} cells differ");
        push(found, &what, norm(cells), norm(others));
    }
}

/// What differs between two values of JSON, down to their leaves.
fn values(found: &mut Vec<Difference>, path: &str, one: &Value, other: &Value) {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned();
                let (a, b) = (of(a).unwrap_or_default(), of(b).unwrap_or_default());
                values(found, &format!("{path}.{key}"), &a, &b);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (place, (a, b)) in a.iter().zip(b).enumerate() {
                values(found, &format!("{path}[{place}]"), a, b);
            }
        }
        _ => push(found, path, one.to_string(), other.to_string()),
    }
}

fn push(found: &mut Vec<Difference>, what: &str, one: String, other: String) {
    if one != other {
        found.push(Difference { what: what.to_owned(), one, other });
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("it is plain data")
}
