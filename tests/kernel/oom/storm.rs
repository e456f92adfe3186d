//! The whole host without memory, in virtual machines: the tool lives, shows each kill within a second, and keeps time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test,
        devices::Zram,
        in_machine, on_hosts_clock, one_machine, skip,
        stillwatch::{RUNNING, UNENDED, Watch, losses},
        workload::Workload,
    },
    brief, fresh,
    group::{MIB, hold, is_killed},
};

pub const TESTS: &[Test] = &[
    // A minute each. On 7.2 one of five kills is shown after 1.1 to 1.4 s in half of the runs with swap.
    one_machine("oom_lives_through_a_host_without_memory", without_swap),
    one_machine("oom_lives_through_a_host_without_memory_and_swap", with_swap),
];

/// Processes that each want more than there is.
const HOGS: usize = 5;
/// Of [`Watch`].
const INTERVAL: Duration = Duration::from_millis(200);

fn storm() -> Result<()> {
    // Ours must not be chosen; what we start can.
    std::fs::write("/proc/self/oom_score_adj", "-1000")?;
    // Nor must the clock that tells how late a kill is shown wait for memory itself.
    // SAFETY: no precondition.
    let locked = unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) };
    ensure!(locked == 0, "mlockall: {}", std::io::Error::last_os_error());
    let result = shown_in_time();
    // SAFETY: as above.
    unsafe { libc::munlockall() };
    result
}

fn shown_in_time() -> Result<()> {
    let hogs = (0..HOGS).map(|_| hog()).collect::<Result<Vec<_>>>()?;
    let mut watch = fresh()?;
    for hog in &hogs {
        hog.go();
    }
    let (mut shown, mut lates) = (0, Vec::new());
    let end = Instant::now() + Duration::from_secs(60);
    while shown < HOGS {
        ensure!(Instant::now() < end, "{shown} of {HOGS} kills: {:#?}", brief(&watch.events));
        watch.next()?;
        let kills: Vec<&Value> = watch.events.iter().filter(|event| event["event"] == "oom_kill").collect();
        for kill in &kills[shown..] {
            lates.push(late(kill)?);
        }
        shown = kills.len();
    }
    for hog in &hogs {
        is_killed(hog)?;
    }
    // A hundredth of fewer ticks would be none.
    while watch.snapshots.len() <= 100 {
        watch.next()?;
    }
    watch.stop()?;
    check(&watch, &hogs)?;
    let mut delays: Vec<Duration> = watch.snapshots.iter().map(delay).collect::<Result<_>>()?;
    delays.sort_unstable();
    let p99 = delays[(delays.len() * 99 / 100).min(delays.len() - 1)];
    let latest = lates.iter().max().copied().unwrap_or_default();
    let kills = || watch.events.iter().filter(|event| event["event"] == "oom_kill");
    let freed: Vec<u64> = kills().map(|kill| kill["freed_ns"].as_u64().unwrap_or(0) / 1_000_000).collect();
    let figures = format!(
        "kills shown after {lates:?}, free after {freed:?} ms; {} ticks, 99% at most {p99:?} late: {delays:?}",
        delays.len()
    );
    eprintln!("{figures}");
    ensure!(latest < Duration::from_secs(1), "a kill was shown late: {figures}");
    ensure!(p99 < Duration::from_millis(250), "ticks are late: {figures}");
    Ok(())
}

fn hog() -> Result<Workload> {
    let hog = Workload::new(|| {
        hold(2048 * MIB);
        [0, 0]
    })?;
    std::fs::write(format!("/proc/{}/oom_score_adj", hog.pid), "0")?;
    Ok(hog)
}

fn check(watch: &Watch, hogs: &[Workload]) -> Result<()> {
    let kills: Vec<&Value> = watch.events.iter().filter(|event| event["event"] == "oom_kill").collect();
    ensure!(kills.len() == HOGS, "{:#?}", brief(&watch.events));
    for hog in hogs {
        let kill = kills.iter().find(|kill| kill["victim"]["pid"] == hog.pid).context("a hog is not shown")?;
        let short = || format!("{:#?}", brief(&[(*kill).clone()]));
        ensure!(kill["scope"] == "host" && kill["cgroup"].is_null() && kill["limit_bytes"].is_null(), "{}", short());
        ensure!(kill["trigger"]["pid"].is_u64() && kill["candidates"].as_array().is_some(), "{}", short());
        ensure!(kill["victim"]["anon_bytes"].as_u64() > Some(32 * MIB), "{}", short());
    }
    let mut lost = losses(&watch.snapshots);
    // Newer kernels withhold switches, and begins and ends of waits, from a program that was preempted; no kill is among these: all
    // are here.
    if lost.remove(RUNNING).is_some_and(|missed| missed > 0) {
        lost.remove(UNENDED);
    }
    ensure!(lost.values().sum::<u64>() == 0, "lost: {lost:?}");
    Ok(())
}

/// How long after its moment an event is here: both by the wall clock, of which only the time of day counts.
fn late(event: &Value) -> Result<Duration> {
    const DAY: f64 = 86_400.0;
    let at = event["at"].as_str().context("no time")?;
    let time = at.split_once('T').context("no time")?.1.trim_end_matches('Z');
    let parts = time.split(':').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    let [hours, minutes, seconds] = parts[..] else { anyhow::bail!("{at}") };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() % DAY;
    Ok(Duration::from_secs_f64((now - (hours * 3600.0 + minutes * 60.0 + seconds)).rem_euclid(DAY)))
}

/// By how much an interval was longer than asked for.
fn delay(snapshot: &Value) -> Result<Duration> {
    let length = Duration::from_nanos(snapshot["interval_ns"].as_u64().context("no interval")?);
    Ok(length.saturating_sub(INTERVAL))
}

/// One that may run out of memory, and whose time is its own.
fn only_where_it_can_be_timed() -> Result<()> {
    if !in_machine() {
        return Err(skip("only a virtual machine may run out of memory"));
    }
    if on_hosts_clock() {
        return Err(skip("reclaim takes an emulated machine longer than what may be late"));
    }
    Ok(())
}

fn without_swap() -> Result<()> {
    only_where_it_can_be_timed()?;
    storm()
}

fn with_swap() -> Result<()> {
    only_where_it_can_be_timed()?;
    let _swap = Swap::new()?;
    storm()
}

/// Compressed memory as swap: little of it, so that it is soon full and not only slow.
struct Swap {
    zram: Zram,
}

impl Swap {
    fn new() -> Result<Self> {
        let zram = Zram::new(32 * MIB)?;
        let device = format!("/dev/{}", zram.name);
        for program in ["mkswap", "swapon"] {
            let status =
                std::process::Command::new(program).arg(&device).stdout(std::process::Stdio::null()).status()?;
            ensure!(status.success(), "{program} {device}");
        }
        Ok(Self { zram })
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        let _ = std::process::Command::new("swapoff").arg(format!("/dev/{}", self.zram.name)).status();
    }
}
