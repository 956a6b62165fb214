//! A length of event time, written with its unit: `90s`, `5m`, `1h30m`, `7d`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::str::FromStr;

/// A length of event time in microseconds; text carries its unit (`"90s"`, `"5m"`, `"1h30m"`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(i64);

/// The units a duration may be written in, largest first, each with its microseconds.
const UNITS: [(&str, i64); 7] = [
    ("w", 604_800_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1000),
    ("us", 1),
];

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// `micros` microseconds.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// `seconds` seconds.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * 1_000_000)
    }

    /// `hours` hours.
    #[must_use]
    pub const fn from_hours(hours: i64) -> Self {
        Self::from_seconds(hours * 3600)
    }

    /// Length in microseconds.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Length in hours, with its fraction.
    #[must_use]
    pub fn hours(self) -> f64 {
        self.0 as f64 / 3_600_000_000.0
    }
}

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a duration: `{0}` (write a number and its unit, such as `90s`, `5m`, `24h` or `7d`)")]
pub struct ParseDurationError(String);

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseDurationError(text.to_owned());
        let mut rest = text.trim();
        let mut micros = 0_i64;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let count: i64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let unit = rest[..letters].trim();
            let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            rest = &rest[letters..];
            micros = count
                .checked_mul(*size)
                .and_then(|part| micros.checked_add(part))
                .ok_or_else(wrong)?;
        }
        Ok(Self(micros))
    }
}

impl std::fmt::Display for Duration {
    /// The shortest exact text: `1h30m`, `24h` as `1d`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 0 {
            return write!(f, "0s");
        }
        if self.0 < 0 {
            write!(f, "-")?;
        }
        let mut rest = self.0.unsigned_abs();
        for (unit, size) in UNITS {
            let count = rest / size.unsigned_abs();
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
            rest %= size.unsigned_abs();
        }
        Ok(())
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for (text, micros) in
            [("90s", 90_000_000), ("5m", 300_000_000), ("1h30m", 5_400_000_000), ("250ms", 250_000)]
        {
            assert_eq!(text.parse::<Duration>(), Ok(Duration(micros)));
        }
        for micros in [0, 1, 999, 60_000_000, 90_000_000, 86_400_000_001] {
            let duration = Duration(micros);
            assert_eq!(duration.to_string().parse(), Ok(duration));
        }
    }

    #[test]
    fn refuses_what_has_no_unit() {
        for text in ["", "5", "m", "5 parsecs", "-5m", "99999999999999999999d", "1d2"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }
}
