//! As RFC 4180 has it, with a line of names; lines end in LF. What is null is empty; histograms, counts by name and lists are JSON.
//!
//! Text from the host is escaped as in text output, so that no terminal obeys it; and in its first character where a spreadsheet would take it for
//! a formula.

use std::{
    borrow::Cow,
    io::{Result, Write},
};

use super::{flat::FlatRows, leaf::Leaf};
use crate::{escape::escape, sinks::json, table::Cell};

pub struct Csv<W: Write>(csv::Writer<W>);

impl<W: Write> Csv<W> {
    pub fn new(out: W, leaves: &[&Leaf]) -> Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(leaves.iter().map(|leaf| leaf.name.as_str()))?;
        Ok(Self(writer))
    }
}

impl<W: Write> FlatRows for Csv<W> {
    fn row(&mut self, values: Vec<Option<Cell<'_>>>) -> Result<()> {
        for value in values {
            let text = value.as_ref().map(text).transpose()?.unwrap_or_default();
            self.0.write_field(text.as_bytes())?;
        }
        self.0.write_record(None::<&[u8]>)?;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.0.flush()
    }
}

/// In what begins a formula, the first character is escaped.
const FORMULA: [char; 4] = ['=', '+', '-', '@'];

fn text<'a>(value: &'a Cell<'_>) -> Result<Cow<'a, str>> {
    Ok(match value {
        Cell::None | Cell::Unknown(_) => "".into(),
        Cell::Flag(flag) => flag.to_string().into(),
        Cell::Count(count) => count.to_string().into(),
        Cell::Signed(number) => number.to_string().into(),
        Cell::Real(number) => number.to_string().into(),
        Cell::At(at) => at.to_string().into(),
        Cell::Text(text) => harmless(text),
        Cell::Times(latency) => serde_json::to_string(&latency.histogram().collect::<Vec<_>>())?.into(),
        Cell::Named(_) | Cell::List(_) | Cell::Row(..) => json::text(value)?.into(),
    })
}

fn harmless(text: &str) -> Cow<'_, str> {
    let escaped = escape(text);
    match escaped.strip_prefix(FORMULA) {
        Some(rest) => format!("\\x{:02x}{rest}", escaped.as_bytes()[0]).into(),
        None => escaped,
    }
}
