//! Markup that cannot be broken by what the data say: every text is escaped on its way in.

use crate::wording::plain;
use std::fmt::{Display, Write};

/// Text for an element or a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// Text with true minus signs before its numbers, escaped.
pub(super) fn figure(text: &str) -> String {
    escape(&minus(text))
}

/// As [`figure`], with what stands in backticks as code.
pub(super) fn prose(text: &str) -> String {
    let mut changed = String::with_capacity(text.len());
    let pieces: Vec<_> = text.split('`').collect();
    if pieces.len().is_multiple_of(2) {
        return figure(text);
    }
    for (place, piece) in pieces.into_iter().enumerate() {
        let is_code = !place.is_multiple_of(2);
        let piece = if is_code { element("code", "", piece) } else { figure(piece) };
        changed.push_str(&piece);
    }
    changed
}

/// Text with true minus signs before its numbers; hyphens in names stay.
pub(super) fn minus(text: &str) -> String {
    let mut last = ' ';
    let mut changed = String::with_capacity(text.len());
    for (place, c) in text.char_indices() {
        let is_sign = c == '-'
            && matches!(last, ' ' | '(')
            && text[place + 1..].starts_with(|next: char| next.is_ascii_digit());
        changed.push(if is_sign { '\u{2212}' } else { c });
        last = c;
    }
    changed
}

/// `<tag class="class">text</tag>`, the text escaped.
pub(super) fn element(tag: &str, class: &str, text: &str) -> String {
    wrapped(tag, class, &escape(text))
}

/// `<tag class="class">markup</tag>`, the markup as it is.
pub(super) fn wrapped(tag: &str, class: &str, markup: &str) -> String {
    if class.is_empty() {
        format!("<{tag}>{markup}</{tag}>")
    } else {
        format!("<{tag} class=\"{class}\">{markup}</{tag}>")
    }
}

/// Tables of at most so many columns are not drawn out over the whole page.
const SLIM: usize = 3;

/// What a column of a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Text, from the left.
    Text,
    /// Numbers that narrow screens do without.
    Spare,
    /// Dates with times, never broken.
    Time,
    /// Long text, broken where it must be.
    Long,
    /// A small plot.
    Bars,
    /// Numbers, from the right.
    Number,
}

impl Align {
    const fn class(self) -> &'static str {
        match self {
            Self::Text => "",
            Self::Spare => "spare",
            Self::Time => "time",
            Self::Long => "long",
            Self::Bars => "bars",
            Self::Number => "number",
        }
    }
}

/// A table being written; cells are markup, already escaped.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Align>,
    text: String,
}

impl Table {
    /// A table with this caption and these columns; a caption may be empty.
    pub(super) fn new(caption: &str, columns: &[(Align, &str)]) -> Self {
        let class = if columns.len() <= SLIM { " class=\"slim\"" } else { "" };
        let mut text = format!("<div class=\"scroll\"><table{class}>");
        if !caption.is_empty() {
            text.push_str(&element("caption", "", caption));
        }
        text.push_str("<thead><tr>");
        for (align, title) in columns {
            let class = align.class();
            put(
                &mut text,
                format_args!("<th scope=\"col\" class=\"{class}\">{}</th>", escape(title)),
            );
        }
        text.push_str("</tr></thead><tbody>");
        Self { columns: columns.iter().map(|(align, _)| *align).collect(), text }
    }

    /// A row; its first cell names it.
    pub(super) fn row(&mut self, cells: &[String]) {
        self.text.push_str("<tr>");
        for (place, (align, cell)) in self.columns.iter().zip(cells).enumerate() {
            let class = align.class();
            let (open, close) = if place == 0 { ("th scope=\"row\"", "th") } else { ("td", "td") };
            put(&mut self.text, format_args!("<{open} class=\"{class}\">{cell}</{close}>"));
        }
        self.text.push_str("</tr>");
    }

    /// The whole table.
    pub(super) fn finish(mut self) -> String {
        self.text.push_str("</tbody></table></div>");
        self.text
    }
}

/// Appends formatted text.
pub(super) fn put(text: &mut String, what: impl Display) {
    write!(text, "{what}").expect("a String takes every write");
}
