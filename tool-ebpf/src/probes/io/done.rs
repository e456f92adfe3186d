//! The end of a request: what its device has done for whom, and how long that took.

use stillwatch_common::io::{
    Cause, How, Loss, Op, OwnerId, Program, Request, SHARES, Share, Slow, Stage, UNKNOWN_NS, Unknown, Work,
};

use super::tables::{self, CpuPtr, Done};
use crate::facts::{self, on};

/// A request (or bio) that is over.
pub struct Ended {
    pub at_ns: u64,
    /// 0: not known.
    pub queued_ns: u64,
    /// 0: not known.
    pub issued_ns: u64,
    /// Of the last part.
    pub bytes: u32,
    pub dev: u32,
    pub row: u32,
    pub op: Op,
    pub failed: bool,
}

#[inline(always)]
pub fn finish(cpu: CpuPtr, program: Program, known: Option<*mut Request>, ended: &Ended, sector: u64) {
    let &Ended { at_ns, queued_ns, issued_ns, row, .. } = ended;
    let total_ns = at_ns.wrapping_sub(queued_ns);
    let (mut queue_ns, mut service_ns) = (UNKNOWN_NS, UNKNOWN_NS);
    if queued_ns != 0 && issued_ns >= queued_ns {
        queue_ns = issued_ns.wrapping_sub(queued_ns);
        service_ns = at_ns.wrapping_sub(issued_ns);
    }
    let mut timed = queued_ns != 0 && tables::record(cpu, program, row, Stage::Total, total_ns);
    if timed && queue_ns != UNKNOWN_NS {
        timed = tables::record(cpu, program, row, Stage::Queue, queue_ns)
            && tables::record(cpu, program, row, Stage::Service, service_ns);
    }
    if queued_ns != 0 && !timed {
        tables::lose(cpu, Loss::Cells);
    }
    let untimed = u64::from(!timed);
    tables::count(row, &Done { bytes: ended.bytes.into(), ios: 1, errors: ended.failed.into(), untimed });
    if on(&facts::IO_WHO) {
        // SAFETY: this CPU's block.
        unsafe {
            (*cpu).done_ns = at_ns;
            (*cpu).done_dev = ended.dev;
            (*cpu).done_bytes = ended.bytes;
        }
        // A device without a queue serves a bio from its first moment.
        attribute(cpu, known, ended, if service_ns == UNKNOWN_NS { total_ns } else { service_ns });
    }
    if queued_ns != 0 && total_ns >= facts::IO_SLOW_NS.load() {
        let mut slow = Slow {
            done_ns: at_ns,
            queue_ns,
            service_ns,
            total_ns,
            sector,
            bytes: ended.bytes.into(),
            owner: Unknown::IssuedBefore as OwnerId,
            dev: ended.dev,
            how: How::Unknown as u32,
            op: ended.op as u32,
            failed: ended.failed.into(),
        };
        if let Some(known) = known {
            // SAFETY: a map value.
            unsafe {
                let Share { owner, how, .. } = (*known).shares[0];
                (slow.owner, slow.how, slow.bytes) = (owner, how, (*known).bytes.into());
                slow.sector = (*known).sector;
            }
        }
        tables::hand_over(cpu, slow);
    }
}

/// Adds the device's work to those it was done for.
#[inline(always)]
pub fn attribute(cpu: CpuPtr, known: Option<*mut Request>, ended: &Ended, service_ns: u64) {
    let Some(known) = known else {
        let cause = Cause { owner: Unknown::IssuedBefore as OwnerId, dev: ended.dev, how: How::Unknown as u32 };
        return tables::work(cpu, &cause, &Work { bytes: ended.bytes.into(), ios: 1, service_ns });
    };
    let mut sum = 0;
    for at in 0..SHARES {
        // SAFETY: a map value, the index is in bounds.
        sum += u64::from(unsafe { (*known).shares[at].bytes });
    }
    // SAFETY: as above.
    let (bytes, first) = unsafe { (u64::from((*known).bytes), (*known).shares[0]) };
    if sum <= first.bytes.into() {
        let cause = Cause { owner: first.owner, dev: ended.dev, how: first.how };
        return tables::work(cpu, &cause, &Work { bytes, ios: 1, service_ns });
    }
    for at in 0..SHARES {
        // SAFETY: as above.
        let share = unsafe { (*known).shares[at] };
        if share.bytes == 0 {
            break;
        }
        let cause = Cause { owner: share.owner, dev: ended.dev, how: share.how };
        let part = |of: u64| of * u64::from(share.bytes) / sum;
        tables::work(cpu, &cause, &Work { bytes: part(bytes), ios: 1, service_ns: part(service_ns) });
    }
}
