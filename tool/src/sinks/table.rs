//! Columns: numbers to the right, words to the left.

use unicode_width::UnicodeWidthStr;

use super::View;

/// Columns of a table, with the least width of each, so that tables of two intervals line up.
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

struct Row {
    cells: Vec<String>,
    /// Lines of their own, which no column is aligned to.
    below: Vec<String>,
}

struct Column {
    head: String,
    min: usize,
    right: bool,
    gap: &'static str,
}

impl Table {
    pub fn new() -> Self {
        Self { columns: Vec::new(), rows: Vec::new() }
    }

    /// A column of words.
    pub fn left(mut self, head: impl Into<String>, min: usize) -> Self {
        self.columns.push(Column { head: head.into(), min, right: false, gap: "  " });
        self
    }

    /// A column of numbers.
    pub fn right(mut self, head: impl Into<String>, min: usize) -> Self {
        self.columns.push(Column { head: head.into(), min, right: true, gap: "  " });
        self
    }

    /// A column of numbers that belongs to the one before it.
    pub fn close(mut self, head: impl Into<String>, min: usize) -> Self {
        self.columns.push(Column { head: head.into(), min, right: true, gap: " " });
        self
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(Row { cells, below: Vec::new() });
    }

    /// Lines under the row that was added last.
    pub fn below(&mut self, lines: impl IntoIterator<Item = String>) {
        if let Some(row) = self.rows.last_mut() {
            row.below.extend(lines);
        }
    }

    /// Appends head and rows.
    pub fn draw(&self, out: &mut String, view: &View) {
        let widths = self.widths();
        *out += &view.bold(&self.line(&mut self.columns.iter().map(|column| column.head.as_str()), &widths));
        out.push('\n');
        for row in &self.rows {
            *out += &self.line(&mut row.cells.iter().map(String::as_str), &widths);
            out.push('\n');
            for below in &row.below {
                *out += &view.dim(below);
                out.push('\n');
            }
        }
    }

    /// Appends rows under a head that was drawn before; nothing stands below them.
    pub fn draw_rows(&self, out: &mut String) {
        let widths = self.widths();
        for row in &self.rows {
            *out += &self.line(&mut row.cells.iter().map(String::as_str), &widths);
            out.push('\n');
        }
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |at: usize| self.rows.iter().filter_map(|row| row.cells.get(at)).map(|cell| cell.width()).max();
        let width = |(at, column): (usize, &Column)| column.min.max(column.head.width()).max(widest(at).unwrap_or(0));
        self.columns.iter().enumerate().map(width).collect()
    }

    fn line(&self, cells: &mut dyn Iterator<Item = &str>, widths: &[usize]) -> String {
        let mut text = String::new();
        for ((cell, column), width) in cells.zip(&self.columns).zip(widths) {
            if !text.is_empty() {
                text += column.gap;
            }
            let blank = " ".repeat(width.saturating_sub(cell.width()));
            text += &if column.right { blank + cell } else { cell.to_owned() + &blank };
        }
        text.truncate(text.trim_end().len());
        text
    }
}
