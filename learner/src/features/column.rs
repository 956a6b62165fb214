//! Arrow columns as texts, numbers, moments and categories, whatever their physical type.

use super::bind::RefusedRow;
use super::clock::Moment;
use super::scalar::Canonical;
use arrow::array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::array::{Array, ArrayRef, AsArray, LargeStringArray, StringArray, StringViewArray};
use arrow::datatypes::{DataType, TimeUnit};

/// A column of texts.
#[derive(Debug)]
pub(super) enum Texts<'a> {
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(&'a StringViewArray),
    Dictionary(Indirect<'a>, Box<Texts<'a>>),
}

impl<'a> Texts<'a> {
    pub(super) fn of(array: &'a dyn Array) -> Option<Self> {
        match array.data_type() {
            DataType::Utf8 => Some(Self::Utf8(array.as_string())),
            DataType::LargeUtf8 => Some(Self::LargeUtf8(array.as_string())),
            DataType::Utf8View => Some(Self::Utf8View(array.as_string_view())),
            DataType::Dictionary(..) => {
                let indirect = Indirect::of(array);
                let values = Self::of(indirect.values)?;
                Some(Self::Dictionary(indirect, Box::new(values)))
            }
            _ => None,
        }
    }

    pub(super) fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Utf8(array) => array.is_valid(row).then(|| array.value(row)),
            Self::LargeUtf8(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Utf8View(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Dictionary(indirect, values) => values.get(indirect.place(row)?),
        }
    }
}

/// A dictionary-encoded column: rows point to distinct values.
#[derive(Debug)]
pub(super) struct Indirect<'a> {
    keys: &'a dyn Array,
    places: Vec<usize>,
    pub(super) values: &'a ArrayRef,
}

impl<'a> Indirect<'a> {
    /// The array is dictionary-encoded.
    pub(super) fn of(array: &'a dyn Array) -> Self {
        let dictionary = array.as_any_dictionary();
        let values = dictionary.values();
        // Arrow refuses to look for keys in an empty dictionary; every row is null then.
        let places = if values.is_empty() { Vec::new() } else { dictionary.normalized_keys() };
        Self { keys: dictionary.keys(), places, values }
    }

    /// The place of a row's value; `None` when null.
    pub(super) fn place(&self, row: usize) -> Option<usize> {
        self.keys.is_valid(row).then(|| self.places.get(row).copied()).flatten()
    }
}

/// The numbers of a column, `None` where null; `None` when its type has none.
pub(super) fn numbers(array: &dyn Array) -> Option<Vec<Option<f64>>> {
    Some(match array.data_type() {
        DataType::Int8 => mapped::<Int8Type, _>(array, f64::from),
        DataType::Int16 => mapped::<Int16Type, _>(array, f64::from),
        DataType::Int32 => mapped::<Int32Type, _>(array, f64::from),
        DataType::Int64 => mapped::<Int64Type, _>(array, |value| value as f64),
        DataType::UInt8 => mapped::<UInt8Type, _>(array, f64::from),
        DataType::UInt16 => mapped::<UInt16Type, _>(array, f64::from),
        DataType::UInt32 => mapped::<UInt32Type, _>(array, f64::from),
        DataType::UInt64 => mapped::<UInt64Type, _>(array, |value| value as f64),
        DataType::Float32 => mapped::<Float32Type, _>(array, f64::from),
        DataType::Float64 => mapped::<Float64Type, _>(array, |value| value),
        DataType::Decimal128(_, scale) => {
            let (factor, divisor) = powers_of_ten(*scale);
            mapped::<Decimal128Type, _>(array, |value| value as f64 * factor / divisor)
        }
        DataType::Boolean => {
            array.as_boolean().iter().map(|value| value.map(|v| f64::from(u8::from(v)))).collect()
        }
        DataType::Dictionary(..) => {
            let indirect = Indirect::of(array);
            let distinct = numbers(indirect.values)?;
            (0..array.len()).map(|row| distinct[indirect.place(row)?]).collect()
        }
        _ => return None,
    })
}

/// What a decimal's integer is multiplied with, and divided by.
fn powers_of_ten(scale: i8) -> (f64, f64) {
    // Powers up to 10^22 are exact; beyond, each product is rounded, the same way everywhere.
    let power = |count: u8| (0..count).fold(1.0, |power, _| power * 10.0);
    if scale < 0 { (power(scale.unsigned_abs()), 1.0) } else { (1.0, power(scale as u8)) }
}

fn mapped<T: ArrowPrimitiveType, V>(
    array: &dyn Array,
    value: impl Fn(T::Native) -> V,
) -> Vec<Option<V>> {
    array.as_primitive::<T>().iter().map(|native| native.map(&value)).collect()
}

/// The moments of a column of timestamps or dates, `None` where null or refused; `None` when it is
/// neither. Texts are the caller's affair, and so is whether a timestamp may lack a zone.
pub(super) fn moments(
    array: &dyn Array,
    column: &str,
    refused: &mut Vec<RefusedRow>,
) -> Option<Vec<Option<Moment>>> {
    let second = |value: i64| value.checked_mul(1_000_000);
    let millisecond = |value: i64| value.checked_mul(1000);
    let nanosecond = |value: i64| Some(value.div_euclid(1000));
    Some(match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            instants::<TimestampSecondType>(array, column, refused, second)
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            instants::<TimestampMillisecondType>(array, column, refused, millisecond)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            instants::<TimestampMicrosecondType>(array, column, refused, Some)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            instants::<TimestampNanosecondType>(array, column, refused, nanosecond)
        }
        DataType::Date32 => mapped::<Date32Type, _>(array, Moment::Day),
        _ => return None,
    })
}

fn instants<T: ArrowPrimitiveType<Native = i64>>(
    array: &dyn Array,
    column: &str,
    refused: &mut Vec<RefusedRow>,
    micros: impl Fn(i64) -> Option<i64>,
) -> Vec<Option<Moment>> {
    let moment = |(row, value): (usize, Option<i64>)| {
        let moment = Moment::instant(column, micros(value?));
        moment.map_err(|refusal| refused.push(refusal.at(row))).ok()
    };
    array.as_primitive::<T>().iter().enumerate().map(moment).collect()
}

/// Gives each row's category to `each`; `None` when the type has none. Dictionaries are the
/// caller's affair, who hashes each distinct value once.
pub(super) fn categories<'a>(
    array: &'a dyn Array,
    mut each: impl FnMut(Canonical<'a>),
) -> Option<()> {
    let mut integers = |values: Vec<Option<i128>>| {
        for value in values {
            each(value.map_or(Canonical::Missing, Canonical::Integer));
        }
    };
    match array.data_type() {
        DataType::Int8 => integers(mapped::<Int8Type, _>(array, i128::from)),
        DataType::Int16 => integers(mapped::<Int16Type, _>(array, i128::from)),
        DataType::Int32 => integers(mapped::<Int32Type, _>(array, i128::from)),
        DataType::Int64 => integers(mapped::<Int64Type, _>(array, i128::from)),
        DataType::UInt8 => integers(mapped::<UInt8Type, _>(array, i128::from)),
        DataType::UInt16 => integers(mapped::<UInt16Type, _>(array, i128::from)),
        DataType::UInt32 => integers(mapped::<UInt32Type, _>(array, i128::from)),
        DataType::UInt64 => integers(mapped::<UInt64Type, _>(array, i128::from)),
        DataType::Decimal128(_, 0) => integers(mapped::<Decimal128Type, _>(array, |value| value)),
        DataType::Boolean => {
            for value in array.as_boolean() {
                each(value.map_or(Canonical::Missing, |v| Canonical::Boolean(v.into())));
            }
        }
        DataType::Date32 => {
            for days in array.as_primitive::<Date32Type>() {
                each(days.map_or(Canonical::Missing, Canonical::Date));
            }
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let texts = Texts::of(array)?;
            for row in 0..array.len() {
                each(texts.get(row).map_or(Canonical::Missing, Canonical::Text));
            }
        }
        _ => return None,
    }
    Some(())
}
