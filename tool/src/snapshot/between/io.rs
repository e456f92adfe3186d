//! The `io` probe's part: devices, stalls, causes, and who is to blame.

use std::{cmp::Reverse, collections::HashMap, time::Duration};

use stillwatch_common::{
    hist,
    io::{self as wire, NO_CALL, NO_ROW, OwnerId, PARTS, Part, UNKNOWN_NS, Unknown, Waits, tgid_of},
};

use crate::{
    cli::plan,
    reasons::Reason,
    sample::{self, BlockDevice, Sample},
    snapshot::{
        Latency, Who,
        io::{Blame, Cause, Device, How, Io, Op, Request, Stalled},
    },
    syscall_names,
};

/// What a whole interval says, from what two samples say.
pub fn io(prev: &Sample, next: &Sample, plan: &plan::Io) -> Option<Io> {
    let (before, after) = (prev.io.as_ref()?, next.io.as_ref()?);
    let context = Context { before, after, plan, now_ns: next.clock.as_nanos() as u64 };
    let caused_by = context.causes();
    let stalled = context.stalled(prev.clock);
    let blame = plan.blame.then(|| context.blame(&stalled, &caused_by));
    let who = !plan.devices_only;
    Some(Io {
        devices: context.devices(),
        stalled: who.then(|| stalled.into_iter().map(|stall| stall.row).collect()),
        caused_by: who.then(|| caused_by.into_iter().map(|cause| cause.row).collect()),
        blame,
        slow: after.slow.iter().filter_map(|slow| context.slow(slow, next)).collect(),
    })
}

struct Context<'a> {
    before: &'a sample::Io,
    after: &'a sample::Io,
    plan: &'a plan::Io,
    now_ns: u64,
}

/// A row, with the numbers that rows are joined by.
struct Stall {
    row: Stalled,
    dev: Option<u32>,
    /// The whole disk.
    disk: Option<u32>,
    /// Time of this interval.
    blamable_ns: u64,
}

struct Caused {
    row: Cause,
    disk: u32,
}

impl Context<'_> {
    fn device(&self, dev: u32) -> BlockDevice {
        let unknown = || BlockDevice { name: format!("{}:{}", dev >> 20, dev & 0xf_ffff), alias: None, disk: dev };
        self.after.devices.get(&dev).cloned().unwrap_or_else(unknown)
    }

    /// `-d` names a disk with its partitions, or a partition.
    fn shown(&self, device: &BlockDevice) -> bool {
        let named = |name: &str| self.plan.only.iter().any(|only| only == name);
        self.plan.only.is_empty() || named(&device.name) || named(&self.device(device.disk).name)
    }

    fn devices(&self) -> Vec<Device> {
        let mut histograms = self.histograms();
        let mut devices: Vec<Device> =
            (0..self.after.rows.len()).filter_map(|at| self.row(at, &mut histograms)).collect();
        for &(disk, counts) in &self.after.unseen {
            for (op, count) in [Op::Read, Op::Write].into_iter().zip(counts).filter(|&(_, count)| count > 0) {
                self.add_unseen(&mut devices, &self.device(disk), op, count);
            }
        }
        devices.sort_by(|a, b| {
            (Reverse(a.total.total_ns), Reverse(a.in_flight), &a.device, a.op).cmp(&(
                Reverse(b.total.total_ns),
                Reverse(b.in_flight),
                &b.device,
                b.op,
            ))
        });
        devices
    }

    fn add_unseen(&self, devices: &mut Vec<Device>, disk: &BlockDevice, op: Op, count: u64) {
        if !self.shown(disk) {
            return;
        }
        let at = devices.iter().position(|row| row.device == disk.name && row.op == op).unwrap_or_else(|| {
            devices.push(Device::idle(disk.name.clone(), disk.alias.clone(), op));
            devices.len() - 1
        });
        let row = &mut devices[at];
        row.in_flight = Some(row.in_flight.unwrap_or(0) + count);
        (row.before_start, row.oldest_ns) = (count, None);
    }

    /// `None` when nothing happened and nothing is in flight.
    fn row(&self, at: usize, histograms: &mut HashMap<u16, Vec<(u32, u64)>>) -> Option<Device> {
        let &(key, after) = self.after.rows.get(at).filter(|&&(key, _)| key != 0 && at != NO_ROW as usize)?;
        let before =
            self.before.rows.get(at).filter(|(earlier, _)| *earlier == key).map(|&(_, row)| row).unwrap_or_default();
        let device = self.device((key >> 8) as u32);
        if !self.shown(&device) {
            return None;
        }
        let ages = self.after.requests.as_ref().map(|requests| {
            let of_row = requests.iter().filter(|request| request.row as usize == at);
            of_row.map(|request| self.now_ns.saturating_sub(request.queued_ns)).collect::<Vec<_>>()
        });
        let ios = after.ios - before.ios;
        if ios == 0 && after.bytes == before.bytes && ages.as_ref().is_none_or(Vec::is_empty) {
            return None;
        }
        let mut latency = |part: Part| {
            let buckets = histograms.remove(&((at * PARTS + part as usize) as u16)).unwrap_or_default();
            let part = part as usize;
            Latency::new(buckets, after.total_ns[part] - before.total_ns[part], after.max_ns[part])
        };
        Some(Device {
            device: device.name,
            alias: device.alias,
            op: Op::of((key & 0xff) as u32),
            ios,
            bytes: after.bytes - before.bytes,
            errors: after.errors - before.errors,
            untimed: after.untimed - before.untimed,
            queue: latency(Part::Queue),
            service: latency(Part::Service),
            total: latency(Part::Total),
            in_flight: ages.as_ref().map(|ages| ages.len() as u64),
            oldest_ns: ages.and_then(|ages| ages.into_iter().max()),
            before_start: 0,
        })
    }

    /// (bucket, count) of the interval by distribution, ascending.
    fn histograms(&self) -> HashMap<u16, Vec<(u32, u64)>> {
        let mut distributions: HashMap<u16, Vec<(u32, u64)>> = HashMap::new();
        for (at, cell) in self.after.cells.iter().enumerate() {
            let Some((distribution, octave)) = cell.of else { continue };
            let before = self.before.cells.get(at).map_or([0; hist::ROW], |cell| cell.counts);
            for (sub, (&count, before)) in cell.counts.iter().zip(before).enumerate() {
                let count = count.wrapping_sub(before);
                if count > 0 {
                    let bucket = u32::from(octave) * hist::ROW as u32 + sub as u32;
                    distributions.entry(distribution).or_default().push((bucket, count.into()));
                }
            }
        }
        distributions.values_mut().for_each(|buckets| buckets.sort_unstable());
        distributions
    }

    fn causes(&self) -> Vec<Caused> {
        let mut causes: Vec<Caused> = self
            .after
            .causes
            .iter()
            .filter_map(|(key, after)| {
                // A count that fell is one that began anew, after room was made.
                let before =
                    self.before.causes.get(key).filter(|before| before.ios <= after.ios).copied().unwrap_or_default();
                let ios = after.ios - before.ios;
                let device = self.device(key.dev);
                let disk = device.disk;
                let (who, how) = self.owner(key.owner, key.how);
                let service_ns = after.service_ns.saturating_sub(before.service_ns);
                let bytes = after.bytes.saturating_sub(before.bytes);
                (ios > 0).then_some(Caused {
                    row: Cause { who, device: device.name, how, bytes, ios, service_ns, share: 0.0 },
                    disk,
                })
            })
            .collect();
        let mut sums: HashMap<u32, u64> = HashMap::new();
        for cause in &causes {
            *sums.entry(cause.disk).or_default() += cause.row.service_ns;
        }
        for cause in &mut causes {
            let sum = sums.get(&cause.disk).copied().unwrap_or(0).max(1);
            cause.row.share = cause.row.service_ns as f64 / sum as f64;
        }
        let shown =
            |cause: &Caused| self.shown(&BlockDevice { name: cause.row.device.clone(), alias: None, disk: cause.disk });
        causes.retain(shown);
        causes.sort_by_key(|cause| Reverse((cause.row.service_ns, cause.row.bytes)));
        causes
    }

    fn owner(&self, owner: OwnerId, how: u32) -> (Who, How) {
        if let Some(unknown) = unknown(owner) {
            return (Who { unknown: Some(unknown), ..Who::default() }, How::of(how));
        }
        match self.after.owners.get(&owner) {
            Some(known) => {
                let who = Who::recorded(tgid_of(owner), &known.comm, known.cgroup);
                (Who { started: Some(owner as u32), kernel_thread: known.kernel_thread != 0, ..who }, How::of(how))
            }
            None => (Who { started: Some(owner as u32), ..Who::living(tgid_of(owner)) }, How::of(how)),
        }
    }

    fn stalled(&self, since: Duration) -> Vec<Stall> {
        let mut rows: HashMap<Key, Stall> = HashMap::new();
        for (key, after) in &self.after.stalls {
            let before = self.before.stalls.get(key).filter(|before| before.waits <= after.waits);
            let (waits, total_ns) =
                (after.waits - before.map_or(0, |it| it.waits), after.total_ns - before.map_or(0, |it| it.total_ns));
            if waits == 0 {
                continue;
            }
            let max_ns = match before {
                Some(before) if after.max_ns == before.max_ns => after.max_ns.min(total_ns),
                _ => after.max_ns,
            };
            let stack = self.after.stacks.get(&key.stack).map(|stack| stack.to_vec()).unwrap_or_default();
            let (dev, woken_by) = self.ended_by(key, after);
            let syscall = (key.nr != NO_CALL).then(|| syscall_names::label(key.nr).into_owned());
            let who =
                Who { kernel_thread: key.kernel_thread != 0, ..Who::recorded(key.tgid, &after.comm, after.cgroup) };
            let key = key_of(key.tgid, &syscall, &stack, dev);
            let stall = rows.entry(key).or_insert_with(|| self.new_stall(who, syscall, stack, dev));
            stall.row.waits += waits;
            stall.row.total_ns += total_ns;
            stall.row.max_ns = stall.row.max_ns.max(max_ns);
            stall.row.woken_by = stall.row.woken_by.take().or(woken_by);
            stall.blamable_ns += total_ns;
        }
        for task in &self.after.waiting {
            let key = key_of(task.tgid, &task.syscall, &task.stack, task.dev);
            let comm = Some(task.comm.clone());
            let who = Who { comm, kernel_thread: task.kernel_thread, ..Who::living(task.tgid) };
            let stall = rows
                .entry(key)
                .or_insert_with(|| self.new_stall(who, task.syscall.clone(), task.stack.clone(), task.dev));
            stall.row.now += 1;
            let age_ns = task.since_ns.map(|since_ns| self.now_ns.saturating_sub(since_ns));
            stall.row.before_start |= task.since_ns.is_none();
            stall.row.now_ns = stall.row.now_ns.max(age_ns).filter(|_| !stall.row.before_start);
            // Of a wait that goes on, the part that lies in this interval.
            let interval_ns = self.now_ns.saturating_sub(since.as_nanos() as u64);
            stall.blamable_ns += age_ns.unwrap_or(u64::MAX).min(interval_ns);
        }
        // A wait for what is not known may be one for the device asked for.
        let elsewhere = |stall: &Stall| stall.dev.is_some_and(|dev| !self.shown(&self.device(dev)));
        let mut rows: Vec<Stall> = rows.into_values().filter(|stall| !elsewhere(stall)).collect();
        let weight = |stall: &Stall| (stall.row.total_ns + stall.blamable_ns, stall.row.waits);
        rows.sort_by(|a, b| weight(b).cmp(&weight(a)).then_with(|| a.row.who.pid.cmp(&b.row.who.pid)));
        rows
    }

    fn new_stall(&self, who: Who, syscall: Option<String>, stack: Vec<String>, dev: Option<u32>) -> Stall {
        let device = dev.map(|dev| self.device(dev));
        let row = Stalled {
            kernel_thread: who.kernel_thread,
            who,
            waits: 0,
            total_ns: 0,
            max_ns: 0,
            now: 0,
            now_ns: None,
            before_start: false,
            reason: Reason::of(&stack).map(|reason| reason.to_string()),
            syscall,
            device: device.as_ref().map(|device| device.name.clone()),
            woken_by: None,
            stack,
        };
        Stall { row, dev, disk: device.map(|device| device.disk), blamable_ns: 0 }
    }

    /// The device that was waited for, and who ended the wait: the task that ran, unless it was interrupted for it.
    fn ended_by(&self, key: &wire::Stall, waits: &Waits) -> (Option<u32>, Option<String>) {
        let dev = (key.dev != 0).then_some(key.dev);
        let Some(stack) = self.after.stacks.get(&waits.waker_stack) else { return (dev, None) };
        if waits.waker_tid == 0 || stack.iter().any(|frame| is_interrupt(frame)) {
            return (dev, None);
        }
        let end = waits.waker_comm.iter().position(|&byte| byte == 0).unwrap_or(waits.waker_comm.len());
        let comm = String::from_utf8_lossy(&waits.waker_comm[..end]);
        let by_kernel_thread = waits.waker_kernel_thread != 0;
        let woken_by = if by_kernel_thread { comm.into_owned() } else { format!("{comm} {}", waits.waker_tgid) };
        // A kernel thread that waits for a device itself is a link of the chain.
        let link = (by_kernel_thread && waits.waker_dev != 0).then_some(waits.waker_dev);
        (dev.or(link), Some(woken_by))
    }

    fn blame(&self, stalled: &[Stall], causes: &[Caused]) -> Vec<Blame> {
        let mut waits: HashMap<(u32, u32), (u64, &Who)> = HashMap::new();
        for stall in stalled.iter().filter(|stall| !stall.row.kernel_thread) {
            if let (Some(disk), Some(pid)) = (stall.disk, stall.row.who.pid) {
                waits.entry((pid, disk)).or_insert((0, &stall.row.who)).0 += stall.blamable_ns;
            }
        }
        let mut blame = Vec::new();
        for ((_, disk), (wait_ns, victim)) in waits {
            for cause in causes.iter().filter(|cause| cause.disk == disk) {
                blame.push(Blame {
                    victim: victim.clone(),
                    device: self.device(disk).name,
                    wait_ns,
                    culprit: cause.row.who.clone(),
                    how: cause.row.how,
                    blamed_ns: (wait_ns as f64 * cause.row.share) as u64,
                });
            }
        }
        blame.retain(|blame| blame.blamed_ns > 0);
        blame.sort_by(|a, b| {
            let order = |blame: &Blame| (Reverse(blame.wait_ns), blame.victim.pid, Reverse(blame.blamed_ns));
            order(a).cmp(&order(b))
        });
        blame
    }

    fn slow(&self, slow: &wire::Slow, next: &Sample) -> Option<Request> {
        let device = self.device(slow.dev);
        if !self.shown(&device) {
            return None;
        }
        let ago = Duration::from_nanos(self.now_ns.saturating_sub(slow.done_ns));
        let (who, how) = self.owner(slow.owner, slow.how);
        let known = |ns: u64| (ns != UNKNOWN_NS).then_some(ns);
        Some(Request {
            at: next.at.checked_sub(ago).unwrap_or(next.at),
            device: device.name,
            op: Op::of(slow.op),
            sector: slow.sector,
            bytes: slow.bytes,
            failed: slow.failed != 0,
            queue_ns: known(slow.queue_ns),
            service_ns: known(slow.service_ns),
            total_ns: slow.total_ns,
            who,
            how,
        })
    }
}

/// What rows of the table of stalls are told apart by: process, call, reason, device.
type Key = (u32, Option<String>, Option<Reason>, Option<u32>);

fn key_of(tgid: u32, syscall: &Option<String>, stack: &[String], dev: Option<u32>) -> Key {
    (tgid, syscall.clone(), Reason::of(stack), dev)
}

/// A frame of the way into an interrupt: what runs below it has nothing to do with what runs above.
fn is_interrupt(frame: &str) -> bool {
    [
        "asm_sysvec_",
        "sysvec_",
        "asm_common_interrupt",
        "common_interrupt",
        "irq_exit",
        "__irq_exit",
        "do_softirq",
        "__do_softirq",
    ]
    .iter()
    .chain(&[
        "handle_softirqs",
        "el1_interrupt",
        "el0_interrupt",
        "el1h_64_irq",
        "do_IRQ",
        "ret_from_intr",
        "asm_call_irq",
    ])
    .any(|start| frame.starts_with(start))
}

fn unknown(owner: OwnerId) -> Option<&'static str> {
    (tgid_of(owner) == 0).then_some(match owner {
        id if id == Unknown::DirtiedBefore as u64 => "pages dirtied before we started",
        id if id == Unknown::IssuedBefore as u64 => "begun before we started, or not seen",
        id if id == Unknown::SharedFlush as u64 => "a flush that several asked for",
        id if id == Unknown::Lost as u64 => "our table was full",
        id if id == Unknown::Swapped as u64 => "memory swapped out, of one process or another",
        _ => "the idle task",
    })
}
