//! `trueup.Report`: what a replay found, for a notebook.

use crate::arrow_io::Table;
use crate::error::Failure;
use arrow::array::{ArrayRef, Float64Array, StringArray};
use arrow::record_batch::RecordBatch;
use pyo3::prelude::*;
use std::sync::Arc;
use tempfile::TempDir;
use trueup_backtest::report::{Metrics, RunReport};
use trueup_backtest::table::{self, Colour, Style};
use trueup_backtest::{Report as Found, page};

/// What a replay found.
#[pyclass(frozen, module = "trueup")]
#[derive(Debug)]
pub(crate) struct Report {
    found: Found,
    folder: Option<Arc<TempDir>>,
}

impl Report {
    /// The file of predictions in its folder.
    pub(crate) const PREDICTIONS: &str = "predictions.parquet";

    pub(crate) const fn new(found: Found, folder: Option<Arc<TempDir>>) -> Self {
        Self { found, folder }
    }

    fn json(&self) -> String {
        serde_json::to_string(&self.found).expect("a report is JSON")
    }
}

/// Every source of answers of a run, by name.
fn sources(run: &RunReport) -> Vec<(String, &Metrics)> {
    let mut all = vec![
        ("primary".to_owned(), &run.primary),
        ("corrected".to_owned(), &run.corrected),
        ("as_served".to_owned(), &run.as_served),
    ];
    let references = run.references.iter().map(|one| ("reference", one));
    let challengers = run.challengers.iter().map(|one| ("challenger", one));
    for (role, one) in references.chain(challengers) {
        all.push((format!("{role}_{}", one.name), &one.metrics));
    }
    all
}

#[pymethods]
impl Report {
    /// The digest of the first pipeline's state at the end.
    #[getter]
    fn digest(&self) -> String {
        self.found.runs.first().map_or(String::new(), |run| run.digest.to_string())
    }

    /// The digests of all pipelines, in the order in which they were named.
    #[getter]
    fn digests(&self) -> Vec<String> {
        self.found.runs.iter().map(|run| run.digest.to_string()).collect()
    }

    /// The names of the pipelines.
    #[getter]
    fn pipelines(&self) -> Vec<String> {
        self.found.runs.iter().map(|run| run.definition.clone()).collect()
    }

    /// The errors of every source of answers, a row each.
    #[getter]
    fn metrics(&self) -> Table {
        let rows: Vec<(&str, String, &Metrics)> = self
            .found
            .runs
            .iter()
            .flat_map(|run| {
                sources(run).into_iter().map(|(name, found)| (run.definition.as_str(), name, found))
            })
            .collect();
        let text = |of: fn(&(&str, String, &Metrics)) -> String| -> ArrayRef {
            Arc::new(rows.iter().map(|row| Some(of(row))).collect::<StringArray>())
        };
        let number = |of: fn(&Metrics) -> Option<f64>| -> ArrayRef {
            Arc::new(rows.iter().map(|row| of(row.2)).collect::<Float64Array>())
        };
        let columns = [
            ("pipeline", text(|row| row.0.to_owned())),
            ("answers", text(|row| row.1.clone())),
            ("mae", number(|found| found.mae)),
            ("bias", number(|found| found.bias)),
            ("rmse", number(|found| found.rmse)),
            ("p50", number(|found| found.p50)),
            ("p90", number(|found| found.p90)),
            ("p95", number(|found| found.p95)),
            ("within_5", number(|found| found.within_5)),
            ("within_15", number(|found| found.within_15)),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.map(|(name, column)| (name, column, true)),
        );
        Table::of(batch.expect("every column has a cell per row"))
    }

    /// Every question of the first pipeline with its answers and what came true.
    #[getter]
    fn predictions(&self) -> Result<Table, Failure> {
        match &self.folder {
            Some(folder) => Ok(Table::file(Arc::clone(folder), Self::PREDICTIONS)),
            None => Err(Failure::usage(
                "this replay kept no predictions",
                "leave `predictions=False` away",
            )),
        }
    }

    /// The whole report as JSON, as `trueup backtest --json` prints it.
    fn to_json(&self) -> String {
        self.json()
    }

    /// The whole report as dictionaries and lists.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import("json")?.call_method1("loads", (self.json(),))
    }

    /// The page with all plots, as `trueup backtest --report` writes it.
    fn to_html(&self) -> String {
        page::html(&self.found)
    }

    fn __repr__(&self) -> String {
        let style = Style { colour: Colour::Plain, width: 100 };
        table::text(&self.found, style).trim_end().to_owned()
    }

    fn _repr_html_(&self) -> String {
        page::excerpt(&self.found)
    }
}
