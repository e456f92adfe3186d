//! The tables, and their place in BUDGET.md.

use std::fmt::Write;

use anyhow::{Context, Result};

use super::stats::Spread;
use crate::workspace::root;

const BEGIN: &str = "<!-- written by `cargo xtask bench --write`: begin -->\n";
const END: &str = "<!-- end -->";

/// Something promised, as a bound that lies above.
pub struct Promise {
    what: String,
    bound: f64,
    unit: &'static str,
    /// `None` where there was nothing to measure or to compare with.
    measured: Option<Spread>,
}

impl Promise {
    pub fn at_most(what: &str, bound: f64, unit: &'static str, measured: Option<Spread>) -> Self {
        Self { what: what.to_owned(), bound, unit, measured }
    }

    /// By the median; one that holds only for some of the rounds is close.
    fn verdict(&self) -> &'static str {
        match self.measured {
            None => "not measured: peer not installed",
            Some(spread) if spread.median > self.bound => "**missed**",
            Some(spread) if spread.max > self.bound => "kept, not in every round",
            Some(_) => "kept",
        }
    }

    fn missed(&self) -> bool {
        self.measured.is_some_and(|spread| spread.median > self.bound)
    }

    fn digits(&self) -> usize {
        if self.bound < 10.0 { 2 } else { 0 }
    }
}

/// One figure: the promises made about it, and everything that was measured for it.
pub struct Figure {
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    promises: Vec<Promise>,
}

impl Figure {
    pub fn new(title: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Self { title: title.to_owned(), columns, rows: Vec::new(), promises: Vec::new() }
    }

    pub fn row(&mut self, name: &str, cells: &[Option<Spread>], digits: usize) {
        let cells = cells.iter().map(|cell| cell.map_or("–".to_owned(), |spread| text(spread, digits)));
        self.rows.push(std::iter::once(name.to_owned()).chain(cells).collect());
    }

    pub fn promise(&mut self, promise: Promise) {
        self.promises.push(promise);
    }

    pub fn missed(&self) -> bool {
        self.promises.iter().any(Promise::missed)
    }
}

/// A figure that is computed, or compared to itself, has no spread.
fn text(spread: Spread, digits: usize) -> String {
    if spread.min == spread.max {
        return format!("{:.digits$}", spread.median);
    }
    format!("{spread:.digits$}")
}

pub fn markdown(figures: &[Figure], conditions: &str) -> String {
    let promises = figures.iter().flat_map(|figure| &figure.promises).map(|promise| {
        let bound = format!("{} ≤ {} {}", promise.what, promise.bound, promise.unit);
        let measured = promise.measured.map_or("–".to_owned(), |spread| text(spread, promise.digits()));
        vec![bound, measured, promise.verdict().to_owned()]
    });
    let mut text = format!("{conditions} Medians, with the smallest and the largest of the rounds.\n");
    let promises: Vec<_> = promises.collect();
    if !promises.is_empty() {
        text.push('\n');
        table(&mut text, &["promise", "measured", "verdict"].map(str::to_owned), &promises);
    }
    for figure in figures {
        // Writing to a String does not fail.
        let _ = write!(text, "\n{}:\n\n", figure.title);
        table(&mut text, &figure.columns, &figure.rows);
    }
    text
}

fn table(text: &mut String, columns: &[String], rows: &[Vec<String>]) {
    let rule: Vec<String> = (0..columns.len()).map(|at| if at == 0 { "---" } else { "---:" }.to_owned()).collect();
    for row in [columns, &rule].into_iter().chain(rows.iter().map(Vec::as_slice)) {
        // As above.
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
}

/// Puts the tables between the marks in BUDGET.md.
pub fn write(tables: &str) -> Result<()> {
    let path = root().join("BUDGET.md");
    let old = std::fs::read_to_string(&path).context("reading BUDGET.md")?;
    let (before, rest) = old.split_once(BEGIN).context("BUDGET.md lacks the mark where the tables begin")?;
    let (_, after) = rest.split_once(END).context("BUDGET.md lacks the mark where the tables end")?;
    std::fs::write(&path, format!("{before}{BEGIN}\n{tables}\n{END}{after}")).context("writing BUDGET.md")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_judged_by_the_median() {
        let verdict =
            |figures: &[f64]| Promise::at_most("", 2.0, "", Spread::of(figures.iter().copied())).verdict().to_owned();
        assert_eq!(verdict(&[1.0, 2.0, 2.0]), "kept");
        assert_eq!(verdict(&[1.0, 2.0, 3.0]), "kept, not in every round");
        assert_eq!(verdict(&[1.0, 2.5, 3.0]), "**missed**");
        assert_eq!(verdict(&[]), "not measured: peer not installed");
    }
}
