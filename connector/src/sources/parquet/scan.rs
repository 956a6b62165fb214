//! The first pass: the time column alone, to learn each row group's range and order.
//!
//! Statistics in footers say nothing about order, and may be absent; so the column is read, once.
//! They are used only to leave out row groups that lie wholly before or after the range asked for,
//! and only where they say that no time is null: rows without a time are reported by every reading,
//! whatever its range.

use super::file::DataFile;
use super::group::{GroupReader, Part};
use super::projection::FileProjection;
use super::reader::Context;
use super::time::NO_TIME;
use crate::error::Error;
use crate::request::NullTime;
use arrow::array::Array;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::ParquetMetaData;
use std::ops::Range;
use std::sync::Arc;
use trueup_event::{DeadLetter, EventTime, Origin, PartitionId, Place, Reason};

/// How many row groups of a file are fetched together.
const UNIT_GROUPS: usize = 16;

/// How many such fetches are under way at once.
const FETCHES: usize = 6;

/// How many rows of the time column are decoded at once.
const DECODE_ROWS: usize = 16 << 10;

/// A row group that holds rows in the range asked for.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The part from the first such row to the last.
    pub(crate) part: Part,
    /// The lowest event time of these rows, in microseconds.
    pub(crate) min: i64,
    /// The highest.
    pub(crate) max: i64,
    /// Whether these rows are in order.
    pub(crate) order: Order,
    /// How many rows are in the range.
    pub(crate) row_count: u64,
}

/// Whether the rows of a row group are in event-time order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    None,
}

/// What the first pass found.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    /// Ascending by lowest time.
    pub(crate) groups: Vec<Group>,
    /// Events before the range: the ordinal of the first event in it.
    pub(crate) before: u64,
}

/// Bytes that the decoder will ask for; none where the time is not in the file.
type Fetched = Option<(Range<u64>, Bytes)>;

/// Some row groups of a file, with the bytes of their time columns.
struct Unit {
    file: u32,
    footer: Arc<ParquetMetaData>,
    groups: Vec<(Part, Fetched)>,
    /// Rows of row groups left out that lie before the range.
    before: u64,
}

/// Scans all files. Rows without a time go to `dead`, in the order of the files.
pub(crate) fn scan(
    context: &Context,
    projections: &[FileProjection],
    dead: &mut dyn FnMut(DeadLetter) -> Result<(), Error>,
) -> Result<Scanned, Error> {
    let mut scanned = Scanned::default();
    let units = units(&context.data.files);
    let fetch = |(file, groups): (u32, Range<usize>)| fetch(context, projections, file, groups);
    let mut fetched = std::pin::pin!(stream::iter(units).map(fetch).buffered(FETCHES));
    while let Some(unit) = context.io.wait(fetched.try_next())? {
        scanned.before += unit.before;
        for (part, bytes) in unit.groups {
            let projection = &projections[unit.file as usize];
            let mut reader =
                GroupReader::new(context, projection, &unit.footer, &part, DECODE_ROWS)?;
            if let Some((range, bytes)) = bytes {
                reader.push(vec![range], vec![bytes])?;
            }
            let mut fold = Fold::new(context, part);
            fold.all(reader, projection, dead)?;
            scanned.before += fold.before;
            scanned.groups.extend(fold.group());
        }
    }
    let place = |group: &Group| (group.min, group.part.file, group.part.number);
    scanned.groups.sort_by_key(place);
    Ok(scanned)
}

/// The non-empty row groups of each file, a few at a time.
fn units(files: &[DataFile]) -> Vec<(u32, Range<usize>)> {
    let mut units = Vec::new();
    for (number, file) in files.iter().enumerate() {
        for start in (0..file.row_groups.len()).step_by(UNIT_GROUPS) {
            let end = file.row_groups.len().min(start + UNIT_GROUPS);
            units.push((number as u32, start..end));
        }
    }
    units
}

async fn fetch(
    context: &Context,
    projections: &[FileProjection],
    number: u32,
    groups: Range<usize>,
) -> Result<Unit, Error> {
    let file = &context.data.files[number as usize];
    let projection = &projections[number as usize];
    let footer = file.footer().await?;
    let bounds = match context.is_bounded() {
        true => bounds(projection, &footer, groups.clone()),
        false => vec![None; groups.len()],
    };
    let mut unit = Unit { file: number, footer, groups: Vec::new(), before: 0 };
    let mut first_row: u64 = file.row_groups[..groups.start].iter().sum();
    for (group, bounds) in groups.zip(bounds) {
        let row_count = file.row_groups[group];
        match bounds {
            _ if row_count == 0 => {}
            Some((_, high)) if high < context.range.start => unit.before += row_count,
            Some((low, _)) if low >= context.range.end => {}
            Some(_) | None => {
                let rows = 0..row_count as usize;
                let row_count = rows.end;
                let part = Part { file: number, number: group, first_row, rows, row_count };
                unit.groups.push((part, None));
            }
        }
        first_row += row_count;
    }
    if let Some(leaf) = projection.time_root().and_then(|root| leaf_of(&unit.footer, root)) {
        let range_of = |group: usize| {
            let (start, length) = unit.footer.row_group(group).column(leaf).byte_range();
            start..start + length
        };
        let ranges: Vec<_> = unit.groups.iter().map(|(part, _)| range_of(part.number)).collect();
        let bytes = file.fetch(&ranges).await?;
        for ((slot, range), bytes) in unit.groups.iter_mut().zip(ranges).zip(bytes) {
            slot.1 = Some((range, bytes));
        }
    }
    Ok(unit)
}

/// The one leaf of a column that is not nested.
fn leaf_of(footer: &ParquetMetaData, root: usize) -> Option<usize> {
    let described = footer.file_metadata().schema_descr();
    (0..described.num_columns()).find(|leaf| described.get_column_root_idx(*leaf) == root)
}

/// The bounds that statistics give row groups, where they can be relied on.
fn bounds(
    projection: &FileProjection,
    footer: &ParquetMetaData,
    groups: Range<usize>,
) -> Vec<Option<(i64, i64)>> {
    let unknown = vec![None; groups.len()];
    let Some((root, reader)) = projection.time_root().zip(projection.time_reader()) else {
        return unknown;
    };
    let schema = projection.decoded_schema();
    let described = footer.file_metadata().schema_descr();
    let name = schema.field(root).name();
    let Ok(converter) = StatisticsConverter::try_new(name, schema, described) else {
        return unknown;
    };
    let converter = converter.with_missing_null_counts_as_zero(false);
    let of = || footer.row_groups()[groups.clone()].iter();
    let (Ok(low), Ok(high), Ok(nulls)) = (
        converter.row_group_mins(of()),
        converter.row_group_maxes(of()),
        converter.row_group_null_counts(of()),
    ) else {
        return unknown;
    };
    let bounds_of = |at: usize| {
        let is_full = nulls.is_valid(at) && nulls.value(at) == 0;
        let is_known = is_full && low.is_valid(at) && high.is_valid(at);
        is_known.then(|| reader.bounds(&low.slice(at, 1), &high.slice(at, 1))).flatten()
    };
    (0..groups.len()).map(bounds_of).collect()
}

/// What is known of a row group so far.
struct Fold<'a> {
    context: &'a Context,
    part: Part,
    before: u64,
    row_count: u64,
    min: i64,
    max: i64,
    last: i64,
    order: Order,
    rows: Range<usize>,
}

impl<'a> Fold<'a> {
    fn new(context: &'a Context, part: Part) -> Self {
        let (min, max, last) = (i64::MAX, i64::MIN, i64::MIN);
        let (order, rows) = (Order::Ascending, 0..0);
        Self { context, part, before: 0, row_count: 0, min, max, last, order, rows }
    }

    fn all(
        &mut self,
        mut reader: GroupReader<'_>,
        projection: &FileProjection,
        dead: &mut dyn FnMut(DeadLetter) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(mut time) = projection.time_reader() else { return Ok(()) };
        let mut times = Vec::new();
        while let Some((first, decoded)) = reader.next_decoded()? {
            let array = projection.times(&decoded)?;
            times.clear();
            time.read(&array, &mut times)?;
            let start = (first - self.part.first_row) as usize;
            for (row, &micros) in times.iter().enumerate() {
                if micros != NO_TIME {
                    self.add(start + row, micros);
                } else if array.is_null(row) && self.context.null_time == NullTime::Skip {
                    self.context.progress.skip_one();
                } else {
                    dead(self.letter(first + row as u64, time.why(&array, row)))?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, row: usize, micros: i64) {
        if micros < self.context.range.start {
            self.before += 1;
        } else if micros < self.context.range.end {
            if micros < self.last {
                self.order = Order::None;
            }
            self.last = micros;
            self.min = self.min.min(micros);
            self.max = self.max.max(micros);
            let start = if self.row_count == 0 { row } else { self.rows.start };
            self.rows = start..row + 1;
            self.row_count += 1;
        }
    }

    fn letter(&self, row: u64, detail: std::borrow::Cow<'static, str>) -> DeadLetter {
        let (stream, partition) = (self.context.stream, PartitionId(0));
        DeadLetter {
            place: Place { stream, partition, offset: 0 },
            origin: Origin::new(self.part.file, row),
            time: None::<EventTime>,
            reason: Reason::Malformed,
            detail,
        }
    }

    fn group(self) -> Option<Group> {
        let Self { part, row_count, min, max, order, rows, .. } = self;
        let part = Part { rows, ..part };
        (row_count > 0).then_some(Group { part, min, max, order, row_count })
    }
}
