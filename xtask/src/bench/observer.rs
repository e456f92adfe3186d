//! Something that may be attached while a load runs.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Bench;
use crate::workspace::which;

/// After attaching and after detaching, before anything is measured: the kernel patches code and waits for grace periods.
pub const SETTLE: Duration = Duration::from_millis(300);
const ATTACHING: Duration = Duration::from_secs(20);

/// Stands for the process ID of the load in an observer's arguments.
pub const LOAD_PID: &str = "{load}";

pub struct Observer {
    pub name: String,
    /// Nothing at all, or a program and its arguments.
    command: Option<Vec<OsString>>,
    peer: bool,
    /// Attached after it.
    others: Vec<Observer>,
}

impl Observer {
    pub fn nothing() -> Self {
        Self { name: "nothing: the noise".to_owned(), command: None, peer: false, others: Vec::new() }
    }

    /// `stillwatch ARGS`.
    pub fn stillwatch(bench: &Bench, args: &str) -> Self {
        let words = args.split(' ').map(OsString::from);
        let command = std::iter::once(bench.stillwatch.clone().into())
            .chain(words)
            .chain(["--budget", "100"].map(OsString::from));
        Self { name: format!("`stillwatch {args}`"), command: Some(command.collect()), peer: false, others: Vec::new() }
    }

    /// The cheapest programs on these hooks: `clock` or `empty`.
    pub fn floor(bench: &Bench, program: &str, hooks: &[&str]) -> Self {
        let mut command = vec![bench.floor.clone().into(), program.into()];
        command.extend(hooks.iter().map(OsString::from));
        let command = Some(command);
        Self { name: format!("`bench-floor {program}`"), command, peer: false, others: Vec::new() }
    }

    /// A program that Debian packages.
    pub fn peer(command: &str) -> Self {
        let words = command.split(' ').map(OsString::from).collect();
        Self { name: format!("`{command}`"), command: Some(words), peer: true, others: Vec::new() }
    }

    /// With one more argument, which may have blanks.
    pub fn with(mut self, argument: &str) -> Self {
        self.command.get_or_insert_default().push(argument.into());
        self
    }

    /// Together with another one.
    pub fn beside(mut self, other: Self) -> Self {
        self.name = format!("{}, {}", self.name, other.name);
        self.others.push(other);
        self
    }

    /// Under another name in the tables.
    pub fn called(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    pub fn is_installed(&self) -> bool {
        let is_there = |program: &OsString| which(&program.to_string_lossy()).is_some();
        (!self.peer || self.program().is_some_and(is_there)) && self.others.iter().all(Self::is_installed)
    }

    fn program(&self) -> Option<&OsString> {
        self.command.as_ref()?.first()
    }

    /// Starts it and waits until it is attached and the kernel has settled. `load` is the load's process ID.
    pub fn attach(&self, bench: &Bench, load: u32) -> Result<Attached> {
        let Some(words) = &self.command else {
            sleep(SETTLE);
            return Ok(Attached::default());
        };
        let words = words.iter().map(|word| if word == LOAD_PID { load.to_string().into() } else { word.clone() });
        let cpu = bench.cpus.observer.to_string();
        self.start(&["taskset", "--cpu-list", &cpu], words)
    }

    /// The same, with all CPUs open to it.
    pub fn attach_anywhere(&self) -> Result<Attached> {
        let Some(words) = &self.command else {
            sleep(SETTLE);
            return Ok(Attached::default());
        };
        self.start(&[], words.iter().cloned())
    }

    fn start(&self, through: &[&str], words: impl Iterator<Item = OsString>) -> Result<Attached> {
        // Nothing stays attached when the bench is killed.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(through);
        if self.peer {
            // They need tracefs, which not every host mounts; a mount of their own leaves the host as it is.
            const MOUNT: &str = "mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null; exec \"$@\"";
            command.args(["unshare", "--mount", "sh", "-c", MOUNT, "sh"]);
        }
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("starting {}", self.name))?;
        let mut attached = Attached { child: Some(child), others: Vec::new() };
        let start = Instant::now();
        let is_ready = |pid| links(pid) > 0 || is_tracer(pid) || listens(pid) || gave_up_rights(pid);
        while !is_ready(attached.pid()) {
            let ended = attached.child.as_mut().map(Child::try_wait).transpose()?.flatten();
            if ended.is_some() || start.elapsed() > ATTACHING {
                bail!("{} does not attach: try it by hand", self.name);
            }
            sleep(Duration::from_millis(10));
        }
        // Programs are attached one after the other.
        let mut before = 0;
        while links(attached.pid()) != before {
            before = links(attached.pid());
            sleep(SETTLE);
        }
        for other in &self.others {
            attached.others.push(other.start(through, other.command.iter().flatten().cloned())?);
        }
        Ok(attached)
    }
}

/// Detaches when dropped: the kernel closes what a dead process held.
#[derive(Default)]
pub struct Attached {
    child: Option<Child>,
    others: Vec<Attached>,
}

impl Attached {
    /// 0 for nothing.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may be dead already.
            let _ = child.kill();
            let _ = child.wait();
            sleep(SETTLE);
        }
    }
}

/// As `strace`, which attaches to processes.
fn is_tracer(pid: u32) -> bool {
    let line = format!("TracerPid:\t{pid}");
    let traced = |status: String| status.lines().any(|it| it == line);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.map(|process| process.path().join("status")).any(|path| fs::read_to_string(path).is_ok_and(traced))
}

/// As ours, once attached to all that there is, which may be nothing.
fn gave_up_rights(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line == "NoNewPrivs:\t1")
}

/// As `tcpdump`, to packets of its network namespace.
fn listens(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/net/packet")).is_ok_and(|sockets| sockets.lines().count() > 1)
}

/// How many attached programs a process holds.
pub fn links(pid: u32) -> usize {
    let Ok(descriptors) = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd")) else { return 0 };
    let is_link = |target: &Path| {
        let target = target.to_string_lossy();
        ["bpf_link", "bpf-link", "perf_event", "raw-tracepoint"].iter().any(|kind| target.contains(kind))
    };
    descriptors.flatten().filter(|entry| fs::read_link(entry.path()).is_ok_and(|target| is_link(&target))).count()
}
