//! Calls that have not returned.

use std::{ffi::CString, time::Duration};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::super::{
    Test, every_kernel, here,
    stillwatch::{Watch, watch},
    workload::{Workload, call, sleep},
};

pub const TESTS: &[Test] = &[
    every_kernel("syscalls_a_call_in_flight_has_an_age", age),
    here("syscalls_calls_that_wait_by_design_are_left_out", by_design),
    every_kernel("syscalls_a_call_older_than_the_run_has_no_latency", older),
    every_kernel("syscalls_nothing_stays_in_the_table_of_tasks", no_leak),
];

/// The lock of a file, held.
pub struct Lock {
    pub path: CString,
    fd: i32,
}

impl Lock {
    pub fn new() -> Result<Self> {
        let path = CString::new(format!("/tmp/stillwatch-lock-{}", std::process::id()))?;
        // SAFETY: the path lives here.
        let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC, 0o600) };
        // SAFETY: no memory is involved.
        ensure!(fd >= 0 && unsafe { libc::flock(fd, libc::LOCK_EX) } == 0, "can't lock {path:?}");
        Ok(Self { path, fd })
    }
}

impl Drop for Lock {
    /// Unlocked, not only closed: forked workloads have copies of the descriptor, which would keep the lock.
    fn drop(&mut self) {
        // SAFETY: our own descriptor and path.
        unsafe {
            libc::flock(self.fd, libc::LOCK_UN);
            libc::close(self.fd);
            libc::unlink(self.path.as_ptr());
        }
    }
}

/// A call that waits for work: a lock that another process holds for itself alone.
pub fn wait_for_lock(path: &CString) {
    // SAFETY: the path lives in the caller.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600);
        libc::flock(fd, libc::LOCK_SH);
    }
}

pub fn in_flight<'a>(snapshot: &'a Value, pid: u32, syscall: &str) -> Option<&'a Value> {
    let calls = snapshot["in_flight"].as_array()?;
    calls.iter().find(|call| call["pid"] == pid && call["syscall"] == syscall)
}

fn age() -> Result<()> {
    let lock = Lock::new()?;
    let workload = Workload::new(|| {
        wait_for_lock(&lock.path);
        [0; 2]
    })?;
    let pid = workload.pid;
    let mut watch = Watch::start(&["-p", &pid.to_string()])?;
    workload.go();
    let mut ages: Vec<u64> = Vec::new();
    while ages.last().is_none_or(|&age| age < 2_000_000_000) {
        ensure!(watch.snapshots.len() < 60, "never 2 s old: {ages:?}");
        let snapshot = watch.next()?;
        ages.extend(in_flight(snapshot, pid, "flock").and_then(|call| call["age_ns"].as_u64()));
    }
    ensure!(ages.len() >= 5 && ages.is_sorted(), "{ages:?}");
    drop(lock);
    workload.report()?;
    let snapshot = watch.next()?;
    ensure!(in_flight(snapshot, pid, "flock").is_none(), "it returned: {snapshot}");
    let seen = watch.finish()?;
    let row = seen.row("flock")?;
    ensure!(row.calls == 1 && row.untimed == 0 && row.max_ns >= 2_000_000_000, "{row:?}");
    let slow: Vec<_> = seen.table("slow").filter(|slow| slow["syscall"] == "flock").collect();
    ensure!(slow.len() == 1 && slow[0]["pid"] == pid && slow[0]["count"] == 1, "{slow:?}");
    ensure!(slow[0]["max_ns"].as_u64() >= Some(2_000_000_000), "{slow:?}");
    Ok(())
}

/// The same sleep is there with `--idle` and not without; so is a read from a pipe, which the workload ends in.
fn by_design() -> Result<()> {
    let work = || {
        sleep(Duration::from_millis(900));
        [0; 2]
    };
    let (seen, _) = watch(&[], work)?;
    ensure!(seen.table("in_flight").count() == 0, "{:?}", seen.table("in_flight").collect::<Vec<_>>());
    ensure!(seen.table("slow").count() == 0, "{:?}", seen.table("slow").collect::<Vec<_>>());
    let (seen, _) = watch(&["--idle"], work)?;
    for name in ["nanosleep", "read"] {
        ensure!(seen.table("in_flight").any(|call| call["syscall"] == name), "no {name}: {:?}", seen.snapshots);
    }
    ensure!(seen.table("slow").any(|slow| slow["syscall"] == "nanosleep"), "{:?}", seen.snapshots);
    Ok(())
}

/// The workload waits in read when we attach. That read is listed without an age, and counted without a latency.
fn older() -> Result<()> {
    let workload = Workload::new(|| [0; 2])?;
    std::thread::sleep(Duration::from_millis(500));
    let pid = workload.pid;
    let mut watch = Watch::start(&["-p", &pid.to_string(), "--idle"])?;
    let snapshot = watch.next()?;
    let call = in_flight(snapshot, pid, "read").cloned();
    ensure!(call.as_ref().is_some_and(|call| call["age_ns"].is_null()), "{snapshot}");
    workload.go();
    workload.report()?;
    watch.next()?;
    let seen = watch.finish()?;
    let row = seen.row("read")?;
    ensure!(row.calls == 1 && row.untimed == 1 && row.histogram.is_empty(), "{row:?}");
    ensure!(seen.before_start == 1, "{}", seen.before_start);
    Ok(())
}

/// Entries of a dead process would be calls that never end.
fn no_leak() -> Result<()> {
    use stillwatch_common::syscalls::TaskInCall;
    let workload = Workload::new(|| {
        let threads: Vec<_> = (0..29).map(|_| std::thread::spawn(|| sleep(Duration::from_millis(20)))).collect();
        for thread in threads {
            let _ = thread.join();
        }
        call(libc::SYS_getpid, [0; 3]);
        [0; 2]
    })?;
    let pid = workload.pid;
    let mut watch = Watch::start(&[])?;
    workload.go();
    workload.report()?;
    let entries = || -> Result<Vec<TaskInCall>> {
        let map = super::super::lifetime::map_of(watch.pid(), "SYSCALLS_TASKS")?;
        let map = aya::maps::HashMap::<_, u64, TaskInCall>::try_from(aya::maps::Map::HashMap(map))?;
        Ok(map.iter().filter_map(Result::ok).map(|(_, task)| task).filter(|task| task.tgid == pid).collect())
    };
    // It has reported, and is on its way to the read that it waits in: on a busy machine not there at once.
    let mut alive = entries()?;
    for _ in 0..50 {
        if alive.iter().any(|task| task.start_ns != 0) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        alive = entries()?;
    }
    ensure!(alive.iter().any(|task| task.start_ns != 0), "the waiting process is in the table: {alive:?}");
    workload.end();
    std::thread::sleep(Duration::from_millis(300));
    let dead = entries()?;
    ensure!(dead.is_empty(), "{dead:?}");
    watch.next()?;
    Ok(())
}
