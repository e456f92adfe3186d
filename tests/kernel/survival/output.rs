//! Who does not take what we print.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    process::{Child, ExitStatus, Stdio},
    ptr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillwatch_tests::stillwatch;

use super::{
    super::{devices::Tmpfs, workload::sleep},
    LATE,
};

const LOST: &str = "intervals that nobody read";
const INTERVAL: Duration = Duration::from_millis(200);

/// The pipe is full after some intervals, and read again later. At the end nobody reads again, and the run ends.
pub fn unread() -> Result<()> {
    let mut child = stillwatch()
        .args(["0.2", "--json"])
        .env("STILLWATCH_QUEUE", "3")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
    tick(&mut lines)?;
    sleep(Duration::from_secs(5));
    went_on(&mut lines)?;
    sleep(Duration::from_secs(4));
    is_interrupted(&mut child)
}

/// The same of a terminal where somebody types Ctrl-S, and Ctrl-Q later. It shows what goes wrong, too: nobody may wait for that either.
pub fn stopped() -> Result<()> {
    const STOP: &[u8] = b"\x13";
    const GO_ON: &[u8] = b"\x11";
    let (mut keys, terminal) = terminal()?;
    let mut child = stillwatch()
        .args(["0.2", "--json"])
        .env("STILLWATCH_QUEUE", "3")
        .stdout(terminal.try_clone()?)
        .stderr(terminal)
        .spawn()?;
    let mut lines = BufReader::new(keys.try_clone()?).lines();
    tick(&mut lines)?;
    keys.write_all(STOP)?;
    sleep(Duration::from_secs(2));
    keys.write_all(GO_ON)?;
    went_on(&mut lines)?;
    keys.write_all(STOP)?;
    sleep(Duration::from_secs(1));
    is_interrupted(&mut child)
}

/// Both ends.
fn terminal() -> Result<(File, File)> {
    let mut ends = [0; 2];
    let [keys, screen] = &mut ends;
    // SAFETY: room for two descriptors; the rest is as always.
    let failed = unsafe { libc::openpty(keys, screen, ptr::null_mut(), ptr::null(), ptr::null()) };
    ensure!(failed == 0, "openpty: {}", std::io::Error::last_os_error());
    // SAFETY: they are new, and nobody else's.
    let [keys, screen] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    for end in [&keys, &screen] {
        // SAFETY: a descriptor of our own.
        unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok((keys.into(), screen.into()))
}

/// The next tick that is told. On a terminal there are messages in between.
fn tick(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Result<Value> {
    loop {
        let line = lines.next().context("it ended")??;
        if !line.starts_with('{') {
            continue;
        }
        let line: Value = serde_json::from_str(&line)?;
        if line["type"] == "snapshot" && line["probe"] == "cpu" {
            return Ok(line);
        }
    }
}

/// What was dropped meanwhile is counted, and the ticks went on in time: those that were written then, and some that are told in time again.
fn went_on(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Result<()> {
    let (mut dropped, mut late, mut seen) = (0, Vec::new(), 0);
    while dropped == 0 || seen < 20 {
        let line = tick(lines)?;
        seen += 1;
        ensure!(seen < 200, "nothing was dropped");
        dropped += line["self"]["lost_by"][LOST].as_u64().unwrap_or(0);
        let interval = Duration::from_nanos(line["interval_ns"].as_u64().context("no interval")?);
        late.extend((interval > INTERVAL + LATE).then_some(interval));
    }
    ensure!(late.is_empty(), "ticks came late: {late:?}");
    Ok(())
}

fn is_interrupted(child: &mut Child) -> Result<()> {
    // SAFETY: our own child.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let status = end_of(child, Duration::from_secs(5))?;
    ensure!(status.success(), "{status}");
    Ok(())
}

/// One that goes on is killed.
fn end_of(child: &mut Child, most: Duration) -> Result<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() > most {
            child.kill()?;
            anyhow::bail!("it went on for {most:?}, and {}", child.wait()?);
        }
        sleep(Duration::from_millis(50));
    }
}

/// What can't be written ends the run, with the reason.
pub fn full() -> Result<()> {
    // After some intervals.
    let disk = Tmpfs::new(c"size=64k")?;
    let out = File::create(disk.path.join("out"))?;
    let mut child = stillwatch().args(["0.2", "--json"]).stdout(out).stderr(Stdio::piped()).spawn()?;
    let status = end_of(&mut child, Duration::from_secs(15))?;
    let mut said = String::new();
    child.stderr.take().context("no stderr")?.read_to_string(&mut said)?;
    ensure!(status.code() == Some(1) && said.contains("No space left on device"), "{status}: {said}");
    Ok(())
}
