//! The maps of the `tcp` probe, and the few ways to use them.

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_NOEXIST},
    helpers::generated::bpf_get_smp_processor_id,
    macros::map,
    maps::{Array, HashMap, LruHashMap, RingBuf},
};
use stillwatch_common::tcp::{
    Connect, DROPS_PER_SECOND, DropSite, Dropped, Drops, EVENTS_PER_SECOND, Ends, Flow, Loss, Opened, Opener, PerCpu,
    Program, Remote, Reset, Retransmit, SocketSeen,
};

use crate::support::count::add_shared;

/// One block per CPU, read by user space through a mapping.
#[map]
static TCP_CPU: Array<PerCpu> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Connections on which something was retransmitted.
#[map]
static TCP_FLOWS: HashMap<Ends, Flow> = HashMap::with_max_entries(1, 0);

/// Who opened or closed a socket, by its address.
#[map]
static TCP_OPENERS: LruHashMap<u64, Opener> = LruHashMap::with_max_entries(1, 0);

/// Who closed connections of which the kernel only keeps the ends (TIME-WAIT), by these.
#[map]
static TCP_LEFT: LruHashMap<Ends, Opener> = LruHashMap::with_max_entries(1, 0);

/// Connections that were opened, by remote and octave of the time that it took.
#[map]
static TCP_REMOTES: HashMap<Remote, Opened> = HashMap::with_max_entries(1, 0);

/// Packets that were dropped, by where and why.
#[map]
static TCP_DROPS: HashMap<DropSite, Drops> = HashMap::with_max_entries(1, 0);

/// Sockets that listen, by address.
#[map]
static TCP_LISTENERS: HashMap<u64, u64> = HashMap::with_max_entries(1, 0);

/// The process that a walk over descriptors is at, and the network namespace that it told of last. One walk at a time, by one reader.
#[map]
static TCP_WALK: Array<SocketSeen> = Array::with_max_entries(2, 0);

/// Single events, told apart by their size, on their way to user space.
#[map]
static TCP_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

pub type CpuPtr = *mut PerCpu;

/// The block of the CPU that we run on.
#[inline(always)]
fn block() -> Option<CpuPtr> {
    // SAFETY: the helper has no precondition.
    TCP_CPU.get_ptr_mut(unsafe { bpf_get_smp_processor_id() })
}

/// The same; counts a run of the program.
#[inline(always)]
pub fn cpu(program: Program) -> Option<CpuPtr> {
    let cpu = block()?;
    // SAFETY: this CPU's block; the index is an enum's. A program is not interrupted by itself, so nothing has to be atomic.
    unsafe { (*cpu).runs[program as usize] += 1 };
    Some(cpu)
}

/// The same, with the program's room for the attempt that it looks at. A program is not interrupted by itself on one CPU.
#[inline(always)]
pub fn attempt(program: Program) -> Option<(CpuPtr, *mut Retransmit)> {
    let cpu = cpu(program)?;
    // SAFETY: a map value; the index is one of two.
    Some((cpu, unsafe { &raw mut (*cpu).attempt[usize::from(program as usize == Program::SynAck as usize)] }))
}

#[inline(always)]
pub fn lose(cpu: CpuPtr, loss: Loss) {
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

/// The same for a place where packets are dropped.
#[inline(always)]
pub fn drops(cpu: CpuPtr, site: &DropSite) -> Option<*mut Drops> {
    if let Some(known) = TCP_DROPS.get_ptr_mut(site) {
        return Some(known);
    }
    let _ = TCP_DROPS.insert(site, Drops { packets: 0, bytes: 0 }, BPF_NOEXIST.into());
    let known = TCP_DROPS.get_ptr_mut(site);
    if known.is_none() {
        lose(cpu, Loss::Drops);
    }
    known
}

/// A socket listens from now on. No CPU's block: also noted by the walk at the start.
#[inline(always)]
pub fn listens(sock: u64) {
    if TCP_LISTENERS.insert(sock, 0, 0).is_err()
        && let Some(cpu) = block()
    {
        lose(cpu, Loss::Listeners);
    }
}

#[inline(always)]
pub fn listens_no_more(sock: u64) {
    let _ = TCP_LISTENERS.remove(sock);
}

/// Where a walk over descriptors is.
#[inline(always)]
pub fn walk() -> Option<*mut SocketSeen> {
    TCP_WALK.get_ptr_mut(0)
}

/// The network namespace that it told of last.
#[inline(always)]
pub fn namespace() -> Option<*mut SocketSeen> {
    TCP_WALK.get_ptr_mut(1)
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

/// Who closed a connection, as noted by [`note_left`].
#[inline(always)]
pub fn left(ends: &Ends) -> Option<*mut Opener> {
    TCP_LEFT.get_ptr_mut(ends)
}

/// # Safety
/// `opener` points into a map value.
#[inline(always)]
pub unsafe fn note_left(ends: &Ends, opener: *const Opener) {
    // SAFETY: promised by the caller.
    let opener: &Opener = unsafe { &*opener };
    let _ = TCP_LEFT.insert(ends, opener, 0);
}

#[inline(always)]
pub fn forget_left(ends: &Ends) {
    let _ = TCP_LEFT.remove(ends);
}

/// What goes through the ring.
pub trait Event {
    /// How many of its kind a CPU hands over in a second, and where it counts them.
    #[inline(always)]
    fn account(cpu: CpuPtr) -> (u64, *mut u64, *mut u64) {
        // SAFETY: only addresses.
        unsafe { (EVENTS_PER_SECOND, &raw mut (*cpu).second_ns, &raw mut (*cpu).events) }
    }
}

impl Event for Retransmit {}

impl Event for Connect {}

impl Event for Reset {}

impl Event for Dropped {
    #[inline(always)]
    fn account(cpu: CpuPtr) -> (u64, *mut u64, *mut u64) {
        // SAFETY: only addresses.
        unsafe { (DROPS_PER_SECOND, &raw mut (*cpu).drop_second_ns, &raw mut (*cpu).drop_events) }
    }
}

/// Whether an event of now is handed over: in a storm only the first of each second. The sums have all of them.
#[inline(always)]
pub fn is_told<E: Event>(cpu: CpuPtr, at_ns: u64) -> bool {
    let (most, second_ns, events) = E::account(cpu);
    // SAFETY: this CPU's block. An interrupt between these may let one more or one less through.
    unsafe {
        if at_ns.wrapping_sub(*second_ns) > 1_000_000_000 {
            (*second_ns, *events) = (at_ns, 0);
        }
        *events += 1;
        if *events > most {
            add_shared(&raw mut (*cpu).sampled, 1);
            return false;
        }
    }
    true
}

/// Hands an event to user space, which looks often enough: no wake-up.
///
/// # Safety
/// `event` points into a map value.
#[inline(always)]
pub unsafe fn hand_over<E: Event>(cpu: CpuPtr, event: *const E) {
    const NO_WAKEUP: u64 = 1;
    // SAFETY: promised by the caller.
    if TCP_EVENTS.output::<E>(unsafe { &*event }, NO_WAKEUP).is_err() {
        lose(cpu, Loss::Events);
    }
}
