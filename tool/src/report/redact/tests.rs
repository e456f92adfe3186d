use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;
use serde_json::Value;

use super::Redaction;
use crate::{
    findings::fixture::change,
    record::{Entry, Head, Mark},
    report::{
        content, html, markdown,
        story::Story,
        tests::{RECORDED, head, killed, snapshots},
    },
    sinks::sample::who,
    snapshot::{
        Snapshot,
        changes::{Certainty, ChangeKind, Changes, Did, Watch},
    },
    table::any::Dice,
};

/// Keys of what a host, a user or a program has named.
const NAMES: &[&str] = &[
    "address",
    "alias",
    "boot_id",
    "cgroup",
    "cmdline",
    "comm",
    "cpuset",
    "group",
    "host",
    "interface",
    "noted",
    "oom_memcg",
    "place",
    "task_memcg",
];

/// Names of a host, as they stand in the whole of what was recorded.
fn names(key: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| names(key, value, found)),
        Value::Array(values) => values.iter().for_each(|value| names(key, value, found)),
        Value::String(name) if NAMES.contains(&key) => {
            let is_here = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified());
            let parts = if key == "comm" || key == "noted" { vec![name.as_str()] } else { name.split('/').collect() };
            // Shorter ones stand in words of ours.
            found.extend(parts.into_iter().filter(|part| part.len() > 3 && !is_here).map(str::to_owned));
        }
        _ => {}
    }
}

fn redacted(head: &Head, entries: &[Entry]) -> (String, Redaction) {
    let mut redaction = Redaction::default();
    let mut story = Story::new(redaction.head(head).unwrap(), Timestamp::MIN);
    entries.iter().for_each(|entry| story.add(redaction.entry(entry).unwrap()));
    let content = content::of(&story, TimeZone::UTC, true);
    (html::page(&content) + &markdown::page(&content), redaction)
}

fn marked(text: &str) -> Entry {
    Entry::Mark(Mark { at: Timestamp::UNIX_EPOCH, text: text.to_owned() })
}

/// The recorded situations, with names that are no words.
fn recorded() -> Vec<Entry> {
    let mut all = killed();
    for situation in RECORDED {
        for snapshot in snapshots(situation) {
            let text = serde_json::to_string(&snapshot).unwrap();
            let text = text.replace("kernel-tests", "Zq7 <acme>").replace("127.0.0.1", "10.20.30.40");
            let text = text.replace("\"stillwatch\"", "\"Qx9 tool\"");
            all.push(Entry::Snapshot(serde_json::from_str(&text).unwrap()));
        }
    }
    all.push(marked("deploy of acme"));
    all
}

#[test]
fn no_name_is_left() {
    let (head, entries) = (head(), recorded());
    let mut originals = BTreeSet::from(["deploy of acme".to_owned(), "deploy 4711".to_owned()]);
    names("", &serde_json::to_value((&head, &entries)).unwrap(), &mut originals);
    assert!(originals.len() > 40, "{originals:?}");
    // A word of our own, too.
    originals.remove("stillwatch");
    let (page, redaction) = redacted(&head, &entries);
    // Threads of the kernel keep its word for what they do.
    let is_kernels = |name: &str| {
        redaction.stand_ins.keys().any(|(sort, known)| *sort == super::Sort::KernelThread && known == name)
    };
    for name in originals.iter().filter(|name| !is_kernels(name)) {
        assert!(!page.contains(name.as_str()), "{name}");
        let shown = crate::escape::escape(name);
        assert!(!page.contains(&*shown.replace('<', "&lt;").replace('>', "&gt;")), "{name}");
    }
    let map: Value = serde_json::from_str(&redaction.map().unwrap()).unwrap();
    assert_eq!(map["host-1"], "db-1");
    assert!(map.as_object().unwrap().values().any(|name| name == "Zq7 <acme>"));
}

/// The same findings, as sure and as long, of the same numbers.
#[test]
fn nothing_else_becomes_another() {
    for situation in RECORDED {
        let entries: Vec<_> = snapshots(situation).into_iter().map(|it| Entry::Snapshot(Box::new(it))).collect();
        let mut redaction = Redaction::default();
        let (mut plain, mut redacted) = (Story::new(head(), Timestamp::MIN), Story::new(head(), Timestamp::MIN));
        for entry in entries {
            redacted.add(redaction.entry(&entry).unwrap());
            plain.add(entry);
        }
        let of = |story: &Story| -> Vec<_> {
            let told = story.told.iter();
            told.map(|it| (it.worst.rule, it.since, it.noticed, it.until, it.worst.harm, it.lost.total_ns())).collect()
        };
        assert_eq!(of(&plain), of(&redacted), "{situation}");
    }
}

#[test]
fn the_same_name_has_the_same_stand_in() {
    let mut redaction = Redaction::default();
    let cgroup = redaction.cgroup("/system.slice/db.service");
    assert_eq!(cgroup, "/group-1.slice/group-2.service");
    assert_eq!(redaction.cgroup("/system.slice/web.service"), "/group-1.slice/group-3.service");
    assert_eq!(
        (redaction.address("10.0.0.1"), redaction.address("127.0.0.1")),
        ("198.18.0.1".into(), "127.0.0.1".into())
    );
    assert_eq!(redaction.address("fd00::1"), "2001:db8::0:2");
    assert_eq!(
        (redaction.kernel_thread("jbd2/sda1-8"), redaction.process("jbd2/sda1-8")),
        ("jbd-1".into(), "process-1".into())
    );
    let log = redaction.kernel_log("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/system.slice/db.service,task=acme,pid=7,uid=1000");
    assert_eq!(
        log,
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/group-1.slice/group-2.service,task=process-2,pid=7,uid=1"
    );
    assert_eq!(
        redaction.kernel_log("[      7]  1000     7      100       50      4096        3          -17  acme"),
        "[      7]  1     7      100       50      4096        3          -17  process-2"
    );
}

#[test]
fn what_has_changed_has_no_name_left() {
    let at = Timestamp::UNIX_EPOCH;
    let mut change = change(ChangeKind::Package, Did::Upgraded, "acme-agent", at);
    (change.from, change.to, change.after) = (Some("acme1".into()), Some("acme2".into()), Some(at));
    change.author = "alice@acme: apt install acme-agent".to_owned().into();
    change.who = Some(who(7, "acme", "/acme.slice/acme.service"));
    let watched = Watch { problem: Some("/srv/acme: gone".into()), ..Dice::new(7).any() };
    let changes = Changes { changes: vec![change].into(), watched: vec![watched] };
    let snapshot = Snapshot { changes: Some(changes), ..Snapshot::new(at, Duration::from_secs(1), Err(String::new())) };
    let Entry::Snapshot(redacted) = Redaction::default().entry(&Entry::Snapshot(Box::new(snapshot))).unwrap() else {
        panic!("no snapshot")
    };
    let text = serde_json::to_string(&redacted).unwrap();
    assert!(!text.contains("acme") && !text.contains("alice"), "{text}");
    let row = &redacted.changes.as_ref().unwrap().changes[0];
    assert_eq!((row.kind, row.did, row.certainty), (ChangeKind::Package, Did::Upgraded, Certainty::Kept));
    assert_eq!((row.at, row.after), (at, Some(at)));
}

proptest! {
    // Each is all that a snapshot can hold, a few times.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_recorded(seed in any::<u64>()) {
        let snapshot: Snapshot = Dice::new(seed).any();
        let entry = Entry::Snapshot(Box::new(Snapshot { findings: None, ..snapshot }));
        let mut originals = BTreeSet::new();
        names("", &serde_json::to_value(&entry).unwrap(), &mut originals);
        let mut redaction = Redaction::default();
        let redacted = redaction.entry(&entry).unwrap();
        let mut left = BTreeSet::new();
        names("", &serde_json::to_value(&redacted).unwrap(), &mut left);
        prop_assert!(left.is_disjoint(&originals), "{:?}", left.intersection(&originals).collect::<Vec<_>>());
    }
}
