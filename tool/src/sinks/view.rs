//! What drawing depends on, apart from the snapshot.

use std::{os::fd::AsFd, time::Duration};

use jiff::tz::TimeZone;

use crate::{
    cli::plan::{By, Plan, Prefix},
    escape::fit,
    syscall_names,
    table::Room,
};

/// Narrower terminals wrap by themselves.
const LEAST: usize = 40;
/// Columns that the full layout of the tables takes.
const FULL: usize = 100;
/// Columns from which words and pictures are not shortened; what is not a terminal has as many.
const ROOMY: usize = 120;

/// Settings of a sink.
#[derive(Clone, Debug)]
pub struct View {
    /// Rows per table.
    pub top: usize,
    pub colour: bool,
    /// Columns that the layout is made for.
    pub width: usize,
    /// No line is wider; without a terminal, none is too wide.
    pub limit: usize,
    pub zone: TimeZone,
    /// Threshold of the table of slow calls.
    pub slow: Duration,
    /// Calls that wait by design are listed too.
    pub idle: bool,
    pub by: Option<By>,
    /// Threshold from which the reason of a wait is named.
    pub stall: Duration,
    /// Threshold of single requests, where asked for.
    pub slow_requests: Option<Duration>,
    /// Threshold of the table of those who waited in a run queue.
    pub slow_waits: Duration,
    /// Waits of kernel threads are listed too.
    pub kernel_threads: bool,
    /// Stacks are printed under the waits.
    pub stacks: bool,
    /// All of the kernel's report of a kill is printed.
    pub log: bool,
    /// Only some processes are shown.
    pub whose: bool,
    /// Only some devices are shown.
    pub which_devices: bool,
    /// What is left out, in words; empty when nothing is. Safe for a terminal.
    pub only: String,
}

impl View {
    pub fn of(plan: &Plan) -> Self {
        let (syscalls, io, filter) = (plan.syscalls.as_ref(), plan.io.as_ref(), &plan.filter);
        let columns = columns(std::io::stdout());
        Self {
            top: plan.top,
            colour: plan.colour,
            width: columns.unwrap_or(ROOMY),
            limit: columns.unwrap_or(usize::MAX),
            zone: TimeZone::system(),
            slow: syscalls.map_or(Duration::ZERO, |plan| plan.slow),
            idle: syscalls.is_some_and(|plan| plan.idle),
            by: syscalls.and_then(|plan| plan.by).or(plan.cpu.as_ref().and_then(|plan| plan.by)),
            stall: io.map_or(Duration::ZERO, |plan| plan.stall),
            slow_requests: io.and_then(|plan| plan.slow),
            slow_waits: plan.cpu.as_ref().map_or(Duration::ZERO, |plan| plan.slow),
            kernel_threads: io.is_some_and(|plan| plan.kernel_threads),
            stacks: io.is_some_and(|plan| plan.stacks),
            log: plan.oom.as_ref().is_some_and(|plan| plan.log),
            whose: !filter.is_empty(),
            which_devices: io.is_some_and(|plan| !plan.only.is_empty()),
            only: only(plan),
        }
    }

    /// Narrower histograms, fewer columns, no names of errors.
    pub fn narrow(&self) -> bool {
        self.width < FULL
    }

    pub fn roomy(&self) -> bool {
        self.width >= ROOMY
    }

    pub fn has(&self, room: Room) -> bool {
        match room {
            Room::Any => true,
            Room::Wide => !self.narrow(),
            Room::Roomy => self.roomy(),
        }
    }

    pub fn slow_ns(&self) -> u64 {
        u64::try_from(self.slow.as_nanos()).unwrap_or(u64::MAX)
    }

    pub fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    pub fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    pub fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Of the terminal that it is, if it is one.
pub fn columns(of: impl AsFd) -> Option<usize> {
    terminal_size::terminal_size_of(of).map(|(width, _)| LEAST.max(width.0.into()))
}

fn only(plan: &Plan) -> String {
    let filter = &plan.filter;
    let mut parts = Vec::new();
    let mut list = |what: &str, names: Vec<String>| {
        if !names.is_empty() {
            parts.push(format!("{what} {}", several(&names)));
        }
    };
    list("pid", filter.pids.iter().map(u32::to_string).collect());
    list("comm", filter.comm.iter().map(|comm| fit(comm, 15)).collect());
    let dir = filter.cgroup.iter().filter_map(|cgroup| cgroup.dir.file_name());
    list("cgroup", dir.map(|name| fit(&name.to_string_lossy(), 40)).collect());
    if let Some(syscalls) = &plan.syscalls {
        list("call", syscalls.only.iter().map(|nr| syscall_names::label(*nr).into_owned()).collect());
    }
    if let Some(io) = &plan.io {
        list("device", io.only.clone());
    }
    if let Some(tcp) = &plan.tcp {
        list("port", tcp.ports.iter().map(u16::to_string).collect());
        list("address", tcp.addresses.iter().map(Prefix::to_string).collect());
    }
    if plan.syscalls.as_ref().is_some_and(|plan| plan.errors) {
        parts.push("calls that failed".into());
    }
    parts.join(", ")
}

/// The first few, and how many more.
fn several(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let mut text = names[..names.len().min(SHOWN)].join(" ");
    if let Some(more @ 1..) = names.len().checked_sub(SHOWN) {
        text += &format!(" and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::plan::{self, Draw, Filter},
        snapshot::syscalls::Mode,
    };

    #[test]
    fn filters_in_words() {
        let mut plan = Plan::default();
        assert_eq!(only(&plan), "");
        plan.filter = Filter {
            pids: vec![1, 2, 3, 4, 5, 6],
            comm: Some("a\u{1b}[2Jb".into()),
            cgroup: Some(plan::Cgroup {
                dir: "/sys/fs/cgroup/system.slice/backup.service".into(),
                path: "/system.slice/backup.service".into(),
            }),
        };
        plan.syscalls = Some(plan::Syscalls {
            mode: Mode::Exact,
            slow: Duration::from_millis(10),
            idle: false,
            by: None,
            errors: true,
            failing: false,
            only: vec![syscall_names::number("read").unwrap()],
            draw: Draw::Tables,
        });
        let text = only(&plan);
        assert!(text.starts_with("pid 1 2 3 4 and 2 more, comm a"), "{text}");
        assert!(text.ends_with(", cgroup backup.service, call read, calls that failed"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn devices_in_words() {
        let io = plan::Io {
            devices_only: false,
            only: vec!["sda".into(), "dm-0".into()],
            stall: Duration::from_millis(1),
            slow: Some(Duration::from_millis(100)),
            stacks: true,
            blame: false,
            kernel_threads: true,
        };
        let plan = Plan { io: Some(io), ..Plan::default() };
        assert_eq!(only(&plan), "device sda dm-0");
        let view = View::of(&plan);
        assert!(view.which_devices && !view.whose && view.stacks && view.kernel_threads);
        assert_eq!((view.stall, view.slow_requests), (Duration::from_millis(1), Some(Duration::from_millis(100))));
    }
}
