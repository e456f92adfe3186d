//! A cgroup with a limit, and that of a quota.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test, every_kernel, skip,
        workload::{Workload, remove_cgroup},
    },
    is_sound, rows, sum, watch,
    work::spin,
};

pub const TESTS: &[Test] = &[every_kernel("cpu_a_quota_of_a_fifth_shows_what_cpu_stat_does", quota).alone()];

/// Quotas that are new are found every two seconds.
const SEARCH: Duration = Duration::from_millis(2500);

/// Removed when dropped; empty by then.
pub struct Group {
    pub dir: PathBuf,
    v2: bool,
}

impl Group {
    /// A fifth of a CPU.
    pub fn new() -> Result<Self> {
        let v1 = [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "20000")];
        Self::limited("cpu", ("cpu.max", "20000 100000"), &v1)
    }

    /// What is written to which file, where the controller is one of the unified hierarchy, or has its own.
    pub fn limited(controller: &str, unified: (&str, &str), own: &[(&str, &str)]) -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let of = |kind: &str, option: &str| {
            mounts.lines().find_map(|line| {
                let fields: Vec<_> = line.split(' ').collect();
                let fits = fields[2] == kind && (option.is_empty() || fields[3].split(',').any(|it| it == option));
                fits.then(|| PathBuf::from(fields[1]))
            })
        };
        let (mount, v2) = match (of("cgroup", controller), of("cgroup2", "")) {
            (Some(mount), _) => (mount, false),
            (None, Some(mount)) => (mount, true),
            _ => return Err(skip("no cgroups")),
        };
        let dir = mount.join(format!("stillwatch-{controller}-{}", std::process::id()));
        fs::create_dir(&dir)?;
        let group = Self { dir, v2 };
        for (file, value) in if v2 { std::slice::from_ref(&unified) } else { own } {
            fs::write(group.dir.join(file), value)
                .map_err(|error| skip(format!("no limits of the {controller} controller: {error}")))?;
        }
        Ok(group)
    }

    pub fn throttled_ns(&self) -> Result<u64> {
        let text = fs::read_to_string(self.dir.join("cpu.stat"))?;
        let (field, unit) = if self.v2 { ("throttled_usec ", 1000) } else { ("throttled_time ", 1) };
        let value = text.lines().find_map(|line| line.strip_prefix(field)).context("no throttled time")?;
        Ok(value.trim().parse::<u64>()? * unit)
    }

    pub fn name(&self) -> String {
        format!("/{}", self.dir.file_name().map(Path::new).unwrap_or(Path::new("")).display())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        remove_cgroup(&self.dir);
    }
}

fn quota() -> Result<()> {
    let group = Group::new()?;
    let spinner = Workload::new(|| [spin(Duration::from_millis(1500)), 0])?;
    fs::write(group.dir.join("cgroup.procs"), spinner.pid.to_string())?;
    let mut watch = watch(&[])?;
    let found = Instant::now() + SEARCH;
    while Instant::now() < found {
        watch.next()?;
    }
    spinner.go();
    spinner.report()?;
    let pid = spinner.pid;
    spinner.end();
    watch.next()?;
    watch.next()?;
    watch.stop()?;
    is_sound(&watch)?;
    let expected = group.throttled_ns()?;
    let name = group.name();
    let own = || rows(&watch, "throttled").filter(|row: &&Value| row["cgroup"] == name.as_str());
    let seen = sum(own(), "throttled_ns");
    ensure!(expected > 500_000_000, "only {expected} ns in cpu.stat");
    ensure!(seen.abs_diff(expected) * 20 <= expected, "{seen} ns, {expected} ns in cpu.stat");
    let (throttled, periods) = (sum(own(), "throttled_periods"), sum(own(), "periods"));
    ensure!(throttled >= 8 && throttled <= periods, "{throttled} of {periods} periods");
    let ran = sum(super::of(&watch, "running", pid), "ran_ns");
    ensure!((150_000_000..=700_000_000).contains(&ran), "ran {ran} ns");
    Ok(())
}
