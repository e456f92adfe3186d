//! Whose calls: the table of slow calls, and the full breakdown where it was asked for.

use aya_ebpf::{bindings::BPF_NOEXIST, maps::HashMap};
use stillwatch_common::syscalls::{Account, COMPAT, CallWait, Caller, Loss};

use super::tables::{self, CpuPtr};
use crate::{
    facts::{self, on},
    support::{
        arch,
        count::{add_shared, raise_shared},
        task::{S_IFBLK, S_IFMT, Task},
    },
};

const S_IFREG: u16 = 0o100_000;
const S_IFDIR: u16 = 0o040_000;

/// A call that has returned (blocked mode: a sleep that has ended).
pub struct Finished {
    pub nr: u32,
    pub row: usize,
    pub latency_ns: u64,
    /// 0: it did not fail.
    pub errno: u16,
}

/// Adds a call to the tables that want it. `task` finds its task and `fd` its first argument, once they are needed.
#[inline(always)]
pub fn add(cpu: CpuPtr, call: &Finished, task: impl Fn() -> Task, fd: impl Fn() -> u64) {
    let caller = |task: Task, idle, errno| Caller { owner: task.owner(), nr: call.nr, idle, errno };
    if call.latency_ns >= facts::SYSCALLS_SLOW_NS.load() {
        let task = task();
        let caller = caller(task, u16::from(waits_by_design(task, call, fd)), 0);
        add_to(&tables::SYSCALLS_SLOW, cpu, Loss::Slow, task, &caller, call);
    }
    let by_errno = on(&facts::SYSCALLS_FAILING) && (call.errno != 0 || call.nr == arch::CONNECT);
    if on(&facts::SYSCALLS_BY) || by_errno {
        let task = task();
        let caller = caller(task, 0, if by_errno { call.errno } else { 0 });
        add_to(&tables::SYSCALLS_CALLERS, cpu, Loss::By, task, &caller, call);
    }
}

#[inline(always)]
fn add_to(table: &HashMap<Caller, Account>, cpu: CpuPtr, loss: Loss, task: Task, caller: &Caller, call: &Finished) {
    let mut known = table.get_ptr_mut(caller);
    if known.is_none() {
        // SAFETY: all zeros are an empty account.
        let mut new: Account = unsafe { core::mem::zeroed() };
        new.cgroup = task.cgroup_id();
        // Full, or another CPU was faster: then the entry is there now.
        let _ = table.insert(caller, new, BPF_NOEXIST.into());
        known = table.get_ptr_mut(caller);
    }
    let Some(account) = known else { return tables::lose(cpu, loss) };
    // SAFETY: a map value, shared between CPUs.
    unsafe {
        add_shared(&raw mut (*account).calls, 1);
        add_shared(&raw mut (*account).total_ns, call.latency_ns);
        if call.errno != 0 {
            add_shared(&raw mut (*account).errors, 1);
        }
        raise_shared(&raw mut (*account).max_ns, call.latency_ns);
        // Taken anew each time: programs change it when they execute another one.
        (&raw mut (*account).comm).cast::<[u64; 2]>().write(task.comm());
    }
}

#[inline(always)]
pub fn waits_by_design(task: Task, call: &Finished, fd: impl Fn() -> u64) -> bool {
    if call.nr & COMPAT != 0 {
        return false;
    }
    let waits = tables::waits(call.row);
    if waits == CallWait::ByFile as u8 {
        let mode = task.file_mode(fd());
        return mode.is_some_and(|mode| !matches!(mode & S_IFMT, S_IFREG | S_IFDIR | S_IFBLK));
    }
    waits == CallWait::ByDesign as u8
}
