//! Columns: numbers to the right, words to the left. What has no room beside the other columns stands in a line below them, head
//! and cells alike; words that are wider still go on in the next line.

use unicode_width::UnicodeWidthStr;

use super::{View, page};
use crate::escape::escape;

/// Columns of a table, with the least width of each, so that tables of two intervals line up.
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Drawn>,
    notes: Vec<String>,
    fixed: bool,
}

/// A cell, with what is said of it under the table.
#[derive(Default)]
pub struct Noted {
    text: String,
    notes: Vec<String>,
}

struct Drawn {
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

/// A column by its number, and its width.
type Placed = (usize, usize);

/// In front of what stands in a line below.
const BELOW: &str = "  ";
/// The last words of a row stand beside the others if so much is left for them.
const BESIDE: usize = 24;

impl Noted {
    pub fn new(text: String, notes: impl IntoIterator<Item = String>) -> Self {
        Self { text, notes: notes.into_iter().map(|note| escape(&note).into_owned()).collect() }
    }

    /// Without its notes.
    pub fn into_text(self) -> String {
        self.text
    }

    pub fn and(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.notes.extend(Self::new(String::new(), notes).notes);
        self
    }
}

impl<T: Into<String>> From<T> for Noted {
    fn from(text: T) -> Self {
        Self::new(text.into(), [])
    }
}

impl Table {
    pub fn new() -> Self {
        Self { columns: Vec::new(), rows: Vec::new(), notes: Vec::new(), fixed: false }
    }

    /// On a screen columns have their least width, so that rows fit under a head that was drawn before.
    pub fn fixed(mut self) -> Self {
        self.fixed = true;
        self
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

    pub fn row<C: Into<Noted>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let cells = cells.into_iter().map(|cell| self.marked(cell.into())).collect();
        self.rows.push(Drawn { cells, below: Vec::new() });
    }

    /// With the marks of its notes, each of which is said once.
    fn marked(&mut self, cell: Noted) -> String {
        let mut marks = Vec::new();
        for note in cell.notes {
            let known = self.notes.iter().position(|known| *known == note);
            marks.push(mark(known.unwrap_or(self.notes.len())));
            if known.is_none() {
                self.notes.push(note);
            }
        }
        cell.text + &marks.join(",")
    }

    /// Lines under the row that was added last.
    pub fn below(&mut self, lines: impl IntoIterator<Item = String>) {
        if let Some(row) = self.rows.last_mut() {
            row.below.extend(lines);
        }
    }

    /// Appends head, rows and notes.
    pub fn draw(&self, out: &mut String, view: &View) {
        self.draw_head(out, view);
        self.draw_rows(out, view);
        self.draw_notes(out, view);
    }

    pub fn draw_head(&self, out: &mut String, view: &View) {
        let heads: Vec<&str> = self.columns.iter().map(|column| column.head.as_str()).collect();
        for line in self.lines(&heads, &self.places(view)) {
            *out += &view.bold(&line);
            out.push('\n');
        }
    }

    pub fn draw_rows(&self, out: &mut String, view: &View) {
        let places = self.places(view);
        for row in &self.rows {
            let cells: Vec<&str> = row.cells.iter().map(String::as_str).collect();
            for line in self.lines(&cells, &places) {
                *out += &line;
                out.push('\n');
            }
            for below in &row.below {
                *out += &view.dim(below);
                out.push('\n');
            }
        }
    }

    pub fn draw_notes(&self, out: &mut String, view: &View) {
        for (at, note) in self.notes.iter().enumerate() {
            *out += &view.dim(&format!("{} {note}", mark(at)));
            out.push('\n');
        }
    }

    /// Columns by line.
    fn places(&self, view: &View) -> Vec<Vec<Placed>> {
        let (mut lines, mut used) = (vec![Vec::new()], 0);
        for (at, (column, wanted)) in self.columns.iter().zip(self.widths(view)).enumerate() {
            let room = view.limit.saturating_sub(used + column.gap.len());
            let last_words = at + 1 == self.columns.len() && !column.right;
            let fits = at == 0 || wanted <= room || (last_words && room >= BESIDE);
            if !fits {
                lines.push(Vec::new());
                used = BELOW.len();
            }
            let Some(line) = lines.last_mut() else { continue };
            used += if line.is_empty() { 0 } else { column.gap.len() };
            let width = wanted.min(view.limit.saturating_sub(used));
            line.push((at, width));
            used += width;
        }
        lines
    }

    fn widths(&self, view: &View) -> Vec<usize> {
        let widest = |at: usize| self.rows.iter().filter_map(|row| row.cells.get(at)).map(|cell| cell.width()).max();
        let fixed = self.fixed && view.limit < usize::MAX;
        let width = |(at, column): (usize, &Column)| {
            let least = column.min.max(column.head.width());
            match (fixed, at + 1 == self.columns.len()) {
                (true, false) => least,
                (true, true) => view.limit,
                (false, _) => least.max(widest(at).unwrap_or(0)),
            }
        };
        self.columns.iter().enumerate().map(width).collect()
    }

    /// Of the head or of one row.
    fn lines(&self, cells: &[&str], places: &[Vec<Placed>]) -> Vec<String> {
        let mut lines = Vec::new();
        for (at, places) in places.iter().enumerate() {
            let cells: Vec<Vec<String>> =
                places.iter().map(|&(column, width)| self.cell(cells, column, width)).collect();
            let height = cells.iter().map(Vec::len).max().unwrap_or(0);
            let indent = if at == 0 { "" } else { BELOW };
            lines.extend((0..height).map(|line| self.line(indent, &cells, line, places)));
        }
        lines
    }

    /// On as many lines as its words take; on none if it is empty.
    fn cell(&self, cells: &[&str], column: usize, width: usize) -> Vec<String> {
        match cells.get(column) {
            None | Some(&"") => Vec::new(),
            Some(cell) if cell.width() <= width => vec![(*cell).to_owned()],
            Some(cell) => page::wrap(cell, width, 0),
        }
    }

    fn line(&self, indent: &str, cells: &[Vec<String>], line: usize, places: &[Placed]) -> String {
        let mut text = indent.to_owned();
        for (at, (cell, &(column, width))) in cells.iter().zip(places).enumerate() {
            let column = &self.columns[column];
            if at > 0 {
                text += column.gap;
            }
            let cell = cell.get(line).map_or("", String::as_str);
            let blank = " ".repeat(width.saturating_sub(cell.width()));
            text += &if column.right { blank + cell } else { cell.to_owned() + &blank };
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// `¹`
fn mark(at: usize) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    (at + 1).to_string().bytes().map(|digit| DIGITS[usize::from(digit - b'0')]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::sample;

    fn drawn(limit: usize) -> String {
        let mut table = Table::new().left("NAME", 8).right("COUNT", 7).left("WHY", 0);
        table.row(["one", "12", "a reason of several words, which takes its room"]);
        table.row([Noted::new("two".into(), ["gone".into()]), "3".into(), "".into()]);
        table.row([Noted::new("three".into(), ["gone".into(), "young".into()]), "4".into(), "short".into()]);
        let mut text = String::new();
        table.draw(&mut text, &View { limit, ..sample::view() });
        text
    }

    #[test]
    fn all_columns_beside_each_other_where_there_is_room() {
        insta::assert_snapshot!(drawn(usize::MAX), @r"
        NAME        COUNT  WHY
        one            12  a reason of several words, which takes its room
        two¹            3
        three¹,²        4  short
        ¹ gone
        ² young
        ");
    }

    #[test]
    fn the_last_words_go_on_below_themselves() {
        insta::assert_snapshot!(drawn(44), @r"
        NAME        COUNT  WHY
        one            12  a reason of several
                           words, which takes its
                           room
        two¹            3
        three¹,²        4  short
        ¹ gone
        ² young
        ");
    }

    #[test]
    fn what_has_no_room_stands_below() {
        insta::assert_snapshot!(drawn(40), @r"
        NAME        COUNT
          WHY
        one            12
          a reason of several words, which takes
          its room
        two¹            3
        three¹,²        4
          short
        ¹ gone
        ² young
        ");
    }
}
