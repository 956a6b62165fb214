//! A grid of right-aligned columns, broken into blocks where the terminal is too narrow.

use super::{Page, Weight};

/// One column: its title and a cell per row.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) title: String,
    pub(super) cells: Vec<String>,
}

/// Rows with names, and columns with titles.
#[derive(Debug)]
pub(super) struct Grid {
    pub(super) corner: String,
    pub(super) rows: Vec<String>,
    pub(super) columns: Vec<Column>,
}

impl Column {
    fn width(&self) -> usize {
        let longest = self.cells.iter().map(|cell| length(cell)).max().unwrap_or_default();
        longest.max(length(&self.title))
    }
}

impl Grid {
    /// Writes the grid; columns that do not fit follow in further blocks.
    pub(super) fn write(&self, page: &mut Page) {
        let names = self.rows.iter().chain([&self.corner]).map(|name| length(name));
        let first = names.max().unwrap_or_default();
        let mut rest = self.columns.as_slice();
        while !rest.is_empty() {
            let mut used = first;
            let fits = |column: &&Column| {
                used += 2 + column.width();
                page.style.width == 0 || used <= page.style.width
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (block, later) = rest.split_at(count);
            self.write_block(page, first, block);
            rest = later;
            if !rest.is_empty() {
                page.gap();
            }
        }
    }

    fn write_block(&self, page: &mut Page, first: usize, block: &[Column]) {
        let titles: String = block.iter().map(|column| aligned(&column.title, column)).collect();
        let heading = format!("{}{titles}", padded(&self.corner, first));
        let heading = page.paint(Weight::Strong, &heading);
        page.line(&heading);
        for (row, name) in self.rows.iter().enumerate() {
            let cells: String =
                block.iter().map(|column| aligned(&column.cells[row], column)).collect();
            page.line(&format!("{}{cells}", padded(name, first)));
        }
    }
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(length(text))))
}

fn aligned(text: &str, column: &Column) -> String {
    format!("  {}{text}", " ".repeat(column.width().saturating_sub(length(text))))
}

fn length(text: &str) -> usize {
    text.chars().count()
}
