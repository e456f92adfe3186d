//! Calls that take long for another reason than disks, and calls that fail.

use std::{
    fs::File,
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test, here,
        stillwatch::Watch,
        tcp::{connects::connect, net::Net},
        workload::{Workload, call, sleep},
    },
    LATE, is_sound, names, only, told, wait_for, wait_until_over,
};

pub const TESTS: &[Test] = &[
    here("findings_slow_calls", || locked(Duration::from_millis(400))),
    here("findings_slow_calls_longer_than_an_interval", || locked(Duration::from_millis(2300))),
    here("findings_failing_calls_out_of_descriptors", out_of_descriptors),
    here("findings_failing_calls_that_ask_again_at_once", storm),
    here("findings_failing_calls_of_who_has_no_route", no_route),
    here("findings_failing_calls_are_not_seen_in_blocked_mode", blocked).alone(),
];

/// A lock of a file that another process holds nearly always, for so long at a time.
fn locked(held: Duration) -> Result<()> {
    let path = std::env::temp_dir().join(format!("stillwatch-lock-{}", std::process::id()));
    let [holds, wants] = [File::create(&path)?, File::open(&path)?];
    std::fs::remove_file(&path)?;
    let lock = |file: &File, how: i32| {
        // SAFETY: no memory is involved.
        unsafe { libc::flock(file.as_raw_fd(), how) }
    };
    let holder = Workload::new(|| {
        loop {
            lock(&holds, libc::LOCK_EX);
            sleep(held);
            lock(&holds, libc::LOCK_UN);
            sleep(Duration::from_millis(1));
        }
    })?;
    let victim = Workload::new(|| {
        loop {
            lock(&wants, libc::LOCK_EX);
            lock(&wants, libc::LOCK_UN);
            sleep(Duration::from_millis(5));
        }
    })?;
    let mut watch = Watch::everything(&[])?;
    let start = Instant::now();
    holder.go();
    sleep(Duration::from_millis(50));
    victim.go();
    let is_right = |finding: &Value| names(finding, "victims", victim.pid) && !names(finding, "victims", holder.pid);
    let found = wait_for(&mut watch, "slow_calls", is_right)?;
    drop(holder);
    drop(victim);
    let fault = start.elapsed();
    is_sound(&found)?;
    ensure!(found["statement"].as_str().is_some_and(|text| text.contains(" in flock")), "{found}");
    wait_until_over(&mut watch, &found, fault, LATE)?;
    only(&watch, &["slow_calls"])
}

/// A process that has as many descriptors as it may have.
fn out() -> Result<Workload> {
    Workload::new(|| {
        let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the structure lives here.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
        loop {
            call(libc::SYS_dup, [0; 3]);
            sleep(Duration::from_millis(2));
        }
    })
}

fn fails(work: Workload, errno: &str) -> Result<Watch> {
    let mut watch = Watch::everything(&["--exact"])?;
    let start = Instant::now();
    work.go();
    let is_right = |finding: &Value| {
        let subject = finding["subject"].as_str().unwrap_or_default();
        subject.ends_with(errno) && names(finding, "victims", work.pid)
    };
    let found = wait_for(&mut watch, "failing_calls", is_right)?;
    drop(work);
    let fault = start.elapsed();
    is_sound(&found)?;
    wait_until_over(&mut watch, &found, fault, LATE)?;
    only(&watch, &["failing_calls"])?;
    Ok(watch)
}

fn out_of_descriptors() -> Result<()> {
    fails(out()?, "EMFILE").map(drop)
}

/// A process in a network namespace of which no way leads out, beside one that connects more often and gets there.
fn no_route() -> Result<()> {
    let net = Net::new()?;
    let connects = || loop {
        connect(SocketAddr::from(([192, 0, 2, 7], 80)));
        sleep(Duration::from_millis(20));
    };
    // Lives there before the run begins: namespaces are looked for every half minute.
    let work = net.inside(|| Workload::new(connects))?;
    let (here, there) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?.local_addr()?);
    let other = Workload::new(|| {
        loop {
            let _ = here.connect(there);
            sleep(Duration::from_millis(5));
        }
    })?;
    other.go();
    let watch = fails(work, "ENETUNREACH")?;
    let says = |area: &Value| {
        let because = area["because"].as_str().unwrap_or_default();
        area["area"] == "network" && because.contains("without a route where")
    };
    let unclear = watch.findings.iter().filter(|line| line["rule"] == "unclear");
    let areas: Vec<_> = unclear.flat_map(|line| line["areas"].as_array().into_iter().flatten()).collect();
    ensure!(areas.iter().any(|area| says(area)), "{areas:?}");
    Ok(())
}

/// A process that reads an empty pipe without waiting, again and again.
fn storm() -> Result<()> {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    ensure!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC) } == 0, "pipe");
    let mut byte = 0u8;
    let work = Workload::new(|| {
        loop {
            call(libc::SYS_read, [ends[0] as u64, &raw mut byte as u64, 1]);
        }
    })?;
    let result = fails(work, "EAGAIN").map(drop);
    // SAFETY: descriptors of our own.
    let _ = ends.map(|end| unsafe { libc::close(end) });
    result
}

/// Nothing is said of calls that fail, and that is said.
fn blocked() -> Result<()> {
    let mut watch = Watch::everything(&[])?;
    let work = out()?;
    work.go();
    for _ in 0..5 {
        watch.next()?;
    }
    watch.stop()?;
    ensure!(told(&watch).next().is_none(), "{:?}", told(&watch).next());
    let says = |line: &Value| {
        line["not_measured"].as_array().into_iter().flatten().any(|what| what == "calls that fail (--exact)")
    };
    let ruled_out: Vec<_> = watch.findings.iter().filter(|line| line["rule"] == "ruled_out").collect();
    ensure!(!ruled_out.is_empty() && ruled_out.iter().all(|line| says(line)), "{ruled_out:?}");
    Ok(())
}
