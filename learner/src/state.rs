//! Tables of 8-byte cells that know which cells were touched: the whole state of every learner.
//!
//! One mechanism gives four things: the state digest (a sum over cells, kept incrementally), the
//! delta artifact (the cells that changed since the last publish), the base artifact (the delta
//! from an empty table) and the checkpoint. A publish costs the cells touched, never the table.
//!
//! A cell whose bits are all zero counts as absent: a fresh table has digest 0 and an empty base.

use trueup_event::hash;

/// A value of eight bytes.
pub trait Cell: Copy + std::fmt::Debug + Send + Sync + 'static {
    /// The empty value: its bits are zero.
    const EMPTY: Self;

    /// What its bits are.
    const TYPE: CellType;

    /// Its bits.
    fn to_bits(self) -> u64;

    /// From its bits.
    fn from_bits(bits: u64) -> Self;

    /// Whether no part of it is NaN or infinite.
    fn is_finite(self) -> bool;
}

impl Cell for f64 {
    const EMPTY: Self = 0.0;
    const TYPE: CellType = CellType::F64;

    fn to_bits(self) -> u64 {
        self.to_bits()
    }

    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits)
    }

    fn is_finite(self) -> bool {
        self.is_finite()
    }
}

impl Cell for u64 {
    const EMPTY: Self = 0;
    const TYPE: CellType = CellType::U64;

    fn to_bits(self) -> u64 {
        self
    }

    fn from_bits(bits: u64) -> Self {
        bits
    }

    fn is_finite(self) -> bool {
        true
    }
}

/// What the eight bytes of a cell are, in little-endian order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellType {
    /// Two floats of single precision.
    F32Pair,
    /// A float.
    F64,
    /// A whole number or bits.
    U64,
}

/// Whether a table is needed to answer, or only to go on learning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Answers depend on it: it travels to serving.
    Serving,
    /// Only learning depends on it.
    Training,
}

/// A table of cells.
#[derive(Debug, Clone)]
pub struct Table<C> {
    cells: Vec<C>,
    /// The bits at the last publish: what the digest covers and the next delta starts from.
    published: Vec<u64>,
    touched: Touched,
    digest: u128,
    /// Published cells that are NaN or infinite.
    faulty: usize,
}

impl<C: Cell> Table<C> {
    /// An empty table of `len` cells.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self {
            cells: vec![C::EMPTY; len],
            published: vec![0; len],
            touched: Touched::new(len),
            digest: 0,
            faulty: 0,
        }
    }

    /// All cells.
    #[must_use]
    pub fn cells(&self) -> &[C] {
        &self.cells
    }

    /// Cell `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> C {
        self.cells[index]
    }

    /// Writes cell `index`.
    pub fn set(&mut self, index: usize, cell: C) {
        self.cells[index] = cell;
        self.touched.mark(index);
    }

    /// A run of cells to write to; all of them count as touched.
    pub fn row_mut(&mut self, row: std::ops::Range<usize>) -> &mut [C] {
        self.touched.mark_run(row.clone());
        &mut self.cells[row]
    }
}

/// A table of any cell type, as artifacts and checkpoints see it.
pub trait AnyTable {
    /// What its cells are.
    fn cell_type(&self) -> CellType;

    /// The sum over all published cells: see [`hash::of_slot`].
    fn digest(&self) -> u128;

    /// The sum over all cells as they are now, published or not.
    fn current_digest(&self) -> u128;

    /// Publishes: calls `change(index, bits)` for every cell that differs from the last publish, in
    /// ascending order, and returns whether every cell of the table is finite.
    fn publish(&mut self, change: &mut dyn FnMut(usize, u64)) -> bool;

    /// Calls `cell(index, bits)` for every published cell that is not empty, in ascending order.
    fn published(&self, cell: &mut dyn FnMut(usize, u64));

    /// Calls `cell(index, bits)` for every cell that is not empty now, in ascending order.
    fn current(&self, cell: &mut dyn FnMut(usize, u64));

    /// Calls `cell(index, bits)` for every cell that differs from the last publish.
    fn unpublished(&self, cell: &mut dyn FnMut(usize, u64));

    /// Writes a cell from its bits; refused when `index` is outside the table.
    fn load(&mut self, index: usize, bits: u64) -> bool;
}

impl<C: Cell> AnyTable for Table<C> {
    fn cell_type(&self) -> CellType {
        C::TYPE
    }

    fn digest(&self) -> u128 {
        self.digest
    }

    fn current_digest(&self) -> u128 {
        let mut digest = self.digest;
        self.unpublished(&mut |index, bits| {
            digest = digest
                .wrapping_sub(hash::of_slot(index as u64, self.published[index]))
                .wrapping_add(hash::of_slot(index as u64, bits));
        });
        digest
    }

    fn publish(&mut self, change: &mut dyn FnMut(usize, u64)) -> bool {
        let Self { cells, published, touched, digest, faulty } = self;
        touched.drain(|index| {
            let (old, cell) = (published[index], cells[index]);
            let new = cell.to_bits();
            if new != old {
                *digest = digest
                    .wrapping_sub(hash::of_slot(index as u64, old))
                    .wrapping_add(hash::of_slot(index as u64, new));
                published[index] = new;
                *faulty += usize::from(!cell.is_finite());
                *faulty -= usize::from(!C::from_bits(old).is_finite());
                change(index, new);
            }
        });
        *faulty == 0
    }

    fn published(&self, cell: &mut dyn FnMut(usize, u64)) {
        for (index, &bits) in self.published.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            cell(index, bits);
        }
    }

    fn current(&self, cell: &mut dyn FnMut(usize, u64)) {
        let bits = self.cells.iter().map(|cell| cell.to_bits());
        for (index, bits) in bits.enumerate().filter(|(_, bits)| *bits != 0) {
            cell(index, bits);
        }
    }

    fn unpublished(&self, cell: &mut dyn FnMut(usize, u64)) {
        for index in self.touched.iter() {
            let bits = self.cells[index].to_bits();
            if bits != self.published[index] {
                cell(index, bits);
            }
        }
    }

    fn load(&mut self, index: usize, bits: u64) -> bool {
        if index >= self.cells.len() {
            return false;
        }
        self.set(index, C::from_bits(bits));
        true
    }
}

/// A set of indices as two levels of bits, so that walking it in order skips what is untouched.
#[derive(Debug, Clone)]
struct Touched {
    bits: Vec<u64>,
    summary: Vec<u64>,
}

impl Touched {
    fn new(len: usize) -> Self {
        let words = len.div_ceil(64);
        Self { bits: vec![0; words], summary: vec![0; words.div_ceil(64)] }
    }

    #[inline]
    fn mark(&mut self, index: usize) {
        self.bits[index / 64] |= 1 << (index % 64);
        self.summary[index / 4096] |= 1 << (index / 64 % 64);
    }

    fn mark_run(&mut self, run: std::ops::Range<usize>) {
        let mut start = run.start;
        while start < run.end {
            let word = start / 64;
            let end = run.end.min((word + 1) * 64);
            let ones = u64::MAX >> (64 - (end - start));
            self.bits[word] |= ones << (start % 64);
            self.summary[word / 64] |= 1 << (word % 64);
            start = end;
        }
    }

    fn drain(&mut self, mut visit: impl FnMut(usize)) {
        for block in 0..self.summary.len() {
            let mut words = std::mem::take(&mut self.summary[block]);
            while words != 0 {
                let word = block * 64 + words.trailing_zeros() as usize;
                words &= words - 1;
                let mut bits = std::mem::take(&mut self.bits[word]);
                while bits != 0 {
                    visit(word * 64 + bits.trailing_zeros() as usize);
                    bits &= bits - 1;
                }
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        self.bits.iter().enumerate().flat_map(|(word, &bits)| {
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn changes(table: &mut Table<f64>) -> Vec<(usize, u64)> {
        let mut all = Vec::new();
        table.publish(&mut |index, bits| all.push((index, bits)));
        all
    }

    proptest! {
        #[test]
        fn digest_depends_on_content_alone(
            writes in prop::collection::vec((0_usize..5000, -3_i8..3), 0..200),
            cut in 0_usize..200,
        ) {
            let (mut once, mut twice) = (Table::new(5000), Table::new(5000));
            for (i, &(index, value)) in writes.iter().enumerate() {
                if i == cut {
                    twice.publish(&mut |_, _| {});
                }
                once.set(index, f64::from(value));
                twice.set(index, f64::from(value));
            }
            once.publish(&mut |_, _| {});
            twice.publish(&mut |_, _| {});
            prop_assert_eq!(once.digest(), twice.digest());
            let mut copy = Table::<f64>::new(5000);
            once.published(&mut |index, bits| assert!(copy.load(index, bits)));
            copy.publish(&mut |_, _| {});
            prop_assert_eq!(copy.digest(), once.digest());
        }
    }

    #[test]
    fn a_delta_holds_what_changed_in_ascending_order() {
        let mut table = Table::new(10_000);
        table.set(9000, 1.0);
        table.set(3, 2.0);
        table.set(4, 0.0);
        assert_eq!(changes(&mut table), [(3, 2.0_f64.to_bits()), (9000, 1.0_f64.to_bits())]);
        table.set(3, 2.0);
        assert_eq!(changes(&mut table), []);
        table.set(3, 0.0);
        assert_eq!(changes(&mut table), [(3, 0)]);
        assert!(!table.load(10_000, 1));
    }

    #[test]
    fn a_run_touches_its_own_cells_alone() {
        for (start, end) in [(0, 1), (5, 64), (63, 65), (60, 700), (128, 192), (4095, 4097), (7, 7)]
        {
            let mut table = Table::<u64>::new(5000);
            table.row_mut(start..end).fill(9);
            let mut found = Vec::new();
            table.publish(&mut |index, _| found.push(index));
            assert_eq!(found, (start..end).collect::<Vec<_>>());
            // Marks of cells outside the run would show a write behind the table's back.
            table.row_mut(start..end).fill(9);
            assert_eq!(table.touched.iter().collect::<Vec<_>>(), found);
        }
    }

    #[test]
    fn what_is_not_finite_is_told() {
        let mut table = Table::new(2);
        table.set(0, f64::NAN);
        assert!(!table.publish(&mut |_, _| {}));
        table.set(1, 1.0);
        assert!(!table.publish(&mut |_, _| {}), "a fault that does not change stays a fault");
        table.set(0, 1.0);
        assert!(table.publish(&mut |_, _| {}));
    }
}
