use std::{fs, os::unix::fs::PermissionsExt, path::Path, rc::Rc, time::Duration};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    content::{self, Block, Content, Drawing, Picture},
    html, markdown,
    story::Story,
    write,
};
use crate::{
    between::oom::reconstructed,
    cli::{Excerpt, Report, plan::When},
    findings::fixture::change,
    lead_up::{LeadUp, Series},
    oom_report::{Collector, Line},
    record::{DiskSize, Entry, FORMAT, Head, Mark, Payload, Segment},
    snapshot::{
        Snapshot, Who,
        changes::{ChangeKind, Changes, Did},
        log::{HarmKind, HarmLine, Log, LogLine},
        oom::Kill,
    },
    table::any::Dice,
};

/// Situations in `tests/recorded`.
pub const RECORDED: [&str; 14] = [
    "accept_queue",
    "connects_failing",
    "cpu_saturated",
    "device_saturated",
    "dirty_throttling",
    "failing_calls",
    "io_hung",
    "memory_stall",
    "quota",
    "retransmits",
    "slow_calls",
    "softirq",
    "stuck_tasks",
    "sync_stall",
];

pub fn snapshots(situation: &str) -> Vec<Snapshot> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/recorded/{situation}.jsonl"));
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn head() -> Head {
    Head {
        format: FORMAT,
        version: "0.1.0".into(),
        host: "db-1".into(),
        kernel: "6.12.63".into(),
        architecture: "x86_64".into(),
        boot_id: "b3c7".into(),
        cpus: 2,
        memory_bytes: 2 << 30,
        disks: vec![DiskSize { name: "loop1".into(), bytes: 512 << 20 }],
        began: Timestamp::UNIX_EPOCH,
        interval: Duration::from_secs(1),
        flags: vec!["--exact".into()],
        missing: Vec::new(),
    }
}

pub fn story(entries: impl IntoIterator<Item = Entry>) -> Story {
    let mut story = Story::new(head(), Timestamp::MIN);
    entries.into_iter().for_each(|entry| story.add(entry));
    story
}

fn entries(snapshots: Vec<Snapshot>) -> impl Iterator<Item = Entry> {
    snapshots.into_iter().map(|snapshot| Entry::Snapshot(Box::new(snapshot)))
}

fn content(story: &Story) -> Content {
    content::of(story, TimeZone::UTC, false)
}

/// What the kernel's log of 6.18 has, with minutes before it.
pub fn kill(at: Timestamp) -> Kill {
    let text = include_str!("../oom_report/texts/6.18-memcg-v1.txt");
    let mut collector = Collector::default();
    for (sequence, line) in text.lines().enumerate() {
        let (seconds, text) = line.strip_prefix('[').unwrap().split_once("] ").unwrap();
        let at = Duration::from_secs_f64(seconds.trim().parse().unwrap());
        collector.push(Line { sequence: sequence as u64, at, text: text.to_owned() });
    }
    let report = Rc::new(collector.reports().next().unwrap().clone());
    let mut kill = reconstructed(&report, |_| at).remove(0);
    let grown =
        Series { pid: Some(14951), comm: Some("python3".into()), cgroup: None, bytes: vec![None, Some(30 << 20)] };
    kill.lead_up = Some(Rc::new(LeadUp {
        before: vec![Duration::from_secs(60), Duration::from_secs(20)],
        free: vec![9 << 20, 5 << 20],
        available: vec![90 << 20, 40 << 20],
        swap_used: vec![0, 0],
        processes: vec![grown],
        ..LeadUp::default()
    }));
    kill
}

/// Memory that runs out, and a kill.
pub fn killed() -> Vec<Entry> {
    let mut all: Vec<_> = entries(snapshots("memory_stall")).collect();
    let at = all[3].at().unwrap();
    all.insert(4, Entry::Kills(vec![kill(at - SignedDuration::from_millis(400))]));
    all.insert(1, Entry::Mark(Mark { at: at - SignedDuration::from_secs(2), text: "deploy 4711".into() }));
    all
}

fn pictures(content: &Content) -> Vec<&Picture> {
    let blocks = content.sections.iter().flat_map(|section| &section.blocks);
    blocks.filter_map(|block| if let Block::Picture(picture) = block { Some(picture) } else { None }).collect()
}

/// What the value of a curve adds up to over time.
fn sums(picture: &Picture) -> Vec<f64> {
    let (Drawing::Curves(curves) | Drawing::Stack(curves)) = &picture.drawing else { panic!("no curves") };
    let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
    curves.iter().map(|it| it.points.iter().map(|point| point.value * seconds(point.from, point.to)).sum()).collect()
}

#[test]
fn as_markdown() {
    for situation in ["sync_stall", "retransmits"] {
        let text = markdown::page(&content(&story(entries(snapshots(situation)))));
        insta::assert_snapshot!(situation, text);
    }
    insta::assert_snapshot!("killed", markdown::page(&content(&story(killed()))));
}

/// Two lines of the process that waits, many others, and one of the kernel that is harm.
fn said() -> Story {
    let mut all = snapshots("sync_stall");
    let victim =
        all.iter().flat_map(|it| &it.io).filter_map(|io| io.stalled.value()).flatten().next().unwrap().who.clone();
    for snapshot in &mut all {
        let line = |text: String, who: Who| LogLine {
            at: snapshot.at,
            text,
            who,
            severity: None,
            new: None,
            ..Dice::new(7).any()
        };
        let mut lines: Vec<LogLine> = (0..300).map(|at| line(format!("another {at}"), Who::default())).collect();
        lines.push(line("checkpoint <slow>".into(), victim.clone()));
        let harm = HarmLine {
            at: snapshot.at,
            kind: HarmKind::IoError,
            on: Some("sda".into()),
            text: Some("I/O error, dev sda, sector 7".into()),
            ..Dice::new(7).any()
        };
        snapshot.log = Some(Log { sources: Vec::new(), lines, harm: vec![harm] });
    }
    story(entries(all))
}

#[test]
fn lines_of_those_who_wait_come_before_others_and_harm_is_a_moment() {
    let story = said();
    let timeline = |is_redacted| {
        let mut content = content::of(&story, TimeZone::UTC, is_redacted);
        content.sections.retain(|section| section.title == "Timeline");
        markdown::page(&content)
    };
    let page = timeline(false);
    let shown = page.matches("another ").count();
    assert_eq!((page.matches("checkpoint <slow>").count(), shown), (story.stretches.len(), 80 - story.stretches.len()));
    assert!(
        page.contains("I/O error sda: I/O error, dev sda, sector 7") && page.contains("more lines are left out"),
        "{page}"
    );
    assert!(!timeline(true).contains("checkpoint"), "what is sent away");
}

#[test]
fn a_page_needs_nothing_else_and_is_small() {
    for situation in RECORDED {
        let story = story(entries(snapshots(situation)));
        let page = html::page(&content(&story));
        assert!(page.len() < 200_000, "{situation}: {}", page.len());
        for word in ["http", "<script", "src=", "url(", "@import", "javascript"] {
            assert!(!page.contains(word), "{situation}: {word}");
        }
        let worst = story.harmful()[0];
        let text = worst
            .worst
            .statement
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;");
        assert!(page.contains(&format!("<p class=\"lead\">{text}.</p>")), "{situation}: {text}");
        assert!(page.contains(">What should change</h3>"));
    }
}

/// A day of intervals with all that can be in them.
#[test]
fn a_day_is_no_larger_than_a_megabyte() {
    let recorded: Vec<_> = RECORDED.iter().flat_map(|situation| snapshots(situation)).collect();
    let begin: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let mut story = Story::new(head(), Timestamp::MIN);
    let mut last = Story::new(head(), Timestamp::MIN);
    for second in 0..4000_i64 {
        let at = begin + SignedDuration::from_secs(20 * second);
        let of = recorded[second as usize % recorded.len()].clone();
        let snapshot = Snapshot { at, interval: Duration::from_secs(20), ..of };
        story.add(Entry::Snapshot(Box::new(snapshot)));
        story.add(Entry::Kills(vec![kill(at)]));
        last.add(Entry::Mark(Mark { at, text: "x".repeat(100) }));
    }
    assert!(story.stretches.len() <= 360 && story.stretches.len() > 100, "{}", story.stretches.len());
    for page in [html::page(&content(&story)), markdown::page(&content(&story)), html::page(&content(&last))] {
        assert!(page.len() < 1 << 20, "{}", page.len());
    }
}

#[test]
fn numbers_are_those_of_the_snapshots() {
    let snapshots = snapshots("retransmits");
    let segments: u64 = snapshots.iter().map(|it| it.tcp.as_ref().unwrap().totals.segments).sum();
    let io: f64 = snapshots.iter().map(|it| it.pressure.as_ref().unwrap().io.some * it.interval.as_secs_f64()).sum();
    let content = content(&story(entries(snapshots)));
    let pictures = pictures(&content);
    let of = |title: &str| sums(pictures.iter().find(|it| it.title == title).unwrap());
    assert!((of("Retransmitted")[0] - segments as f64).abs() < 1e-3, "{segments}");
    assert!((of("Pressure")[1] - io).abs() < 1e-3, "{io}");
}

/// From the begin of a finding, whenever it was told.
#[test]
fn time_lost_is_that_of_the_ledger() {
    for situation in RECORDED {
        let mut tracker = crate::findings::track::Tracker::new(Vec::new());
        let ledgers: Vec<(Timestamp, u64)> = snapshots(situation)
            .iter()
            .map(|it| (it.at, tracker.look(it).ledger.iter().map(|row| row.lost_ns).sum()))
            .collect();
        let story = story(entries(snapshots(situation)));
        let held = |at: Timestamp| story.harmful().iter().any(|told| told.since < at && at <= told.until);
        let all_ns: u64 = ledgers.iter().map(|(_, ns)| ns).sum();
        let during_ns: u64 = ledgers.iter().filter(|(at, _)| held(*at)).map(|(_, ns)| ns).sum();
        assert_eq!(story.stretches.iter().map(|it| it.lost_ns).sum::<u64>(), all_ns, "{situation}");
        assert_eq!(story.lost.total_ns(), during_ns, "{situation}");
        let theirs_ns: u64 = story.told.iter().map(|told| told.lost.total_ns()).sum();
        assert!(theirs_ns <= during_ns, "{situation}: {theirs_ns} of {during_ns}");
    }
}

#[test]
fn a_gap_is_a_gap() {
    let mut snapshots = snapshots("retransmits");
    let missing = snapshots.remove(2);
    let story = story(entries(snapshots));
    let length = SignedDuration::try_from(missing.interval).unwrap();
    let [(from, to)] = story.gaps[..] else { panic!("{:?}", story.gaps) };
    assert!((to.duration_since(from) - length).abs() < SignedDuration::from_millis(100));
    let content = content(&story);
    assert!(markdown::page(&content).contains("nothing was recorded for 1"));
    for picture in pictures(&content) {
        let spans: Vec<_> = match &picture.drawing {
            Drawing::Curves(curves) | Drawing::Stack(curves) => {
                curves.iter().flat_map(|it| &it.points).map(|point| (point.from, point.to)).collect()
            }
            Drawing::Heat(columns) => columns.iter().map(|column| (column.from, column.to)).collect(),
        };
        assert!(!spans.is_empty() && spans.iter().all(|&(a, b)| b <= from || a >= to), "{}", picture.title);
    }
}

/// As a file is read and two are written.
#[test]
fn from_a_recording_to_a_report() {
    let folder = std::env::temp_dir().join(format!("stillwatch-report-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (recording, output) = (folder.join("it.swr"), folder.join("it.html"));
    let mut segment = Segment::new(fs::File::create(&recording).unwrap(), head());
    for entry in killed() {
        segment.write(&Payload::of(&entry).unwrap().unwrap()).unwrap();
    }
    let asked = |from: Option<&str>| Report {
        recording: recording.clone(),
        output: output.clone(),
        redact: true,
        excerpt: Excerpt { from: from.map(|from| When::At(from.parse().unwrap())), ..Excerpt::default() },
    };
    write(&asked(None)).unwrap();
    let page = fs::read_to_string(&output).unwrap();
    assert!(page.contains("host-1") && page.contains("note-1") && !page.contains("db-1") && !page.contains("4711"));
    let map = output.with_extension("redaction.json");
    assert!(fs::read_to_string(&map).unwrap().contains("deploy 4711"));
    assert_eq!(fs::metadata(&map).unwrap().permissions().mode() & 0o777, 0o600);
    write(&asked(Some("2026-11-26T15:29:09Z"))).unwrap();
    assert!(!fs::read_to_string(&output).unwrap().contains("note-1"), "the mark was before that");
    assert!(
        write(&asked(Some("2026-11-27T15:29:09Z")))
            .is_err_and(|error| error.to_string().contains("nothing of that time"))
    );
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_was_not_measured_has_no_picture() {
    let without = |mut snapshot: Snapshot| {
        (snapshot.pressure, snapshot.io, snapshot.tcp, snapshot.oom) = (Err("no PSI".into()), None, None, None);
        (snapshot.cpu, snapshot.syscalls) = (None, None);
        snapshot
    };
    let story = story(entries(snapshots("retransmits").into_iter().map(without).collect()));
    assert!(pictures(&content(&story)).is_empty());
    assert!(content(&Story::new(head(), Timestamp::MIN)).lead.contains("Nothing was recorded"));
}

/// Every name of a process, cgroup and note is one that a browser, a terminal or a forge would obey.
#[test]
fn hostile_names_are_shown_and_not_obeyed() {
    let hostile = "<script>alert(1)</script>\u{1b}[2J\u{202e}|`*_&\"'";
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recorded/sync_stall.jsonl")).unwrap();
    let quoted = serde_json::to_string(hostile).unwrap();
    let text = text.replace("kernel-tests", quoted.trim_matches('"'));
    let mut all: Vec<_> = entries(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()).collect();
    let at = all[3].at().unwrap();
    let mut kill = kill(at);
    (kill.victim.who.comm, kill.victim.who.cgroup) = (Some(hostile.into()), Some(hostile.into()));
    kill.victim.cmdline = Some(hostile.into());
    Rc::make_mut(kill.report.as_mut().unwrap()).lines[0].text = hostile.into();
    all.push(Entry::Kills(vec![kill]));
    all.push(Entry::Mark(Mark { at, text: hostile.into() }));
    let mut story = story(all);
    story.head.host = hostile.into();
    let content = content(&story);
    let page = html::page(&content);
    assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains('\u{202e}'));
    assert!(page.matches("&lt;script&gt;alert(1)").count() > 5);
    let page = markdown::page(&content);
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'));
    // In code it is text.
    for line in page.lines().filter(|line| !line.starts_with("    ")) {
        assert!(!line.contains("<script"), "{line}");
    }
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let tables: Vec<_> = page.split("\n\n").filter(|part| part.starts_with('|')).collect();
    assert!(
        tables.len() > 5
            && tables.iter().all(|table| table.lines().all(|line| cells(line) == cells(table.lines().next().unwrap())))
    );
}

#[test]
fn what_had_changed_is_told_in_the_timeline_and_beside_the_evidence() {
    let mut all = snapshots("sync_stall");
    let first = all[0].at;
    let file = |name: &str, ago: i64| {
        change(ChangeKind::File, Did::Written, &format!("/etc/{name}"), first - SignedDuration::from_secs(ago))
    };
    let many = (0..100).map(|number| file(&number.to_string(), 300));
    let changes: Vec<_> = [file("lately", 60)].into_iter().chain(many).chain([file("early", 700)]).collect();
    all[0].changes = Some(Changes { changes: changes.into(), ..Changes::default() });
    let text = markdown::page(&content(&story(entries(all))));
    assert!(text.contains("| changed | file /etc/lately written |"), "{text}");
    assert!(text.contains("21 earlier changes are left out.") && !text.contains("early written"), "{text}");
    let before = text.lines().find(|line| line.contains("Before it: ")).unwrap();
    assert!(before.contains("file /etc/lately written; ") && before.matches("written").count() == 2, "{before}");
}
