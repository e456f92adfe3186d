//! What we say that we cost, beside what the kernel counts of us.

use anyhow::{Context, Result, ensure};
use aya::{
    programs::loaded_programs,
    sys::{Stats, enable_stats},
};
use serde_json::Value;

use super::{
    Test,
    budget::{self, interval},
    devices::{LoopDevice, MIB, direct},
    here,
    io::work::reads,
    lifetime::held,
    stillwatch::Watch,
    workload::{Workload, repeat},
};

pub const TESTS: &[Test] = &[
    here("account_is_right_on_an_idle_host", || agrees(&[], |_| Ok(Vec::new()))).alone(),
    here("account_is_right_in_a_storm_of_calls", || agrees(&["--exact"], calls)).alone(),
    here("account_is_right_of_a_busy_disk", || agrees(&[], requests)).alone(),
    here("account_is_right_in_a_storm_of_switches", || agrees(&[], |_| budget::turns())).alone(),
];

/// Intervals that are compared.
const INTERVALS: usize = 8;
/// What is said and what is counted may be apart by so much of what is counted: in one round, or at the median of so many.
const APART: f64 = 0.15;
const ROUNDS: usize = 3;

/// What a load works on.
type Disk = LoopDevice;

fn calls(_: &Disk) -> Result<Vec<Workload>> {
    let storm = Workload::new(|| {
        loop {
            repeat(1000, libc::SYS_getppid);
        }
    })?;
    Ok(vec![storm])
}

fn requests(disk: &Disk) -> Result<Vec<Workload>> {
    let fd = direct(&disk.name)?;
    let reader = Workload::new(|| {
        loop {
            reads(&fd, 1000);
        }
    })?;
    Ok(vec![reader])
}

/// Seconds of a CPU: of our process, and of our programs in the kernel.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    process: f64,
    programs: f64,
}

#[derive(Debug, Default)]
struct Round {
    said: Cost,
    counted: Cost,
}

impl Round {
    fn ratios(&self) -> [f64; 2] {
        let (said, counted) = (self.said, self.counted);
        [said.process / counted.process, said.programs / counted.programs]
    }
}

fn agrees(flags: &[&str], load: fn(&Disk) -> Result<Vec<Workload>>) -> Result<()> {
    let mut rounds = vec![round(flags, load)?];
    if !are_close(&rounds) {
        while rounds.len() < ROUNDS {
            rounds.push(round(flags, load)?);
        }
    }
    println!("{rounds:?}");
    ensure!(are_close(&rounds), "what is said and what is counted are apart: {rounds:?}");
    Ok(())
}

fn are_close(rounds: &[Round]) -> bool {
    [0, 1].into_iter().all(|part| (median(rounds, part) - 1.0).abs() <= APART)
}

fn median(rounds: &[Round], part: usize) -> f64 {
    let mut ratios: Vec<f64> = rounds.iter().map(|round| round.ratios()[part]).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

fn round(flags: &[&str], load: fn(&Disk) -> Result<Vec<Workload>>) -> Result<Round> {
    let disk = LoopDevice::new(4 * MIB)?;
    let load = load(&disk)?;
    let mut watch = Watch::everything(flags)?;
    load.iter().for_each(Workload::go);
    // The kernel counts what programs take only if it is asked to, and then they take a little more, for us as well.
    let _counting = enable_stats(Stats::RunTime)?;
    // The first looks tell what programs cost on a host with this load.
    for settled in 0..12 {
        interval(&mut watch)?;
        if settled > 2 && watch.snapshots.last().is_some_and(|line| line["self"]["kernel_cpu_percent"].is_f64()) {
            break;
        }
    }
    let (mut sum, mut known) = (Round::default(), 0);
    let mut before = counted(watch.pid())?;
    for _ in 0..INTERVALS {
        let since = watch.snapshots.len();
        interval(&mut watch)?;
        let after = counted(watch.pid())?;
        let line = watch.snapshots[since..].iter().find(|line| line["probe"] == "cpu").context("no interval")?;
        let (process, programs) = said(line)?;
        sum.said.process += process;
        sum.counted.process += after.process - before.process;
        // Not said of an interval in which a program ran that has not been measured.
        if let Some(programs) = programs {
            sum.said.programs += programs;
            sum.counted.programs += after.programs - before.programs;
            known += 1;
        }
        before = after;
    }
    ensure!(known * 4 >= INTERVALS * 3, "what programs cost is said of {known} intervals");
    Ok(sum)
}

/// As [`Cost`].
fn said(line: &Value) -> Result<(f64, Option<f64>)> {
    let own = |key: &str| line["self"][key].as_f64();
    let seconds = line["interval_ns"].as_f64().context("no interval")? / 1e9;
    let of = |percent: f64| percent / 100.0 * seconds;
    let process = own("user_cpu_percent").with_context(|| format!("no time of its own: {}", line["self"]))?;
    Ok((of(process), own("kernel_cpu_percent").map(of)))
}

fn counted(pid: i32) -> Result<Cost> {
    // `stat` has hundredths of a second only, and `schedstat` nothing of threads that have ended.
    let (mut clock, mut time) = (0, libc::timespec { tv_sec: 0, tv_nsec: 0 });
    // SAFETY: the kernel fills what it is given.
    let known =
        unsafe { libc::clock_getcpuclockid(pid, &mut clock) == 0 && libc::clock_gettime(clock, &mut time) == 0 };
    ensure!(known, "no clock of process {pid}");
    let process = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    let ours = held(pid, "prog_id:")?;
    // Those that walk over tasks run when our process reads what they find, in its time.
    let is_hook = |name: Option<&str>| name.is_some_and(|name| !name.ends_with("_iter"));
    let programs = loaded_programs().filter_map(Result::ok);
    let programs = programs.filter(|program| ours.contains(&program.id()) && is_hook(program.name_as_str()));
    let programs: f64 = programs.map(|program| program.run_time().as_secs_f64()).sum();
    Ok(Cost { process, programs })
}
