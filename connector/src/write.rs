//! Writes one Parquet file on the local disk, whole or not at all.

use crate::Error;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::path::Path;

/// Writes `rows` to `path`, replacing what is there.
///
/// # Errors
/// If the folder cannot be written to, or the disk is full or fails.
pub fn parquet(path: &Path, rows: &RecordBatch) -> Result<(), Error> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let failed = |error: std::io::Error| Error::disk("cannot write rows to", path, error);
    let file = tempfile::Builder::new().prefix(".rows-").tempfile_in(folder).map_err(failed)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let written =
        ArrowWriter::try_new(file, rows.schema(), Some(properties)).and_then(|mut writer| {
            writer.write(rows)?;
            writer.into_inner()
        });
    let file = written.map_err(|error| failed(std::io::Error::other(error)))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
