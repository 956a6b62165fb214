//! Event time: when something happened, in microseconds since 1970-01-01T00:00:00Z.

use crate::Duration;
use serde::{Deserialize, Serialize};

/// A point in event time, in microseconds since the Unix epoch (UTC).
///
/// Finer source units (nanoseconds) are floored to microseconds. The range is about ±292,000 years.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct EventTime(i64);

impl EventTime {
    /// Before every event: the watermark of a stream of which nothing is known.
    pub const MIN: Self = Self(i64::MIN);
    /// After every event.
    pub const MAX: Self = Self(i64::MAX);

    /// The point `micros` microseconds after the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This point moved later by `duration`; saturates at [`EventTime::MAX`].
    #[must_use]
    pub const fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.micros()))
    }

    /// This point moved earlier by `duration`; saturates at [`EventTime::MIN`].
    #[must_use]
    pub const fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration.micros()))
    }

    /// How long after `earlier` this point is; negative when it is before, saturating.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::fmt::Display for EventTime {
    /// `2013-01-01T10:17:00Z`, with as many decimals of a second as are needed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (days, micros) = (self.0.div_euclid(86_400_000_000), self.0.rem_euclid(86_400_000_000));
        let (year, month, day) = civil(days);
        let seconds = micros / 1_000_000;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match micros % 1_000_000 {
            0 => write!(f, "Z"),
            rest if rest % 1000 == 0 => write!(f, ".{:03}Z", rest / 1000),
            rest => write!(f, ".{rest:06}Z"),
        }
    }
}

/// Year, month and day of a number of days since 1970-01-01 (proleptic Gregorian).
///
/// Source: Howard Hinnant, *chrono-Compatible Low-Level Date Algorithms*, `civil_from_days`.
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + (month <= 2) as i64, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_a_person_reads_it() {
        assert_eq!(EventTime::from_micros(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(
            EventTime::from_micros(1_357_035_420_000_000).to_string(),
            "2013-01-01T10:17:00Z"
        );
        assert_eq!(EventTime::from_micros(-1).to_string(), "1969-12-31T23:59:59.999999Z");
        assert_eq!(
            EventTime::from_micros(951_782_400_500_000).to_string(),
            "2000-02-29T00:00:00.500Z"
        );
    }

    #[test]
    fn saturates_instead_of_wrapping() {
        assert_eq!(EventTime::MAX.plus(Duration::from_micros(1)), EventTime::MAX);
        assert_eq!(EventTime::MIN.minus(Duration::from_micros(1)), EventTime::MIN);
    }
}
