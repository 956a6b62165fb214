//! Local times: hours and days of the week in a time zone, from the database bundled at build time.

use super::scalar::{Canonical, Refusal};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

const SECONDS_PER_DAY: i64 = 86_400;
/// -9999-01-02T01:59:59Z and the end of 9999-12-30T22:00:00Z: jiff holds these in every zone.
const MICROS_MIN: i64 = -377_705_023_201_000_000;
const MICROS_MAX: i64 = 253_402_207_200_999_999;

/// What of a local time is the category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClockPart {
    HourOfWeek,
    HourOfDay,
    DayOfWeek,
}

impl ClockPart {
    /// The category of a local time in seconds since 1970-01-01T00:00:00 local.
    pub(super) fn of(self, local_seconds: i64) -> Canonical<'static> {
        let hour = local_seconds.rem_euclid(SECONDS_PER_DAY) / 3600;
        // 1970-01-01 was a Thursday.
        let weekday = (local_seconds.div_euclid(SECONDS_PER_DAY) + 3).rem_euclid(7);
        Canonical::Integer(i128::from(match self {
            Self::HourOfWeek => weekday * 24 + hour,
            Self::HourOfDay => hour,
            Self::DayOfWeek => weekday,
        }))
    }
}

/// A point in time, or a day on the local calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Microseconds since 1970-01-01T00:00:00Z, within the years -9999 to 9999.
    Instant(i64),
    /// Days since 1970-01-01, local: its midnight is meant.
    Day(i32),
}

impl Moment {
    /// The moment of a timestamp; `micros` is `None` when it does not fit.
    pub(super) fn instant(column: &str, micros: Option<i64>) -> Result<Self, Refusal> {
        match micros {
            Some(micros) if (MICROS_MIN..=MICROS_MAX).contains(&micros) => {
                Ok(Self::Instant(micros))
            }
            Some(_) | None => Err(Refusal::malformed(format!(
                "time is beyond the year 9999 in column `{column}`"
            ))),
        }
    }

    /// The moment of an RFC 3339 text.
    pub(super) fn parse(column: &str, text: &str) -> Result<Self, Refusal> {
        text.parse::<Timestamp>().map(|at| Self::Instant(at.as_microsecond())).map_err(|_| {
            Refusal::quoting("time is not an RFC 3339 text with an offset", column, text)
        })
    }

    /// The moment of an RFC 3339 text, which is UTC when it has no offset.
    pub(super) fn parse_as_utc(column: &str, text: &str) -> Result<Self, Refusal> {
        let naive = |text: &str| Offset::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok();
        match text.parse::<Timestamp>().ok().or_else(|| naive(text)) {
            Some(at) => Ok(Self::Instant(at.as_microsecond())),
            None => Err(Refusal::quoting("time is not an RFC 3339 text", column, text)),
        }
    }

    /// Local seconds since 1970-01-01T00:00:00 local: what [`ZoneClock::local_seconds`] says, for a
    /// moment that stands alone.
    #[inline]
    pub(super) fn local_seconds(self, zone: &TimeZone) -> i64 {
        match self {
            Self::Day(days) => i64::from(days) * SECONDS_PER_DAY,
            Self::Instant(micros) => {
                let at = Timestamp::from_microsecond(micros);
                let at = at.expect("a moment is within jiff's range");
                micros.div_euclid(1_000_000) + i64::from(zone.to_offset(at).seconds())
            }
        }
    }
}

/// The zone of that IANA name.
pub(super) fn zone_named(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok().filter(|zone| !zone.is_unknown())
}

/// The zone of that IANA name, found in a column.
pub(super) fn zone_in(column: &str, name: &str) -> Result<TimeZone, Refusal> {
    zone_named(name).ok_or_else(|| Refusal::quoting("time zone is unknown", column, name))
}

/// A zone that remembers the last stretch of time in which its offset from UTC was constant.
#[derive(Debug, Clone)]
pub(super) struct ZoneClock {
    zone: TimeZone,
    from_micros: i64,
    until_micros: i64,
    offset_seconds: i64,
}

impl ZoneClock {
    pub(super) fn new(zone: TimeZone) -> Self {
        // An empty stretch: the first time asked for finds the real one.
        Self { zone, from_micros: 0, until_micros: 0, offset_seconds: 0 }
    }

    /// Local seconds since 1970-01-01T00:00:00 local.
    #[inline]
    pub(super) fn local_seconds(&mut self, moment: Moment) -> i64 {
        match moment {
            Moment::Day(days) => i64::from(days) * SECONDS_PER_DAY,
            Moment::Instant(micros) => {
                if !(self.from_micros..self.until_micros).contains(&micros) {
                    self.turn_to(micros);
                }
                micros.div_euclid(1_000_000) + self.offset_seconds
            }
        }
    }

    fn turn_to(&mut self, micros: i64) {
        let at = Timestamp::from_microsecond(micros).expect("a moment is within jiff's range");
        // `preceding` is strict; a stretch begins with its transition.
        let just_after = at.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(at);
        let transition = |at: Option<jiff::tz::TimeZoneTransition<'_>>| {
            at.map(|transition| transition.timestamp().as_microsecond())
        };
        self.from_micros = transition(self.zone.preceding(just_after).next()).unwrap_or(i64::MIN);
        self.until_micros = transition(self.zone.following(at).next()).unwrap_or(i64::MAX);
        self.offset_seconds = i64::from(self.zone.to_offset(at).seconds());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a time").as_microsecond()
    }

    fn hour_of_week(clock: &mut ZoneClock, text: &str) -> String {
        let local = clock.local_seconds(Moment::Instant(micros(text)));
        ClockPart::HourOfWeek.of(local).to_string()
    }

    #[test]
    fn hours_of_the_week_follow_daylight_saving_time() {
        let mut clock = ZoneClock::new(zone_named("America/New_York").expect("bundled"));
        for (text, hour) in [
            // 2013-03-10, a Sunday: 02:00 to 03:00 does not exist.
            ("2013-03-10T04:59:59Z", 143),
            ("2013-03-10T05:00:00Z", 144),
            ("2013-03-10T06:59:59.999999Z", 145),
            ("2013-03-10T07:00:00Z", 147),
            // 2013-11-03, a Sunday: 01:00 to 02:00 comes twice.
            ("2013-11-03T04:00:00Z", 144),
            ("2013-11-03T05:00:00Z", 145),
            ("2013-11-03T05:59:59.999999Z", 145),
            ("2013-11-03T06:00:00Z", 145),
            ("2013-11-03T07:00:00Z", 146),
            // Monday 00:00 local is 0; and back over a change.
            ("2013-11-04T05:00:00Z", 0),
            ("2013-07-01T04:00:00Z", 0),
            ("1969-12-29T05:00:00Z", 0),
        ] {
            assert_eq!(hour_of_week(&mut clock, text), hour.to_string(), "{text}");
            let mut fresh = ZoneClock::new(clock.zone.clone());
            assert_eq!(hour_of_week(&mut fresh, text), hour.to_string(), "{text}, fresh");
        }
    }

    #[test]
    fn a_remembered_offset_is_the_zones_own() {
        for name in ["UTC", "Asia/Kolkata", "Europe/Berlin", "Australia/Lord_Howe", "Etc/GMT+3"] {
            let zone = zone_named(name).expect("bundled");
            let mut clock = ZoneClock::new(zone.clone());
            for step in 0..20_000 {
                // Forth and back over 1926 to 2083, fractions of seconds included.
                let swing = if step % 3 == 0 { -1 } else { 1 };
                let micros = swing * step * 179_999_999_983 + 1_000_000_000_000_000;
                let expected = Moment::Instant(micros).local_seconds(&zone);
                let found = clock.local_seconds(Moment::Instant(micros));
                assert_eq!(found, expected, "{name} {micros}");
            }
        }
    }

    #[test]
    fn the_range_is_jiffs_own() {
        assert_eq!(MICROS_MIN, Timestamp::MIN.as_microsecond());
        assert_eq!(MICROS_MAX, Timestamp::MAX.as_microsecond());
    }

    #[test]
    fn days_and_parts() {
        let mut clock = ZoneClock::new(zone_named("Asia/Tokyo").expect("bundled"));
        let local = clock.local_seconds(Moment::Day(15_706));
        // 2013-01-01 was a Tuesday, wherever it was.
        assert_eq!(ClockPart::DayOfWeek.of(local).to_string(), "1");
        assert_eq!(ClockPart::HourOfDay.of(local).to_string(), "0");
        assert_eq!(ClockPart::HourOfWeek.of(local).to_string(), "24");
        let local = clock.local_seconds(Moment::Instant(micros("2013-01-01T23:30:00Z")));
        assert_eq!(ClockPart::HourOfDay.of(local).to_string(), "8");
        assert_eq!(ClockPart::DayOfWeek.of(local).to_string(), "2");
    }

    #[test]
    fn texts_and_zones_that_do_not_exist_are_refused() {
        assert_eq!(Moment::parse("t", "1970-01-01T01:00:00+01:00"), Ok(Moment::Instant(0)));
        assert!(Moment::parse("t", "1970-01-01T01:00:00").is_err());
        let utc = Moment::parse_as_utc("t", "1970-01-01T00:00:01");
        assert_eq!(utc, Ok(Moment::Instant(1_000_000)));
        assert!(Moment::parse_as_utc("t", "yesterday").is_err());
        assert!(Moment::instant("t", Some(i64::MAX)).is_err());
        let refusal = zone_in("city_zone", "Mars/Olympus").expect_err("not on Earth");
        assert_eq!(refusal.detail, "time zone is unknown in column `city_zone`: `Mars/Olympus`");
        assert!(zone_named("Etc/Unknown").is_none());
    }
}
