//! What time it is in the clock of a run queue.
//!
//! The kernel stamps tasks with the clock of their run queue, which it sets when it looks at it. That clock does not say when a
//! switch is: a wake-up that makes the processor switch at once has set it, and the kernel spares itself to set it again, however long
//! the way to the switch was (interrupts off, softirqs, leaving idle). So the time is taken from the other clock, and the difference
//! between the two from switches at which the run queue's was just set: the smallest one seen, as it is never ahead.
//!
//! The clocks drift apart (NTP). A difference older than [`RECENT_NS`] is replaced by the next fresh one, and user space tells the
//! drift, for processors that have slept long.

use super::tables::CpuPtr;

const RECENT_NS: u64 = 4_000_000;

/// What `now_ns` is in the clock of this processor's run queue, which was set to `clock` last. `fresh`: that was just now. `None`:
/// not known yet.
#[inline(always)]
pub fn runqueue_ns(cpu: CpuPtr, now_ns: u64, clock: u64, fresh: bool) -> Option<u64> {
    let offset_ns = now_ns.wrapping_sub(clock);
    // SAFETY: this processor's block; interrupts are off.
    let (known_ns, at_ns, drift) = unsafe { ((*cpu).offset_ns, (*cpu).offset_at_ns, (*cpu).drift) };
    let age_ns = now_ns.wrapping_sub(at_ns);
    let known_ns = known_ns.wrapping_add(((age_ns as i64).wrapping_mul(drift) >> 32) as u64);
    let known = at_ns != 0;
    if known && offset_ns.wrapping_sub(known_ns) as i64 > 0 && !(fresh && age_ns > RECENT_NS) {
        return Some(now_ns.wrapping_sub(known_ns));
    }
    // SAFETY: as above.
    unsafe {
        (*cpu).offset_ns = offset_ns;
        (*cpu).offset_at_ns = now_ns;
    }
    (known || fresh).then_some(clock)
}
