//! Where the time of processes went: each wait of 10 ms and more in one entry, with what it was for and the finding that is about it.
//!
//! Rules say what is wrong. What is said to be fine rests on what is left here ([`super::ruled_out`]), and so does what nobody can
//! explain ([`super::unexplained`]).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Scene, memory_stall, slow_calls,
    waits::{Class, Wait},
};
use crate::{
    reasons::Kind,
    snapshot::{
        Who,
        cpu::is_background,
        finding::Finding,
        ledger::{BEFORE_START, Entry, For},
    },
    table::Known,
};

/// Shorter waits for a CPU are how it is shared.
const LONG_NS: u64 = 10_000_000;

/// Of one entry, until all is added up.
#[derive(Default)]
struct Sum {
    lost_ns: u64,
    processes: BTreeSet<(Option<u32>, Option<String>)>,
    longest_ns: u64,
    before_start: bool,
}

pub struct Ledger {
    entries: BTreeMap<(For, String, Option<&'static str>), Sum>,
}

/// One process's part of it.
struct Part<'a> {
    what: For,
    on: String,
    who: &'a Who,
    lost_ns: u64,
    longest_ns: u64,
    before_start: bool,
}

impl Ledger {
    pub fn of(scene: &Scene, findings: &[Finding]) -> Self {
        let mut ledger = Self { entries: BTreeMap::new() };
        let memory = memory_stall::waits(scene);
        let is_theirs = |wait: &Wait| wait.class == Class::Memory && scene.now.oom.is_some();
        for wait in scene.waits.iter().filter(|wait| wait.class != Class::Meant && !is_theirs(wait)) {
            ledger.add(findings, of_wait(wait));
        }
        for wait in &memory {
            let (on, longest_ns) = (wait.words.to_owned(), wait.longest_ns);
            let (who, lost_ns, before_start) = (wait.who, wait.lost_ns, wait.before_start);
            ledger.add(findings, Part { what: For::Memory, on, who, lost_ns, longest_ns, before_start });
        }
        for call in &scene.served {
            let (who, on) = (&call.who, call.reason.clone().unwrap_or_default());
            let (lost_ns, age_ns) = (call.lost_ns(scene.interval_ns()), call.age_ns.value().copied());
            let (longest_ns, before_start) = (age_ns.unwrap_or(0), age_ns.is_none());
            ledger.add(findings, Part { what: For::FileServer, on, who, lost_ns, longest_ns, before_start });
        }
        for call in slow_calls::calls(scene) {
            let (on, longest_ns) = (call.name.to_owned(), call.max_ns);
            let (who, lost_ns, before_start) = (call.who, call.lost_ns, call.before_start);
            ledger.add(findings, Part { what: For::Call, on, who, lost_ns, longest_ns, before_start });
        }
        for one in &scene.asynchronous {
            let (who, on, lost_ns) = (one.who, one.disk.clone(), one.lost_ns);
            let what = For::AsynchronousIo;
            ledger.add(findings, Part { what, on, who, lost_ns, longest_ns: 0, before_start: false });
        }
        ledger.add_cpu(scene, findings);
        ledger
    }

    fn add_cpu(&mut self, scene: &Scene, findings: &[Finding]) {
        let Some(cpu) = &scene.now.cpu else { return };
        let waited = cpu.waited.iter().filter(|row| row.max_ns >= LONG_NS && !is_background(&row.class));
        let waited = waited.map(|row| (&row.who, row.total_ns, row.max_ns));
        let waiting = cpu.waiting.value().into_iter().flatten();
        let waiting = waiting.filter(|row| row.age_ns >= LONG_NS && !is_background(&row.class));
        let waiting = waiting.map(|row| (&row.who, row.age_ns.min(scene.interval_ns()), row.age_ns));
        for (who, lost_ns, longest_ns) in waited.chain(waiting).filter(|(who, ..)| !who.kernel_thread) {
            let on = String::new();
            self.add(findings, Part { what: For::RunQueue, on, who, lost_ns, longest_ns, before_start: false });
        }
        for row in cpu.throttled.value().into_iter().flatten().filter(|row| row.throttled_ns > 0) {
            let rule = findings.iter().find(|found| found.rule == "quota" && found.subject == row.cgroup);
            let sum = self.entries.entry((For::Quota, row.cgroup.clone(), rule.map(|found| found.rule))).or_default();
            sum.lost_ns += row.throttled_ns;
            sum.longest_ns = sum.longest_ns.max(row.throttled_ns);
            sum.processes.extend(row.members.iter().map(key));
        }
    }

    fn add(&mut self, findings: &[Finding], part: Part) {
        let about = |found: &&Finding| {
            rules(part.what).contains(&found.rule) && found.victims.iter().any(|victim| key(victim) == key(part.who))
        };
        let rule = findings.iter().find(about).map(|found| found.rule);
        let sum = self.entries.entry((part.what, part.on, rule)).or_default();
        sum.lost_ns += part.lost_ns;
        sum.longest_ns = sum.longest_ns.max(part.longest_ns);
        sum.before_start |= part.before_start;
        sum.processes.insert(key(part.who));
    }

    /// The most time first.
    pub fn rows(&self) -> Vec<Entry> {
        let row = |((what, on, rule), sum): (&(For, String, Option<&str>), &Sum)| Entry {
            what: *what,
            on: on.clone(),
            lost_ns: sum.lost_ns,
            processes: sum.processes.len() as u64,
            longest_ns: if sum.before_start { Known::unknown(BEFORE_START) } else { sum.longest_ns.into() },
            rule: rule.map(str::to_owned),
        };
        let mut rows: Vec<Entry> = self.entries.iter().map(row).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.lost_ns));
        rows
    }
}

/// Of some only the name is known.
fn key(who: &Who) -> (Option<u32>, Option<String>) {
    (who.pid, who.comm.clone().filter(|_| who.pid.is_none()))
}

fn of_wait<'a>(wait: &Wait<'a>) -> Part<'a> {
    let row = wait.row;
    let reason = || wait.reason().cloned().unwrap_or_default();
    let disk = || wait.disk().unwrap_or_default().to_owned();
    let (what, on) = match wait.class {
        Class::Memory | Class::Meant => (For::Memory, reason()),
        Class::Dirty => (For::DirtyPages, String::new()),
        Class::Sync => (For::Sync, disk()),
        Class::Device if of_reason(&reason()) == For::IoThrottle => (For::IoThrottle, disk()),
        Class::Device => (For::Disk, disk()),
        Class::Else => (of_reason(&reason()), reason()),
    };
    Part {
        what,
        on,
        who: &row.who,
        lost_ns: wait.lost_ns,
        longest_ns: wait.longest_ns(),
        before_start: row.before_start(),
    }
}

fn of_reason(reason: &str) -> For {
    let is = |kinds: &[Kind]| kinds.iter().any(|kind| kind.words() == reason);
    if is(&[Kind::FilesystemFrozen, Kind::QueueFrozen]) {
        For::Thaw
    } else if is(&[Kind::NetworkFilesystem, Kind::Fuse]) {
        For::FileServer
    } else if is(&[Kind::IoController, Kind::WritebackThrottling, Kind::QueueFull]) {
        For::IoThrottle
    } else if is(&[Kind::MemoryLock, Kind::FilesystemLock, Kind::KernelLock, Kind::PageLock]) {
        For::Lock
    } else {
        For::NotKnown
    }
}

/// Those that can be about a wait for it.
fn rules(what: For) -> &'static [&'static str] {
    match what {
        For::Disk | For::Sync | For::IoThrottle => {
            &["device_saturated", "sync_stall", "held_back", "io_hung", "stuck_tasks"]
        }
        For::AsynchronousIo => &["device_saturated"],
        For::DirtyPages => &["dirty_throttling"],
        For::Memory => &["memory_stall", "oom_kill"],
        For::RunQueue => &["cpu_saturated", "softirq", "quota"],
        For::Quota => &["quota"],
        For::Call => &["slow_calls", "failing_calls"],
        For::Thaw | For::FileServer | For::Lock | For::NotKnown => &["stuck_tasks", "io_hung"],
    }
}
