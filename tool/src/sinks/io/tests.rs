use std::time::Duration;

use super::{fixture, *};
use crate::{
    sinks::{Sink, sample, stream::Stream},
    snapshot::io::{NO_STACK, Stalled},
    table::{Bounded, Known},
};

fn text(io: Io, view: View) -> String {
    let mut out = Vec::new();
    Stream::new(&mut out, view).snapshot(&fixture::of(io)).unwrap();
    let text = String::from_utf8(out).unwrap();
    // The header has tests of its own.
    text.split_once('\n').unwrap().1.to_owned()
}

fn all() -> View {
    View { top: 10, ..sample::view() }
}

#[test]
fn a_busy_interval() {
    insta::assert_snapshot!(text(fixture::busy(), all()), @r"
    io
    DEVICE           OP           IO/s MiB/s  QUEUE p99  DEVICE p50   p99 p99.9   MAX  ERR/s  IN FLIGHT OLDEST
      100ns LATENCY 10s
    sdb              read            0     0          –           –     –     –     –      0         17    42s

    sda              write         389   188      306ms       9.2ms 394ms 394ms 402ms      0         64   2.1s
               █  ▃▁
    sda              sync write     23  <0.1       39us       9.2ms  94ms  94ms  95ms    2.0          0
               █ ▂
    dm-0 (vg0-root)  read        1.01k   3.9          –       109us 109us   2ms   2ms      0          0
            █ ▁
    dm-0: no request queue, times are from submission to completion
    1 request has no latency (iostats of the queue is off, or it was lost)

    STALLED              PID  CGROUP                    WAITS TOTAL   MAX      NOW  WAITING FOR
    rsync                812  backup.service               41  3.1s 390ms  1.1s ×3  write: writeback throttling on sda
    postgres             430  postgresql.service            8 612ms 390ms        –  fsync: journal commit on sda, woken by
                                                                                    jbd2/sda1-8
    unknown¹             977  –                             0    1s     –       –²  page read on sdb
    \x1b[2J\x07…        7001  /                             2 153ms 390ms        –  short waits
    ¹ ended before it could be looked up
    ² since before start

    CAUSED BY            PID  CGROUP                    DEVICE  MiB/s  IO/s  DEVICE TIME  HOW
    rsync                812  backup.service            sda       170   374          91%  writeback: pages it dirtied
    unknown¹               –  –                         sda        11    24           6%  writeback
    journal                –  –                         sda       5.6    13           3%  journal
    \x1b[2J\x07…        7001  /                         sda       0.8   2.0          <1%  its own requests
    unknown²            9017  –                         sda       0.2   1.0          <1%  file reads
    unknown³               –  –                         dm-0        0   1.0            –  unknown
    ¹ pages dirtied before we started
    ² ended before it could be looked up
    ³ not followed
    ");
}

#[test]
fn a_hundred_columns_and_eighty() {
    insta::assert_snapshot!(text(fixture::busy(), View { width: 100, ..all() }), @r"
    io
    DEVICE           OP           IO/s MiB/s  QUEUE p99  DEVICE p50   p99   MAX  ERR/s  IN FLIGHT OLDEST  100ns 10s
    sdb              read            0     0          –           –     –     –      0         17    42s
    sda              write         389   188      306ms       9.2ms 394ms 402ms      0         64   2.1s      █ ▃
    sda              sync write     23  <0.1       39us       9.2ms  94ms  95ms    2.0          0             █▂
    dm-0 (vg0-root)  read        1.01k   3.9          –       109us 109us   2ms      0          0            █▁
    dm-0: no request queue, times are from submission to completion
    1 request has no latency (iostats of the queue is off, or it was lost)

    STALLED              PID  CGROUP                    WAITS TOTAL   MAX      NOW  WAITING FOR
    rsync                812  backup.service               41  3.1s 390ms  1.1s ×3  write: writeback throttling on sda
    postgres             430  postgresql.service            8 612ms 390ms        –  fsync: journal commit on sda, woken by
                                                                                    jbd2/sda1-8
    unknown¹             977  –                             0    1s     –       –²  page read on sdb
    \x1b[2J\x07…        7001  /                             2 153ms 390ms        –  short waits
    ¹ ended before it could be looked up
    ² since before start

    CAUSED BY            PID  CGROUP                    DEVICE  MiB/s  IO/s  DEVICE TIME  HOW
    rsync                812  backup.service            sda       170   374          91%  writeback
    unknown¹               –  –                         sda        11    24           6%  writeback
    journal                –  –                         sda       5.6    13           3%  journal
    \x1b[2J\x07…        7001  /                         sda       0.8   2.0          <1%  direct
    unknown²            9017  –                         sda       0.2   1.0          <1%  read
    unknown³               –  –                         dm-0        0   1.0            –  unknown
    ¹ pages dirtied before we started
    ² ended before it could be looked up
    ³ not followed
    ");
    let narrow = text(fixture::busy(), View { width: 80, ..all() });
    insta::assert_snapshot!(narrow, @r"
    io
    DEVICE  OP           IO/s MiB/s  Q p99    p50   p99   MAX  ERR/s  DEPTH OLDEST
    sdb     read            0     0      –      –     –     –      0     17    42s
    sda     write         389   188  306ms  9.2ms 394ms 402ms      0     64   2.1s
    sda     sync write     23  <0.1   39us  9.2ms  94ms  95ms    2.0      0
    dm-0    read        1.01k   3.9      –  109us 109us   2ms      0      0
    dm-0: no request queue, times are from submission to completion
    1 request has no latency (iostats of the queue is off, or it was lost)

    STALLED              PID  CGROUP        WAITS TOTAL   MAX      NOW  WAITING FOR
    rsync                812  backup.serv…     41  3.1s 390ms  1.1s ×3  write: writeback throttling on sda
    postgres             430  postgresql.…      8 612ms 390ms        –  fsync: journal commit on sda, woken by jbd2/sda1-8
    unknown¹             977  –                 0    1s     –       –²  page read on sdb
    \x1b[2J\x07…        7001  /                 2 153ms 390ms        –  short waits
    ¹ ended before it could be looked up
    ² since before start

    CAUSED BY            PID  CGROUP        DEVICE  MiB/s  IO/s  TIME  HOW
    rsync                812  backup.serv…  sda       170   374   91%  writeback
    unknown¹               –  –             sda        11    24    6%  writeback
    journal                –  –             sda       5.6    13    3%  journal
    \x1b[2J\x07…        7001  /             sda       0.8   2.0   <1%  direct
    unknown²            9017  –             sda       0.2   1.0   <1%  read
    unknown³               –  –             dm-0        0   1.0     –  unknown
    ¹ pages dirtied before we started
    ² ended before it could be looked up
    ³ not followed
    ");
}

#[test]
fn what_is_asked_for_is_added() {
    let io = Io { blame: Some(fixture::blame()), slow: fixture::slow(), ..fixture::busy() };
    let view = View { top: 2, slow_requests: Some(Duration::from_millis(100)), stacks: true, ..all() };
    insta::assert_snapshot!(text(io, view), @r"
    io
    SLOW >100ms   DEVICE  OP              SECTOR     SIZE  QUEUE DEVICE TOTAL  OWNER                PID  HOW
    14:02:11.250  sda     write       1953525160  1.3 MiB  101ms  302ms 402ms  rsync                812  writeback
    14:02:11.502  dm-0¹   sync write  1953525160    4 KiB      –      –    1s  \x1b[2J\x07…        7001  direct
    1 more (--top 3 shows all)
    ¹ failed

    DEVICE  OP           IO/s MiB/s  QUEUE p99  DEVICE p50   p99 p99.9   MAX  ERR/s  IN FLIGHT OLDEST  100ns LATENCY 10s
    sdb     read            0     0          –           –     –     –     –      0         17    42s
    sda     write         389   188      306ms       9.2ms 394ms 394ms 402ms      0         64   2.1s           █  ▃▁
    2 more (--top 4 shows all)

    STALLED              PID  CGROUP                    WAITS TOTAL   MAX      NOW  WAITING FOR
    rsync                812  backup.service               41  3.1s 390ms  1.1s ×3  write: writeback throttling on sda
    postgres             430  postgresql.service            8 612ms 390ms        –  fsync: journal commit on sda, woken by
                                                                                    jbd2/sda1-8
        jbd2_log_wait_commit < ext4_sync_file < do_fsync
    2 more (--top 4 shows all)

    CAUSED BY            PID  CGROUP                    DEVICE  MiB/s  IO/s  DEVICE TIME  HOW
    rsync                812  backup.service            sda       170   374          91%  writeback: pages it dirtied
    unknown¹               –  –                         sda        11    24           6%  writeback
    4 more (--top 6 shows all)
    ¹ pages dirtied before we started

    VICTIM               PID  WAITED  DEVICE  BLAMED ON            PID  SHARE  HOW
    postgres             430   612ms  sda     rsync                812    92%  writeback: pages it dirtied
    postgres             430   612ms  sda     postgres             430     8%  cache flushes it asked for
    1 more (--top 3 shows all)
    ");
}

#[test]
fn requests_and_blame_in_eighty_columns() {
    let io = Io { blame: Some(fixture::blame()), slow: fixture::slow(), ..fixture::idle() };
    let text = text(io, View { width: 80, slow_requests: Some(Duration::from_millis(100)), ..all() });
    // A failure is worth a longer line.
    assert!(text.lines().all(|line| line.ends_with("failed") || line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text, @r"
    io
    SLOW >100ms   DEVICE  OP          QUEUE DEVICE TOTAL  OWNER                PID
    14:02:11.250  sda     write       101ms  302ms 402ms  rsync                812
    14:02:11.502  dm-0¹   sync write      –      –    1s  \x1b[2J\x07…        7001
    14:02:11.900  sda     write        30ms   89ms 118ms  rsync                812
    ¹ failed

    no block I/O in this interval
    nobody was stalled in this interval
    nobody caused I/O in this interval

    VICTIM               PID  WAITED  DEVICE  BLAMED ON            PID  SHARE
    postgres             430   612ms  sda     rsync                812    92%
    postgres             430   612ms  sda     postgres             430     8%
    postgres             430   612ms  sda     unknown¹               –    <1%
    ¹ pages dirtied before we started
    ");
}

#[test]
fn nothing_happened() {
    insta::assert_snapshot!(text(fixture::idle(), all()), @r"
    io
    no block I/O in this interval
    nobody was stalled in this interval
    nobody caused I/O in this interval
    ");
    let io = Io { blame: Some(Bounded::default()), ..fixture::idle() };
    let view = View {
        slow_requests: Some(Duration::from_millis(100)),
        whose: true,
        which_devices: true,
        only: "pid 430, device sda".into(),
        ..all()
    };
    insta::assert_snapshot!(text(io, view), @r"
    io   only pid 430, device sda
    no request over 100ms
    no block I/O of such a device in this interval
    no such process was stalled in this interval
    no such process caused I/O in this interval
    no such process waited for a device in this interval
    ");
}

#[test]
fn devices_only() {
    insta::assert_snapshot!(text(fixture::devices_only(), all()), @r"
    io devices
    DEVICE     OP           IO/s MiB/s  QUEUE p99  DEVICE p50   p99 p99.9   MAX  100ns LATENCY 10s
    nvme0n1p1  read           5k    20      1.1us        80us  80us  80us 900us       █ ▁
    ");
}

#[test]
fn a_hung_disk_is_not_cut() {
    let mut io = fixture::idle();
    let busy = fixture::busy().devices;
    io.devices = vec![busy[0].clone(); 20];
    io.devices.push(fixture::hung());
    let text = text(io, View { top: 1, ..all() });
    let row = text.lines().nth(2).unwrap();
    assert!(row.starts_with("sdb ") && row.contains(" 17 ") && row.contains(" 42s"), "{text}");
    assert!(text.contains("\n20 more (--top 21 shows all)\n"), "{text}");
}

#[test]
fn in_flight_without_an_age_and_no_latency_at_all() {
    let device = fixture::untimed();
    let text = text(Io { devices: vec![device], ..Io::default() }, all());
    let row: Vec<_> = text.lines().nth(2).unwrap().split_whitespace().collect();
    assert_eq!(row, ["sdb", "read", "5.0", "0", "–", "–", "–", "–", "–", "17", "–"]);
    assert!(text.contains("5 requests have no latency"), "{text}");
}

#[test]
fn kernel_threads_on_demand() {
    let only =
        |io: Io| io.stalled.value().unwrap().iter().filter(|row| row.kernel_thread).cloned().collect::<Vec<Stalled>>();
    let io = Io { stalled: only(fixture::busy()).into(), ..fixture::idle() };
    let hidden = text(io.clone(), all());
    assert!(hidden.contains("nobody was stalled in this interval (kernel threads left out: --kernel-threads)\n"));
    let shown = text(io, View { kernel_threads: true, ..all() });
    assert!(shown.contains("\njbd2/sda1-8          218  "), "{shown}");
}

#[test]
fn a_wait_that_goes_on_is_not_called_short() {
    let mut row = fixture::busy().stalled.value_mut().unwrap().swap_remove(0);
    row.reason = Known::unknown(NO_STACK);
    let text = text(Io { stalled: vec![row].into(), ..fixture::idle() }, all());
    assert!(text.contains("  1.1s ×3  write: reason not known on sda\n"), "{text}");
}

#[test]
fn a_stack_is_a_line_below() {
    let mut io = fixture::idle();
    let mut row = fixture::busy().stalled.value_mut().unwrap().swap_remove(1);
    row.stack[1] = "\u{1b}[2Jevil".into();
    io.stalled = vec![row].into();
    let text = text(io, View { stacks: true, ..all() });
    assert!(text.contains("\n    jbd2_log_wait_commit < \\x1b[2Jevil < do_fsync\n"), "{text}");
}

#[test]
fn text_from_the_host_does_not_steer_the_terminal() {
    let nasty = || sample::HOSTILE.to_owned();
    let mut io = Io { blame: Some(fixture::blame()), slow: fixture::slow(), ..fixture::busy() };
    for device in &mut io.devices {
        (device.device, device.alias) = (nasty(), Some(nasty()));
    }
    for row in io.stalled.value_mut().into_iter().flatten() {
        (row.reason, row.syscall, row.device, row.woken_by) =
            (nasty().into(), nasty().into(), nasty().into(), Some(nasty()));
        row.stack = vec![nasty(), nasty()];
    }
    for row in io.caused_by.value_mut().into_iter().flatten() {
        row.device = nasty();
    }
    for part in io.blame.iter_mut().flatten() {
        (part.victim.comm, part.culprit.comm, part.device) = (Some(nasty()), Some(nasty()), nasty());
    }
    for request in &mut io.slow {
        request.device = nasty();
    }
    for width in [80, 100, 120] {
        let text = text(io.clone(), View { width, stacks: true, kernel_threads: true, ..all() });
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{text}");
    }
}
