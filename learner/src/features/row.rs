//! Features of one request: the same functions as for columns, on values given by name.

use super::clock::{self, Moment};
use super::scalar::{Canonical, Refusal, bucket, finite, signed_log};
use super::{Category, CategorySource, FeatureSet, NaiveTime, NumberShape, ZoneSource};

/// A value of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A text; as a time, an RFC 3339 text.
    Text(&'a str),
    /// An integer.
    Integer(i64),
    /// A float.
    Number(f64),
    /// A boolean; as a number, 0 or 1.
    Boolean(bool),
    /// A point in time, in microseconds since 1970-01-01T00:00:00Z.
    TimeMicros(i64),
    /// A local calendar day, in days since 1970-01-01.
    DateDays(i32),
}

type Lookup<'l, 'v> = &'l dyn Fn(&str) -> Option<Value<'v>>;

impl FeatureSet {
    /// The features of one request: writes the hashes of the categories, and the numbers, each in
    /// declared order, in place of what the buffers held. `lookup` gives a column's value; `None`
    /// is null, as is a column not sent.
    ///
    /// # Errors
    /// When a value cannot serve its feature: the same refusals as [`FeatureSet::bind`], and values
    /// of the wrong type.
    pub fn bind_row<'v>(
        &self,
        lookup: &dyn Fn(&str) -> Option<Value<'v>>,
        categories: &mut Vec<u64>,
        numbers: &mut Vec<f64>,
    ) -> Result<(), Refusal> {
        categories.clear();
        numbers.clear();
        for category in &self.categories {
            categories.push(self.category(category, lookup)?.hash());
        }
        for feature in &self.numbers {
            let value = number(&feature.column, lookup)?.map(|value| match feature.shape {
                NumberShape::Plain => value,
                NumberShape::Log => signed_log(value),
            });
            numbers.push(value.unwrap_or(f64::NAN));
        }
        Ok(())
    }

    fn category<'v>(
        &self,
        category: &Category,
        lookup: Lookup<'_, 'v>,
    ) -> Result<Canonical<'v>, Refusal> {
        match &category.source {
            CategorySource::Column { column } => match lookup(column) {
                None => Ok(Canonical::Missing),
                Some(value) => plain(column, value),
            },
            CategorySource::Bucket { column, edges } => {
                let value = number(column, lookup)?;
                Ok(value.map_or(Canonical::Missing, |value| bucket(edges, value)))
            }
            CategorySource::Geohash { latitude, longitude, precision } => {
                let places = number(latitude, lookup)?.zip(number(longitude, lookup)?);
                places.map_or(Ok(Canonical::Missing), |(north, east)| {
                    super::geohash::cell((latitude, north), (longitude, east), *precision)
                })
            }
            CategorySource::Clock { part, time, zone } => {
                let Some(moment) = self.moment(time, lookup)? else {
                    return Ok(Canonical::Missing);
                };
                let seconds = match zone {
                    ZoneSource::Named(zone) => moment.local_seconds(zone),
                    ZoneSource::Column(column) => match zone_of(column, lookup)? {
                        None => return Ok(Canonical::Missing),
                        Some(zone) => moment.local_seconds(&zone),
                    },
                };
                Ok(part.of(seconds))
            }
        }
    }

    fn moment(&self, column: &str, lookup: Lookup<'_, '_>) -> Result<Option<Moment>, Refusal> {
        let moment = match lookup(column) {
            None => return Ok(None),
            Some(Value::TimeMicros(micros)) => Moment::instant(column, Some(micros)),
            Some(Value::DateDays(days)) => Ok(Moment::Day(days)),
            Some(Value::Text(text)) => self.parse_time(column, text),
            Some(value @ (Value::Integer(_) | Value::Number(_) | Value::Boolean(_))) => {
                Err(wrong_type(column, "a time", value))
            }
        };
        moment.map(Some)
    }

    pub(super) fn parse_time(&self, column: &str, text: &str) -> Result<Moment, Refusal> {
        match self.naive {
            NaiveTime::Refused => Moment::parse(column, text),
            NaiveTime::Utc => Moment::parse_as_utc(column, text),
        }
    }
}

fn plain<'v>(column: &str, value: Value<'v>) -> Result<Canonical<'v>, Refusal> {
    match value {
        Value::Text(text) => Ok(Canonical::Text(text)),
        Value::Integer(value) => Ok(Canonical::Integer(value.into())),
        Value::Boolean(value) => Ok(Canonical::Boolean(value.into())),
        Value::DateDays(days) => Ok(Canonical::Date(days)),
        Value::Number(_) | Value::TimeMicros(_) => Err(wrong_type(column, "a category", value)),
    }
}

fn number(column: &str, lookup: Lookup<'_, '_>) -> Result<Option<f64>, Refusal> {
    match lookup(column) {
        None => Ok(None),
        Some(Value::Integer(value)) => Ok(Some(value as f64)),
        Some(Value::Number(value)) => finite(column, value).map(Some),
        Some(Value::Boolean(value)) => Ok(Some(f64::from(u8::from(value)))),
        Some(value @ (Value::Text(_) | Value::TimeMicros(_) | Value::DateDays(_))) => {
            Err(wrong_type(column, "a number", value))
        }
    }
}

fn zone_of(column: &str, lookup: Lookup<'_, '_>) -> Result<Option<jiff::tz::TimeZone>, Refusal> {
    match lookup(column) {
        None => Ok(None),
        Some(Value::Text(name)) => clock::zone_in(column, name).map(Some),
        Some(value) => Err(wrong_type(column, "the name of a time zone", value)),
    }
}

fn wrong_type(column: &str, expected: &str, value: Value<'_>) -> Refusal {
    let found = match value {
        Value::Text(_) => "a text",
        Value::Integer(_) => "an integer",
        Value::Number(_) => "a float",
        Value::Boolean(_) => "a boolean",
        Value::TimeMicros(_) => "a time",
        Value::DateDays(_) => "a date",
    };
    Refusal::malformed(format!("value cannot serve as {expected}, being {found}: `{column}`"))
}
