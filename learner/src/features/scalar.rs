//! The functions of single values that the columnar path and the request path share.

use super::bind::RefusedRow;
use super::geohash::Cell;
use std::borrow::Cow;
use std::sync::LazyLock;
use trueup_event::{Reason, hash};

/// The hash that stands for a missing category.
pub const MISSING: u64 = 0x6D69_7373_696E_6721;

/// Why one row's features could not be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// Malformed or not finite.
    pub reason: Reason,
    /// What exactly was wrong, and with which column.
    pub detail: Cow<'static, str>,
}

impl Refusal {
    pub(super) fn at(self, row: usize) -> RefusedRow {
        RefusedRow { row, reason: self.reason, detail: self.detail }
    }

    pub(super) fn malformed(detail: String) -> Self {
        Self { reason: Reason::Malformed, detail: Cow::Owned(detail) }
    }

    fn not_finite(column: &str, value: f64) -> Self {
        let detail = format!("number in column `{column}` is not finite: `{value}`");
        Self { reason: Reason::NotFinite, detail: Cow::Owned(detail) }
    }

    /// Quotes at most 64 characters of what came from outside.
    pub(super) fn quoting(problem: &str, column: &str, text: &str) -> Self {
        let shown: String = text.chars().take(64).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        Self::malformed(format!("{problem} in column `{column}`: `{shown}{more}`"))
    }
}

/// The canonical value of a category, before it becomes a text or a hash.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Canonical<'a> {
    Missing,
    Text(&'a str),
    Integer(i128),
    Boolean(Truth),
    /// Days since 1970-01-01.
    Date(i32),
    Cell(Cell),
}

/// A boolean as a category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

impl Canonical<'_> {
    /// The hash of the canonical text.
    #[inline]
    pub(super) fn hash(&self) -> u64 {
        match self {
            Self::Missing => MISSING,
            Self::Text(text) => hash::of_text(text),
            Self::Boolean(Truth::True) => hash::of_text("true"),
            Self::Boolean(Truth::False) => hash::of_text("false"),
            Self::Integer(value) => match usize::try_from(*value).ok().and_then(|v| SMALL.get(v)) {
                Some(hash) => *hash,
                None => of_integer(*value),
            },
            Self::Date(days) => hash::of_text(&date_text(*days)),
            Self::Cell(cell) => hash::of_text(cell.as_str()),
        }
    }
}

impl std::fmt::Display for Canonical<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("null"),
            Self::Text(text) => f.write_str(text),
            Self::Boolean(Truth::True) => f.write_str("true"),
            Self::Boolean(Truth::False) => f.write_str("false"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Date(days) => f.write_str(&date_text(*days)),
            Self::Cell(cell) => f.write_str(cell.as_str()),
        }
    }
}

/// The hashes of the hours of a week, and of every smaller integer: most derived categories.
static SMALL: LazyLock<[u64; 168]> =
    LazyLock::new(|| std::array::from_fn(|value| of_integer(value as i128)));

fn of_integer(value: i128) -> u64 {
    hash::of_text(decimal(value, &mut [0; DIGITS_MAX]))
}

/// A sign and the 39 digits of the largest integer.
const DIGITS_MAX: usize = 40;

/// The decimal text of an integer, without allocating; most fit 64 bits, which divide faster.
fn decimal(value: i128, buffer: &mut [u8; DIGITS_MAX]) -> &str {
    let mut start = DIGITS_MAX;
    let mut wide = value.unsigned_abs();
    let mut push = |digit: u8| {
        start -= 1;
        buffer[start] = digit;
    };
    while wide > u128::from(u64::MAX) {
        push(b'0' + (wide % 10) as u8);
        wide /= 10;
    }
    let mut narrow = wide as u64;
    loop {
        push(b'0' + (narrow % 10) as u8);
        narrow /= 10;
        if narrow == 0 {
            break;
        }
    }
    if value < 0 {
        push(b'-');
    }
    std::str::from_utf8(&buffer[start..]).expect("digits and a sign are ASCII")
}

/// `2013-01-01`; a day so far away that its microseconds do not fit is a number of days.
fn date_text(days: i32) -> String {
    const LAST: i32 = (i64::MAX / 86_400_000_000) as i32;
    if !(-LAST..=LAST).contains(&days) {
        return format!("{days} days");
    }
    let midnight = trueup_event::EventTime::from_micros(i64::from(days) * 86_400_000_000);
    let mut text = midnight.to_string();
    text.truncate(text.find('T').unwrap_or(text.len()));
    text
}

/// A number of a feature, which must be finite.
pub(super) fn finite(column: &str, value: f64) -> Result<f64, Refusal> {
    if value.is_finite() { Ok(value) } else { Err(Refusal::not_finite(column, value)) }
}

/// How many of the ascending edges the value has reached.
pub(super) fn bucket(edges: &[f64], value: f64) -> Canonical<'static> {
    Canonical::Integer(edges.partition_point(|edge| *edge <= value) as i128)
}

/// `sign(x) ln(1 + |x|)`.
pub(super) fn signed_log(value: f64) -> f64 {
    libm::copysign(libm::log1p(value.abs()), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_hash_as_their_decimal_text() {
        for value in
            [0, 7, -7, 10, i128::from(i64::MIN), i128::from(u64::MAX), i128::MAX, i128::MIN]
        {
            assert_eq!(decimal(value, &mut [0; DIGITS_MAX]), value.to_string());
            assert_eq!(Canonical::Integer(value).hash(), hash::of_text(&value.to_string()));
        }
        assert_eq!(Canonical::Boolean(true.into()).hash(), hash::of_text("true"));
        assert_eq!(Canonical::Date(15_706).hash(), hash::of_text("2013-01-01"));
    }

    #[test]
    fn quotes_little_of_what_is_long() {
        let refusal = Refusal::quoting("time cannot be read", "t", &"é".repeat(100));
        assert_eq!(refusal.detail.chars().filter(|c| *c == 'é').count(), 64);
    }
}
