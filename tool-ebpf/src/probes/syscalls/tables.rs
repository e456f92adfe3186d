//! The maps of the `syscalls` probe, and the few ways to use them.

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_NOEXIST},
    helpers::generated::bpf_get_smp_processor_id,
    macros::map,
    maps::{Array, HashMap, PerCpuHashMap, Queue},
};
use stillwatch_common::{
    hist,
    syscalls::{Account, CELLS, Caller, Layout, Loss, PerCpu, ROWS, Row, STRIDE, TaskInCall as Entry},
};

use crate::{
    facts::{self, on},
    support::{
        EXISTS,
        cells::claim,
        count::{add_shared, add_shared_half, raise_shared},
        opaque,
        task::Task,
    },
};

/// One block per CPU. An array indexed by CPU instead of a per-CPU map: looking it up is a few inlined
/// instructions on every kernel, and user space reads all of it through one mapping, without a system call.
#[map]
static SYSCALLS_CPU: Array<PerCpu> = Array::with_max_entries(1, BPF_F_MMAPABLE);

#[map]
static SYSCALLS_LAYOUT: Array<Layout> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Tasks, from the first call that they sleep in until they die: kept, because looking an entry up is half the cost of adding
/// and removing it at every sleep.
#[map]
static SYSCALLS_TASKS: HashMap<u64, Entry> = HashMap::with_max_entries(1, 0);

/// Cells that nobody uses yet; filled by user space. A queue, because kernels before 5.12 have no atomic fetch-and-add.
#[map]
static SYSCALLS_FREE: Queue<u32> = Queue::with_max_entries(CELLS as u32, 0);

/// Which cell holds (call row << 8 | histogram row): decides between CPUs that need the same one at the same moment.
#[map]
static SYSCALLS_CLAIMS: HashMap<u32, u32> = HashMap::with_max_entries(CELLS as u32, 0);

/// Errors by (call row << 16 | errno).
#[map]
static SYSCALLS_ERRNO: PerCpuHashMap<u32, u64> = PerCpuHashMap::with_max_entries(256, 0);

/// Calls over the threshold.
#[map]
pub static SYSCALLS_SLOW: HashMap<Caller, Account> = HashMap::with_max_entries(2048, 0);

/// All calls, by process; grown by user space when asked for.
#[map]
pub static SYSCALLS_CALLERS: HashMap<Caller, Account> = HashMap::with_max_entries(1, 0);

pub type CpuPtr = *mut PerCpu;

/// The block of the CPU that we run on. Programs are not migrated while they run. In long mode, in which little is counted, all CPUs
/// have one.
#[inline(always)]
pub fn cpu() -> Option<CpuPtr> {
    // SAFETY: the helper has no precondition.
    SYSCALLS_CPU.get_ptr_mut(if on(&facts::SYSCALLS_LONG) { 0 } else { unsafe { bpf_get_smp_processor_id() } })
}

/// # Safety
/// `counter` points into a block of [`cpu`].
#[inline(always)]
unsafe fn add(counter: *mut u64, by: u64) {
    // SAFETY: promised by the caller.
    unsafe { if on(&facts::SYSCALLS_LONG) { add_shared(counter, by) } else { *counter += by } }
}

/// # Safety
/// As [`add`].
#[inline(always)]
unsafe fn add_half(counter: *mut u32, by: u32) {
    // SAFETY: promised by the caller.
    unsafe { if on(&facts::SYSCALLS_LONG) { add_shared_half(counter, by) } else { *counter += by } }
}

#[inline(always)]
pub fn row<'a>(cpu: CpuPtr, row: usize) -> Option<&'a mut Row> {
    // SAFETY: this CPU's block; nobody else writes it, and `get_mut` bounds the index.
    unsafe { (*cpu).rows.get_mut(opaque(row)) }
}

#[inline(always)]
pub fn lose(cpu: CpuPtr, loss: Loss) {
    // SAFETY: the index is an enum's.
    unsafe { add(&raw mut (*cpu).lost[loss as usize], 1) };
}

/// How the row waits, as user space classified it.
#[inline(always)]
pub fn waits(row: usize) -> u8 {
    let Some(layout) = SYSCALLS_LAYOUT.get(0) else { return 0 };
    layout.waits.get(opaque(row)).copied().unwrap_or(0)
}

/// Counts one latency.
#[inline(always)]
pub fn record(cpu: CpuPtr, at: usize, latency_ns: u64) {
    let Some(counts) = row(cpu, at) else { return };
    let bucket = hist::bucket(latency_ns);
    let octave = opaque(bucket as usize / hist::ROW) & 63;
    let Some(cell) = cell(at, octave) else {
        // SAFETY: a map value.
        unsafe { add_half(&raw mut counts.untimed, 1) };
        return lose(cpu, Loss::Cells);
    };
    // SAFETY: as above.
    unsafe {
        add(&raw mut counts.total_ns, latency_ns);
        raise_shared(&raw mut counts.max_ns, latency_ns);
    }
    let cell = opaque(cell as usize);
    if cell >= CELLS {
        return;
    }
    let sub = opaque(bucket as usize) & (hist::ROW - 1);
    // SAFETY: one index was just bounded, the other is masked.
    unsafe { add_half(&raw mut (*cpu).cells[cell].counts[sub], 1) };
}

#[inline(always)]
fn cell(row: usize, octave: usize) -> Option<u16> {
    let layout = SYSCALLS_LAYOUT.get_ptr_mut(0)?;
    let row = opaque(row);
    if row >= ROWS || octave >= STRIDE {
        return None;
    }
    // SAFETY: both indexes were just bounded.
    let known = unsafe { &mut (&mut (*layout).cell)[row][octave] };
    if *known == 0 {
        *known = claim(&SYSCALLS_CLAIMS, &SYSCALLS_FREE, (row << 8 | octave) as u32)? as u16;
    }
    Some(*known)
}

#[inline(always)]
pub fn count_errno(cpu: CpuPtr, row: usize, errno: u32) {
    let key = (row as u32) << 16 | errno & 0xffff;
    if let Some(count) = SYSCALLS_ERRNO.get_ptr_mut(key) {
        // SAFETY: this CPU's copy.
        unsafe { *count += 1 };
    } else if SYSCALLS_ERRNO.insert(key, 1, BPF_NOEXIST.into()).is_err() {
        // Full, or another CPU was faster: then the entry is there now.
        match SYSCALLS_ERRNO.get_ptr_mut(key) {
            // SAFETY: as above.
            Some(count) => unsafe { *count += 1 },
            None => lose(cpu, Loss::Errno),
        }
    }
}

/// Notes a task's call; false when the table is full.
#[inline(always)]
pub fn store(key: u64, entry: Entry) -> bool {
    if let Some(known) = SYSCALLS_TASKS.get_ptr_mut(key) {
        // SAFETY: only the task itself, or the CPU that switches it, touches its entry.
        unsafe { *known = entry };
        return true;
    }
    SYSCALLS_TASKS.insert(key, entry, 0).is_ok()
}

/// The call noted for a task, which is thereby over.
#[inline(always)]
pub fn take(key: u64) -> Option<Entry> {
    let known = SYSCALLS_TASKS.get_ptr_mut(key)?;
    // SAFETY: as in `store`.
    let entry = unsafe { *known };
    if entry.start_ns == 0 {
        return None;
    }
    // SAFETY: as in `store`.
    unsafe { (*known).start_ns = 0 };
    Some(entry)
}

/// Adds a task that is not known yet; false when it is.
#[inline(always)]
pub fn remember(cpu: CpuPtr, task: Task, entry: Entry) -> bool {
    match SYSCALLS_TASKS.insert(task.key(), entry, BPF_NOEXIST.into()) {
        Ok(()) => true,
        Err(code) => {
            if code != EXISTS {
                lose(cpu, Loss::Tasks);
            }
            false
        }
    }
}

#[inline(always)]
pub fn forget(key: u64) {
    let _ = SYSCALLS_TASKS.remove(key);
}
