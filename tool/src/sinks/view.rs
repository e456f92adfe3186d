//! What drawing depends on, apart from the snapshot.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::{
    cli::plan::{By, Filter, Plan},
    escape::fit,
    syscall_names,
};

/// Columns that the full layout of the tables takes.
const FULL: u16 = 100;

/// Settings of a sink.
#[derive(Clone, Debug)]
pub struct View {
    /// Rows per table.
    pub top: usize,
    pub colour: bool,
    /// Fewer than [`FULL`] columns: narrower histograms, no names of errors.
    pub narrow: bool,
    pub zone: TimeZone,
    /// Threshold of the table of slow calls.
    pub slow: Duration,
    /// Calls that wait by design are listed too.
    pub idle: bool,
    pub by: Option<By>,
    /// What is left out, in words; empty when nothing is. Safe for a terminal.
    pub only: String,
}

impl View {
    pub fn of(plan: &Plan) -> Self {
        let syscalls = &plan.syscalls;
        Self {
            top: plan.top,
            colour: plan.colour,
            narrow: terminal_size::terminal_size().is_some_and(|(width, _)| width.0 < FULL),
            zone: TimeZone::system(),
            slow: syscalls.slow,
            idle: syscalls.idle,
            by: syscalls.by,
            only: only(&syscalls.filter, &syscalls.only),
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

fn only(filter: &Filter, calls: &[u32]) -> String {
    let mut parts = Vec::new();
    let mut list = |what: &str, names: Vec<String>| {
        if !names.is_empty() {
            parts.push(format!("{what} {}", several(&names)));
        }
    };
    list("pid", filter.pids.iter().map(u32::to_string).collect());
    list("comm", filter.comm.iter().map(|comm| fit(comm, 15)).collect());
    let dir = filter.cgroup.iter().filter_map(|dir| dir.file_name());
    list("cgroup", dir.map(|name| fit(&name.to_string_lossy(), 40)).collect());
    list("call", calls.iter().map(|nr| syscall_names::label(*nr).into_owned()).collect());
    if filter.errors {
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

    #[test]
    fn filters_in_words() {
        let mut filter = Filter::default();
        assert_eq!(only(&filter, &[]), "");
        filter.pids = vec![1, 2, 3, 4, 5, 6];
        filter.comm = Some("a\u{1b}[2Jb".into());
        filter.cgroup = Some("/sys/fs/cgroup/system.slice/backup.service".into());
        filter.errors = true;
        let text = only(&filter, &[syscall_names::number("read").unwrap()]);
        assert!(text.starts_with("pid 1 2 3 4 and 2 more, comm a"), "{text}");
        assert!(text.ends_with(", cgroup backup.service, call read, calls that failed"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}
