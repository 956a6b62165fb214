//! Predictions as a Parquet file: one row per question, with every answer and what came true.
//!
//! Rows stand in the order in which questions ended; `file` and `row` lead back to the data. The
//! file is written as a stream of row groups (memory does not grow with it) and takes its name only
//! when it is complete. It is for people and notebooks: nothing reads it back.

use arrow::array::{
    ArrayRef, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::NamedTempFile;
use trueup_event::Key;
use trueup_learner::effect::{Fate, Outcome};

/// Rows handed to the Parquet writer at once.
const BATCH_ROWS: usize = 8_192;
/// Rows of a row group.
const GROUP_ROWS: usize = 65_536;

/// The names that a file's columns and cells are made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// Columns that hold other models' estimates; each becomes `reference_NAME`.
    pub references: Vec<String>,
    /// The learners of the lineages after the first; each becomes `challenger_NAME`.
    pub challengers: Vec<String>,
    /// The files of the questions, in the order in which origins number them.
    pub files: Vec<String>,
}

/// Why predictions could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk refused.
    #[error("cannot write predictions to `{}`", path.display())]
    Disk {
        /// The file asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The Parquet writer refused.
    #[error("cannot write predictions to `{}`", path.display())]
    Parquet {
        /// The file asked for.
        path: PathBuf,
        /// What it said.
        source: ParquetError,
    },
}

/// A file of predictions being written.
#[derive(Debug)]
pub struct PredictionWriter {
    path: PathBuf,
    files: Vec<String>,
    rows: Rows,
    writer: ArrowWriter<NamedTempFile>,
    count: u64,
}

impl PredictionWriter {
    /// Begins a file that will be at `path`, replacing what is there.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub fn create(path: &Path, columns: &Columns) -> Result<Self, Error> {
        let disk = |source| Error::Disk { path: path.into(), source };
        let broken = |source| Error::Parquet { path: path.into(), source };
        let file = temporary(folder_of(path)).map_err(disk)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let rows = Rows::new(columns);
        let writer = ArrowWriter::try_new(file, Arc::clone(&rows.schema), Some(properties));
        let writer = writer.map_err(broken)?;
        Ok(Self { path: path.into(), files: columns.files.clone(), rows, writer, count: 0 })
    }

    /// Appends a question at its end.
    ///
    /// # Errors
    /// If the disk is full or fails.
    pub fn push(&mut self, outcome: &Outcome<'_>) -> Result<(), Error> {
        self.rows.push(outcome, &self.files);
        self.count += 1;
        if self.rows.len >= BATCH_ROWS { self.write() } else { Ok(()) }
    }

    /// Completes the file and gives it its name; returns the number of rows.
    ///
    /// # Errors
    /// If the disk is full or fails; then nothing is at the path that was not there before.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.write()?;
        let Self { path, writer, count, .. } = self;
        let file =
            writer.into_inner().map_err(|source| Error::Parquet { path: path.clone(), source })?;
        let disk = |source| Error::Disk { path: path.clone(), source };
        file.as_file().sync_all().map_err(disk)?;
        file.persist(&path).map_err(|error| disk(error.error))?;
        Ok(count)
    }

    fn write(&mut self) -> Result<(), Error> {
        let batch = self.rows.take();
        let written = self.writer.write(&batch);
        written.map_err(|source| Error::Parquet { path: self.path.clone(), source })
    }
}

/// Rows not yet handed to the Parquet writer, in columns.
#[derive(Debug)]
struct Rows {
    schema: SchemaRef,
    len: usize,
    file: StringBuilder,
    row: Int64Builder,
    asked_at: TimestampMicrosecondBuilder,
    key: StringBuilder,
    estimate: Float64Builder,
    answer: Float64Builder,
    served_answer: Float64Builder,
    version: Int64Builder,
    outcome: StringBuilder,
    actual: Float64Builder,
    labelled_at: TimestampMicrosecondBuilder,
    references: Vec<Float64Builder>,
    challengers: Vec<Float64Builder>,
}

impl Rows {
    fn new(columns: &Columns) -> Self {
        let time = || TimestampMicrosecondBuilder::new().with_timezone("UTC");
        let numbers = |names: &[String]| names.iter().map(|_| Float64Builder::new()).collect();
        Self {
            schema: Arc::new(schema(columns)),
            len: 0,
            file: StringBuilder::new(),
            row: Int64Builder::new(),
            asked_at: time(),
            key: StringBuilder::new(),
            estimate: Float64Builder::new(),
            answer: Float64Builder::new(),
            served_answer: Float64Builder::new(),
            version: Int64Builder::new(),
            outcome: StringBuilder::new(),
            actual: Float64Builder::new(),
            labelled_at: time(),
            references: numbers(&columns.references),
            challengers: numbers(&columns.challengers),
        }
    }

    fn push(&mut self, outcome: &Outcome<'_>, files: &[String]) {
        let (_, origin) = outcome.layout.place_of(outcome.row);
        self.len += 1;
        self.file.append_option(files.get(origin.file() as usize));
        self.row.append_value(origin.row() as i64);
        self.asked_at.append_value(outcome.time().micros());
        self.key.append_value(key_text(outcome.layout.key_of(outcome.row)));
        self.estimate.append_value(outcome.estimate());
        let given = |answer: f64| Some(answer).filter(|answer| !answer.is_nan());
        self.answer.append_option(given(outcome.answer(0)));
        self.served_answer.append_value(outcome.served());
        self.version.append_value(outcome.version() as i64);
        let (name, actual, at) = match outcome.fate {
            Fate::Learned { actual, at } => ("learned", Some(actual), Some(at.micros())),
            Fate::Expired => ("expired", None, None),
            Fate::Evicted => ("evicted", None, None),
            Fate::Pending => ("pending", None, None),
        };
        self.outcome.append_value(name);
        self.actual.append_option(actual);
        self.labelled_at.append_option(at);
        for (index, column) in self.references.iter_mut().enumerate() {
            column.append_option(given(outcome.reference(index)));
        }
        for (index, column) in self.challengers.iter_mut().enumerate() {
            column.append_option(given(outcome.answer(index + 1)));
        }
    }

    fn take(&mut self) -> RecordBatch {
        self.len = 0;
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(self.file.finish()),
            Arc::new(self.row.finish()),
            Arc::new(self.asked_at.finish()),
            Arc::new(self.key.finish()),
            Arc::new(self.estimate.finish()),
            Arc::new(self.answer.finish()),
            Arc::new(self.served_answer.finish()),
            Arc::new(self.version.finish()),
            Arc::new(self.outcome.finish()),
            Arc::new(self.actual.finish()),
            Arc::new(self.labelled_at.finish()),
        ];
        for column in self.references.iter_mut().chain(&mut self.challengers) {
            arrays.push(Arc::new(column.finish()));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .expect("columns are built in the order of the schema, one cell per row")
    }
}

fn schema(columns: &Columns) -> Schema {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = vec![
        Field::new("file", DataType::Utf8, true),
        Field::new("row", DataType::Int64, false),
        Field::new("asked_at", time.clone(), false),
        Field::new("key", DataType::Utf8, false),
        Field::new("estimate", DataType::Float64, false),
        Field::new("answer", DataType::Float64, true),
        Field::new("served_answer", DataType::Float64, false),
        Field::new("version", DataType::Int64, false),
        Field::new("outcome", DataType::Utf8, false),
        Field::new("actual", DataType::Float64, true),
        Field::new("labelled_at", time, true),
    ];
    let references = columns.references.iter().map(|name| format!("reference_{name}"));
    let challengers = columns.challengers.iter().map(|name| format!("challenger_{name}"));
    let mut taken = BTreeSet::new();
    for name in references.chain(challengers) {
        fields.push(Field::new(unused(name, &mut taken), DataType::Float64, true));
    }
    Schema::new(fields)
}

/// Two challengers may be of one kind: the second is called `…_2`.
fn unused(name: String, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = name.clone();
    let mut number = 1;
    while !taken.insert(candidate.clone()) {
        number += 1;
        candidate = format!("{name}_{number}");
    }
    candidate
}

/// The join key as text: integers and short texts as they were, long texts as `#` and their hash.
///
/// See [`Key`]: the highest byte tells the kind, and is the length of a short text.
fn key_text(key: Key) -> String {
    let [low, high] = key.words();
    let bytes = (u128::from(high) << 64 | u128::from(low)).to_le_bytes();
    match bytes[15] {
        0x10 => (low as i64).to_string(),
        length if length < 0x10 => {
            String::from_utf8_lossy(&bytes[..usize::from(length)]).into_owned()
        }
        _ => format!("#{:014x}{low:016x}", high & ((1 << 56) - 1)),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file without a lasting name, readable by whom a plainly created one would be.
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".predictions-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests;
