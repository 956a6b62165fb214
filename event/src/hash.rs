//! Stable hashes: the same on every machine, in every release.
//!
//! XXH3 (Yann Collet, 2019) for texts; a 128-bit multiply-fold for the cells of state digests.

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// The 64-bit hash of a text, such as the value of a category.
#[must_use]
pub fn of_text(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

/// The 128-bit hash of bytes.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> u128 {
    xxh3_128(bytes)
}

/// Mixes a second word into a hash; not symmetric, so that the order of words matters.
#[must_use]
pub const fn mix(hash: u64, word: u64) -> u64 {
    let product = (hash ^ 0x9E37_79B9_7F4A_7C15) as u128 * (word ^ 0xD6E8_FEB8_6659_FD93) as u128;
    (product as u64) ^ ((product >> 64) as u64) ^ hash.rotate_left(23)
}

/// The 128-bit hash of cell `index` of a table holding `bits`.
///
/// Sums of these (wrapping) identify a table's content whatever the order of the writes, after
/// Bellare and Micciancio, *A New Paradigm for Collision-free Hashing: Incrementality at Reduced
/// Cost* (1997). The mixing is not cryptographic: it tells accidents, not forgeries.
#[must_use]
pub const fn of_cell(index: u64, bits: u64) -> u128 {
    let seeded = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xA076_1D64_78BD_642F;
    let first = (bits ^ seeded) as u128 * (seeded.rotate_left(32) ^ 0xE703_7ED1_A0B4_28DB) as u128;
    let low = (first as u64) ^ bits.rotate_left(29);
    let high = ((first >> 64) as u64) ^ seeded;
    let second = (low ^ 0x8EBC_6AF0_9C88_C6E3) as u128 * (high ^ 0x5899_65CC_7537_4CC3) as u128;
    second ^ ((low as u128) << 64 | high as u128)
}

/// What cell `index` of a table holding `bits` adds to the table's digest: `bits` times a key of
/// the index, so that an empty cell adds nothing and a changed one costs one multiplication.
///
/// This is multilinear hashing (Wegman and Carter 1981; Lemire and Kaser 2014) with fixed keys: two
/// tables that differ by accident have equal sums with odds of about 2^-64. It is no protection
/// against forgery; artifacts are named by BLAKE3.
#[must_use]
pub const fn of_slot(index: u64, bits: u64) -> u128 {
    let spread = (index ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let key = (spread ^ (spread >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB) | 1;
    bits as u128 * key as u128
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_frozen() {
        // Artifacts and digests depend on these: a change breaks every stored model.
        assert_eq!(of_text("JFK"), 0x285b_4886_4138_9eef);
        assert_eq!(mix(1, 2), mix(1, 2));
        assert_ne!(mix(1, 2), mix(2, 1));
        assert_ne!(of_cell(1, 2), of_cell(2, 1));
        assert_ne!(of_slot(1, 2), of_slot(2, 1));
        assert_eq!(of_slot(7, 0), 0);
    }
}
