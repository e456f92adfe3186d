//! The end of a wait in a run queue.

use stillwatch_common::{
    cpu::{By, Holder, STAYS},
    hist,
    io::OwnerId,
};

use super::{
    clock::{UNKNOWN, runqueue_ns},
    tables::{self, CpuPtr},
};
use crate::{
    facts::{self, on},
    support::{
        count::{add_shared, add_shared_half, raise_shared},
        opaque,
        switch::Switch,
        task::{Task, is_idle},
    },
};

/// `next` gets the CPU, whose run queue's clock is at `clock`.
#[inline(always)]
pub fn end(number: u32, cpu: CpuPtr, switch: &Switch, clock: u64) {
    let next = switch.next;
    let queued = next.queued();
    let now = runqueue_ns(cpu, clock, queued, switch.sleeps || switch.dead);
    note_stay(cpu, switch, clock);
    // The kernel stamps one that is preempted with its clock. Up to now it ran, or what interrupted it.
    if !switch.sleeps && !switch.dead && now != UNKNOWN && now != clock {
        tables::early(switch.prev_tid, now.wrapping_sub(clock));
    }
    if is_idle(switch.next_tid) {
        return;
    }
    if now == UNKNOWN || queued == 0 {
        // SAFETY: this CPU's block; interrupts are off.
        unsafe { (*cpu).untimed += 1 };
        return;
    }
    // What the kernel will add to the task's sum in a moment.
    let counted_ns = clock.wrapping_sub(queued);
    let here_ns = now.wrapping_sub(queued);
    let wait_ns = here_ns.wrapping_add(tables::waited_elsewhere(cpu, switch, counted_ns)) as i64;
    let wait_ns = if wait_ns < 0 { 0 } else { wait_ns as u64 };
    if wait_ns >= facts::CPU_SLOW_NS.load() && tables::is_stale(next) {
        // SAFETY: as above.
        unsafe { (*cpu).untimed += 1 };
        return;
    }
    // SAFETY: as above.
    unsafe {
        (*cpu).total_ns += wait_ns;
        if wait_ns > (*cpu).max_ns {
            (*cpu).max_ns = wait_ns;
        }
    }
    let bucket = hist::bucket(wait_ns);
    tables::count(number, bucket as usize);
    if wait_ns >= facts::CPU_SLOW_NS.load() {
        slow(number, cpu, switch, clock, here_ns, wait_ns);
    }
    if on(&facts::CPU_BY) {
        by(cpu, next, wait_ns, bucket);
    }
}

/// `prev` leaves the CPU. If it had it for long, that is kept.
#[inline(always)]
fn note_stay(cpu: CpuPtr, switch: &Switch, clock: u64) {
    let prev = switch.prev;
    let ran_ns = clock.wrapping_sub(prev.arrived());
    if ran_ns < facts::CPU_SLOW_NS.load() >> 1 || is_idle(switch.prev_tid) {
        return;
    }
    let owner = prev.owner();
    // SAFETY: this CPU's block; interrupts are off, and the index is masked.
    unsafe {
        let stays = &raw mut (*cpu).stays;
        let last = &raw mut (*stays)[opaque((*cpu).stayed as usize) & (STAYS - 1)];
        let away_ns = clock.wrapping_sub((*last).ended).wrapping_sub(ran_ns);
        // One that was away for a moment has stayed.
        if (*last).owner == owner && away_ns <= ran_ns >> 3 {
            (*last).ended = clock;
            (*last).ran_ns += ran_ns;
            return;
        }
        (*cpu).stayed += 1;
        let next = &raw mut (*stays)[opaque((*cpu).stayed as usize) & (STAYS - 1)];
        (*next).ended = clock;
        (*next).ran_ns = ran_ns;
        (*next).owner = owner;
        (&raw mut (*next).comm).cast::<[u64; 2]>().write(prev.comm());
    }
}

/// `here_ns`: the part of the wait that was for this CPU.
#[inline(always)]
fn slow(number: u32, cpu: CpuPtr, switch: &Switch, clock: u64, here_ns: u64, wait_ns: u64) {
    let next = switch.next;
    let Some(waited) = tables::waited(cpu, next) else { return };
    // SAFETY: a map value, shared between CPUs.
    unsafe {
        add_shared(&raw mut (*waited).waits, 1);
        add_shared(&raw mut (*waited).total_ns, wait_ns);
        raise_shared(&raw mut (*waited).max_ns, wait_ns);
        // Taken anew each time: programs change it when they execute another one.
        (&raw mut (*waited).comm).cast::<[u64; 2]>().write(next.comm());
        (*waited).cpu = number;
        (*waited).scheduling = next.scheduling();
    }
    find_holder(cpu, clock, clock.wrapping_sub(next.queued()));
    // SAFETY: this CPU's block; interrupts are off.
    let Holder { owner, held_ns, all_ns, at, .. } = unsafe { (&raw const (*cpu).holder).read_volatile() };
    let idle_ns = here_ns.min(wait_ns).saturating_sub(all_ns);
    if is_idle(switch.prev_tid) && idle_ns > held_ns {
        tables::behind(next.owner(), 0, idle_ns, [0; 2]);
    } else if held_ns > 0 {
        // SAFETY: as above, and the index is masked.
        let comm =
            unsafe { (&raw const (*cpu).stays[opaque(at as usize) & (STAYS - 1)].comm).cast::<[u64; 2]>().read() };
        tables::behind(next.owner(), owner, held_ns, comm);
    }
}

/// Finds whoever had this CPU for more than half of the last `wait_ns`, if anybody is known to: what is left when the time of each is
/// set off against that of the others.
#[inline(always)]
fn find_holder(cpu: CpuPtr, clock: u64, wait_ns: u64) {
    // SAFETY: this CPU's block; interrupts are off.
    unsafe {
        let holder = &raw mut (*cpu).holder;
        holder.write_volatile(Holder::default());
        for at in 0..STAYS {
            let (owner, held_ns) = held(cpu, at, clock, wait_ns);
            add(&raw mut (*holder).all_ns, held_ns);
            let more_ns = (&raw const (*holder).more_ns).read_volatile();
            if (&raw const (*holder).owner).read_volatile() == owner {
                add(&raw mut (*holder).more_ns, held_ns);
            } else if more_ns >= held_ns {
                (&raw mut (*holder).more_ns).write_volatile(more_ns - held_ns);
            } else {
                (&raw mut (*holder).more_ns).write_volatile(held_ns - more_ns);
                (&raw mut (*holder).owner).write_volatile(owner);
            }
        }
        for at in 0..STAYS {
            let (owner, held_ns) = held(cpu, at, clock, wait_ns);
            if (&raw const (*holder).owner).read_volatile() == owner {
                add(&raw mut (*holder).held_ns, held_ns);
                (&raw mut (*holder).at).write_volatile(at as u64);
            }
        }
    }
}

/// # Safety
/// `sum` points into this CPU's block.
#[inline(always)]
unsafe fn add(sum: *mut u64, more: u64) {
    // SAFETY: promised by the caller.
    unsafe { sum.write_volatile(sum.read_volatile().wrapping_add(more)) };
}

/// Whose a stay on this CPU was, and how much of the last `wait_ns` it took.
#[inline(always)]
fn held(cpu: CpuPtr, at: usize, clock: u64, wait_ns: u64) -> (OwnerId, u64) {
    // SAFETY: this CPU's block; interrupts are off.
    let (owner, ended, ran_ns) = unsafe {
        let stay = &raw const (*cpu).stays[at];
        let read = |number: *const u64| number.read_volatile();
        (read(&raw const (*stay).owner), read(&raw const (*stay).ended), read(&raw const (*stay).ran_ns))
    };
    let ago_ns = clock.wrapping_sub(ended);
    (owner, if ago_ns < wait_ns { (wait_ns - ago_ns).min(ran_ns) } else { 0 })
}

#[inline(always)]
fn by(cpu: CpuPtr, next: Task, wait_ns: u64, bucket: u32) {
    let key = By { owner: next.owner(), octave: (bucket / hist::ROW as u32).into() };
    let Some(waits) = tables::by(cpu, &key, next) else { return };
    let sub = opaque(bucket as usize) & (hist::ROW - 1);
    // SAFETY: a map value, shared between CPUs; the index is masked.
    unsafe {
        add_shared_half(&raw mut (*waits).counts[sub], 1);
        add_shared(&raw mut (*waits).total_ns, wait_ns);
        raise_shared(&raw mut (*waits).max_ns, wait_ns);
        (&raw mut (*waits).comm).cast::<[u64; 2]>().write(next.comm());
    }
}
