//! The `log` probe: lines come once and whole, with who and when, and however many there are, no tick is late.

pub mod journal;

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillwatch_tests::{schema, stillwatch};

use super::{
    Test,
    devices::Tmpfs,
    every_kernel,
    findings::fuse::Mounted,
    here, skip,
    stillwatch::Watch,
    workload::{Workload, rename, sleep},
};

pub fn tests() -> Vec<Test> {
    let mut tests = vec![
        every_kernel("log_shows_kernel_lines_as_they_were_written", kernel),
        every_kernel("log_follows_a_file_through_rotation_and_truncation", rotation),
        here("log_is_in_time_whatever_is_written", flood).alone(),
        every_kernel("log_hostile_lines_change_nothing", hostile),
        every_kernel("log_tells_of_harm", harm),
        here("log_goes_on_beside_files_that_hang", hangs),
        here("log_of_a_recording_is_that_of_the_run", recorded),
    ];
    tests.extend(journal::tests());
    tests
}

/// All lines until now that fit.
fn lines(watch: &Watch, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
    watch.events.iter().filter(|event| event["event"] == "line" && fits(event)).cloned().collect()
}

/// Reads on until there are so many.
fn wait_for(watch: &mut Watch, count: usize, fits: impl Fn(&Value) -> bool) -> Result<Vec<Value>> {
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        let found = lines(watch, &fits);
        if found.len() >= count {
            return Ok(found);
        }
        watch.next()?;
    }
    anyhow::bail!("{} of {count} lines: {:#?}", lines(watch, &fits).len(), watch.snapshots.last())
}

/// Sums of a source's counts over all snapshots.
fn sum(watch: &Watch, source: &str, count: &str) -> u64 {
    let all = watch.snapshots.iter().flat_map(|line| line["sources"].as_array().into_iter().flatten());
    all.filter(|row| row["source"] == source).filter_map(|row| row[count].as_u64()).sum()
}

fn text(line: &Value) -> &str {
    line["text"].as_str().unwrap_or_default()
}

/// The kernel lets processes write ten lines in five seconds, unless it is told otherwise.
struct Unlimited(String);

impl Unlimited {
    const PATH: &str = "/proc/sys/kernel/printk_devkmsg";

    fn new() -> Result<Self> {
        let before = fs::read_to_string(Self::PATH)?;
        // With the end of the line.
        fs::write(Self::PATH, "on\n")?;
        Ok(Self(before))
    }
}

impl Drop for Unlimited {
    fn drop(&mut self) {
        let _ = fs::write(Self::PATH, &self.0);
    }
}

/// With severity, program, process and text, in order; and what was there before the run is not.
fn kernel() -> Result<()> {
    const LINES: usize = 97;
    let _unlimited = Unlimited::new()?;
    let mut log = OpenOptions::new().write(true).open("/dev/kmsg")?;
    let own = std::process::id();
    let name = format!("kernel-test-{own}");
    // Each write is a record.
    let mut write = |record: String| log.write_all(record.as_bytes());
    write(format!("<11>{name}[{own}]: before\n"))?;
    let mut watch = Watch::of("log", &[], &[])?;
    let begin = jiff::Timestamp::now();
    for number in 0..LINES {
        // Of a user's program, with each severity in turn.
        write(format!("<{}>{name}[{own}]: line {number} \x1b[2J\\ \u{e9}\n", 8 + number % 8))?;
    }
    let found = wait_for(&mut watch, LINES, |line| line["ident"] == *name)?;
    let severities = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
    for (number, line) in found.iter().enumerate() {
        ensure!(text(line) == format!("{name}[{own}]: line {number} \x1b[2J\\ \u{e9}"), "{number}: {line}");
        ensure!(
            line["severity"] == severities[number % 8] && line["source"] == "kernel" && line["pid"] == own,
            "{line}"
        );
        let at: jiff::Timestamp = line["at"].as_str().context("no time")?.parse()?;
        // The kernel's clock of the log may be off by some milliseconds.
        ensure!(line["at_of"] == "line" && at.duration_since(begin).abs().as_secs() < 30, "{line}, begun at {begin}");
    }
    ensure!(found.len() == LINES, "{} lines", found.len());
    // A process cannot speak for the kernel.
    write("<8>I/O error, dev vda, sector 4711\n".to_owned())?;
    wait_for(&mut watch, 1, |line| text(line) == "I/O error, dev vda, sector 4711")?;
    let harm = || watch.events.iter().filter(|event| event["event"] == "harm");
    ensure!(harm().all(|event| event["number"] != 4711), "{:#?}", harm().collect::<Vec<_>>());
    Ok(())
}

fn append(path: &Path, text: &str) -> Result<()> {
    Ok(OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())?)
}

/// Every line once, whatever becomes of the file meanwhile.
fn rotation() -> Result<()> {
    let place = Tmpfs::new(c"size=64m")?;
    let path = place.path.join("app.log");
    append(&path, "before\n")?;
    let pattern = place.path.join("*.log*").to_string_lossy().into_owned();
    let mut watch = Watch::of("log", &["--log", &pattern], &[])?;
    let mut written = Vec::new();
    let mut write = |to: &Path, count: usize| {
        let begin = written.len();
        let new: Vec<String> = (begin..begin + count).map(|number| format!("line {number}")).collect();
        let text: String = new.iter().map(|line| format!("{line}\n")).collect();
        written.extend(new);
        append(to, &text).map(|()| written.clone())
    };
    let is_own = |line: &Value| line["source"].as_str().is_some_and(|source| source.contains("app.log"));
    let is_all = |watch: &mut Watch, written: Vec<String>| {
        let found = wait_for(watch, written.len(), is_own)?;
        let mut found: Vec<&str> = found.iter().map(text).collect();
        let mut written: Vec<&str> = written.iter().map(String::as_str).collect();
        found.sort_unstable();
        written.sort_unstable();
        ensure!(found == written, "{found:?}, not {written:?}");
        Ok(())
    };
    let all = write(&path, 31)?;
    is_all(&mut watch, all)?;
    // Renamed, and written to under its new name until the program opens the new one.
    let old = place.path.join("app.log.1");
    fs::rename(&path, &old)?;
    write(&old, 7)?;
    write(&path, 13)?;
    let all = write(&old, 3)?;
    is_all(&mut watch, all)?;
    // Copied and made empty.
    File::create(&path)?;
    sleep(Duration::from_secs(1));
    let all = write(&path, 17)?;
    is_all(&mut watch, all)?;
    // Removed, and made anew later.
    fs::remove_file(&path)?;
    sleep(Duration::from_secs(1));
    let all = write(&path, 19)?;
    is_all(&mut watch, all)?;
    // Another one.
    let all = write(&place.path.join("app.log-next"), 11)?;
    is_all(&mut watch, all)?;
    Ok(())
}

/// A hundred thousand lines a second: ticks come when they are due, and every line is counted.
fn flood() -> Result<()> {
    const LINES: u64 = 500_009;
    const SECONDS: u64 = 5;
    let place = Tmpfs::new(c"size=512m")?;
    let path = place.path.join("flood.log");
    File::create(&path)?;
    let source = path.to_string_lossy().into_owned();
    let mut watch = Watch::of("log", &["--log", &source], &[])?;
    let before = watch.snapshots.len();
    let writer = std::thread::spawn(move || -> Result<()> {
        let mut file = OpenOptions::new().append(true).open(&path)?;
        let (begin, mut written) = (Instant::now(), 0);
        while written < LINES {
            let due = (begin.elapsed().as_micros() as u64 * LINES / (SECONDS * 1_000_000)).min(LINES);
            let batch: String =
                (written..due).map(|number| format!("2026-11-27 06:00:00 ERROR line {number}\n")).collect();
            file.write_all(batch.as_bytes())?;
            written = due;
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    });
    wait_for(&mut watch, 1, |line| text(line).ends_with(&format!("line {}", LINES - 1)))?;
    writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    let shown = lines(&watch, |line| line["source"] == *source);
    let [all, left_out, unread, errors] =
        ["lines", "left_out", "unread", "errors"].map(|count| sum(&watch, &source, count));
    ensure!(
        all == LINES && left_out + shown.len() as u64 == LINES,
        "{all} lines, {left_out} left out, {} shown",
        shown.len()
    );
    ensure!(unread <= left_out && errors + unread == LINES, "{unread} unread, {errors} errors");
    ensure!(text(&shown[0]).ends_with("line 0"), "{}", shown[0]);
    ensure!(shown.len() <= 200 * watch.snapshots.len(), "{} shown in {}", shown.len(), watch.snapshots.len());
    for line in &watch.snapshots[before..] {
        let interval = line["interval_ns"].as_u64().context("no interval")?;
        ensure!(interval < 400_000_000, "an interval took {interval} ns");
    }
    Ok(())
}

const HOSTILE: &[&[u8]] = &[
    b"\x1b[2J\x1b]0;owned\x07 \x9b31m",
    b"nul \0 in between",
    b"\xff\xfe\xc3( no UTF-8 \\x41",
    "\u{202e}desrever \u{200b}".as_bytes(),
    b"{\"json\": \"\\u0000\"}",
    b"",
];

/// Nothing of them reaches a terminal, and JSON has every byte.
fn hostile() -> Result<()> {
    const LONG: usize = 1 << 20;
    let place = Tmpfs::new(c"size=64m")?;
    let path = place.path.join("hostile\x1b[2J.log");
    let write = |path: &PathBuf| -> Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        for line in HOSTILE {
            file.write_all(&[line, &b"\n"[..]].concat())?;
        }
        file.write_all(&vec![b'x'; LONG])?;
        file.write_all(b"\nlast\n")?;
        Ok(())
    };
    File::create(&path)?;
    let source = path.to_string_lossy().into_owned();
    let mut watch = Watch::of("log", &["--log", &source], &[])?;
    write(&path)?;
    let found = wait_for(&mut watch, HOSTILE.len() + 2, |line| line["source"] == *source)?;
    for (expected, line) in HOSTILE.iter().zip(&found) {
        let text = text(line);
        let bytes = if line["encoded"] == true { unescaped(text) } else { text.as_bytes().to_vec() };
        ensure!(bytes == *expected && line["bytes"] == expected.len(), "{line}");
    }
    let long = &found[HOSTILE.len()];
    ensure!(long["bytes"] == LONG && text(long).len() == 4096, "{} of {}", text(long).len(), long["bytes"]);
    watch.stop()?;
    let mut child = stillwatch()
        .args(["log", "0.2", "15", "--plain", "--log", &source])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    sleep(Duration::from_secs(1));
    for _ in 0..5 {
        write(&path)?;
        sleep(Duration::from_millis(200));
    }
    let mut printed = Vec::new();
    std::io::Read::read_to_end(&mut child.stdout.take().context("no output")?, &mut printed)?;
    ensure!(child.wait()?.success());
    let printed = String::from_utf8(printed)?;
    ensure!(printed.contains(r"\x1b[2J\x1b]0;owned\x07") && printed.contains("(1 MiB)"), "{printed}");
    ensure!(!printed.chars().any(|char| char.is_control() && char != '\n' || char == '\u{202e}'), "{printed:?}");
    Ok(())
}

/// `\xff` → what it stands for.
fn unescaped(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some((plain, escaped)) = rest.split_once("\\x") {
        bytes.extend(plain.bytes());
        bytes.extend(u8::from_str_radix(&escaped[..2], 16));
        rest = &escaped[2..];
    }
    bytes.extend(rest.bytes());
    bytes
}

/// A process that the kernel ends, whose name reads like the kernel's words.
fn harm() -> Result<()> {
    let mut watch = Watch::of("log", &[], &[])?;
    let victim = Workload::new(|| {
        rename(c"s[7]: segfault");
        // SAFETY: nothing is there, which is the point.
        unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) };
        [0; 2]
    })?;
    let pid = victim.pid;
    victim.go();
    let is_it = |event: &Value| event["event"] == "harm" && event["pid"] == pid;
    for _ in 0..50 {
        watch.next()?;
        if let Some(event) = watch.events.iter().find(|event| is_it(event)) {
            ensure!(event["kind"] == "segfault" && event["comm"] == "s[7]: segfault", "{event}");
            ensure!(text(event).contains("segfault at 8 "), "{event}");
            ensure!(sum(&watch, "kernel", "harm") >= 1, "{:?}", watch.snapshots.last());
            return Ok(());
        }
    }
    anyhow::bail!("the kernel said nothing of {pid}: {:#?}", lines(&watch, |line| line["source"] == "kernel"))
}

/// On a file system that nobody serves: the source says so, others are read, and ticks are in time.
fn hangs() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("stillwatch-log-fuse-{}", std::process::id()));
    let Ok(device) = OpenOptions::new().read(true).write(true).open("/dev/fuse") else {
        return Err(skip("no FUSE"));
    };
    let _mounted = Mounted::new(directory.clone(), &device)?;
    let place = Tmpfs::new(c"size=1m")?;
    let names = [directory.join("a.log"), place.path.join("b.log")].map(|path| path.to_string_lossy().into_owned());
    append(Path::new(&names[1]), "before\n")?;
    let mut watch = Watch::of("log", &["--log", &names[0], "--log", &names[1]], &[])?;
    let until = Instant::now() + Duration::from_secs(30);
    let why = |line: &Value| {
        let rows = line["sources"].as_array().into_iter().flatten();
        rows.filter(|row| row["source"] == *names[0]).map(|row| row["lines_unknown"].clone()).next()
    };
    while why(watch.next()?) != Some("not read in time".into()) {
        ensure!(Instant::now() < until, "{:#?}", watch.snapshots.last());
    }
    append(Path::new(&names[1]), "beside\n")?;
    wait_for(&mut watch, 1, |line| text(line) == "beside" && line["source"] == *names[1])?;
    let longest = watch.snapshots.iter().filter_map(|line| line["interval_ns"].as_u64()).max();
    ensure!(longest < Some(400_000_000), "{longest:?}");
    watch.stop()?;
    Ok(())
}

/// What is kept of a run is what it showed.
fn recorded() -> Result<()> {
    const LINES: usize = 43;
    let place = Tmpfs::new(c"size=64m")?;
    let (path, kept) = (place.path.join("a.log"), place.path.join("kept.swr"));
    let names = [&path, &kept].map(|path| path.to_string_lossy().into_owned());
    File::create(&path)?;
    let mut watch = Watch::of("log", &["--log", &names[0], "--save", &names[1]], &[])?;
    for number in 0..LINES {
        append(&path, &format!("ERROR: line {number}\n"))?;
    }
    let shown = wait_for(&mut watch, LINES, |line| line["source"] == *names[0])?;
    watch.stop()?;
    let output = stillwatch().args(["replay", &names[1], "log", "--json"]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let kept = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    kept.iter().try_for_each(schema::validate)?;
    let kept: Vec<&Value> =
        kept.iter().filter(|event| event["event"] == "line" && event["source"] == *names[0]).collect();
    ensure!(kept == shown.iter().collect::<Vec<_>>(), "{kept:#?}, not {shown:#?}");
    let output = stillwatch().args(["replay", &names[1], "log", "--json", "--grep", "line 17"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(text.matches("ERROR: line").count() == 1 && text.contains("ERROR: line 17"), "{text}");
    Ok(())
}
