//! What holds for a topic as a whole: the number of partitions, the columns.

use super::{OFFSET_COLUMN, RECORD_TIME_COLUMN};
use crate::disk;
use crate::error::Error;
use crate::sources::parquet::schema::normal;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

const SETTINGS_NAME: &str = "topic.json";
const SCHEMA_NAME: &str = "schema.arrow";
const FORMAT: u32 = 1;

/// What `topic.json` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settings {
    format: u32,
    pub(super) partitions: u32,
}

/// What a topic's file says; none if there is no such topic.
pub(super) fn settings(topic: &Path) -> Result<Option<Settings>, Error> {
    let path = topic.join(SETTINGS_NAME);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::disk("cannot read the topic", &path, error)),
    };
    let settings: Settings = serde_json::from_slice(&bytes).map_err(|error| {
        Error::corrupt(format!("not the settings of a topic: `{}`", path.display()))
            .caused_by(error)
    })?;
    if settings.format != FORMAT || settings.partitions == 0 {
        let format = settings.format;
        return Err(Error::invalid(format!("topic of format {format}: `{}`", path.display()))
            .with_hint("it was written by another version of this program"));
    }
    Ok(Some(settings))
}

/// Reads the settings, or makes a new topic.
pub(super) fn establish(topic: &Path, wanted: Option<u32>) -> Result<Settings, Error> {
    match (settings(topic)?, wanted) {
        (_, Some(0)) => Err(Error::invalid("a topic has at least one partition: `0`")),
        (Some(found), Some(wanted)) if found.partitions != wanted => {
            let (path, found) = (topic.display(), found.partitions);
            Err(Error::invalid(format!(
                "the topic has {found} partition(s), not {wanted}: `{path}`"
            ))
            .with_hint("keys would change their partitions: begin a new topic instead"))
        }
        (Some(found), _) => Ok(found),
        (None, wanted) => {
            let settings = Settings { format: FORMAT, partitions: wanted.unwrap_or(1) };
            let mut json = serde_json::to_vec(&settings)
                .map_err(io::Error::from)
                .map_err(|error| Error::disk("cannot write the topic", topic, error))?;
            json.push(b'\n');
            disk::replace(&topic.join(SETTINGS_NAME), &json)?;
            Ok(settings)
        }
    }
}

/// The columns of a topic or segment, each with the type it had first.
#[derive(Debug, Clone, Default)]
pub(super) struct TopicColumns {
    fields: Vec<FieldRef>,
}

impl TopicColumns {
    /// The columns in `schema.arrow`.
    pub(super) fn load(topic: &Path) -> Result<Self, Error> {
        let path = topic.join(SCHEMA_NAME);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Error::disk("cannot read the columns", &path, error)),
        };
        let reader = StreamReader::try_new(bytes.as_slice(), None).map_err(|error| {
            Error::corrupt(format!("not the columns of a topic: `{}`", path.display()))
                .caused_by(error)
        })?;
        Ok(Self { fields: reader.schema().fields().to_vec() })
    }

    /// Writes `schema.arrow`, an Arrow IPC stream without rows.
    pub(super) fn store(&self, topic: &Path) -> Result<(), Error> {
        let mut bytes = Vec::new();
        let written = StreamWriter::try_new(&mut bytes, &self.schema())
            .and_then(|mut writer| writer.finish());
        written.map_err(|error| Error::invalid("cannot write the columns").caused_by(error))?;
        disk::replace(&topic.join(SCHEMA_NAME), &bytes)
    }

    /// Adds columns that are new; true if there were any.
    pub(super) fn add(&mut self, schema: &Schema) -> bool {
        let before = self.fields.len();
        for field in schema.fields() {
            if !self.fields.iter().any(|known| known.name() == field.name()) {
                let data_type = normal(field.data_type());
                self.fields.push(Arc::new(Field::new(field.name(), data_type, true)));
            }
        }
        self.fields.len() > before
    }

    /// Whether no column has another type here than there.
    pub(super) fn fit(&self, schema: &Schema) -> bool {
        schema.fields().iter().all(|field| {
            let known = self.fields.iter().find(|known| known.name() == field.name());
            known.is_none_or(|known| *known.data_type() == normal(field.data_type()))
        })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.fields.clone()))
    }
}

/// An error if rows cannot be appended: names twice, or such as sealed segments use themselves.
pub(super) fn check(schema: &Schema) -> Result<(), Error> {
    for (at, field) in schema.fields().iter().enumerate() {
        let name = field.name();
        if [OFFSET_COLUMN, RECORD_TIME_COLUMN].contains(&name.as_str()) {
            return Err(Error::invalid(format!("the log has a column of its own called `{name}`"))
                .with_hint("rename or leave out that column"));
        }
        if schema.fields()[..at].iter().any(|other| other.name() == name) {
            return Err(Error::invalid(format!("two columns have one name: `{name}`")));
        }
    }
    Ok(())
}

/// Whether a column holds nothing but nulls, which the log leaves out: they have no type.
pub(super) fn is_untyped(field: &Field) -> bool {
    *field.data_type() == DataType::Null
}
