//! Who has the CPU while others wait for it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{
    super::{
        Test, every_kernel, skip,
        stillwatch::Watch,
        workload::{Workload, sleep},
    },
    is_sound, of, watch,
    work::{become_urgent, last_processor, pinned, spin},
};

pub const TESTS: &[Test] =
    &[every_kernel("cpu_who_starves_others_is_in_their_way_and_not_who_ran_for_a_moment", starved)];

/// Longer than the kernel lets real-time tasks go on: ordinary ones run for some 50 ms of each second.
const TIME: Duration = Duration::from_secs(4);

/// A real-time task has a CPU nearly always; a task that wants all of it gets the rest, and one that needs some microseconds
/// runs in between.
fn starved() -> Result<()> {
    let cpu = last_processor()?;
    let urgent = pinned(cpu, || if become_urgent() { [spin(TIME), 0] } else { [0; 2] })?;
    let starving = pinned(cpu, || [spin(TIME), 0])?;
    let brief = pinned(cpu, || {
        loop {
            sleep(Duration::from_millis(10));
        }
    })?;
    let mut watch = watch(&[])?;
    [&brief, &starving, &urgent].into_iter().for_each(Workload::go);
    let [held, _] = urgent.report()?;
    if held == 0 {
        return Err(skip("no real-time tasks here"));
    }
    starving.report()?;
    brief.end();
    watch.next()?;
    watch.stop()?;
    is_sound(&watch)?;
    let long = long_waits(&watch, starving.pid)?;
    ensure!(!long.is_empty() && long.iter().all(|&behind| behind == u64::from(urgent.pid)), "behind {long:?}");
    Ok(())
}

/// Behind whom a process waited, of rows with waits of more than 300 ms.
fn long_waits(watch: &Watch, pid: u32) -> Result<Vec<u64>> {
    let long = of(watch, "waited", pid).filter(|row| row["max_ns"].as_u64() > Some(300_000_000));
    long.map(|row| row["behind"]["pid"].as_u64().with_context(|| format!("behind nobody: {row}"))).collect()
}
