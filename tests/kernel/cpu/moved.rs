//! A task that is moved from CPU to CPU while it sleeps.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{
    super::{
        Test, every_kernel,
        stillwatch::Watch,
        workload::{Workload, sleep},
    },
    is_sound, of, sum,
    work::{last_processor, pin, pinned, spin},
};

pub const TESTS: &[Test] = &[every_kernel("cpu_a_sleep_is_no_wait_also_of_a_task_that_is_moved", moved)];

const SLEEPS: u64 = 11;

/// Both CPUs have something to do, so that a task that goes to sleep has had more than its share, and kernels that can leave it in
/// its run queue (6.12) do so; and it is moved all the time, so that it is moved while it is there.
fn moved() -> Result<()> {
    let cpus = [0, last_processor()?];
    let busy = || spin(Duration::from_secs(30));
    let others = [pinned(cpus[0], || [busy(), 0])?, pinned(cpus[1], || [busy(), 0])?];
    let moved = pinned(cpus[1], || {
        for _ in 0..SLEEPS {
            spin(Duration::from_millis(3));
            sleep(Duration::from_millis(200));
        }
        [0; 2]
    })?;
    let mover = Workload::new(|| {
        loop {
            for cpu in cpus {
                pin(moved.pid, cpu);
                sleep(Duration::from_micros(300));
            }
        }
    })?;
    // Longer than a sleep: few of them are found by the walk at the end of an interval.
    let mut watch = Watch::every("1", "cpu", &["--by", "process"], &[])?;
    others.iter().for_each(Workload::go);
    moved.go();
    mover.go();
    moved.report()?;
    mover.end();
    others.into_iter().for_each(Workload::end);
    watch.next()?;
    watch.stop()?;
    is_sound(&watch)?;
    let waits: Vec<u64> = of(&watch, "by", moved.pid).filter_map(|row| row["max_ns"].as_u64()).collect();
    ensure!(!waits.is_empty() && waits.iter().all(|&ns| ns < 150_000_000), "waits of up to {waits:?}");
    let waited = sum(of(&watch, "by", moved.pid), "total_ns");
    ensure!(waited < 1_000_000_000, "waited {waited} ns, and slept {} ms", SLEEPS * 200);
    let now: Vec<u64> = of(&watch, "waiting", moved.pid).filter_map(|row| row["age_ns"].as_u64()).collect();
    ensure!(now.iter().all(|&ns| ns < 150_000_000), "waits since {now:?}");
    Ok(())
}
