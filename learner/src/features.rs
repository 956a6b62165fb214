//! Derived features: a closed set of functions of an event's columns, declared in a definition,
//! stored in the artifact, and computed by the same code in replay ([`FeatureSet::bind`], columns)
//! and in serving ([`FeatureSet::bind_row`], one request).
//!
//! A category is a 64-bit hash of its canonical text: texts as they are, integers in decimal,
//! `true` and `false`, dates as `2013-01-01`. A number is an `f64` in which NaN means missing. Time
//! zones come from the database bundled at build time, never from the machine. Hashes are not told
//! apart from each other here, and nothing is scaled: that is the learner's affair.

mod bind;
mod clock;
mod column;
mod error;
mod geohash;
mod row;
mod scalar;

pub use bind::{BoundFeatures, RefusedRow};
pub use error::{BindError, InvalidFeature};
pub use row::Value;
pub use scalar::{MISSING, Refusal};

use clock::ClockPart;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// A feature as a definition declares it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureSpec {
    /// Its name, unique in the definition.
    pub name: String,
    /// What it is computed from, and how.
    pub kind: FeatureKind,
}

/// The closed set of features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureKind {
    /// Category: the value of a text, integer, boolean or date column.
    Category {
        /// The column.
        column: String,
    },
    /// Number: the value of a column, which is finite.
    Number {
        /// The column.
        column: String,
    },
    /// Category: the local hour of the week; Monday 00:00 is 0, Sunday 23:00 is 167.
    HourOfWeek {
        /// The column of a time.
        time: String,
        /// Where it is local.
        zone: Zone,
    },
    /// Category: the local hour of the day, 0 to 23.
    HourOfDay {
        /// The column of a time.
        time: String,
        /// Where it is local.
        zone: Zone,
    },
    /// Category: the local day of the week; Monday is 0.
    DayOfWeek {
        /// The column of a time.
        time: String,
        /// Where it is local.
        zone: Zone,
    },
    /// Category: the geohash cell of a place (Niemeyer, 2008).
    Geohash {
        /// The column of latitudes in degrees, -90 to 90.
        latitude: String,
        /// The column of longitudes in degrees, -180 to 180.
        longitude: String,
        /// The number of characters, 1 to 12.
        precision: u8,
    },
    /// Category: how many of the ascending edges a number has reached.
    Bucket {
        /// The column.
        column: String,
        /// The lowest value of each bucket but the first.
        edges: Vec<f64>,
    },
    /// Number: `sign(x) ln(1 + |x|)`.
    Log {
        /// The column.
        column: String,
    },
}

/// Where a time is local.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Zone {
    /// Everywhere the same: an IANA name such as `America/New_York`.
    Named(String),
    /// Per event: the column that holds the IANA name.
    Column(String),
}

/// The features of a definition, checked and ready to be computed.
#[derive(Debug, Clone)]
pub struct FeatureSet {
    specs: Vec<FeatureSpec>,
    categories: Vec<Category>,
    numbers: Vec<Number>,
    naive: NaiveTime,
}

/// What a timestamp without a zone means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NaiveTime {
    Refused,
    Utc,
}

#[derive(Debug, Clone)]
struct Category {
    name: String,
    source: CategorySource,
}

#[derive(Debug, Clone)]
enum CategorySource {
    Column { column: String },
    Clock { part: ClockPart, time: String, zone: ZoneSource },
    Geohash { latitude: String, longitude: String, precision: u8 },
    Bucket { column: String, edges: Vec<f64> },
}

#[derive(Debug, Clone)]
enum ZoneSource {
    Named(TimeZone),
    Column(String),
}

#[derive(Debug, Clone)]
struct Number {
    name: String,
    column: String,
    shape: NumberShape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NumberShape {
    Plain,
    Log,
}

impl FeatureSet {
    /// Checks the features and sorts them into categories and numbers, each in the order given.
    ///
    /// # Errors
    /// When two features share a name, a precision or edges are out of range, or a zone is unknown.
    pub fn new(specs: Vec<FeatureSpec>) -> Result<Self, InvalidFeature> {
        let (mut categories, mut numbers) = (Vec::new(), Vec::new());
        for (index, FeatureSpec { name, kind }) in specs.iter().enumerate() {
            if specs[..index].iter().any(|other| other.name == *name) {
                return Err(InvalidFeature::SameName { feature: name.clone() });
            }
            let mut number = |column: &String, shape| {
                numbers.push(Number { name: name.clone(), column: column.clone(), shape });
            };
            let source = match kind {
                FeatureKind::Number { column } => {
                    number(column, NumberShape::Plain);
                    continue;
                }
                FeatureKind::Log { column } => {
                    number(column, NumberShape::Log);
                    continue;
                }
                FeatureKind::Category { column } => {
                    CategorySource::Column { column: column.clone() }
                }
                FeatureKind::HourOfWeek { time, zone } => {
                    clock(name, ClockPart::HourOfWeek, time, zone)?
                }
                FeatureKind::HourOfDay { time, zone } => {
                    clock(name, ClockPart::HourOfDay, time, zone)?
                }
                FeatureKind::DayOfWeek { time, zone } => {
                    clock(name, ClockPart::DayOfWeek, time, zone)?
                }
                FeatureKind::Geohash { latitude, longitude, precision } => {
                    geohash_source(name, latitude, longitude, *precision)?
                }
                FeatureKind::Bucket { column, edges } => bucket_source(name, column, edges)?,
            };
            categories.push(Category { name: name.clone(), source });
        }
        Ok(Self { specs, categories, numbers, naive: NaiveTime::Refused })
    }

    /// Takes timestamps without a zone as UTC, instead of refusing their column.
    #[must_use]
    pub fn assume_utc(mut self) -> Self {
        self.naive = NaiveTime::Utc;
        self
    }

    /// The features as declared.
    #[must_use]
    pub fn specs(&self) -> &[FeatureSpec] {
        &self.specs
    }

    /// The names of the categories, in the order of [`BoundFeatures::categories`].
    pub fn category_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.categories.iter().map(|category| category.name.as_str())
    }

    /// The names of the numbers, in the order of [`BoundFeatures::numbers`].
    pub fn number_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.numbers.iter().map(|number| number.name.as_str())
    }

    /// The columns that the features are computed from, sorted, each once.
    #[must_use]
    pub fn columns_needed(&self) -> Vec<&str> {
        let mut columns: Vec<&str> = self.numbers.iter().map(|n| n.column.as_str()).collect();
        for category in &self.categories {
            match &category.source {
                CategorySource::Column { column } | CategorySource::Bucket { column, .. } => {
                    columns.push(column);
                }
                CategorySource::Geohash { latitude, longitude, .. } => {
                    columns.extend([latitude.as_str(), longitude]);
                }
                CategorySource::Clock { time, zone, .. } => {
                    columns.push(time);
                    if let ZoneSource::Column(column) = zone {
                        columns.push(column);
                    }
                }
            }
        }
        columns.sort_unstable();
        columns.dedup();
        columns
    }
}

fn clock(
    feature: &str,
    part: ClockPart,
    time: &str,
    zone: &Zone,
) -> Result<CategorySource, InvalidFeature> {
    let zone = match zone {
        Zone::Column(column) => ZoneSource::Column(column.clone()),
        Zone::Named(name) => match clock::zone_named(name) {
            Some(zone) => ZoneSource::Named(zone),
            None => {
                let (feature, zone) = (feature.to_owned(), name.clone());
                return Err(InvalidFeature::UnknownZone { feature, zone });
            }
        },
    };
    Ok(CategorySource::Clock { part, time: time.to_owned(), zone })
}

fn geohash_source(
    feature: &str,
    latitude: &str,
    longitude: &str,
    precision: u8,
) -> Result<CategorySource, InvalidFeature> {
    if !(1..=geohash::PRECISION_MAX).contains(&precision) {
        return Err(InvalidFeature::Precision { feature: feature.to_owned(), precision });
    }
    let (latitude, longitude) = (latitude.to_owned(), longitude.to_owned());
    Ok(CategorySource::Geohash { latitude, longitude, precision })
}

fn bucket_source(
    feature: &str,
    column: &str,
    edges: &[f64],
) -> Result<CategorySource, InvalidFeature> {
    let ascend = edges.windows(2).all(|pair| pair[0] < pair[1]);
    if edges.is_empty() || !ascend || !edges.iter().all(|edge| edge.is_finite()) {
        let (feature, edges) = (feature.to_owned(), edges.to_vec());
        return Err(InvalidFeature::Edges { feature, edges });
    }
    Ok(CategorySource::Bucket { column: column.to_owned(), edges: edges.to_vec() })
}

#[cfg(test)]
mod tests;
