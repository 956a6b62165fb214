//! A warehouse data set: files that together are one table, and one partition in event-time order.

use crate::error::Error;
use crate::io::{Io, guarded};
use crate::location::Location;
use crate::request::ReadRequest;
use crate::sources::parquet::file::DataFile;
use crate::sources::parquet::projection::Projection;
use crate::sources::parquet::schema::Columns;
use crate::sources::parquet::{Reader, sample};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;
use std::path::Path;
use std::sync::Arc;

/// How many footers are fetched at once.
const FETCHES: usize = 16;

/// Footers beyond this are read again when they are needed.
const FOOTERS_BYTES: usize = 128 << 20;

/// [`Origin`](trueup_event::Origin) numbers files in 20 bits.
const FILES_MAX: usize = 1 << 20;

/// An opened data set: its files are listed and their footers read.
#[derive(Debug, Clone)]
pub struct Dataset {
    data: Arc<Data>,
    labels: Arc<[String]>,
    schema: SchemaRef,
}

/// The files and their columns.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) files: Vec<DataFile>,
    pub(crate) columns: Columns,
}

impl Data {
    pub(crate) fn row_count(&self) -> u64 {
        self.files.iter().map(DataFile::row_count).sum()
    }

    /// One file of a stream whose other files are known to have these columns.
    pub(crate) fn of_one(file: DataFile, known: &Schema) -> Self {
        let mut columns = Columns::unite(&[file.shape()]);
        columns.add_known(known, &file.label);
        Self { files: vec![file], columns }
    }
}

impl Dataset {
    /// Opens the Parquet files that `location` names: a file, a folder (all `*.parquet` beneath), a
    /// glob (`data/*.parquet`, `**`), or a URL (`file://`; with the feature `cloud` also `s3://`,
    /// `gs://`, `az://`). Relative paths start at `base`. Folders such as `dt=2024-01-01/` become
    /// columns, unless the files have such a column themselves.
    ///
    /// Waits for the listing and all footers; may be called from async code.
    ///
    /// # Errors
    /// If nothing is found or permitted, a footer is damaged, or there is not one row.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), trueup_connector::Error> {
    /// use trueup_connector::{Dataset, ReadRequest, TimeColumn};
    ///
    /// let trips = Dataset::open("data/trips/*.parquet", std::path::Path::new("."))?;
    /// let columns = vec!["trip_id".to_string(), "city".to_string()];
    /// let time = TimeColumn::new("departed_at");
    /// for batch in trips.read(&ReadRequest::new(trueup_event::StreamId(0), time, columns))? {
    ///     println!("{} rows", batch?.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn open(location: &str, base: &Path) -> Result<Self, Error> {
        guarded(location, || Self::load(&Location::parse(location, base)?, location))
    }

    /// Opens the Parquet files under a key or pattern in a store that is at hand.
    ///
    /// # Errors
    /// As [`Dataset::open`].
    pub fn open_in(store: Arc<dyn ObjectStore>, location: &str) -> Result<Self, Error> {
        guarded(location, || Self::load(&Location::within(location, store), location))
    }

    fn load(location: &Location, written: &str) -> Result<Self, Error> {
        let io = Io::new()?;
        let found = io.wait(location.list())?;
        if found.len() > FILES_MAX {
            return Err(Error::invalid(format!("{} files are too many: `{written}`", found.len()))
                .with_hint("name fewer files, or write larger ones"));
        }
        let open = |found| DataFile::open(Arc::clone(&location.store), found);
        let opened = stream::iter(found).map(open).buffered(FETCHES).try_collect::<Vec<_>>();
        let mut files = io.wait(opened)?;
        let mut kept = 0;
        for file in &mut files {
            kept += file.footer_bytes();
            if kept > FOOTERS_BYTES {
                file.forget_footer();
            }
        }
        let shapes: Vec<_> = files.iter().map(DataFile::shape).collect();
        let columns = Columns::unite(&shapes);
        let schema = columns.schema();
        let labels = files.iter().map(|file| file.label.clone()).collect();
        let data = Arc::new(Data { files, columns });
        if data.row_count() == 0 {
            let count = data.files.len();
            return Err(Error::missing(format!("no row in {count} Parquet file(s): `{written}`"))
                .with_hint("check that the export has finished, and that the location is right"));
        }
        Ok(Self { data, labels, schema })
    }

    /// The files, sorted; [`Origin::file`](trueup_event::Origin::file) is an index into them. As
    /// shown to people: relative if the location was.
    #[must_use]
    pub fn files(&self) -> &[String] {
        &self.labels
    }

    /// All columns of all files, then those of the folders. Texts are `Utf8`, whatever their
    /// encoding; types that differ between files are widened where nothing is lost.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// An error if there is no such column, with the nearest names as a hint, or if its type is not
    /// the same in all files.
    ///
    /// # Errors
    /// Of kind [`Invalid`](crate::ErrorKind::Invalid).
    pub fn check_column(&self, name: &str) -> Result<(), Error> {
        self.data.columns.find(name)?.check()
    }

    /// The number of rows, from the footers.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.data.row_count()
    }

    /// Starts reading in event-time order, on a thread of its own.
    ///
    /// The time column is read twice: once alone, to learn the order and range of each row group,
    /// and once with the others.
    ///
    /// # Errors
    /// If a column is missing or clashes, or the time column needs a zone or a unit; what goes
    /// wrong later is an error of the [`Reader`].
    pub fn read(&self, request: &ReadRequest) -> Result<Reader, Error> {
        Reader::start(Arc::clone(&self.data), request)
    }

    /// The first `rows` rows as they stand in the files, of all columns or some.
    ///
    /// # Errors
    /// If a column is missing or clashes, or a file cannot be read.
    pub fn sample(&self, rows: usize, columns: Option<&[String]>) -> Result<RecordBatch, Error> {
        let names = match columns {
            Some(columns) => columns.to_vec(),
            None => {
                let names = self.schema.fields().iter().map(|field| field.name().clone());
                names.filter(|name| self.check_column(name).is_ok()).collect()
            }
        };
        let projection = Projection::of_sample(&self.data.columns, &names)?;
        let subject = self.labels.first().map_or("", String::as_str);
        guarded(subject, || sample::sample(&self.data, &projection, rows))
    }
}
