//! A system call that fails again and again, in a way that is not part of normal life.
//!
//! Of errors that say that something has run out, or is broken, one per second is enough; of EAGAIN 10,000 per second, which is a
//! process that asks again at once instead of waiting; of `connect` that no way leads to where it wants to go, one per second of processes
//! that fail so in half of their calls (who tries IPv6 first and IPv4 then fails in a third); of others 1,000 per second and half of the calls. ENOENT and what else is an
//! answer rather than a failure does not count. Each error of a call is looked at by itself: the commonest may be
//! an answer. Only with `--exact`: calls that do not sleep are not seen otherwise.

use std::cmp::Reverse;

use super::{Scene, harm, words::names};
use crate::{
    escape::escape,
    format,
    snapshot::{
        Who,
        finding::{Evidence, Finding, Value},
        syscalls::{Failed, Failing, Syscalls},
    },
    syscall_names,
};

const RULE: &str = "failing_calls";

/// Something has run out or is broken.
const BROKEN: &[&str] = &[
    "EMFILE",
    "ENFILE",
    "ENOSPC",
    "EDQUOT",
    "ENOMEM",
    "EIO",
    "EROFS",
    "ESTALE",
    "ENOBUFS",
    "EUCLEAN",
    "ENODEV",
    "EADDRINUSE",
    "EADDRNOTAVAIL",
];
/// Of `connect`: it fails before a packet is sent.
const NO_WAY: &[&str] = &["ENETUNREACH", "EHOSTUNREACH", "ENETDOWN", "EPERM", "EACCES"];
/// Answers: not there, not one, not yet.
const ANSWERS: &[&str] = &[
    "ENOENT",
    "ENOTDIR",
    "EEXIST",
    "EINTR",
    "EINPROGRESS",
    "EALREADY",
    "ENOTTY",
    "ECHILD",
    "ESRCH",
    "ETIMEDOUT",
    "ENODATA",
    "ENOSYS",
    "EOPNOTSUPP",
    "EINVAL",
    "ESPIPE",
    "EPIPE",
    // Of `lseek`: no data or no hole behind it; of `open`: nobody reads the pipe, no terminal.
    "ENXIO",
];

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(syscalls) = &scene.now.syscalls else { return Vec::new() };
    syscalls.failed.iter().filter_map(|failed| one(scene, syscalls, failed)).collect()
}

fn one(scene: &Scene, syscalls: &Syscalls, failed: &Failed) -> Option<Finding> {
    let Failed { syscall, errno, .. } = failed;
    let row = syscalls.rows.iter().find(|row| row.syscall == *syscall)?;
    let errno = errno.as_str();
    let of_this = |one: &&Failing| one.syscall == *syscall && one.errno == errno;
    let mut own: Vec<&Failing> = syscalls.failing.iter().flatten().filter(of_this).collect();
    own.sort_by_key(|one| Reverse(one.errors));
    let no_way = syscall == "connect" && NO_WAY.contains(&errno);
    let (mut count, mut calls) = (failed.count, row.times());
    if no_way && !own.is_empty() {
        // Whether it is in vain is between each process and whom it wants: others may well succeed.
        own.retain(|one| one.tried.is_none_or(|tried| 2 * one.errors >= tried));
        (count, calls) = own
            .iter()
            .fold((0, 0), |(errors, tried), one| (errors + one.errors, tried + one.tried.unwrap_or(one.errors)));
    }
    let rate = scene.rate(count);
    let often = 2 * count >= calls;
    let broken = BROKEN.contains(&errno) || no_way && often;
    let holds = match errno {
        _ if broken => rate >= 1.0,
        "EAGAIN" => rate >= 10_000.0 && often,
        _ => rate >= 1000.0 && often && !ANSWERS.contains(&errno),
    };
    if !holds {
        return None;
    }
    let victims: Vec<Who> = own.into_iter().map(|one| one.who.clone()).collect();
    let who = if victims.is_empty() { "whose is not known".to_owned() } else { names(&victims) };
    let share = 100.0 * count as f64 / calls.max(1) as f64;
    let of_whom = if no_way { "theirs" } else { "all" };
    let of = |what: String, value| Evidence { probe: "syscalls", what, value };
    Some(Finding {
        rule: RULE,
        subject: format!("{syscall} {errno}"),
        statement: format!(
            "{} fails {}/s ({} of {of_whom}) with {errno}, {}: {who}",
            escape(syscall),
            format::rate(count, scene.now.interval),
            format::percent(share),
            syscall_names::errno_words(errno)
        ),
        harm: if broken { rate * harm::FAILED } else { scene.share(row.timed_ns()) },
        evidence: vec![
            of(format!("{syscall} with {errno}"), Value::PerSecond(rate)),
            of(format!("calls of {syscall}"), Value::PerSecond(scene.rate(calls))),
            of("of them".into(), Value::Percent(share)),
        ],
        unknown: if victims.is_empty() { vec!["which process calls it".into()] } else { Vec::new() },
        victims,
        next: format!("stillwatch syscalls --by process --errors --syscall {syscall}"),
        ..Finding::default()
    })
}
