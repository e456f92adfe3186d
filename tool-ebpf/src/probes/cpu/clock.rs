//! What time it is in the clock of a run queue.
//!
//! The kernel stamps tasks with the clock of their run queue, which it sets when it looks at it. That clock does not always say when
//! a switch is: a wake-up that makes the CPU switch has set it, and the kernel spares itself to set it again, however long the
//! way to the switch was (interrupts off, softirqs, leaving idle). So unless it was surely set anew, the time is taken from the
//! other clock, and the difference between the two from switches at which the run queue's was just set: the smallest one seen, as it
//! is never ahead.
//!
//! The clocks drift apart (NTP); user space tells how fast, for CPUs that have slept long. A difference older than [`RECENT_NS`] is
//! replaced by the next one that is surely fresh, and follows one that only may be as far as what is left of the drift.

use super::tables::CpuPtr;
use crate::support::{now_ns, task::Task};

const RECENT_NS: u64 = 4_000_000;
/// What may be left of a drift that user space has told: one of 16384, 61 of 1,000,000. In 4 ms that is a quarter of a microsecond.
const SLEWED_BITS: u32 = 14;

pub const UNKNOWN: u64 = u64::MAX;

/// The time of a switch in the clock of this CPU's run queue, which was set to `clock` last; [`UNKNOWN`]: the
/// clocks were not compared yet. Not an `Option`, whose empty half the verifier sees as a read of a register that nobody wrote.
///
/// `sleeps`: the task that leaves waits for something. Then no wake-up has made the CPU switch, unless the last one to be
/// woken is the one that comes: that was stamped (`queued`) with the very time that the clock shows. If the task that leaves is
/// preempted, another time than that may be one at which yet another task was woken.
#[inline(always)]
pub fn runqueue_ns(cpu: CpuPtr, clock: u64, queued: u64, sleeps: bool) -> u64 {
    // SAFETY: this CPU's block; interrupts are off.
    let (known_ns, at_ns, drift) = unsafe { ((*cpu).offset_ns, (*cpu).offset_at_ns, (*cpu).drift) };
    let recent = clock.wrapping_sub(at_ns.wrapping_sub(known_ns)) <= RECENT_NS;
    let fresh = sleeps && queued != clock;
    if fresh && recent {
        return clock;
    }
    let now_ns = now_ns();
    let mut offset_ns = now_ns.wrapping_sub(clock);
    if at_ns != 0 {
        let age_ns = now_ns.wrapping_sub(at_ns);
        let known_ns = known_ns.wrapping_add(((age_ns as i64).wrapping_mul(drift) >> 32) as u64);
        let more_ns = offset_ns.wrapping_sub(known_ns) as i64;
        let old = age_ns > RECENT_NS;
        if more_ns > 0 && !(fresh && old) {
            if queued == clock || !old {
                return now_ns.wrapping_sub(known_ns);
            }
            let slewed_ns = age_ns >> SLEWED_BITS;
            offset_ns = known_ns.wrapping_add(slewed_ns.min(more_ns as u64));
        }
    } else if queued == clock {
        return UNKNOWN;
    }
    // SAFETY: as above.
    unsafe {
        (*cpu).offset_ns = offset_ns;
        (*cpu).offset_at_ns = now_ns;
    }
    now_ns.wrapping_sub(offset_ns)
}

/// The moment `at_ns` in the clock of the run queue that a task is in, or was last; `cpu` is the block of its CPU.
#[inline(always)]
pub fn runqueue_at(cpu: CpuPtr, task: Task, at_ns: u64) -> u64 {
    // SAFETY: a map value.
    let (offset_ns, compared_ns) = unsafe { ((*cpu).offset_ns, (*cpu).offset_at_ns) };
    // A CPU that has not switched since we started: its clock is at most a timer tick old.
    if compared_ns == 0 { task.runqueue_clock() } else { at_ns.wrapping_sub(offset_ns) }
}
