//! What was measured and is fine, with the figures that say so; and what was not measured, of which nothing is said.

use super::{Scene, waits};
use crate::{
    format,
    snapshot::{
        cpu::Processor,
        finding::{Finding, RuledOut},
        syscalls::Mode,
        tcp,
    },
    table::Known,
};

struct Area {
    name: &'static str,
    /// Figures that say that it is fine, unless it is not; or what was not measured.
    because: fn(&Scene) -> Result<String, String>,
    /// Those that speak of it.
    rules: &'static [&'static str],
}

const AREAS: &[Area] = &[
    Area { name: "CPU", because: processors, rules: &["cpu_saturated", "quota", "softirq"] },
    Area {
        name: "disks",
        because: disks,
        rules: &["device_saturated", "io_hung", "stuck_tasks", "sync_stall", "dirty_throttling"],
    },
    Area { name: "memory", because: memory, rules: &["memory_stall", "oom_kill"] },
    Area { name: "network", because: network, rules: &["retransmits", "connects_failing", "accept_queue"] },
    Area { name: "system calls", because: calls, rules: &["slow_calls", "failing_calls"] },
];

/// An area in which something was found is in neither list.
pub fn look(scene: &Scene, findings: &[Finding]) -> (Vec<RuledOut>, Vec<String>) {
    let (mut fine, mut not_measured) = (Vec::new(), Vec::new());
    for &Area { name: area, because, rules } in AREAS {
        match because(scene) {
            Err(why) => not_measured.push(why),
            Ok(because) if !findings.iter().any(|finding| rules.contains(&finding.rule)) => {
                fine.push(RuledOut { area, because });
            }
            Ok(_) => {}
        }
    }
    if scene.now.syscalls.as_ref().is_some_and(|syscalls| syscalls.mode == Mode::Blocked) {
        not_measured.push("calls that fail (--exact)".to_owned());
    }
    (fine, not_measured)
}

fn processors(scene: &Scene) -> Result<String, String> {
    let cpu = scene.now.cpu.as_ref().ok_or_else(|| scene.lacks("cpu", "CPU"))?;
    let waits = match &cpu.scheduler.run_queue {
        Known::Not(why) => return Err(format!("run queue ({why})")),
        Known::Value(waits) if waits.count == 0 => "no wait".to_owned(),
        Known::Value(waits) => format!("run queue p99 {}", format::duration(waits.p99_ns)),
    };
    let sum = |of: fn(&Processor) -> u64| cpu.processors.iter().map(of).sum::<u64>() as f64;
    let (idle, all) = (sum(|row| row.idle_ns), sum(Processor::all_ns));
    Ok(format!("{} idle, {waits}", format::percent(100.0 * idle / all.max(1.0))))
}

fn disks(scene: &Scene) -> Result<String, String> {
    let io = scene.now.io.as_ref().ok_or_else(|| scene.lacks("io", "disks"))?;
    let disks = waits::disks(scene);
    let worst = disks.iter().filter(|disk| disk.ios > 0).max_by_key(|disk| disk.total.p99_ns);
    let waited = io
        .stalled
        .value()
        .into_iter()
        .flatten()
        .filter(|row| !row.kernel_thread)
        .map(|row| row.ended_max_ns)
        .max()
        .unwrap_or(0);
    let longest =
        if waited > 0 { format!("longest wait {}", format::duration(waited)) } else { "nobody waited".to_owned() };
    Ok(match worst {
        Some(disk) => format!("{} p99 {}, {longest}", disk.name, format::duration(disk.total.p99_ns)),
        None => format!("no I/O, {longest}"),
    })
}

fn memory(scene: &Scene) -> Result<String, String> {
    let oom = scene.now.oom.as_ref().ok_or_else(|| scene.lacks("oom", "memory"))?;
    let lost_ns: u64 = oom.totals.iter().map(|total| total.total_ns).sum();
    let waited = if lost_ns > 0 {
        format!("waits {}/s", format::duration(scene.ns_rate(lost_ns)))
    } else {
        "nobody waited".to_owned()
    };
    Ok(format!("{} available, {waited}, no kill", format::bytes(oom.memory.available)))
}

fn network(scene: &Scene) -> Result<String, String> {
    let tcp = scene.now.tcp.as_ref().ok_or_else(|| scene.lacks("tcp", "network"))?;
    if let Some(why) = tcp.listeners.why() {
        return Err(format!("queues of connections to be accepted ({why})"));
    }
    let rate = |count| format::rate(count, scene.now.interval);
    let failed = tcp::failed(&tcp.opened);
    Ok(format!("{}/s segments retransmitted, {}/s connections failed", rate(tcp.totals.segments), rate(failed)))
}

fn calls(scene: &Scene) -> Result<String, String> {
    let syscalls = scene.now.syscalls.as_ref().ok_or_else(|| scene.lacks("syscalls", "system calls"))?;
    let longest = syscalls.slow.iter().map(|account| account.max_ns).max();
    Ok(match longest {
        Some(ns) => format!("longest {}", format::duration(ns)),
        None => "none over 10ms".to_owned(),
    })
}
