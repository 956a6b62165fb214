//! Event times from whatever a file's time column holds.
//!
//! Finer units are floored; nothing overflows: a time that cannot be a number of microseconds is
//! [`NO_TIME`], and [`TimeReader::why`] says why.

use crate::error::Error;
use crate::request::{EpochUnit, TimeColumn};
use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, TimestampMicrosecondArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use std::borrow::Cow;
use std::sync::Arc;

/// Stands for a time that is null, unreadable or out of range.
pub(crate) const NO_TIME: i64 = i64::MIN;

const DAY_MICROS: i64 = 86_400_000_000;

/// Local time and UTC never differ by more.
const LARGEST_OFFSET_MICROS: i64 = 26 * 3_600_000_000;

/// Reads the time column of one file.
#[derive(Debug, Clone)]
pub(crate) struct TimeReader {
    column: String,
    unit: Unit,
    zone: Zone,
}

/// How a stored number becomes microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Times(i64),
    DividedBy(i64),
    Text,
}

/// What stored times refer to.
#[derive(Debug, Clone)]
enum Zone {
    Utc,
    /// Nothing was said: only texts with an offset of their own can be read.
    Unknown,
    Local(Box<LocalZone>),
}

impl TimeReader {
    /// A reader for a column of this type.
    pub(crate) fn new(
        wanted: &TimeColumn,
        data_type: &DataType,
        label: &str,
    ) -> Result<Self, Error> {
        let zone = wanted.zone.as_deref().map(zone_named).transpose()?;
        let needs_zone = |what: &str| {
            zone.clone().ok_or_else(|| {
                Error::invalid(format!("{what} has no zone in `{label}`: `{}`", wanted.name))
                    .with_hint(ZONE_HINT)
            })
        };
        let (unit, zone) = match data_type {
            DataType::Timestamp(unit, Some(_)) => (of_unit(unit), Zone::Utc),
            DataType::Timestamp(unit, None) => (of_unit(unit), needs_zone("the time column")?),
            DataType::Date32 => (Unit::Times(DAY_MICROS), needs_zone("the date column")?),
            DataType::Date64 => (Unit::Times(1000), needs_zone("the date column")?),
            DataType::Utf8 => (Unit::Text, zone.clone().unwrap_or(Zone::Unknown)),
            integer if integer.is_integer() => match wanted.epoch {
                Some(EpochUnit::Seconds) => (Unit::Times(1_000_000), Zone::Utc),
                Some(EpochUnit::Milliseconds) => (Unit::Times(1000), Zone::Utc),
                Some(EpochUnit::Microseconds) => (Unit::Times(1), Zone::Utc),
                Some(EpochUnit::Nanoseconds) => (Unit::DividedBy(1000), Zone::Utc),
                None => {
                    return Err(Error::invalid(format!(
                        "the time column holds integers of unknown unit in `{label}`: `{}`",
                        wanted.name
                    ))
                    .with_hint(
                        "write `epoch = \"s\"`, or `ms`, `us`, `ns`: their unit since 1970",
                    ));
                }
            },
            other => {
                return Err(Error::invalid(format!(
                    "the time column has type {other} in `{label}`: `{}`",
                    wanted.name
                ))
                .with_hint("a time is a timestamp, a date, an integer or a text"));
            }
        };
        Ok(Self { column: wanted.name.clone(), unit, zone })
    }

    /// Appends the times of `array`, which has the type this reader was made for.
    pub(crate) fn read(&mut self, array: &dyn Array, times: &mut Vec<i64>) -> Result<(), Error> {
        use DataType as T;
        match array.data_type() {
            T::Timestamp(TimeUnit::Second, _) => self.numbers::<TimestampSecondType>(array, times),
            T::Timestamp(TimeUnit::Millisecond, _) => {
                self.numbers::<TimestampMillisecondType>(array, times);
            }
            T::Timestamp(TimeUnit::Microsecond, _) => {
                self.numbers::<TimestampMicrosecondType>(array, times);
            }
            T::Timestamp(TimeUnit::Nanosecond, _) => {
                self.numbers::<TimestampNanosecondType>(array, times);
            }
            T::Date32 => self.numbers::<Date32Type>(array, times),
            T::Date64 => self.numbers::<Date64Type>(array, times),
            T::Int8 => self.numbers::<Int8Type>(array, times),
            T::Int16 => self.numbers::<Int16Type>(array, times),
            T::Int32 => self.numbers::<Int32Type>(array, times),
            T::Int64 => self.numbers::<Int64Type>(array, times),
            T::UInt8 => self.numbers::<UInt8Type>(array, times),
            T::UInt16 => self.numbers::<UInt16Type>(array, times),
            T::UInt32 => self.numbers::<UInt32Type>(array, times),
            T::UInt64 => self.numbers::<UInt64Type>(array, times),
            T::Utf8 => return self.texts(array, times),
            other => return Err(Error::corrupt(format!("the time column became {other}"))),
        }
        Ok(())
    }

    /// The times of `array` as timestamps in UTC, null where there is none.
    pub(crate) fn instants(&mut self, array: &dyn Array) -> Result<ArrayRef, Error> {
        let mut times = Vec::with_capacity(array.len());
        self.read(array, &mut times)?;
        let known = times.into_iter().map(|time| (time != NO_TIME).then_some(time));
        Ok(Arc::new(known.collect::<TimestampMicrosecondArray>().with_timezone("UTC")))
    }

    /// Why row `row` has no time.
    pub(crate) fn why(&self, array: &dyn Array, row: usize) -> Cow<'static, str> {
        let column = &self.column;
        let value = match array.data_type() {
            _ if array.is_null(row) => return format!("time is null in column `{column}`").into(),
            DataType::Utf8 => array.as_string::<i32>().value(row).chars().take(40).collect(),
            _ => arrow::util::display::array_value_to_string(array, row).unwrap_or_default(),
        };
        match self.unit {
            Unit::Text => format!("no time can be read in column `{column}`: `{value}`").into(),
            Unit::Times(_) | Unit::DividedBy(_) => {
                format!("time is out of range in column `{column}`: `{value}`").into()
            }
        }
    }

    /// What lies surely around the event times whose stored numbers lie between `low` and `high`;
    /// local times need a margin, since their order is not that of their instants.
    pub(crate) fn bounds(&self, low: &dyn Array, high: &dyn Array) -> Option<(i64, i64)> {
        let margin = match &self.zone {
            _ if self.unit == Unit::Text => return None,
            Zone::Utc | Zone::Unknown => 0,
            Zone::Local(_) => LARGEST_OFFSET_MICROS,
        };
        let mut bounds = Vec::with_capacity(2);
        let mut stored = Self { zone: Zone::Utc, ..self.clone() };
        stored.read(low, &mut bounds).ok()?;
        stored.read(high, &mut bounds).ok()?;
        match bounds[..] {
            [low, high] if low != NO_TIME && high != NO_TIME => {
                Some((low.saturating_sub(margin), high.saturating_add(margin)))
            }
            _ => None,
        }
    }

    fn numbers<T: ArrowPrimitiveType>(&mut self, array: &dyn Array, times: &mut Vec<i64>)
    where
        T::Native: TryInto<i64>,
    {
        let array: &PrimitiveArray<T> = array.as_primitive();
        let start = times.len();
        let values = array.values().iter().map(|v| (*v).try_into().unwrap_or(NO_TIME));
        match self.unit {
            Unit::Times(1) => times.extend(values),
            Unit::Times(factor) => {
                times.extend(values.map(|v| v.checked_mul(factor).unwrap_or(NO_TIME)));
            }
            Unit::DividedBy(divisor) => times.extend(values.map(|v| match v {
                NO_TIME => NO_TIME,
                v => v.div_euclid(divisor),
            })),
            Unit::Text => times.extend(values.map(|_| NO_TIME)),
        }
        let times = &mut times[start..];
        for row in 0..if array.null_count() > 0 { times.len() } else { 0 } {
            if array.is_null(row) {
                times[row] = NO_TIME;
            }
        }
        for time in times {
            *time = match (*time, &mut self.zone) {
                (NO_TIME | i64::MAX, _) => NO_TIME,
                (local, Zone::Local(zone)) => zone.instant(local),
                (utc, Zone::Utc | Zone::Unknown) => utc,
            };
        }
    }

    fn texts(&mut self, array: &dyn Array, times: &mut Vec<i64>) -> Result<(), Error> {
        for text in array.as_string::<i32>() {
            times.push(text.map_or(Ok(NO_TIME), |text| self.text(text.trim()))?);
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<i64, Error> {
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Ok(micros(instant));
        }
        let Ok(local) = text.parse::<DateTime>() else { return Ok(NO_TIME) };
        let Ok(as_utc) = Offset::UTC.to_timestamp(local) else { return Ok(NO_TIME) };
        match &mut self.zone {
            Zone::Utc => Ok(micros(as_utc)),
            Zone::Local(zone) => Ok(zone.instant(micros(as_utc))),
            Zone::Unknown => Err(Error::invalid(format!(
                "the time `{text}` has no zone in the column: `{}`",
                self.column
            ))
            .with_hint(ZONE_HINT)),
        }
    }
}

const ZONE_HINT: &str =
    "write `zone = \"UTC\"`, or the zone it is in, such as `zone = \"America/New_York\"`";

fn of_unit(unit: &TimeUnit) -> Unit {
    match unit {
        TimeUnit::Second => Unit::Times(1_000_000),
        TimeUnit::Millisecond => Unit::Times(1000),
        TimeUnit::Microsecond => Unit::Times(1),
        TimeUnit::Nanosecond => Unit::DividedBy(1000),
    }
}

fn micros(instant: Timestamp) -> i64 {
    // The range of `Timestamp` is far smaller than that of 64 bits of microseconds.
    instant.as_nanosecond().div_euclid(1000) as i64
}

/// The zone of a name; names come from the database built in, so that a zone means the same on
/// every machine.
fn zone_named(name: &str) -> Result<Zone, Error> {
    if ["UTC", "Z", "Etc/UTC"].iter().any(|utc| name.eq_ignore_ascii_case(utc)) {
        return Ok(Zone::Utc);
    }
    if let Some(offset) = offset_named(name) {
        return Ok(Zone::Local(Box::new(LocalZone::new(TimeZone::fixed(offset)))));
    }
    let database = TimeZoneDatabase::bundled();
    match database.get(name) {
        Ok(zone) => Ok(Zone::Local(Box::new(LocalZone::new(zone)))),
        Err(_) => {
            let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
            let hint = crate::error::names_hint(name, "zones", names.iter().map(String::as_str));
            Err(Error::invalid(format!("no such zone: `{name}`")).with_hint(hint))
        }
    }
}

/// `+02:00`, `-0330` or `+02`.
fn offset_named(name: &str) -> Option<Offset> {
    let (sign, digits) = match name.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replacen(':', "", 1);
    let is_digits = digits.bytes().all(|b| b.is_ascii_digit());
    let (hours, minutes) = match digits.len() {
        2 if is_digits => (digits.parse().ok()?, 0),
        4 if is_digits => (digits[..2].parse::<i32>().ok()?, digits[2..].parse::<i32>().ok()?),
        _ => return None,
    };
    (minutes < 60).then(|| Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok())?
}

/// A zone, and the stretch of local time around the last question in which its offset is constant.
#[derive(Debug, Clone)]
struct LocalZone {
    zone: TimeZone,
    /// From (included), to (excluded), both in local microseconds, and the offset between.
    stretch: (i64, i64, i64),
}

impl LocalZone {
    fn new(zone: TimeZone) -> Self {
        Self { zone, stretch: (0, 0, 0) }
    }

    /// The instant of a local time, both in microseconds.
    fn instant(&mut self, local: i64) -> i64 {
        let (from, to, offset) = self.stretch;
        if (from..to).contains(&local) {
            return local - offset;
        }
        let Ok(as_utc) = Timestamp::from_microsecond(local) else { return NO_TIME };
        let civil = Offset::UTC.to_datetime(as_utc);
        let Ok(instant) = self.zone.to_ambiguous_timestamp(civil).compatible() else {
            return NO_TIME;
        };
        self.stretch = self.stretch_around(instant);
        micros(instant)
    }

    /// Local times near a change of the offset may mean two instants or none: those are left out,
    /// on either side by the larger of the two offsets.
    fn stretch_around(&self, instant: Timestamp) -> (i64, i64, i64) {
        let seconds = |offset: Offset| i64::from(offset.seconds()) * 1_000_000;
        let offset = seconds(self.zone.to_offset(instant));
        let just_after =
            instant.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(instant);
        let from = self.zone.preceding(just_after).next().map_or(i64::MIN, |change| {
            let moment = change.timestamp();
            let before = moment.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap_or(moment);
            micros(moment) + offset.max(seconds(self.zone.to_offset(before)))
        });
        let to = self.zone.following(instant).next().map_or(i64::MAX, |change| {
            micros(change.timestamp()) + offset.min(seconds(change.offset()))
        });
        // Near the ends of the calendar every time is asked for by itself, so that the answer never
        // depends on the question before.
        let first = micros(Timestamp::MIN) + 2 * LARGEST_OFFSET_MICROS;
        let last = micros(Timestamp::MAX) - 2 * LARGEST_OFFSET_MICROS;
        (from.max(first), to.min(last), offset)
    }
}

#[cfg(test)]
mod tests;
