//! How text shows a column.

#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    pub head: &'static str,
    /// The head where there is little room.
    pub narrow: &'static str,
    pub format: Format,
    pub align: Align,
    pub least: usize,
    pub room: Room,
    pub unless: Unless,
    /// The column that it stands behind; empty: its own place.
    pub after: &'static str,
    /// The column that is shown where its own is not known; empty: none.
    pub or: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Words,
    Count,
    /// All digits.
    Number,
    Rate,
    KibibytesRate,
    MebibytesRate,
    TimeRate,
    Duration,
    Bytes,
    Share,
    Clock,
    Quantile(Quantile),
    /// Drawn small below this room.
    Spark(Room),
    Comm,
    Pid,
    Cgroup,
    /// A cgroup in place of a process; what one that is not known is called.
    Group(&'static str),
    /// A function of the row that the sink has under this name.
    Own(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    P50,
    P90,
    P99,
    P999,
    Max,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
    /// Right, near the column before.
    Close,
}

/// From which width on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    Any,
    Wide,
    Roomy,
}

/// Left out if this is so in every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unless {
    Never,
    Zero,
    Unknown,
    /// As that column.
    With(&'static str),
}

impl Text {
    pub(super) const fn of(head: &'static str, format: Format, align: Align, least: usize) -> Self {
        let (room, unless) = (Room::Any, Unless::Never);
        Self { head, narrow: head, format, align, least, room, unless, after: "", or: "" }
    }

    pub const fn left(mut self) -> Self {
        self.align = Align::Left;
        self
    }

    pub const fn right(mut self) -> Self {
        self.align = Align::Right;
        self
    }

    pub const fn close(mut self) -> Self {
        self.align = Align::Close;
        self
    }

    pub const fn least(mut self, width: usize) -> Self {
        self.least = width;
        self
    }

    pub const fn narrow(mut self, head: &'static str) -> Self {
        self.narrow = head;
        self
    }

    pub const fn wide(mut self) -> Self {
        self.room = Room::Wide;
        self
    }

    pub const fn roomy(mut self) -> Self {
        self.room = Room::Roomy;
        self
    }

    pub const fn unless_zero(mut self) -> Self {
        self.unless = Unless::Zero;
        self
    }

    pub const fn unless_unknown(mut self) -> Self {
        self.unless = Unless::Unknown;
        self
    }

    pub const fn with(mut self, column: &'static str) -> Self {
        self.unless = Unless::With(column);
        self
    }

    pub const fn after(mut self, column: &'static str) -> Self {
        self.after = column;
        self
    }

    pub const fn or(mut self, column: &'static str) -> Self {
        self.or = column;
        self
    }
}
