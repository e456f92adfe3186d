//! Columns that only one table can put into words, for whoever draws any table.

use std::any::Any;

use super::{callers, calls, changes, cpu, disk, io, log, oom, table::Noted, tcp, values::Show};

macro_rules! tables {
    ($($own:path,)*) => {
        /// None: the table has no such words.
        pub fn own(row: &dyn Any, name: &str, show: &Show) -> Option<Noted> {
            $(if let Some(noted) = of(row, name, show, $own) {
                return Some(noted);
            })*
            None
        }
    };
}

tables! {
    io::devices::own,
    io::stalled::own,
    io::causes::own,
    io::blame::own,
    io::requests::own,
    calls::own,
    callers::own,
    cpu::processors::own,
    cpu::processors::own_of_interrupt,
    cpu::running::own,
    cpu::waits::own,
    disk::filesystems::own,
    disk::files::own,
    disk::files::own_of_directory,
    disk::files::own_of_deleted,
    log::own,
    log::own_of_source,
    log::own_of_harm,
    tcp::flows::own,
    tcp::connects::own,
    tcp::connects::own_of_remote,
    tcp::resets::own,
    tcp::events::own,
    tcp::listeners::own,
    tcp::drops::own,
    tcp::windows::own,
    tcp::sockets::own,
    tcp::sockets::own_of_namespace,
    tcp::sockets::own_of_ports,
    changes::own,
    oom::tables::own,
    oom::tables::own_of_reclaim,
    oom::tables::own_of_inside,
}

fn of<R: 'static>(row: &dyn Any, name: &str, show: &Show, own: fn(&R, &str, &Show) -> Noted) -> Option<Noted> {
    row.downcast_ref().map(|row| own(row, name, show))
}
