//! What may not hold up a tick.

use std::{
    ffi::CString,
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillwatch_tests::stillwatch;

use super::{Test, here, workload::sleep};

pub const TESTS: &[Test] = &[here("survives_a_pipe_that_nobody_reads", unread), here("survives_a_full_disk", full)];

const LOST: &str = "intervals that nobody read";

/// The pipe is full after some intervals, and read again later: what was dropped is counted, and the ticks went on in time. At the end
/// nobody reads again, and the run ends.
fn unread() -> Result<()> {
    let mut child = stillwatch()
        .args(["0.2", "--json"])
        .env("STILLWATCH_QUEUE", "3")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let pid = child.id() as i32;
    let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
    let mut next = || -> Result<Value> {
        loop {
            let line: Value = serde_json::from_str(&lines.next().context("it ended")??)?;
            if line["type"] == "snapshot" && line["probe"] == "cpu" {
                return Ok(line);
            }
        }
    };
    next()?;
    sleep(Duration::from_secs(5));
    let (mut dropped, mut late, mut seen) = (0, Vec::new(), 0);
    // As many as were written meanwhile, and some that are told in time again.
    while dropped == 0 || seen < 20 {
        let line = next()?;
        seen += 1;
        ensure!(seen < 200, "nothing was dropped");
        dropped += line["self"]["lost_by"][LOST].as_u64().unwrap_or(0);
        let interval = Duration::from_nanos(line["interval_ns"].as_u64().context("no interval")?);
        late.extend((interval > Duration::from_millis(450)).then_some(interval));
    }
    ensure!(late.is_empty(), "ticks came late: {late:?}");
    sleep(Duration::from_secs(4));
    let start = Instant::now();
    // SAFETY: our own child.
    unsafe { libc::kill(pid, libc::SIGINT) };
    let status = child.wait()?;
    ensure!(status.success() && start.elapsed() < Duration::from_secs(5), "{status} after {:?}", start.elapsed());
    Ok(())
}

/// What can't be written ends the run, with the reason.
fn full() -> Result<()> {
    let disk = Small::new()?;
    let out = File::create(disk.0.join("out"))?;
    let mut child = stillwatch().args(["0.2", "--json"]).stdout(out).stderr(Stdio::piped()).spawn()?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > Duration::from_secs(15) {
            child.kill()?;
        }
        sleep(Duration::from_millis(50));
    };
    let mut said = String::new();
    child.stderr.take().context("no stderr")?.read_to_string(&mut said)?;
    ensure!(status.code() == Some(1) && said.contains("No space left on device"), "{status}: {said}");
    Ok(())
}

/// A file system that is full after some intervals.
struct Small(PathBuf);

impl Small {
    fn new() -> Result<Self> {
        let small = Self(std::env::temp_dir().join(format!("stillwatch-small-{}", std::process::id())));
        fs::create_dir(&small.0)?;
        let path = CString::new(small.0.as_os_str().as_bytes())?;
        let (kind, size) = (c"tmpfs".as_ptr(), c"size=64k".as_ptr());
        // SAFETY: strings that end.
        let failed = unsafe { libc::mount(kind, path.as_ptr(), kind, 0, size.cast()) };
        ensure!(failed == 0, "mount: {}", std::io::Error::last_os_error());
        Ok(small)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        if let Ok(path) = CString::new(self.0.as_os_str().as_bytes()) {
            // SAFETY: a string that ends.
            unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
        }
        let _ = fs::remove_dir(&self.0);
    }
}
