//! Who had the CPUs, and who was not let.

use crate::{
    cli::plan::By,
    sinks::{
        View,
        format::{self, UNKNOWN},
        rows::Rows,
    },
    snapshot::{
        Snapshot,
        cpu::{Cpu, Running},
    },
    table::Known,
};

pub fn running(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    let rows = match &cpu.running {
        Known::Value(rows) => rows,
        Known::Not(why) => {
            *text += &format!("who runs and who waits now unavailable ({why})\n");
            return;
        }
    };
    if rows.is_empty() {
        *text += if view.whose { "no such process ran in this interval\n" } else { "nothing ran in this interval\n" };
        return;
    }
    text.push('\n');
    if let Some(mean) = &cpu.running_mean {
        let (over, ago) = (format::duration(mean.over_ns), format::duration(mean.ago_ns));
        *text += &view.dim(&format!("who ran: the mean of {over} until {ago} ago (there are many tasks)"));
        text.push('\n');
    }
    Rows::new(view, snapshot.interval)
        .grouped(view.by == Some(By::Cgroup))
        .own("share", |row: &Running| share(row.ran_ns, snapshot))
        .own("places", |row: &Running| places(row, snapshot))
        .own("switches", |row: &Running| format::rate(row.voluntary + row.involuntary, snapshot.interval))
        .draw_bounded(text, rows);
}

/// Of one CPU.
fn share(ns: u64, snapshot: &Snapshot) -> String {
    format::percent(ns as f64 / snapshot.interval.as_nanos().max(1) as f64 * 100.0)
}

/// Where it ran: `1: 50%, 0: 3%`. The rest is of tasks that were moved, or ended.
fn places(row: &Running, snapshot: &Snapshot) -> String {
    const SHOWN: usize = 2;
    let on = row.places();
    if on.is_empty() {
        return UNKNOWN.to_owned();
    }
    let mut places: Vec<_> =
        on.iter().take(SHOWN).map(|&(cpu, ns)| format!("{cpu}: {}", share(ns, snapshot))).collect();
    let left: u64 = on.iter().skip(SHOWN).map(|&(_, ns)| ns).sum::<u64>() + row.moved_ns;
    // Not a part too small to be seen beside the others.
    if left * 100 > row.ran_ns {
        places.push(format!("rest: {}", share(left, snapshot)));
    }
    places.join(", ")
}

/// Cgroups that used up their quota.
pub fn throttled(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    match &cpu.throttled {
        Known::Not(why) => *text += &format!("quotas of cgroups unavailable ({why})\n"),
        Known::Value(rows) if rows.is_empty() => {}
        Known::Value(rows) => {
            text.push('\n');
            Rows::new(view, snapshot.interval).grouped(true).draw_bounded(text, rows);
        }
    }
}
