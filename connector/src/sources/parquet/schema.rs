//! One schema for all files of a data set.
//!
//! Texts of every encoding are `Utf8`, binaries `Binary`. Columns that a file lacks are null there.
//! Types that differ between files are widened where nothing is lost; otherwise the column clashes,
//! which is an error only for those who ask for it.

use super::file::Shape;
use crate::error::{Error, names_hint};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::collections::HashMap;
use std::sync::Arc;

/// The columns of a data set.
#[derive(Debug)]
pub(crate) struct Columns {
    list: Vec<Column>,
    by_name: HashMap<String, usize>,
}

/// A column of a data set.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The type that all files' types fit in.
    pub(crate) data_type: DataType,
    /// The file it was first seen in.
    first: (String, DataType),
    /// The file whose type does not fit.
    clash: Option<(String, DataType)>,
}

impl Columns {
    /// Unites the files' columns in the order in which they appear, then those of the folders.
    pub(crate) fn unite(files: &[Shape<'_>]) -> Self {
        let mut columns = Self { list: Vec::new(), by_name: HashMap::new() };
        for file in files {
            for field in file.schema.fields() {
                columns.add(field.name(), field.data_type(), file.label);
            }
        }
        for (key, data_type, label) in partition_columns(files) {
            if !columns.by_name.contains_key(key) {
                columns.add(key, &data_type, label);
            }
        }
        columns
    }

    /// Adds columns that other files of the stream are known to have, unless these have them.
    pub(crate) fn add_known(&mut self, known: &Schema, label: &str) {
        for field in known.fields() {
            if !self.by_name.contains_key(field.name()) {
                self.add(field.name(), field.data_type(), label);
            }
        }
    }

    /// All columns as an Arrow schema; one that clashes has the type of its first file.
    pub(crate) fn schema(&self) -> SchemaRef {
        let field = |column: &Column| Field::new(&column.name, column.data_type.clone(), true);
        Arc::new(Schema::new(self.list.iter().map(field).collect::<Vec<_>>()))
    }

    /// The column with this name.
    pub(crate) fn find(&self, name: &str) -> Result<&Column, Error> {
        match self.by_name.get(name) {
            Some(&at) => Ok(&self.list[at]),
            None => {
                let names = self.list.iter().map(|column| column.name.as_str());
                Err(Error::invalid(format!("no such column: `{name}`"))
                    .with_hint(names_hint(name, "columns", names)))
            }
        }
    }

    fn add(&mut self, name: &str, data_type: &DataType, label: &str) {
        let own = normal(data_type);
        let Some(&at) = self.by_name.get(name) else {
            self.by_name.insert(name.into(), self.list.len());
            let (data_type, first) = (own.clone(), (label.to_string(), own));
            self.list.push(Column { name: name.into(), data_type, first, clash: None });
            return;
        };
        let column = &mut self.list[at];
        match wider(&column.data_type, &own) {
            Some(wider) => column.data_type = wider,
            None if column.clash.is_none() => column.clash = Some((label.into(), own)),
            None => {}
        }
    }
}

impl Column {
    /// An error if the files' types do not fit together.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Some((label, data_type)) = &self.clash else { return Ok(()) };
        let (first_label, first_type) = &self.first;
        Err(Error::invalid(format!(
            "column has type {first_type} in `{first_label}` but {data_type} in `{label}`: `{}`",
            self.name
        ))
        .with_hint("write the files with one type, or name fewer files"))
    }
}

/// Columns that folders name, with their type: integers if all values are, else texts.
fn partition_columns<'a>(files: &[Shape<'a>]) -> Vec<(&'a str, DataType, &'a str)> {
    let mut columns: Vec<(&'a str, DataType, &'a str)> = Vec::new();
    for file in files {
        for (key, value) in file.partition {
            let is_integer = value.as_ref().is_none_or(|value| value.parse::<i64>().is_ok());
            let own = if is_integer { DataType::Int64 } else { DataType::Utf8 };
            match columns.iter_mut().find(|(name, ..)| name == key) {
                None => columns.push((key, own, file.label)),
                Some((_, data_type, _)) if own == DataType::Utf8 => *data_type = own,
                Some(_) => {}
            }
        }
    }
    columns
}

/// The type in which a column is handed out.
pub(crate) fn normal(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => normal(values),
        other => other.clone(),
    }
}

/// The type that holds every value of both, without loss.
fn wider(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{Float64, Int64, Null, Timestamp};
    if a == b {
        return Some(a.clone());
    }
    match (a, b) {
        (Null, other) | (other, Null) => Some(other.clone()),
        (Timestamp(_, from), Timestamp(_, to)) if from.is_some() == to.is_some() => {
            Some(Timestamp(TimeUnit::Microsecond, from.as_ref().map(|_| "UTC".into())))
        }
        _ if fits_int64(a) && fits_int64(b) => Some(Int64),
        _ if fits_float64(a) && fits_float64(b) => Some(Float64),
        _ => None,
    }
}

fn fits_int64(data_type: &DataType) -> bool {
    data_type.is_integer() && *data_type != DataType::UInt64
}

fn fits_float64(data_type: &DataType) -> bool {
    let is_wide = matches!(data_type, DataType::Int64 | DataType::UInt64);
    data_type.is_floating() || data_type.is_integer() && !is_wide
}
