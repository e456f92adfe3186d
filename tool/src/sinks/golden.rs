//! Everything that text and JSON say of snapshots made by hand, to the byte: with what is known, and with what is not.

use std::time::Duration;

use super::{
    Sink, View, cpu,
    io::fixture,
    json::{self, Json},
    oom, sample,
    stream::Stream,
    tcp,
};
use crate::{
    cli::plan::By,
    findings::fixture::{change, filesystem},
    snapshot::{
        Snapshot, Who,
        changes::{Certainty, Change, ChangeKind, Changes, Did, FIRST_LOOK, Watch},
        cpu::{Cpu, Interrupt, InterruptKind, NOT_MEASURED, WaitsBy},
        disk::{
            CLOSED, DeletedOpen, Descriptors, Directory, DirtiedBy, Disk, ELSEWHERE, FIRST_WALK, Filesystem, Growing,
            HostFiles, NO_DIRECTORY, NO_WALK, SERVED, SEVERAL,
            holds::{Found, Hold, HoldKind},
        },
        io::{Device, Io},
        log::{HarmKind, HarmLine, Log, LogLine, LogSource, Severity, TOO_YOUNG, TimeOf, WAS_SILENT},
        tcp::{FlowsBy, Tcp},
    },
    table::{Known, Why},
};

/// What all sinks are asked for.
fn view() -> View {
    View { top: 10, slow_requests: Some(Duration::from_millis(100)), by: Some(By::Process), ..sample::view() }
}

fn json(snapshots: &[Snapshot]) -> String {
    let mut out = Vec::new();
    let mut sink = Json::new(&mut out, view());
    snapshots.iter().for_each(|snapshot| sink.snapshot(snapshot).unwrap());
    let text = String::from_utf8(out).unwrap();
    json::tests::lines(&text);
    text
}

/// At the widths at which the layout differs, and at one beyond.
fn text(snapshots: &[Snapshot]) -> String {
    let mut text = String::new();
    for width in [80, 120, 200] {
        let (mut out, stacks) = (Vec::new(), width > 80);
        let mut sink = Stream::new(&mut out, View { width, limit: width, stacks, kernel_threads: stacks, ..view() });
        snapshots.iter().for_each(|snapshot| sink.snapshot(snapshot).unwrap());
        text += &format!("== {width}\n{}", String::from_utf8(out).unwrap());
    }
    text
}

pub fn calls() -> Vec<Snapshot> {
    let mut asked = sample::busy();
    let calls = sample::calls(&mut asked);
    let errors = [3, 0, 0];
    calls.by = Some(calls.slow.iter().zip(errors).map(|(slow, errors)| sample::by(slow.clone(), errors)).collect());
    let mut blocked = asked.clone();
    sample::blocked(&mut blocked);
    sample::calls(&mut blocked).by.iter_mut().flatten().for_each(|row| row.syscall = None);
    vec![asked, blocked, sample::idle()]
}

pub fn ios() -> Vec<Snapshot> {
    let all = Io { blame: Some(fixture::blame()), slow: fixture::slow(), ..fixture::busy() };
    let untimed = Device { before_start: 2, ..fixture::untimed() };
    let all = [all, Io { devices: vec![untimed], ..fixture::idle() }, fixture::devices_only(), fixture::idle()];
    all.map(fixture::of).into()
}

pub fn tcps() -> Vec<Snapshot> {
    let mut grouped = tcp::tests::snapshot();
    let part = grouped.tcp.as_mut().unwrap();
    (part.by, part.drops) = (Some(FlowsBy::Remote), None);
    let flow = &mut part.flows[0];
    (flow.group, flow.connections, flow.netns, flow.interface) =
        (Some("10.0.0.2".into()), 3, Some(4_026_532_000), Some("eth0".into()));
    (flow.ends, flow.state, flow.sent) = (None, None, None);
    flow.owners.who = Who { unknown: Some("nobody has it open".into()), ..Who::default() };
    flow.trips = crate::snapshot::Latency::default();
    part.remotes[0].group = Some("10.0.0.0/24".into());
    let quiet = Snapshot { tcp: Some(Tcp::default()), ..tcp::tests::snapshot() };
    vec![tcp::tests::snapshot(), grouped, quiet]
}

pub fn ooms() -> Vec<Snapshot> {
    let quiet = Snapshot { oom: Some(crate::snapshot::oom::Oom::default()), ..oom::tests::snapshot() };
    let mut more = oom::tests::snapshot();
    let part = more.oom.as_mut().unwrap();
    part.kills.truncate(1);
    let kill = &mut part.kills[0];
    (kill.group, kill.exited) = (Some("/shop.slice".into()), Some(Duration::from_millis(9)));
    (kill.already_ending, kill.reconstructed) = (true, true);
    if let Ok(scope) = &mut kill.scope {
        scope.nodes = Some("0-1".into());
    }
    part.signals[0].by_oom = true;
    part.log_unavailable = Some("not allowed to read the kernel's log".into());
    part.unprotected = ["locked memory".to_owned()].into();
    part.limits[0].limit_bytes = None;
    part.reclaim[0].who.kernel_thread = true;
    vec![oom::tests::snapshot(), more, quiet]
}

pub fn cpu_times() -> Vec<Snapshot> {
    let of = |cpu: Cpu| Snapshot { syscalls: None, cpu: Some(cpu), ..sample::busy() };
    let interrupt = |name: Option<&str>, irq: Option<u32>| Interrupt {
        kind: if irq.is_none() { InterruptKind::Softirq } else { InterruptKind::Irq },
        name: name.map(Into::into),
        irq,
        count: 1_200,
        total_ns: 3_100_000,
        max_ns: 90_000,
    };
    let by = |who, latencies: &[(u64, u64)]| {
        let latency = sample::latency(latencies);
        WaitsBy { who, waits: latency.count, latency }
    };
    let mut all = cpu::tests::busy();
    all.scheduler.unsure = 4;
    all.running.value_mut().unwrap()[2].waited_ns = Known::unavailable(NOT_MEASURED);
    all.by = Some(vec![by(sample::who(430, "postgres", "/db"), &[(3_000, 9)]), by(sample::gone(977), &[])].into());
    all.interrupts = Some(vec![interrupt(Some("net_rx"), None), interrupt(None, Some(27))]);
    vec![of(all), of(cpu::tests::unknown()), of(cpu::tests::empty())]
}

pub fn disks() -> Vec<Snapshot> {
    let of = |disk: Disk| Snapshot { syscalls: None, disk: Some(disk), ..sample::busy() };
    let gib = 1 << 30;
    let grows = Filesystem {
        bytes_per_s: 8_388_608.into(),
        bytes_per_s_10m: (-4096).into(),
        full_in_ns: 27_000_000_000.into(),
        ..filesystem("/srv/data", 2 * gib, gib / 5)
    };
    let served = Known::Not(Why::NotLookedAt(SERVED.into()));
    let served = Filesystem {
        size_bytes: served.clone(),
        used_bytes: served.clone(),
        free_bytes: served.clone(),
        available_bytes: served,
        used_share: Known::unknown(SERVED),
        read_only: true,
        ..filesystem(sample::HOSTILE, gib, gib / 2)
    };
    let growing = |who: Who, path: Known<String>| Growing {
        who,
        path,
        mount: "/srv/data".to_owned().into(),
        bytes: 4_194_304,
        bytes_per_s: 8_388_608,
        size_bytes: 509_607_936,
        over_ns: 500_000_000,
        writers: 2,
        holder: 430,
        fd: 3,
        inode: 12,
        dirtied_by: Vec::new(),
    };
    let several = Who { unknown: Some(SEVERAL.into()), ..Who::default() };
    let part = |pid, comm: &str, share| DirtiedBy { who: sample::who(pid, comm, "/shop/orders.service"), share };
    let shared = Growing {
        dirtied_by: vec![part(430, "orders", 0.75), part(431, sample::HOSTILE, 0.25)],
        ..growing(several, Known::unknown(CLOSED))
    };
    let directory = |who: Who, path: Known<String>| Directory {
        who,
        path,
        mount: "/srv/data".to_owned().into(),
        files: 500,
        bytes: 32_768_000,
        bytes_per_s: 65_536_000,
        passing_bytes: 31_719_424,
        over_ns: 500_000_000,
        fd: 0,
        of: 0,
        inode: 11,
    };
    let deleted = DeletedOpen {
        who: sample::who(812, "rsync", "/backup.service"),
        path: "/srv/data/old".to_owned().into(),
        mount: Known::unknown(ELSEWHERE),
        bytes: 3 * gib,
        size_bytes: 3 * gib + 1,
        in_memory: true,
        holders: 3,
        fd: 7,
        inode: 13,
    };
    let descriptors =
        Descriptors { who: sample::gone(977), open: 950, limit: 1024, used_share: 950.0 / 1024.0, grew: -2 };
    let host = HostFiles { open: Some(1_234), limit: Some(u64::MAX >> 1) };
    let all = Disk {
        filesystems: vec![grows, served].into(),
        growing: vec![
            growing(sample::who(430, "orders", "/shop/orders.service"), "/srv/data/log/orders.log".to_owned().into()),
            growing(sample::who(7, sample::HOSTILE, "/"), sample::HOSTILE.to_owned().into()),
            shared,
        ]
        .into(),
        directories: vec![
            directory(sample::who(812, "spooler", "/shop/spool.service"), "/srv/data/spool".to_owned().into()),
            directory(sample::gone(7), Known::unknown(NO_DIRECTORY)),
        ]
        .into(),
        deleted_open: vec![deleted].into(),
        descriptors: vec![descriptors].into(),
        host,
        ..Disk::default()
    };
    let unknown = Disk {
        growing: Known::Not(Why::NotLookedAt(FIRST_WALK.into())),
        directories: Known::Not(Why::NotLookedAt(FIRST_WALK.into())),
        deleted_open: Known::unavailable(NO_WALK),
        descriptors: Known::unavailable(NO_WALK),
        ..Disk::default()
    };
    vec![of(all), of(unknown), of(Disk::default())]
}

pub fn changes() -> Vec<Snapshot> {
    let of = |changes: Changes| Snapshot { syscalls: None, changes: Some(changes), ..sample::busy() };
    let at = |text: &str| format!("2026-03-01T{text}Z").parse().unwrap();
    let kept = |kind, did, what: &str, time: &str| change(kind, did, what, at(time));
    let between = |kind, did, what: &str, time: &str| Change {
        after: Some(at("14:02:10.25")),
        certainty: Certainty::Between,
        ..kept(kind, did, what, time)
    };
    let some = |text: &str| Some(text.to_owned());
    let watch = |area: &str| Watch {
        area: area.into(),
        took_ns: 1_203_000.into(),
        goes_on_ns: None,
        left_out: 0,
        problem: None,
    };
    let unit = Who { cgroup: some("/system.slice/db.service"), ..Who::default() };
    let changes = vec![
        Change {
            from: some("ext4 /dev/vda read-write"),
            to: some("ext4 /dev/vda read-only"),
            ..between(ChangeKind::Mount, Did::Changed, "/", "14:02:11.25")
        },
        Change { who: Some(unit), ..between(ChangeKind::Unit, Did::Ended, "db.service", "14:02:11.25") },
        Change {
            who: Some(sample::who(812, sample::HOSTILE, "/backup")),
            ..kept(ChangeKind::Executable, Did::Replaced, "/usr/sbin/backup", "14:01:07.5")
        },
        kept(ChangeKind::File, Did::Written, sample::HOSTILE, "13:59:00.25"),
        Change {
            from: some("1.22.1-9"),
            to: some("1.22.2-1"),
            author: "alice (1000): apt-get upgrade".to_owned().into(),
            ..kept(ChangeKind::Package, Did::Upgraded, "nginx:amd64", "13:58:21")
        },
    ];
    let late = Watch { goes_on_ns: Some(70_000_000_000), left_out: 12, problem: some("/srv: gone"), ..watch("files") };
    let first = Known::Not(Why::NotLookedAt(FIRST_LOOK.into()));
    let first = Watch { took_ns: first, goes_on_ns: Some(9_000_000), ..watch("libraries") };
    let all = Changes { changes: changes.into(), watched: vec![watch("kernel"), late, first] };
    vec![of(all), of(Changes { watched: vec![watch("kernel")], ..Changes::default() })]
}

#[test]
fn json_of_changes() {
    insta::assert_snapshot!(json(&changes()));
}

#[test]
fn text_of_changes() {
    insta::assert_snapshot!(text(&changes()));
}

pub fn logs() -> Vec<Snapshot> {
    let of = |log: Log| Snapshot { syscalls: None, log: Some(log), ..sample::busy() };
    let source = |name: &str, lines: u64| LogSource {
        source: name.into(),
        lines: lines.into(),
        errors: (lines / 20).into(),
        harm: 0.into(),
        new: 2.into(),
        left_out: lines.saturating_sub(200).into(),
        unread: 0.into(),
        skipped_bytes: 0.into(),
        usual_per_s: Known::unknown(TOO_YOUNG),
        louder: Known::unknown(TOO_YOUNG),
    };
    let not = || Known::unknown("journald does not run here");
    let silent = LogSource {
        lines: not(),
        errors: not(),
        harm: not(),
        new: not(),
        left_out: not(),
        unread: not(),
        skipped_bytes: not(),
        ..source("journal", 0)
    };
    let loud = LogSource {
        usual_per_s: 12.5.into(),
        louder: 1_638.4.into(),
        skipped_bytes: (3 << 20).into(),
        unread: 9_000.into(),
        ..source("/var/log/postgresql/postgresql-15-main.log", 20_480)
    };
    let kernel = LogSource {
        usual_per_s: 0.0.into(),
        louder: Known::unknown(WAS_SILENT),
        harm: 1.into(),
        ..source("kernel", 3)
    };
    let line = |ms: i64, source: &str, text: &str| LogLine {
        at: sample::busy().at + jiff::SignedDuration::from_millis(ms - 1000),
        time_of: TimeOf::Line,
        source: source.into(),
        severity: None,
        unit: None,
        ident: None,
        who: Who::default(),
        new: None,
        bytes: text.len() as u64,
        encoded: false,
        text: text.into(),
    };
    let error = "I/O error, dev sda, sector 7864320 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2";
    let by = |ident: &str, who: Who, line: LogLine| LogLine { ident: Some(ident.into()), who, ..line };
    let lines = vec![
        LogLine { severity: Some(Severity::Error), new: Some(true), ..line(3, "kernel", error) },
        LogLine {
            severity: Some(Severity::Critical),
            bytes: 1 << 20,
            ..by("postgres", Who::living(430), line(120, &loud.source, "FATAL:  the database system is shutting down"))
        },
        LogLine { time_of: TimeOf::Before, ..line(120, &loud.source, "\tat a.b(C.java:7)\u{0}") },
        LogLine { encoded: true, ..line(250, &loud.source, r"\xff\xfe not text \x5c") },
        LogLine {
            unit: Some("app.service".into()),
            time_of: TimeOf::Arrival,
            new: Some(false),
            ..by(
                sample::HOSTILE,
                sample::who(812, "app", "/system.slice/app.service"),
                line(990, "journal", sample::HOSTILE),
            )
        },
    ];
    let harm = |kind, on: Option<&str>, text: Option<&str>| HarmLine {
        at: sample::busy().at,
        kind,
        on: on.map(Into::into),
        who: Who::default(),
        number: None,
        text: text.map(Into::into),
    };
    let harm = vec![
        HarmLine { number: Some(7_864_320), ..harm(HarmKind::IoError, Some("sda"), Some(error)) },
        HarmLine {
            who: sample::who(99, sample::HOSTILE, "/"),
            number: Some(122),
            ..harm(HarmKind::HungTask, None, Some("INFO: task fio:99 blocked for more than 122 seconds."))
        },
        HarmLine { number: Some(-3_200), ..harm(HarmKind::TimeStepped, None, None) },
    ];
    let all = Log { sources: vec![loud, kernel, source(sample::HOSTILE, 7), silent.clone()], lines, harm };
    vec![of(all), of(Log { sources: vec![silent], ..Log::default() }), of(Log::default())]
}

#[test]
fn json_of_logs() {
    insta::assert_snapshot!(json(&logs()));
}

#[test]
fn text_of_logs() {
    insta::assert_snapshot!(text(&logs()));
}

#[test]
fn json_of_calls() {
    insta::assert_snapshot!(json(&calls()));
}

#[test]
fn json_of_io() {
    insta::assert_snapshot!(json(&ios()));
}

#[test]
fn json_of_tcp() {
    insta::assert_snapshot!(json(&tcps()));
}

#[test]
fn json_of_oom() {
    insta::assert_snapshot!(json(&ooms()));
}

#[test]
fn json_of_cpu() {
    insta::assert_snapshot!(json(&cpu_times()));
}

#[test]
fn json_of_disk() {
    insta::assert_snapshot!(json(&disks()));
}

#[test]
fn text_of_disk() {
    insta::assert_snapshot!(text(&disks()));
}

#[test]
fn text_of_calls() {
    insta::assert_snapshot!(text(&calls()));
}

#[test]
fn text_of_io() {
    insta::assert_snapshot!(text(&ios()));
}

#[test]
fn text_of_tcp() {
    insta::assert_snapshot!(text(&tcps()));
}

#[test]
fn text_of_oom() {
    insta::assert_snapshot!(text(&ooms()));
}

#[test]
fn text_of_cpu() {
    insta::assert_snapshot!(text(&cpu_times()));
}

fn found() -> Vec<Found> {
    let hold = |who: Who, how, fd, what: &str| Hold { who, how, fd, what: what.to_owned() };
    let held = vec![
        hold(Who::default(), HoldKind::LoopDevice, None, "/dev/loop0: /srv/data/image"),
        hold(sample::who(430, "postgres", "/db"), HoldKind::WorkingDirectory, None, "/srv/data/base"),
        hold(sample::who(7, sample::HOSTILE, "/"), HoldKind::Writing, Some(3), sample::HOSTILE),
        hold(
            sample::gone(977),
            HoldKind::Connection,
            Some(12),
            "tcp 10.7.0.1:5432 → 10.7.0.2:53224 (netns 4026532177)",
        ),
    ];
    let of = |asked: &str, is: &str, holds| {
        let (asked, is) = (asked.to_owned(), is.to_owned());
        Found { at: sample::busy().at, asked, is, holds, orphans: 0, unread: Vec::new() }
    };
    let unread = vec!["process 812: not read in time".to_owned()];
    let held = Found { orphans: 3, unread, ..of("/srv/data", "the mount point of ext4 on /dev/sda1", held) };
    vec![held, of(sample::HOSTILE, "a file", Vec::new())]
}

#[test]
fn text_of_who_holds_something() {
    let mut text = Vec::new();
    let mut stream = Stream::new(&mut text, sample::view());
    found().iter().for_each(|found| stream.found(found).unwrap());
    insta::assert_snapshot!(String::from_utf8(text).unwrap());
}

#[test]
fn json_of_who_holds_something() {
    let mut text = Vec::new();
    let mut json = Json::new(&mut text, sample::view());
    found().iter().for_each(|found| json.found(found).unwrap());
    let text = String::from_utf8(text).unwrap();
    json::tests::lines(&text);
    insta::assert_snapshot!(text);
}
