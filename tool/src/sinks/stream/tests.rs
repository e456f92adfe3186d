use super::*;
use crate::{
    cli::plan::By,
    sinks::sample::{self, slow, who},
    snapshot::{
        Level, Unavailable, Who,
        syscalls::{Call, CallsBy, Mode, NOT_TIMED},
    },
    table::{Known, ROWS},
};

fn text(snapshot: &Snapshot, view: &View) -> String {
    let mut out = Vec::new();
    Stream::new(&mut out, view.clone()).snapshot(snapshot).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_busy_interval() {
    insta::assert_snapshot!(text(&sample::busy(), &sample::view()), @r"
    14:02:11  1.0s  pressure cpu 12% io 61%/44% mem 0%   self 0.21% cpu, 9 MiB, 17 lost (task table full 17)
    syscalls exact
    SYSCALL          CALLS/s  ERR/s   p50   p90   p99 p99.9   MAX  TIME/s  100ns LATENCY 10s  ERRORS
    fsync                390      0 9.2ms  41ms  41ms 388ms 390ms    4.6s          ▇█ ▂ ▁
    read                112k      0 311ns 1.2us 1.2us  65us 2.1ms   136ms  █ ▂  ▁  ▁
    openat             3.41k   1.3k 1.9us 7.7us 7.7us 7.7us 7.8us   8.9ms    █▂               ENOENT 93%
    epoll_wait            10      0  94ms  94ms  1.1s  1.1s  1.1s      2s             █  ▁
    2 more                28      0                                 920ms
    total               116k   1.3k 311ns 1.2us  65us 9.2ms  1.1s    7.6s  █▁▃▁ ▁  ▁▁ ▁ ▁▁    ENOENT 93%
    2 calls have no latency (2 began before start)
    3 calls were cut short by a signal

    SLOW >10ms           PID  CGROUP                    SYSCALL          COUNT   MAX TOTAL
    postgres             430  postgresql.service        fsync               38 390ms  7.4s
    \x1b[2J\x07…         812  backup.service            fsync                2  41ms  41ms
    unknown¹            9017  –                         openat               1  12ms   6ms
    ¹ ended before it could be looked up

    IN FLIGHT >10ms      PID  CGROUP                        TID  SYSCALL            AGE
    postgres             430  /                             431  fsync               –¹
    rsync                812  backup.service                812  write             1.1s
    ¹ since before start
    ");
}

#[test]
fn what_is_left_out_stands_in_the_header() {
    let mut busy = sample::busy();
    busy.cost.level = Level { budget_percent: 0.5, without: vec!["system calls", "dropped packets"] };
    let text = text(&busy, &sample::view()).replace("\n          ", " ");
    let expected = "17 lost (task table full 17), without system calls, dropped packets (budget 0.5% of all CPUs)";
    assert!(text.lines().next().unwrap().ends_with(expected), "{text}");
}

#[test]
fn eighty_columns() {
    let view = View { width: 80, top: 10, ..sample::view() };
    let text = text(&sample::busy(), &view);
    let table: String = text.lines().skip(2).take_while(|line| !line.starts_with('2')).collect::<Vec<_>>().join("\n");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    insta::assert_snapshot!(table, @r"
    SYSCALL          CALLS/s  ERR/s   p50   p90   p99 p99.9   MAX  TIME/s  100ns 10s
    fsync                390      0 9.2ms  41ms  41ms 388ms 390ms    4.6s      █▁▁
    read                112k      0 311ns 1.2us 1.2us  65us 2.1ms   136ms  █▂▁ ▁
    openat             3.41k   1.3k 1.9us 7.7us 7.7us 7.7us 7.8us   8.9ms   █
    epoll_wait            10      0  94ms  94ms  1.1s  1.1s  1.1s      2s       █ ▁
    clock_nanosleep       23      0  40ms  40ms  40ms  40ms  40ms   920ms       █
    32-bit calls         5.0      0 898ns 898ns 898ns 898ns 900ns   4.5us  █
    total               116k   1.3k 311ns 1.2us  65us 9.2ms  1.1s    7.6s  █▃▁ ▁▁▁▁
    ");
}

#[test]
fn nothing_happened_and_nothing_is_known() {
    insta::assert_snapshot!(text(&sample::idle(), &View { idle: true, ..sample::view() }), @r"
    14:02:12  250ms  pressure unavailable (PSI is off: boot with psi=1)   self 0.10%+? cpu, 9 MiB, 0 lost
    syscalls exact
    no system call returned in this interval
    no call over 10ms
    no call in flight for over 10ms
    ");
    let only = View { only: "pid 430".into(), ..sample::view() };
    assert!(text(&sample::idle(), &only).contains("syscalls exact   only pid 430\nno such system call returned"));
}

#[test]
fn blocked_mode_shows_sleeps_and_no_errors() {
    let mut snapshot = sample::busy();
    sample::blocked(&mut snapshot);
    sample::calls(&mut snapshot).slow.clear();
    let text = text(&snapshot, &sample::view());
    assert!(text.contains("\nsyscalls blocked (only calls that sleep)\n"), "{text}");
    assert!(text.contains("SLEEPS/s") && text.contains("no sleep over 10ms"), "{text}");
    assert!(!text.contains("ERR") && !text.contains("CALLS/s"), "{text}");
}

#[test]
fn a_row_without_any_latency_has_no_invented_one() {
    let mut snapshot = sample::idle();
    let latency = Known::unknown(NOT_TIMED);
    let row = Call { syscall: "read".into(), calls: Some(5), untimed: 5, latency, ..Call::none(Mode::Exact) };
    sample::calls(&mut snapshot).total = row.clone();
    sample::calls(&mut snapshot).rows.push(row);
    let text = text(&snapshot, &sample::view());
    let line = text.lines().find(|line| line.starts_with("read")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["read", "20", "0", "–", "–", "–", "–", "–", "–"]);
    assert!(text.contains("5 calls have no latency\n"), "{text}");
}

#[test]
fn how_many_rows_are_left_out() {
    let mut snapshot = sample::busy();
    let calls = sample::calls(&mut snapshot);
    calls.slow = vec![calls.slow[0].clone(); ROWS + 3].into();
    calls.slow.bound(|_| false);
    let drawn = text(&snapshot, &sample::view());
    assert!(drawn.contains("\n4095 more (--top 4096 shows all but 3, of which --json has the sums)\n"), "{drawn}");
    let drawn = text(&snapshot, &View { top: ROWS, ..sample::view() });
    assert!(drawn.contains("\n3 more (--json has their sums)\n"), "{drawn}");
}

#[test]
fn breakdowns() {
    let mut snapshot = sample::idle();
    let all = CallsBy { syscall: None, ..sample::by(slow(who(812, "rsync", "/b.service"), "", 50, 2_000_000), 3) };
    sample::calls(&mut snapshot).by = Some(vec![all].into());
    let drawn = text(&snapshot, &View { by: Some(By::Process), ..sample::view() });
    let (_, drawn) = drawn.split_once("--idle)\nno call in flight").unwrap();
    insta::assert_snapshot!(drawn.split_once('\n').unwrap().1, @r"

    BY PROCESS           PID  CGROUP                    CALLS/s  ERR/s   MAX  TIME/s
    rsync                812  b.service                     200     12   2ms   200ms
    ");

    let of = |cgroup: Option<&str>| Who {
        cgroup: cgroup.map(Into::into),
        unknown: cgroup.is_none().then_some("ended before it could be looked up".into()),
        ..Who::default()
    };
    let by = [of(Some("/system.slice/b.service")), of(Some("/")), of(None)];
    sample::calls(&mut snapshot).by =
        Some(by.map(|who| sample::by(slow(who, "write", 7, 900), 0)).into_iter().collect());
    let drawn = text(&snapshot, &View { by: Some(By::Cgroup), ..sample::view() });
    insta::assert_snapshot!(drawn[drawn.find("BY CGROUP").unwrap()..], @r"
    BY CGROUP                                           SYSCALL          CALLS/s  ERR/s   MAX  TIME/s
    b.service                                           write                 28      0 900ns    13us
    /                                                   write                 28      0 900ns    13us
    unknown¹                                            write                 28      0 900ns    13us
    ¹ ended before it could be looked up
    ");
}

#[test]
fn text_from_the_host_does_not_steer_the_terminal() {
    for colour in [false, true] {
        let text = text(&sample::busy(), &View { colour, ..sample::view() });
        assert!(!text.contains("\x1b[2J") && !text.contains(['\u{7}', '\u{9b}', '\u{202e}']), "{text}");
        assert_eq!(text.contains('\x1b'), colour);
    }
}

#[test]
fn a_closed_pipe_is_told() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = Stream::new(Closed, sample::view()).snapshot(&sample::idle()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn an_interval_is_one_write() {
    #[derive(Default)]
    struct Writes(usize);
    impl Write for &mut Writes {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            Ok(text.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut writes = Writes::default();
    Stream::new(&mut writes, sample::view()).snapshot(&sample::busy()).unwrap();
    assert_eq!(writes.0, 1);
}

#[test]
fn a_probe_that_is_unavailable_says_why_in_the_place_of_its_tables() {
    let unavailable = vec![Unavailable { probe: "io", why: "no memory \x1b[31m; tried again".into() }];
    let (busy, view) = (sample::busy(), sample::view());
    let text = frame(&Snapshot { unavailable, ..busy.clone() }, &view);
    let line = text.lines().last().unwrap();
    assert!(line.starts_with("io is unavailable: no memory ") && !line.contains('\x1b'), "{text}");
    assert!(text.starts_with(&frame(&busy, &view)), "the others go on");
}
