//! The `io` probe's part of a snapshot.

use jiff::Timestamp;
pub use stillwatch_common::io::{How, Op};

use super::{Latency, Who};

/// Block I/O of one interval.
#[derive(Clone, Debug, Default)]
pub struct Io {
    /// One row per device (or partition) and operation, the largest total time first.
    pub devices: Vec<Device>,
    /// Who waited in uninterruptible sleep, the longest total first. `None`: not measured (`--devices`).
    pub stalled: Option<Vec<Stalled>>,
    /// Whose requests the devices worked on, the largest service time first. `None`: not measured.
    pub caused_by: Option<Vec<Cause>>,
    /// Each stalled process's wait, split over the owners that held the device; where asked for.
    pub blame: Option<Vec<Blame>>,
    /// Single requests over the threshold, in order of completion; where asked for.
    pub slow: Vec<Request>,
}

/// One operation on one device.
#[derive(Clone, Debug)]
pub struct Device {
    /// Kernel name of the device or partition (`sda1`), or `8:1` if it is gone.
    pub device: String,
    /// Of the whole disk.
    pub disk: String,
    /// The name people gave it, where there is one (`vg0-root` for `dm-0`).
    pub alias: Option<String>,
    pub op: Op,
    /// Requests that were completed (bios, for a device without a request queue).
    pub ios: u64,
    pub bytes: u64,
    /// Of `ios`: those that failed.
    pub errors: u64,
    /// Of `ios`: those without a latency, because the kernel keeps no times for this queue (`iostats` is off) or a loss.
    pub untimed: u64,
    /// From the request's making to its handing over to the driver. Empty where the device has no request queue.
    pub queue: Latency,
    /// From there to its completion. Empty where the device has no request queue.
    pub service: Latency,
    pub total: Latency,
    /// Requests that are not completed. `None`: not measured.
    pub in_flight: Option<u64>,
    /// Age of the oldest of them; `None`: there is none, or it is one of [`Device::before_start`].
    pub oldest_ns: Option<u64>,
    /// Of `in_flight`: those that were with the device before we started.
    pub before_start: u64,
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
            queue: Latency::default(),
            service: Latency::default(),
            total: Latency::default(),
            in_flight: None,
            oldest_ns: None,
            before_start: 0,
        }
    }
}

/// A process in uninterruptible sleep, waiting for one thing.
#[derive(Clone, Debug)]
pub struct Stalled {
    pub who: Who,
    /// A kernel thread: often a link of a chain, rarely a victim.
    pub kernel_thread: bool,
    /// Waits that ended in this interval.
    pub waits: u64,
    /// Time of those waits, whole; 0 while none has ended.
    pub total_ns: u64,
    /// The longest of them.
    pub max_ns: u64,
    /// Threads that still wait.
    pub now: u64,
    /// How long the oldest of them has been waiting; `None` if none waits, or if since before we started.
    pub now_ns: Option<u64>,
    /// One of them waits since before we started.
    pub before_start: bool,
    /// In words; `None` where the wait was too short for a stack to be taken, or none could be read.
    pub reason: Option<String>,
    /// The call it waits in; `None` outside of calls (a page fault) and where not known.
    pub syscall: Option<String>,
    /// The device whose request ended the wait, or that the task (or the kernel thread that it waits for) last used.
    pub device: Option<String>,
    /// The whole disk that it is a part of.
    pub disk: Option<String>,
    /// The kernel thread or process that ended the wait, where it was one.
    pub woken_by: Option<String>,
    /// Kernel functions, innermost first.
    pub stack: Vec<String>,
}

/// An owner's part of one device's work.
#[derive(Clone, Debug)]
pub struct Cause {
    /// Why it is not known, in `who.unknown`.
    pub who: Who,
    pub device: String,
    pub disk: String,
    pub how: How,
    pub bytes: u64,
    pub ios: u64,
    pub service_ns: u64,
    /// Part of the whole disk's service time in this interval, 0 to 1.
    pub share: f64,
}

/// A part of a victim's wait.
#[derive(Clone, Debug)]
pub struct Blame {
    pub victim: Who,
    pub device: String,
    /// What the victim waited for this device, all owners together.
    pub wait_ns: u64,
    pub culprit: Who,
    pub how: How,
    /// This owner's part of `wait_ns`.
    pub blamed_ns: u64,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// When it was completed.
    pub at: Timestamp,
    pub device: String,
    pub op: Op,
    /// In units of 512 bytes, from the start of the whole disk.
    pub sector: u64,
    pub bytes: u64,
    pub failed: bool,
    /// `None`: not known for this device.
    pub queue_ns: Option<u64>,
    pub service_ns: Option<u64>,
    pub total_ns: u64,
    /// The owner of most of it.
    pub who: Who,
    pub how: How,
}
