//! Wake-ups whose number is known.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{
    super::{Test, every_kernel, here, stillwatch::Watch, stillwatch::losses, workload::Workload, workload::sleep},
    is_sound, of, sum, watch,
    work::{last_processor, pinned, spin},
};

pub const TESTS: &[Test] = &[
    every_kernel("cpu_23_wakeups_of_a_pinned_sleeper_are_23", sleeper),
    here("cpu_counts_waits_it_has_no_room_for", no_room),
];

const SLEEPS: u64 = 23;

fn sleeper() -> Result<()> {
    let cpu = last_processor()?;
    let workload = pinned(cpu, || {
        for _ in 0..SLEEPS {
            sleep(Duration::from_millis(10));
        }
        [0; 2]
    })?;
    let mut watch = watch(&["--by", "process"])?;
    workload.go();
    workload.report()?;
    watch.next()?;
    watch.stop()?;
    is_sound(&watch)?;
    let pid = workload.pid;
    let waits = sum(of(&watch, "by", pid), "waits");
    let voluntary = sum(of(&watch, "running", pid), "voluntary_switches");
    let involuntary = sum(of(&watch, "running", pid), "involuntary_switches");
    // One to begin, one each; and it may have had to make way for others.
    ensure!(waits == 1 + SLEEPS + involuntary, "{waits} waits with {involuntary} involuntary switches");
    ensure!(voluntary == 1 + SLEEPS, "{voluntary} voluntary switches");
    Ok(())
}

fn no_room() -> Result<()> {
    let tiny = [("STILLWATCH_WAITED", "1"), ("STILLWATCH_BY", "1"), ("STILLWATCH_ENDED", "1")];
    let cpu = last_processor()?;
    let spinner = || pinned(cpu, || [spin(Duration::from_millis(500)), 0]);
    let several = [spinner()?, spinner()?, spinner()?];
    let mut watch = Watch::of("cpu", &["--by", "process"], &tiny)?;
    several.iter().for_each(Workload::go);
    for spinner in several {
        spinner.report()?;
        spinner.end();
    }
    watch.next()?;
    watch.stop()?;
    let lost = losses(&watch.snapshots);
    for cause in ["waiters full", "waits by process full", "ended tasks full"] {
        ensure!(lost.get(cause).is_some_and(|&lost| lost > 0), "no {cause}: {lost:?}");
    }
    Ok(())
}
