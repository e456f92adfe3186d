//! What a column is.

use super::Text;

#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: &'static str,
    pub meaning: &'static str,
    pub kind: ColumnKind,
    /// Empty where there is none.
    pub unit: &'static str,
    /// The kernel's hook or file.
    pub source: &'static str,
    pub merge: Merge,
    /// It is how things are at the end of an interval.
    pub now: bool,
    /// Rows beside each other have the same value together: it does not add up over them.
    pub shared: bool,
    pub json: Json,
    pub text: &'static [Text],
    /// Of a row within the row.
    pub columns: &'static [Column],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    Label,
    Counter,
    Gauge,
    Histogram,
    Flag,
    Info,
}

/// How the values of two intervals become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// They are the same.
    Same,
    Add,
    Last,
    Max,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json {
    pub hidden: bool,
    pub flat: bool,
    pub absent: Absent,
    pub key: &'static str,
    /// Empty: the key without its unit, with `_unknown`.
    pub reason: &'static str,
    /// The column whose reason is not said twice; empty: none.
    pub as_of: &'static str,
    /// Why a distribution of nothing has no times; empty: it is not said.
    pub empty: &'static str,
    /// Where that column is there, this one is not; empty: none.
    pub unless: &'static str,
    /// Which parts of a row or distribution stand under which key, flat; empty: all.
    pub parts: &'static [(&'static str, &'static str)],
}

/// When JSON does not have the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    Never,
    /// There is none.
    None,
    /// None, 0, false or empty.
    Nothing,
}

impl Column {
    pub(super) const fn of(kind: ColumnKind, unit: &'static str, merge: Merge) -> Self {
        let json = Json {
            hidden: false,
            flat: false,
            absent: Absent::Never,
            key: "",
            reason: "",
            as_of: "",
            empty: "",
            unless: "",
            parts: &[],
        };
        Self {
            name: "",
            meaning: "",
            kind,
            unit,
            source: "",
            merge,
            now: false,
            shared: false,
            json,
            text: &[],
            columns: &[],
        }
    }

    pub const fn declared(mut self, name: &'static str, meaning: &'static str, text: &'static [Text]) -> Self {
        if self.json.key.is_empty() {
            self.json.key = name;
        }
        (self.name, self.meaning, self.text) = (name, meaning, text);
        self
    }

    /// Rows are told apart by it.
    pub fn is_label(&self) -> bool {
        self.kind == ColumnKind::Label
    }

    pub const fn source(mut self, source: &'static str) -> Self {
        self.source = source;
        self
    }

    pub const fn max(mut self) -> Self {
        self.merge = Merge::Max;
        self
    }

    pub const fn now(mut self) -> Self {
        self.now = true;
        self
    }

    pub const fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    pub const fn columns(mut self, columns: &'static [Column]) -> Self {
        self.columns = columns;
        self
    }

    pub const fn hidden(mut self) -> Self {
        self.json.hidden = true;
        self
    }

    pub const fn flat(mut self) -> Self {
        self.json.flat = true;
        self
    }

    pub const fn optional(mut self) -> Self {
        self.json.absent = Absent::None;
        self
    }

    pub const fn sparse(mut self) -> Self {
        self.json.absent = Absent::Nothing;
        self
    }

    pub const fn empty(mut self, why: &'static str) -> Self {
        self.json.empty = why;
        self
    }

    /// Pairs of key and part.
    pub const fn parts(mut self, parts: &'static [(&'static str, &'static str)]) -> Self {
        self.json.parts = parts;
        self
    }

    pub const fn key(mut self, key: &'static str) -> Self {
        self.json.key = key;
        self
    }

    pub const fn reason(mut self, key: &'static str) -> Self {
        self.json.reason = key;
        self
    }

    pub const fn unless(mut self, column: &'static str) -> Self {
        self.json.unless = column;
        self
    }

    pub const fn as_of(mut self, column: &'static str) -> Self {
        self.json.as_of = column;
        self
    }
}
