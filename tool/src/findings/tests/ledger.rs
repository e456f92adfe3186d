//! Where the time went, what is unexplained, and what is fine: each bound, just crossed and just kept.

use std::collections::VecDeque;

use super::{super::look as all, *};
use crate::{
    findings::ruled_out::Looked,
    snapshot::{
        Pressure, StallPercent,
        cpu::{Waited, Waiting},
        io::{Begun, Device, Stalled},
        ledger::{Entry, For},
        tcp::{End, Namespace, NoRoute, Outcome},
    },
};

fn looked(snapshot: &Snapshot) -> (Vec<Entry>, Looked) {
    let kills = VecDeque::new();
    let scene = Scene::new(snapshot, &kills);
    let (findings, ledger) = all(&scene);
    let rules: Vec<&str> = findings.iter().map(|finding| finding.rule).collect();
    let looked = ruled_out::look(&scene, &ledger, &rules);
    (ledger, looked)
}

/// Areas that are not clear, with the figures.
fn unclear(snapshot: &Snapshot) -> Vec<(&'static str, String)> {
    looked(snapshot).1.unclear.into_iter().map(|area| (area.area, area.because)).collect()
}

fn is_unclear(snapshot: &Snapshot, area: &str) -> bool {
    let (_, looked) = looked(snapshot);
    let fine = looked.fine.iter().any(|row| row.area == area);
    let unclear = looked.unclear.iter().any(|row| row.area == area);
    assert_ne!(fine, unclear, "{looked:?}");
    unclear
}

fn stalls(rows: Vec<Stalled>) -> Snapshot {
    with(quiet(), |snapshot| snapshot.io.as_mut().unwrap().stalled = rows.into())
}

fn before_start(reason: &str, call: &str, disk: Option<&str>) -> Snapshot {
    stalls(vec![going_on(stalled(victim(), disk, call, reason, 0, 0), None)])
}

#[test]
fn each_wait_is_in_one_entry() {
    let mut rows = vec![
        stalled(victim(), Some("sda"), "fsync", "journal commit", 2, 100 * MS),
        stalled(victim(), Some("sda"), "read", "page read", 3, 20 * MS),
        stalled(culprit(), None, "write", "dirty-page throttling", 1, 50 * MS),
        stalled(culprit(), None, "", "vfork: the child has not executed yet", 1, 900 * MS),
    ];
    rows.push(stalled(culprit(), None, "unlink", "filesystem lock", 1, 30 * MS));
    // Before the disk, which is known all the same.
    rows.push(stalled(who(9, "dd", "/jobs"), Some("sda"), "write", "I/O controller throttling", 1, 25 * MS));
    let mut snapshot = stalls(rows);
    let syscalls = snapshot.syscalls.as_mut().unwrap();
    // The disk's wait is not told again as a call; another call is.
    syscalls.slow = vec![slow_calls(victim(), "fsync", 2, 100 * MS), slow_calls(victim(), "flock", 2, 100 * MS)].into();
    let cpu = snapshot.cpu.as_mut().unwrap();
    cpu.waiting = vec![Waiting { who: victim(), age_ns: 20 * MS, ..Waiting::default() }].into();
    let (ledger, _) = looked(&snapshot);
    let told: Vec<_> = ledger.iter().map(|row| (row.what, row.on.as_str(), row.lost_ns / MS, row.processes)).collect();
    assert_eq!(
        told,
        [
            (For::Sync, "sda", 200, 1),
            (For::Call, "flock", 100, 1),
            (For::Disk, "sda", 60, 1),
            (For::DirtyPages, "", 50, 1),
            (For::Lock, "filesystem lock", 30, 1),
            (For::IoThrottle, "sda", 25, 1),
            (For::RunQueue, "", 20, 1),
        ]
    );
    assert!(ledger.iter().all(|row| row.rule.is_none()), "nothing is above a rule's bound");
    let saturated = looked(&busy_disk(50 * MS, "read", 10, 30 * MS)).0;
    assert_eq!(saturated[0].rule.as_deref(), Some("device_saturated"));
}

#[test]
fn what_began_before_the_run_counts_as_long_as_the_interval() {
    for (reason, call, disk) in
        [("journal commit", "fsync", Some("sda")), ("flush", "", Some("sda")), ("page read", "read", Some("sda"))]
    {
        let (ledger, looked) = looked(&before_start(reason, call, disk));
        assert_eq!((ledger[0].lost_ns, ledger[0].longest_ns.is_known()), (SECOND, false), "{reason}");
        assert!(looked.fine.iter().all(|area| area.area != "disks"), "{reason}");
    }
    let mut snapshot = quiet();
    snapshot.syscalls.as_mut().unwrap().in_flight = vec![in_flight(victim(), "flock", None)].into();
    let found = only(&snapshot);
    assert_eq!((found.rule, found.harm), ("slow_calls", 1.0));
    assert!(found.statement.contains("since before this run"), "{}", found.statement);
}

/// A cgroup whose OOM killer is off: the hooks saw nothing, since it began before the run.
#[test]
fn a_wait_for_an_oom_killer_that_is_off_is_for_memory() {
    let found = only(&before_start("out of memory", "", None));
    assert_eq!((found.rule, first_pid(&found.victims)), ("memory_stall", Some(430)));
    assert!(found.statement.contains("the kernel may not"), "{}", found.statement);
}

#[test]
fn what_nobody_can_explain_is_said() {
    // Each for itself is below the bounds of other rules.
    let waits = |each_ns| {
        let row = |pid| stalled(who(pid, "worker", "/jobs"), None, "openat", "other: strange_wait", 1, each_ns);
        stalls((1..=5).map(row).collect())
    };
    let found = only(&waits(100 * MS));
    assert_eq!((found.rule, found.harm), ("unexplained", 0.5));
    assert_eq!(found.statement, "unexplained: 500ms/s lost in waits of 5 processes: other: strange_wait 500ms/s");
    assert!(look(&waits(99 * MS)).is_empty());
}

#[test]
fn a_disk_is_fine_by_its_figures_only() {
    let slow =
        |length_ns| with(quiet(), |snapshot| snapshot.io.as_mut().unwrap().devices = vec![disk("sda", length_ns, 30)]);
    assert!(!is_unclear(&slow(45 * MS), "disks") && is_unclear(&slow(60 * MS), "disks"));
    let busy = |some| pressed(Resource::Io, some, stalls(vec![short_reads(400)]));
    assert!(!is_unclear(&busy(29.0), "disks") && is_unclear(&busy(30.0), "disks"));
    let short = |each_ns| stalls(vec![stalled(victim(), Some("sda"), "fsync", "flush", 1, each_ns)]);
    assert!(!is_unclear(&short(99 * MS), "disks") && is_unclear(&short(100 * MS), "disks"));
    let mut old = slow(MS);
    old.io.as_mut().unwrap().devices[0].oldest_ns = Some(SECOND).into();
    assert_eq!(unclear(&old), [("disks", "sda has a request that is 1s old".to_owned())]);
    old.io.as_mut().unwrap().devices[0] = crate::snapshot::io::Device { before_start: 2, ..disk("sda", MS, 30) };
    assert_eq!(unclear(&old), [("disks", "sda has 2 requests from before this run".to_owned())]);
}

#[test]
fn memory_is_fine_by_its_figures_only() {
    let available = |bytes| with(quiet(), |snapshot| snapshot.oom.as_mut().unwrap().memory.available = bytes);
    assert!(!is_unclear(&available(300 << 20), "memory") && is_unclear(&available(200 << 20), "memory"));
    let busy = |some| pressed(Resource::Memory, some, quiet());
    assert!(!is_unclear(&busy(4.9), "memory") && is_unclear(&busy(5.0), "memory"));
}

#[test]
fn cpus_are_fine_by_their_figures_only() {
    let waits = |each_ns| {
        with(quiet(), |snapshot| {
            snapshot.cpu.as_mut().unwrap().scheduler = Scheduler::of(latency(&[(each_ns, 10)]), 0);
        })
    };
    assert!(!is_unclear(&waits(9 * MS), "CPU") && is_unclear(&waits(11 * MS), "CPU"));
    let steal = |steal_ns| {
        with(quiet(), |snapshot| {
            let idle_ns = SECOND - steal_ns;
            snapshot.cpu.as_mut().unwrap().processors = vec![Processor { steal_ns, idle_ns, ..Processor::default() }];
        })
    };
    assert!(!is_unclear(&steal(99 * MS), "CPU") && is_unclear(&steal(100 * MS), "CPU"));
}

/// Tasks of the idle class wait for a second each, with the pressure that this makes; others wait, too.
#[test]
fn who_is_to_have_what_is_left_over_waits_by_design() {
    let waits = |class: &str, others_ns| {
        let snapshot = with(quiet(), |snapshot| {
            let cpu = snapshot.cpu.as_mut().unwrap();
            let run_queue = latency(&[(SECOND, 2), (others_ns / 100, 100)]);
            let idle_ns = run_queue.total_ns - others_ns;
            cpu.scheduler = Scheduler::of(run_queue, 0);
            cpu.waited = vec![Waited { class: Some(class.into()), ..waited(culprit(), idle_ns) }].into();
        });
        pressed(Resource::Cpu, 100.0, snapshot)
    };
    assert!(!is_unclear(&waits("idle", 99 * MS), "CPU") && is_unclear(&waits("idle", 101 * MS), "CPU"));
    assert!(is_unclear(&waits("nice 18", 0), "CPU"));
}

#[derive(Clone, Copy)]
enum Resource {
    Cpu,
    Io,
    Memory,
}

/// With so much pressure, in percent.
fn pressed(resource: Resource, some: f64, snapshot: Snapshot) -> Snapshot {
    let mut pressure = Pressure::default();
    let of = match resource {
        Resource::Cpu => &mut pressure.cpu,
        Resource::Io => &mut pressure.io,
        Resource::Memory => &mut pressure.memory,
    };
    *of = StallPercent { some, full: 0.0 };
    Snapshot { pressure: Ok(pressure), ..snapshot }
}

fn short_reads(waits: u64) -> Stalled {
    stalled(victim(), Some("sda"), "read", "page read", waits, MS)
}

#[test]
fn pressure_that_no_wait_makes_up_for_is_not_clear() {
    let io = |some, rows| pressed(Resource::Io, some, stalls(rows));
    assert!(!is_unclear(&io(9.9, vec![]), "disks") && is_unclear(&io(10.0, vec![]), "disks"));
    assert_eq!(
        unclear(&io(25.0, vec![short_reads(20)])),
        [("disks", "I/O pressure 25%, of which the ledger has 0ns/s, other waits 20ms/s".to_owned())]
    );
    assert!(
        !is_unclear(&io(25.0, vec![short_reads(151)]), "disks")
            && is_unclear(&io(25.0, vec![short_reads(150)]), "disks")
    );
    let thread = Stalled { kernel_thread: true, ..short_reads(151) };
    assert!(!is_unclear(&io(25.0, vec![thread]), "disks"), "the kernel's threads wait, too");
    let lock = stalled(victim(), None, "unlink", "filesystem lock", 1, 90 * MS);
    assert!(is_unclear(&io(15.0, vec![lock]), "disks"), "that is no wait for I/O");
    // The kernel's own thread makes room.
    let swapping = |ran_ns| {
        let who = Who { kernel_thread: true, ..who(60, "kswapd0", "/") };
        let ran = Running { ran_ns, ..Running::none(who) };
        with(quiet(), |snapshot| snapshot.cpu.as_mut().unwrap().running = vec![ran].into())
    };
    let words = |ran_ns| unclear(&pressed(Resource::Memory, 20.0, swapping(ran_ns)))[0].1.clone();
    assert!(words(200 * MS).ends_with("other waits 200ms/s"), "{}", words(200 * MS));
    let waits = |count| {
        with(quiet(), |snapshot| {
            snapshot.cpu.as_mut().unwrap().scheduler = Scheduler::of(latency(&[(MS, count)]), 0);
        })
    };
    let cpu = |some, count| is_unclear(&pressed(Resource::Cpu, some, waits(count)), "CPU");
    assert!(!cpu(40.0, 350) && cpu(40.0, 250), "with waits it is how a CPU is shared");
    assert!(!cpu(49.0, 600) && cpu(50.0, 600));
}

#[test]
fn our_own_threads_wait_for_each_other_and_for_the_host() {
    let busy = |own: Option<u32>| {
        let rows = vec![
            stalled(culprit(), Some("sda"), "fsync", "journal commit", 1, 90 * MS),
            stalled(culprit(), None, "unlink", "filesystem lock", 1, 80 * MS),
        ];
        with(stalls(rows), |snapshot| {
            snapshot.cost.pid = own;
            snapshot.syscalls.as_mut().unwrap().slow = vec![slow_calls(culprit(), "munmap", 2, 70 * MS)].into();
            snapshot.cpu.as_mut().unwrap().waited = vec![waited(culprit(), 180 * MS)].into();
        })
    };
    let told = |own| looked(&busy(own)).0.iter().map(|row| row.what).collect::<Vec<_>>();
    assert_eq!(told(victim().pid), [For::RunQueue, For::Sync, For::Lock, For::Call]);
    assert_eq!(told(None), told(victim().pid));
    assert_eq!(told(culprit().pid), [For::Sync]);
}

#[test]
fn a_wait_without_quota_is_no_wait_behind_others() {
    let snapshot = with(quiet(), |snapshot| {
        let cpu = snapshot.cpu.as_mut().unwrap();
        let members = vec![culprit()];
        cpu.throttled =
            vec![Throttled { cgroup: "/backup".into(), throttled_ns: 700 * MS, members, ..Throttled::default() }]
                .into();
        let waited = |who, lost_ns| Waited { lost_ns, max_ns: 80 * MS, ..waited(who, lost_ns) };
        cpu.waited = vec![waited(culprit(), 730 * MS), waited(victim(), 30 * MS)].into();
        cpu.waiting = vec![Waiting { who: culprit(), age_ns: 20 * MS, ..Waiting::default() }].into();
    });
    let (ledger, _) = looked(&snapshot);
    let told: Vec<_> = ledger.iter().map(|row| (row.what, row.on.as_str(), row.lost_ns / MS, row.processes)).collect();
    // What is left of it stands by its finding.
    assert_eq!(told, [(For::Quota, "/backup", 700, 1), (For::RunQueue, "", 50, 1), (For::RunQueue, "", 30, 1)]);
    assert_eq!((ledger[0].rule.as_deref(), ledger[2].rule.as_deref()), (Some("quota"), None));
}

#[test]
fn who_has_requests_all_the_time_waits_though_none_is_completed() {
    let begun = |time_ns| {
        with(quiet(), |snapshot| {
            let io = snapshot.io.as_mut().unwrap();
            io.devices = vec![Device { in_flight: 4.into(), oldest_ns: Some(450 * MS).into(), ..disk("sda", MS, 0) }];
            io.begun = vec![Begun { who: culprit(), disk: "sda".into(), time_ns }];
        })
    };
    let (ledger, looked) = looked(&begun(900 * MS));
    assert_eq!((ledger[0].what, ledger[0].on.as_str(), ledger[0].lost_ns), (For::AsynchronousIo, "sda", SECOND));
    assert_eq!(looked.unclear[0].because, "waits of 10ms and more take 1s/s");
    assert!(super::look(&begun(890 * MS)).is_empty() && self::looked(&begun(890 * MS)).0.is_empty());
    // Slow ones among many that are done at once while it is well.
    let mixed = |slow| {
        with(begun(0), |snapshot| {
            let io = snapshot.io.as_mut().unwrap();
            let total = latency(&[(MS / 10, 3_000), (400 * MS, slow)]);
            let device =
                Device { ios: 3_000 + slow, oldest_ns: Some(MS).into(), total: total.into(), ..disk("sda", MS, 0) };
            io.devices = vec![device];
            io.caused_by = vec![Cause { how: How::Direct, ..cause(culprit(), "sda", 1.0) }].into();
        })
    };
    assert_eq!(self::looked(&mixed(4)).0[0].what, For::AsynchronousIo);
    assert!(self::looked(&mixed(0)).0.is_empty(), "at work");
}

#[test]
fn what_a_reason_says_is_known_without_a_disk() {
    let told = |reason: &str, disk| {
        let (ledger, _) = looked(&stalls(vec![stalled(victim(), disk, "", reason, 1, 50 * MS)]));
        (ledger[0].what, ledger[0].on.clone())
    };
    assert_eq!(told("page read", None), (For::Disk, String::new()));
    assert_eq!(told("metadata write", None), (For::Sync, String::new()));
    assert_eq!(told("RCU grace period", None), (For::Kernel, "RCU grace period".into()));
    assert_eq!(told("filesystem lock", Some("sda")), (For::Lock, "sda".into()));
    assert_eq!(told("other: strange_wait", Some("sda")), (For::Disk, "sda".into()));
    assert_eq!(told("other: strange_wait", None), (For::NotKnown, "other: strange_wait".into()));
}

#[test]
fn the_network_is_fine_by_its_figures_only() {
    let opened = |established, refused| {
        with(quiet(), |snapshot| {
            let tcp = snapshot.tcp.as_mut().unwrap();
            tcp.opened[Outcome::Established as usize] = established;
            tcp.opened[Outcome::Refused as usize] = refused;
        })
    };
    assert!(!is_unclear(&opened(9, 1), "network") && is_unclear(&opened(8, 1), "network"));
    assert!(is_unclear(&opened(0, 1), "network"), "all that was tried failed");
    let dropped = |packets| {
        let end = |port| End { address: [10, 0, 0, 1].into(), port };
        let one = || network::dropped(end(50_000), end(80), "netfilter drop", None);
        with(quiet(), |snapshot| {
            snapshot.tcp.as_mut().unwrap().events.drops = (0..packets).map(|_| one()).collect();
        })
    };
    assert!(!is_unclear(&dropped(19), "network") && is_unclear(&dropped(20), "network"));
    let sending = with(quiet(), |snapshot| {
        snapshot.syscalls.as_mut().unwrap().in_flight = vec![in_flight(victim(), "sendto", None)].into();
    });
    assert!(is_unclear(&sending, "network"), "the other side does not read");
    let idle = |reader| {
        with(network::closed("sendto", reader), |snapshot| snapshot.syscalls.as_mut().unwrap().in_flight.clear())
    };
    let fine = Who { unknown: Some("elsewhere".into()), ..Who::default() };
    assert!(is_unclear(&idle(victim()), "network"), "nobody waits in a call, but somebody for somebody on this host");
    assert!(!is_unclear(&idle(fine), "network"));
    let resets = |resets| with(quiet(), |snapshot| snapshot.tcp.as_mut().unwrap().reset_totals = [0, resets]);
    assert!(!is_unclear(&resets(0), "network") && is_unclear(&resets(1), "network"));
}

#[test]
fn an_area_is_fine_found_or_not_measured() {
    let areas = |snapshot: &Snapshot| {
        let (_, looked) = looked(snapshot);
        (looked.fine.into_iter().map(|area| area.area).collect::<Vec<_>>(), looked.not_measured)
    };
    let (fine, not_measured) = areas(&quiet());
    assert_eq!(fine, ["CPU", "disks", "memory", "network", "accept queues", "disk space", "system calls"]);
    assert_eq!(not_measured, ["calls that fail (--exact)"]);
    let (fine, _) = areas(&hung(None));
    assert_eq!(fine, ["CPU", "memory", "network", "accept queues", "disk space", "system calls"]);
    let (fine, not_measured) = areas(&Snapshot { tcp: None, ..quiet() });
    assert_eq!((fine.len(), not_measured[0].as_str()), (5, "network"));
    let refused = with(quiet(), |snapshot| {
        snapshot.tcp.as_mut().unwrap().listeners = Known::unavailable("iter bpf_map_elem: refused");
    });
    let (fine, not_measured) = areas(&refused);
    assert_eq!(fine, ["CPU", "disks", "memory", "network", "disk space", "system calls"]);
    assert_eq!(not_measured[0], "accept queues (iter bpf_map_elem: refused)");
    let unavailable = vec![Unavailable { probe: "tcp", why: "no memory".into() }];
    let (fine, not_measured) = areas(&Snapshot { tcp: None, unavailable, ..quiet() });
    assert_eq!((fine.len(), not_measured[0].as_str()), (5, "network (tcp is unavailable: no memory)"));
}

#[test]
fn packets_without_a_route_leave_the_network_unclear() {
    let of = |packets, opened| {
        let row = NoRoute { netns: Some(4_026_532_315), packets, opened, inhabitant: victim() };
        with(quiet(), |snapshot| snapshot.tcp.as_mut().unwrap().no_routes = vec![row])
    };
    let words = "1.0/s packets and connections without a route where postgres 430 lives (netns 4026532315)";
    assert_eq!(unclear(&of(1, 9)), [("network", words.to_owned())]);
    assert!(!is_unclear(&of(1, 10), "network"), "a tenth may be normal");
    let unknown = with(quiet(), |snapshot| snapshot.tcp.as_mut().unwrap().sockets = Known::unknown("refused"));
    assert!(looked(&unknown).1.not_measured.contains(&"sockets that are not closed (refused)".to_owned()));
    let shed = with(quiet(), |snapshot| snapshot.tcp.as_mut().unwrap().drops = None);
    assert!(looked(&shed).1.not_measured.contains(&"dropped packets".to_owned()));
    let many = with(quiet(), |snapshot| snapshot.tcp.as_mut().unwrap().namespaces_left_out = 3);
    assert!(looked(&many).1.not_measured.contains(&"packets without a route in 3 network namespaces".to_owned()));
}

#[test]
fn tables_of_the_kernel_that_are_nearly_full_leave_the_network_unclear() {
    let of = |tracked, time_wait| {
        let row = Namespace {
            netns: Some(4_026_532_315),
            inhabitant: victim(),
            sockets: Some(9),
            tracked: Some(tracked),
            tracked_limit: Some(100),
            time_wait: Some(time_wait),
            time_wait_limit: Some(1000),
        };
        with(quiet(), |snapshot| snapshot.tcp.as_mut().unwrap().namespaces = vec![row])
    };
    let words = |of: &str| format!("the table of {of} entries (netns 4026532315)");
    let firewall = words("the firewall's connections where postgres 430 lives has 90 of 100");
    assert_eq!(unclear(&of(90, 899)), [("network", firewall)]);
    assert_eq!(unclear(&of(89, 900)), [("network", words("TIME-WAIT where postgres 430 lives has 900 of 1k"))]);
    assert!(!is_unclear(&of(89, 899), "network"));
}

#[test]
fn many_connections_that_are_not_closed_leave_the_network_unclear() {
    let words = "postgres 430 has not closed 64 connections that the other side has closed";
    assert_eq!(unclear(&network::left(64, None)), [("network", words.to_owned())]);
    assert!(!is_unclear(&network::left(63, None), "network"));
}
