//! The text of a file and where each of its keys and values stands.

use crate::diagnostic::{Diagnostic, Severity};
use std::collections::BTreeMap;
use std::ops::Range;

/// Which part of an entry is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The key, or the header of a table.
    Key,
    /// The value.
    Value,
}

/// Where a key and its value stand, in bytes of the text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// A file's text with the places of its entries, by path (`gate.guard[0].metric`).
#[derive(Debug, Clone, Default)]
pub struct Source {
    file: String,
    text: String,
    entries: BTreeMap<String, Entry>,
}

impl Source {
    /// A text of which no place is known yet.
    pub(crate) fn new(file: &str, text: &str) -> Self {
        Self { file: file.to_owned(), text: text.to_owned(), entries: BTreeMap::new() }
    }

    /// Remembers where the entry at `path` stands.
    pub(crate) fn insert(&mut self, path: String, entry: Entry) {
        self.entries.insert(path, entry);
    }

    /// The file, as it was named to the reader.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the text says something at this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// An error at the entry of this path, or at the nearest one that encloses it.
    pub(crate) fn error(
        &self,
        part: Part,
        path: &str,
        message: String,
        remedy: String,
    ) -> Diagnostic {
        self.at(self.range(part, path), message, remedy)
    }

    /// A warning at the entry of this path, or at the nearest one that encloses it.
    pub(crate) fn warning(&self, path: &str, message: String, remedy: String) -> Diagnostic {
        let error = self.error(Part::Value, path, message, remedy);
        Diagnostic { severity: Severity::Warning, ..error }
    }

    /// An error at these bytes of the text.
    pub(crate) fn at(&self, range: Range<usize>, message: String, remedy: String) -> Diagnostic {
        let start = floor_char(&self.text, range.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |i| i + 1);
        let rest = &self.text[line_start..];
        let excerpt = rest[..rest.find('\n').unwrap_or(rest.len())].trim_end_matches('\r');
        let line_end = line_start + excerpt.len();
        let end = floor_char(&self.text, range.end.clamp(start, line_end.max(start)));
        Diagnostic {
            severity: Severity::Error,
            file: self.file.clone(),
            line: self.text[..line_start].matches('\n').count() + 1,
            column: self.text[line_start..start].chars().count() + 1,
            message,
            remedy,
            excerpt: excerpt.to_owned(),
            width: self.text[start..end].chars().count().max(1),
        }
    }

    fn range(&self, part: Part, path: &str) -> Range<usize> {
        if let Some(entry) = self.entries.get(path) {
            return match part {
                Part::Key => entry.key.clone(),
                Part::Value => entry.value.clone(),
            };
        }
        match path.rfind(['.', '[']) {
            Some(end) => self.range(Part::Key, &path[..end]),
            None => 0..self.text.find('\n').unwrap_or(self.text.len()),
        }
    }
}

/// The nearest character boundary at or before `index`.
fn floor_char(text: &str, index: usize) -> usize {
    let mut at = index.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
