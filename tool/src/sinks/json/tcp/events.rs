//! Single events, a line each.

use serde::Serialize;

use super::{
    super::line::{Event, ns},
    Cause, Owner, name,
};
use crate::snapshot::tcp::{self as shown, Direction};

#[derive(Serialize)]
pub struct Retransmit<'a> {
    #[serde(flatten)]
    owner: Owner<'a>,
    local: String,
    remote: String,
    /// Inode of the network namespace, where it is not ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<u32>,
    state: &'static str,
    kind: &'static str,
    segments: u64,
    bytes: u64,
    retransmits: u8,
    backoff: u8,
    srtt_us: Option<u32>,
    cwnd: Option<u32>,
    ssthresh: Option<u32>,
    in_flight: Option<u32>,
    /// Errno of an attempt that failed on this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<i32>,
    /// The other side has no room for more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    zero_window: bool,
}

impl<'a> Retransmit<'a> {
    pub fn event(event: &'a shown::Retransmit) -> Event<Self> {
        let what = Self {
            owner: Owner::of(&event.owners),
            local: event.local.to_string(),
            remote: event.remote.to_string(),
            netns: event.netns,
            state: event.state,
            kind: event.kind.name(),
            segments: event.segments,
            bytes: event.bytes,
            retransmits: event.retransmits,
            backoff: event.backoff,
            srtt_us: event.srtt_us,
            cwnd: event.window.map(|window| window.cwnd),
            ssthresh: event.window.and_then(|window| window.ssthresh),
            in_flight: event.window.map(|window| window.in_flight),
            failed: event.failed,
            zero_window: event.zero_window,
        };
        Event::of("tcp", "retransmit", event.at, what)
    }
}

/// A connection that was slow to open, or failed to.
#[derive(Serialize)]
pub struct Connect<'a> {
    pid: Option<u32>,
    comm: Option<&'a str>,
    cgroup: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid_unknown: Option<&'a str>,
    local: String,
    remote: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<u32>,
    outcome: &'static str,
    /// Errno.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<i32>,
    waited_ns: Option<u64>,
}

impl<'a> Connect<'a> {
    pub fn event(connect: &'a shown::Connect) -> Event<Self> {
        let who = &connect.who;
        let what = Self {
            pid: who.pid,
            comm: who.comm.as_deref(),
            cgroup: who.cgroup.as_deref(),
            pid_unknown: who.unknown.as_deref().filter(|_| who.pid.is_none()),
            local: connect.local.to_string(),
            remote: connect.remote.to_string(),
            netns: connect.netns,
            outcome: name(connect.outcome),
            error: connect.error,
            waited_ns: connect.waited.map(ns),
        };
        Event::of("tcp", "connect", connect.at, what)
    }
}

/// A connection that one side broke off.
#[derive(Serialize)]
pub struct Reset<'a> {
    #[serde(flatten)]
    owner: Owner<'a>,
    local: String,
    remote: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<u32>,
    /// null: no connection.
    state: Option<&'static str>,
    direction: &'static str,
    /// In the kernel's words, where it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> Reset<'a> {
    pub fn event(reset: &'a shown::Reset) -> Event<Self> {
        let what = Self {
            owner: Owner::of(&reset.owners),
            local: reset.local.to_string(),
            remote: reset.remote.to_string(),
            netns: reset.netns,
            state: reset.state,
            direction: match reset.direction {
                Direction::Sent => "sent",
                Direction::Received => "received",
            },
            reason: reset.reason.as_deref(),
        };
        Event::of("tcp", "reset", reset.at, what)
    }
}

/// A packet that was dropped.
#[derive(Serialize)]
pub struct Dropped<'a> {
    #[serde(flatten)]
    owner: Owner<'a>,
    from: String,
    to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<u32>,
    /// null: no socket.
    state: Option<&'static str>,
    bytes: u64,
    flags: &'a str,
    #[serde(flatten)]
    cause: Cause<'a>,
}

impl<'a> Dropped<'a> {
    pub fn event(dropped: &'a shown::Dropped) -> Event<Self> {
        let what = Self {
            owner: Owner::of(&dropped.owners),
            from: dropped.from.to_string(),
            to: dropped.to.to_string(),
            netns: dropped.netns,
            state: dropped.state,
            bytes: dropped.bytes,
            flags: &dropped.flags,
            cause: Cause::of(&dropped.cause),
        };
        Event::of("tcp", "drop", dropped.at, what)
    }
}
