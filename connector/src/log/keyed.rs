//! Rows to partitions by the value of a column.

use super::LogWriter;
use crate::error::{Error, names_hint};
use arrow::array::{Array, AsArray, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Int64Type};
use arrow::record_batch::RecordBatch;
use trueup_event::Key;

impl LogWriter {
    /// Appends each row to the partition of its key, the value of a column; rows of one key keep
    /// their order. Null is a key of its own.
    ///
    /// # Errors
    /// If there is no such column, and as [`LogWriter::append`].
    pub fn append_by_key(&mut self, rows: &RecordBatch, column: &str) -> Result<(), Error> {
        let keys = keys(rows, column)?;
        let mut places = vec![Vec::new(); self.partitions() as usize];
        for (row, key) in (0..).zip(keys) {
            places[self.partition_of(key) as usize].push(row);
        }
        for (partition, places) in (0..).zip(places) {
            if !places.is_empty() {
                let part = take_record_batch(rows, &UInt32Array::from(places)).map_err(cannot)?;
                self.append(partition, &part)?;
            }
        }
        Ok(())
    }
}

/// Integers and texts alike are the same key in every integer or text type.
fn keys(rows: &RecordBatch, name: &str) -> Result<Vec<Key>, Error> {
    let schema = rows.schema();
    let Some(column) = rows.column_by_name(name) else {
        let names = schema.fields().iter().map(|field| field.name().as_str());
        return Err(Error::invalid(format!("there is no column for the key: `{name}`"))
            .with_hint(names_hint(name, "columns", names)));
    };
    if column.data_type().is_integer() {
        let values = cast(column, &DataType::Int64).map_err(cannot)?;
        let values = values.as_primitive::<Int64Type>();
        return Ok(values
            .iter()
            .map(|value| value.map_or(Key::default(), Key::of_integer))
            .collect());
    }
    let values = cast(column, &DataType::Utf8).map_err(cannot)?;
    let values = values.as_string::<i32>();
    Ok(values.iter().map(|value| value.map_or(Key::default(), Key::of_text)).collect())
}

fn cannot(error: arrow::error::ArrowError) -> Error {
    Error::invalid("cannot part rows by their key").caused_by(error)
}
