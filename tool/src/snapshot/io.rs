//! The `io` probe's part of a snapshot.

use std::{cmp::Reverse, collections::BTreeMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
pub use stillwatch_common::io::{How, Op};

use super::{
    Latency, Who,
    who::{FileServer, about},
};
use crate::table::{Bounded, Known, Why, named, placed, table};
pub use disks::WholeDisk;

mod blame;
mod disks;

named!(Op, How);

/// Reasons why something is not known.
pub const NO_REQUEST: &str = "no request was completed";
pub const NO_QUEUE: &str = "the device has no request queue";
pub const NOT_TIMED: &str = "no request has a latency";
/// The flag without which nothing is known but of devices.
pub const DEVICES_ONLY: &str = "--devices";
pub const LEFT_OUT: &str = "left out to keep the budget";
pub const AGE_UNKNOWN: &str = "its start was not seen";
pub const BEFORE_START: &str = "since before start";
pub const TOO_SHORT: &str = "too short for a stack: see stall_over_ns";
pub const NO_STACK: &str = "no stack could be read";
pub const NOT_LOOKED_AT: &str = "more than 64 waits at once";
pub const NO_CALL: &str = "not in a call, or not known";
/// The part of a wait in which the device had nothing to do for anybody.
pub const HELD_BACK: &str = "held back before the device";
pub const NO_DEVICE: &str = "none was seen";

/// Block I/O of one interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Io {
    /// One row per device (or partition) and operation, the largest total time first.
    pub devices: Vec<Device>,
    /// Who waited in uninterruptible sleep, the longest total first.
    pub stalled: Known<Bounded<Stalled>>,
    /// Whose requests the devices worked on, the largest service time first.
    pub caused_by: Known<Bounded<Cause>>,
    /// Each stalled process's wait, split over the owners that held the device; where asked for.
    pub blame: Option<Bounded<Blame>>,
    /// Who has requests with a disk at the end of the interval.
    pub begun: Vec<Begun>,
    /// Disks that lie on others (loop, dm, md), with the names of these.
    pub below: BTreeMap<String, Vec<String>>,
    /// Single requests over the threshold, in order of completion; where asked for.
    pub slow: Vec<Request>,
}

/// Requests that a process has made for itself and that are not completed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    pub who: Who,
    pub disk: String,
    /// Their time in this interval, all of them together.
    pub time_ns: u64,
}

impl Default for Io {
    /// Nothing happened, and nothing but devices is measured.
    fn default() -> Self {
        let (stalled, caused_by) = (Known::not_measured(DEVICES_ONLY), Known::not_measured(DEVICES_ONLY));
        Self {
            devices: Vec::new(),
            stalled,
            caused_by,
            blame: None,
            begun: Vec::new(),
            below: BTreeMap::new(),
            slow: Vec::new(),
        }
    }
}

table! {
    /// One operation on one device.
    pub struct Device in "io.devices" {
        /// Kernel name of the device or partition (`sda1`), or `8:1` if it is gone.
        device: String = label(), text [own("DEVICE", "device").least(6)];
        /// Of the whole disk.
        disk: String = info().hidden();
        /// The name people gave it, where there is one (`vg0-root` for `dm-0`).
        alias: Option<String> = info().optional();
        /// What was asked of the device.
        op: Op = label(), text [words("OP").least(10)];
        /// Requests that were completed (bios, for a device without a request queue).
        ios: u64 = counter("requests").source("block_rq_complete"), text [rate("IO/s").least(5)];
        /// What these read or wrote.
        bytes: u64 = counter("bytes").source("block_rq_complete"), text [mebibytes_rate("MiB/s").close().least(5)];
        /// Of `ios`: those that failed.
        errors: u64 = counter("requests").source("block_rq_complete"),
            text [rate("ERR/s").least(5).unless_zero().after("service")];
        /// Of `ios`: those without a latency, because the kernel keeps no times for this queue (`iostats` is off) or a loss.
        untimed: u64 = counter("requests");
        /// From the request's making to its handing over to the driver.
        queue: Known<Latency> = histogram().source("block_rq_issue"), text [q99("QUEUE p99").narrow("Q p99").least(5)];
        /// From there to its completion. Without a request queue all of the time is in the device.
        service: Known<Latency> = histogram().source("block_rq_complete"), text [
            q50("DEVICE p50").narrow("p50").least(5).or("total"),
            q99("p99").close().least(5).or("total"),
            q999("p99.9").close().least(5).or("total").roomy(),
            longest("MAX").close().least(5).or("total"),
            spark(Room::Roomy).or("total").wide().after("oldest_ns"),
        ];
        /// From the request's making to its completion.
        total: Known<Latency> = histogram().source("block_rq_complete");
        /// Requests that are not completed.
        in_flight: Known<u64> = gauge("requests").now(), text [count("IN FLIGHT").narrow("DEPTH").least(5).unless_unknown()];
        /// Age of the oldest of them.
        oldest_ns: Known<Option<u64>> = gauge("ns").max().now().as_of("in_flight"),
            text [own("OLDEST", "oldest").close().least(6).with("in_flight")];
        /// Of `in_flight`: those that were with the device before we started.
        before_start: u64 = gauge("requests").now().sparse();
    }

    /// A process in uninterruptible sleep, waiting for one thing.
    pub struct Stalled in "io.stalled" {
        /// Who waits.
        who: Who = label().columns(Who::COLUMNS).flat(), text [comm("STALLED"), pid("PID"), cgroup("CGROUP")];
        /// A kernel thread: often a link of a chain, rarely a victim.
        kernel_thread: bool = flag();
        /// Waits that ended in this interval.
        waits: u64 = counter("waits").source("sched_switch"), text [count("WAITS").least(5)];
        /// Time of those waits, whole; 0 while none has ended.
        total_ns: u64 = counter("ns").source("sched_switch"), text [duration("TOTAL").close().least(5)];
        /// Time of this interval in its waits, whether they have ended or not.
        lost_ns: u64 = counter("ns").hidden();
        /// The longest of them; not known while one goes on that is longer than all that were measured.
        max_ns: Known<u64> = gauge("ns").max().source("sched_switch"), text [duration("MAX").close().least(5)];
        /// The longest of those that ended, whatever goes on.
        ended_max_ns: u64 = gauge("ns").max().hidden();
        /// Threads that still wait.
        now: u64 = gauge("threads").now(), text [own("NOW", "now").right().least(5)];
        /// How long the oldest of them has been waiting.
        now_ns: Known<Option<u64>> = gauge("ns").max().now();
        /// In words; not known where the wait was too short for a stack to be taken, or none could be read.
        reason: Known<String> = label(), text [own("WAITING FOR", "waiting_for")];
        /// The call it waits in; not known outside of calls (a page fault).
        syscall: Known<String> = label();
        /// The device whose request ended the wait, or that the task (or the kernel thread that it waits for) last used.
        device: Known<String> = label();
        /// The whole disk that it is a part of; none where the device is not known.
        disk: Option<String> = info().hidden();
        /// What its cgroup may use of that disk, if that is limited and the wait was long.
        io_limit: Option<String> = info().hidden();
        /// The file system whose server it waits for, if that is known.
        server: Option<FileServer> = info().hidden();
        /// The kernel thread or process that ended the wait; none where no thread did, as an interrupt does.
        woken_by: Option<String> = info();
        /// Kernel functions, innermost first.
        stack: Vec<String> = info();
    }

    /// An owner's part of one device's work.
    pub struct Cause in "io.caused_by" {
        /// Whose requests they are; why that is not known, in its `unknown`.
        who: Who = label().columns(Who::COLUMNS).flat(),
            text [own("CAUSED BY", "owner").least(15), pid("PID"), cgroup("CGROUP")];
        /// Kernel name of the device or partition.
        device: String = label(), text [words("DEVICE").least(6)];
        /// Of the whole disk.
        disk: String = info().hidden();
        /// What these requests read or wrote.
        bytes: u64 = counter("bytes").source("block_rq_complete"), text [mebibytes_rate("MiB/s").least(5)];
        /// Requests that were completed.
        ios: u64 = counter("requests").source("block_rq_complete"), text [rate("IO/s").close().least(5)];
        /// Time that the device worked on them.
        service_ns: Known<u64> = counter("ns").source("block_rq_complete").as_of("share");
        /// Part of the whole disk's service time in this interval.
        share: Known<f64> = gauge("of 1").reason("service_unknown"),
            text [share("DEVICE TIME").narrow("TIME").least(4)];
        /// How the owner came to use the device.
        how: How = label(), text [own("HOW", "how")];
    }

    /// A part of a victim's wait.
    pub struct Blame in "io.blame" {
        /// Who waited.
        victim: Who = label().columns(Who::COLUMNS), text [comm("VICTIM"), pid("PID")];
        /// The device that it waited for.
        device: String = label(), text [words("DEVICE").least(6).after("wait_ns")];
        /// What the victim waited for this device, all owners together.
        wait_ns: u64 = counter("ns").shared(), text [duration("WAITED").least(6)];
        /// Who held the device meanwhile.
        culprit: Who = label().columns(Who::COLUMNS), text [own("BLAMED ON", "owner").least(15), pid("PID")];
        /// How the culprit came to use the device.
        how: How = label(), text [own("HOW", "how").wide().after("blamed_ns")];
        /// This owner's part of `wait_ns`.
        blamed_ns: u64 = counter("ns"), text [own("SHARE", "share").right().least(5)];
    }

    /// One request.
    pub struct Request in "io.slow_request" {
        /// When it was completed.
        at: Timestamp = label().hidden(), text [clock("SLOW")];
        /// Kernel name of the device or partition.
        device: String = label(), text [own("DEVICE", "device").least(6)];
        /// What was asked of the device.
        op: Op = label(), text [words("OP").least(10)];
        /// From the start of the whole disk.
        sector: u64 = gauge("512 bytes"), text [number("SECTOR").least(10).roomy()];
        /// What it read or wrote.
        bytes: u64 = gauge("bytes"), text [bytes("SIZE").least(7).wide()];
        /// The device did not do it.
        failed: bool = flag();
        /// From its making to its handing over to the driver.
        queue_ns: Known<u64> = gauge("ns").source("block_rq_issue"), text [duration("QUEUE").least(5)];
        /// From there to its completion.
        service_ns: Known<u64> = gauge("ns").source("block_rq_complete"), text [duration("DEVICE").close().least(6)];
        /// From its making to its completion.
        total_ns: u64 = gauge("ns").source("block_rq_complete"), text [duration("TOTAL").close().least(5)];
        /// The owner of most of it.
        who: Who = label().columns(Who::COLUMNS).flat(), text [own("OWNER", "owner").least(15), pid("PID")];
        /// How the owner came to use the device.
        how: How = label(), text [own("HOW", "how").wide()];
    }
}

impl Device {
    /// A device that completed nothing.
    pub fn idle(device: String, disk: String, alias: Option<String>, op: Op) -> Self {
        Self {
            device,
            disk,
            alias,
            op,
            ios: 0,
            bytes: 0,
            errors: 0,
            untimed: 0,
            queue: Known::unknown(NO_REQUEST),
            service: Known::unknown(NO_REQUEST),
            total: Known::unknown(NO_REQUEST),
            in_flight: Known::not_measured(DEVICES_ONLY),
            oldest_ns: Known::not_measured(DEVICES_ONLY),
            before_start: 0,
        }
    }

    /// With its times, and why there are none.
    pub fn timed(mut self, queue: Latency, service: Latency, total: Latency) -> Self {
        let (ios, untimed) = (self.ios, total.count == 0);
        let known = |latency: Latency| match latency.count {
            0 if ios == 0 => Known::unknown(NO_REQUEST),
            0 if untimed => Known::unknown(NOT_TIMED),
            0 => Known::unavailable(NO_QUEUE),
            _ => Known::Value(latency),
        };
        (self.queue, self.service, self.total) = (known(queue), known(service), known(total));
        self
    }

    /// Age of the oldest request in flight, where there is one and that is known.
    pub fn oldest(&self) -> Option<u64> {
        self.oldest_ns.value().copied().flatten()
    }
}

impl Stalled {
    /// One of its threads waits since before we started.
    pub fn before_start(&self) -> bool {
        !self.now_ns.is_known()
    }

    /// Not so for those beyond a bound.
    pub fn is_looked_at(&self) -> bool {
        !matches!(self.reason, Known::Not(Why::NotLookedAt(_)))
    }

    /// How long the oldest of its waits goes on, where one does and that is known.
    pub fn age_ns(&self) -> Option<u64> {
        self.now_ns.value().copied().flatten()
    }
}

about! { Stalled: who; Cause: who; Blame: victim, culprit; Request: who; }

// What took the most time first.
placed! {
    Device: row => (
        Reverse((row.total.value().map(|total| total.total_ns), row.in_flight.value().copied())),
        &row.device,
        row.op,
    );
    Stalled: row => (Reverse((row.total_ns + row.lost_ns, row.waits)), row.who.pid);
    Cause: row => Reverse((row.service_ns.value().copied(), row.bytes));
    Blame: row => (Reverse(row.wait_ns), row.victim.pid, Reverse(row.blamed_ns));
}
