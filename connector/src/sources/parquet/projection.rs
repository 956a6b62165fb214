//! What each file contributes to the columns that a reading asks for.
//!
//! Text columns are decoded as they are handed out, as `Utf8` or with a dictionary, so that none is
//! built only to be converted. Columns that a file lacks are null, those of its folders constant.
//! Times whose types leave something unsaid are handed out as instants, as the event time is read.

use super::file::Shape;
use super::schema::{Columns, normal};
use super::time::TimeReader;
use crate::error::{Error, names_hint};
use crate::request::{ReadRequest, TimeColumn};
use arrow::array::{Array, ArrayRef, Int64Array, StringArray, UInt32Array, new_null_array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::ParquetMetaData;
use std::sync::Arc;

/// The columns of a reading.
#[derive(Debug)]
pub(crate) struct Projection {
    /// The columns handed out.
    pub(crate) schema: SchemaRef,
    time: Option<TimeColumn>,
    /// The columns handed out that are converted to instants.
    instants: Vec<String>,
}

/// What one file contributes.
#[derive(Debug, Clone)]
pub(crate) struct FileProjection {
    /// The columns handed out.
    schema: SchemaRef,
    /// The types in which the file's columns are decoded.
    decoded: SchemaRef,
    /// The columns to decode, ascending.
    roots: Vec<usize>,
    columns: Vec<Source>,
    /// Per column handed out, how its values become instants, if they do.
    instants: Vec<Option<TimeReader>>,
    /// Where the time is, and how it is read; absent from samples.
    time: Option<(Source, TimeReader)>,
}

/// Where a file's column comes from.
#[derive(Debug, Clone)]
enum Source {
    /// This place among the decoded columns.
    Decoded(usize),
    /// One value for all rows.
    Constant(ArrayRef),
    /// The file lacks it.
    Null,
}

impl Projection {
    /// The columns and the time of a request.
    pub(crate) fn of_request(columns: &Columns, request: &ReadRequest) -> Result<Self, Error> {
        columns.find(&request.time.name)?;
        let stored = schema_of(columns, &request.columns, &request.dictionary)?;
        let is_instant = |field: &&Arc<Field>| is_instant(field, request);
        let instants: Vec<String> =
            stored.fields().iter().filter(is_instant).map(|field| field.name().clone()).collect();
        let fields = stored.fields().iter().map(|field| match instants.contains(field.name()) {
            true => Arc::new(Field::new(field.name(), instant(), true)),
            false => Arc::clone(field),
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { schema, time: Some(request.time.clone()), instants })
    }

    /// Columns without a time.
    pub(crate) fn of_sample(columns: &Columns, names: &[String]) -> Result<Self, Error> {
        Ok(Self { schema: schema_of(columns, names, &[])?, time: None, instants: Vec::new() })
    }

    /// The time alone.
    pub(crate) fn time_only(&self) -> Self {
        let schema = Arc::new(Schema::empty());
        Self { schema, time: self.time.clone(), instants: Vec::new() }
    }

    /// What `file` contributes.
    pub(crate) fn of_file(
        &self,
        columns: &Columns,
        file: Shape<'_>,
    ) -> Result<FileProjection, Error> {
        let mut roots: Vec<usize> =
            self.schema.fields().iter().filter_map(|f| root(file, f.name())).collect();
        let time_root = self.time.as_ref().and_then(|time| root(file, &time.name));
        roots.extend(time_root);
        roots.sort_unstable();
        roots.dedup();
        let decoded = self.decoded(file, &roots, time_root);
        let source = |name: &str, data_type: &DataType| {
            let own = root(file, name).and_then(|root| roots.binary_search(&root).ok());
            own.map_or_else(
                || constant(file, columns, name, data_type),
                |at| Ok(Source::Decoded(at)),
            )
        };
        let stored = |name: &str| match root(file, name) {
            Some(root) => Ok(decoded.field(root).data_type().clone()),
            None => columns.find(name).map(|column| column.data_type.clone()),
        };
        let mut sources = Vec::with_capacity(self.schema.fields().len());
        let mut instants = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            let name = field.name();
            let data_type = match self.instants.contains(name) {
                true => stored(name)?,
                false => field.data_type().clone(),
            };
            sources.push(source(name, &data_type)?);
            instants.push(self.instant_reader(name, &data_type, file)?);
        }
        let time = match &self.time {
            None => None,
            Some(time) => {
                let data_type = stored(&time.name)?;
                let reader = TimeReader::new(time, &data_type, file.label)?;
                match source(&time.name, &data_type)? {
                    Source::Null => return Err(no_time_column(file, &time.name)),
                    source => Some((source, reader)),
                }
            }
        };
        Ok(FileProjection {
            schema: Arc::clone(&self.schema),
            decoded,
            roots,
            columns: sources,
            instants,
            time,
        })
    }

    /// How a column that this file stores with a type becomes instants; none if it does not.
    fn instant_reader(
        &self,
        name: &str,
        data_type: &DataType,
        file: Shape<'_>,
    ) -> Result<Option<TimeReader>, Error> {
        match &self.time {
            Some(time) if self.instants.iter().any(|instant| instant == name) => {
                // A file may hold nothing but nulls, which have no type of their own.
                let is_empty = *data_type == DataType::Null;
                let column = TimeColumn { name: name.to_string(), ..time.clone() };
                let reader = || TimeReader::new(&column, data_type, file.label);
                (!is_empty).then(reader).transpose()
            }
            Some(_) | None => Ok(None),
        }
    }

    /// The file's schema with its texts in the types in which they are handed out.
    fn decoded(&self, file: Shape<'_>, roots: &[usize], time_root: Option<usize>) -> SchemaRef {
        let fields = file.schema.fields().iter().enumerate().map(|(root, field)| {
            if roots.binary_search(&root).is_err() || normal(field.data_type()) != DataType::Utf8 {
                return Arc::clone(field);
            }
            let wanted = match self.schema.field_with_name(field.name()) {
                Ok(wanted) if Some(root) != time_root && is_text(wanted.data_type()) => {
                    wanted.data_type().clone()
                }
                Ok(_) | Err(_) => DataType::Utf8,
            };
            Arc::new(field.as_ref().clone().with_data_type(wanted))
        });
        Arc::new(Schema::new_with_metadata(
            fields.collect::<Vec<_>>(),
            file.schema.metadata().clone(),
        ))
    }
}

impl FileProjection {
    /// How a decoder must read the file.
    pub(crate) fn reader(
        &self,
        footer: &Arc<ParquetMetaData>,
        label: &str,
    ) -> Result<(ArrowReaderMetadata, ProjectionMask), Error> {
        let options = ArrowReaderOptions::new().with_schema(Arc::clone(&self.decoded));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(footer), options)
            .map_err(|error| super::file::damaged("cannot read the columns", label, error))?;
        let mask = ProjectionMask::roots(metadata.parquet_schema(), self.roots.iter().copied());
        Ok((metadata, mask))
    }

    /// How many columns of the file are decoded.
    pub(crate) fn column_count(&self) -> usize {
        self.roots.len()
    }

    /// The columns to decode, from rows that are decoded already.
    pub(crate) fn select(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let schema = Arc::new(self.decoded.project(&self.roots)?);
        let fields = schema.fields().iter().zip(&self.roots);
        let columns = fields.map(|(field, root)| cast(rows.column(*root), field.data_type()));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(schema, columns, &options)
    }

    /// The columns handed out, from the decoded ones.
    pub(crate) fn adapt(&self, decoded: &RecordBatch) -> Result<RecordBatch, Error> {
        let count = decoded.num_rows();
        super::chunk::batch_of(&self.schema, count, |column| {
            let data_type = self.schema.field(column).data_type();
            let array = self.columns[column].array(decoded, data_type)?;
            match &self.instants[column] {
                Some(reader) => {
                    let instants = reader.clone().instants(&array);
                    instants.map_err(|error| ArrowError::from_external_error(Box::new(error)))
                }
                None if array.data_type() == data_type => Ok(array),
                None => cast(&array, data_type),
            }
        })
    }

    /// The file's times, as decoded.
    pub(crate) fn times(&self, decoded: &RecordBatch) -> Result<ArrayRef, Error> {
        match &self.time {
            Some((source, _)) => source
                .array(decoded, &DataType::Null)
                .map_err(|error| Error::invalid("cannot read the time column").caused_by(error)),
            None => Err(Error::invalid("a sample has no time")),
        }
    }

    /// A fresh reader of the file's times.
    pub(crate) fn time_reader(&self) -> Option<TimeReader> {
        self.time.as_ref().map(|(_, reader)| reader.clone())
    }

    /// The time column among the file's, unless it is that of a folder.
    pub(crate) fn time_root(&self) -> Option<usize> {
        match self.time {
            Some((Source::Decoded(at), _)) => Some(self.roots[at]),
            Some((Source::Constant(_) | Source::Null, _)) | None => None,
        }
    }

    /// The types in which the file's columns are decoded.
    pub(crate) fn decoded_schema(&self) -> &Schema {
        &self.decoded
    }
}

impl Source {
    fn array(
        &self,
        decoded: &RecordBatch,
        data_type: &DataType,
    ) -> Result<ArrayRef, arrow::error::ArrowError> {
        let count = decoded.num_rows();
        match self {
            Self::Decoded(at) => Ok(Arc::clone(decoded.column(*at))),
            Self::Constant(value) => take(value, &UInt32Array::from(vec![0; count]), None),
            Self::Null => Ok(new_null_array(data_type, count)),
        }
    }
}

fn schema_of(
    columns: &Columns,
    names: &[String],
    dictionary: &[String],
) -> Result<SchemaRef, Error> {
    let mut fields = Vec::with_capacity(names.len());
    for name in names {
        let column = columns.find(name)?;
        column.check()?;
        let data_type = match &column.data_type {
            DataType::Utf8 if dictionary.contains(name) => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            }
            other => other.clone(),
        };
        fields.push(Field::new(name, data_type, true));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// Whether a column of the request is handed out as instants; see [`ReadRequest::instants`].
fn is_instant(field: &Field, request: &ReadRequest) -> bool {
    let (has_zone, has_epoch) = (request.time.zone.is_some(), request.time.epoch.is_some());
    let is_wanted = request.instants.contains(field.name());
    match field.data_type() {
        DataType::Timestamp(_, None) => has_zone,
        DataType::Date32 | DataType::Date64 => is_wanted && has_zone,
        integer if integer.is_integer() => is_wanted && has_epoch,
        text if is_text(text) => is_wanted && has_zone,
        _ => false,
    }
}

fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn is_text(data_type: &DataType) -> bool {
    normal(data_type) == DataType::Utf8
}

/// The place of a column among the file's.
fn root(file: Shape<'_>, name: &str) -> Option<usize> {
    file.schema.fields().iter().position(|field| field.name() == name)
}

/// The value that the file's folders give a column.
fn constant(
    file: Shape<'_>,
    columns: &Columns,
    name: &str,
    data_type: &DataType,
) -> Result<Source, Error> {
    let Some((_, value)) = file.partition.iter().rev().find(|(key, _)| key == name) else {
        return Ok(Source::Null);
    };
    let own = &columns.find(name)?.data_type;
    let one: ArrayRef = match (own, value) {
        (DataType::Int64, Some(value)) => {
            Arc::new(Int64Array::from(vec![value.parse::<i64>().ok()]))
        }
        (_, Some(value)) => Arc::new(StringArray::from(vec![value.as_str()])),
        (_, None) => new_null_array(own, 1),
    };
    let one = cast(&one, data_type).map_err(|error| {
        Error::invalid(format!("the folders' value does not fit the column: `{name}`"))
            .caused_by(error)
    })?;
    Ok(Source::Constant(one))
}

fn no_time_column(file: Shape<'_>, name: &str) -> Error {
    let names = file.schema.fields().iter().map(|field| field.name().as_str());
    Error::invalid(format!("no time column `{name}` in the file: `{}`", file.label))
        .with_hint(names_hint(name, "columns", names))
}
