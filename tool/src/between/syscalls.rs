//! The `syscalls` probe's part: how often, how long, and who.

mod callers;
#[cfg(test)]
mod tests;

use std::{cmp::Reverse, collections::HashMap};

use stillwatch_common::syscalls::{CallWait, Caller, Row};

use self::callers::Sum;
use super::{Span, histograms};
use crate::{
    cli::plan,
    reasons::Reason,
    sample,
    snapshot::{
        Latency, Who,
        syscalls::{BEFORE_START, Call, CommonestError, Failed, InFlight, Mode, NOT_TIMED, Syscalls},
        who::NOT_IN_TIME,
    },
    syscall_names,
    table::Known,
};

pub fn between(prev: &sample::Syscalls, next: &sample::Syscalls, _: &Span, plan: &plan::Syscalls) -> Syscalls {
    let shown = |nr: u32| plan.only.is_empty() || plan.only.contains(&nr);
    let mut buckets = histograms(&prev.cells, &next.cells);
    let mut rows: Vec<(usize, Call)> = (0..next.rows.len())
        .filter(|&at| shown(at as u32))
        .filter_map(|at| {
            let buckets = buckets.remove(&(at as u16)).unwrap_or_default();
            let before = prev.rows.get(at).copied().unwrap_or_default();
            let row = row(at, &before, &next.rows[at], buckets, plan.mode)?;
            Some((at, Call { commonest_error: commonest_error(prev, next, at), ..row }))
        })
        .collect();
    // Most of the time goes to waiting by design, on every host: below what somebody may be delayed by.
    let waits_by_design = |at| !plan.idle && syscall_names::row_waits(at) == CallWait::ByDesign;
    rows.sort_by_key(|(at, row)| (waits_by_design(*at), Reverse((row.timed_ns(), row.times()))));
    let longest_of = |row: &Call| row.latency.value().map_or(0, |latency| latency.max_ns);
    let longest: HashMap<usize, u64> = rows.iter().map(|(at, row)| (*at, longest_of(row))).collect();
    let rows: Vec<Call> = rows.into_iter().map(|(_, row)| row).collect();
    let wanted = |caller: &Caller| shown(caller.nr) && (caller.idle == 0 || plan.idle);
    let by = || callers::sums(&prev.callers, &next.callers, wanted, &longest);
    Syscalls {
        mode: plan.mode,
        total: total(&rows, plan.mode),
        slow: callers::sums(&prev.slow, &next.slow, wanted, &longest).into_iter().map(Sum::slow).collect(),
        looked_ago: next.looked_ago,
        in_flight: next.in_flight.iter().filter(|call| shown(call.nr)).map(in_flight).collect(),
        failed: failures(prev, next).filter(|&(at, ..)| shown(at as u32)).map(failed).collect(),
        failing: plan.failing.then(|| callers::failing(by())),
        by: plan.by.map(|_| by().into_iter().map(|sum| sum.by(plan.mode)).collect()),
        before_start: next.before_start - prev.before_start,
        rows,
    }
}

/// `None` when nothing happened.
fn row(at: usize, before: &Row, after: &Row, buckets: Vec<(u32, u64)>, mode: Mode) -> Option<Call> {
    let latency = Latency::new(buckets, after.total_ns - before.total_ns, after.max_ns);
    let grown = |of: fn(&Row) -> u32| u64::from(of(after).wrapping_sub(of(before)));
    let unreturned = grown(|row| row.unreturned);
    let untimed = grown(|row| row.untimed) + unreturned;
    let times = latency.count + untimed;
    let (calls, sleeps, errors) = mode.counts(times, grown(|row| row.errors));
    (times > 0).then(|| Call {
        syscall: syscall_names::row_label(at).into(),
        calls,
        sleeps,
        errors,
        commonest_error: None,
        interrupted: grown(|row| row.interrupted),
        untimed,
        unreturned,
        latency: timed(times, latency),
    })
}

/// Without a call, there is nothing to time; with calls but no latency, it is not known.
fn timed(times: u64, latency: Latency) -> Known<Latency> {
    if times > 0 && latency.count == 0 { Known::unknown(NOT_TIMED) } else { latency.into() }
}

fn commonest_error(prev: &sample::Syscalls, next: &sample::Syscalls, at: usize) -> Option<CommonestError> {
    let of_row = failures(prev, next).filter(|&(row, ..)| row == at);
    let (_, errno, count) = of_row.max_by_key(|&(.., count)| count)?;
    Some(CommonestError { name: syscall_names::errno(errno).into(), count })
}

/// How many calls of a row failed with an error.
fn failures(prev: &sample::Syscalls, next: &sample::Syscalls) -> impl Iterator<Item = (usize, i32, u64)> {
    let grown = |(key, &count): (&u32, &u64)| {
        let count = count - prev.errnos.get(key).copied().unwrap_or(0);
        ((key >> 16) as usize, (key & 0xffff) as i32, count)
    };
    next.errnos.iter().map(grown).filter(|&(.., count)| count > 0)
}

fn failed((at, errno, count): (usize, i32, u64)) -> Failed {
    Failed { syscall: syscall_names::row_label(at).into(), errno: syscall_names::errno(errno).into(), count }
}

fn total(rows: &[Call], mode: Mode) -> Call {
    let sum = |of: fn(&Call) -> u64| rows.iter().map(of).sum();
    let times = sum(Call::times);
    let (calls, sleeps, errors) = mode.counts(times, sum(|row| row.errors.value().copied().unwrap_or(0)));
    Call {
        syscall: String::new(),
        calls,
        sleeps,
        errors,
        commonest_error: rows.iter().filter_map(|row| row.commonest_error.clone()).max_by_key(|error| error.count),
        interrupted: sum(|row| row.interrupted),
        untimed: sum(|row| row.untimed),
        unreturned: sum(|row| row.unreturned),
        latency: timed(times, Latency::merge(rows.iter().filter_map(|row| row.latency.value()))),
    }
}

fn in_flight(call: &sample::InFlight) -> InFlight {
    InFlight {
        who: Who::living(call.tgid),
        tid: call.tid,
        syscall: syscall_names::label(call.nr).into(),
        age_ns: call.age_ns.map_or(Known::unknown(BEFORE_START), Known::Value),
        reason: call.stack.as_deref().and_then(Reason::of).map(|reason| reason.to_string()),
        reason_unknown: call.stack.is_none().then(|| NOT_IN_TIME.into()),
        server: None,
    }
}
