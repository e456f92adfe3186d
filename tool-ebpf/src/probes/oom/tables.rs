//! The maps of the `oom` probe, and the few ways to use them.

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_NOEXIST},
    helpers::generated::bpf_get_smp_processor_id,
    macros::map,
    maps::{Array, HashMap, RingBuf, ring_buf::RingBufEntry},
};
use stillwatch_common::oom::{Inside, Loss, PerCpu, Program, Stall, StallOctave};

use crate::support::{count::add_shared, task::Task};

/// One block per CPU, read by user space through a mapping.
#[map]
static OOM_CPU: Array<PerCpu> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Tasks that wait for memory now, by address.
#[map]
static OOM_TASKS: HashMap<u64, Inside> = HashMap::with_max_entries(1, 0);

/// Processes that waited, by kind and octave of the time that it took.
#[map]
static OOM_STALLS: HashMap<Stall, StallOctave> = HashMap::with_max_entries(1, 0);

/// Victims whose memory is not free yet, by the address of their `mm_struct`. User space removes those that never end.
#[map]
static OOM_VICTIMS: HashMap<u64, u32> = HashMap::with_max_entries(1, 0);

/// Kills, and what comes after them, told apart by their size, on their way to user space.
#[map]
static OOM_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

pub type CpuPtr = *mut PerCpu;

/// The block of the CPU that we run on.
#[inline(always)]
pub fn this_cpu() -> Option<CpuPtr> {
    // SAFETY: the helper has no precondition.
    OOM_CPU.get_ptr_mut(unsafe { bpf_get_smp_processor_id() })
}

/// The same; counts a run of the program.
#[inline(always)]
pub fn cpu(program: Program) -> Option<CpuPtr> {
    let cpu = this_cpu()?;
    // SAFETY: this CPU's block; the index is an enum's. A program is not interrupted by itself, so nothing has to be atomic.
    unsafe { (*cpu).runs[program as usize] += 1 };
    Some(cpu)
}

#[inline(always)]
pub fn lose(cpu: CpuPtr, loss: Loss) {
    // SAFETY: a map value; the index is an enum's.
    unsafe { add_shared(&raw mut (*cpu).lost[loss as usize], 1) };
}

#[inline(always)]
pub fn inside(task: Task) -> Option<*mut Inside> {
    OOM_TASKS.get_ptr_mut(task.key())
}

#[inline(always)]
pub fn enter(cpu: CpuPtr, task: Task, new: &Inside) {
    if OOM_TASKS.insert(task.key(), new, 0).is_err() {
        lose(cpu, Loss::Tasks);
    }
}

#[inline(always)]
pub fn leave(task: Task) {
    let _ = OOM_TASKS.remove(task.key());
}

/// The account of a process that waited, new if need be.
#[inline(always)]
pub fn stall(cpu: CpuPtr, key: &Stall, task: Task) -> Option<*mut StallOctave> {
    if let Some(known) = OOM_STALLS.get_ptr_mut(key) {
        return Some(known);
    }
    let new = StallOctave {
        counts: [0; stillwatch_common::hist::ROW],
        total_ns: 0,
        max_ns: 0,
        cgroup: task.cgroup_id(),
        comm: [0; 16],
        kernel_thread: task.is_kernel_thread().into(),
        pad: 0,
    };
    let _ = OOM_STALLS.insert(key, new, BPF_NOEXIST.into());
    let known = OOM_STALLS.get_ptr_mut(key);
    if known.is_none() {
        lose(cpu, Loss::Stalls);
    }
    known
}

#[inline(always)]
pub fn add_victim(cpu: CpuPtr, mm: u64, pid: u32) {
    if OOM_VICTIMS.insert(mm, pid, 0).is_err() {
        lose(cpu, Loss::Victims);
    }
}

/// The victim whose memory this was, which is thereby forgotten.
#[inline(always)]
pub fn take_victim(mm: u64) -> Option<u32> {
    // SAFETY: a map value.
    let pid = unsafe { *OOM_VICTIMS.get_ptr(mm)? };
    let _ = OOM_VICTIMS.remove(mm);
    Some(pid)
}

/// Room for an event. It wakes user space: kills are rare, and are told at once.
#[inline(always)]
pub fn room<E: 'static>(cpu: CpuPtr) -> Option<RingBufEntry<E>> {
    let room = OOM_EVENTS.reserve::<E>(0);
    if room.is_none() {
        lose(cpu, Loss::Events);
    }
    room
}
