//! Sorted runs on disk, as Arrow IPC streams in files without a name: they are gone when they are
//! closed, even if the process is killed.

use super::chunk::Chunk;
use crate::error::Error;
use arrow::array::{ArrayRef, AsArray, Int64Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, UInt64Type};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trueup_event::Origin;

/// A run being written.
pub(crate) struct SpillWriter {
    folder: PathBuf,
    schema: SchemaRef,
    /// The same with time and origin before the others.
    stored: SchemaRef,
    writer: StreamWriter<BufWriter<File>>,
}

/// A run being read.
#[derive(Debug)]
pub(crate) struct SpilledRun {
    folder: PathBuf,
    schema: SchemaRef,
    reader: StreamReader<BufReader<File>>,
}

impl SpillWriter {
    /// A new run of rows of `schema` in `folder`.
    pub(crate) fn create(folder: &Path, schema: &SchemaRef) -> Result<Self, Error> {
        let file = tempfile::tempfile_in(folder)
            .map_err(|error| Error::disk("cannot create a file to sort in", folder, error))?;
        let mut fields = vec![
            Arc::new(Field::new("time", DataType::Int64, false)),
            Arc::new(Field::new("origin", DataType::UInt64, false)),
        ];
        fields.extend(schema.fields().iter().cloned());
        let stored = Arc::new(Schema::new(fields));
        let writer = StreamWriter::try_new(BufWriter::new(file), &stored)
            .map_err(|error| failed("cannot write sorted rows", folder, error))?;
        Ok(Self { folder: folder.into(), schema: Arc::clone(schema), stored, writer })
    }

    /// Appends rows that follow those written before.
    pub(crate) fn write(&mut self, chunk: Chunk) -> Result<(), Error> {
        let origins = chunk.origins.iter().map(|origin| origin.packed());
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(chunk.times)),
            Arc::new(UInt64Array::from_iter_values(origins)),
        ];
        columns.extend(chunk.rows.columns().iter().cloned());
        let written = RecordBatch::try_new(Arc::clone(&self.stored), columns)
            .and_then(|batch| self.writer.write(&batch));
        written.map_err(|error| failed("cannot write sorted rows", &self.folder, error))
    }

    /// Ends the run and goes back to its start.
    pub(crate) fn finish(self) -> Result<SpilledRun, Error> {
        let Self { folder, schema, writer, .. } = self;
        let reader = writer
            .into_inner()
            .and_then(|buffered| buffered.into_inner().map_err(|error| error.into_error().into()))
            .and_then(|mut file| {
                file.rewind()?;
                StreamReader::try_new(BufReader::new(file), None)
            })
            .map_err(|error| failed("cannot write sorted rows", &folder, error))?;
        Ok(SpilledRun { folder, schema, reader })
    }
}

impl SpilledRun {
    /// The next rows.
    pub(crate) fn next(&mut self) -> Result<Option<Chunk>, Error> {
        let Some(batch) = self.reader.next() else { return Ok(None) };
        let read = batch.and_then(|batch| {
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let times = batch.column(0).as_primitive::<Int64Type>().values().to_vec();
            let packed = batch.column(1).as_primitive::<UInt64Type>().values();
            let origins = packed.iter().map(|word| Origin::from_packed(*word)).collect();
            let columns = batch.columns()[2..].to_vec();
            let rows =
                RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
            Ok(Chunk { times, origins, rows })
        });
        read.map(Some).map_err(|error| failed("cannot read sorted rows back", &self.folder, error))
    }
}

fn failed(doing: &str, folder: &Path, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => Error::disk(doing, folder, error),
        other => Error::new(crate::ErrorKind::Retry, format!("{doing}: `{}`", folder.display()))
            .caused_by(other),
    }
}
