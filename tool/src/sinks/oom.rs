//! Out of memory, as text.

mod kills;
mod lead_up;
pub mod tables;
#[cfg(test)]
pub mod tests;

pub use kills::draw as kill;

use super::{
    View,
    format::{self, UNKNOWN},
};
use crate::{
    escape::escape,
    snapshot::{
        Snapshot,
        oom::{Kind, Oom},
    },
};

/// How it runs, for the header.
pub fn mode(_: &Oom) -> &'static str {
    "oom"
}

pub fn draw(text: &mut String, oom: &Oom, snapshot: &Snapshot, view: &View) {
    for line in state(oom, snapshot, view) {
        *text += &line;
        text.push('\n');
    }
    for kill in &oom.kills {
        text.push('\n');
        kills::draw(text, kill, view);
    }
    for kill in &oom.freed {
        text.push('\n');
        kills::freed(text, kill, view);
    }
    tables::draw(text, oom, snapshot, view);
}

/// How the host is off, in some lines.
fn state(oom: &Oom, snapshot: &Snapshot, view: &View) -> Vec<String> {
    let memory = &oom.memory;
    let swap = match memory.swap_total {
        0 => "no swap".to_owned(),
        total => {
            format!("swap {} of {} used", format::bytes(total.saturating_sub(memory.swap_free)), format::bytes(total))
        }
    };
    let of = format::bytes(memory.total);
    let mut lines = vec![format!(
        "{} of {of} available, {} free, {swap}",
        format::bytes(memory.available),
        format::bytes(memory.free)
    )];
    let waits: Vec<_> = Kind::ALL
        .into_iter()
        .zip(oom.totals)
        .filter(|(_, total)| total.waits > 0)
        .map(|(kind, total)| {
            let time = format::time_rate(total.total_ns, snapshot.interval);
            format!("{} {time}/s in {}", words(kind), format::plural(total.waits, "wait", "waits"))
        })
        .collect();
    lines.push(match (waits.is_empty(), oom.inside.is_empty()) {
        (true, true) => "nobody is waiting for memory".to_owned(),
        (true, false) => "no wait for memory ended in this interval".to_owned(),
        (false, _) => format!("waits for memory: {}", waits.join(", ")),
    });
    lines.extend(kernel(oom, snapshot));
    for why in oom.log_unavailable.iter().chain(&oom.residents_unavailable) {
        lines.push(view.dim(&escape(why)));
    }
    lines
}

/// What the kernel itself does for free memory.
fn kernel(oom: &Oom, snapshot: &Snapshot) -> Option<String> {
    let rate = |name: &str| {
        Some(oom.vm.get(name).copied().filter(|&count| count > 0)?).map(|count| format::rate(count, snapshot.interval))
    };
    let mut parts = Vec::new();
    if let Some(scanned) = rate("pgscan_kswapd") {
        let freed = rate("pgsteal_kswapd").unwrap_or_else(|| "0".to_owned());
        parts.push(format!("kswapd looks at {scanned} pages/s and frees {freed}"));
    }
    for (name, words) in
        [("pswpin", "swap in"), ("pswpout", "swap out"), ("workingset_refault_file", "file pages read again")]
    {
        parts.extend(rate(name).map(|rate| format!("{words} {rate} pages/s")));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::Direct => "direct reclaim",
        Kind::Memcg => "cgroup reclaim",
        Kind::Compaction => "compaction",
        Kind::Sleep => "swap and throttling",
    }
}

fn cgroup(path: Option<&String>) -> String {
    path.map_or_else(|| UNKNOWN.to_owned(), |path| escape(path).into_owned())
}
