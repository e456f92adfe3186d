//! Tables of who is behind the calls.

use super::{
    View,
    format::{self, UNKNOWN},
    table::Table,
    who::{COMM, cgroup, cgroup_width, more, who, who_cells, why},
};
use crate::{
    cli::plan::By,
    snapshot::{
        Snapshot,
        syscalls::{Account, InFlight, Mode, Syscalls},
    },
};

/// Callers of calls over the threshold.
pub fn slow(text: &mut String, syscalls: &Syscalls, view: &View) {
    let threshold = format::duration(view.slow_ns());
    let slow = &syscalls.slow;
    if slow.is_empty() {
        let what = if syscalls.mode == Mode::Exact { "call" } else { "sleep" };
        *text += &format!("no {what} over {threshold}{}\n", left_out(view));
        return;
    }
    let mut table = who(Table::new(), format!("SLOW >{threshold}"), view).left("SYSCALL", 15);
    table = table.right("COUNT", 5).close("MAX", 5).close("TOTAL", 5).left("", 0);
    for account in slow.iter().take(view.top) {
        let mut row = who_cells(&account.who, view);
        row.push(account.syscall.clone().unwrap_or_default());
        row.extend([format::count(account.calls), format::duration(account.max_ns)]);
        row.extend([format::duration(account.total_ns), why(&account.who).unwrap_or_default()]);
        table.row(row);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, slow.len(), view);
}

/// Calls that have not returned, and are over the threshold: younger ones are in every glance at a busy host, and gone in
/// the next. JSON has them all.
pub fn in_flight(text: &mut String, syscalls: &Syscalls, view: &View) {
    let over = format::duration(view.slow_ns());
    let old = |call: &&InFlight| call.age_ns.is_none_or(|age| age >= view.slow_ns());
    let calls: Vec<&InFlight> = syscalls.in_flight.iter().filter(old).collect();
    if calls.is_empty() {
        *text += &format!("no call in flight for over {over}{}\n", left_out(view));
        return;
    }
    let mut table = who(Table::new(), format!("IN FLIGHT >{over}"), view).right("TID", 7).left("SYSCALL", 15);
    table = table.right("AGE", 5).left("", 0);
    for call in calls.iter().take(view.top) {
        let mut row = who_cells(&call.who, view);
        row.extend([call.tid.to_string(), call.syscall.clone()]);
        row.push(call.age_ns.map_or_else(|| UNKNOWN.into(), format::duration));
        let age_unknown = call.age_ns.is_none().then(|| "since before start".to_owned());
        row.push([age_unknown, why(&call.who)].into_iter().flatten().collect::<Vec<_>>().join(" "));
        table.row(row);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, calls.len(), view);
}

/// The full breakdown, where asked for.
pub fn by(text: &mut String, syscalls: &Syscalls, snapshot: &Snapshot, view: &View) {
    let (Some(accounts), Some(by)) = (&syscalls.by, view.by) else { return };
    if accounts.is_empty() {
        *text += "no caller in this interval\n";
        return;
    }
    let exact = syscalls.mode == Mode::Exact;
    let split = accounts.iter().any(|account| account.syscall.is_some());
    let mut table = match by {
        By::Process => who(Table::new(), "BY PROCESS".into(), view),
        By::Cgroup => Table::new().left("BY CGROUP", COMM + 9 + 2 + cgroup_width(view)),
    };
    if split {
        table = table.left("SYSCALL", 15);
    }
    table = if exact { table.right("CALLS/s", 7).right("ERR/s", 5) } else { table.right("SLEEPS/s", 8) };
    table = table.close("MAX", 5).right("TIME/s", 6).left("", 0);
    for account in accounts.iter().take(view.top) {
        table.row(account_cells(account, by, (split, exact), snapshot, view));
    }
    text.push('\n');
    table.draw(text, view);
    more(text, accounts.len(), view);
}

fn account_cells(
    account: &Account,
    by: By,
    (split, exact): (bool, bool),
    snapshot: &Snapshot,
    view: &View,
) -> Vec<String> {
    let mut row = match by {
        By::Process => who_cells(&account.who, view),
        By::Cgroup => vec![cgroup(&account.who, "unknown", COMM + 9 + 2 + cgroup_width(view))],
    };
    if split {
        row.push(account.syscall.clone().unwrap_or_default());
    }
    row.push(format::rate(account.calls, snapshot.interval));
    if exact {
        row.push(format::rate(account.errors, snapshot.interval));
    }
    row.extend([format::duration(account.max_ns), format::time_rate(account.total_ns, snapshot.interval)]);
    row.push(why(&account.who).unwrap_or_default());
    row
}

/// An empty table must not read as "nothing waits".
fn left_out(view: &View) -> &'static str {
    if view.idle { "" } else { " (those that wait by design left out: --idle)" }
}
