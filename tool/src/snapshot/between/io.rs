//! The `io` probe's part: devices, stalls, causes, and who is to blame.

mod devices;
mod stalls;

use std::{cmp::Reverse, collections::HashMap};

use stillwatch_common::io::{self as wire, OwnerId, UNKNOWN_NS, Unknown, tgid_of};

use self::stalls::Stall;
use super::Span;
use crate::{
    cli::plan,
    sample::{self, BlockDevice, Moment},
    snapshot::{
        Who,
        io::{Blame, Cause, DEVICES_ONLY, How, Io, NO_QUEUE, NOT_TIMED, Op, Request},
    },
    table::Known,
};

/// What a whole interval says, from what two samples say.
pub fn between(before: &sample::Io, after: &sample::Io, span: &Span, plan: &plan::Io) -> Io {
    let context = Context { before, after, plan, now: span.to };
    let caused_by = context.causes();
    let stalled = context.stalled(span.from.clock);
    let blame = plan.blame.then(|| context.blame(&stalled, &caused_by));
    Io {
        devices: context.devices(),
        stalled: known(plan, stalled.into_iter().map(|stall| stall.row)),
        caused_by: known(plan, caused_by.into_iter().map(|cause| cause.row)),
        blame,
        slow: after.slow.iter().filter_map(|slow| context.slow(slow)).collect(),
    }
}

/// Only devices are measured where nothing else is asked for.
fn known<T>(plan: &plan::Io, rows: impl Iterator<Item = T>) -> Known<Vec<T>> {
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
        let unknown = || BlockDevice { name: format!("{}:{}", dev >> 20, dev & 0xf_ffff), alias: None, disk: dev };
        self.after.devices.get(&dev).cloned().unwrap_or_else(unknown)
    }

    /// `-d` names a disk with its partitions, or a partition.
    fn shown(&self, device: &BlockDevice) -> bool {
        let named = |name: &str| self.plan.only.iter().any(|only| only == name);
        self.plan.only.is_empty() || named(&device.name) || named(&self.device(device.disk).name)
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
        let shown =
            |cause: &Caused| self.shown(&BlockDevice { name: cause.row.device.clone(), alias: None, disk: cause.disk });
        causes.retain(shown);
        causes.sort_by_key(|cause| Reverse((cause.service_ns, cause.row.bytes)));
        causes
    }

    fn owner(&self, owner: OwnerId, how: u32) -> (Who, How) {
        if let Some(unknown) = unknown(owner) {
            return (Who { unknown: Some(unknown.into()), ..Who::default() }, How::of(how));
        }
        match self.after.owners.get(&owner) {
            Some(known) => {
                let who = Who::recorded(tgid_of(owner), &known.comm, known.cgroup);
                (Who { started: Some(owner as u32), kernel_thread: known.kernel_thread != 0, ..who }, How::of(how))
            }
            None => (Who { started: Some(owner as u32), ..Who::living(tgid_of(owner)) }, How::of(how)),
        }
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
                let Known::Value(share) = cause.row.share else { continue };
                blame.push(Blame {
                    victim: victim.clone(),
                    device: self.device(disk).name,
                    wait_ns,
                    culprit: cause.row.who.clone(),
                    how: cause.row.how,
                    blamed_ns: (wait_ns as f64 * share) as u64,
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
        _ => "the idle task",
    })
}

#[cfg(test)]
mod tests;
