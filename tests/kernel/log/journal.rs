//! systemd's journal: a journald of our own, which knows nobody else's.

use std::{
    fs,
    os::{fd::AsRawFd, unix::net::UnixDatagram},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{Test, here, skip, stillwatch::Watch, workload::sleep},
    lines, text, unescaped, wait_for,
};

const JOURNALD: &str = "/lib/systemd/systemd-journald";

pub fn tests() -> Vec<Test> {
    vec![
        here("log_has_the_journal_as_journalctl_has_it", agrees),
        here("log_goes_on_beside_a_journal_that_is_corrupt", corrupt),
    ]
}

/// Writes a journal in a namespace of its own; ends, and leaves nothing, when dropped.
pub struct Journald {
    child: Child,
    namespace: String,
    pub files: PathBuf,
}

impl Journald {
    pub fn new() -> Result<Self> {
        let is_there = Path::new(JOURNALD).exists() && Command::new("journalctl").arg("--version").output().is_ok();
        let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        if !is_there || machine.trim().len() != 32 {
            return Err(skip("no journald here"));
        }
        let namespace = format!("stillwatch{}", std::process::id());
        let name = format!("{}.{namespace}", machine.trim());
        let kept = if Path::new("/var/log/journal").exists() { "/var/log/journal" } else { "/run/log/journal" };
        let files = Path::new(kept).join(name);
        let child = Command::new(JOURNALD).arg(&namespace).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let journald = Self { child, namespace, files };
        for _ in 0..100 {
            if journald.files.join("system.journal").exists() {
                return Ok(journald);
            }
            sleep(Duration::from_millis(100));
        }
        Err(skip(format!("journald writes nothing to {}", journald.files.display())))
    }

    pub fn say(&self, severity: usize, message: &[u8]) -> Result<()> {
        self.send(&entry("teller", severity, message), None)
    }

    /// As another process, which root may say that it is.
    pub fn say_as(&self, pid: i32, identifier: &str, message: &str) -> Result<()> {
        self.send(&entry(identifier, 6, message.as_bytes()), Some(pid))
    }

    fn send(&self, entry: &[u8], pid: Option<i32>) -> Result<()> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(format!("/run/systemd/journal.{}/socket", self.namespace))?;
        let credentials = pid.map(|pid| libc::ucred { pid, uid: 0, gid: 0 });
        let mut room = [0u64; 8];
        let mut part = libc::iovec { iov_base: entry.as_ptr().cast_mut().cast(), iov_len: entry.len() };
        // SAFETY: all zeros are a valid header; it points to what lives on; the room is aligned and large enough.
        let sent = unsafe {
            let mut header: libc::msghdr = std::mem::zeroed();
            (header.msg_iov, header.msg_iovlen) = (&raw mut part, 1);
            if let Some(credentials) = credentials {
                let bytes = size_of::<libc::ucred>() as u32;
                header.msg_control = room.as_mut_ptr().cast();
                header.msg_controllen = libc::CMSG_SPACE(bytes) as usize;
                let first = libc::CMSG_FIRSTHDR(&header);
                (*first).cmsg_level = libc::SOL_SOCKET;
                (*first).cmsg_type = libc::SCM_CREDENTIALS;
                (*first).cmsg_len = libc::CMSG_LEN(bytes) as usize;
                libc::CMSG_DATA(first).cast::<libc::ucred>().write_unaligned(credentials);
            }
            libc::sendmsg(socket.as_raw_fd(), &header, 0)
        };
        ensure!(sent == entry.len() as isize, "journald: {}", std::io::Error::last_os_error());
        Ok(())
    }

    fn watch(&self) -> Result<Watch> {
        Watch::of("log", &["--journal", self.files.to_str().context("a path")?], &[])
    }
}

fn entry(identifier: &str, severity: usize, message: &[u8]) -> Vec<u8> {
    let head = format!("PRIORITY={severity}\nSYSLOG_IDENTIFIER={identifier}\nMESSAGE\n");
    let length = (message.len() as u64).to_le_bytes();
    [head.as_bytes(), &length, message, b"\n"].concat()
}

impl Drop for Journald {
    fn drop(&mut self) {
        // SAFETY: our own child.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) };
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.files);
        let _ = fs::remove_dir_all(format!("/run/systemd/journal.{}", self.namespace));
    }
}

fn is_told(line: &Value) -> bool {
    line["source"] == "journal" && line["ident"] == "teller"
}

/// Messages, severities and writers, through a rotation.
fn agrees() -> Result<()> {
    const LINES: usize = 61;
    let journald = Journald::new()?;
    journald.say(3, b"before")?;
    let mut watch = journald.watch()?;
    // Until journalctl follows.
    let first = |line: &Value| is_told(line) && text(line) == "first";
    for _ in 0..50 {
        if lines(&watch, first).is_empty() {
            journald.say(5, b"first")?;
            watch.next()?;
        }
    }
    ensure!(!lines(&watch, first).is_empty(), "{:#?}", watch.snapshots.last());
    for number in 0..LINES {
        if number == LINES / 2 {
            let rotated = Command::new("journalctl")
                .arg(format!("--namespace={}", journald.namespace))
                .arg("--rotate")
                .status()?;
            ensure!(rotated.success(), "no rotation");
        }
        journald.say(number % 8, format!("message {number}\n\x1b[2J").as_bytes())?;
    }
    journald.say(2, b"\xff\xfe no text")?;
    let is_one = |line: &Value| is_told(line) && text(line) != "first" && text(line) != "before";
    let found = wait_for(&mut watch, LINES + 1, is_one)?;
    ensure!(lines(&watch, |line| text(line) == "before").is_empty(), "it was before the run");
    let output = Command::new("journalctl")
        .args([
            "--directory",
            journald.files.to_str().context("a path")?,
            "--output=json",
            "--all",
            "SYSLOG_IDENTIFIER=teller",
        ])
        .output()?;
    let told = String::from_utf8(output.stdout)?;
    let told = told.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let told: Vec<&Value> =
        told.iter().filter(|entry| entry["MESSAGE"] != "first" && entry["MESSAGE"] != "before").collect();
    ensure!(found.len() == told.len(), "{} lines, {} entries", found.len(), told.len());
    let severities = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
    for (line, entry) in found.iter().zip(told) {
        let priority: usize = entry["PRIORITY"].as_str().context("no priority")?.parse()?;
        ensure!(line["severity"] == severities[priority], "{line}, not {entry}");
        ensure!(
            line["pid"].as_u64().map(|pid| pid.to_string()).as_deref() == entry["_PID"].as_str(),
            "{line}, not {entry}"
        );
        let said = if line["encoded"] == true { unescaped(text(line)) } else { text(line).into() };
        // What cannot be printed, journalctl writes as numbers.
        let numbers = entry["MESSAGE"].as_array().context("a message of ours can be printed")?;
        let is_same = numbers.iter().map(Value::as_u64).eq(said.iter().map(|&byte| Some(byte.into())));
        ensure!(is_same, "{line}, not {entry}");
    }
    Ok(())
}

/// What it says of it is a reason; other logs are read.
fn corrupt() -> Result<()> {
    let journald = Journald::new()?;
    journald.say(3, b"lost")?;
    sleep(Duration::from_millis(300));
    let files = journald.files.with_extension("corrupt");
    fs::create_dir_all(&files)?;
    let mut bytes = fs::read(journald.files.join("system.journal"))?;
    let end = bytes.len();
    bytes[100..end.min(1 << 20)].fill(0xa5);
    fs::write(files.join("system.journal"), &bytes[..end / 2])?;
    let path = files.to_str().context("a path")?.to_owned();
    let result = (|| {
        let mut watch = Watch::of("log", &["--journal", &path], &[])?;
        for _ in 0..15 {
            watch.next()?;
        }
        let late = watch.snapshots.iter().filter_map(|line| line["interval_ns"].as_u64()).max();
        ensure!(late < Some(500_000_000), "{late:?}");
        let last = watch.snapshots.last().context("none")?;
        let kernel = last["sources"].as_array().into_iter().flatten().find(|row| row["source"] == "kernel");
        ensure!(kernel.is_some_and(|row| row["lines"].is_u64()), "{last}");
        watch.stop().map(|_| ())
    })();
    fs::remove_dir_all(&files)?;
    result
}
