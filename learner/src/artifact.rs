//! The bytes of a model, as safetensors: changed cells by table, for a base and for a delta alike.
//!
//! A model has two artifacts. The *serving* one holds the tables that answers depend on, the
//! *training* one those that only learning depends on; to go on learning takes both. Each table
//! `t` is two tensors: `t.index` (`U32`, strictly ascending) and `t.value` (`F64`, `U64`, or pairs
//! of `F32`). A base is the delta from an empty table. Equal states give equal bytes; who, when
//! and why live in the registry, not here.
//!
//! Format: <https://huggingface.co/docs/safetensors>. What is read is checked before it is
//! applied: header, ranges, types, order and bounds of the indices.

use crate::learners::Learner;
use crate::state::{AnyTable, CellType, Use};
use safetensors::tensor::{Dtype, SafeTensors, View};
use std::borrow::Cow;

/// How much of a model some artifact bytes hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Everything.
    Base,
    /// What changed since the last published candidate.
    Delta,
}

/// The two artifacts of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Artifact {
    /// The tables that answers depend on.
    pub serving: Vec<u8>,
    /// The tables that only learning depends on.
    pub training: Vec<u8>,
}

impl Artifact {
    /// The bytes of one part.
    #[must_use]
    pub fn part(&self, part: Use) -> &[u8] {
        match part {
            Use::Serving => &self.serving,
            Use::Training => &self.training,
        }
    }

    /// The size of both.
    #[must_use]
    pub const fn len_bytes(&self) -> usize {
        self.serving.len() + self.training.len()
    }
}

/// What publishing found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Whether every cell is finite.
    pub all_finite: bool,
    /// How many cells changed.
    pub changed_cells: usize,
}

/// Which cells of a table are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cells {
    /// All, as they were at the last publish.
    Published,
    /// Those that differ from the last publish.
    Unpublished,
    /// All, as they are now.
    Current,
}

/// Publishes a learner, and gives its delta.
pub fn publish(learner: &mut dyn Learner) -> (Published, Artifact) {
    let mut found = Published { all_finite: true, changed_cells: 0 };
    let mut parts = [Tensors::default(), Tensors::default()];
    learner.tables(&mut |name, part, table| {
        let mut cells = CellList::of(name, table);
        found.all_finite &= table.publish(&mut |index, bits| cells.push(index, bits));
        found.changed_cells += cells.indices.len();
        parts[usize::from(part == Use::Training)].0.push(cells);
    });
    let [serving, training] = parts.map(|part| part.encode());
    (found, Artifact { serving, training })
}

/// The whole published state of a learner.
pub fn base(learner: &mut dyn Learner) -> Artifact {
    let mut part = |part| encode(learner, part, Cells::Published);
    Artifact { serving: part(Use::Serving), training: part(Use::Training) }
}

/// Some cells of the tables of one part. Publishes nothing.
pub fn encode(learner: &mut dyn Learner, part: Use, which: Cells) -> Vec<u8> {
    let mut tensors = Tensors::default();
    learner.tables(&mut |name, of, table| {
        if of != part {
            return;
        }
        let mut cells = CellList::of(name, table);
        let push = &mut |index, bits| cells.push(index, bits);
        match which {
            Cells::Published => table.published(push),
            Cells::Unpublished => table.unpublished(push),
            Cells::Current => table.current(push),
        }
        tensors.0.push(cells);
    });
    tensors.encode()
}

/// Marks everything as published, as it is after its base was applied to a fresh learner.
pub fn settle(learner: &mut dyn Learner) {
    learner.tables(&mut |_, _, table| {
        table.publish(&mut |_, _| {});
    });
}

/// Empties every table; what was published stays known, so that the next delta tells of it.
pub fn forget(learner: &mut dyn Learner) {
    learner.tables(&mut |_, _, table| erase(table));
}

/// Why some bytes are no artifact of this learner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They are not in the format.
    #[error("artifact is malformed: `{0}`")]
    Malformed(String),
    /// A table is not the learner's.
    #[error("artifact holds `{found}` where table `{expected}` belongs: it is of another learner")]
    Table {
        /// What was found.
        found: String,
        /// The learner's own.
        expected: String,
    },
    /// An index is beyond the table.
    #[error("artifact has cell `{index}` beyond the end of table `{table}`")]
    Beyond {
        /// The table.
        table: &'static str,
        /// The index.
        index: u32,
    },
}

/// Applies the bytes of one part to a learner; a base replaces what its tables held.
///
/// # Errors
/// When the bytes are not that part of this kind of learner. It may then be half changed: discard
/// it.
pub fn apply(
    learner: &mut dyn Learner,
    part: Use,
    form: Form,
    bytes: &[u8],
) -> Result<(), DecodeError> {
    let tensors = SafeTensors::deserialize(bytes)
        .map_err(|error| DecodeError::Malformed(error.to_string()))?;
    let mut names = 0;
    let mut result = Ok(());
    learner.tables(&mut |name, of, table| {
        if of == part && result.is_ok() {
            names += 2;
            result = load(&tensors, name, table, form);
        }
    });
    result?;
    if tensors.len() == names {
        return Ok(());
    }
    let (found, expected) = (tensors.len(), names);
    Err(DecodeError::Malformed(format!("{found} tensors instead of {expected}")))
}

fn load(
    tensors: &SafeTensors<'_>,
    name: &'static str,
    table: &mut dyn AnyTable,
    form: Form,
) -> Result<(), DecodeError> {
    let indices = tensor(tensors, &format!("{name}.index"), Dtype::U32)?;
    let dtype = dtype(table.cell_type());
    let values = tensor(tensors, &format!("{name}.value"), dtype)?;
    let (indices, rest) = indices.as_chunks::<4>();
    let (values, other) = values.as_chunks::<8>();
    if indices.len() != values.len() || !rest.is_empty() || !other.is_empty() {
        let message = format!("table {name} has not as many values as indices");
        return Err(DecodeError::Malformed(message));
    }
    if form == Form::Base {
        erase(table);
    }
    let mut next = 0;
    for (index, bits) in indices.iter().zip(values) {
        let index = u32::from_le_bytes(*index);
        if u64::from(index) < next {
            let message = format!("the indices of table {name} do not ascend");
            return Err(DecodeError::Malformed(message));
        }
        if !table.load(index as usize, u64::from_le_bytes(*bits)) {
            return Err(DecodeError::Beyond { table: name, index });
        }
        next = u64::from(index) + 1;
    }
    Ok(())
}

fn tensor<'a>(
    tensors: &SafeTensors<'a>,
    name: &str,
    dtype: Dtype,
) -> Result<&'a [u8], DecodeError> {
    let found = || tensors.names().into_iter().min().map_or("nothing", |name| name).to_owned();
    let view = tensors
        .tensor(name)
        .map_err(|_| DecodeError::Table { found: found(), expected: name.to_owned() })?;
    if view.dtype() != dtype {
        let message = format!("tensor {name} is {:?} instead of {dtype:?}", view.dtype());
        return Err(DecodeError::Malformed(message));
    }
    Ok(view.data())
}

/// Empties a table cell by cell, so that it still knows what was published.
fn erase(table: &mut dyn AnyTable) {
    let mut used = Vec::new();
    table.current(&mut |index, _| used.push(index));
    for index in used {
        table.load(index, 0);
    }
}

const fn dtype(cell: CellType) -> Dtype {
    match cell {
        CellType::F32Pair => Dtype::F32,
        CellType::F64 => Dtype::F64,
        CellType::U64 => Dtype::U64,
    }
}

/// The tables of one part.
#[derive(Default)]
struct Tensors(Vec<CellList>);

impl Tensors {
    fn encode(&self) -> Vec<u8> {
        let tensors = self.0.iter().flat_map(|cells| {
            let index = Tensor { dtype: Dtype::U32, shape: vec![cells.indices.len()] };
            let index = index.with(bytemuck::cast_slice(&cells.indices));
            let mut shape = vec![cells.indices.len()];
            if cells.cell == CellType::F32Pair {
                shape.push(2);
            }
            let value = Tensor { dtype: dtype(cells.cell), shape };
            let value = value.with(bytemuck::cast_slice(&cells.bits));
            [(format!("{}.index", cells.name), index), (format!("{}.value", cells.name), value)]
        });
        safetensors::serialize(tensors, None).expect("shapes and bytes agree")
    }
}

/// Cells of a table, in ascending order.
struct CellList {
    name: &'static str,
    cell: CellType,
    indices: Vec<u32>,
    bits: Vec<u64>,
}

impl CellList {
    fn of(name: &'static str, table: &dyn AnyTable) -> Self {
        Self { name, cell: table.cell_type(), indices: Vec::new(), bits: Vec::new() }
    }

    fn push(&mut self, index: usize, bits: u64) {
        self.indices.push(u32::try_from(index).expect("tables are below 2^32 cells"));
        self.bits.push(bits);
    }
}

struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
}

impl Tensor {
    fn with(self, bytes: &[u8]) -> Viewed<'_> {
        Viewed { tensor: self, bytes }
    }
}

/// A tensor as the writer of the format wants it.
struct Viewed<'a> {
    tensor: Tensor,
    bytes: &'a [u8],
}

impl View for Viewed<'_> {
    fn dtype(&self) -> Dtype {
        self.tensor.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.tensor.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}
