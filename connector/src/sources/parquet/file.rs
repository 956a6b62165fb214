//! One Parquet file in a store: its footer, its row groups, its bytes by range.
//!
//! Every read names the version that was listed, so that a file which changes while it is read is
//! an error instead of a mixture. Footers are checked before anything is decoded by them.

use crate::error::{Error, ErrorKind};
use crate::location::{Found, percent_decoded};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use object_store::{GetOptions, ObjectMeta, ObjectStore, coalesce_ranges};
use parquet::DecodeResult;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type as Physical;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder,
};
use std::ops::Range;
use std::sync::Arc;

/// How much of a file's end is fetched at first: most footers fit.
const FOOTER_GUESS_BYTES: u64 = 64 << 10;

/// Ranges closer than this are fetched together.
const COALESCE_BYTES: u64 = 256 << 10;

/// A file of a data set.
#[derive(Debug)]
pub(crate) struct DataFile {
    /// As shown to people.
    pub(crate) label: String,
    store: Arc<dyn ObjectStore>,
    meta: ObjectMeta,
    /// `key=value` folders on the way to it, in order.
    pub(crate) partition: Vec<(String, Option<String>)>,
    /// As the file's own Arrow or Parquet schema says.
    pub(crate) schema: SchemaRef,
    /// Rows per row group.
    pub(crate) row_groups: Vec<u64>,
    footer: Option<Arc<ParquetMetaData>>,
}

/// What a file looks like from outside: enough to plan what it contributes to a reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape<'a> {
    /// As shown to people.
    pub(crate) label: &'a str,
    /// `key=value` folders on the way to it, in order.
    pub(crate) partition: &'a [(String, Option<String>)],
    pub(crate) schema: &'a SchemaRef,
}

impl DataFile {
    /// Its label, folders and schema.
    pub(crate) fn shape(&self) -> Shape<'_> {
        Shape { label: &self.label, partition: &self.partition, schema: &self.schema }
    }

    /// Reads the footer.
    pub(crate) async fn open(store: Arc<dyn ObjectStore>, found: Found) -> Result<Self, Error> {
        let mut file = Self {
            partition: partition_of(&found.label),
            label: found.label,
            store,
            meta: found.meta,
            schema: Arc::new(Schema::empty()),
            row_groups: Vec::new(),
            footer: None,
        };
        let footer = file.fetch_footer().await?;
        file.row_groups = footer.row_groups().iter().map(|g| g.num_rows() as u64).collect();
        let reader = ArrowReaderMetadata::try_new(Arc::clone(&footer), ArrowReaderOptions::new())
            .map_err(|error| file.damaged("cannot read the schema", error))?;
        file.schema = with_wide_int96(reader.schema(), &footer);
        file.footer = Some(footer);
        Ok(file)
    }

    /// The number of rows.
    pub(crate) fn row_count(&self) -> u64 {
        self.row_groups.iter().sum()
    }

    /// The memory the footer takes, in bytes.
    pub(crate) fn footer_bytes(&self) -> usize {
        self.footer.as_ref().map_or(0, |footer| footer.memory_size())
    }

    /// Lets go of the footer; it is read again when it is needed.
    pub(crate) fn forget_footer(&mut self) {
        self.footer = None;
    }

    /// The footer, read again if it was let go.
    pub(crate) async fn footer(&self) -> Result<Arc<ParquetMetaData>, Error> {
        match &self.footer {
            Some(footer) => Ok(Arc::clone(footer)),
            None => self.fetch_footer().await,
        }
    }

    /// The bytes of some ranges, of the version that was listed.
    pub(crate) async fn fetch(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, Error> {
        let get = |range: Range<u64>| async move {
            let options = GetOptions {
                range: Some(range.into()),
                if_match: self.meta.e_tag.clone(),
                ..GetOptions::default()
            };
            self.store.get_opts(&self.meta.location, options).await?.bytes().await
        };
        let fetched = coalesce_ranges(ranges, get, COALESCE_BYTES).await;
        let fetched = fetched.map_err(|e| Error::store("cannot read the file", &self.label, e))?;
        let is_whole = ranges.iter().zip(&fetched).all(|(r, b)| r.end - r.start == b.len() as u64);
        match is_whole && ranges.len() == fetched.len() {
            true => Ok(fetched),
            false => Err(Error::new(ErrorKind::Retry, format!("short read: `{}`", self.label))),
        }
    }

    /// The error for bytes that cannot be decoded.
    pub(crate) fn damaged(&self, doing: &str, error: ParquetError) -> Error {
        damaged(doing, &self.label, error)
    }

    async fn fetch_footer(&self) -> Result<Arc<ParquetMetaData>, Error> {
        let size = self.meta.size;
        if size < 12 {
            return Err(Error::corrupt(format!(
                "not a Parquet file, it has only {size} bytes: `{}`",
                self.label
            ))
            .with_hint("remove the file, or write it again"));
        }
        let cannot = |error| self.damaged("cannot read the footer", error);
        let mut decoder = ParquetMetaDataPushDecoder::try_new(size)
            .map_err(cannot)?
            .with_page_index_policy(PageIndexPolicy::Skip);
        let tail = size - size.min(FOOTER_GUESS_BYTES)..size;
        let mut wanted = vec![tail];
        loop {
            let fetched = self.fetch(&wanted).await?;
            decoder.push_ranges(wanted, fetched).map_err(cannot)?;
            match decoder.try_decode().map_err(cannot)? {
                DecodeResult::Data(footer) => {
                    self.check(&footer)?;
                    return Ok(Arc::new(footer));
                }
                DecodeResult::NeedsData(ranges) if ranges.iter().all(|r| r.end <= size) => {
                    wanted = ranges;
                }
                DecodeResult::NeedsData(_) | DecodeResult::Finished => {
                    return Err(self.inconsistent("the footer lies outside of the file"));
                }
            }
        }
    }

    /// What the decoder would otherwise trust: counts, and that the chunks lie in the file.
    fn check(&self, footer: &ParquetMetaData) -> Result<(), Error> {
        let leaves = footer.file_metadata().schema_descr().num_columns();
        let mut rows = 0_i64;
        for (number, group) in footer.row_groups().iter().enumerate() {
            let wrong = |what| Err(self.inconsistent(&format!("row group {number} {what}")));
            if group.num_rows() < 0 || group.num_columns() != leaves {
                return wrong("has a wrong number of rows or columns");
            }
            rows = rows.saturating_add(group.num_rows());
            // An empty row group is never opened, and some writers leave its offsets at zero.
            for column in group.columns().iter().filter(|_| group.num_rows() > 0) {
                let is_flat = column.column_descr().max_rep_level() == 0;
                if column.num_values() < 0 || is_flat && column.num_values() != group.num_rows() {
                    return wrong("has columns of unequal length");
                }
                if !self.holds(column) {
                    return wrong("lies outside of the file");
                }
            }
        }
        match rows == footer.file_metadata().num_rows() {
            true => Ok(()),
            false => Err(self.inconsistent("the row groups do not add up to the number of rows")),
        }
    }

    /// Whether a column chunk lies in the file.
    fn holds(&self, column: &ColumnChunkMetaData) -> bool {
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let end = start.checked_add(column.compressed_size());
        let is_ordered = start >= 0 && column.compressed_size() >= 0;
        is_ordered && end.is_some_and(|end| end as u64 <= self.meta.size)
    }

    fn inconsistent(&self, what: &str) -> Error {
        Error::corrupt(format!("damaged Parquet file, {what}: `{}`", self.label))
            .with_hint("the file is incomplete or damaged: write it again")
    }
}

/// The error for bytes of a file that cannot be decoded.
pub(crate) fn damaged(doing: &str, subject: &str, error: ParquetError) -> Error {
    let text = error.to_string();
    if let ParquetError::NYI(_) = error {
        return Error::invalid(format!("{doing}: `{subject}`")).caused_by(error).with_hint(
            "the file uses a part of Parquet that is not supported: write it another way",
        );
    }
    if text.contains("Disabled feature at compile time") || text.contains("feature must be enabled")
    {
        return Error::invalid(format!("{doing}: `{subject}`"))
            .caused_by(error)
            .with_hint("write the file with the compression `zstd`, `snappy` or `lz4`");
    }
    Error::corrupt(format!("{doing}: `{subject}`"))
        .caused_by(error)
        .with_hint("the file is not Parquet, or is incomplete or damaged: write it again")
}

/// Timestamps of 96 bits reach further than nanoseconds in 64 bits can: read them as microseconds.
fn with_wide_int96(schema: &SchemaRef, footer: &ParquetMetaData) -> SchemaRef {
    let described = footer.file_metadata().schema_descr();
    let is_int96 = |root: usize| {
        (0..described.num_columns()).any(|leaf| {
            described.get_column_root_idx(leaf) == root
                && described.column(leaf).physical_type() == Physical::INT96
        })
    };
    let widened = |root: usize, field: &Arc<Field>| match field.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, zone) if is_int96(root) => {
            let wide = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            Arc::new(field.as_ref().clone().with_data_type(wide))
        }
        _ => Arc::clone(field),
    };
    let fields = schema.fields().iter().enumerate().map(|(root, field)| widened(root, field));
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

/// The `key=value` folders of a path; `__HIVE_DEFAULT_PARTITION__` is null.
fn partition_of(label: &str) -> Vec<(String, Option<String>)> {
    let folders = label.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders
        .split('/')
        .filter_map(|folder| folder.split_once('='))
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, value)| match value {
            "__HIVE_DEFAULT_PARTITION__" => (percent_decoded(key), None),
            value => (percent_decoded(key), Some(percent_decoded(value))),
        })
        .collect()
}
