//! The first rows of a data set, as they stand in its files.

use super::file::{DataFile, damaged};
use super::projection::{FileProjection, Projection};
use crate::dataset::Data;
use crate::error::Error;
use crate::io::Io;
use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use parquet::DecodeResult;
use parquet::arrow::push_decoder::ParquetPushDecoderBuilder;

/// The first `rows` rows, fewer if there are no more.
pub(crate) fn sample(
    data: &Data,
    projection: &Projection,
    rows: usize,
) -> Result<RecordBatch, Error> {
    let io = Io::new()?;
    let mut batches = Vec::new();
    let mut wanted = rows;
    for file in &data.files {
        if wanted == 0 {
            break;
        }
        let of_file = projection.of_file(&data.columns, file.shape())?;
        for batch in first_rows(&io, file, &of_file, wanted)? {
            wanted -= batch.num_rows();
            batches.push(batch);
        }
    }
    concat_batches(&projection.schema, &batches)
        .map_err(|error| Error::invalid("cannot put the sample together").caused_by(error))
}

fn first_rows(
    io: &Io,
    file: &DataFile,
    projection: &FileProjection,
    rows: usize,
) -> Result<Vec<RecordBatch>, Error> {
    let cannot = |error| damaged("cannot decode the file", &file.label, error);
    let footer = io.wait(file.footer())?;
    let (metadata, mask) = projection.reader(&footer, &file.label)?;
    let mut decoder = ParquetPushDecoderBuilder::new_with_metadata(metadata)
        .with_projection(mask)
        .with_batch_size(rows.min(8192))
        .with_limit(rows)
        .build()
        .map_err(cannot)?;
    let mut batches = Vec::new();
    loop {
        match decoder.try_decode().map_err(cannot)? {
            DecodeResult::NeedsData(ranges) => {
                let bytes = io.wait(file.fetch(&ranges))?;
                decoder.push_ranges(ranges, bytes).map_err(cannot)?;
            }
            DecodeResult::Data(batch) => batches.push(projection.adapt(&batch)?),
            DecodeResult::Finished => return Ok(batches),
        }
    }
}
