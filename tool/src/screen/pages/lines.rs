//! Lines of a page.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::RowId;
use crate::sinks::wrap;

/// What words mean for the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Plain,
    Head,
    Dim,
    Strong,
    Harm,
}

/// What is selected when one stands on a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Finding(&'static str, String),
    Probe(&'static str),
    Row(RowId),
    Process(u32),
    /// A process, as a part of what one waits for.
    Part {
        of: Option<u32>,
        pid: u32,
        how: String,
    },
    /// Latencies of a heat map, by the first of its bands.
    Band(usize),
    /// Of a table, by its head.
    Column(&'static str, &'static str),
}

/// Safe for a terminal: whoever makes one escapes what comes from the host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageLine {
    pub parts: Vec<(Role, String)>,
    pub item: Option<Item>,
    /// The head of a table, which stays in sight.
    pub head: bool,
}

impl PageLine {
    pub fn of(role: Role, text: impl Into<String>) -> Self {
        Self { parts: vec![(role, text.into())], item: None, head: false }
    }

    pub fn plain(text: impl Into<String>) -> Self {
        Self::of(Role::Plain, text)
    }

    pub fn dim(text: impl Into<String>) -> Self {
        Self::of(Role::Dim, text)
    }

    pub fn head(text: impl Into<String>) -> Self {
        Self { head: true, ..Self::of(Role::Head, text) }
    }

    pub fn empty() -> Self {
        Self::default()
    }

    pub fn and(mut self, role: Role, text: impl Into<String>) -> Self {
        self.parts.push((role, text.into()));
        self
    }

    pub fn on(mut self, item: Item) -> Self {
        self.item = Some(item);
        self
    }

    pub fn text(&self) -> String {
        self.parts.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// As many lines as it takes; those after the first begin in column `hang`.
pub fn wrapped(role: Role, text: &str, width: usize, hang: usize) -> Vec<PageLine> {
    let hang = if hang + 8 < width { hang } else { 0 };
    wrap(text, width.max(1), hang).into_iter().map(|line| PageLine::of(role, line)).collect()
}

/// Exactly so wide.
pub fn padded(text: &str, width: usize, right: bool) -> String {
    let text = if text.width() > width { fit_printable(text, width) } else { text.to_owned() };
    let blank = " ".repeat(width.saturating_sub(text.width()));
    if right { blank + &text } else { text + &blank }
}

/// Of what is escaped already.
pub fn fit_printable(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut out, mut used) = (String::new(), 0);
    for char in text.chars() {
        used += char.width().unwrap_or(0);
        if used >= width {
            break;
        }
        out.push(char);
    }
    if width > 0 {
        out.push('…');
    }
    out
}
