//! What we may cost, and what is left out for that.

use std::{
    net::UdpSocket,
    os::fd::{AsRawFd, OwnedFd},
};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    Test,
    devices::{LoopDevice, MIB, direct},
    here,
    io::work::reads,
    stillwatch::Watch,
    tcp::net::Net,
    workload::{Workload, call, repeat},
};

pub const TESTS: &[Test] = &[
    here("budget_leaves_out_a_storm_of_calls", calls).alone(),
    here("budget_leaves_time_for_a_finding", told).alone(),
    here("budget_leaves_out_a_flood_of_packets", packets).alone(),
    here("budget_leaves_out_a_storm_of_switches", switches).alone(),
];

/// Of what all CPUs can do. In a machine without hardware of its own, our process takes more.
fn budget() -> String {
    std::env::var("STILLWATCH_BUDGET").unwrap_or_else(|_| "1".to_owned())
}

fn watch(flags: &[&str]) -> Result<Watch> {
    Watch::everything(&[&["--budget", &budget()], flags].concat())
}

fn processors() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |number| number.get() as f64)
}

/// Lines of a probe since this many.
fn lines<'a>(watch: &'a Watch, since: usize, probe: &'a str) -> impl Iterator<Item = &'a Value> {
    watch.snapshots[since..].iter().filter(move |line| line["probe"] == probe)
}

/// One more interval, of which the last line is that of the ledger.
pub fn interval(watch: &mut Watch) -> Result<()> {
    let before = watch.snapshots.len();
    while watch.snapshots.len() == before || watch.snapshots.last().is_some_and(|line| line["probe"] != "overview") {
        watch.line()?;
    }
    Ok(())
}

fn is_at(watch: &Watch, level: &str) -> bool {
    watch.snapshots.last().is_some_and(|line| line["self"]["level"] == level)
}

/// Waits for a level.
fn until(watch: &mut Watch, level: &str, most: u32) -> Result<()> {
    for _ in 0..most {
        interval(watch)?;
        if is_at(watch, level) {
            return Ok(());
        }
    }
    anyhow::bail!("still {:?} after {most} intervals", watch.snapshots.last().map(|line| &line["self"]))
}

/// A storm: it is left out within three intervals, what we cost is within the budget, and what disks do is counted. Afterwards it is taken up.
fn leaves_out(
    watch: &mut Watch,
    signals: &[&str],
    storm: Vec<Workload>,
    is_blind: impl Fn(&Value) -> bool,
) -> Result<()> {
    const READS: u64 = 101;
    let device = LoopDevice::new(4 * MIB)?;
    let fd = direct(&device.name)?;
    let reader = Workload::new(|| [reads(&fd, READS), 0])?;
    let level = format!("without {}", signals.join(", "));
    storm.iter().for_each(Workload::go);
    // The storm may begin in the middle of one.
    until(watch, &level, 5)?;
    let since = watch.snapshots.len();
    reader.go();
    for _ in 0..3 {
        interval(watch)?;
    }
    ensure!(reader.report()? == [0; 2], "reads failed");
    // In the first of them it is measured anew what programs cost, and names of functions that dropped packets are looked up.
    let spent: Vec<_> = lines(watch, since, "io").filter_map(|line| line["self"]["cpu_percent"].as_f64()).collect();
    let most = budget().parse::<f64>()? * processors();
    ensure!(spent.last().is_some_and(|percent| *percent <= most), "{spent:?}");
    ensure!(watch.snapshots[since..].iter().any(is_blind), "it is said of no probe");
    drop(storm);
    until(watch, "full", 40)?;
    interval(watch)?;
    let devices = lines(watch, since, "io").flat_map(|line| line["devices"].as_array().into_iter().flatten());
    let own = devices.filter(|row| row["device"] == device.name.as_str() && row["op"] == "read");
    let ios: u64 = own.filter_map(|row| row["ios"].as_u64()).sum();
    ensure!(ios == READS, "{ios} of {READS} reads");
    let levels: Vec<_> = watch.events.iter().filter(|event| event["event"] == "level").collect();
    ensure!(levels.len() >= 2 && levels[0]["without"][0] == signals[0], "{levels:?}");
    Ok(())
}

fn is_without(probe: &'static str) -> impl Fn(&Value) -> bool {
    move |line| {
        line["probe"] == probe && line["unavailable"].as_str().is_some_and(|why| why.starts_with("not measured"))
    }
}

fn calls() -> Result<()> {
    const CALLS: u64 = 1009;
    let storm = || {
        Workload::new(|| {
            loop {
                repeat(1000, libc::SYS_getppid);
            }
        })
    };
    let counted = Workload::new(|| {
        repeat(CALLS, libc::SYS_getpgid);
        [0; 2]
    })?;
    let mut watch = watch(&["--exact"])?;
    leaves_out(&mut watch, &["system calls"], vec![storm()?, storm()?], is_without("syscalls"))?;
    // All calls are counted again, once taking them up again was not too dear itself.
    while lines(&watch, 0, "io").last().is_some_and(|line| line["self"]["cpu_percent"].as_f64() > Some(processors())) {
        interval(&mut watch)?;
    }
    until(&mut watch, "full", 40)?;
    let since = watch.snapshots.len();
    counted.go();
    counted.report()?;
    interval(&mut watch)?;
    interval(&mut watch)?;
    let rows = lines(&watch, since, "syscalls").flat_map(|line| line["syscalls"].as_array().into_iter().flatten());
    let seen: u64 = rows.filter(|row| row["syscall"] == "getpgid").filter_map(|row| row["calls"].as_u64()).sum();
    ensure!((CALLS..CALLS + 20).contains(&seen), "{seen} of {CALLS}");
    Ok(())
}

/// What a storm is about, is told before it is left out.
fn told() -> Result<()> {
    let (read, _write) = std::io::pipe()?;
    let read = OwnedFd::from(read);
    // SAFETY: a descriptor of our own.
    ensure!(unsafe { libc::fcntl(read.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } == 0, "O_NONBLOCK");
    let storm = Workload::new(|| {
        let mut byte = 0u8;
        loop {
            call(libc::SYS_read, [read.as_raw_fd() as u64, &raw mut byte as u64, 1]);
        }
    })?;
    let mut watch = watch(&["--exact"])?;
    storm.go();
    until(&mut watch, "without system calls", 5)?;
    let is_it = |finding: &&Value| finding["rule"] == "failing_calls" && finding["subject"] == "read EAGAIN";
    let found = watch.findings.iter().find(is_it);
    ensure!(found.is_some_and(|finding| finding["victims"][0]["pid"] == storm.pid), "{:?}", watch.findings);
    Ok(())
}

/// Datagrams to a port that nobody listens at.
fn packets() -> Result<()> {
    let net = Net::new()?;
    let (from, to) =
        net.inside(|| Ok((UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?.local_addr()?)))?;
    let flood = Workload::new(|| {
        loop {
            let _ = from.send_to(&[7], to);
        }
    })?;
    let mut watch = watch(&[])?;
    leaves_out(&mut watch, &["dropped packets"], vec![flood], |line| {
        line["probe"] == "tcp" && line["dropped"].is_null()
    })
}

fn switches() -> Result<()> {
    let storm = turns()?;
    let mut watch = watch(&[])?;
    leaves_out(&mut watch, &["run queues", "stalls"], storm, |line| line["probe"] == "io" && line["stalled"].is_null())
}

/// Two processes that wake each other, on one CPU: some hundred thousand switches in a second.
pub fn turns() -> Result<Vec<Workload>> {
    let pipe = || -> Result<[OwnedFd; 2]> {
        let (read, write) = std::io::pipe()?;
        Ok([read.into(), write.into()])
    };
    let ([read, write], [read_back, write_back]) = (pipe()?, pipe()?);
    let turn = |read: &OwnedFd, write: &OwnedFd| {
        let mut byte = 0u8;
        let of = |fd: &OwnedFd| fd.as_raw_fd() as u64;
        call(libc::SYS_read, [of(read), &raw mut byte as u64, 1]);
        call(libc::SYS_write, [of(write), &raw const byte as u64, 1]);
    };
    let on_first = || {
        // SAFETY: all zeros are an empty set, and it lives here.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(0, &mut set);
            libc::sched_setaffinity(0, size_of_val(&set), &raw const set);
        }
    };
    let one = Workload::new(|| {
        on_first();
        call(libc::SYS_write, [write.as_raw_fd() as u64, &raw const *"x" as *const u8 as u64, 1]);
        loop {
            turn(&read_back, &write);
        }
    })?;
    let other = Workload::new(|| {
        on_first();
        loop {
            turn(&read, &write_back);
        }
    })?;
    Ok(vec![one, other])
}
