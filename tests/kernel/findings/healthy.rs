//! Hosts that are well.

use std::{
    fmt::Write,
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test,
        devices::{LoopDevice, MIB, direct},
        every_kernel, here, in_machine,
        io::work::{reads, threads, writes},
        stillwatch::Watch,
        workload::Workload,
    },
    told,
};

pub const TESTS: &[Test] = &[
    every_kernel("findings_none_on_a_quiet_host", quiet).alone(),
    here("findings_none_of_a_compiler_on_each_processor", compilers).alone(),
    here("findings_none_of_a_disk_at_moderate_depth", disk).alone(),
];

/// Watches for so long. Nothing may be found, and everything that is measured is ruled out, but for what is kept busy: that may be
/// unclear.
fn nothing_for(long: Duration, busy: &[&str]) -> Result<()> {
    let mut watch = Watch::everything(&[])?;
    let until = Instant::now() + long;
    while Instant::now() < until {
        watch.next()?;
    }
    watch.stop()?;
    let wrong: Vec<_> = told(&watch).map(|finding| finding["statement"].to_string()).collect();
    ensure!(wrong.is_empty(), "{wrong:#?}");
    // Where the kernel refuses the iterator over maps, nothing is known of accept queues.
    let is_unknown = |what: &Value| what.as_str().is_some_and(|what| what.starts_with("accept queues"));
    let list = |finding: &Value, name: &str| finding[name].as_array().cloned().unwrap_or_default();
    let are_all = |finding: &&&Value| {
        let unknown = list(finding, "not_measured").iter().any(is_unknown);
        let fine = list(finding, "areas");
        let busy = busy.iter().filter(|&&area| fine.iter().all(|row| row["area"] != area)).count();
        fine.len() + busy + usize::from(unknown) == AREAS
    };
    let closing: Vec<_> = watch.findings.iter().filter(|line| line["rule"] == "ruled_out").collect();
    let intervals = closing.len();
    ensure!(intervals as u64 >= long.as_secs() * 9 / 10, "only {intervals} intervals");
    let fine = closing.iter().filter(are_all).count();
    let unclear: Vec<_> = watch.findings.iter().filter(|line| line["rule"] == "unclear").collect();
    ensure!(fine * 10 >= intervals * 9, "all fine in {fine} of {intervals}: {unclear:#?}");
    Ok(())
}

/// CPU, disks, memory, network, accept queues, disk space, system calls.
const AREAS: usize = 7;

const BUSY: Duration = Duration::from_secs(20);

/// A minute in one virtual machine, where that takes less; of the others, of which there are several, a few seconds.
fn quiet() -> Result<()> {
    let seconds = match std::env::var("STILLWATCH_VM").as_deref() {
        Ok("6.12") => 60,
        Ok(_) => 12,
        Err(_) => 20,
    };
    // An emulated CPU is kept busy by watching itself.
    nothing_for(Duration::from_secs(seconds), if in_machine() { &["CPU"] } else { &[] })
}

fn compilers() -> Result<()> {
    let ((), compiled) = compile_while(|| nothing_for(BUSY, &["CPU"]))?;
    ensure!(compiled >= std::thread::available_parallelism()?.get(), "nothing was compiled");
    Ok(())
}

/// As many compilers as there are CPUs, one after the other, for as long as this takes. And how often they were done.
pub fn compile_while<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, usize)> {
    let dir = std::env::temp_dir().join(format!("stillwatch-busy-{}", std::process::id()));
    fs::create_dir(&dir)?;
    let result = compile(&dir, work);
    fs::remove_dir_all(&dir)?;
    result
}

fn compile<T>(dir: &Path, work: impl FnOnce() -> Result<T>) -> Result<(T, usize)> {
    let processors = std::thread::available_parallelism()?.get();
    let source = dir.join("work.rs");
    let mut text = String::new();
    for at in 0..200 {
        writeln!(text, "pub fn f{at}(words: &[String]) -> Vec<String> {{")?;
        writeln!(
            text,
            "    words.iter().filter(|word| word.len() > {at}).map(|word| format!(\"{{word:?}} {at}\")).collect()"
        )?;
        writeln!(text, "}}")?;
    }
    fs::write(&source, text)?;
    let (over, compiled) = (AtomicBool::new(false), AtomicUsize::new(0));
    let result = std::thread::scope(|scope| {
        let compilers: Vec<_> = (0..processors)
            .map(|at| {
                let mut rustc = Command::new("rustc");
                rustc.args(["--crate-type", "lib", "-C", "opt-level=2", "-C", "codegen-units=1", "-o"]);
                rustc.arg(dir.join(format!("{at}.rlib"))).arg(&source);
                let (over, compiled) = (&over, &compiled);
                scope.spawn(move || -> Result<()> {
                    while !over.load(Ordering::Relaxed) {
                        ensure!(rustc.status()?.success(), "rustc failed");
                        compiled.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        let result = work();
        over.store(true, Ordering::Relaxed);
        for compiler in compilers {
            compiler.join().map_err(|_| anyhow::anyhow!("panic"))??;
        }
        result
    })?;
    Ok((result, compiled.into_inner()))
}

/// Four requests at a time, half of them writes, of a disk that has room for them.
fn disk() -> Result<()> {
    let device = LoopDevice::new(64 * MIB)?;
    fio(&device.name)
}

fn fio(device: &str) -> Result<()> {
    let mut fio = Command::new("fio");
    fio.args(["--name=moderate", "--ioengine=libaio", "--direct=1", "--rw=randrw", "--bs=4k", "--iodepth=4"]);
    fio.arg(format!("--filename=/dev/{device}"));
    // Longer than it is watched.
    fio.args(["--time_based", &format!("--runtime={}", BUSY.as_secs() + 5)]).stdout(Stdio::null());
    let mut fio = match fio.spawn() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return like_fio(device),
        fio => fio?,
    };
    let result = nothing_for(BUSY, &["disks"]);
    let early = fio.try_wait()?;
    let ended = fio.wait()?;
    ensure!(early.is_none() && ended.success(), "fio: {ended}");
    result
}

fn like_fio(device: &str) -> Result<()> {
    let fd = direct(device)?;
    let worker = Workload::new(|| {
        let forever = || -> u64 {
            loop {
                writes(&fd, 8);
                reads(&fd, 8);
            }
        };
        [threads(4, forever), 0]
    })?;
    worker.go();
    nothing_for(BUSY, &["disks"])
}
