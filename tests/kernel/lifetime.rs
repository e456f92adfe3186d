//! What stays in the kernel: nothing, however the tool ends; and what rights the tool has until then.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use aya::{
    maps::{MapData, loaded_maps},
    programs::loaded_programs,
};

use serde_json::Value;
use stillwatch_tests::stillwatch;

use super::{Test, every_kernel, here, stillwatch::Watch};

pub const TESTS: &[Test] = &[
    every_kernel("syscalls_sigkill_leaves_nothing_behind", sigkill),
    every_kernel("rights_that_are_not_needed_are_given_up", rights),
    here("what_needs_no_programs_goes_on_without_any", without_programs),
];

/// All threads have those that are needed, if we have them, those that read logs, too; `CAP_SYS_ADMIN` is not in use.
fn rights() -> Result<()> {
    rights_of(&Watch::start(&[])?)?;
    rights_of(&Watch::of("log", &[], &[])?)
}

fn rights_of(watch: &Watch) -> Result<()> {
    // BPF, PERFMON, SYS_PTRACE, SYSLOG, DAC_READ_SEARCH, IPC_LOCK, SYS_ADMIN.
    let masks = [39, 38, 19, 34, 2, 14, 21].map(|bit| 1u64 << bit);
    let mask: u64 = masks.iter().sum();
    let set = |status: &str, name: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| name.to_owned())?;
        Ok(u64::from_str_radix(line.trim(), 16)?)
    };
    let ours = set(&fs::read_to_string("/proc/self/status")?, "CapPrm:")?;
    for thread in fs::read_dir(format!("/proc/{}/task", watch.pid()))?.flatten() {
        let status = || Ok::<_, anyhow::Error>(fs::read_to_string(thread.path().join("status"))?);
        let text = status()?;
        let (permitted, inheritable) = (set(&text, "CapPrm:")?, set(&text, "CapInh:")?);
        ensure!(permitted == mask & ours && inheritable == 0 && set(&text, "NoNewPrivs:")? == 1, "{text}");
        // It may be in use just now.
        let is_laid_down = || Ok::<_, anyhow::Error>(set(&status()?, "CapEff:")? == permitted & !masks[6]);
        let start = Instant::now();
        while !is_laid_down()? {
            ensure!(start.elapsed() < Duration::from_secs(5), "{}", status()?);
            std::thread::sleep(Duration::from_millis(3));
        }
    }
    Ok(())
}

/// As a user who may load none: what needs some says so, the rest is there.
fn without_programs() -> Result<()> {
    // Its own place may be closed to others.
    let copy = Path::new("/tmp").join(format!("stillwatch-{}", std::process::id()));
    fs::copy(stillwatch().get_program(), &copy)?;
    let run = |words: &[&str]| Command::new(&copy).args(words).uid(65534).gid(65534).output();
    let runs = [
        run(&["changes", "--since", "1h", "1", "1", "--json"]),
        run(&["1", "1", "--json"]),
        run(&["io", "--syscalls", "1", "1"]),
    ];
    fs::remove_file(&copy)?;
    let [changes, overview, io] = runs;
    let (changes, overview, io) = (changes?, overview?, io?);
    let held = |output: &Output| -> Result<Vec<Value>> {
        ensure!(output.status.success(), "{output:?}");
        let lines: Result<Vec<Value>, _> = str::from_utf8(&output.stdout)?.lines().map(serde_json::from_str).collect();
        Ok(lines?)
    };
    let lines = held(&changes)?;
    ensure!(lines.iter().any(|line| line["probe"] == "changes" && line["changes"].is_array()), "{lines:#?}");
    let lines = held(&overview)?;
    for line in lines.iter().filter(|line| line["type"] == "snapshot" && line["probe"] != "overview") {
        let is_missing = ["syscalls", "io", "tcp", "oom", "cpu"].iter().any(|probe| line["probe"] == *probe);
        ensure!(line.get("unavailable").is_some() == is_missing, "{line:#}");
    }
    let has_room = |line: &Value| line["filesystems"].as_array().is_some_and(|all| !all.is_empty());
    ensure!(lines.iter().any(|line| line["probe"] == "disk" && has_room(line)), "{lines:#?}");
    let said = String::from_utf8(io.stderr.clone())?;
    let is_one_line =
        said.starts_with("stillwatch: not allowed to load BPF programs: run as root") && said.lines().count() == 1;
    ensure!(io.status.code() == Some(1) && io.stdout.is_empty() && is_one_line, "{io:?}");
    Ok(())
}

/// Ids of the kernel objects of one kind (`map_id:`, `prog_id:`) that a process holds.
pub fn held(pid: i32, kind: &str) -> Result<Vec<u32>> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fdinfo"))?
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok())
        .filter_map(|info| info.lines().find_map(|line| line.strip_prefix(kind)?.trim().parse().ok()))
        .collect())
}

/// A map that the process with this pid holds.
pub fn map_of(pid: i32, name: &str) -> Result<MapData> {
    let held = held(pid, "map_id:")?;
    let mut maps = loaded_maps().filter_map(Result::ok);
    let map = maps.find(|map| held.contains(&map.id()) && map.name_as_str() == Some(name));
    Ok(MapData::from_id(map.with_context(|| format!("no map {name}"))?.id())?)
}

fn sigkill() -> Result<()> {
    let mut watch = Watch::start(&[])?;
    let (programs, maps) = (held(watch.pid(), "prog_id:")?, held(watch.pid(), "map_id:")?);
    let left = || {
        let programs = loaded_programs().filter_map(Result::ok).filter(|program| programs.contains(&program.id()));
        let maps = loaded_maps().filter_map(Result::ok).filter(|map| maps.contains(&map.id()));
        (programs.count(), maps.count())
    };
    let during = left();
    ensure!(during.0 >= 3 && during.1 >= 5, "{during:?}");
    watch.signal(libc::SIGKILL);
    watch.wait()?;
    // The kernel frees them after a grace period.
    let start = Instant::now();
    while left() != (0, 0) {
        ensure!(start.elapsed() < Duration::from_secs(10), "left behind: {:?}", left());
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
