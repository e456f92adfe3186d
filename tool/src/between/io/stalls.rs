//! Who waited, for what.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use stillwatch_common::io::{self as wire, NO_CALL, Waits, tgid_of};

use super::{super::Span, Context};
use crate::{
    reasons::Reason,
    sample::Waiting,
    snapshot::{
        Who,
        io::{BEFORE_START, NO_CALL as NO_CALL_KNOWN, NO_DEVICE, NO_STACK, Stalled, TOO_SHORT},
        who::{self, NOT_IN_TIME},
    },
    syscall_names,
    table::{Known, Placed, Why},
};

/// A row, with the number that rows are joined by.
pub struct StalledWait {
    pub row: Stalled,
    dev: Option<u32>,
}

impl Context<'_> {
    pub fn stalled(&self, span: &Span) -> Vec<StalledWait> {
        let mut rows: HashMap<Key, StalledWait> = HashMap::new();
        for (key, after) in &self.after.stalls {
            let before = self.before.stalls.get(key).filter(|before| before.waits <= after.waits);
            let waits = after.waits - before.map_or(0, |it| it.waits);
            let total_ns = after.total_ns.saturating_sub(before.map_or(0, |it| it.total_ns));
            if waits == 0 {
                continue;
            }
            let max_ns = match before {
                Some(before) if after.max_ns == before.max_ns => after.max_ns.min(total_ns),
                _ => after.max_ns,
            };
            let (stack, reason) = match self.after.stacks.get(&key.stack) {
                Some(Some(stack)) => (&stack[..], Because::of(stack)),
                Some(None) => (&[][..], Because::NotLookedAt(NOT_IN_TIME)),
                None => (&[][..], Because::NoStack),
            };
            let (dev, woken_by) = self.ended_by(key, after);
            let syscall = (key.nr != NO_CALL).then(|| syscall_names::label(key.nr).into_owned());
            let who = Who { kernel_thread: key.kernel_thread != 0, ..Who::owner(key.owner, &after.comm, after.cgroup) };
            let key = (tgid_of(key.owner), syscall, reason, dev);
            let stall = self.row_of(&mut rows, key, who, stack);
            stall.row.waits += waits;
            stall.row.total_ns += total_ns;
            stall.row.ended_max_ns = stall.row.ended_max_ns.max(max_ns);
            stall.row.woken_by = stall.row.woken_by.take().or(woken_by);
        }
        self.note_ended(&mut rows, span);
        for task in &self.after.waiting {
            let reason = task.not_looked_at.map_or_else(|| Because::of(&task.stack), Because::NotLookedAt);
            let key = (task.tgid, task.syscall.clone(), reason, task.dev);
            let comm = Some(task.comm.clone());
            let who = Who { comm, kernel_thread: task.kernel_thread, ..Who::living(task.tgid) };
            let stall = self.row_of(&mut rows, key, who, &task.stack);
            stall.row.now += 1;
            let age_ns = task.since_ns.map(|since_ns| self.now.ns().saturating_sub(since_ns));
            // None that is known is older.
            match (age_ns, &stall.row.now_ns) {
                (None, _) => stall.row.now_ns = Known::unknown(BEFORE_START),
                (Some(_), Known::Value(oldest_ns)) => stall.row.now_ns = (*oldest_ns).max(age_ns).into(),
                (Some(_), Known::Not(_)) => {}
            }
            stall.row.lost_ns += age_ns.unwrap_or(u64::MAX).min(span.ns());
        }
        rows.values_mut().for_each(|stall| settle(&mut stall.row));
        // A wait for what is not known may be one for the device asked for.
        let elsewhere = |stall: &StalledWait| stall.dev.is_some_and(|dev| !self.shown(&self.device(dev)));
        let mut rows: Vec<StalledWait> = rows.into_values().filter(|stall| !elsewhere(stall)).collect();
        rows.sort_by(|a, b| a.row.place().cmp(&b.row.place()));
        rows
    }

    /// Of waits that have ended, the time of this interval. What lies before it was told with that of waits that went on: it is taken off
    /// the process's longest.
    fn note_ended(&self, rows: &mut HashMap<Key, StalledWait>, span: &Span) {
        let wait = |task: &Waiting| (task.tid, task.since_ns);
        let go_on: HashSet<_> = self.after.waiting.iter().map(wait).collect();
        let mut earlier: HashMap<u32, u64> = HashMap::new();
        for task in self.before.waiting.iter().filter(|task| !go_on.contains(&wait(task))) {
            let told_ns = task.since_ns.map_or(0, |since_ns| span.from.ns().saturating_sub(since_ns));
            *earlier.entry(task.tgid).or_default() += told_ns;
        }
        let mut rows: Vec<_> = rows.iter_mut().collect();
        rows.sort_by_key(|(_, stall)| Reverse(stall.row.ended_max_ns));
        for ((tgid, ..), StalledWait { row, .. }) in rows {
            let earlier_ns = earlier.get_mut(tgid).map_or(0, |left_ns| {
                let part_ns = row.total_ns.min(*left_ns);
                *left_ns -= part_ns;
                part_ns
            });
            row.lost_ns = (row.total_ns - earlier_ns).min(row.waits.saturating_mul(span.ns()));
        }
    }

    /// The row of a wait, new if need be.
    fn row_of<'a>(
        &self,
        rows: &'a mut HashMap<Key, StalledWait>,
        key: Key,
        who: Who,
        stack: &[String],
    ) -> &'a mut StalledWait {
        rows.entry(key).or_insert_with_key(|(_, syscall, reason, dev)| {
            let device = dev.map(|dev| self.device(dev));
            let known = |text: Option<String>, why| text.map_or(Known::unknown(why), Known::Value);
            let row = Stalled {
                kernel_thread: who.kernel_thread,
                who,
                waits: 0,
                total_ns: 0,
                lost_ns: 0,
                max_ns: 0.into(),
                ended_max_ns: 0,
                now: 0,
                now_ns: None.into(),
                reason: reason.words(),
                syscall: known(syscall.clone(), NO_CALL_KNOWN),
                device: known(device.as_ref().map(|device| device.name.clone()), NO_DEVICE),
                disk: device.as_ref().map(|device| self.device(device.disk).name),
                io_limit: None,
                server: None,
                woken_by: None,
                stack: stack.to_vec(),
            };
            StalledWait { row, dev: *dev }
        })
    }

    /// The device that was waited for, and who ended the wait: the task that ran, unless it was interrupted for it.
    fn ended_by(&self, key: &wire::Stall, waits: &Waits) -> (Option<u32>, Option<String>) {
        let dev = (key.dev != 0).then_some(key.dev);
        let Some(Some(stack)) = self.after.stacks.get(&waits.waker_stack) else { return (dev, None) };
        if waits.waker_tid == 0 || stack.iter().any(|frame| is_interrupt(frame)) {
            return (dev, None);
        }
        let comm = who::text(&waits.waker_comm);
        let by_kernel_thread = waits.waker_kernel_thread != 0;
        let woken_by = if by_kernel_thread { comm } else { format!("{comm} {}", waits.waker_tgid) };
        // A kernel thread that waits for a device itself is a link of the chain.
        let link = (by_kernel_thread && waits.waker_dev != 0).then_some(waits.waker_dev);
        (dev.or(link), Some(woken_by))
    }
}

/// What all waits of a row together say.
fn settle(row: &mut Stalled) {
    row.max_ns = if row.before_start() { Known::unknown(BEFORE_START) } else { row.ended_max_ns.into() };
    // A wait that goes on is not too short.
    if row.now > 0 && !row.reason.is_known() && row.is_looked_at() {
        row.reason = Known::unknown(NO_STACK);
    }
}

/// What rows of the table of stalls are told apart by: process, call, reason, device.
type Key = (u32, Option<String>, Because, Option<u32>);

/// What is known of a wait's reason.
#[derive(PartialEq, Eq, Hash)]
enum Because {
    Known(Reason),
    NoStack,
    /// Which bound was reached.
    NotLookedAt(&'static str),
}

impl Because {
    fn of(stack: &[String]) -> Self {
        Reason::of(stack).map_or(Self::NoStack, Self::Known)
    }

    fn words(&self) -> Known<String> {
        match self {
            Self::Known(reason) => reason.to_string().into(),
            Self::NoStack => Known::unknown(TOO_SHORT),
            Self::NotLookedAt(bound) => Known::Not(Why::NotLookedAt((*bound).into())),
        }
    }
}

/// A frame of the way into an interrupt: what runs below it has nothing to do with what runs above.
fn is_interrupt(frame: &str) -> bool {
    INTERRUPTS.iter().any(|start| frame.starts_with(start))
}

const INTERRUPTS: [&str; 15] = [
    "asm_sysvec_",
    "sysvec_",
    "asm_common_interrupt",
    "common_interrupt",
    "irq_exit",
    "__irq_exit",
    "do_softirq",
    "__do_softirq",
    "handle_softirqs",
    "el1_interrupt",
    "el0_interrupt",
    "el1h_64_irq",
    "do_IRQ",
    "ret_from_intr",
    "asm_call_irq",
];
