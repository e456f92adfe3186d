//! Who had the processors, and who was not let.

use crate::{
    cli::plan::By,
    escape::fit,
    sinks::{
        View,
        format::{self, UNKNOWN},
        table::Table,
        who::{COMM, cgroup, cgroup_width, more, who, who_cells, why},
    },
    snapshot::{
        Snapshot,
        cpu::{Cpu, Running},
    },
};

pub fn running(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    if let Some(reason) = cpu.no_walk {
        *text += &format!("who runs and who waits now unavailable ({reason})\n");
        return;
    }
    if cpu.running.is_empty() {
        *text += if view.whose { "no such process ran in this interval\n" } else { "nothing ran in this interval\n" };
        return;
    }
    let by_cgroup = view.by == Some(By::Cgroup);
    let mut table = match by_cgroup {
        false => who(Table::new(), "RUNNING".into(), view),
        true => Table::new().left("RUNNING", COMM + 9 + 2 + cgroup_width(view)),
    };
    table =
        table.right("CPU", 5).left("ON", 14).right("WAIT/s", 6).right("SWITCH/s", 8).right("INVOL/s", 7).left("", 0);
    for row in cpu.running.iter().take(view.top) {
        let mut cells = match by_cgroup {
            false => who_cells(&row.who, view),
            true => vec![cgroup(&row.who, UNKNOWN, COMM + 9 + 2 + cgroup_width(view))],
        };
        cells.extend([share(row.ran_ns, snapshot), places(row, snapshot)]);
        cells.push(row.waited_ns.map_or_else(|| UNKNOWN.into(), |ns| format::time_rate(ns, snapshot.interval)));
        cells.push(format::rate(row.voluntary + row.involuntary, snapshot.interval));
        cells.push(format::rate(row.involuntary, snapshot.interval));
        let ended = format::plural(row.ended, "task has ended", "tasks have ended");
        let ended = (row.ended > 0).then_some(format!("({ended})"));
        // Those that ended are told of anyway.
        let why = why(&row.who).filter(|_| ended.is_none());
        cells.push(ended.into_iter().chain(why).collect::<Vec<_>>().join(" "));
        table.row(cells);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, cpu.running.len(), view);
}

/// Of one processor.
fn share(ns: u64, snapshot: &Snapshot) -> String {
    format::percent(ns as f64 / snapshot.interval.as_nanos().max(1) as f64 * 100.0)
}

/// Where it ran: `1: 50%, 0: 3%`. The rest is of tasks that were moved, or ended.
fn places(row: &Running, snapshot: &Snapshot) -> String {
    const SHOWN: usize = 2;
    let mut places: Vec<_> =
        row.on.iter().take(SHOWN).map(|&(cpu, ns)| format!("{cpu}: {}", share(ns, snapshot))).collect();
    let left: u64 = row.on.iter().skip(SHOWN).map(|&(_, ns)| ns).sum::<u64>() + row.moved_ns;
    if places.is_empty() {
        return UNKNOWN.to_owned();
    }
    // Not a part too small to be seen beside the others.
    if left * 100 > row.ran_ns {
        places.push(format!("rest: {}", share(left, snapshot)));
    }
    places.join(", ")
}

/// Cgroups that used up their quota.
pub fn throttled(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    let rows = match &cpu.throttled {
        Ok(rows) if rows.is_empty() => return,
        Ok(rows) => rows,
        Err(why) => {
            *text += &format!("quotas of cgroups unavailable ({why})\n");
            return;
        }
    };
    let mut table = Table::new().left("THROTTLED", COMM + 9 + 2 + cgroup_width(view)).right("PERIODS", 7);
    table = table.right("OF", 5).right("HELD/s", 6);
    for row in rows.iter().take(view.top) {
        let name = row.cgroup.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty());
        table.row(vec![
            fit(name.unwrap_or("/"), COMM + 9 + 2 + cgroup_width(view)),
            format::count(row.throttled),
            format::count(row.periods),
            format::time_rate(row.throttled_ns, snapshot.interval),
        ]);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, rows.len(), view);
}
