//! A process that waited.

use serde::Serialize;

use super::super::who::Who;
use crate::snapshot::io;

const BEFORE_START: &str = "since before start";
const TOO_SHORT: &str = "too short for a stack: see stall_over_ns";
const NO_STACK: &str = "no stack could be read";
const NO_CALL: &str = "not in a call, or not known";
const NO_DEVICE: &str = "none was seen";

#[derive(Serialize)]
pub struct Stalled<'a> {
    #[serde(flatten)]
    who: Who<'a>,
    kernel_thread: bool,
    waits: u64,
    total_ns: u64,
    max_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_unknown: Option<&'static str>,
    /// Threads that still wait.
    now: u64,
    /// Null, too, when none of them waits.
    now_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    now_unknown: Option<&'static str>,
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_unknown: Option<&'static str>,
    syscall: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    syscall_unknown: Option<&'static str>,
    device: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_unknown: Option<&'static str>,
    /// Null where no thread ended the wait, as an interrupt does.
    woken_by: Option<&'a str>,
    stack: &'a [String],
}

impl<'a> Stalled<'a> {
    pub fn of(row: &'a io::Stalled) -> Self {
        Self {
            who: Who::of(&row.who),
            kernel_thread: row.kernel_thread,
            waits: row.waits,
            total_ns: row.total_ns,
            // Longer than all that were measured.
            max_ns: (!row.before_start).then_some(row.max_ns),
            max_unknown: row.before_start.then_some(BEFORE_START),
            now: row.now,
            now_ns: row.now_ns,
            now_unknown: (row.now > 0 && row.now_ns.is_none()).then_some(BEFORE_START),
            reason: row.reason.as_deref(),
            reason_unknown: row.reason.is_none().then_some(if row.now > 0 { NO_STACK } else { TOO_SHORT }),
            syscall: row.syscall.as_deref(),
            syscall_unknown: row.syscall.is_none().then_some(NO_CALL),
            device: row.device.as_deref(),
            device_unknown: row.device.is_none().then_some(NO_DEVICE),
            woken_by: row.woken_by.as_deref(),
            stack: &row.stack,
        }
    }
}
