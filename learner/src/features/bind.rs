//! Features of a batch, column by column.

use super::clock::{self, ClockPart, Moment, ZoneClock};
use super::column::{self, Indirect, Texts};
use super::error::{BindError, Expected};
use super::scalar::{Canonical, MISSING, Refusal, bucket, finite, signed_log};
use super::{Category, CategorySource, FeatureSet, NaiveTime, NumberShape, ZoneSource};
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use std::borrow::Cow;
use std::collections::BTreeMap;
use trueup_event::Reason;

/// The features of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundFeatures {
    /// Per category, the hash of each row's value; [`super::MISSING`] where null.
    pub categories: Vec<Vec<u64>>,
    /// Per number, each row's value; NaN where null.
    pub numbers: Vec<Vec<f64>>,
    /// Rows that must not be used, in ascending order, each once with its first refusal.
    pub refused: Vec<RefusedRow>,
}

/// A row whose features could not be computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// The row in the batch.
    pub row: usize,
    /// Malformed or not finite.
    pub reason: Reason,
    /// What exactly was wrong, and with which column.
    pub detail: Cow<'static, str>,
}

impl FeatureSet {
    /// Computes the features of a batch.
    ///
    /// # Errors
    /// When a column is missing or its type cannot serve. What is wrong with single rows is in
    /// [`BoundFeatures::refused`].
    pub fn bind(&self, batch: &RecordBatch) -> Result<BoundFeatures, BindError> {
        let mut refused = Vec::new();
        let mut categories = Vec::with_capacity(self.categories.len());
        for category in &self.categories {
            categories.push(self.hashes(batch, category, &mut refused)?);
        }
        let mut numbers = Vec::with_capacity(self.numbers.len());
        for feature in &self.numbers {
            let source = Source { batch, feature: &feature.name };
            let mut values = source.numbers(&feature.column, &mut refused)?;
            if feature.shape == NumberShape::Log {
                values.iter_mut().for_each(|value| *value = signed_log(*value));
            }
            numbers.push(values);
        }
        refused.sort_by_key(|refusal: &RefusedRow| refusal.row);
        refused.dedup_by_key(|refusal| refusal.row);
        Ok(BoundFeatures { categories, numbers, refused })
    }

    /// The text of a row's category, for reports: `index` counts as in
    /// [`FeatureSet::category_names`]. `null` where there is none or it cannot be computed.
    ///
    /// # Panics
    /// If `row` is not in the batch or `index` not a category.
    #[must_use]
    pub fn category_text(&self, batch: &RecordBatch, row: usize, index: usize) -> String {
        let category = &self.categories[index];
        let mut text = Canonical::Missing.to_string();
        let mut write = |canonical: Canonical<'_>| text = canonical.to_string();
        let batch = batch.slice(row, 1);
        // A batch that cannot serve was refused by `bind`; there is nothing to show.
        let _ = match &category.source {
            CategorySource::Column { column } => batch.column_by_name(column).and_then(|array| {
                if !matches!(array.data_type(), DataType::Dictionary(..)) {
                    return column::categories(array, write);
                }
                let indirect = Indirect::of(array);
                let value = indirect.values.slice(indirect.place(0)?, 1);
                column::categories(&value, &mut write)
            }),
            CategorySource::Clock { .. }
            | CategorySource::Geohash { .. }
            | CategorySource::Bucket { .. } => {
                self.derived(&batch, category, &mut Vec::new(), write).ok()
            }
        };
        text
    }

    fn hashes(
        &self,
        batch: &RecordBatch,
        category: &Category,
        refused: &mut Vec<RefusedRow>,
    ) -> Result<Vec<u64>, BindError> {
        if let CategorySource::Column { column } = &category.source {
            let source = Source { batch, feature: &category.name };
            let array = source.column(column)?;
            return hashes(array).ok_or_else(|| source.wrong(column, array, Expected::Category));
        }
        let mut hashes = Vec::with_capacity(batch.num_rows());
        self.derived(batch, category, refused, |canonical| hashes.push(canonical.hash()))?;
        Ok(hashes)
    }

    /// Gives each row's derived category to `each`, in order: missing where refused.
    fn derived(
        &self,
        batch: &RecordBatch,
        category: &Category,
        refused: &mut Vec<RefusedRow>,
        mut each: impl FnMut(Canonical<'static>),
    ) -> Result<(), BindError> {
        let source = Source { batch, feature: &category.name };
        let mut each = |row: usize, found: Result<Canonical<'static>, Refusal>| {
            each(found.unwrap_or_else(|refusal| {
                refused.push(refusal.at(row));
                Canonical::Missing
            }));
        };
        match &category.source {
            CategorySource::Column { .. } => unreachable!("a plain column is not derived"),
            CategorySource::Bucket { column, edges } => {
                for (row, value) in source.optional_numbers(column)?.into_iter().enumerate() {
                    let bucket = |value| finite(column, value).map(|value| bucket(edges, value));
                    each(row, value.map_or(Ok(Canonical::Missing), bucket));
                }
            }
            CategorySource::Geohash { latitude, longitude, precision } => {
                let north = source.optional_numbers(latitude)?;
                let east = source.optional_numbers(longitude)?;
                for (row, (north, east)) in north.into_iter().zip(east).enumerate() {
                    each(row, place((latitude, north), (longitude, east), *precision));
                }
            }
            CategorySource::Clock { part, time, zone } => {
                let mut unreadable = Vec::new();
                let moments = self.moments(source, time, &mut unreadable)?;
                let mut zones = Zones::new(source, zone)?;
                for (row, moment) in moments.into_iter().enumerate() {
                    let found = moment.map(|moment| on_clock(*part, moment, zones.clock(row)));
                    each(row, found.unwrap_or(Ok(Canonical::Missing)));
                }
                refused.append(&mut unreadable);
            }
        }
        Ok(())
    }

    /// The moments of a column, `None` where null or refused.
    fn moments(
        &self,
        source: Source<'_>,
        column: &str,
        refused: &mut Vec<RefusedRow>,
    ) -> Result<Vec<Option<Moment>>, BindError> {
        let array = source.column(column)?;
        let wrong = || source.wrong(column, array, Expected::Time);
        let is_naive = matches!(array.data_type(), DataType::Timestamp(_, None));
        if is_naive && self.naive == NaiveTime::Refused {
            return Err(wrong());
        }
        let Some(texts) = Texts::of(array) else {
            return column::moments(array, column, refused).ok_or_else(wrong);
        };
        let parse = |row| {
            let parsed = self.parse_time(column, texts.get(row)?);
            parsed.map_err(|refusal| refused.push(refusal.at(row))).ok()
        };
        Ok((0..array.len()).map(parse).collect())
    }
}

/// The batch, and the feature on whose behalf it is read.
#[derive(Debug, Clone, Copy)]
struct Source<'a> {
    batch: &'a RecordBatch,
    feature: &'a str,
}

impl<'a> Source<'a> {
    fn column(self, column: &str) -> Result<&'a ArrayRef, BindError> {
        self.batch.column_by_name(column).ok_or_else(|| BindError::MissingColumn {
            feature: self.feature.to_owned(),
            column: column.to_owned(),
        })
    }

    fn wrong(self, column: &str, array: &dyn Array, expected: Expected) -> BindError {
        BindError::WrongType {
            feature: self.feature.to_owned(),
            column: column.to_owned(),
            found: array.data_type().clone(),
            expected,
        }
    }

    fn optional_numbers(self, column: &str) -> Result<Vec<Option<f64>>, BindError> {
        let array = self.column(column)?;
        column::numbers(array).ok_or_else(|| self.wrong(column, array, Expected::Number))
    }

    /// The numbers of a column, NaN where null or refused.
    fn numbers(self, column: &str, refused: &mut Vec<RefusedRow>) -> Result<Vec<f64>, BindError> {
        let values = self.optional_numbers(column)?.into_iter().enumerate();
        let checked = values.map(|(row, value)| {
            value.map_or(Ok(f64::NAN), |value| finite(column, value)).unwrap_or_else(|refusal| {
                refused.push(refusal.at(row));
                f64::NAN
            })
        });
        Ok(checked.collect())
    }
}

/// Where the rows of a batch are local, with a clock for each distinct zone.
#[derive(Debug)]
enum Zones<'a> {
    Named(ZoneClock),
    Column {
        column: &'a str,
        names: Texts<'a>,
        clocks: BTreeMap<&'a str, Result<ZoneClock, Refusal>>,
    },
}

impl<'a> Zones<'a> {
    fn new(source: Source<'a>, zone: &'a ZoneSource) -> Result<Self, BindError> {
        match zone {
            ZoneSource::Named(zone) => Ok(Self::Named(ZoneClock::new(zone.clone()))),
            ZoneSource::Column(column) => {
                let array = source.column(column)?;
                let names =
                    Texts::of(array).ok_or_else(|| source.wrong(column, array, Expected::Text))?;
                Ok(Self::Column { column, names, clocks: BTreeMap::new() })
            }
        }
    }

    #[inline]
    fn clock(&mut self, row: usize) -> Result<Option<&mut ZoneClock>, Refusal> {
        match self {
            Self::Named(clock) => Ok(Some(clock)),
            Self::Column { column, names, clocks } => {
                let Some(name) = names.get(row) else { return Ok(None) };
                let new = || clock::zone_in(column, name).map(ZoneClock::new);
                clocks.entry(name).or_insert_with(new).as_mut().map(Some).map_err(|e| e.clone())
            }
        }
    }
}

fn hashes(array: &ArrayRef) -> Option<Vec<u64>> {
    if matches!(array.data_type(), DataType::Dictionary(..)) {
        let indirect = Indirect::of(array);
        let distinct = hashes(indirect.values)?;
        let hash = |row| indirect.place(row).map_or(MISSING, |place| distinct[place]);
        return Some((0..array.len()).map(hash).collect());
    }
    let mut hashes = Vec::with_capacity(array.len());
    column::categories(array, |canonical| hashes.push(canonical.hash()))?;
    Some(hashes)
}

fn place(
    latitude: (&str, Option<f64>),
    longitude: (&str, Option<f64>),
    precision: u8,
) -> Result<Canonical<'static>, Refusal> {
    let checked =
        |(column, value): (&str, Option<f64>)| value.map(|value| finite(column, value)).transpose();
    let places = checked(latitude)?.zip(checked(longitude)?);
    places.map_or(Ok(Canonical::Missing), |(north, east)| {
        super::geohash::cell((latitude.0, north), (longitude.0, east), precision)
    })
}

fn on_clock(
    part: ClockPart,
    moment: Moment,
    clock: Result<Option<&mut ZoneClock>, Refusal>,
) -> Result<Canonical<'static>, Refusal> {
    Ok(clock?.map_or(Canonical::Missing, |clock| part.of(clock.local_seconds(moment))))
}
