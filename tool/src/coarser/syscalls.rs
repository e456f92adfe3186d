//! System calls. What a call failed with most is looked for again among all that it failed with.

use super::{add, together};
use crate::{
    snapshot::syscalls::{CommonestError, Failed, Syscalls},
    table::{Columns, Then},
};

pub fn then(syscalls: &mut Syscalls, later: Syscalls) {
    let Syscalls { mode, rows, total, slow, in_flight, looked_ago, by, failed, failing, before_start } = later;
    syscalls.mode = mode;
    syscalls.rows.then(rows);
    syscalls.total.then(Some(&total));
    syscalls.slow.then(slow);
    syscalls.in_flight = in_flight;
    syscalls.looked_ago = looked_ago;
    syscalls.by.then(by);
    let earlier = std::mem::take(&mut syscalls.failed);
    let key = |one: &Failed| (one.syscall.clone(), one.errno.clone());
    syscalls.failed = together(earlier, failed, key, |sum, one| add(&mut sum.count, one.count));
    if let (Some(earlier), Some(later)) = (&mut syscalls.failing, failing) {
        *earlier = together(
            std::mem::take(earlier),
            later,
            |one| (one.who.pid, one.who.comm.clone(), one.syscall.clone(), one.errno.clone()),
            |sum, one| {
                add(&mut sum.errors, one.errors);
                sum.tried = sum.tried.zip(one.tried).map(|(earlier, later)| earlier.saturating_add(later));
            },
        );
    }
    add(&mut syscalls.before_start, before_start);
    commonest_errors(syscalls);
}

fn commonest_errors(syscalls: &mut Syscalls) {
    for row in &mut syscalls.rows {
        let of_row = syscalls.failed.iter().filter(|one| one.syscall == row.syscall);
        let most = of_row.max_by_key(|one| one.count);
        row.commonest_error = most.map(|most| CommonestError { name: most.errno.clone(), count: most.count });
    }
    let most = syscalls.rows.iter().filter_map(|row| row.commonest_error.clone()).max_by_key(|error| error.count);
    syscalls.total.commonest_error = most;
}
