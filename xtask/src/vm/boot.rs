//! One start of one machine, from power-on to its end or its time limit.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::console;
use super::guest::Binaries;
use super::initramfs;
use super::kernels::Fetched;
use super::pause::Pause;
use crate::workspace::target_dir;

pub struct Machine<'a> {
    pub kernel: &'a Fetched,
    pub binaries: &'a Binaries,
    /// Copied to /root.
    pub files: &'a [PathBuf],
    /// For the guest's shell.
    pub command: &'a str,
    pub timeout: Duration,
    /// Its stops.
    pub pause: Option<&'a Pause>,
}

/// Its CPUs do an instruction in two nanoseconds of its own time, however long the emulator takes; while they all sleep, its
/// time jumps to the next timer (docs/decisions/0017-machines-count-instructions.md).
const CLOCK: &str = "shift=1,sleep=off";
/// The storms fill it again and again.
const MEMORY_MIB: &str = "512";

pub struct Run {
    pub end: End,
    /// The end of what the kernel said: the reason of a panic.
    pub console: String,
    /// It ran into a breakpoint that was no longer there.
    pub stale_breakpoint: bool,
    /// From power-on to the command's first line.
    pub booted_in: Duration,
    pub took: Duration,
}

pub enum End {
    Exited(u8),
    /// It stopped without the command having ended: a panic, usually.
    Died,
    TimedOut,
}

impl fmt::Display for End {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(to, "the command ended with status {code}"),
            Self::Died => write!(to, "the machine stopped before the command ended"),
            Self::TimedOut => write!(to, "the time limit was reached"),
        }
    }
}

impl Machine<'_> {
    /// Hands every line of the command's output to `line` as it comes.
    pub fn run(&self, mut line: impl FnMut(&str)) -> Result<Run> {
        let scratch = Scratch::new(self.kernel.name)?;
        let (initrd, console) = (scratch.0.join("initrd"), scratch.0.join("console"));
        initramfs::write(&initrd, self.kernel, self.binaries, self.files, self.command)?;

        self.pause.inspect(|pause| pause.wait());
        let started = Instant::now();
        // Should xtask be killed, the machine goes with it. The CPUs take turns in one thread: with one each,
        // QEMU runs breakpoints that the kernel has taken away (docs/decisions/0008-processors-in-turn.md).
        let clock: &[&str] = if self.kernel.counts_instructions { &["-icount", CLOCK] } else { &[] };
        let mut qemu = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "qemu-system-x86_64"])
            .args(["-accel", "tcg,thread=single", "-cpu", "max", "-m", MEMORY_MIB, "-smp", "2"])
            .args(clock)
            .args(["-no-reboot", "-display", "none", "-nodefaults"])
            .arg("-kernel")
            .arg(&self.kernel.image)
            .arg("-initrd")
            .arg(&initrd)
            .args(["-append", "console=ttyS0 panic=-1 oops=panic quiet"])
            .arg("-serial")
            .arg(format!("file:{}", console.display()))
            .args(["-serial", "stdio"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting qemu")?;
        self.pause.inspect(|pause| pause.runs(Some(qemu.id())));
        let (mut status, mut booted_in) = (None, None);
        let in_time = follow(&mut qemu, started + self.timeout, |text| {
            booted_in.get_or_insert_with(|| started.elapsed());
            match text.strip_prefix("@exit ") {
                Some(code) => status = code.parse().ok(),
                None => line(text),
            }
        })?;
        self.pause.inspect(|pause| pause.runs(None));
        qemu.wait()?;
        let end = match status {
            Some(code) => End::Exited(code),
            None if in_time => End::Died,
            None => End::TimedOut,
        };
        let took = started.elapsed();
        let said = std::fs::read(&console).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        Ok(Run {
            end,
            console: console::tail(&said),
            stale_breakpoint: console::stale_breakpoint(&said),
            booted_in: booted_in.unwrap_or(took),
            took,
        })
    }
}

/// One start's files; two developers may start the same kernel.
struct Scratch(PathBuf);

impl Scratch {
    fn new(kernel: &str) -> Result<Self> {
        let dir = target_dir()?.join("vm/run").join(format!("{kernel}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Reads until the machine closes its port; kills it at the deadline and says so.
fn follow(qemu: &mut Child, deadline: Instant, mut line: impl FnMut(&str)) -> Result<bool> {
    let stdout = qemu.stdout.take().context("qemu has no output")?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for bytes in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&bytes).trim_end_matches('\r').to_owned();
            if sender.send(text).is_err() {
                break;
            }
        }
    });
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(text) => line(&text),
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(true),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                qemu.kill()?;
                return Ok(false);
            }
        }
    }
}
