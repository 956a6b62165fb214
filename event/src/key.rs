//! Join keys and identities of any column type, as one comparable 128-bit word.

use crate::hash;
use serde::{Deserialize, Serialize};

/// The value of a join key, exact for integers and for texts of up to 15 bytes; longer texts are
/// represented by 120 bits of their hash (a collision among a billion live keys has odds of
/// 10^-18).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Key(u128);

impl Key {
    const INTEGER: u128 = 0x10 << 120;
    const LONG_TEXT: u128 = 0x20 << 120;

    /// The key of an integer.
    #[must_use]
    pub const fn of_integer(value: i64) -> Self {
        Self(Self::INTEGER | value as u64 as u128)
    }

    /// The key of a text.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let bytes = text.as_bytes();
        if bytes.len() > 15 {
            return Self(Self::LONG_TEXT | hash::of_bytes(bytes) >> 8);
        }
        let mut word = [0; 16];
        word[..bytes.len()].copy_from_slice(bytes);
        word[15] = bytes.len() as u8;
        Self(u128::from_le_bytes(word))
    }

    /// The two halves, low first.
    #[must_use]
    pub const fn words(self) -> [u64; 2] {
        [self.0 as u64, (self.0 >> 64) as u64]
    }

    /// From the two halves, low first.
    #[must_use]
    pub const fn from_words(words: [u64; 2]) -> Self {
        Self(words[0] as u128 | (words[1] as u128) << 64)
    }

    /// A 64-bit hash, for tables.
    #[must_use]
    pub const fn hash64(self) -> u64 {
        let [low, high] = self.words();
        hash::mix(low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_values_have_distinct_keys() {
        let long = "x".repeat(40);
        let keys = [
            Key::of_integer(0),
            Key::of_integer(-1),
            Key::of_integer(i64::MIN),
            Key::of_text(""),
            Key::of_text("0"),
            Key::of_text("0\0"),
            Key::of_text("fifteen bytes !"),
            Key::of_text("sixteen bytes !!"),
            Key::of_text(&long),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert_eq!(Key::from_words(a.words()), *a);
            for b in &keys[i + 1..] {
                assert_ne!(a, b);
            }
        }
    }
}
