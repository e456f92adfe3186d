//! What is known of an entry without unpacking it: enough for the scrubber and for the lines of values over time.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    record::Entry,
    snapshot::{
        Snapshot,
        changes::Changes,
        cpu::{Cpu, Processor},
        disk::Disk,
        finding::State,
        io::Io,
        log::Log,
        oom::Oom,
        syscalls::Syscalls,
        tcp::Tcp,
    },
};

#[derive(Clone, Debug, PartialEq)]
pub struct Digest {
    pub at: Timestamp,
    pub what: What,
    /// Of a snapshot: that of the worst finding that held.
    pub harm: f64,
    /// By probe, in the order of the list; none: not measured.
    pub figures: [Option<f64>; FIGURES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Interval,
    /// An interval in which a finding of harm began.
    Begins,
    Kill,
    Mark,
    Gap,
    Events,
}

impl What {
    pub fn is_interval(self) -> bool {
        matches!(self, Self::Interval | Self::Begins)
    }

    /// Something to jump to.
    pub fn is_remarkable(self) -> bool {
        matches!(self, Self::Begins | Self::Kill | Self::Mark | Self::Gap)
    }
}

macro_rules! figures {
    ($($probe:ident: $_part:ident),*) => {
        const FIGURES: usize = [$(stringify!($probe)),*].len();

        /// One figure of each probe that says how busy what it looks at is.
        fn figures(snapshot: &Snapshot) -> [Option<f64>; FIGURES] {
            [$(snapshot.$probe.as_ref().map(|part| $probe(part, snapshot.interval))),*]
        }

        /// The number of a probe's figure.
        pub fn place(probe: &str) -> Option<usize> {
            [$(stringify!($probe)),*].iter().position(|name| *name == probe)
        }
    };
}

probes!(figures);

impl Digest {
    /// None of what is empty.
    pub fn of(entry: &Entry) -> Option<Self> {
        let at = entry.at()?;
        let digest = |what| Self { at, what, harm: 0.0, figures: [None; FIGURES] };
        Some(match entry {
            Entry::Snapshot(snapshot) => {
                let open = || snapshot.findings.iter().flat_map(|found| &found.open).filter(|open| open.now);
                let begins = open().any(|open| open.state == State::Started && open.finding.harm > 0.0);
                let harm = open().map(|open| open.finding.harm).fold(0.0, f64::max);
                let what = if begins { What::Begins } else { What::Interval };
                Self { harm, figures: figures(snapshot), ..digest(what) }
            }
            Entry::Kills(_) => digest(What::Kill),
            Entry::Mark(_) => digest(What::Mark),
            Entry::Dropped(_) => digest(What::Gap),
            Entry::Events(_) => digest(What::Events),
        })
    }
}

/// Per second.
fn rate(count: u64, interval: Duration) -> f64 {
    count as f64 / interval.as_secs_f64().max(1e-3)
}

/// Nanoseconds per second in calls that were slow.
fn syscalls(part: &Syscalls, interval: Duration) -> f64 {
    rate(part.slow.iter().map(|row| row.total_ns).sum(), interval)
}

/// Nanoseconds per second of processes' waits.
fn io(part: &Io, interval: Duration) -> f64 {
    let waits = part.stalled.value().into_iter().flatten().filter(|row| !row.kernel_thread);
    rate(waits.map(|row| row.lost_ns).sum(), interval)
}

/// Segments per second that were sent again.
fn tcp(part: &Tcp, interval: Duration) -> f64 {
    rate(part.totals.segments, interval)
}

/// Percent of memory that is not available.
fn oom(part: &Oom, _: Duration) -> f64 {
    let memory = &part.memory;
    100.0 * memory.total.saturating_sub(memory.available) as f64 / memory.total.max(1) as f64
}

/// Percent of all CPUs that is used.
fn cpu(part: &Cpu, _: Duration) -> f64 {
    let all: u64 = part.processors.iter().map(Processor::all_ns).sum();
    let idle: u64 = part.processors.iter().map(|row| row.idle_ns).sum();
    100.0 * all.saturating_sub(idle) as f64 / all.max(1) as f64
}

/// Percent of the fullest file system that is in use.
fn disk(part: &Disk, _: Duration) -> f64 {
    let written = part.filesystems.iter().filter(|row| !row.read_only);
    100.0 * written.filter_map(|row| row.used_share.value()).copied().fold(0.0, f64::max)
}

/// Changes that were found.
fn changes(part: &Changes, _: Duration) -> f64 {
    (part.changes.len() as u64 + part.changes.left_out()) as f64
}

/// Lines of severity error or worse each second.
fn log(part: &Log, interval: Duration) -> f64 {
    rate(part.errors(), interval)
}
