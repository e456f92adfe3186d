//! The maps of the `cpu` probe, and the few ways to use them.

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_NOEXIST},
    helpers::generated::bpf_get_smp_processor_id,
    macros::map,
    maps::{Array, HashMap, LruHashMap},
};
use stillwatch_common::{
    cpu::{
        BASE_BITS, BASES, Behind, By, CpuHeld, Ended, EndedKey, Interrupts, Loss, PerCpu, SHARDS, SLEEPERS, Shard,
        Shared, Sleepers, Vector, WaitOctave, Waited,
    },
    hist,
    io::OwnerId,
};

use crate::{
    facts::{self, on},
    support::{
        count::{add_shared, add_shared_half},
        opaque,
        switch::Switch,
        task::Task,
    },
};

/// One block per CPU, read by user space through a mapping.
#[map]
static CPU_CPU: Array<PerCpu> = Array::with_max_entries(1, BPF_F_MMAPABLE);

#[map]
static CPU_SHARDS: Array<Shard> = Array::with_max_entries(1, BPF_F_MMAPABLE);

#[map]
static CPU_SHARED: Array<Shared> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// What tasks had waited (`run_delay`) when they were given a CPU last, and how much too early the kernel stamped them when
/// it was taken from them.
#[map]
static CPU_BASES: Array<u64> = Array::with_max_entries(1, 0);

/// Long waits, by process.
#[map]
static CPU_WAITED: HashMap<OwnerId, Waited> = HashMap::with_max_entries(1, 0);

/// Who had the CPU meanwhile. Where one is forgotten for another, it is not known of that much of a wait.
#[map]
static CPU_BEHIND: LruHashMap<Behind, CpuHeld> = LruHashMap::with_max_entries(1, 0);

/// All waits, by process; grown by user space when asked for.
#[map]
static CPU_BY_OWNER: HashMap<By, WaitOctave> = HashMap::with_max_entries(1, 0);

/// What tasks that have ended had run.
#[map]
static CPU_ENDED: HashMap<EndedKey, Ended> = HashMap::with_max_entries(1, 0);

/// Tasks that were stamped as waiting while they slept, with how often they had been given a CPU: their next wait is that sleep.
#[map]
static CPU_STALE: LruHashMap<u64, u64> = LruHashMap::with_max_entries(1, 0);

/// Since when tasks sleep, where that is looked at.
#[map]
static CPU_SLEEPERS: Array<Sleepers> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Interrupts by CPU, where asked for.
#[map]
static CPU_INTERRUPTS: Array<Interrupts> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Those of devices, by number.
#[map]
static CPU_IRQS: HashMap<u32, Vector> = HashMap::with_max_entries(1, 0);

pub type CpuPtr = *mut PerCpu;

/// Number and block of the CPU that we run on.
#[inline(always)]
pub fn cpu() -> Option<(u32, CpuPtr)> {
    // SAFETY: the helper has no precondition.
    let number = unsafe { bpf_get_smp_processor_id() };
    Some((number, CPU_CPU.get_ptr_mut(number)?))
}

/// The block of any CPU.
#[inline(always)]
pub fn cpu_of(number: u32) -> Option<CpuPtr> {
    CPU_CPU.get_ptr_mut(number)
}

#[inline(always)]
pub fn shared() -> Option<*mut Shared> {
    CPU_SHARED.get_ptr_mut(0)
}

#[inline(always)]
pub fn lose(cpu: CpuPtr, loss: Loss) {
    // SAFETY: a map value; the index is an enum's. Atomic: user space may walk while this CPU switches.
    unsafe { add_shared(&raw mut (*cpu).lost[loss as usize], 1) };
}

/// Counts a wait.
#[inline(always)]
pub fn count(number: u32, bucket: usize) {
    let Some(shard) = CPU_SHARDS.get_ptr_mut(number & (SHARDS as u32 - 1)) else { return };
    let bucket = opaque(bucket);
    if bucket >= hist::BUCKETS {
        return;
    }
    // SAFETY: a map value, this CPU's or shared by some; the index was just bounded.
    unsafe {
        let count = &raw mut (*shard).counts[bucket];
        if on(&facts::CPU_SHARED_HISTOGRAMS) {
            add_shared_half(count, 1);
        } else {
            *count = (*count).wrapping_add(1);
        }
    }
}

/// Of a place in [`CPU_BASES`]: the bits that say whose it is, and those of the sum (18 minutes, wrapping).
const SUM_BITS: u32 = 40;
const SUM: u64 = (1 << SUM_BITS) - 1;

/// (place, tag) of a task in [`CPU_BASES`]: by thread number, which no two living tasks share.
#[inline(always)]
fn place(tid: u32) -> (u32, u64) {
    // The golden ratio spreads neighbours.
    let mixed = u64::from(tid).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> (64 - BASE_BITS)) as u32 & (BASES as u32 - 1), u64::from(tid) << SUM_BITS)
}

/// The part of a wait that was spent in other run queues. When a task that waits is moved, the kernel adds what it has waited to
/// the task's sum and begins anew; so what the sum has grown by since the task ran last belongs to this wait. Less than nothing
/// (wrapped) for one that is [`early`].
/// Notes the sum of when it runs: `counted_ns` are added in a moment.
#[inline(always)]
pub fn waited_elsewhere(cpu: CpuPtr, switch: &Switch, counted_ns: u64) -> u64 {
    let (place, tag) = place(switch.next_tid);
    let Some(base) = CPU_BASES.get_ptr_mut(place) else { return 0 };
    let sum = switch.next.delay();
    // SAFETY: a map value; another CPU may write it meanwhile for another task, whole.
    let known = unsafe { base.read_volatile() };
    // SAFETY: as above.
    unsafe { base.write_volatile(tag | (sum.wrapping_add(counted_ns) & SUM)) };
    if switch.next.arrivals() == 0 {
        return sum;
    }
    if known & !SUM != tag {
        // SAFETY: this CPU's block; interrupts are off.
        unsafe { (*cpu).unsure += 1 };
        return 0;
    }
    grown(sum, known)
}

/// The task loses the CPU, and is stamped as one that waits since so long ago: the way to the switch, on which it ran.
#[inline(always)]
pub fn early(tid: u32, early_ns: u64) {
    let (place, tag) = place(tid);
    let Some(base) = CPU_BASES.get_ptr_mut(place) else { return };
    // SAFETY: a map value.
    let known = unsafe { base.read_volatile() };
    if known & !SUM == tag && early_ns < EARLIEST_NS {
        // SAFETY: as above.
        unsafe { base.write_volatile(tag | (known.wrapping_add(early_ns) & SUM)) };
    }
}

/// The same for a task that still waits.
#[inline(always)]
pub fn waits_elsewhere(task: Task) -> u64 {
    let (place, tag) = place(task.tid());
    let Some(base) = CPU_BASES.get_ptr(place) else { return 0 };
    // SAFETY: a map value.
    let known = unsafe { base.read_volatile() };
    if task.arrivals() == 0 {
        return task.delay();
    }
    if known & !SUM != tag { 0 } else { grown(task.delay(), known) }
}

/// More than any way to a switch takes.
const EARLIEST_NS: u64 = 1 << 30;

#[inline(always)]
fn grown(sum: u64, known: u64) -> u64 {
    let unused = u64::BITS - SUM_BITS;
    let grown = (sum.wrapping_sub(known) << unused) as i64 >> unused;
    // A sum that fell by more is another task's, of the same number.
    if grown < -(EARLIEST_NS as i64) { 0 } else { grown as u64 }
}

/// The task sleeps, and is stamped as one that waits.
#[inline(always)]
pub fn note_stale(task: Task) {
    let _ = CPU_STALE.insert(task.key(), task.arrivals(), 0);
}

/// Whether that was so since the task ran last.
#[inline(always)]
pub fn is_stale(task: Task) -> bool {
    // SAFETY: a map value.
    CPU_STALE.get_ptr(task.key()).is_some_and(|noted| unsafe { noted.read_volatile() } == task.arrivals())
}

/// The two places for a thread of this number. Neighbours have others.
#[inline(always)]
pub fn sleepers(tid: u32) -> Option<*mut Sleepers> {
    CPU_SLEEPERS.get_ptr_mut(tid & (SLEEPERS as u32 - 1))
}

/// The account of a process's long waits, new if need be.
#[inline(always)]
pub fn waited(cpu: CpuPtr, task: Task) -> Option<*mut Waited> {
    let owner = task.owner();
    let mut known = CPU_WAITED.get_ptr_mut(owner);
    if known.is_none() {
        let new = Waited { cgroup: task.cgroup_id(), ..Waited::default() };
        // Full, or another CPU was faster: then the entry is there now.
        let _ = CPU_WAITED.insert(owner, new, BPF_NOEXIST.into());
        known = CPU_WAITED.get_ptr_mut(owner);
    }
    if known.is_none() {
        lose(cpu, Loss::Waiters);
    }
    known
}

/// `holder` had the CPU for so long of what `waiter` waited for it.
#[inline(always)]
pub fn behind(waiter: OwnerId, holder: OwnerId, held_ns: u64, comm: [u64; 2]) {
    let key = Behind { waiter, holder };
    let mut known = CPU_BEHIND.get_ptr_mut(key);
    if known.is_none() {
        let _ = CPU_BEHIND.insert(key, CpuHeld::default(), BPF_NOEXIST.into());
        known = CPU_BEHIND.get_ptr_mut(key);
    }
    let Some(held) = known else { return };
    // SAFETY: a map value, shared between CPUs.
    unsafe {
        add_shared(&raw mut (*held).total_ns, held_ns);
        (&raw mut (*held).comm).cast::<[u64; 2]>().write(comm);
    }
}

/// The same for one octave of all its waits.
#[inline(always)]
pub fn by(cpu: CpuPtr, key: &By, task: Task) -> Option<*mut WaitOctave> {
    let mut known = CPU_BY_OWNER.get_ptr_mut(key);
    if known.is_none() {
        let new = WaitOctave { cgroup: task.cgroup_id(), ..WaitOctave::default() };
        let _ = CPU_BY_OWNER.insert(key, new, BPF_NOEXIST.into());
        known = CPU_BY_OWNER.get_ptr_mut(key);
    }
    if known.is_none() {
        lose(cpu, Loss::By);
    }
    known
}

/// The same for tasks that have ended.
#[inline(always)]
pub fn ended(cpu: CpuPtr, key: &EndedKey) -> Option<*mut Ended> {
    let mut known = CPU_ENDED.get_ptr_mut(key);
    if known.is_none() {
        let _ = CPU_ENDED.insert(key, Ended::default(), BPF_NOEXIST.into());
        known = CPU_ENDED.get_ptr_mut(key);
    }
    if known.is_none() {
        lose(cpu, Loss::Ended);
    }
    known
}

/// The interrupts of the CPU that we run on.
#[inline(always)]
pub fn interrupts() -> Option<*mut Interrupts> {
    // SAFETY: the helper has no precondition.
    CPU_INTERRUPTS.get_ptr_mut(unsafe { bpf_get_smp_processor_id() })
}

/// The account of a device's interrupts, new if need be.
#[inline(always)]
pub fn irq(number: u32) -> Option<*mut Vector> {
    let mut known = CPU_IRQS.get_ptr_mut(number);
    if known.is_none() {
        let _ = CPU_IRQS.insert(number, Vector::default(), BPF_NOEXIST.into());
        known = CPU_IRQS.get_ptr_mut(number);
    }
    if known.is_none()
        && let Some((_, cpu)) = cpu()
    {
        lose(cpu, Loss::Interrupts);
    }
    known
}
