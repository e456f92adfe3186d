//! The few rows of each probe that matter now, one line each; none of a probe that has nothing to say.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    escape::{escape, fit},
    sinks::{
        format,
        io::{device, waiting_for},
        log,
        who::COMM,
    },
    snapshot::{
        Snapshot, Who,
        changes::{Change, Changes},
        cpu::{Cpu, Processor, is_background},
        disk::{Disk, Filesystem},
        io::{Device, Io, Stalled},
        log::{Log, LogLine, Severity},
        oom::Oom,
        syscalls::Syscalls,
        tcp::{self, Tcp},
    },
    table::Known,
};

/// Seconds of waiting per second from which a row is shown.
const WAITS: f64 = 0.05;
const IDLE: f64 = 0.25;
const SLOW_NS: u64 = 10_000_000;
const OLD_NS: u64 = 100_000_000;
const LONG_NS: u64 = 1_000_000_000;
/// Part of a file system that is in use, and the time until it is full.
const FULL: f64 = 0.9;
const SOON_NS: u64 = 3600 * 1_000_000_000;
/// Of a line of a log.
const SAID: usize = 200;
/// Rows of each table.
const EACH: usize = 2;

/// As lines, each behind the label of its probe.
pub fn all(snapshot: &Snapshot) -> Vec<String> {
    let labelled = |(label, rows): (&'static str, Vec<String>)| {
        let label = move |at| if at == 0 { label } else { "" };
        rows.into_iter().enumerate().map(move |(at, row)| format!("{:<8}{row}", label(at)))
    };
    LABELS.iter().flat_map(|(probe, _)| of(snapshot, probe)).flat_map(labelled).collect()
}

/// Probes in the order of their rows, with their labels.
pub const LABELS: [(&str, &str); 8] = [
    ("cpu", "cpu"),
    ("io", "io"),
    ("oom", "memory"),
    ("tcp", "tcp"),
    ("disk", "disk"),
    ("log", "log"),
    ("syscalls", "calls"),
    ("changes", "changes"),
];

/// Rows of one probe, by what they are of.
pub fn of(snapshot: &Snapshot, probe: &str) -> Vec<(&'static str, Vec<String>)> {
    let interval = snapshot.interval;
    let rows = match probe {
        "cpu" => snapshot.cpu.as_ref().map(|cpu| vec![("cpu", processors(cpu, interval))]),
        "io" => snapshot.io.as_ref().map(|io| vec![("io", disks(io, interval)), ("stalled", stalls(io, interval))]),
        "oom" => snapshot.oom.as_ref().map(|oom| vec![("memory", memory(oom, interval))]),
        "tcp" => snapshot.tcp.as_ref().map(|tcp| vec![("tcp", network(tcp, interval))]),
        "disk" => snapshot.disk.as_ref().map(|disk| vec![("disk", filesystems(disk))]),
        "log" => snapshot.log.as_ref().map(|log| vec![("log", said(log))]),
        "syscalls" => snapshot.syscalls.as_ref().map(|syscalls| vec![("calls", calls(syscalls, snapshot))]),
        "changes" => snapshot.changes.as_ref().map(|changes| vec![("changed", changed(changes))]),
        _ => None,
    };
    rows.unwrap_or_default()
}

fn share(ns: u64, interval: Duration) -> f64 {
    ns as f64 / 1e9 / interval.as_secs_f64().max(1e-3)
}

fn processors(cpu: &Cpu, interval: Duration) -> Vec<String> {
    let sum = |of: fn(&Processor) -> u64| cpu.processors.iter().map(of).sum::<u64>() as f64;
    let (idle, all) = (sum(|row| row.idle_ns), sum(Processor::all_ns));
    let throttled_ns: u64 = cpu.throttled.value().into_iter().flatten().map(|row| row.throttled_ns).sum();
    let number = cpu.processors.len();
    let matters = idle < IDLE * all
        || share(cpu.waits_ns(), interval) >= WAITS * 4.0
        || share(throttled_ns, interval) >= WAITS
        || cpu.waiting.value().into_iter().flatten().any(|row| row.age_ns >= OLD_NS && !is_background(&row.class));
    if !matters {
        return Vec::new();
    }
    let mut parts = vec![format!("{} busy of {number}", format::percent(100.0 * (1.0 - idle / all.max(1.0))))];
    parts.push(match &cpu.scheduler.run_queue {
        Known::Not(why) => format!("run queue unavailable ({why})"),
        Known::Value(waits) => {
            format!(
                "run queue {}/s p99 {}",
                format::time_rate(cpu.waits_ns(), interval),
                format::duration(waits.p99_ns)
            )
        }
    });
    if cpu.background_ns() > 0 {
        parts.push(format!("idle class and nice 19 {}/s more", format::time_rate(cpu.background_ns(), interval)));
    }
    if throttled_ns > 0 {
        parts.push(format!("throttled by quotas {}/s", format::time_rate(throttled_ns, interval)));
    }
    let most: Vec<String> = cpu
        .ran()
        .take(EACH)
        .map(|row| format!("{} {}", short(&row.who), format::percent(100.0 * share(row.ran_ns, interval))))
        .collect();
    if !most.is_empty() {
        parts.push(format!("most: {}", most.join(", ")));
    }
    vec![parts.join(", ")]
}

/// A name that may be long.
fn short(who: &Who) -> String {
    match (&who.comm, who.pid) {
        (Some(comm), Some(pid)) => format!("{} {pid}", fit(comm, COMM)),
        // The finding says why.
        (None, None) => "unknown".to_owned(),
        _ => format::name(who),
    }
}

fn disks(io: &Io, interval: Duration) -> Vec<String> {
    let p99_ns = |row: &Device| row.total.value().map(|total| total.p99_ns);
    let time = |ns: Option<u64>| ns.map_or_else(|| format::UNKNOWN.to_owned(), format::duration);
    let matters = io
        .devices
        .iter()
        .filter(|row| p99_ns(row) >= Some(SLOW_NS) || row.oldest() >= Some(OLD_NS) || row.before_start > 0);
    let line = |row: &Device| {
        let age = match row.oldest() {
            Some(ns) => format!(", oldest {}", format::duration(ns)),
            None if row.before_start > 0 => ", since before start".to_owned(),
            None => String::new(),
        };
        format!(
            "{} {}: {} IO/s, {} MiB/s, p50 {} p99 {}, {} in flight{age}",
            device(&row.device, row.alias.as_deref()),
            row.op.name(),
            format::rate(row.ios, interval),
            format::mebibytes_rate(row.bytes, interval),
            time(row.total.value().map(|total| total.p50_ns)),
            time(p99_ns(row)),
            row.in_flight.value().map_or_else(|| format::UNKNOWN.to_owned(), |&count| format::count(count))
        )
    };
    matters.take(EACH).map(line).collect()
}

fn stalls(io: &Io, interval: Duration) -> Vec<String> {
    let time_ns = |row: &Stalled| row.total_ns + row.now * row.age_ns().unwrap_or(0);
    let matters = |row: &&Stalled| {
        !row.kernel_thread
            && (share(time_ns(row), interval) >= WAITS && row.ended_max_ns.max(row.age_ns().unwrap_or(0)) >= SLOW_NS
                || row.before_start())
    };
    let line = |row: &Stalled| {
        let ended = (row.waits > 0).then(|| {
            let (rate, max) = (format::time_rate(row.total_ns, interval), format::duration(row.ended_max_ns));
            format!("{rate}/s, at most {max}")
        });
        let now = (row.now > 0).then(|| match row.age_ns() {
            Some(ns) => format!("for {} now", format::duration(ns)),
            None => "since before start".to_owned(),
        });
        let times: Vec<String> = ended.into_iter().chain(now).collect();
        format!("{} {}: {}", format::name(&row.who), times.join(", "), waiting_for(row))
    };
    io.stalled.value().into_iter().flatten().filter(matters).take(EACH).map(line).collect()
}

fn memory(oom: &Oom, interval: Duration) -> Vec<String> {
    let lost_ns: u64 = oom.totals.iter().map(|total| total.total_ns).sum();
    let memory = &oom.memory;
    let low = memory.available < memory.total / 10;
    if !low && share(lost_ns, interval) < WAITS / 5.0 && oom.kills.is_empty() && oom.inside.is_empty() {
        return Vec::new();
    }
    let swap = match memory.swap_total {
        0 => "no swap".to_owned(),
        total => {
            format!("swap {} of {} used", format::bytes(total.saturating_sub(memory.swap_free)), format::bytes(total))
        }
    };
    let mut parts =
        vec![format!("{} of {} available, {swap}", format::bytes(memory.available), format::bytes(memory.total))];
    if lost_ns > 0 {
        parts.push(format!("waits {}/s", format::time_rate(lost_ns, interval)));
    }
    let worst = oom.reclaim.iter().find(|row| !row.who.kernel_thread);
    parts.extend(worst.map(|row| {
        format!("most: {} {}/s", format::name(&row.who), format::time_rate(row.latency.total_ns, interval))
    }));
    if let Some(inside) = oom.inside.first() {
        parts.push(format!(
            "{} waits for {}",
            format::name(&inside.who),
            format::duration(inside.age.as_nanos() as u64)
        ));
    }
    vec![parts.join(", ")]
}

fn network(tcp: &Tcp, interval: Duration) -> Vec<String> {
    let failed = tcp::failed(&tcp.opened);
    let overflows: u64 = tcp.listeners.value().into_iter().flatten().map(|row| row.dropped).sum();
    if share(tcp.totals.segments * 1_000_000_000, interval) < 1.0 && failed == 0 && overflows == 0 {
        return Vec::new();
    }
    let all: u64 = tcp.opened.iter().sum();
    let rate = |count| format::rate(count, interval);
    let mut parts = vec![format!("{}/s segments retransmitted", rate(tcp.totals.segments))];
    if failed > 0 {
        parts.push(format!("{}/s of {}/s connections failed", rate(failed), rate(all)));
    }
    if overflows > 0 {
        parts.push(format!("{}/s accept queue overflows", rate(overflows)));
    }
    if tcp.dropped > 0 {
        parts.push(format!("{}/s packets dropped", rate(tcp.dropped)));
    }
    if let Some(flow) = tcp.flows.first() {
        let to = flow.ends.map_or_else(String::new, |ends| format!(" to {}", ends.remote));
        parts.push(format!("most: {}{to}", short(&flow.owners.who)));
    }
    vec![parts.join(", ")]
}

/// Those that have little room, or will have.
fn filesystems(disk: &Disk) -> Vec<String> {
    let soon = |row: &&Filesystem| row.full_in_ns.value().is_some_and(|&ns| ns < SOON_NS);
    let full = |row: &&Filesystem| row.used_share.value().is_some_and(|&share| share >= FULL);
    let matters = disk.filesystems.iter().filter(|row| !row.read_only && (soon(row) || full(row)));
    let line = |row: &Filesystem| {
        let (share, left) = (row.used_share.value()?, row.available_bytes.value()?);
        let when = row.full_in_ns.value().map(|&ns| format!(", full in {}", format::duration(ns)));
        let used = format::percent(100.0 * share);
        Some(format!("{} {used} full, {} left{}", escape(&row.mount), format::bytes(*left), when.unwrap_or_default()))
    };
    matters.filter_map(line).take(EACH).collect()
}

/// Of those that were found in this interval the last, and the last of another kind.
fn changed(changes: &Changes) -> Vec<String> {
    let mut kinds = BTreeSet::new();
    let last: Vec<&Change> = changes.changes.iter().filter(|row| kinds.insert(row.kind)).take(EACH).collect();
    let more = (changes.changes.len() as u64 + changes.changes.left_out()).saturating_sub(last.len() as u64);
    let last = last.into_iter().map(format::change);
    let more = (more > 0)
        .then(|| format!("{} (stillwatch changes)", format::plural(more, "more has changed", "more have changed")));
    last.chain(more).collect()
}

/// What is harm, and who says errors: each with its last line.
fn said(log: &Log) -> Vec<String> {
    let harm = log.harm.iter().rev().map(|row| {
        let on = row.on.as_deref().map(|on| format!(" {}", escape(on))).unwrap_or_default();
        format!("{}{on}: {}", row.kind.words(), log::harm(row))
    });
    let loud = log.sources.iter().filter(|source| source.errors.value().is_some_and(|&errors| errors > 0));
    let errors = loud.map(|source| {
        let count = format::plural(*source.errors.value().unwrap_or(&0), "error", "errors");
        let is_one = |line: &&LogLine| line.source == source.source && line.severity.is_some_and(Severity::is_error);
        let last = log.lines.iter().rev().find(is_one).map(|line| format!(": {}", log::line(line)));
        format!("{} has {count}{}", escape(&source.source), last.unwrap_or_default())
    });
    harm.take(EACH).chain(errors.take(EACH)).map(|row| fit_printable(&row)).collect()
}

/// Of what is printable already.
fn fit_printable(row: &str) -> String {
    let end = row.floor_char_boundary(SAID);
    if end == row.len() { row.to_owned() } else { format!("{}…", &row[..end]) }
}

/// Calls that take long, and those that have not returned; what the probe `io` shows as stalls is not said twice.
fn calls(syscalls: &Syscalls, snapshot: &Snapshot) -> Vec<String> {
    let stalled = snapshot.io.iter().filter_map(|io| io.stalled.value()).flatten();
    let known: Vec<_> = stalled.map(|row| (row.who.pid, row.syscall.value().map(String::as_str))).collect();
    let interval = snapshot.interval;
    let ended = syscalls.slow.iter().filter(|row| {
        share(row.total_ns, interval) >= WAITS * 2.0 && !known.contains(&(row.who.pid, Some(row.syscall.as_str())))
    });
    let ended = ended.take(EACH).map(|row| {
        format!(
            "{} {}/s in {}, at most {}",
            format::name(&row.who),
            format::time_rate(row.total_ns, interval),
            escape(&row.syscall),
            format::duration(row.max_ns)
        )
    });
    let long = syscalls.in_flight.iter().filter(|call| call.age_ns.value().is_none_or(|&age_ns| age_ns >= LONG_NS));
    let long = long.filter(|call| !known.contains(&(call.who.pid, Some(call.syscall.as_str()))));
    let long = long.take(EACH).map(|call| {
        let age = match &call.age_ns {
            Known::Value(ns) => format!("for {}", format::duration(*ns)),
            Known::Not(why) => why.to_string(),
        };
        format!("{} in {} {age}", format::name(&call.who), escape(&call.syscall))
    });
    ended.chain(long).collect()
}
