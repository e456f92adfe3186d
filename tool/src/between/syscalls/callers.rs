//! What each caller did with each call.

use std::{borrow::Cow, cmp::Reverse, collections::HashMap};

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
    syscall: String,
    errno: Option<Cow<'static, str>>,
    times: u64,
    errors: u64,
    total_ns: u64,
    max_ns: u64,
}

impl Sum {
    pub fn slow(self) -> SlowCalls {
        let Self { who, syscall, times, max_ns, total_ns, .. } = self;
        SlowCalls { who, syscall, count: times, max_ns, total_ns }
    }

    pub fn by(self, mode: Mode) -> CallsBy {
        let Self { who, syscall, times, errors, max_ns, total_ns, .. } = self;
        let (calls, sleeps, errors) = mode.counts(times, errors);
        CallsBy { who, syscall: Some(syscall), calls, sleeps, errors, max_ns, total_ns }
    }

    pub fn failing(self) -> Option<Failing> {
        Some(Failing { who: self.who, syscall: self.syscall, errno: self.errno?.into(), errors: self.errors })
    }
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
                errno: (caller.errno != 0).then(|| syscall_names::errno(i32::from(caller.errno))),
                syscall: syscall_names::label(caller.nr).into(),
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
