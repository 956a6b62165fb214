//! Dead letters as a file: one JSON object per line, complete or not there at all.
//!
//! Nothing is dropped in silence; what could not be used can be read, counted and mended here.

use crate::disk::{folder_of, persist, temporary};
use crate::error::Error;
use serde::Serialize;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use trueup_event::DeadLetter;

/// A file of dead letters being written; it takes its name only in [`DeadLetterFile::finish`].
#[derive(Debug)]
pub struct DeadLetterFile {
    path: PathBuf,
    writer: BufWriter<NamedTempFile>,
    count: u64,
}

/// One line. Keys are in the order in which a person asks: what, where, why.
#[derive(Serialize)]
struct Line<'a> {
    stream: &'a str,
    partition: u32,
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    row: u64,
    time: Option<String>,
    reason: &'static str,
    detail: &'a str,
}

/// A letter as a line of JSON with its end, as [`DeadLetterFile::write`] appends it.
///
/// # Panics
/// Never: a line is plain data.
#[must_use]
pub fn line(stream: &str, files: &[String], letter: &DeadLetter) -> Vec<u8> {
    let line = Line {
        stream,
        partition: letter.place.partition.0,
        offset: letter.place.offset,
        file: files.get(letter.origin.file() as usize).map(String::as_str),
        row: letter.origin.row(),
        time: letter.time.map(|time| time.to_string()),
        reason: letter.reason.name(),
        detail: &letter.detail,
    };
    let mut bytes = serde_json::to_vec(&line).expect("a line is plain data");
    bytes.push(b'\n');
    bytes
}

impl DeadLetterFile {
    /// Begins a file that will be at `path`, replacing what is there.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let folder = folder_of(path);
        let file = temporary(folder, ".dead-letters-")
            .map_err(|error| Error::disk("cannot write dead letters in", folder, error))?;
        Ok(Self { path: path.into(), writer: BufWriter::new(file), count: 0 })
    }

    /// Appends a letter of the stream called `stream`, whose files are
    /// [`Dataset::files`](crate::Dataset::files); none for a source without files.
    ///
    /// # Errors
    /// If the disk is full or fails.
    pub fn write(
        &mut self,
        stream: &str,
        files: &[String],
        letter: &DeadLetter,
    ) -> Result<(), Error> {
        let written = self.writer.write_all(&line(stream, files, letter));
        written.map_err(|error| self.failed(error))?;
        self.count += 1;
        Ok(())
    }

    /// How many letters were written.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Makes the file durable and gives it its name; returns the number of letters.
    ///
    /// # Errors
    /// If the disk is full or fails; then nothing is at the path that was not there before.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.writer.flush().map_err(|error| self.failed(error))?;
        let Self { path, writer, count } = self;
        let failed = |error| Error::disk("cannot write dead letters", &path, error);
        let file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
        persist(file, &path).map_err(failed)?;
        Ok(count)
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::disk("cannot write dead letters", &self.path, error)
    }
}

#[cfg(test)]
mod tests;
