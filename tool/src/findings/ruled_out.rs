//! What was measured and is fine, with the figures that prove it; what is not clear, with those that stand against it; and what was not
//! measured, of which nothing is said.
//!
//! That no rule holds proves nothing. Each area says by which figures it is fine; the kernel's own pressure stall information is one of
//! them wherever there is any. An area of which one figure is beyond its bound, and no finding tells why, is not clear.
//!
//! Pressure also says whether the probes have seen everything: the kernel counts the time in which some task of a CPU waits, and takes the
//! mean of the CPUs, so that it is never more than all waits together, the short ones included. What it is more by has not been seen.

use super::{
    Scene, close_wait,
    descriptors::NEAR,
    dropped,
    ledger::of_reason,
    windows::{self, SENDING},
    words::{name, netns},
};
use crate::{
    escape::escape,
    format,
    snapshot::{
        Pressure, StallPercent, Who,
        cpu::{Cpu, Processor},
        disk::Filesystem,
        finding::RuledOut,
        io::Io,
        ledger::{Entry, For},
        oom::Oom,
        syscalls::{Call, InFlight, Mode},
        tcp::{self, Direction, Tcp},
    },
    table::{Known, Why},
};

/// Time lost per second in an area that is fine.
const LOST: f64 = 0.1;
/// Time per second in which a task waits for what no probe has seen.
const UNSEEN: f64 = 0.1;
const CPU: Resource = Resource { name: "CPU", of: |pressure| pressure.cpu, most: 50.0 };
/// A disk that is busy and well has some pressure.
const IO: Resource = Resource { name: "I/O", of: |pressure| pressure.io, most: 30.0 };
const MEMORY: Resource = Resource { name: "memory", of: |pressure| pressure.memory, most: 5.0 };
const RUN_QUEUE_P99_NS: u64 = 10_000_000;
const REQUEST_P99_NS: u64 = 50_000_000;
const CALL_NS: u64 = 10_000_000;
const REQUEST_AGE_NS: u64 = 1_000_000_000;
const STEAL: f64 = 10.0;
/// Of all memory.
const AVAILABLE: f64 = 0.03;
const RETRANSMITTED: f64 = 20.0;
const RESETS: f64 = 1.0;
const NO_ROUTE: f64 = 1.0;
/// A firewall that faces the world drops some at all times.
const DROPPED: f64 = 20.0;
/// Of a file system that is well.
const USED: f64 = 0.98;
const FULL_IN_NS: u64 = 600_000_000_000;
/// Of the connections that were tried.
const FAILED: f64 = 0.1;

/// What was found out of an area.
#[derive(Default)]
struct Figures {
    /// What says that it is fine.
    fine: Vec<String>,
    /// What says that it may not be.
    against: Vec<String>,
}

impl Figures {
    fn add(&mut self, is_fine: bool, figure: String) {
        if is_fine { &mut self.fine } else { &mut self.against }.push(figure);
    }

    /// Said only where it is beyond its bound.
    fn only(&mut self, is_fine: bool, figure: impl FnOnce() -> String) {
        if !is_fine {
            self.against.push(figure());
        }
    }

    /// `long_ns`: what of it the ledger has. `seen_ns`: all waits, those of kernel threads and those that are too short for the ledger
    /// included.
    fn pressure(&mut self, scene: &Scene, of: &Resource, long_ns: u64, seen_ns: u64) {
        let Ok(pressure) = &scene.now.pressure else { return };
        let some = (of.of)(pressure).some;
        let other_ns = seen_ns.saturating_sub(long_ns);
        let is_seen = some / 100.0 - scene.share(long_ns + other_ns) < UNSEEN;
        self.only(some < of.most && is_seen, || {
            let rate = |ns| format::duration(scene.ns_rate(ns));
            let (some, long, other) = (format::percent(some), rate(long_ns), rate(other_ns));
            format!("{} pressure {some}, of which the ledger has {long}/s, other waits {other}/s", of.name)
        });
    }

    /// Returns the time that is lost.
    fn ledger(&mut self, scene: &Scene, ledger: &[Entry], is_of: impl Fn(&Entry) -> bool) -> u64 {
        let rows = ledger.iter().filter(|row| is_of(row));
        let lost_ns: u64 = rows.clone().map(|row| row.lost_ns).sum();
        let rate = || format::duration(scene.ns_rate(lost_ns));
        self.only(scene.share(lost_ns) < LOST, || format!("waits of 10ms and more take {}/s", rate()));
        let old = rows.filter(|row| !row.longest_ns.is_known()).map(|row| row.processes).sum::<u64>();
        self.only(old == 0, || {
            format!("{} since before this run", format::plural(old, "process waits", "processes wait"))
        });
        lost_ns
    }
}

/// What the kernel accounts pressure of.
struct Resource {
    name: &'static str,
    of: fn(&Pressure) -> StallPercent,
    /// Share of time in which a task waits, in percent, of one that is fine.
    most: f64,
}

struct Area {
    name: &'static str,
    /// Or what was not measured.
    look: fn(&Scene, &[Entry]) -> Result<Figures, String>,
    /// Those that speak of it.
    rules: &'static [&'static str],
}

const AREAS: &[Area] = &[
    Area { name: "CPU", look: processors, rules: &["cpu_saturated", "quota", "softirq"] },
    Area {
        name: "disks",
        look: disks,
        rules: &["device_saturated", "held_back", "io_hung", "stuck_tasks", "sync_stall", "dirty_throttling"],
    },
    Area { name: "memory", look: memory, rules: &["memory_stall", "oom_kill"] },
    Area {
        name: "network",
        look: network,
        rules: &["retransmits", "connects_failing", "resets", "close_wait", "ports_used_up"],
    },
    Area { name: "accept queues", look: accept_queues, rules: &["accept_queue"] },
    Area { name: "disk space", look: space, rules: &["disk_full", "disk_filling", "deleted_open", "descriptors"] },
    Area { name: "system calls", look: calls, rules: &["slow_calls", "failing_calls", "stuck_tasks", "unexplained"] },
];

/// An area of which a finding speaks is in none of the lists.
#[derive(Debug, Default)]
pub struct Looked {
    pub fine: Vec<RuledOut>,
    pub unclear: Vec<RuledOut>,
    pub not_measured: Vec<String>,
}

/// `found`: the rules of all findings.
pub fn look(scene: &Scene, ledger: &[Entry], found: &[&str]) -> Looked {
    let mut looked = Looked::default();
    for &Area { name: area, look, rules } in AREAS {
        match look(scene, ledger) {
            Err(why) => looked.not_measured.push(why),
            Ok(_) if found.iter().any(|rule| rules.contains(rule)) => {}
            Ok(Figures { fine, against }) if against.is_empty() => {
                looked.fine.push(RuledOut { area, because: fine.join(", ") });
            }
            Ok(Figures { against, .. }) => looked.unclear.push(RuledOut { area, because: against.join(", ") }),
        }
    }
    if scene.now.syscalls.as_ref().is_some_and(|syscalls| syscalls.mode != Mode::Exact) {
        looked.not_measured.push("calls that fail (--exact)".to_owned());
    }
    if let Some(left_out) = scene.now.tcp.as_ref().map(|tcp| tcp.namespaces_left_out).filter(|&count| count > 0) {
        let namespaces = format::plural(left_out as u64, "network namespace", "network namespaces");
        looked.not_measured.push(format!("packets without a route in {namespaces}"));
    }
    if let Some(why) = scene.now.disk.as_ref().and_then(|disk| disk.descriptors.why()) {
        looked.not_measured.push(format!("descriptors ({why})"));
    }
    if let Some(why) = scene.now.tcp.as_ref().and_then(|tcp| tcp.sockets.why()) {
        looked.not_measured.push(format!("sockets that are not closed ({why})"));
    }
    // What else is left out, its area says.
    if scene.now.tcp.as_ref().is_some_and(|tcp| tcp.drops.is_none()) {
        looked.not_measured.push("dropped packets".to_owned());
    }
    looked
}

fn processors(scene: &Scene, ledger: &[Entry]) -> Result<Figures, String> {
    let cpu = scene.now.cpu.as_ref().ok_or_else(|| scene.lacks("cpu", "CPU"))?;
    let mut figures = Figures::default();
    let sum = |of: fn(&Processor) -> u64| cpu.processors.iter().map(of).sum::<u64>() as f64;
    let all = sum(Processor::all_ns).max(1.0);
    let percent = |part: f64| 100.0 * part / all;
    figures.add(true, format!("{} idle", format::percent(percent(sum(|row| row.idle_ns)))));
    // Who is to have what others leave over waits by design.
    let by_design = cpu.background_ns() > 0 && scene.share(cpu.waits_ns()) < LOST;
    match &cpu.scheduler.run_queue {
        Known::Not(why) => return Err(format!("run queue ({why})")),
        Known::Value(waits) if waits.count == 0 => figures.add(true, "no wait".to_owned()),
        Known::Value(_) if by_design => {
            let others = format::duration(scene.ns_rate(cpu.waits_ns()));
            figures.add(true, format!("waits of others than the idle class and nice 19 {others}/s"));
        }
        Known::Value(waits) => {
            figures.add(waits.p99_ns < RUN_QUEUE_P99_NS, format!("run queue p99 {}", format::duration(waits.p99_ns)));
        }
    }
    let steal = percent(sum(|row| row.steal_ns));
    figures.only(steal < STEAL, || format!("{} steal", format::percent(steal)));
    let long_ns = figures.ledger(scene, ledger, |row| matches!(row.what, For::RunQueue | For::Quota));
    let most = if by_design { f64::INFINITY } else { CPU.most };
    figures.pressure(scene, &Resource { most, ..CPU }, long_ns, run_queue_ns(scene, cpu));
    Ok(figures)
}

fn run_queue_ns(scene: &Scene, cpu: &Cpu) -> u64 {
    let go_on = cpu.waiting.value().into_iter().flatten().map(|row| row.age_ns.min(scene.interval_ns()));
    cpu.scheduler.run_queue.value().map_or(0, |waits| waits.total_ns) + go_on.sum::<u64>()
}

fn disks(scene: &Scene, ledger: &[Entry]) -> Result<Figures, String> {
    let io = scene.now.io.as_ref().ok_or_else(|| scene.lacks("io", "disks"))?;
    if let Known::Not(why) = &io.stalled {
        return Err(format!("disks (who waits: {why})"));
    }
    let mut figures = Figures::default();
    match scene.disks.iter().filter(|disk| disk.ios > 0).max_by_key(|disk| disk.total.p99_ns) {
        Some(worst) => {
            let p99 = worst.total.p99_ns;
            figures.add(p99 < REQUEST_P99_NS, format!("{} p99 {}", worst.name, format::duration(p99)));
        }
        None => figures.add(true, "no I/O".to_owned()),
    }
    for disk in &scene.disks {
        let age = || format!("{} has a request that is {} old", disk.name, format::duration(disk.oldest_ns));
        figures.only(disk.oldest_ns < REQUEST_AGE_NS, age);
        let requests = || format::plural(disk.before_start, "request", "requests");
        figures.only(disk.before_start == 0, || format!("{} has {} from before this run", disk.name, requests()));
    }
    let rows = io.stalled.value().into_iter().flatten().filter(|row| !row.kernel_thread);
    match rows.map(|row| row.ended_max_ns).max().unwrap_or(0) {
        0 => figures.add(true, "nobody waited".to_owned()),
        ns => figures.add(true, format!("longest wait {}", format::duration(ns))),
    }
    let long_ns = figures.ledger(scene, ledger, |row| row.what.is_storage());
    figures.pressure(scene, &IO, long_ns, io_ns(scene, io));
    Ok(figures)
}

/// Waits that may be for I/O: those that are known one by one, or what tasks slept for it in all, short sleeps included.
fn io_ns(scene: &Scene, io: &Io) -> u64 {
    let asleep_ns = scene.now.cpu.as_ref().and_then(|cpu| cpu.scheduler.io_ns);
    known_io_ns(scene, io).max(asleep_ns.unwrap_or(0))
}

fn known_io_ns(scene: &Scene, io: &Io) -> u64 {
    let is_other = |reason: &String| matches!(of_reason(reason), For::Lock | For::Kernel | For::Thaw);
    let rows = io.stalled.value().into_iter().flatten();
    let asleep = rows.filter(|row| !row.reason.value().is_some_and(is_other)).map(|row| row.lost_ns);
    // The kernel counts those as waits for I/O, although they can be interrupted.
    let calls = scene.now.syscalls.iter().flat_map(|syscalls| &syscalls.rows);
    let rings = calls.filter(|call| call.syscall == "io_uring_enter").map(Call::timed_ns);
    asleep.chain(rings).sum()
}

fn memory(scene: &Scene, ledger: &[Entry]) -> Result<Figures, String> {
    let oom = scene.now.oom.as_ref().ok_or_else(|| scene.lacks("oom", "memory"))?;
    let mut figures = Figures::default();
    let lost_ns: u64 = oom.totals.iter().map(|total| total.total_ns).sum();
    let available = oom.memory.available as f64 >= AVAILABLE * oom.memory.total as f64;
    figures.add(available, format!("{} available", format::bytes(oom.memory.available)));
    let waited = match lost_ns {
        0 => "nobody waited".to_owned(),
        ns => format!("waits {}/s", format::duration(scene.ns_rate(ns))),
    };
    figures.add(scene.share(lost_ns) < LOST, waited);
    figures.add(true, "no kill".to_owned());
    let long_ns = figures.ledger(scene, ledger, |row| row.what == For::Memory);
    figures.pressure(scene, &MEMORY, long_ns, memory_ns(scene, oom));
    Ok(figures)
}

/// Threads of the kernel that make room, for whom it counts their own time, too.
const MAKE_ROOM: &[&str] = &["kswapd", "kcompactd"];

fn memory_ns(scene: &Scene, oom: &Oom) -> u64 {
    let ended: u64 = oom.totals.iter().map(|total| total.total_ns).sum();
    let go_on = oom.inside.iter().map(|row| (row.age.as_nanos() as u64).min(scene.interval_ns()));
    let makes_room = |comm: &String| MAKE_ROOM.iter().any(|name| comm.starts_with(name));
    let rows = scene.now.cpu.iter().flat_map(Cpu::ran);
    let threads = rows.filter(|row| row.who.kernel_thread && row.who.comm.as_ref().is_some_and(makes_room));
    let worked = threads.map(|row| row.ran_ns + row.waited_ns.value().copied().unwrap_or(0));
    ended + go_on.sum::<u64>() + worked.sum::<u64>()
}

fn network(scene: &Scene, ledger: &[Entry]) -> Result<Figures, String> {
    let tcp = scene.now.tcp.as_ref().ok_or_else(|| scene.lacks("tcp", "network"))?;
    let mut figures = Figures::default();
    let rate = |count| format::rate(count, scene.now.interval);
    let retransmitted = tcp.totals.segments;
    figures.add(scene.rate(retransmitted) < RETRANSMITTED, format!("{}/s segments retransmitted", rate(retransmitted)));
    let (failed, tried) = (tcp::failed(&tcp.opened), tcp.opened.iter().sum::<u64>());
    let words = format!("{} of {} connections failed", format::count(failed), format::count(tried));
    figures.add(failed as f64 <= FAILED * tried as f64, words);
    let resets: u64 = tcp.reset_totals.iter().sum();
    figures.only(scene.rate(resets) < RESETS, || format!("{}/s resets{}", rate(resets), by_whom(tcp)));
    if let Some(here) = dropped::here(tcp, |_| true) {
        figures.only(scene.rate(here.packets) < DROPPED, || here.words());
    }
    // A connection without a route fails before it is seen as one.
    for row in &tcp.no_routes {
        let few =
            scene.rate(row.packets) < NO_ROUTE || (row.packets as f64) < FAILED * (row.packets + row.opened) as f64;
        figures.only(few, || {
            let (packets, who) = (rate(row.packets), name(&row.inhabitant));
            format!("{packets}/s packets and connections without a route where {who} lives{}", netns(row.netns))
        });
    }
    sockets(&mut figures, tcp);
    // Clients elsewhere may sleep; on this host somebody waits for somebody.
    if let Some(window) = windows::all(scene).find(|window| window.reader.pid.is_some()) {
        let age = format::duration(window.age.as_nanos() as u64);
        figures.add(false, format!("{}, for {age}", windows::words(window)));
    }
    figures.ledger(scene, ledger, |row| row.what == For::Call && SENDING.contains(&row.on.as_str()));
    Ok(figures)
}

/// Connections that are not closed, and tables of the kernel that are nearly full.
fn sockets(figures: &mut Figures, tcp: &Tcp) {
    for row in tcp.sockets.value().into_iter().flatten() {
        figures.only(row.lasting < close_wait::MANY, || {
            let (who, count) = (name(&row.who), format::count(row.lasting));
            format!("{who} has not closed {count} connections that the other side has closed{}", netns(row.netns))
        });
    }
    for row in &tcp.namespaces {
        let tables = [
            ("the firewall's connections", row.tracked, row.tracked_limit),
            ("TIME-WAIT", row.time_wait, row.time_wait_limit),
        ];
        for (what, count, limit) in tables.into_iter().filter_map(|(what, count, limit)| Some((what, count?, limit?))) {
            figures.only((count as f64) < NEAR * limit as f64, || {
                let (count, limit, who) = (format::count(count), format::count(limit), name(&row.inhabitant));
                format!("the table of {what} where {who} lives has {count} of {limit} entries{}", netns(row.netns))
            });
        }
    }
}

/// Who sends most resets, where that is known.
fn by_whom(tcp: &Tcp) -> String {
    let sent = tcp.events.resets.iter().filter(|reset| reset.direction == Direction::Sent);
    let mut senders: Vec<(u64, &Who)> = Vec::new();
    for who in sent.map(|reset| &reset.owners.who).filter(|who| who.pid.is_some()) {
        match senders.iter_mut().find(|(_, known)| known.pid == who.pid) {
            Some((count, _)) => *count += 1,
            None => senders.push((1, who)),
        }
    }
    let most = senders.into_iter().max_by_key(|(count, _)| *count);
    most.map_or_else(String::new, |(count, who)| format!(" ({} sent {count})", name(who)))
}

fn accept_queues(scene: &Scene, _: &[Entry]) -> Result<Figures, String> {
    let tcp = scene.now.tcp.as_ref().ok_or_else(|| scene.lacks("tcp", "accept queues"))?;
    let listeners = match &tcp.listeners {
        Known::Value(rows) => rows,
        Known::Not(why) => return Err(format!("accept queues ({why})")),
    };
    let mut figures = Figures::default();
    match listeners.iter().filter(|row| row.full || row.is_full() || row.dropped > 0).count() as u64 {
        0 => figures.add(true, "none is full".to_owned()),
        full => figures.add(false, format::plural(full, "is full or dropped requests", "are full or dropped requests")),
    }
    Ok(figures)
}

fn space(scene: &Scene, _: &[Entry]) -> Result<Figures, String> {
    let disk = scene.now.disk.as_ref().ok_or_else(|| scene.lacks("disk", "disk space"))?;
    let mut figures = Figures::default();
    let written = || disk.filesystems.iter().filter(|row| !row.read_only);
    let fullest = written().filter_map(|row| Some((*row.used_share.value()?, row)));
    let Some((used, row)) = fullest.max_by(|(a, _), (b, _)| a.total_cmp(b)) else {
        return Err("disk space (of no file system is known how full it is)".to_owned());
    };
    figures.add(used < USED, format!("{} {} full", escape(&row.mount), format::percent(100.0 * used)));
    let soon = written().filter_map(|row| Some((*row.full_in_ns.value()?, row))).min_by_key(|(ns, _)| *ns);
    if let Some((ns, row)) = soon {
        figures.only(ns >= FULL_IN_NS, || {
            format!("{} is full in {} at the pace of the last minute", escape(&row.mount), format::duration(ns))
        });
    }
    // Of one that has a server nothing is said.
    let is_late = |row: &&Filesystem| row.size_bytes.why().is_some_and(|why| !matches!(why, Why::NotLookedAt(_)));
    if let Some(row) = written().find(is_late) {
        figures.add(false, format!("how full {} is, was not read in time", escape(&row.mount)));
    }
    if let Known::Value(rows) = &disk.descriptors {
        let most = rows.iter().map(|row| row.used_share).fold(0.0, f64::max);
        let words = match most {
            0.0 => "nobody has a tenth of its descriptors in use".to_owned(),
            most => format!("at most {} of a process's descriptors in use", format::percent(100.0 * most)),
        };
        figures.add(most < NEAR, words);
    }
    Ok(figures)
}

fn calls(scene: &Scene, ledger: &[Entry]) -> Result<Figures, String> {
    let syscalls = scene.now.syscalls.as_ref().ok_or_else(|| scene.lacks("syscalls", "system calls"))?;
    let mut figures = Figures::default();
    let longest_ns = syscalls.slow.iter().map(|account| account.max_ns).max();
    let is_long = |call: &&InFlight| call.age_ns.value().is_none_or(|&age_ns| age_ns >= CALL_NS);
    let waiting = syscalls.in_flight.iter().filter(is_long).count() as u64;
    match longest_ns {
        Some(ns) => figures.add(true, format!("longest {}", format::duration(ns))),
        None if waiting > 0 => {}
        None => figures.add(true, "none over 10ms".to_owned()),
    }
    // Why not, a finding of another area says, or the ledger.
    if waiting > 0 {
        figures.add(true, format::plural(waiting, "has not returned", "have not returned"));
    }
    figures.ledger(scene, ledger, |row| matches!(row.what, For::Call | For::Lock | For::Kernel | For::NotKnown));
    Ok(figures)
}
