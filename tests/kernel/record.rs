//! What is recorded is what was seen.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    os::{fd::AsRawFd, unix::fs::FileExt},
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillwatch_tests::stillwatch;

use super::{
    Test,
    devices::{Filesystem, LoopDevice, MIB, Tmpfs, memory_file},
    here,
    workload::{Workload, sleep},
};

pub const TESTS: &[Test] = &[
    here("record_replays_what_was_printed", same),
    here("record_keeps_an_incident", incident),
    here("record_goes_on_after_a_full_disk", full),
    here("record_has_what_was_synced_before_the_power_went", cut),
    here("record_refuses", refused),
];

/// Goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("stillwatch-{name}-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn path(&self, name: &str) -> Result<String> {
        Ok(self.0.join(name).to_str().context("a path in UTF-8")?.to_owned())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What it prints, of a run that ends well.
fn printed(words: &[&str]) -> Result<String> {
    let output = stillwatch().args(words).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{words:?}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}

/// Byte for byte, of the overview and of probes by themselves, with a filter.
fn same() -> Result<()> {
    let folder = Folder::new("same")?;
    let runs: [&[&str]; 4] =
        [&["0.5", "8"], &["io", "0.3", "5"], &["tcp", "0.3", "5"], &["syscalls", "0.3", "5", "-p", "1"]];
    for (number, words) in runs.iter().enumerate() {
        let path = folder.path(&number.to_string())?;
        let live = printed(&[words, &["--json", "--budget", "100", "--save", &path][..]].concat())?;
        ensure!(live.lines().count() > 4, "{words:?}: {live}");
        let replayed = printed(&["replay", &path, "--json"])?;
        let differ = live.lines().zip(replayed.lines()).find(|(live, replayed)| live != replayed);
        ensure!(live == replayed, "{words:?}: {differ:?}");
        let told = printed(&["replay", &path, "--json", "--findings", "recorded"])?;
        ensure!(live == told, "{words:?}: findings as they were");
        ensure!(printed(&["replay", &path])?.lines().count() > 4, "{words:?}: no text");
    }
    let devices = printed(&["replay", &folder.path("0")?, "io", "--json"])?;
    let lines: Vec<Value> = devices.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(!lines.is_empty() && lines.iter().all(|line| line["probe"] == "io"), "{devices}");
    Ok(())
}

/// `stillwatch record`, and what it tells.
struct Recorder {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Recorder {
    fn start(dir: &str, flags: &[&str]) -> Result<Self> {
        let mut command = stillwatch();
        command
            .args(["record", dir, "0.5", "--budget", "100"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = BufReader::new(child.stdout.take().context("no stdout")?);
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Ok(Self { child, lines })
    }

    /// A line with these words.
    fn tells(&self, words: &str) -> Result<String> {
        let until = Instant::now() + Duration::from_secs(40);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).with_context(|| format!("it never tells {words:?}"))?;
            if line.contains(words) {
                return Ok(line);
            }
        }
    }

    fn end(mut self) -> Result<()> {
        // SAFETY: our own child.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) };
        let status = self.child.wait()?;
        ensure!(status.success(), "{status}");
        Ok(())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A lock of a file that another process holds nearly always.
fn incident() -> Result<()> {
    let folder = Folder::new("incident")?;
    let dir = folder.path("kept")?;
    let path = folder.path("lock")?;
    let files = [File::create(&path)?, File::open(&path)?];
    let lock = |file: &File, how: i32| {
        // SAFETY: no memory is involved.
        unsafe { libc::flock(file.as_raw_fd(), how) }
    };
    let holder = Workload::new(|| {
        loop {
            lock(&files[0], libc::LOCK_EX);
            sleep(Duration::from_millis(400));
            lock(&files[0], libc::LOCK_UN);
            sleep(Duration::from_millis(1));
        }
    })?;
    let victim = Workload::new(|| {
        loop {
            lock(&files[1], libc::LOCK_EX);
            lock(&files[1], libc::LOCK_UN);
            sleep(Duration::from_millis(5));
        }
    })?;
    let recorder = Recorder::start(&dir, &["--after", "1s"])?;
    // The note comes through once it runs.
    let until = Instant::now() + Duration::from_secs(30);
    while !fs::exists(folder.0.join("kept/notes"))? {
        ensure!(Instant::now() < until, "it does not begin");
        sleep(Duration::from_millis(50));
    }
    printed(&["mark", &dir, "deploy 4711"])?;
    recorder.tells("mark: deploy 4711")?;
    let fault = jiff::Timestamp::now();
    holder.go();
    sleep(Duration::from_millis(50));
    victim.go();
    recorder.tells("begins: ")?;
    // Readable while it is written.
    ensure!(printed(&["replay", &dir, "--json"])?.contains("slow_calls"), "it is not there yet");
    drop((holder, victim));
    recorder.tells("over after")?;
    let until = Instant::now() + Duration::from_secs(30);
    let incidents = loop {
        let incidents = printed(&["incidents", &dir])?;
        if incidents.contains("flock") {
            break incidents;
        }
        ensure!(Instant::now() < until, "no incident: {incidents}");
        sleep(Duration::from_millis(500));
    };
    recorder.end()?;
    let number = incidents.lines().find(|line| line.contains("flock")).and_then(|line| line.split_whitespace().next());
    let number = number.context("a number")?;
    for findings in ["again", "recorded"] {
        let lines = printed(&["replay", &dir, "--incident", number, "--findings", findings, "--json"])?;
        let lines: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let first: jiff::Timestamp = lines[0]["at"].as_str().context("no moment")?.parse()?;
        ensure!(first < fault, "{first} is after the fault began at {fault}");
        let slow = lines.iter().find(|line| line["rule"] == "slow_calls").context("no finding")?;
        ensure!(slow["statement"].as_str().is_some_and(|it| it.contains("flock")), "{slow}");
        ensure!(lines.iter().any(|line| line["event"] == "mark" && line["text"] == "deploy 4711"), "no mark");
    }
    Ok(())
}

/// What could not be written is in memory, and is written once there is room: no interval is missing.
fn full() -> Result<()> {
    let disk = Tmpfs::new(c"size=1m")?;
    let kept = disk.path.join("kept").to_str().context("a path")?.to_owned();
    let mut recorder = Recorder::start(&kept, &[])?;
    let stderr = BufReader::new(recorder.child.stderr.take().context("no stderr")?);
    let mut said = stderr.lines();
    let mut says = |words: &str| {
        said.by_ref().map_while(Result::ok).find(|line| line.contains(words)).with_context(|| format!("no {words:?}"))
    };
    let until = Instant::now() + Duration::from_secs(30);
    while stillwatch().args(["replay", &kept]).output()?.status.code() != Some(0) {
        ensure!(Instant::now() < until, "nothing is recorded");
        sleep(Duration::from_millis(200));
    }
    let filler = disk.path.join("filler");
    ensure!(fs::write(&filler, vec![1; 16 << 20]).is_err(), "it is not full");
    says("nothing can be recorded: No space left on device")?;
    sleep(Duration::from_secs(2));
    fs::remove_file(&filler)?;
    says("the recording goes on")?;
    recorder.end()?;
    let output = stillwatch().args(["replay", &kept, "io", "--json"]).output()?;
    let warned = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && warned.is_empty(), "{warned}");
    let mut last: Option<jiff::Timestamp> = None;
    for line in String::from_utf8(output.stdout)?.lines() {
        let line: Value = serde_json::from_str(line)?;
        ensure!(line["event"] != "gap", "{line}");
        if line["type"] != "snapshot" {
            continue;
        }
        let at: jiff::Timestamp = line["at"].as_str().context("no moment")?.parse()?;
        let interval = Duration::from_nanos(line["interval_ns"].as_u64().context("no interval")?);
        if let Some(last) = last {
            let between = Duration::try_from(at.duration_since(last))?;
            ensure!(between.abs_diff(interval) < Duration::from_millis(20), "{between:?} since the one before: {line}");
        }
        last = Some(at);
    }
    ensure!(last.is_some(), "nothing is there");
    Ok(())
}

/// The next boot finds what the disk has at that moment, in the middle of writing.
fn cut() -> Result<()> {
    const SIZE: u64 = 32 * MIB;
    const SYNC: Duration = Duration::from_secs(2);
    let disk = memory_file(SIZE)?;
    let device = LoopDevice::over(&disk)?;
    let filesystem = Filesystem::on(&device.name)?;
    let kept = |on: &Filesystem| -> Result<String> { Ok(on.path.join("kept").to_str().context("a path")?.to_owned()) };
    let dir = kept(&filesystem)?;
    let recorder = Recorder::start(&dir, &["--sync", "2s"])?;
    let until = Instant::now() + Duration::from_secs(30);
    while stillwatch().args(["replay", &dir]).output()?.status.code() != Some(0) {
        ensure!(Instant::now() < until, "nothing is recorded");
        sleep(Duration::from_millis(200));
    }
    // Until something was synced, and some more.
    sleep(3 * SYNC);
    let mut bytes = vec![0; SIZE as usize];
    let went = jiff::Timestamp::now();
    disk.read_exact_at(&mut bytes, 0)?;
    recorder.end()?;
    let next = memory_file(SIZE)?;
    next.write_all_at(&bytes, 0)?;
    let device = LoopDevice::over(&next)?;
    let filesystem = Filesystem::mount(&device.name)?;
    let dir = kept(&filesystem)?;
    let lines = printed(&["replay", &dir, "io", "--json"])?;
    let last: Value = serde_json::from_str(lines.lines().last().context("nothing is there")?)?;
    let last: jiff::Timestamp = last["at"].as_str().context("no moment")?.parse()?;
    let lost = Duration::try_from(went.duration_since(last))?;
    // Whatever was told since, and the interval that went on; a disk takes some time, too.
    ensure!(lost < SYNC + Duration::from_millis(1500), "{lost:?} are lost");
    Ok(())
}

/// One line that says what is wrong, and code 2.
fn refused() -> Result<()> {
    let folder = Folder::new("refused")?;
    let [dir, empty, other] = ["kept", "empty", "other"].map(|name| folder.path(name));
    let (dir, empty, other) = (dir?, empty?, other?);
    fs::write(&empty, "")?;
    fs::write(&other, "GIF89a")?;
    let recorder = Recorder::start(&dir, &[])?;
    let until = Instant::now() + Duration::from_secs(30);
    while stillwatch().args(["replay", &dir]).output()?.status.code() != Some(0) {
        ensure!(Instant::now() < until, "nothing is recorded");
        sleep(Duration::from_millis(200));
    }
    let cases: [(&[&str], &str); 8] = [
        (&["replay", &empty], "is empty"),
        (&["replay", &other], "is no recording"),
        (&["replay", "/nonexistent"], "No such file"),
        (&["replay", &dir, "--incident", "77"], "no incident 77"),
        (&["replay", &dir, "--from", "2001-01-01T00:00", "--to", "2001-01-01T01:00"], "nothing of that time"),
        (&["replay", &dir, "20ms"], "give a longer INTERVAL"),
        (&["record", &dir], "another stillwatch"),
        (&["1", "1", "--save", &other], "exists already"),
    ];
    for (words, remedy) in cases {
        let output = stillwatch().args(words).output()?;
        let said = String::from_utf8(output.stderr)?;
        let last = said.lines().last().unwrap_or_default();
        ensure!(output.status.code() == Some(2) && last.contains(remedy), "{words:?}: {said}");
    }
    recorder.end()
}
