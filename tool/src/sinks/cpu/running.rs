//! Who had the CPUs, and who was not let.

use crate::{
    cli::plan::By,
    sinks::{
        View,
        format::{self, UNKNOWN},
        rows::Rows,
        table::Noted,
        values::Show,
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
    Rows::new(view, snapshot.interval).grouped(view.by == Some(By::Cgroup)).own(own).draw_bounded(text, rows);
}

/// Columns that only this table can put into words.
pub fn own(row: &Running, name: &str, show: &Show) -> Noted {
    match name {
        "share" => share(row.ran_ns, show).into(),
        "places" => places(row, show).into(),
        "switches" => format::rate(row.voluntary + row.involuntary, show.interval).into(),
        _ => Noted::default(),
    }
}

/// Of one CPU.
fn share(ns: u64, show: &Show) -> String {
    format::percent(ns as f64 / show.interval.as_nanos().max(1) as f64 * 100.0)
}

/// Where it ran: `1: 50%, 0: 3%`. The rest is of tasks that were moved, or ended.
fn places(row: &Running, show: &Show) -> String {
    const SHOWN: usize = 2;
    let on = row.places();
    if on.is_empty() {
        return UNKNOWN.to_owned();
    }
    let mut places: Vec<_> = on.iter().take(SHOWN).map(|&(cpu, ns)| format!("{cpu}: {}", share(ns, show))).collect();
    let left: u64 = on.iter().skip(SHOWN).map(|&(_, ns)| ns).sum::<u64>() + row.moved_ns;
    // Not a part too small to be seen beside the others.
    if left * 100 > row.ran_ns {
        places.push(format!("rest: {}", share(left, show)));
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
