use std::time::Duration;

use clap::CommandFactory;

use super::{
    plan::{By, Pins},
    *,
};

fn run(line: &str) -> Result<Command, Refusal> {
    let here = Surroundings { terminal: true, ..Surroundings::default() };
    parse_from(std::iter::once("stillwatch").chain(line.split_whitespace()), here, |name| match name {
        "backup.service" => Ok(plan::Cgroup {
            dir: "/sys/fs/cgroup/system.slice/backup.service".into(),
            path: "/system.slice/backup.service".into(),
        }),
        _ => Err("no such cgroup".into()),
    })
}

fn plan_of(line: &str) -> Plan {
    match run(line) {
        Ok(Command::Run(plan)) => *plan,
        other => panic!("{line}: {other:?}"),
    }
}

fn calls_of(line: &str) -> plan::Syscalls {
    plan_of(line).syscalls.unwrap()
}

fn io_of(line: &str) -> plan::Io {
    plan_of(line).io.unwrap()
}

/// A block device of this machine, if it has any.
fn some_device() -> Option<String> {
    std::fs::read_dir("/sys/class/block").ok()?.flatten().find_map(|entry| entry.file_name().into_string().ok())
}

fn wrong(line: &str) -> String {
    match run(line) {
        Err(Refusal::Wrong(line)) => line,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_definition_is_sound() {
    Top::command().debug_assert();
}

#[test]
fn no_words_mean_everything_every_second() {
    let plan = plan_of("");
    assert_eq!((plan.interval, plan.count, plan.top), (Duration::from_secs(1), None, 10));
    assert!(plan.colour && !plan.json && plan.overview && !plan.is_live());
    assert!(plan.io.is_some() && plan.oom.is_some() && plan.cpu.is_some() && plan.tcp.is_some_and(|tcp| tcp.drops));
    let syscalls = plan.syscalls.unwrap();
    // A call that does not sleep costs nothing.
    assert_eq!((syscalls.mode, syscalls.failing), (Mode::Long, false));
    let exact = calls_of("--exact 5");
    assert_eq!((exact.mode, exact.failing), (Mode::Exact, true));
    let syscalls = calls_of("syscalls");
    assert!(!plan_of("syscalls").overview && !syscalls.failing);
    assert_eq!((syscalls.mode, syscalls.slow, syscalls.draw), (Mode::Exact, Duration::from_millis(10), Draw::Tables));
}

#[test]
fn interval_and_count_with_and_without_a_probe() {
    for line in ["250ms 7 --json", "--json 250ms 7", "syscalls 250ms 7 --json", "syscalls --json 250ms 7"] {
        let plan = plan_of(line);
        assert_eq!((plan.interval, plan.count, plan.json), (Duration::from_millis(250), Some(7), true), "{line}");
    }
}

#[test]
fn flags_reach_the_plan() {
    let me = std::process::id();
    let line = format!(
        "syscalls -p {me},{me} -p {me} --comm cp -c backup.service --syscall read,write --errors --by cgroup --idle \
         --slow 2s --top 3 --color never"
    );
    let plan = plan_of(&line);
    assert_eq!(plan.filter.pids, [me]);
    assert_eq!(plan.filter.comm.as_deref(), Some("cp"));
    assert!(plan.filter.cgroup.is_some_and(|cgroup| cgroup.dir.ends_with("backup.service")));
    let syscalls = plan.syscalls.unwrap();
    assert_eq!(syscalls.only, ["read", "write"].map(|name| syscall_names::number(name).unwrap()));
    assert!(syscalls.errors && syscalls.idle && !plan.colour);
    assert_eq!((syscalls.by, syscalls.slow, plan.top), (Some(By::Cgroup), Duration::from_secs(2), 3));
    assert_eq!(calls_of("syscalls --hist read").draw, Draw::Hist("read".into()));
    assert_eq!(calls_of("syscalls --heat --blocked").draw, Draw::Heat);
}

#[test]
fn a_common_flag_without_a_probe_reaches_the_overview() {
    let me = std::process::id();
    let plan = plan_of(&format!("-p {me} --top 3 5 12"));
    assert_eq!((plan.filter.pids, plan.top, plan.count), (vec![me], 3, Some(12)));
    assert!(plan.overview && plan.io.is_some());
}

#[test]
fn flags_of_io_reach_the_plan() {
    let plan = plan_of("io");
    assert!(plan.syscalls.is_none());
    let io = plan.io.unwrap();
    assert!(!(io.devices_only || io.stacks || io.blame || io.kernel_threads) && io.only.is_empty());
    assert_eq!((io.stall, io.slow), (Duration::from_millis(1), None));

    let me = std::process::id();
    let plan = plan_of(&format!("io 250ms 7 -p {me} -c backup.service --json --blame --stacks --kernel-threads"));
    assert_eq!((plan.interval, plan.count, plan.json), (Duration::from_millis(250), Some(7), true));
    assert!(plan.filter.pids == [me] && plan.filter.cgroup.is_some());
    let io = plan.io.unwrap();
    assert!(io.stacks && io.blame && io.kernel_threads && !io.devices_only);

    let io = io_of("io --stall 50ms --slow 2");
    assert_eq!((io.stall, io.slow), (Duration::from_millis(50), Some(Duration::from_secs(2))));
    let Some(device) = some_device() else { return };
    let io = io_of(&format!("io --devices -d {device},{device} --device {device} 5"));
    assert!(io.devices_only);
    assert_eq!(io.only, [device]);
}

#[test]
fn colour_wants_a_terminal_and_obeys_no_color_unless_told() {
    let colour = |terminal, no_color, flag| {
        let words = ["stillwatch", "--color", flag];
        match parse_from(words, Surroundings { terminal, no_color, ..Surroundings::default() }, |_| Err(String::new()))
        {
            Ok(Command::Run(plan)) => plan.colour,
            other => panic!("{other:?}"),
        }
    };
    assert!(colour(true, false, "auto") && !colour(true, true, "auto") && !colour(false, false, "auto"));
    assert!(colour(false, true, "always") && !colour(true, false, "never"));
}

#[test]
fn mistakes_are_named_in_one_line_with_what_to_do() {
    let table = [
        ("syscals", "there is no probe 'syscals'; did you mean 'syscalls'? (stillwatch --help lists them)"),
        ("qqq", "there is no probe 'qqq' (stillwatch --help lists them)"),
        ("1 syscalls", "'syscalls' has to come first: write stillwatch syscalls ..."),
        ("--json doctor", "'doctor' has to come first: write stillwatch doctor ..."),
        ("--blocked", "'--blocked' belongs to a probe: write stillwatch syscalls ... --blocked"),
        ("0", "invalid value '0' for '[INTERVAL]': give 10ms to 24h"),
        ("-1", "invalid value '-1' for '[INTERVAL]': write a duration like 1, 0.5, 250ms, 2s or 1m"),
        ("syscalls -250ms", "'-250ms' is negative; write a duration like 1, 0.5, 250ms or 1m"),
        ("syscalls 1 -1", "invalid value '-1' for '[COUNT]': write a whole number, 1 or more"),
        ("syscalls 1 0", "invalid value '0' for '[COUNT]': write a whole number, 1 or more"),
        ("syscalls 1 2 3", "'3' is one word too many; see --help"),
        ("syscalls fast", "invalid value 'fast' for '[INTERVAL]': write a duration like 1, 0.5, 250ms, 2s or 1m"),
        ("syscalls -p 4294967295", "invalid value '4294967295' for '--pid <PID>': there is no such process"),
        ("-p 1,-3", "invalid value '-3' for '--pid <PID>': write a process number, 1 or more"),
        ("--top 0", "invalid value '0' for '--top <N>': write a whole number, 1 or more"),
        ("-c nowhere", "invalid value 'nowhere' for '--cgroup <CGROUP>': no such cgroup"),
        (
            "syscalls --syscall read,wirte",
            "invalid value 'wirte' for '--syscall <NAME>': no such system call here; did you mean 'write'?",
        ),
        ("syscalls --blocked --errors", "the argument '--blocked' cannot be used with '--errors'; see --help"),
        ("syscalls --heat --hist read", "the argument '--heat' cannot be used with '--hist <NAME>'; see --help"),
        ("syscalls --json --heat", "the argument '--json' cannot be used with '--heat'; see --help"),
        ("syscalls --json --hist read", "the argument '--json' cannot be used with '--hist <NAME>'; see --help"),
        ("syscalls --syscall read --hist write", "--syscall leaves out 'write', which --hist is to draw"),
        (
            "io -d nosuch",
            "invalid value 'nosuch' for '--device <DEVICE>': there is no such block device (ls /sys/class/block lists \
             them)",
        ),
        ("io --devices --blame", "the argument '--devices' cannot be used with '--blame'; see --help"),
        ("io --slow 1 --devices", "the argument '--slow <DURATION>' cannot be used with '--devices'; see --help"),
        ("io --devices --stall 5ms", "the argument '--devices' cannot be used with '--stall <DURATION>'; see --help"),
        ("io --devices --comm cp", "the argument '--devices' cannot be used with '--comm <NAME>'; see --help"),
        ("io --stall 0", "invalid value '0' for '--stall <DURATION>': give 100us to 24h"),
        (
            "io --slow 0",
            "invalid value '0' for '--slow <DURATION>': give 100us to 24h; all requests are in the histograms",
        ),
        ("io --stall -1", "invalid value '-1' for '--stall <DURATION>': write a duration like 1, 0.5, 250ms, 2s or 1m"),
        ("io --slow -5ms", "'-5ms' is negative; write a duration like 1, 0.5, 250ms or 1m"),
        ("io -1", "invalid value '-1' for '[INTERVAL]': write a duration like 1, 0.5, 250ms, 2s or 1m"),
        ("io --top 0", "invalid value '0' for '--top <N>': write a whole number, 1 or more"),
        ("io --json --plain", "the argument '--json' cannot be used with '--plain'; see --help"),
        ("1 io", "'io' has to come first: write stillwatch io ..."),
        ("--blame", "'--blame' belongs to a probe: write stillwatch io ... --blame"),
        ("-d sda", "'-d' belongs to a probe: write stillwatch io ... -d"),
        (
            "--slow 1s",
            "'--slow' belongs to a probe: write stillwatch syscalls ... --slow or stillwatch io ... --slow or stillwatch tcp ... --slow or stillwatch cpu ... --slow",
        ),
        ("io --heat", "'--heat' belongs to syscalls; see --help"),
        ("syscalls -d sda", "'-d' belongs to io; see --help"),
        ("io --stak", "there is no flag '--stak'; did you mean '--stacks'?"),
        ("--tops 3", "there is no flag '--tops'; did you mean '--top'?"),
        ("doctor --qqq", "there is no flag '--qqq' here; see --help"),
        ("completions", "the following required arguments were not provided: <SHELL>; see --help"),
    ];
    for (line, expected) in table {
        assert_eq!(wrong(line), expected, "{line}");
    }
    assert!(wrong("syscalls --colour never").ends_with("did you mean '--color'?"));
}

#[test]
fn completions_and_man_come_from_the_same_definition() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let script = String::from_utf8(completions(shell)).unwrap();
        assert!(["syscalls", "heat", "kernel-threads"].iter().all(|part| script.contains(part)), "{shell}");
    }
    let page = String::from_utf8(man().unwrap()).unwrap();
    for part in ["INTERVAL", "doctor", "FLAGS OF SYSCALLS", "heat", "FLAGS OF IO", "blame", "EXAMPLES"] {
        assert!(page.contains(part), "{part}");
    }
    // Under its own heading only what the others lack.
    let (_, io) = page.split_once("FLAGS OF IO").unwrap();
    let (io, rest) = io.split_once("FLAGS OF").unwrap();
    let (_, examples) = rest.split_once("EXAMPLES").unwrap();
    for flag in Top::command().find_subcommand("io").unwrap().get_arguments().filter_map(|arg| arg.get_long()) {
        let shared = Top::command().get_arguments().any(|arg| arg.get_long() == Some(flag));
        assert_eq!(io.contains(&format!("\\-\\-{}", flag.replace('-', "\\-"))), !shared, "{flag}: {io}");
    }
    assert!(!io.contains("heat") && examples.contains("stillwatch io \\-\\-blame"), "{examples}");
}

#[test]
fn the_examples_of_the_help_are_accepted() {
    let me = std::process::id().to_string();
    let texts = [
        examples::TOP_EXAMPLES,
        examples::SYSCALLS_EXAMPLES,
        examples::IO_EXAMPLES,
        examples::TCP_EXAMPLES,
        examples::OOM_EXAMPLES,
        examples::CPU_EXAMPLES,
        examples::DISK_EXAMPLES,
        keep::RECORD_EXAMPLES,
        keep::REPLAY_EXAMPLES,
    ];
    let lines = texts.into_iter().flat_map(str::lines);
    let device = some_device().map(|device| format!(" -d {device}")).unwrap_or_default();
    let mut seen = 0;
    for line in lines.filter_map(|line| line.strip_prefix("  stillwatch")) {
        let words = line.strip_prefix(' ').filter(|words| !words.starts_with(' ')).unwrap_or_default();
        let (words, _) = words.split_once("  ").unwrap_or((words, ""));
        // The shell takes the redirection; the process numbers and the disk are examples.
        let (words, _) = words.split_once(" >").unwrap_or((words, ""));
        let words = words.replace("430,812", &me).replace("430", &me).replace(" -d sda", &device);
        let words = words.replace(" -c web.service", "");
        assert!(matches!(run(&words), Ok(_) | Err(Refusal::Asked(_))), "{words}: {:?}", run(&words));
        seen += 1;
    }
    assert!(seen > 20);
}

#[test]
fn a_recorder_runs_the_overview_within_limits() {
    let plan = plan_of("record /data 250ms --keep 7d --max 2GiB --on kill --sync 5s");
    assert_eq!(plan.save.as_deref(), Some(std::path::Path::new("/data")));
    assert!(plan.overview && plan.interval == Duration::from_millis(250) && plan.budget_percent == 1.0);
    let keep = plan.keep.unwrap();
    assert_eq!((keep.limits.keep, keep.limits.bytes), (Duration::from_secs(7 * 86_400), 2 << 30));
    assert_eq!((keep.pins, keep.limits.sync), (Pins { findings: false, kills: true }, Duration::from_secs(5)));
    let plan = plan_of("record");
    assert_eq!((plan.save, plan.interval), (Some("/var/lib/stillwatch".into()), Duration::from_secs(1)));
    let other = plan_of("record 5");
    assert_eq!((other.save, other.interval), (Some("/var/lib/stillwatch".into()), Duration::from_secs(5)));
    let keep = plan.keep.unwrap();
    assert_eq!((keep.limits.before, keep.limits.after), (Duration::from_secs(300), Duration::from_secs(120)));
    assert_eq!(keep.pins, Pins { findings: true, kills: true });
    assert_eq!(plan_of("record --on none").keep.unwrap().pins, Pins::NONE);
}

fn replayed_of(line: &str) -> Replay {
    match run(line) {
        Ok(Command::Replay(replayed)) => replayed,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn flags_of_replay_stand_anywhere() {
    for line in [
        "replay a.swr --from 14:02 --findings=recorded io --json -p 7",
        "replay a.swr io --json -p 7 --from 14:02 --findings=recorded",
    ] {
        let replayed = replayed_of(line);
        assert_eq!(replayed.path, PathBuf::from("a.swr"));
        assert_eq!(replayed.excerpt.from, Some(plan::When::Clock("14:02".parse().unwrap())));
        assert_eq!(replayed.findings, plan::Told::Recorded);
        assert_eq!(replayed.rest, ["io", "--json", "-p", "7"]);
    }
}

#[test]
fn a_recording_is_shown_as_it_was_asked_for_unless_a_probe_is_named() {
    let here = Surroundings::default();
    let words = |line: &str| line.split_whitespace().map(String::from).collect::<Vec<_>>();
    let shown = |recorded: &str, rest: &str| {
        let rest: Vec<OsString> = rest.split_whitespace().map(OsString::from).collect();
        replayed(&words(recorded), &rest, here).unwrap()
    };
    // Neither process nor device nor cgroup has to be here.
    let plan = shown("io 0.5 -d nosuch -p 4194000 --slow 7ms --json --save x", "--top 3");
    let io = plan.io.as_ref().unwrap();
    assert_eq!((plan.probes(), plan.top, plan.json, plan.interval), (vec!["io"], 3, false, Duration::ZERO));
    assert_eq!(
        (io.slow, &*io.only[0], &*plan.filter.pids),
        (Some(Duration::from_millis(7)), "nosuch", &[4_194_000][..])
    );
    assert_eq!(shown("io -p 7", "-p 8").filter.pids, [8]);
    let plan = shown("record /data", "tcp --json -c web.service");
    assert!(plan.json && plan.probes() == ["tcp"] && plan.keep.is_none());
    assert!(plan.filter.cgroup.unwrap().holds("/system.slice/web.service/a"));
    assert!(shown("record /data", "").overview);
    assert!(shown("--flag-of-a-later-version", "").overview);
    let longer = shown("record /data", "5s 3");
    assert_eq!((longer.interval, longer.count, longer.overview), (Duration::from_secs(5), Some(3), true));
    assert_eq!(shown("", "io 1m").interval, Duration::from_secs(60));
}

#[test]
fn a_terminal_gets_the_screen_unless_lines_are_asked_for() {
    let screen = |line: &str, screen| {
        let words = std::iter::once("stillwatch").chain(line.split_ascii_whitespace());
        let here = Surroundings { terminal: true, screen, utf8: true, ..Surroundings::default() };
        match parse_from(words, here, |_| Err(String::new())) {
            Ok(Command::Run(plan)) => (plan.screen, plan.ascii, plan.mouse),
            other => panic!("{other:?}"),
        }
    };
    for line in ["", "io", "tcp 5", "oom", "cpu --by cgroup", "syscalls --top 3"] {
        assert_eq!((screen(line, true), screen(line, false)), ((true, false, true), (false, false, true)), "{line}");
    }
    for line in ["--plain", "--json", "1 3", "tcp --events", "oom --last", "syscalls --hist read", "syscalls --heat"] {
        assert!(!screen(line, true).0, "{line}");
    }
    assert_eq!(screen("--ascii --no-mouse", true), (true, true, false));
}

#[test]
fn files_that_a_shell_has_found_are_all_followed() {
    let log = |line: &str| plan_of(line).log.unwrap();
    assert_eq!(log("log 5 --log a.log b.log --grep x").files, ["a.log", "b.log"]);
    assert_eq!(log("log --log a.log --log /srv/*.log").files, ["a.log", "/srv/*.log"]);
    let all = plan_of("log --since 10m --journal /j");
    let log_plan = all.log.clone().unwrap();
    assert_eq!(
        (log_plan.since, log_plan.journal.as_deref()),
        (Duration::from_secs(600), Some(std::path::Path::new("/j")))
    );
    assert_eq!(all.probes(), ["log"]);
    // The overview and a recorder have them, too.
    assert!(
        log("").files.is_empty()
            && log("--log a.log").files == ["a.log"]
            && log("record . --log a.log").files == ["a.log"]
    );
}
