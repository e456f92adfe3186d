//! The maps of the `tcp` probe, and the few ways to use them.

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_NOEXIST},
    helpers::generated::bpf_get_smp_processor_id,
    macros::map,
    maps::{Array, HashMap, LruHashMap, RingBuf},
};
use stillwatch_common::tcp::{
    Connect, Cpu, EVENTS_PER_SECOND, Ends, Flow, Loss, Opened, Opener, Remote, Reset, Retransmit, Run,
};

use crate::support::count::add_shared;

/// One block per processor, read by user space through a mapping.
#[map]
static TCP_CPU: Array<Cpu> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Connections on which something was sent again.
#[map]
static TCP_FLOWS: HashMap<Ends, Flow> = HashMap::with_max_entries(1, 0);

/// Who opened or closed a socket, by its address.
#[map]
static TCP_OPENERS: LruHashMap<u64, Opener> = LruHashMap::with_max_entries(1, 0);

/// Connections that were opened, by remote and octave of the time that it took.
#[map]
static TCP_REMOTES: HashMap<Remote, Opened> = HashMap::with_max_entries(1, 0);

/// Single events, told apart by their size, on their way to user space.
#[map]
static TCP_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

pub type CpuPtr = *mut Cpu;

/// The block of the processor that we run on; counts a run of the program.
#[inline(always)]
pub fn cpu(run: Run) -> Option<CpuPtr> {
    // SAFETY: the helper has no precondition.
    let cpu = TCP_CPU.get_ptr_mut(unsafe { bpf_get_smp_processor_id() })?;
    // SAFETY: a map value; the index is an enum's.
    unsafe { add_shared(&raw mut (*cpu).runs[run as usize], 1) };
    Some(cpu)
}

/// The same, with the program's room for the attempt that it looks at. A program is not interrupted by itself on one processor.
#[inline(always)]
pub fn attempt(run: Run) -> Option<(CpuPtr, *mut Retransmit)> {
    let cpu = cpu(run)?;
    // SAFETY: a map value; the index is one of two.
    Some((cpu, unsafe { &raw mut (*cpu).attempt[usize::from(run as usize == Run::SynAck as usize)] }))
}

#[inline(always)]
fn lose(cpu: CpuPtr, loss: Loss) {
    // SAFETY: a map value; the index is an enum's.
    unsafe { add_shared(&raw mut (*cpu).lost[loss as usize], 1) };
}

/// The account of a connection, new if need be.
///
/// # Safety
/// `ends` points into a map value.
#[inline(always)]
pub unsafe fn flow(cpu: CpuPtr, ends: *const Ends) -> Option<*mut Flow> {
    // SAFETY: promised by the caller.
    let ends = unsafe { &*ends };
    if let Some(known) = TCP_FLOWS.get_ptr_mut(ends) {
        return Some(known);
    }
    // SAFETY: all zeros are an empty account.
    let new: Flow = unsafe { core::mem::zeroed() };
    let _ = TCP_FLOWS.insert(ends, new, BPF_NOEXIST.into());
    let known = TCP_FLOWS.get_ptr_mut(ends);
    if known.is_none() {
        lose(cpu, Loss::Flows);
    }
    known
}

/// The same for a remote.
#[inline(always)]
pub fn remote(cpu: CpuPtr, remote: &Remote) -> Option<*mut Opened> {
    if let Some(known) = TCP_REMOTES.get_ptr_mut(remote) {
        return Some(known);
    }
    // SAFETY: all zeros are an empty account.
    let new: Opened = unsafe { core::mem::zeroed() };
    let _ = TCP_REMOTES.insert(remote, new, BPF_NOEXIST.into());
    let known = TCP_REMOTES.get_ptr_mut(remote);
    if known.is_none() {
        lose(cpu, Loss::Remotes);
    }
    known
}

/// Who opened a socket, as noted by [`note_opener`].
#[inline(always)]
pub fn opener(sock: u64) -> Option<*mut Opener> {
    TCP_OPENERS.get_ptr_mut(sock)
}

#[inline(always)]
pub fn note_opener(sock: u64, opener: &Opener) {
    let _ = TCP_OPENERS.insert(sock, opener, 0);
}

/// What goes through the ring.
pub trait Event {
    fn at_ns(&self) -> u64;
}

impl Event for Retransmit {
    #[inline(always)]
    fn at_ns(&self) -> u64 {
        self.at_ns
    }
}

impl Event for Connect {
    #[inline(always)]
    fn at_ns(&self) -> u64 {
        self.at_ns
    }
}

impl Event for Reset {
    #[inline(always)]
    fn at_ns(&self) -> u64 {
        self.at_ns
    }
}

/// Hands an event to user space, which looks at its own ticks: no wake-up. In a storm only the first of each second: the sums
/// have all of them.
///
/// # Safety
/// `event` points into a map value.
#[inline(always)]
pub unsafe fn hand_over<E: Event>(cpu: CpuPtr, event: *const E) {
    const NO_WAKEUP: u64 = 1;
    // SAFETY: this processor's block. An interrupt between these may let one more or one less through.
    unsafe {
        let at_ns = (*event).at_ns();
        if at_ns.wrapping_sub((*cpu).second_ns) > 1_000_000_000 {
            ((*cpu).second_ns, (*cpu).events) = (at_ns, 0);
        }
        (*cpu).events += 1;
        if (*cpu).events > EVENTS_PER_SECOND {
            return add_shared(&raw mut (*cpu).sampled, 1);
        }
        if TCP_EVENTS.output::<E>(&*event, NO_WAKEUP).is_err() {
            lose(cpu, Loss::Events);
        }
    }
}
