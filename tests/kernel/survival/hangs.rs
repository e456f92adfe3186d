//! Files of `/proc` and `/sys` that do not come to an end when they are read.
//!
//! Over each of them lies a FIFO that nobody writes to, in a mount namespace where only stillwatch is: nobody else waits for it.

use std::{
    ffi::{CStr, CString},
    fs::{self, File},
    io,
    os::{
        fd::AsRawFd,
        unix::{ffi::OsStrExt, process::CommandExt},
    },
    path::PathBuf,
    process::Command,
    ptr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillwatch_tests::stillwatch;

use super::{
    super::{
        devices::{Filesystem, LoopDevice, MIB},
        oom::group::hold,
        stillwatch::Watch,
        syscalls::in_flight::{Lock, in_flight, wait_for_lock},
        workload::{Workload, call},
    },
    LATE, lateness,
};

const INTERVAL: Duration = Duration::from_millis(500);
/// So long a tick of ours is to be seen, one way or the other.
const ALARM: u32 = 60;
const LOST: &str = "reads that did not end in time";

/// Of a process that is large (the lead-up has its command line), in a call that lasts (its stack is read); of two that wait for a file system
/// (their stack, and where it is mounted); of the cgroups of processes, and of a disk. What can be read of others, is.
pub fn unreadable() -> Result<()> {
    let disk = LoopDevice::new(32 * MIB)?;
    let filesystem = Filesystem::on(&disk.name)?;
    let files = ["a", "b"].map(|name| File::create(filesystem.path.join(name)));
    let lock = Lock::new()?;
    let waits = |bytes| {
        let path = &lock.path;
        Workload::new(move || {
            hold(bytes);
            wait_for_lock(path);
            [0; 2]
        })
    };
    let (large, free) = (waits(64 * MIB)?, waits(4096)?);
    let [stacked, mounted] = files.map(|file| -> Result<_> {
        let file = file?;
        Workload::new(move || {
            call(libc::SYS_write, [file.as_raw_fd() as u64, c"x".as_ptr() as u64, 1]);
            [0; 2]
        })
    });
    let (stacked, mounted) = (stacked?, mounted?);
    let thread = |process: &Workload, file: &str| format!("/proc/{0}/task/{0}/{file}", process.pid);
    let covered = Covered::new(&[
        format!("/proc/{}/cmdline", large.pid),
        format!("/proc/{}/cgroup", large.pid),
        thread(&large, "stack"),
        thread(&stacked, "stack"),
        thread(&stacked, "syscall"),
        format!("/proc/{}/mountinfo", mounted.pid),
        format!("/sys/block/{}/stat", disk.name),
    ])?;
    let mut watch = Watch::run(covered.for_this(stillwatch())?, "0.5", "", &[], &[])?;
    let _frozen = filesystem.freeze()?;
    [&large, &free, &stacked, &mounted].into_iter().for_each(Workload::go);
    while lateness(&watch, INTERVAL).len() < 16 {
        watch.line()?;
    }
    let late = lateness(&watch, INTERVAL);
    ensure!(late.iter().all(|late| *late <= LATE), "ticks came late: {late:?}");
    let start = Instant::now();
    watch.stop()?;
    ensure!(start.elapsed() < Duration::from_secs(2), "Ctrl-C took {:?}", start.elapsed());

    let last = |probe: &str| watch.snapshots.iter().rfind(|line| line["probe"] == probe).context("no line");
    let calls = last("syscalls")?;
    let [of_large, of_free] = [&large, &free].map(|process| in_flight(calls, process.pid, "flock"));
    ensure!(of_large.is_some_and(|call| call["reason_unknown"] == "not read in time"), "{of_large:?}");
    ensure!(of_free.is_some_and(|call| call["reason_unknown"].is_null()), "{of_free:?}");
    let stalls = last("io")?;
    let [of_stacked, of_mounted] = [&stacked, &mounted].map(|process| stalled(stalls, process.pid));
    let unknown = of_stacked.and_then(|row| row["reason_unknown"].as_str());
    ensure!(unknown.is_some_and(|why| why.ends_with("not read in time")), "{of_stacked:?}");
    ensure!(of_mounted.is_some_and(|row| row["syscall"] == "write" && row["device"].is_null()), "{of_mounted:?}");
    let lost = |line: &Value| line["self"]["lost_by"][LOST].as_u64();
    ensure!(lost(stalls) > Some(0), "{}", stalls["self"]);
    Ok(())
}

/// Waits that go on.
fn stalled(line: &Value, pid: u32) -> Option<&Value> {
    let rows = line["stalled"].as_array()?;
    rows.iter().find(|row| row["pid"] == pid && row["now"].as_u64() > Some(0))
}

/// Who opens it to read, waits.
struct Fifo(PathBuf);

impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Files, and what lies over them.
struct Covered {
    fifo: Fifo,
    paths: Vec<CString>,
}

impl Covered {
    fn new(files: &[String]) -> Result<Self> {
        let fifo = Fifo(std::env::temp_dir().join(format!("stillwatch-fifo-{}", std::process::id())));
        let path = c_path(&fifo.0)?;
        // SAFETY: a string that ends.
        ensure!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) } == 0, "mkfifo: {}", io::Error::last_os_error());
        let paths = files.iter().map(|file| Ok(CString::new(file.as_str())?)).collect::<Result<_>>()?;
        Ok(Self { fifo, paths })
    }

    /// For one command. If it waits with the wrong thread, it is ended by an alarm.
    fn for_this(&self, mut command: Command) -> Result<Command> {
        let (fifo, paths) = (c_path(&self.fifo.0)?, self.paths.clone());
        // SAFETY: it calls the kernel, with strings that are there already.
        unsafe { command.pre_exec(move || cover(&fifo, &paths)) };
        Ok(command)
    }
}

fn c_path(path: &std::path::Path) -> Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn cover(fifo: &CStr, paths: &[CString]) -> io::Result<()> {
    let check = |result| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    let mount = |from: &CStr, to: &CStr, flags| {
        // SAFETY: strings that end.
        check(unsafe { libc::mount(from.as_ptr(), to.as_ptr(), ptr::null(), flags, ptr::null()) })
    };
    // SAFETY: no memory is involved.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    mount(c"none", c"/", libc::MS_REC | libc::MS_PRIVATE)?;
    paths.iter().try_for_each(|path| mount(fifo, path, libc::MS_BIND))?;
    // SAFETY: no memory is involved.
    unsafe { libc::alarm(ALARM) };
    Ok(())
}
