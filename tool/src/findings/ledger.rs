//! Where the time of processes went: each wait of 10 ms and more in one entry, with what it was for and the finding that is about it.
//!
//! Rules say what is wrong. What is said to be fine rests on what is left here ([`super::ruled_out`]), and so does what nobody can
//! explain ([`super::unexplained`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    Scene, memory_stall, slow_calls,
    waits::{Class, Wait},
};
use crate::{
    reasons::Kind,
    snapshot::{
        Snapshot, Who,
        cpu::{Throttled, is_background},
        finding::Finding,
        ledger::{BEFORE_START, Entry, For},
    },
    table::{Known, in_order},
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
        parts(scene, |part| ledger.add(findings, part));
        ledger
    }

    fn add(&mut self, findings: &[Finding], part: Part) {
        let rule = findings.iter().find(|found| is_about(found, part.what, part.who)).map(|found| found.rule);
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
        in_order(&mut rows);
        rows
    }
}

/// Each wait once, without those of our own threads for each other.
fn parts(scene: &Scene, mut each: impl FnMut(Part)) {
    let mut each = |part: Part| {
        if !(scene.is_ours(part.who) && is_among_threads(part.what)) {
            each(part);
        }
    };
    let memory = memory_stall::waits(scene);
    let is_theirs = |wait: &Wait| wait.class == Class::Memory && scene.now.oom.is_some();
    for wait in scene.waits.iter().filter(|wait| wait.class != Class::Meant && !is_theirs(wait)) {
        each(of_wait(wait));
    }
    for wait in &memory {
        let (on, longest_ns) = (wait.words.to_owned(), wait.longest_ns);
        let (who, lost_ns, before_start) = (wait.who, wait.lost_ns, wait.before_start);
        each(Part { what: For::Memory, on, who, lost_ns, longest_ns, before_start });
    }
    for call in &scene.served {
        let (who, on) = (&call.who, call.reason.clone().unwrap_or_default());
        let (lost_ns, age_ns) = (call.lost_ns(scene.interval_ns()), call.age_ns.value().copied());
        let (longest_ns, before_start) = (age_ns.unwrap_or(0), age_ns.is_none());
        each(Part { what: For::FileServer, on, who, lost_ns, longest_ns, before_start });
    }
    for call in slow_calls::calls(scene) {
        let (on, longest_ns) = (call.name.to_owned(), call.max_ns);
        let (who, lost_ns, before_start) = (call.who, call.lost_ns, call.before_start);
        each(Part { what: For::Call, on, who, lost_ns, longest_ns, before_start });
    }
    for one in &scene.asynchronous {
        let (who, on, lost_ns) = (one.who, one.disk.clone(), one.lost_ns);
        let what = For::AsynchronousIo;
        each(Part { what, on, who, lost_ns, longest_ns: 0, before_start: false });
    }
    parts_of_cpus(scene, each);
}

/// What threads of a process may wait for because of each other: where we start slowly, that is us and not the host. A disk, memory or
/// a server is others', too. Of calls, [`slow_calls`] says so.
fn is_among_threads(what: For) -> bool {
    matches!(what, For::RunQueue | For::Lock | For::Kernel | For::NotKnown)
}

fn parts_of_cpus(scene: &Scene, mut each: impl FnMut(Part)) {
    let Some(cpu) = &scene.now.cpu else { return };
    let waited = cpu.waited.iter().filter(|row| row.max_ns >= LONG_NS && !is_background(&row.class));
    let waited = waited.map(|row| (&row.who, row.lost_ns, row.max_ns));
    let waiting = cpu.waiting.value().into_iter().flatten();
    let waiting = waiting.filter(|row| row.age_ns >= LONG_NS && !is_background(&row.class));
    let waiting = waiting.map(|row| (&row.who, row.age_ns.min(scene.interval_ns()), row.age_ns));
    let throttled = cpu.throttled.value().map_or(&[][..], |rows| rows.as_slice());
    let mut processes: BTreeMap<_, (&Who, u64, u64)> = BTreeMap::new();
    for (who, lost_ns, longest_ns) in waited.chain(waiting).filter(|(who, ..)| !who.kernel_thread) {
        let (_, sum_ns, max_ns) = processes.entry(key(who)).or_insert((who, 0, 0));
        (*sum_ns, *max_ns) = (*sum_ns + lost_ns, longest_ns.max(*max_ns));
    }
    for (who, lost_ns, longest_ns) in processes.into_values() {
        // Who has no quota left waits in a run queue, too.
        let is_of = |row: &&Throttled| row.members.iter().any(|member| key(member) == key(who));
        let quota = throttled.iter().find(is_of);
        let quota_ns = quota.map_or(0, |row| row.throttled_ns.min(lost_ns));
        let on = quota.map_or_else(String::new, |row| row.cgroup.clone());
        for (what, on, lost_ns) in [(For::Quota, on, quota_ns), (For::RunQueue, String::new(), lost_ns - quota_ns)] {
            if lost_ns > 0 {
                each(Part { what, on, who, lost_ns, longest_ns, before_start: false });
            }
        }
    }
}

/// Time that one process lost in an interval.
pub struct LostTime {
    pub who: Who,
    pub what: For,
    pub ns: u64,
}

/// The ledger of an interval, by process.
pub fn lost(snapshot: &Snapshot) -> Vec<LostTime> {
    let kills = VecDeque::new();
    let scene = Scene::new(snapshot, &kills);
    let mut lost = Vec::new();
    parts(&scene, |part| lost.push(LostTime { who: part.who.clone(), what: part.what, ns: part.lost_ns }));
    lost
}

/// Whether a finding is about such a wait of a process.
pub fn is_about(found: &Finding, what: For, who: &Who) -> bool {
    rules(what).contains(&found.rule) && found.victims.iter().any(|victim| key(victim) == key(who))
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
        // The disk is that of the file which the call is about.
        Class::Device => match of_reason(&reason()) {
            what @ (For::IoThrottle | For::Lock | For::Kernel) => (what, disk()),
            _ => (For::Disk, disk()),
        },
        Class::Else => match of_reason(&reason()) {
            what @ (For::Disk | For::Sync) => (what, String::new()),
            what => (what, reason()),
        },
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

/// What a reason alone says.
pub fn of_reason(reason: &str) -> For {
    let kind = Kind::ALL.iter().find(|kind| kind.words() == reason);
    kind.map_or(For::NotKnown, |kind| match kind {
        Kind::FilesystemFrozen | Kind::QueueFrozen => For::Thaw,
        Kind::NetworkFilesystem | Kind::Fuse => For::FileServer,
        Kind::IoController | Kind::WritebackThrottling | Kind::QueueFull => For::IoThrottle,
        Kind::DirtyThrottling => For::DirtyPages,
        Kind::MemoryLock | Kind::FilesystemLock | Kind::KernelLock | Kind::PageLock => For::Lock,
        Kind::OutOfMemory | Kind::MemoryHigh | Kind::Compaction | Kind::MemoryReclaim | Kind::SwapIn => For::Memory,
        Kind::Flush | Kind::JournalCommit | Kind::JournalRecovery | Kind::MetadataWrite | Kind::Writeback => For::Sync,
        Kind::DeviceError
        | Kind::DeviceCommand
        | Kind::DeviceMapper
        | Kind::Discard
        | Kind::WriteZeroes
        | Kind::PageRead
        | Kind::MetadataRead
        | Kind::FilesystemIo
        | Kind::DirectIo => For::Disk,
        Kind::PageMigration | Kind::Rcu | Kind::CpuMigration | Kind::Worker => For::Kernel,
        // Of a page fault any part; the others wait until somebody lets them go on.
        Kind::PageFault | Kind::Vfork | Kind::Freezer | Kind::Userfaultfd | Kind::Other => For::NotKnown,
    })
}

/// Those that can be about a wait for it.
fn rules(what: For) -> &'static [&'static str] {
    match what {
        For::Disk | For::Sync | For::IoThrottle => {
            &["device_saturated", "sync_stall", "held_back", "io_hung", "stuck_tasks"]
        }
        For::AsynchronousIo => &["device_saturated", "io_hung"],
        For::DirtyPages => &["dirty_throttling"],
        For::Memory => &["memory_stall", "oom_kill"],
        For::RunQueue => &["cpu_saturated", "softirq", "quota"],
        For::Quota => &["quota"],
        For::Call => &["slow_calls", "failing_calls"],
        For::Lock => &["stuck_tasks", "io_hung", "device_saturated", "sync_stall", "held_back"],
        For::Thaw | For::FileServer | For::Kernel | For::NotKnown => &["stuck_tasks", "io_hung", "held_back"],
    }
}
