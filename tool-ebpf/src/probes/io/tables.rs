//! The maps of the `io` probe, and the few ways to use them.

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_NOEXIST},
    helpers::generated::bpf_get_smp_processor_id,
    macros::map,
    maps::{Array, HashMap, LruHashMap, Queue, RingBuf},
};
use stillwatch_common::{
    hist,
    io::{
        CELLS, Cause, DIRTY_TABLES, DeviceCounts, DirtyTable, FileId, Layout, Loss, MAKING, Making, NAMED, NO_ROW,
        Owner, OwnerId, PARTS, PerCpu, Program, ROWS, Request, SHARDS, STRIDE, Shard, Slow, Stage, Stall,
        TaskAsleep as Entry, Waits, Work, row_key,
    },
};

use crate::support::{
    EXISTS,
    cells::claim,
    count::{add_shared, add_shared_half, raise_shared},
    opaque,
    task::Task,
};

/// One block per CPU, read by user space through a mapping.
#[map]
static IO_CPU: Array<PerCpu> = Array::with_max_entries(1, BPF_F_MMAPABLE);

#[map]
static IO_SHARDS: Array<Shard> = Array::with_max_entries(SHARDS as u32, BPF_F_MMAPABLE);

#[map]
static IO_LAYOUT: Array<Layout> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Rows and cells that nobody uses yet; filled by user space.
#[map]
static IO_FREE_ROWS: Queue<u32> = Queue::with_max_entries(ROWS as u32, 0);
#[map]
static IO_FREE_CELLS: Queue<u32> = Queue::with_max_entries(CELLS as u32, 0);

/// Which row counts a device and operation (`row_key`).
#[map]
static IO_ROWS: HashMap<u64, u32> = HashMap::with_max_entries(ROWS as u32, 0);

/// Which cell holds (distribution << 8 | octave).
#[map]
static IO_CELLS: HashMap<u32, u32> = HashMap::with_max_entries(CELLS as u32, 0);

/// Requests by address: those that are not completed, and entries that wait for their address to be used again. User space removes
/// some of these when there are many.
#[map]
static IO_REQUESTS: HashMap<u64, Request> = HashMap::with_max_entries(1, 0);

/// Names of those who own requests: they may end before their requests do.
#[map]
static IO_OWNERS: LruHashMap<OwnerId, Owner> = LruHashMap::with_max_entries(1, 0);

/// Who submitted bios that become requests: some of those first show themselves at the hand of a kernel worker.
#[map]
static IO_MAKING: Array<Making> = Array::with_max_entries(MAKING as u32, 0);

/// Who dirtied the pages of files.
#[map]
static IO_DIRTY: Array<DirtyTable> = Array::with_max_entries(1, 0);

/// Asked for a flush that has not begun, by device: the one owner, or 1 for several.
#[map]
pub static IO_FLUSHES: HashMap<u32, OwnerId> = HashMap::with_max_entries(ROWS as u32, 0);

#[map]
static IO_CAUSES: HashMap<Cause, Work> = HashMap::with_max_entries(1, 0);

/// Tasks, from their first uninterruptible sleep until they die: kept, because looking an entry up is half the cost of adding
/// and removing it at every sleep.
#[map]
static IO_TASKS: HashMap<u64, Entry> = HashMap::with_max_entries(1, 0);

#[map]
static IO_STALLS: HashMap<Stall, Waits> = HashMap::with_max_entries(1, 0);

/// Single slow requests, on their way to user space.
#[map]
static IO_SLOW: RingBuf = RingBuf::with_byte_size(4096, 0);

pub type CpuPtr = *mut PerCpu;

/// The block of the CPU that we run on.
#[inline(always)]
pub fn this_cpu() -> Option<CpuPtr> {
    // SAFETY: the helper has no precondition.
    IO_CPU.get_ptr_mut(unsafe { bpf_get_smp_processor_id() })
}

/// The same; counts a run of the program.
#[inline(always)]
pub fn cpu(program: Program) -> Option<CpuPtr> {
    let cpu = this_cpu()?;
    // SAFETY: this CPU's block; the index is an enum's.
    unsafe { (*cpu).runs[program as usize] += 1 };
    Some(cpu)
}

/// The same number, of which the verifier knows nothing: only what went through a map. Of a number that each path through the
/// program knows otherwise, it would follow every path to the end.
#[inline(always)]
pub fn forget(cpu: CpuPtr, program: Program, number: u64) -> u64 {
    // SAFETY: this CPU's block. A program is not interrupted by itself, but by others.
    unsafe {
        let through = &raw mut (*cpu).forgotten[program as usize];
        through.write_volatile(number);
        through.read_volatile()
    }
}

/// A choice that the verifier does not follow both ways to the end.
#[derive(Clone, Copy)]
pub struct Choice(u64);

#[inline(always)]
pub fn choice(cpu: CpuPtr, program: Program, yes: bool) -> Choice {
    Choice(forget(cpu, program, yes.into()).wrapping_neg())
}

impl Choice {
    #[inline(always)]
    pub fn either(self, yes: u64, no: u64) -> u64 {
        yes & self.0 | no & !self.0
    }
}

/// A pointer that the verifier knows the type of, as a number: it would not let the two be mixed.
#[inline(always)]
pub fn as_number(cpu: CpuPtr, program: Program, pointer: *const u8) -> u64 {
    forget(cpu, program, pointer as u64)
}

#[inline(always)]
pub fn lose(cpu: CpuPtr, loss: Loss) {
    // SAFETY: a map value; an interrupt may count here, too.
    unsafe { add_shared(&raw mut (*cpu).lost[loss as usize], 1) };
}

#[inline(always)]
fn shard() -> Option<*mut Shard> {
    // SAFETY: the helper has no precondition.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    IO_SHARDS.get_ptr_mut(cpu & (SHARDS as u32 - 1))
}

/// The row that counts this operation of this device.
#[inline(always)]
pub fn row_of(cpu: CpuPtr, dev: u32, op: u8) -> u32 {
    let key = row_key(dev, op);
    // SAFETY: this CPU's block.
    let last = unsafe { (&raw const (*cpu).last_row).read_volatile() };
    if last >> 16 == key {
        return last as u32 & (ROWS as u32 - 1);
    }
    match claim(&IO_ROWS, &IO_FREE_ROWS, key) {
        Some(row) => {
            if let Some(layout) = IO_LAYOUT.get_ptr_mut(0) {
                let at = opaque(row as usize) & (ROWS - 1);
                // SAFETY: the index was just masked. Every CPU writes the same.
                unsafe { (&raw mut (*layout).keys[at]).write_volatile(key) };
            }
            // SAFETY: as above.
            unsafe { (&raw mut (*cpu).last_row).write_volatile(key << 16 | u64::from(row)) };
            row
        }
        None => {
            lose(cpu, Loss::Cells);
            NO_ROW
        }
    }
}

/// What one completion adds to a row.
pub struct Done {
    pub bytes: u64,
    pub ios: u64,
    pub errors: u64,
    pub untimed: u64,
}

#[inline(always)]
pub fn count(row: u32, done: &Done) {
    let Some(row) = row_ptr(row) else { return };
    // SAFETY: a map value.
    unsafe {
        add_shared(&raw mut (*row).bytes, done.bytes);
        if done.ios != 0 {
            add_shared(&raw mut (*row).ios, done.ios);
        }
        if done.errors != 0 {
            add_shared(&raw mut (*row).errors, done.errors);
        }
        if done.untimed != 0 {
            add_shared(&raw mut (*row).untimed, done.untimed);
        }
    }
}

#[inline(always)]
fn row_ptr(row: u32) -> Option<*mut DeviceCounts> {
    let at = opaque(row as usize) & (ROWS - 1);
    // SAFETY: the index was just masked.
    shard().map(|shard| unsafe { &raw mut (*shard).rows[at] })
}

/// Counts one latency; false when there is no room for it.
#[inline(always)]
pub fn record(cpu: CpuPtr, program: Program, row: u32, part: Stage, latency_ns: u64) -> bool {
    let Some(shard) = shard() else { return false };
    let bucket = forget(cpu, program, hist::bucket(latency_ns).into());
    let octave = opaque(bucket as usize / hist::ROW) & 63;
    let Some(cell) = cell(row as usize, part, octave) else { return false };
    let at = opaque(row as usize) & (ROWS - 1);
    let cell = opaque(cell as usize) & (CELLS - 1);
    let sub = opaque(bucket as usize) & (hist::ROW - 1);
    // SAFETY: all indexes are masked.
    unsafe {
        add_shared(&raw mut (*shard).rows[at].total_ns[part as usize], latency_ns);
        raise_shared(&raw mut (*shard).rows[at].max_ns[part as usize], latency_ns);
        add_shared_half(&raw mut (*shard).cells[cell].counts[sub], 1);
    }
    true
}

#[inline(always)]
fn cell(row: usize, part: Stage, octave: usize) -> Option<u16> {
    let layout = IO_LAYOUT.get_ptr_mut(0)?;
    let at = opaque((row & (ROWS - 1)) * PARTS + part as usize);
    if at >= ROWS * PARTS || octave >= STRIDE {
        return None;
    }
    // SAFETY: both indexes were just bounded.
    let known = unsafe { &mut (&mut (*layout).cell)[at][octave] };
    if *known == 0 {
        *known = claim(&IO_CELLS, &IO_FREE_CELLS, (at << 8 | octave) as u32)? as u16;
    }
    Some(*known)
}

/// The first argument of a call is the file that it works on.
#[inline(always)]
pub fn works_on_file(nr: u32) -> bool {
    let Some(layout) = IO_LAYOUT.get(0) else { return false };
    layout.works_on_file.get(opaque(nr as usize)).is_some_and(|&on| on != 0)
}

/// The place for what is known of a bio. Addresses are multiples of 64 or so; the multiplication spreads them.
#[inline(always)]
pub fn making(bio: u64) -> Option<*mut Making> {
    let place = (bio >> 6).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52;
    IO_MAKING.get_ptr_mut(place as u32 & (MAKING as u32 - 1))
}

/// The table that a file's dirtiers stand in.
#[inline(always)]
pub fn dirty_table(file: FileId) -> Option<*mut DirtyTable> {
    const SHIFT: u32 = u64::BITS - DIRTY_TABLES.ilog2();
    IO_DIRTY.get_ptr_mut((file >> SHIFT) as u32)
}

/// The entry of an address, in use or not.
#[inline(always)]
pub fn request(address: u64) -> Option<*mut Request> {
    IO_REQUESTS.get_ptr_mut(address)
}

#[inline(always)]
pub fn request_in_flight(address: u64) -> Option<*mut Request> {
    // SAFETY: a map value.
    request(address).filter(|&known| unsafe { (*known).queued_ns != 0 })
}

/// A new entry, not in use yet.
#[inline(always)]
pub fn add_request(cpu: CpuPtr, address: u64) -> Option<*mut Request> {
    // SAFETY: all zeros are an empty entry.
    let empty: Request = unsafe { core::mem::zeroed() };
    if IO_REQUESTS.insert(address, empty, 0).is_err() {
        lose(cpu, Loss::Requests);
        return None;
    }
    request(address)
}

/// From now on user space counts the request as in flight: what else is to be known of it was written before.
#[inline(always)]
pub fn begin(known: *mut Request, queued_ns: u64) {
    // SAFETY: a map value.
    unsafe { (&raw mut (*known).queued_ns).write_volatile(queued_ns) };
}

/// A request is over. Its entry stays: the kernel makes its requests once and uses them again and again, and to add and remove
/// an entry costs as much as all else that is done for one.
#[inline(always)]
pub fn end(known: *mut Request) {
    begin(known, 0);
}

/// A bio is over. Unlike requests these come from all of memory.
#[inline(always)]
pub fn forget_bio(address: u64) {
    let _ = IO_REQUESTS.remove(address);
}

/// A name is kept anew after so many that were known, so that the table does not take its entry for one that nobody needs.
const AGAIN: u64 = 64;

/// Keeps the name of a process that owns something, unless this CPU just did: the same one, under the same name. `works_for`: the cgroup that a
/// thread of the kernel works for; 0: the root, or nobody knows.
#[inline(always)]
pub fn name(cpu: CpuPtr, owner: OwnerId, task: Task, works_for: u64) {
    let comm = task.comm();
    // SAFETY: this CPU's block; the index is masked.
    unsafe {
        let mixed = comm[0] ^ comm[1].rotate_left(32);
        let known = &raw mut (*cpu).named[opaque((owner >> 32) as usize) & (NAMED - 1)];
        (*cpu).names += 1;
        if (*known).owner == owner && (*known).mixed == mixed && !(*cpu).names.is_multiple_of(AGAIN) {
            return;
        }
        ((*known).owner, (*known).mixed) = (owner, mixed);
    }
    if let Some(known) = IO_OWNERS.get_ptr_mut(owner) {
        // Programs change it when they execute another one, threads have names of their own: the last one counts.
        // SAFETY: a map value, 16 bytes and aligned as words.
        return unsafe { (&raw mut (*known).comm).cast::<[u64; 2]>().write(comm) };
    }
    let is_thread = task.is_kernel_thread();
    let cgroup = if is_thread { works_for } else { task.cgroup_id() };
    let mut new = Owner { cgroup, kernel_thread: is_thread.into(), ..EMPTY };
    // SAFETY: 16 bytes, aligned as words.
    unsafe { (&raw mut new.comm).cast::<[u64; 2]>().write_unaligned(comm) };
    let _ = IO_OWNERS.insert(owner, new, 0);
}

const EMPTY: Owner = Owner { comm: [0; 16], cgroup: 0, kernel_thread: 0, pad: 0 };

/// Adds work to its cause.
#[inline(always)]
pub fn work(cpu: CpuPtr, cause: &Cause, work: &Work) {
    let mut known = IO_CAUSES.get_ptr_mut(cause);
    if known.is_none() {
        // Full, or another CPU was faster: then the entry is there now.
        let _ = IO_CAUSES.insert(cause, Work { bytes: 0, ios: 0, service_ns: 0 }, BPF_NOEXIST.into());
        known = IO_CAUSES.get_ptr_mut(cause);
    }
    let Some(known) = known else { return lose(cpu, Loss::Causes) };
    // SAFETY: a map value.
    unsafe {
        add_shared(&raw mut (*known).bytes, work.bytes);
        add_shared(&raw mut (*known).ios, work.ios);
        add_shared(&raw mut (*known).service_ns, work.service_ns);
    }
}

#[inline(always)]
pub fn task(key: u64) -> Option<*mut Entry> {
    IO_TASKS.get_ptr_mut(key)
}

#[inline(always)]
pub fn add_task(cpu: CpuPtr, key: u64, new: &Entry) {
    if let Err(code) = IO_TASKS.insert(key, new, BPF_NOEXIST.into())
        && code != EXISTS
    {
        lose(cpu, Loss::Tasks);
    }
}

#[inline(always)]
pub fn forget_task(key: u64) {
    let _ = IO_TASKS.remove(key);
}

/// The account of a stall, new if need be.
#[inline(always)]
pub fn stall(cpu: CpuPtr, key: &Stall, task: Task) -> Option<*mut Waits> {
    if let Some(known) = IO_STALLS.get_ptr_mut(key) {
        return Some(known);
    }
    // SAFETY: all zeros are an empty account.
    let mut new: Waits = unsafe { core::mem::zeroed() };
    new.cgroup = task.cgroup_id();
    let _ = IO_STALLS.insert(key, new, BPF_NOEXIST.into());
    let known = IO_STALLS.get_ptr_mut(key);
    if known.is_none() {
        lose(cpu, Loss::Stalls);
    }
    known
}

/// Hands a single request to user space, which looks at its own ticks: no wake-up.
#[inline(always)]
pub fn hand_over(cpu: CpuPtr, slow: Slow) {
    const NO_WAKEUP: u64 = 1;
    match IO_SLOW.reserve::<Slow>(0) {
        Some(mut room) => {
            room.write(slow);
            room.submit(NO_WAKEUP);
        }
        None => lose(cpu, Loss::Slow),
    }
}
