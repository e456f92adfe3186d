//! What declarations are made of.

use super::{Align::*, Column, ColumnKind, Format, Merge, Quantile, Text};

pub use super::Room;

pub const fn label() -> Column {
    Column::of(ColumnKind::Label, "", Merge::Same)
}

pub const fn counter(unit: &'static str) -> Column {
    Column::of(ColumnKind::Counter, unit, Merge::Add)
}

pub const fn gauge(unit: &'static str) -> Column {
    Column::of(ColumnKind::Gauge, unit, Merge::Last)
}

pub const fn histogram() -> Column {
    Column::of(ColumnKind::Histogram, "ns", Merge::Add)
}

pub const fn flag() -> Column {
    Column::of(ColumnKind::Flag, "", Merge::Last)
}

pub const fn info() -> Column {
    Column::of(ColumnKind::Info, "", Merge::Last)
}

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
}

/// Stands in place of the columns that name a process, where rows are of cgroups.
pub const fn group(head: &'static str, unknown: &'static str) -> Text {
    Text::of(head, Format::Group(unknown), Left, 0)
}

/// The head is the range that it spans.
pub const fn spark(room: Room) -> Text {
    Text::of("", Format::Spark(room), Left, 0)
}

pub const fn own(head: &'static str, name: &'static str) -> Text {
    Text::of(head, Format::Own(name), Left, 0)
}
