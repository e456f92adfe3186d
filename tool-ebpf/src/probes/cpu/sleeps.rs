//! How long tasks sleep.
//!
//! Most sleeps are short, and of no interest to anybody. A task that goes to sleep is noted with the time that its run queue's clock shows, which
//! the kernel has just set; when it is given a CPU again, the difference says whether the sleep is worth more than that. A place is found by the
//! number of the thread: two loads and a store, no hash map, no clock of our own.

use stillwatch_common::cpu::{Loss, Sleepers};

use super::tables::{self, CpuPtr};
use crate::support::{switch::Switch, task::Task};

/// Of a place: the bits of the time, in units of 1024 ns (13 days, wrapping); above them the number of the thread.
const TIME_BITS: u32 = 40;
const TIME: u64 = (1 << TIME_BITS) - 1;
const UNIT_BITS: u32 = 10;

#[inline(always)]
fn tag(tid: u32) -> u64 {
    u64::from(tid) << TIME_BITS
}

/// The task that leaves its CPU is noted if it sleeps; returns how long the one that comes slept, 0: it did not, or that is not known.
#[inline(always)]
pub fn switch(cpu: CpuPtr, switch: &Switch, clock: u64) -> u64 {
    if switch.sleeps && switch.prev.is_user() {
        begin(cpu, switch.prev_tid, clock);
    }
    if switch.next.is_user() { end(switch.next_tid, clock) } else { 0 }
}

#[inline(always)]
fn begin(cpu: CpuPtr, tid: u32, clock: u64) {
    let Some(places) = tables::sleepers(tid) else { return };
    let (tag, noted) = (tag(tid), clock >> UNIT_BITS & TIME);
    // SAFETY: a map value. Another CPU may write it meanwhile for another task, whole.
    unsafe {
        let [first, second] = both(places);
        if is_free(first, tag) {
            return first.write_volatile(tag | noted);
        }
        if !is_free(second, tag) {
            tables::lose(cpu, Loss::Sleeps);
        }
        second.write_volatile(tag | noted);
    }
}

/// Nobody's, or left over from a sleep of the same task whose end the kernel did not hand over.
///
/// # Safety
/// `place` points into a map value.
#[inline(always)]
unsafe fn is_free(place: *mut u64, tag: u64) -> bool {
    // SAFETY: promised by the caller.
    let noted = unsafe { place.read_volatile() };
    noted == 0 || noted & !TIME == tag
}

#[inline(always)]
fn end(tid: u32, clock: u64) -> u64 {
    match place(tid) {
        // SAFETY: a map value.
        Some(place) => unsafe {
            let noted = place.read_volatile();
            place.write_volatile(0);
            since(noted, clock)
        },
        None => 0,
    }
}

/// How long a task has slept until now; `None`: that is not known.
#[inline(always)]
pub fn slept(task: Task, clock: u64) -> Option<u64> {
    // SAFETY: a map value.
    place(task.tid()).map(|place| since(unsafe { place.read_volatile() }, clock))
}

#[inline(always)]
fn place(tid: u32) -> Option<*mut u64> {
    let [first, second] = both(tables::sleepers(tid)?);
    let tag = tag(tid);
    // SAFETY: map values.
    unsafe {
        if first.read_volatile() & !TIME == tag {
            Some(first)
        } else if second.read_volatile() & !TIME == tag {
            Some(second)
        } else {
            None
        }
    }
}

#[inline(always)]
fn both(places: *mut Sleepers) -> [*mut u64; 2] {
    // SAFETY: inside the map value.
    unsafe { [&raw mut (*places).0[0], &raw mut (*places).0[1]] }
}

/// The clocks of two run queues may be apart by a moment: that is no sleep.
#[inline(always)]
fn since(noted: u64, clock: u64) -> u64 {
    let unused = u64::BITS - TIME_BITS;
    let passed = ((clock >> UNIT_BITS).wrapping_sub(noted) << unused) as i64 >> unused;
    if passed > 0 { (passed as u64) << UNIT_BITS } else { 0 }
}
