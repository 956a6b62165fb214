//! Arrow in and out: streams from other libraries become data sets, results become streams.
//!
//! A table that is handed in is written to a temporary Parquet file, which is then read as any
//! other: rows are put into event-time order, and ties are settled, by the code that does so for
//! files, within its bounds of memory. The file is gone when the replay has ended.

use crate::error::Failure;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchIterator, RecordBatchReader};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use pyo3::prelude::*;
use pyo3_arrow::PyRecordBatchReader;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use trueup_backtest::Place;

/// How the location of a table is told in reports.
pub(crate) const IN_MEMORY: &str = "(table in memory)";

/// Where events handed to a call live; the temporary file of a table lives as long as this.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) place: Place,
    /// Only of a table: its file's folder.
    folder: Option<TempDir>,
}

impl Given {
    /// A path, or anything with `__arrow_c_stream__`.
    pub(crate) fn take(given: &Bound<'_, PyAny>, name: &str) -> Result<Self, Failure> {
        let py = given.py();
        if given.hasattr("__arrow_c_stream__")? {
            let reader = given.extract::<PyRecordBatchReader>()?.into_reader()?;
            return py.detach(|| Self::write(reader, name));
        }
        let Ok(path) = py.import("os")?.call_method1("fspath", (given,)) else {
            return Err(Failure::usage(
                format!("neither a table nor a path: `{}`", given.get_type().name()?),
                format!(
                    "give `{name}` as a path, or as an object with `__arrow_c_stream__`, such \
                         as a table of pyarrow, polars or pandas"
                ),
            ));
        };
        let base = std::env::current_dir().map_err(|error| Failure::operation(&error))?;
        Ok(Self { place: Place::Files { location: path.extract()?, base }, folder: None })
    }

    /// Whether the events came as a table.
    pub(crate) const fn is_table(&self) -> bool {
        self.folder.is_some()
    }

    fn write(reader: Box<dyn RecordBatchReader + Send>, name: &str) -> Result<Self, Failure> {
        let disk = |error: std::io::Error| Failure::operation(&error);
        let folder = tempfile::Builder::new().prefix("trueup-").tempdir().map_err(disk)?;
        let location = format!("{name}.parquet");
        let file = File::create(folder.path().join(&location)).map_err(disk)?;
        // Types as Parquet knows them, so that tables of all libraries are alike.
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let options =
            ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let refused = |error| {
            Failure::usage(
                format!("cannot take the table given as `{name}`: {error}"),
                "give only the columns that the definition names",
            )
        };
        let mut writer =
            ArrowWriter::try_new_with_options(file, reader.schema(), options).map_err(refused)?;
        for batch in reader {
            let batch = batch.map_err(|error| Failure::operation(&error))?;
            writer.write(&batch).map_err(refused)?;
        }
        writer.close().map_err(refused)?;
        let base = folder.path().to_path_buf();
        Ok(Self { place: Place::Files { location, base }, folder: Some(folder) })
    }
}

/// A table of a result, as an Arrow stream that can be read many times.
#[pyclass(frozen, module = "trueup")]
#[derive(Debug)]
pub(crate) struct Table(Rows);

#[derive(Debug)]
enum Rows {
    Batches(Vec<RecordBatch>, SchemaRef),
    /// A Parquet file of this folder.
    File(Arc<TempDir>, &'static str),
}

impl Table {
    pub(crate) fn of(batch: RecordBatch) -> Self {
        let schema = batch.schema();
        Self(Rows::Batches(vec![batch], schema))
    }

    pub(crate) const fn file(folder: Arc<TempDir>, name: &'static str) -> Self {
        Self(Rows::File(folder, name))
    }

    fn open(&self) -> Result<ParquetRecordBatchReaderBuilder<File>, Failure> {
        let Rows::File(folder, name) = &self.0 else {
            unreachable!("only files are opened");
        };
        open(&folder.path().join(name))
    }

    fn reader(&self) -> Result<Box<dyn RecordBatchReader + Send>, Failure> {
        Ok(match &self.0 {
            Rows::Batches(batches, schema) => {
                let batches: Vec<_> = batches.iter().cloned().map(Ok).collect();
                Box::new(RecordBatchIterator::new(batches, Arc::clone(schema)))
            }
            Rows::File(..) => {
                Box::new(self.open()?.build().map_err(|error| Failure::operation(&error))?)
            }
        })
    }

    fn schema(&self) -> Result<SchemaRef, Failure> {
        match &self.0 {
            Rows::Batches(_, schema) => Ok(Arc::clone(schema)),
            Rows::File(..) => Ok(Arc::clone(self.open()?.schema())),
        }
    }
}

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, Failure> {
    let file = File::open(path).map_err(|error| Failure::operation(&error))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| Failure::operation(&error))
}

#[pymethods]
impl Table {
    /// The rows as an Arrow stream (the Arrow PyCapsule interface).
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>, Failure> {
        let reader = Bound::new(py, PyRecordBatchReader::new(self.reader()?))?;
        Ok(reader.call_method1("__arrow_c_stream__", (requested_schema,))?)
    }

    fn __len__(&self) -> Result<usize, Failure> {
        match &self.0 {
            Rows::Batches(batches, _) => Ok(batches.iter().map(RecordBatch::num_rows).sum()),
            Rows::File(..) => {
                let rows = self.open()?.metadata().file_metadata().num_rows();
                Ok(usize::try_from(rows).unwrap_or(0))
            }
        }
    }

    /// The names of the columns.
    #[getter]
    fn column_names(&self) -> Result<Vec<String>, Failure> {
        Ok(self.schema()?.fields().iter().map(|field| field.name().clone()).collect())
    }

    /// As a table of pyarrow.
    fn to_pyarrow(slf: Bound<'_, Self>) -> PyResult<Bound<'_, PyAny>> {
        slf.py().import("pyarrow")?.call_method1("table", (slf,))
    }

    /// As a data frame of polars.
    fn to_polars(slf: Bound<'_, Self>) -> PyResult<Bound<'_, PyAny>> {
        slf.py().import("polars")?.call_method1("DataFrame", (slf,))
    }

    /// As a data frame of pandas; needs pyarrow.
    fn to_pandas(slf: Bound<'_, Self>) -> PyResult<Bound<'_, PyAny>> {
        Self::to_pyarrow(slf)?.call_method0("to_pandas")
    }

    fn __repr__(&self) -> Result<String, Failure> {
        Ok(format!("Table({} rows: {})", self.__len__()?, self.column_names()?.join(", ")))
    }
}
