//! All tables of a snapshot in one list, for whoever does the same with each of them.

use std::borrow::Cow;

use super::{
    Snapshot,
    summary::{FindingRow, Interval, Killed},
};
use crate::table::Tabular;

/// The table in a snapshot; none: its probe does not run, or it was not asked for.
pub type Of<T> = fn(&Snapshot) -> Option<Cow<'_, T>>;

/// Does something with every table.
pub trait EachTable {
    type Error;

    fn table<T: Tabular>(&mut self, of: Of<T>) -> Result<(), Self::Error>;
}

/// In the order of `docs/tables.md`.
pub fn each<E: EachTable>(with: &mut E) -> Result<(), E::Error> {
    // Events of an interval whose end is not recorded stand alone.
    with.table(|snapshot| (!snapshot.interval.is_zero()).then(|| made(Interval::of(snapshot))))?;
    with.table(|snapshot| Some(made(FindingRow::all(snapshot.findings.as_ref()?))))?;
    measured(with)?;
    with.table(|snapshot| Some(made(Killed::all(snapshot.oom.as_ref()?))))
}

fn made<'a, T: Tabular>(table: T) -> Cow<'a, T> {
    Cow::Owned(table)
}

macro_rules! tables {
    ($($probe:ident: $($($field:ident).+ $(($some:ident))?),+;)*) => {
        /// Those that a snapshot has as such.
        pub fn measured<E: EachTable>(with: &mut E) -> Result<(), E::Error> {
            $($(with.table(|snapshot| tables!(@ snapshot.$probe.as_ref()?; $($field).+ $(, $some)?))?;)+)*
            Ok(())
        }
    };
    (@ $part:expr; $($field:ident).+) => {
        Some(Cow::Borrowed(&$part.$($field).+))
    };
    (@ $part:expr; $($field:ident).+, $some:ident) => {
        $part.$($field).+.as_ref().map(Cow::Borrowed)
    };
}

// In brackets: what is there only where it was asked for.
tables! {
    io: devices, stalled, caused_by, blame (some), slow;
    syscalls: rows, slow, in_flight, by (some);
    cpu: scheduler, waited, waiting, running, running_mean (some), by (some), throttled, processors, interrupts (some);
    tcp: flows, remotes, drops (some), listeners, closed_windows, sockets, namespaces, ports,
        events.retransmits, events.connects, events.resets, events.drops;
    oom: limits, signals, reclaim, inside;
    disk: filesystems, growing, directories, deleted_open, descriptors, host;
    changes: changes, watched;
    log: sources, lines, harm;
    findings: ledger;
}
