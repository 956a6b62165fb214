//! One dictionary for rows that come from several.
//!
//! Values are unique and in order of first use; a null value of a dictionary becomes a null row.

use super::chunk::Chunk;
use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, StringBuilder};
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;
use std::collections::HashMap;
use std::sync::Arc;

/// Numbers texts in order of first use.
#[derive(Debug, Default)]
struct Codes<'a> {
    codes: HashMap<&'a str, i32>,
    values: StringBuilder,
}

impl<'a> Codes<'a> {
    fn code(&mut self, text: &'a str) -> i32 {
        // As many distinct texts as an i32 can count do not fit in the memory of a sort.
        let next = self.codes.len() as i32;
        *self.codes.entry(text).or_insert_with(|| {
            self.values.append_value(text);
            next
        })
    }
}

/// Whether this is the type in which texts with a dictionary are handed out.
pub(super) fn is_dictionary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Dictionary(key, value)
        if **key == DataType::Int32 && **value == DataType::Utf8)
}

/// Whether all have one dictionary, so that keys can be mixed freely.
pub(super) fn is_shared(arrays: &[&DictionaryArray<Int32Type>]) -> bool {
    arrays.windows(2).all(|pair| Arc::ptr_eq(pair[0].values(), pair[1].values()))
}

/// The rows at these places, (array, row), with one dictionary.
pub(super) fn gathered(
    arrays: &[&DictionaryArray<Int32Type>],
    picks: &[(usize, usize)],
) -> Result<ArrayRef, ArrowError> {
    let mut codes = Codes::default();
    let parts: Vec<_> =
        arrays.iter().map(|array| (array.keys(), array.values().as_string::<i32>())).collect();
    let keys: Int32Array = picks
        .iter()
        .map(|&(array, row)| {
            let (keys, values) = &parts[array];
            let value = keys.is_valid(row).then(|| keys.value(row) as usize)?;
            values.is_valid(value).then(|| codes.code(values.value(value)))
        })
        .collect();
    let values: ArrayRef = Arc::new(codes.values.finish());
    Ok(Arc::new(DictionaryArray::try_new(keys, values)?))
}

/// Gives all chunks one dictionary per column.
pub(super) fn share(chunks: &mut [Chunk]) -> Result<(), ArrowError> {
    let Some(first) = chunks.first() else { return Ok(()) };
    let schema = first.rows.schema();
    for (column, field) in schema.fields().iter().enumerate() {
        if !is_dictionary(field.data_type()) {
            continue;
        }
        let arrays: Vec<DictionaryArray<Int32Type>> =
            chunks.iter().map(|c| c.rows.column(column).as_dictionary().clone()).collect();
        if is_shared(&arrays.iter().collect::<Vec<_>>()) {
            continue;
        }
        for (chunk, array) in chunks.iter_mut().zip(shared(&arrays)?) {
            let mut columns = chunk.rows.columns().to_vec();
            columns[column] = array;
            chunk.rows = arrow::record_batch::RecordBatch::try_new(chunk.rows.schema(), columns)?;
        }
    }
    Ok(())
}

/// The same rows with one dictionary; texts are looked up once per dictionary that they come in.
fn shared(arrays: &[DictionaryArray<Int32Type>]) -> Result<Vec<ArrayRef>, ArrowError> {
    let mut codes = Codes::default();
    let mut keys: Vec<Int32Array> = Vec::with_capacity(arrays.len());
    let mut last: Option<(&ArrayRef, Vec<Option<i32>>)> = None;
    for array in arrays {
        let numbers = match last.take() {
            Some((values, numbers)) if Arc::ptr_eq(values, array.values()) => numbers,
            Some(_) | None => {
                let texts = array.values().as_string::<i32>().iter();
                texts.map(|text| text.map(|text| codes.code(text))).collect()
            }
        };
        keys.push(array.keys().iter().map(|key| numbers[key? as usize]).collect());
        last = Some((array.values(), numbers));
    }
    let values: ArrayRef = Arc::new(codes.values.finish());
    let with_values =
        |keys| Ok(Arc::new(DictionaryArray::try_new(keys, Arc::clone(&values))?) as _);
    keys.into_iter().map(with_values).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_several_dictionaries_share_one() {
        let one: DictionaryArray<Int32Type> =
            vec![Some("b"), None, Some("a")].into_iter().collect();
        let other: DictionaryArray<Int32Type> =
            vec![Some("a"), Some("c"), None].into_iter().collect();
        let picks = [(1, 1), (0, 1), (0, 2), (1, 0), (1, 2), (0, 0)];
        let gathered = gathered(&[&one, &other], &picks).expect("gathered");
        let gathered = gathered.as_dictionary::<Int32Type>();
        let texts: Vec<_> = gathered
            .downcast_dict::<arrow::array::StringArray>()
            .expect("texts")
            .into_iter()
            .collect();
        assert_eq!(texts, [Some("c"), None, Some("a"), Some("a"), None, Some("b")]);
        assert_eq!(gathered.values().len(), 3);
        let shared = shared(&[one.clone(), one, other]).expect("shared");
        let shared: Vec<_> =
            shared.iter().map(|array| array.as_dictionary::<Int32Type>()).collect();
        assert!(is_shared(&shared));
        let keys: Vec<_> = shared.iter().flat_map(|array| array.keys().iter()).collect();
        assert_eq!(keys, [Some(0), None, Some(1), Some(0), None, Some(1), Some(1), Some(2), None]);
    }
}
