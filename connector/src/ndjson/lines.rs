//! Lines of bounded length, and how deep JSON lies.

use super::LINE_BYTES_MAX;
use std::io::{BufRead, BufReader, Read};

/// Splits a source into lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    source: BufReader<R>,
    line: Vec<u8>,
    number: u64,
}

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Without its end.
    Whole(&'a [u8]),
    /// It was passed over.
    TooLong,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        let source = BufReader::with_capacity(1 << 20, source);
        Self { source, line: Vec::new(), number: 0 }
    }

    /// How many lines were read.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether a whole line can be had without waiting for the source.
    pub(super) fn has_line(&self) -> bool {
        self.source.buffer().contains(&b'\n')
    }

    /// The next line; none at the end.
    pub(super) fn next(&mut self) -> std::io::Result<Option<Line<'_>>> {
        self.line.clear();
        let (mut is_too_long, mut is_empty) = (false, true);
        loop {
            let found = match self.source.fill_buf() {
                Ok(found) => found,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            is_empty &= found.is_empty();
            let end = found.iter().position(|byte| *byte == b'\n');
            let part = &found[..end.unwrap_or(found.len())];
            if self.line.len() + part.len() > LINE_BYTES_MAX {
                is_too_long = true;
                self.line.clear();
            }
            if !is_too_long {
                self.line.extend_from_slice(part);
            }
            let (is_last, used) = (found.is_empty(), end.map_or(found.len(), |end| end + 1));
            self.source.consume(used);
            if end.is_some() || is_last {
                break;
            }
        }
        if is_empty {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(if is_too_long { Line::TooLong } else { Line::Whole(&self.line) }))
    }
}

/// How deep objects and arrays lie in one another.
pub(super) fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut is_escaped) = (false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
