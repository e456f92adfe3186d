//! Who waits for memory, and who is killed by others.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test,
        accounts::pressure_ns,
        cpu::work::{last_processor, pin},
        devices::{Filesystem, LoopDevice},
        every_kernel, here,
        io::work::threads,
        skip,
        stillwatch::{RUNNING, UNENDED, Watch, losses},
        workload::{self, Workload},
    },
    brief,
    group::{Group, MIB, hold, holder, is_killed, is_v2, root},
    kill_of, wait_for, watch,
};

pub const TESTS: &[Test] = &[
    every_kernel("oom_shows_waits_at_memory_high_as_the_kernels_pressure_has_them", high),
    every_kernel("oom_shows_reclaim_at_a_limit", at_limit),
    here("oom_counts_waits_it_has_no_room_for", no_room),
    every_kernel("oom_shows_nobody_waiting_who_has_what_it_needed", over),
    every_kernel("oom_tells_other_sigkills_from_kills_for_want_of_memory", signals),
];

fn high() -> Result<()> {
    if !is_v2()? {
        return Err(skip("cgroup v1 has no memory.high"));
    }
    let group = Group::new("high", None)?;
    group.set("memory.high", 16 * MIB)?;
    let pressure_ns = || pressure_ns(&group.dir, "memory");
    if pressure_ns().is_err() {
        return Err(skip("no memory.pressure here"));
    }
    let process = Workload::new(|| {
        // A little over the limit: every step from there on is slowed down by up to two seconds.
        hold(17 * MIB);
        [0, 0]
    })?;
    group.take_in(&process)?;
    // The kernel counts pressure by CPU, and takes the mean of those that were not idle. Of a task that moves within the two
    // seconds of its periods it shows too little (`collect_percpu_times`). Old kernels let go of a task that comes into a cgroup.
    pin(process.pid, last_processor()?);
    let mut watch = watch(&["-p", &process.pid.to_string()])?;
    let before = pressure_ns()?;
    process.go();
    process.report()?;
    let stalled = pressure_ns()? - before;
    watch.next()?;
    watch.stop()?;
    let rows = watch.snapshots.iter().flat_map(|snapshot| snapshot["reclaim"].as_array().into_iter().flatten());
    let rows: Vec<_> = rows.collect();
    ensure!(rows.iter().all(|row| row["pid"] == process.pid), "{rows:#?}");
    let seen: u64 = rows.iter().filter_map(|row| row["total_ns"].as_u64()).sum();
    ensure!(stalled > 100_000_000, "the kernel slowed it down by {stalled} ns only");
    let apart = seen.abs_diff(stalled);
    ensure!(apart * 10 <= stalled, "{seen} ns seen, {stalled} ns in memory.pressure");
    Ok(())
}

/// A process that reads a file again and again, in a cgroup that has no room for all of it. Dropped from the first to the last.
pub struct ReaderAtLimit {
    pub process: Workload,
    pub group: Group,
    /// Of memory, so that nobody waits for a disk; through a device, since file pages of tmpfs can't be taken away.
    _filesystem: Filesystem,
    _device: LoopDevice,
}

pub fn reader_at_limit(readers: usize, times: u32) -> Result<ReaderAtLimit> {
    let group = Group::new("at-limit", Some(12 * MIB))?;
    let device = LoopDevice::new(64 * MIB)?;
    let filesystem = Filesystem::on(&device.name)?;
    let file = filesystem.path.join("file");
    std::fs::write(&file, vec![7; 40 * MIB as usize])?;
    let path = std::ffi::CString::new(file.to_string_lossy().as_bytes())?;
    let read = move || {
        let mut page = [0u8; 65536];
        for _ in 0..times {
            // SAFETY: a NUL-terminated path, and room for what is read.
            unsafe {
                let fd = libc::open(path.as_ptr(), libc::O_RDONLY);
                // Pages that others brought in are charged to them.
                libc::posix_fadvise(fd, 0, 0, libc::POSIX_FADV_DONTNEED);
                while libc::read(fd, page.as_mut_ptr().cast(), page.len()) > 0 {}
                libc::close(fd);
            }
        }
        0
    };
    let process = Workload::new(move || [threads(readers, read), 0])?;
    // SAFETY: no arguments.
    unsafe { libc::sync() };
    group.take_in(&process)?;
    Ok(ReaderAtLimit { process, group, _filesystem: filesystem, _device: device })
}

/// File pages of a cgroup at its limit are taken away again and again, and nobody is killed.
fn at_limit() -> Result<()> {
    let reader = reader_at_limit(1, 3)?;
    let process = &reader.process;
    let mut watch = watch(&["-p", &process.pid.to_string()])?;
    process.go();
    process.report()?;
    watch.next()?;
    watch.stop()?;
    let rows = watch.snapshots.iter().flat_map(|snapshot| snapshot["reclaim"].as_array().into_iter().flatten());
    let rows: Vec<_> = rows.filter(|row| row["kind"] == "memcg_reclaim").collect();
    ensure!(rows.iter().any(|row| row["count"].as_u64() > Some(0)), "{:#?}", watch.snapshots);
    for row in rows {
        ensure!(row["pid"] == process.pid, "{row:#?}");
        let number = |name: &str| row[name].as_u64().unwrap_or(0);
        ensure!(number("p99_ns") <= number("max_ns") && number("max_ns") <= number("total_ns"), "{row:#?}");
        let counted: u64 = row["histogram"].as_array().into_iter().flatten().filter_map(|pair| pair[1].as_u64()).sum();
        ensure!(counted == number("count"), "{row:#?}");
    }
    ensure!(watch.events.is_empty(), "{:#?}", brief(&watch.events));
    Ok(())
}

/// A table of one entry: waits of other processes and of other kinds are in the totals, and a loss.
fn no_room() -> Result<()> {
    let limit = 20 * MIB;
    let group = Group::new("no-room", Some(limit))?;
    let mut watch = Watch::of("oom", &[], &[("STILLWATCH_STALLS", "1")])?;
    // Of three at least two wait within one interval, however it ends.
    let hogs: Vec<_> = (0..3).map(|_| holder(c"no-room", 2 * limit, &group)).collect::<Result<_>>()?;
    hogs.iter().for_each(Workload::go);
    for hog in &hogs {
        is_killed(hog)?;
    }
    for hog in &hogs {
        kill_of(&mut watch, hog.pid)?;
    }
    watch.next()?;
    watch.stop()?;
    let sum = |of: &dyn Fn(&Value) -> u64| watch.snapshots.iter().map(of).sum::<u64>();
    let all = sum(&|snapshot| {
        let totals = snapshot["totals"].as_object().into_iter().flatten();
        totals.filter_map(|(_, total)| total["count"].as_u64()).sum()
    });
    let listed = sum(&|snapshot| {
        let rows = snapshot["reclaim"].as_array().into_iter().flatten();
        rows.filter_map(|row| row["count"].as_u64()).sum()
    });
    let lost = losses(&watch.snapshots).get("processes that waited for memory full").copied().unwrap_or(0);
    ensure!(lost > 0 && listed + lost == all, "{listed} listed, {lost} lost, {all} in the totals");
    Ok(())
}

/// Tasks that the kernel may not kill try again and again to find room in their cgroup, until they are let out of it one by one.
/// Kernels that may preempt a program do so here, and do not show what ends meanwhile.
fn over() -> Result<()> {
    const TASKS: usize = 31;
    let limit = 16 * MIB;
    let group = Group::new("over", Some(limit))?;
    let mut watch = watch(&[])?;
    let hogs = (0..TASKS).map(|_| holder(c"hog", limit / 4, &group)).collect::<Result<Vec<_>>>()?;
    for hog in &hogs {
        let spared = std::fs::write(format!("/proc/{}/oom_score_adj", hog.pid), "-1000");
        spared.map_err(|_| skip("no right to keep a process from being killed"))?;
    }
    hogs.iter().for_each(Workload::go);
    std::thread::sleep(Duration::from_secs(1));
    for hog in &hogs {
        std::fs::write(root()?.0.join("cgroup.procs"), hog.pid.to_string())?;
        hog.report()?;
    }
    // The walk over tasks comes once a second.
    std::thread::sleep(Duration::from_secs(2));
    watch.stop()?;
    let waits = |snapshot: &Value| snapshot["totals"]["memcg_reclaim"]["count"].as_u64().unwrap_or(0);
    let waits: u64 = watch.snapshots.iter().map(waits).sum();
    ensure!(waits > 1000, "{waits} waits");
    let lost = losses(&watch.snapshots);
    let of = |cause: &str| lost.get(cause).copied().unwrap_or(0);
    ensure!(of(UNENDED) <= of(RUNNING), "lost: {lost:?}");
    let last = watch.snapshots.last().context("no snapshot")?;
    let waiting = last["in_reclaim"].as_array().context("no in_reclaim")?;
    ensure!(waiting.is_empty(), "{waiting:#?}");
    Ok(())
}

fn signals() -> Result<()> {
    let process = Workload::new(|| {
        workload::sleep(Duration::from_secs(60));
        [0, 0]
    })?;
    let mut watch = watch(&["--signals"])?;
    // SAFETY: our own child.
    unsafe { libc::kill(process.pid as i32, libc::SIGKILL) };
    is_killed(&process)?;
    let sent = wait_for(&mut watch, "SIGKILL", |event| event["target"]["pid"] == process.pid)?;
    ensure!(sent["event"] == "sigkill" && sent["oom"] == false, "{sent:#?}");
    ensure!(sent["sender"]["pid"] == std::process::id(), "{sent:#?}");
    watch.stop()?;
    ensure!(watch.events.iter().all(|event| event["event"] != "oom_kill"), "{:#?}", brief(&watch.events));
    Ok(())
}
