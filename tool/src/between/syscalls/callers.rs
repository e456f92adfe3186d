//! What each caller did with each call.

use std::{cmp::Reverse, collections::HashMap};

use stillwatch_common::syscalls::{Account, Caller, row};

use crate::{
    snapshot::{
        Who,
        syscalls::{CallsBy, Failing, Mode, SlowCalls},
    },
    syscall_names,
};

/// What one caller did with one call.
pub struct Sum {
    who: Who,
    caller: Caller,
    times: u64,
    errors: u64,
    total_ns: u64,
    max_ns: u64,
}

impl Sum {
    pub fn slow(self) -> SlowCalls {
        let syscall = self.syscall();
        let Self { who, times, max_ns, total_ns, .. } = self;
        SlowCalls { who, syscall, count: times, max_ns, total_ns }
    }

    pub fn by(self, mode: Mode) -> CallsBy {
        let syscall = Some(self.syscall());
        let Self { who, times, errors, max_ns, total_ns, .. } = self;
        let (calls, sleeps, errors) = mode.counts(times, errors);
        CallsBy { who, syscall, calls, sleeps, errors, max_ns, total_ns }
    }

    fn syscall(&self) -> String {
        syscall_names::label(self.caller.nr).into()
    }
}

/// Those that failed, of accounts that are kept for each error.
pub fn failing(sums: Vec<Sum>) -> Vec<Failing> {
    let mut tried = HashMap::new();
    for Sum { caller, times, .. } in &sums {
        *tried.entry((caller.owner, caller.nr)).or_default() += times;
    }
    let one = |sum: Sum| {
        let Caller { owner, nr, errno, .. } = sum.caller;
        let syscall = sum.syscall();
        Failing {
            // Of other calls only those that fail are kept.
            tried: (syscall == "connect").then(|| tried[&(owner, nr)]),
            errno: syscall_names::errno(i32::from(errno)).into(),
            who: sum.who,
            errors: sum.errors,
            syscall,
        }
    };
    sums.into_iter().filter(|sum| sum.caller.errno != 0).map(one).collect()
}

/// The largest total first.
pub fn sums(
    prev: &HashMap<Caller, Account>,
    next: &HashMap<Caller, Account>,
    wanted: impl Fn(&Caller) -> bool,
    longest: &HashMap<usize, u64>,
) -> Vec<Sum> {
    let mut sums: Vec<Sum> = next
        .iter()
        .filter(|(caller, _)| wanted(caller))
        .filter_map(|(caller, after)| {
            // An account that began anew in between counts from zero.
            let before = prev.get(caller).filter(|before| before.calls <= after.calls).copied().unwrap_or_default();
            let times = after.calls - before.calls;
            let total_ns = after.total_ns.saturating_sub(before.total_ns);
            (times > 0).then(|| Sum {
                who: Who::owner(caller.owner, &after.comm, after.cgroup),
                caller: *caller,
                times,
                errors: after.errors.saturating_sub(before.errors),
                total_ns,
                max_ns: if after.max_ns > before.max_ns {
                    after.max_ns
                } else {
                    // The caller's longest since start was earlier. This interval's is bounded by all of the caller's calls
                    // together, and by the longest that anybody had.
                    let anybody = longest.get(&row(caller.nr)).copied().unwrap_or(u64::MAX);
                    after.max_ns.min(total_ns).min(anybody)
                },
            })
        })
        .collect();
    sums.sort_by_key(|sum| Reverse((sum.total_ns, sum.times)));
    sums
}
