//! Rules about file systems and descriptors.

use super::{culprit, first_pid, holds, victim, with};
use crate::{
    findings::fixture::{SECOND, filesystem, look, only, quiet},
    snapshot::{
        Snapshot, Who,
        disk::{DeletedOpen, Descriptors, Disk, Filesystem, Growing},
        syscalls::Failing,
    },
    table::Known,
};

const GIB: u64 = 1 << 30;

fn of(change: impl FnOnce(&mut Disk)) -> Snapshot {
    with(quiet(), |snapshot| change(snapshot.disk.as_mut().unwrap()))
}

fn on(row: Filesystem) -> Snapshot {
    of(|disk| disk.filesystems.push(row))
}

/// One that grows by as much each second, now and before.
fn filling(available: u64, rates: [u64; 2], watched_s: u64) -> Filesystem {
    let [full_in_ns, full_in_10m_ns] = rates.map(|rate| Known::Value(available / rate * SECOND));
    let [bytes_per_s, bytes_per_s_10m] = rates.map(|rate| Known::Value(rate as i64));
    let row = filesystem("/srv", 100 * GIB, available);
    Filesystem { bytes_per_s, bytes_per_s_10m, full_in_ns, full_in_10m_ns, watched_ns: watched_s * SECOND, ..row }
}

fn growing(who: Who, bytes_per_s: u64) -> Growing {
    let path = "/srv/log/a\u{1b}[2J".to_owned().into();
    let (mount, bytes) = ("/srv".to_owned().into(), bytes_per_s);
    let pid = who.pid.unwrap();
    Growing {
        who,
        path,
        mount,
        bytes,
        bytes_per_s,
        size_bytes: GIB,
        over_ns: SECOND,
        writers: 1,
        holder: pid,
        fd: 3,
        inode: 12,
        dirtied_by: Vec::new(),
    }
}

#[test]
fn a_file_system_is_full_without_room_or_without_inodes() {
    let left = |size: u64, available: u64| on(filesystem("/srv", size, available));
    assert!(holds(&left(GIB, GIB / 1000 - 1), "disk_full") && !holds(&left(GIB, GIB / 1000), "disk_full"));
    // Of a large one a thousandth is much.
    assert!(holds(&left(1 << 40, (16 << 20) - 1), "disk_full") && !holds(&left(1 << 40, 16 << 20), "disk_full"));
    let none = |row: Filesystem| Filesystem { inodes_free: 0.into(), ..row };
    let found = only(&on(none(filesystem("/srv", GIB, GIB / 2))));
    assert_eq!(found.statement, "/srv is full: none of its 65.5k inodes is left");
    assert!(!holds(&on(Filesystem { read_only: true, ..none(filesystem("/srv", GIB, 0)) }), "disk_full"));
    // What is not known is no figure.
    let unlimited = Filesystem { inodes_free: Known::unknown("no limit"), ..filesystem("/srv", GIB, 0) };
    let found = only(&on(unlimited));
    assert_eq!(
        found.evidence.iter().map(|one| one.what.as_str()).collect::<Vec<_>>(),
        ["available to others than root", "size"]
    );
    assert_eq!(found.statement, "/srv is full: 0 B of 1 GiB left, 51 MiB more for root");
}

#[test]
fn who_fails_to_write_is_a_victim_and_who_grows_it_a_culprit() {
    let row = Failing { who: victim(), syscall: "write".into(), errno: "ENOSPC".into(), errors: 1, tried: None };
    let full = with(on(filesystem("/srv", GIB, 0)), |snapshot| {
        snapshot.syscalls.as_mut().unwrap().failing = Some(vec![row]);
        snapshot.disk.as_mut().unwrap().growing = vec![growing(culprit(), 9 << 20)].into();
    });
    let found = look(&full).into_iter().find(|finding| finding.rule == "disk_full").unwrap();
    assert_eq!((first_pid(&found.victims), first_pid(&found.culprits)), (Some(430), Some(812)));
    assert!(
        found.statement.ends_with("postgres 430 cannot write; rsync 812 grows /srv/log/a\\x1b[2J by 9 MiB/s"),
        "{}",
        found.statement
    );
}

#[test]
fn a_file_system_fills_if_it_is_full_within_an_hour_and_within_twelve_times_what_was_seen() {
    let fills = |available, rates, watched_s| holds(&on(filling(available, rates, watched_s)), "disk_filling");
    let mib = 1 << 20;
    assert!(fills(3600 * mib, [mib, mib], 600) && !fills(3601 * mib, [mib, mib], 600));
    // In the last ten minutes, it grew less.
    assert!(!fills(3600 * mib, [2 * mib, mib / 2], 600));
    let two_hours = with(on(filling(3601 * mib, [mib, mib], 600)), |snapshot| {
        snapshot.disk.as_mut().unwrap().horizon_ns *= 2;
    });
    assert!(holds(&two_hours, "disk_filling"));
    assert!(fills(360 * mib, [mib, mib], 30) && !fills(361 * mib, [mib, mib], 30) && !fills(60 * mib, [mib, mib], 29));
    let steady = only(&on(filling(600 * mib, [2 * mib, mib], 600)));
    assert_eq!(steady.statement, "/srv is full in 300s if it goes on to grow by 2 MiB/s: 600 MiB left");
    assert_eq!(
        (steady.confidence(), only(&on(filling(600 * mib, [2 * mib + 1, mib], 600))).confidence()),
        ("high", "medium")
    );
}

#[test]
fn growth_has_a_name_from_a_tenth_on() {
    let mib = 1 << 20;
    let culprits = |bytes_per_s| {
        let snapshot = of(|disk| {
            disk.filesystems.push(filling(600 * mib, [10 * mib, 10 * mib], 600));
            disk.growing = vec![growing(culprit(), bytes_per_s)].into();
        });
        first_pid(&only(&snapshot).culprits)
    };
    assert_eq!([culprits(mib), culprits(mib - 1)], [Some(812), None]);
}

#[test]
fn deleted_files_are_told_where_they_take_a_tenth_of_what_is_nearly_full() {
    let held = |available: u64, bytes: u64, in_memory: bool| {
        of(|disk| {
            disk.filesystems.push(filesystem("/srv", 100 * GIB, available));
            let (path, mount) = ("/srv/old".to_owned().into(), "/srv".to_owned().into());
            let row = |bytes| DeletedOpen {
                who: victim(),
                path: Known::clone(&path),
                mount: Known::clone(&mount),
                bytes,
                size_bytes: bytes,
                in_memory,
                holders: 2,
                fd: 3,
                inode: bytes,
            };
            disk.deleted_open = vec![row(bytes / 2), row(bytes - bytes / 2)].into();
        })
    };
    // 76 of 95 that others can use are four fifths.
    let (most, least) = (19 * GIB, 10 * GIB);
    assert!(holds(&held(most, least, false), "deleted_open"));
    for snapshot in [held(most + GIB, least, false), held(most, least - 2, false), held(most, least, true)] {
        assert!(!holds(&snapshot, "deleted_open"));
    }
    let found = only(&held(most, least, false));
    assert!(found.statement.starts_with(
        "10 GiB of /srv are held by deleted files that are still open: postgres 430 has /srv/old open, 5 GiB"
    ));
}

#[test]
fn descriptors_are_told_from_nine_tenths_on() {
    let process = |open, limit| {
        let used_share = open as f64 / limit as f64;
        of(|disk| disk.descriptors = vec![Descriptors { who: victim(), open, limit, used_share, grew: 3 }].into())
    };
    assert!(holds(&process(900, 1000), "descriptors") && !holds(&process(899, 1000), "descriptors"));
    assert!(holds(&process(60, 64), "descriptors") && !holds(&process(63, 63), "descriptors"));
    let found = only(&process(950, 1000));
    assert_eq!(
        found.statement,
        "postgres 430 has 950 of 1k files open that it may have, 3 more than at the look before"
    );
    let host = |open| of(|disk| (disk.host.open, disk.host.limit) = (Some(open), Some(1000)));
    assert!(holds(&host(900), "descriptors") && !holds(&host(899), "descriptors"));
}
