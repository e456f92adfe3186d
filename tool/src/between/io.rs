//! The `io` probe's part: devices, stalls, causes, and who is to blame.

mod devices;
mod stalls;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use stillwatch_common::io::{self as wire, OwnerId, UNKNOWN_NS, Unknown, tgid_of};

use super::Span;
use crate::{
    cli::plan,
    sample::{self, BlockDevice, Moment},
    snapshot::{
        Who,
        io::{Begun, Cause, DEVICES_ONLY, How, Io, LEFT_OUT, NO_QUEUE, NOT_TIMED, Op, Request},
    },
    table::{Bounded, Known},
};

/// What a whole interval says, from what two samples say.
pub fn between(before: &sample::Io, after: &sample::Io, span: &Span, plan: &plan::Io) -> Io {
    let context = Context { before, after, plan, now: span.to };
    let caused_by = context.causes();
    let stalled = context.stalled(span);
    let mut io = Io { devices: context.devices(), begun: context.begun(span), below: context.below(), ..Io::default() };
    let (waits, causes) = (stalled.iter().map(|stall| &stall.row), || caused_by.iter().map(|cause| &cause.row));
    io.blame = plan.blame.then(|| io.blamed(waits, causes).into());
    io.devices.retain(|row| context.is_asked_for(&row.device, &row.disk));
    let caused_by = caused_by.into_iter().map(|cause| cause.row);
    io.caused_by = known(plan, caused_by.filter(|row| context.is_asked_for(&row.device, &row.disk)));
    io.stalled = known(plan, stalled.into_iter().map(|stall| stall.row));
    if after.no_stalls {
        io.stalled = Known::not_measured(LEFT_OUT);
    }
    io.slow = after.slow.iter().filter_map(|slow| context.slow(slow)).collect();
    io
}

/// Only devices are measured where nothing else is asked for.
fn known<T>(plan: &plan::Io, rows: impl Iterator<Item = T>) -> Known<Bounded<T>> {
    if plan.devices_only { Known::not_measured(DEVICES_ONLY) } else { Known::Value(rows.collect()) }
}

struct Context<'a> {
    before: &'a sample::Io,
    after: &'a sample::Io,
    plan: &'a plan::Io,
    now: Moment,
}

/// A row, with the number that rows are joined by.
struct Caused {
    row: Cause,
    disk: u32,
    service_ns: u64,
}

impl Context<'_> {
    fn device(&self, dev: u32) -> BlockDevice {
        let unknown =
            || BlockDevice { name: format!("{}:{}", dev >> 20, dev & 0xf_ffff), disk: dev, ..BlockDevice::default() };
        self.after.devices.get(&dev).cloned().unwrap_or_else(unknown)
    }

    fn below(&self) -> BTreeMap<String, Vec<String>> {
        let disks = self.after.devices.iter().filter(|(dev, device)| device.disk == **dev && !device.below.is_empty());
        let name = |&dev: &u32| self.device(self.device(dev).disk).name;
        disks.map(|(_, disk)| (disk.name.clone(), disk.below.iter().map(name).collect())).collect()
    }

    /// `-d` names a disk with its partitions, or a partition.
    fn is_asked_for(&self, device: &str, disk: &str) -> bool {
        self.plan.only.is_empty() || self.plan.only.iter().any(|only| only == device || only == disk)
    }

    fn shown(&self, device: &BlockDevice) -> bool {
        self.is_asked_for(&device.name, &self.device(device.disk).name)
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
                    row: Cause {
                        who,
                        disk: self.device(disk).name,
                        device: device.name,
                        how,
                        bytes,
                        ios,
                        service_ns: Known::unknown(NOT_TIMED),
                        share: Known::unknown(NOT_TIMED),
                    },
                    disk,
                    service_ns,
                })
            })
            .collect();
        let mut sums: HashMap<u32, u64> = HashMap::new();
        for cause in &causes {
            *sums.entry(cause.disk).or_default() += cause.service_ns;
        }
        // Requests without any time were not measured (a device without a request queue), which is not a share of zero.
        for cause in causes.iter_mut().filter(|cause| cause.service_ns > 0) {
            let sum = sums.get(&cause.disk).copied().unwrap_or(0).max(1);
            cause.row.service_ns = cause.service_ns.into();
            cause.row.share = (cause.service_ns as f64 / sum as f64).into();
        }
        causes.sort_by_key(|cause| Reverse((cause.service_ns, cause.row.bytes)));
        causes
    }

    fn begun(&self, span: &Span) -> Vec<Begun> {
        let is_own =
            |share: &&wire::Share| matches!(How::of(share.how), How::Direct | How::Read) && tgid_of(share.owner) != 0;
        let mut sums: BTreeMap<(u32, OwnerId), u64> = BTreeMap::new();
        for request in self.after.requests.iter().flatten() {
            if let Some(share) = request.shares.iter().find(is_own) {
                let time_ns = self.now.ns().saturating_sub(request.queued_ns).min(span.ns());
                *sums.entry((self.device(request.dev).disk, share.owner)).or_default() += time_ns;
            }
        }
        let row = |((disk, owner), time_ns)| {
            let (who, _) = self.owner(owner, How::Direct as u32);
            Begun { who, disk: self.device(disk).name, time_ns }
        };
        sums.into_iter().map(row).collect()
    }

    fn owner(&self, owner: OwnerId, how: u32) -> (Who, How) {
        if let Some(unknown) = unknown(owner) {
            return (Who { unknown: Some(unknown.into()), ..Who::default() }, How::of(how));
        }
        match self.after.owners.get(&owner) {
            Some(known) => {
                let who = Who::owner(owner, &known.comm, known.cgroup);
                let kernel_thread = known.kernel_thread != 0;
                // Of a thread of the kernel the number tells apart whom it works for, not when it started.
                let started = who.started.filter(|_| !kernel_thread);
                (Who { kernel_thread, started, ..who }, How::of(how))
            }
            None => (Who { started: Some(owner as u32), ..Who::living(tgid_of(owner)) }, How::of(how)),
        }
    }

    fn slow(&self, slow: &wire::Slow) -> Option<Request> {
        let device = self.device(slow.dev);
        if !self.shown(&device) {
            return None;
        }
        let (who, how) = self.owner(slow.owner, slow.how);
        let known = |ns: u64| if ns == UNKNOWN_NS { Known::unavailable(NO_QUEUE) } else { ns.into() };
        Some(Request {
            at: self.now.wall_at(slow.done_ns.min(self.now.ns())),
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

fn unknown(owner: OwnerId) -> Option<&'static str> {
    (tgid_of(owner) == 0).then_some(match owner {
        id if id == Unknown::DirtiedBefore as u64 => "pages dirtied before we started",
        id if id == Unknown::IssuedBefore as u64 => "begun before we started, or not seen",
        id if id == Unknown::SharedFlush as u64 => "a flush that several asked for",
        id if id == Unknown::Swapped as u64 => "memory swapped out, of one process or another",
        id if id == Unknown::NotNoted as u64 => "not noted: too many files or writers",
        _ => "the idle task",
    })
}

#[cfg(test)]
mod tests;
