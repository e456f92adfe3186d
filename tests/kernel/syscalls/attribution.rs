//! The right process, or unknown; and text from the host stays harmless.

use std::{ffi::CStr, fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use stillwatch_tests::stillwatch;

use super::super::{
    Test, every_kernel, here,
    stillwatch::Watch,
    workload::{Workload, rename, repeat, sleep},
};

pub const TESTS: &[Test] = &[
    every_kernel("syscalls_slow_calls_name_their_process", slow),
    here("syscalls_by_process_adds_up_every_call", by_process),
    here("syscalls_filters_by_pid_and_name", filters),
    every_kernel("syscalls_filter_by_cgroup", cgroup),
    here("syscalls_escapes_do_not_reach_the_terminal", escapes),
];

fn slow() -> Result<()> {
    let workload = Workload::new(|| {
        rename(c"the-slow-one");
        for _ in 0..7 {
            sleep(Duration::from_millis(30));
        }
        [0; 2]
    })?;
    let mut watch = Watch::start(&["--slow", "20ms", "--idle"])?;
    workload.go();
    workload.report()?;
    watch.next()?;
    let seen = watch.finish()?;
    let own: Vec<_> =
        seen.table("slow").filter(|slow| slow["pid"] == workload.pid && slow["syscall"] == "nanosleep").collect();
    let calls: u64 = own.iter().filter_map(|slow| slow["count"].as_u64()).sum();
    ensure!(calls == 7 && own.iter().all(|slow| slow["comm"] == "the-slow-one"), "{own:?}");
    ensure!(own.iter().all(|slow| slow["max_ns"].as_u64() >= Some(30_000_000)), "{own:?}");
    Ok(())
}

fn by_process() -> Result<()> {
    let workload = Workload::new(|| {
        repeat(1_009, libc::SYS_getppid);
        repeat(211, libc::SYS_getuid);
        [0; 2]
    })?;
    let mut watch = Watch::start(&["--by", "process"])?;
    workload.go();
    workload.report()?;
    watch.next()?;
    let seen = watch.finish()?;
    let calls = |name: &str| -> u64 {
        let own = seen.table("by").filter(|row| row["pid"] == workload.pid && row["syscall"] == name);
        own.filter_map(|row| row["calls"].as_u64()).sum()
    };
    ensure!(calls("getppid") == 1_009 && calls("getuid") == 211, "{:?}", seen.table("by").collect::<Vec<_>>());
    Ok(())
}

fn filters() -> Result<()> {
    let work = |times: u64, name: &'static CStr| {
        move || {
            rename(name);
            sleep(Duration::from_millis(10));
            repeat(times, libc::SYS_getppid);
            [0; 2]
        }
    };
    let run = |flags: &dyn Fn(&[u32]) -> Vec<String>| -> Result<u64> {
        let workloads = [
            Workload::new(work(101, c"watch-one"))?,
            Workload::new(work(1_009, c"watch-two"))?,
            Workload::new(work(10_007, c"watch-three"))?,
        ];
        let pids: Vec<u32> = workloads.iter().map(|workload| workload.pid).collect();
        let flags = flags(&pids);
        let mut watch = Watch::start(&flags.iter().map(String::as_str).collect::<Vec<_>>())?;
        workloads.iter().for_each(Workload::go);
        for workload in &workloads {
            workload.report()?;
        }
        watch.next()?;
        Ok(watch.finish()?.calls("getppid"))
    };
    let flags = |words: Vec<String>| words;
    ensure!(run(&|pids| flags(vec!["-p".into(), pids[1].to_string()]))? == 1_009);
    ensure!(run(&|pids| flags(vec!["-p".into(), format!("{},{}", pids[0], pids[2])]))? == 10_108);
    ensure!(run(&|_| flags(vec!["--comm".into(), "watch-three".into()]))? == 10_007);
    Ok(())
}

/// A cgroup on the unified hierarchy where it is in use, else below a v1 controller; the calls are made in a child of it.
fn cgroup() -> Result<()> {
    let roots = ["/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/cgroup.procs"];
    let root = roots.iter().find(|root| fs::exists(root).unwrap_or(false)).context("no cgroup file system")?;
    let root = PathBuf::from(root).parent().context("no parent")?.join(format!("stillwatch-{}", std::process::id()));
    let (inner, other) = (root.join("inner"), root.with_extension("other"));
    fs::create_dir_all(&inner)?;
    fs::create_dir_all(&other)?;
    let result = in_cgroups(&root, &inner, &other);
    for dir in [&inner, &root, &other] {
        fs::remove_dir(dir).with_context(|| dir.display().to_string())?;
    }
    result
}

fn in_cgroups(root: &std::path::Path, inner: &std::path::Path, other: &std::path::Path) -> Result<()> {
    let calls = |times| {
        Workload::new(move || {
            repeat(times, libc::SYS_getppid);
            [0; 2]
        })
    };
    let (inside, outside) = (calls(1_009)?, calls(10_007)?);
    fs::write(inner.join("cgroup.procs"), inside.pid.to_string())?;
    fs::write(other.join("cgroup.procs"), outside.pid.to_string())?;
    let mut watch = Watch::start(&["-c", root.to_str().context("path")?])?;
    inside.go();
    outside.go();
    inside.report()?;
    outside.report()?;
    watch.next()?;
    let seen = watch.finish()?;
    ensure!(seen.calls("getppid") == 1_009, "{:?}", seen.row("getppid"));
    Ok(())
}

fn escapes() -> Result<()> {
    let workload = Workload::new(|| {
        rename(c"\x1b[31mred\x07\u{202e}");
        sleep(Duration::from_millis(300));
        [0; 2]
    })?;
    let pid = workload.pid.to_string();
    workload.go();
    let output = stillwatch().args(["syscalls", "0.4", "2", "--plain", "--idle", "-p", &pid]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    ensure!(text.contains("[31mred"), "the name is missing: {text}");
    ensure!(!text.contains(['\x1b', '\x07', '\u{202e}']), "{text:?}");
    Ok(())
}
