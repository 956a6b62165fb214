//! Tensors of a request: one column each, as JSON or as raw little-endian bytes.

use super::super::Failure;
use super::super::cells::Cell;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;

/// The element types that a column may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Datatype {
    Bool,
    Bytes,
    Fp32,
    Fp64,
    Int32,
    Int64,
}

impl Datatype {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "BOOL" => Self::Bool,
            "BYTES" => Self::Bytes,
            "FP32" => Self::Fp32,
            "FP64" => Self::Fp64,
            "INT32" => Self::Int32,
            "INT64" => Self::Int64,
            _ => return None,
        })
    }
}

/// An input as the JSON of a request has it.
#[derive(Debug, Deserialize)]
pub(super) struct Input<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    shape: Vec<u64>,
    #[serde(borrow)]
    datatype: Cow<'a, str>,
    #[serde(default)]
    parameters: InputParameters,
    #[serde(default, borrow)]
    data: Option<Data<'a>>,
}

/// What a request says of an input.
#[derive(Debug, Default, Deserialize)]
struct InputParameters {
    binary_data_size: Option<usize>,
}

/// One column of all questions.
#[derive(Debug)]
pub(super) struct Column<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) cells: Vec<Cell<'a>>,
}

impl<'a> Input<'a> {
    /// Reads the column; `binary` is what is left of the bytes behind the JSON.
    pub(super) fn read(self, binary: &mut &'a [u8]) -> Result<Column<'a>, Failure> {
        let name = self.name;
        let Some(datatype) = Datatype::parse(&self.datatype) else {
            let datatype = self.datatype.chars().take(64).collect::<String>();
            return Err(Failure::invalid(format!(
                "input `{name}` has datatype `{datatype}`, \
                 not BOOL, BYTES, FP32, FP64, INT32 or INT64"
            )));
        };
        let count = match *self.shape.as_slice() {
            [count] | [count, 1] => usize::try_from(count).unwrap_or(usize::MAX),
            _ => {
                let shape = &self.shape[..self.shape.len().min(8)];
                return Err(Failure::invalid(format!(
                    "input `{name}` has shape {shape:?}; send [n] or [n, 1]"
                )));
            }
        };
        let cells = match (self.data, self.parameters.binary_data_size) {
            (Some(Data(cells)), None) => typed(&name, datatype, cells)?,
            (None, Some(size)) => {
                let bytes = binary.split_off(..size).ok_or_else(|| {
                    Failure::invalid(format!("input `{name}` wants more bytes than came: `{size}`"))
                })?;
                raw(datatype, bytes).ok_or_else(|| {
                    Failure::invalid(format!("binary data of input `{name}` does not fit its type"))
                })?
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err(Failure::invalid(format!(
                    "input `{name}` needs either `data` or `binary_data_size`"
                )));
            }
        };
        if cells.len() != count {
            let found = cells.len();
            return Err(Failure::invalid(format!(
                "input `{name}` has {found} values, its shape says `{count}`"
            )));
        }
        Ok(Column { name, cells })
    }
}

/// The values of a JSON tensor: flat, or one list per question.
#[derive(Debug)]
struct Data<'a>(Vec<Cell<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Data<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(DataVisitor).map(Self)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Vec<Cell<'de>>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut cells = Vec::new();
        while let Some(item) = items.next_element::<Item<'de>>()? {
            match item {
                Item::Cell(cell) => cells.push(cell),
                Item::List(list) => cells.extend(list),
            }
        }
        Ok(cells)
    }
}

/// A value, or the list of one.
enum Item<'a> {
    Cell(Cell<'a>),
    List(Vec<Cell<'a>>),
}

impl<'de> Deserialize<'de> for Item<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Item::Cell(Cell::Null))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Item::Cell(Cell::Boolean(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Item::Cell(Cell::Integer(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        let cell = i64::try_from(value).map_or(Cell::Number(value as f64), Cell::Integer);
        Ok(Item::Cell(cell))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Item::Cell(Cell::Number(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Item::Cell(Cell::Text(Cow::Owned(value.to_owned()))))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Item::Cell(Cell::Text(Cow::Borrowed(value))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut cells = Vec::new();
        while let Some(cell) = items.next_element()? {
            cells.push(cell);
        }
        Ok(Item::List(cells))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(Error::custom("an object where a value belongs"))
    }
}

/// Holds the values of a JSON tensor to its type; null is a missing value of any type.
fn typed<'a>(
    name: &str,
    datatype: Datatype,
    cells: Vec<Cell<'a>>,
) -> Result<Vec<Cell<'a>>, Failure> {
    let typed = |cell| match (datatype, cell) {
        (_, Cell::Null) => Some(Cell::Null),
        (Datatype::Bool, Cell::Boolean(value)) => Some(Cell::Boolean(value)),
        (Datatype::Bytes, Cell::Text(value)) => Some(Cell::Text(value)),
        (Datatype::Int32 | Datatype::Int64, Cell::Integer(value)) => Some(Cell::Integer(value)),
        (Datatype::Fp32 | Datatype::Fp64, Cell::Number(value)) => Some(Cell::Number(value)),
        (Datatype::Fp32 | Datatype::Fp64, Cell::Integer(value)) => Some(Cell::Number(value as f64)),
        (
            _,
            Cell::Boolean(_) | Cell::Integer(_) | Cell::Number(_) | Cell::Text(_) | Cell::Nested(_),
        ) => None,
    };
    cells.into_iter().map(typed).collect::<Option<_>>().ok_or_else(|| {
        Failure::invalid(format!("input `{name}` has a value that is not of its datatype"))
    })
}

/// The values of raw bytes; none if they are not whole values of the type.
fn raw(datatype: Datatype, bytes: &[u8]) -> Option<Vec<Cell<'_>>> {
    fn chunks<'a, const N: usize>(
        bytes: &'a [u8],
        cell: impl Fn([u8; N]) -> Cell<'a>,
    ) -> Option<Vec<Cell<'a>>> {
        let (chunks, rest) = bytes.as_chunks::<N>();
        rest.is_empty().then(|| chunks.iter().map(|chunk| cell(*chunk)).collect())
    }
    match datatype {
        Datatype::Bool => bytes
            .iter()
            .map(|byte| match byte {
                0 => Some(Cell::Boolean(false)),
                1 => Some(Cell::Boolean(true)),
                _ => None,
            })
            .collect(),
        Datatype::Fp32 => chunks(bytes, |b| Cell::Number(f32::from_le_bytes(b).into())),
        Datatype::Fp64 => chunks(bytes, |b| Cell::Number(f64::from_le_bytes(b))),
        Datatype::Int32 => chunks(bytes, |b| Cell::Integer(i32::from_le_bytes(b).into())),
        Datatype::Int64 => chunks(bytes, |b| Cell::Integer(i64::from_le_bytes(b))),
        Datatype::Bytes => {
            let mut rest = bytes;
            let mut cells = Vec::new();
            while let Some(length) = rest.split_off(..4) {
                let length = u32::from_le_bytes(length.try_into().ok()?);
                let text = rest.split_off(..usize::try_from(length).ok()?)?;
                cells.push(Cell::Text(Cow::Borrowed(std::str::from_utf8(text).ok()?)));
            }
            rest.is_empty().then_some(cells)
        }
    }
}
