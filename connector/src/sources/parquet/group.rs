//! One row group, decoded batch by batch: compressed column chunks are held, never decoded ones.

use super::chunk::Chunk;
use super::file::damaged;
use super::projection::FileProjection;
use super::reader::Context;
use super::scan::Group;
use super::time::{NO_TIME, TimeReader};
use crate::error::Error;
use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use parquet::DecodeResult;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};
use parquet::file::metadata::ParquetMetaData;
use std::ops::Range;
use std::sync::Arc;
use trueup_event::Origin;

/// A guess of what a decoded value takes.
const DECODED_BYTES: usize = 16;

/// Decodes the rows of one row group.
#[derive(Debug)]
pub(crate) struct GroupReader<'a> {
    context: &'a Context,
    file: u32,
    number: usize,
    projection: &'a FileProjection,
    time: Option<TimeReader>,
    decoder: ParquetPushDecoder,
    /// The next row in the file.
    row: u64,
    /// Compressed bytes of the columns to decode.
    chunk_bytes: usize,
}

/// The part of a row group to decode.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) file: u32,
    pub(crate) number: usize,
    /// The number of the row group's first row in the file.
    pub(crate) first_row: u64,
    /// Rows of the row group.
    pub(crate) rows: Range<usize>,
    /// Rows in the whole row group.
    pub(crate) row_count: usize,
}

impl<'a> GroupReader<'a> {
    /// A reader of these rows, as `projection` says.
    pub(crate) fn new(
        context: &'a Context,
        projection: &'a FileProjection,
        footer: &Arc<ParquetMetaData>,
        part: &Part,
        batch_rows: usize,
    ) -> Result<Self, Error> {
        let label = context.label(part.file, part.number);
        let (metadata, mask) = projection.reader(footer, &label)?;
        let columns = footer.row_group(part.number).columns().iter().enumerate();
        let chunk_bytes = columns
            .filter(|(leaf, _)| mask.leaf_included(*leaf))
            .map(|(_, column)| column.compressed_size() as usize)
            .sum();
        let mut builder = ParquetPushDecoderBuilder::new_with_metadata(metadata)
            .with_row_groups(vec![part.number])
            .with_projection(mask)
            .with_batch_size(batch_rows);
        if part.rows != (0..part.row_count) {
            let rows = std::iter::once(part.rows.clone());
            builder = builder
                .with_row_selection(RowSelection::from_consecutive_ranges(rows, part.row_count));
        }
        let decoder =
            builder.build().map_err(|e| damaged("cannot read the row group", &label, e))?;
        Ok(Self {
            context,
            file: part.file,
            number: part.number,
            projection,
            time: projection.time_reader(),
            decoder,
            row: part.first_row + part.rows.start as u64,
            chunk_bytes,
        })
    }

    /// A reader of the rows that a reading takes from a row group.
    pub(crate) fn open(context: &'a Context, group: &Group) -> Result<Self, Error> {
        let file = &context.data.files[group.part.file as usize];
        let footer = context.io.wait(file.footer())?;
        let projection = &context.projections[group.part.file as usize];
        Self::new(context, projection, &footer, &group.part, context.batch_rows)
    }

    /// Gives the decoder bytes that were fetched before it asked for them.
    pub(crate) fn push(&mut self, ranges: Vec<Range<u64>>, bytes: Vec<Bytes>) -> Result<(), Error> {
        let pushed = self.decoder.push_ranges(ranges, bytes);
        pushed.map_err(|error| self.damaged(error))
    }

    /// The next decoded batch, and the number in the file of its first row.
    pub(crate) fn next_decoded(&mut self) -> Result<Option<(u64, RecordBatch)>, Error> {
        self.context.progress.at(self.file, self.number);
        loop {
            if self.context.io.is_stopped() {
                return Err(crate::io::stopped());
            }
            match self.decoder.try_decode().map_err(|error| self.damaged(error))? {
                DecodeResult::NeedsData(ranges) => {
                    let file = &self.context.data.files[self.file as usize];
                    let bytes = self.context.io.wait(file.fetch(&ranges))?;
                    self.push(ranges, bytes)?;
                }
                DecodeResult::Data(batch) if batch.num_rows() == 0 => {}
                DecodeResult::Data(batch) => {
                    let first = self.row;
                    self.row += batch.num_rows() as u64;
                    return Ok(Some((first, batch)));
                }
                DecodeResult::Finished => return Ok(None),
            }
        }
    }

    /// The next rows that have a time in the range asked for, in the order of the file.
    pub(crate) fn next(&mut self) -> Result<Option<Chunk>, Error> {
        while let Some((first, decoded)) = self.next_decoded()? {
            let mut times = Vec::with_capacity(decoded.num_rows());
            if let Some(reader) = &mut self.time {
                reader.read(&self.projection.times(&decoded)?, &mut times)?;
            }
            let rows = self.projection.adapt(&decoded)?;
            let origin = |row: usize| Origin::new(self.file, first + row as u64);
            let is_wanted = |time: &i64| *time != NO_TIME && self.context.range.contains(time);
            if times.iter().all(is_wanted) {
                let origins = (0..times.len()).map(origin).collect();
                return Ok(Some(Chunk { times, origins, rows }));
            }
            let mask: Vec<bool> = times.iter().map(is_wanted).collect();
            let origins: Vec<Origin> =
                (0..times.len()).filter(|row| mask[*row]).map(origin).collect();
            times.retain(is_wanted);
            if !times.is_empty() {
                let rows = filter_record_batch(&rows, &BooleanArray::from(mask))
                    .map_err(|error| Error::invalid("cannot choose rows").caused_by(error))?;
                return Ok(Some(Chunk { times, origins, rows }));
            }
        }
        Ok(None)
    }

    /// The memory that decoding takes: compressed column chunks, and about one batch.
    pub(crate) fn memory_bytes(&self, group: &Group) -> usize {
        let batch_rows = group.part.rows.len().min(self.context.batch_rows);
        self.chunk_bytes + batch_rows * self.projection.column_count() * DECODED_BYTES
    }

    fn damaged(&self, error: parquet::errors::ParquetError) -> Error {
        damaged("cannot decode the row group", &self.context.label(self.file, self.number), error)
    }
}
