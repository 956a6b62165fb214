//! Finds the row of a segment by its 64-bit hash: open addressing inside a [`Table`].

use crate::state::Table;
use trueup_event::hash;

/// The longest walk before a segment counts as not found, or as not to be had.
const PROBES: usize = 64;

/// The hash of the values of several categories; `salt` tells levels apart.
#[must_use]
pub(super) fn hash_of(salt: usize, places: &[usize], categories: &[u64]) -> u64 {
    places.iter().fold(salt as u64 + 1, |hash, &place| hash::mix(hash, categories[place]))
}

/// Row of a segment that is in the index.
#[must_use]
pub(super) fn find(index: &Table<u64>, hash: u64) -> Option<usize> {
    let (tag, mask) = (hash | 1, index.cells().len() - 1);
    let start = (hash >> 20) as usize;
    for probe in 0..PROBES {
        let row = (start + probe) & mask;
        match index.get(row) {
            found if found == tag => return Some(row),
            0 => return None,
            _ => {}
        }
    }
    None
}

/// Row of a segment, put in if it is new; `None` when there is no room near its place.
pub(super) fn find_or_insert(index: &mut Table<u64>, hash: u64) -> Option<usize> {
    let (tag, mask) = (hash | 1, index.cells().len() - 1);
    let start = (hash >> 20) as usize;
    for probe in 0..PROBES {
        let row = (start + probe) & mask;
        match index.get(row) {
            found if found == tag => return Some(row),
            0 => {
                index.set(row, tag);
                return Some(row);
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_index_refuses_and_never_mixes_segments() {
        let mut index = Table::new(128);
        let mut rows = std::collections::BTreeMap::new();
        for value in 0..500_u64 {
            let hash = hash_of(0, &[0], &[value]);
            if let Some(row) = find_or_insert(&mut index, hash) {
                assert!(rows.insert(row, value).is_none(), "row given twice");
            }
        }
        assert!(rows.len() > 100 && rows.len() <= 128);
        for (row, value) in rows {
            assert_eq!(find(&index, hash_of(0, &[0], &[value])), Some(row));
        }
    }
}
