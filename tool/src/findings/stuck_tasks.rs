//! Tasks that wait for long for something that is no disk: a frozen filesystem, a server of files, a lock.
//!
//! Holds when an uninterruptible wait goes on for 5 s, or since before the run, or one that a signal could end, for a server of files. Waits
//! for memory and for disks belong to other rules; those of calls about files of a disk that has nothing to do are not for the disk, and
//! belong here.

use std::collections::BTreeMap;

use super::{
    Scene,
    waits::{self, Class, Wait, WholeDisk},
    words::{list, name, names, verb},
};
use crate::{
    escape::escape,
    format,
    reasons::Kind,
    snapshot::{
        Who,
        finding::{Evidence, Finding, Value},
        syscalls::InFlight,
        who::FileServer,
    },
};

const RULE: &str = "stuck_tasks";
const LONG_NS: u64 = 5_000_000_000;

/// Tasks of one process that wait for one thing.
struct Stuck<'a> {
    who: &'a Who,
    reason: &'a str,
    server: Option<&'a FileServer>,
    tasks: u64,
    lost_ns: u64,
    /// `None`: since before the run.
    age_ns: Option<u64>,
    /// Of those that nothing can interrupt.
    wait: Option<&'a Wait<'a>>,
}

/// Those of one reason are one finding; that wait for a server of files, those of one file system.
pub fn look(scene: &Scene) -> Vec<Finding> {
    let mut groups: BTreeMap<(&str, Option<&str>), Vec<Stuck>> = BTreeMap::new();
    let waits = scene.waits.iter().filter(|wait| is_about(wait, &scene.disks)).map(Stuck::in_a_wait);
    let is_long = |call: &&&InFlight| call.age_ns.value().is_none_or(|&age_ns| age_ns >= LONG_NS);
    let calls = scene.served.iter().filter(is_long).map(|call| Stuck::in_a_call(call, scene.interval_ns()));
    for stuck in waits.chain(calls) {
        groups.entry((stuck.reason, stuck.server.map(|server| &*server.place))).or_default().push(stuck);
    }
    groups.values().filter_map(|stuck| one(scene, stuck)).collect()
}

impl<'a> Stuck<'a> {
    fn in_a_wait(wait: &'a Wait<'a>) -> Self {
        Self {
            who: &wait.row.who,
            reason: wait.reason().map_or("", String::as_str),
            server: wait.server(),
            tasks: wait.row.now,
            lost_ns: wait.lost_ns,
            age_ns: wait.row.age_ns(),
            wait: Some(wait),
        }
    }

    fn in_a_call(call: &'a InFlight, interval_ns: u64) -> Self {
        Self {
            who: &call.who,
            reason: call.reason.as_deref().unwrap_or(""),
            server: call.server.as_ref(),
            tasks: 1,
            lost_ns: call.lost_ns(interval_ns),
            age_ns: call.age_ns.value().copied(),
            wait: None,
        }
    }
}

/// Whether this rule takes the wait.
pub fn is_about(wait: &Wait, disks: &[WholeDisk]) -> bool {
    let is_busy = |name: &str| disks.iter().any(|disk| disk.name == name && !disk.is_idle());
    let is_ours = match wait.class {
        Class::Else => true,
        Class::Device => !wait.disk().is_some_and(is_busy),
        _ => false,
    };
    is_ours && is_stuck(wait)
}

fn is_stuck(wait: &Wait) -> bool {
    wait.row.now > 0 && (wait.row.before_start() || wait.row.age_ns().is_some_and(|now_ns| now_ns >= LONG_NS))
}

fn one(scene: &Scene, stuck: &[Stuck]) -> Option<Finding> {
    let &Stuck { reason, server, .. } = stuck.first()?;
    let (victims, lost_ns) = waits::sums(stuck.iter().map(|stuck| (stuck.who, stuck.lost_ns)));
    let tasks: u64 = stuck.iter().map(|stuck| stuck.tasks).sum();
    let before = stuck.iter().any(|stuck| stuck.age_ns.is_none());
    let oldest_ns = stuck.iter().filter_map(|stuck| stuck.age_ns).max();
    let for_what = match reason {
        "" => "something that is not known".to_owned(),
        reason => format!("\"{}\"", escape(reason)),
    };
    let culprits = server.map_or_else(Vec::new, |server| server.holders.clone());
    let more = waits::not_looked_at(stuck.iter().filter_map(|stuck| stuck.wait));
    let more = more.map_or_else(String::new, |more| format!("; {more}"));
    let long = match oldest_ns.filter(|_| !before) {
        Some(ns) => format!("for {}", format::duration(ns)),
        None => "since before this run".to_owned(),
    };
    let of = |what: &str, value| Evidence { probe: "io", what: what.into(), value };
    let longest = oldest_ns.map(|ns| of("longest wait", Value::Nanoseconds(ns)));
    Some(Finding {
        rule: RULE,
        subject: server.map_or_else(|| reason.to_owned(), |server| format!("{reason} {}", server.place)),
        statement: format!(
            "{} {} stuck {long} on {for_what}{}{more}",
            names(&victims),
            verb(victims.len(), "is", "are"),
            server.map_or_else(String::new, served_by)
        ),
        harm: scene.share(lost_ns),
        evidence: std::iter::once(of("tasks that wait", Value::Count(tasks))).chain(longest).collect(),
        victims,
        unknown: vec![match (server, &culprits[..]) {
            (Some(_), [one]) => format!("why {} does not answer", name(one)),
            (Some(server), []) => format!("who serves {}", escape(&server.place)),
            (Some(_), _) => "which of them serves it".to_owned(),
            (None, _) if reason == Kind::Fuse.words() => "which file system it is, and who serves it".to_owned(),
            (None, _) => "who could let them go on".to_owned(),
        }],
        culprits,
        doubts: before.then(|| "it began before this run: for how long is not known".to_owned()).into_iter().collect(),
        next: "stillwatch io --stacks".into(),
        at_once: !before,
    })
}

/// ` at /mnt, whose device sshfs 812 has open`.
fn served_by(server: &FileServer) -> String {
    let place = escape(&server.place);
    let holders: Vec<String> = server.holders.iter().map(name).collect();
    match holders.len() {
        0 => format!(" at {place}"),
        many => format!(" at {place}, whose device {} {} open", list(&holders, 3), verb(many, "has", "have")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        findings::fixture::{SECOND, disk, going_on, in_flight, look, only, quiet, stalled},
        sinks::sample::who,
        snapshot::{Snapshot, io::Device},
    };

    /// One task that waits for so long, in a call about a file of that disk; the disk's rows.
    fn stuck(reason: &str, call: &str, devices: Vec<Device>) -> Snapshot {
        let mut snapshot = quiet();
        let wait = stalled(Who::default(), Some("sda"), call, reason, 0, 0);
        let wait = going_on(wait, Some(6_000_000_000));
        snapshot.io.iter_mut().for_each(|io| (io.stalled, io.devices) = (vec![wait.clone()].into(), devices.clone()));
        snapshot
    }

    #[test]
    fn a_disk_is_not_what_a_frozen_filesystem_waits_for() {
        for devices in [vec![], vec![disk("sda", 200_000, 30)]] {
            let finding = only(&stuck(Kind::FilesystemFrozen.words(), "write", devices));
            assert_eq!((finding.rule, finding.subject.as_str()), (RULE, "filesystem frozen"));
        }
    }

    #[test]
    fn a_disk_that_has_nothing_to_do_is_not_waited_for() {
        assert_eq!(only(&stuck("other: a_lock", "unlink", vec![])).rule, RULE);
        assert_eq!(only(&stuck("other: a_lock", "unlink", vec![disk("sda", 200_000, 30)])).rule, "held_back");
    }

    /// Two processes wait for one server: nothing can interrupt one of them, a signal could end what the other waits for.
    fn served(age_ns: Option<u64>, server: Option<&FileServer>) -> Snapshot {
        let mut snapshot = stuck(Kind::Fuse.words(), "statfs", vec![]);
        for row in snapshot.io.iter_mut().filter_map(|io| io.stalled.value_mut()).flatten() {
            (row.who, row.server) = (who(7, "df", "/"), server.cloned());
        }
        let call = in_flight(who(8, "ls", "/"), "getdents64", age_ns);
        let call = InFlight { reason: Some(Kind::Fuse.words().into()), server: server.cloned(), ..call };
        snapshot.syscalls.iter_mut().for_each(|syscalls| syscalls.in_flight = vec![call.clone()].into());
        snapshot
    }

    #[test]
    fn all_that_wait_for_a_server_of_files_are_one_finding() {
        let named = |holders| FileServer { place: "/mnt".into(), holders };
        let found = only(&served(Some(5 * SECOND), Some(&named(vec![who(9, "sshfs", "/")]))));
        assert_eq!(
            found.statement,
            "df 7 and ls 8 are stuck for 6s on \"FUSE file system\" at /mnt, whose device sshfs 9 has open"
        );
        assert_eq!((found.harm, found.culprits[0].pid, found.victims.len()), (2.0, Some(9), 2));
        assert_eq!(only(&served(Some(5 * SECOND - 1), None)).victims.len(), 1);
        assert_eq!(only(&served(None, None)).unknown, ["which file system it is, and who serves it"]);
        assert_eq!(only(&served(None, Some(&named(vec![])))).unknown, ["who serves /mnt"]);
        let several = only(&served(None, Some(&named(vec![who(9, "sshfs", "/"), who(10, "sh", "/")]))));
        assert!(several.statement.ends_with("whose device sshfs 9 and sh 10 have open"), "{}", several.statement);
        assert_eq!(several.unknown, ["which of them serves it"]);
    }

    #[test]
    fn a_call_that_waits_for_no_server_is_another_rule_s() {
        let mut snapshot = quiet();
        let call = in_flight(who(8, "ls", "/"), "flock", Some(9 * SECOND));
        snapshot.syscalls.iter_mut().for_each(|syscalls| syscalls.in_flight = vec![call.clone()].into());
        assert!(look(&snapshot).iter().all(|finding| finding.rule == "slow_calls"));
    }
}
