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
    Why,
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
    const fn of(head: &'static str, format: Format, align: Align, least: usize) -> Self {
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

pub mod words {
    use super::{Align::*, Format, Quantile, Room, Text};

    macro_rules! formats {
        ($($name:ident $format:expr, $align:ident $least:literal;)*) => {$(
            pub const fn $name(head: &'static str) -> Text {
                Text::of(head, $format, $align, $least)
            }
        )*};
    }

    formats! {
        words Format::Words, Left 0;
        count Format::Count, Right 0;
        number Format::Number, Right 0;
        rate Format::Rate, Right 0;
        kibibytes_rate Format::KibibytesRate, Right 0;
        mebibytes_rate Format::MebibytesRate, Right 0;
        time_rate Format::TimeRate, Right 0;
        duration Format::Duration, Right 0;
        bytes Format::Bytes, Right 0;
        share Format::Share, Right 0;
        clock Format::Clock, Left 12;
        q50 Format::Quantile(Quantile::P50), Right 0;
        q90 Format::Quantile(Quantile::P90), Right 0;
        q99 Format::Quantile(Quantile::P99), Right 0;
        q999 Format::Quantile(Quantile::P999), Right 0;
        longest Format::Quantile(Quantile::Max), Right 0;
        comm Format::Comm, Left 15;
        pid Format::Pid, Right 7;
        cgroup Format::Cgroup, Left 0;
        why Format::Why, Left 0;
    }

    /// The head is the range that it spans.
    pub const fn spark(room: Room) -> Text {
        Text::of("", Format::Spark(room), Left, 0)
    }

    pub const fn own(head: &'static str, name: &'static str) -> Text {
        Text::of(head, Format::Own(name), Left, 0)
    }
}
