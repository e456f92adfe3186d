//! A task that waits while we look.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{
    super::{Test, every_kernel, in_machine, skip},
    is_sound, of, watch,
    work::{become_urgent, last_processor, pinned, spin},
};

pub const TESTS: &[Test] = &[every_kernel("cpu_a_task_that_waits_now_has_an_age", now)];

/// Less than what the kernel lets real-time tasks have at a time.
const HELD: Duration = Duration::from_millis(800);

/// An emulated CPU may look at unlucky moments only, and know of many turns the last ones.
fn now() -> Result<()> {
    let again = if in_machine() { 2 } else { 0 };
    let mut result = once();
    for _ in 0..again {
        if result.is_err() {
            result = once();
        }
    }
    result
}

fn once() -> Result<()> {
    let cpu = last_processor()?;
    let victim = pinned(cpu, || {
        // SAFETY: no precondition.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 7) };
        [spin(Duration::from_millis(1)), 0]
    })?;
    let urgent = pinned(cpu, || {
        let urgent = become_urgent();
        [if urgent { spin(HELD) } else { 0 }, 0]
    })?;
    let mut watch = watch(&[])?;
    urgent.go();
    // On its CPU before the other wants it.
    std::thread::sleep(Duration::from_millis(20));
    victim.go();
    let [held, _] = urgent.report()?;
    if held == 0 {
        return Err(skip("no real-time tasks here"));
    }
    victim.report()?;
    watch.next()?;
    watch.stop()?;
    is_sound(&watch)?;
    let ages: Vec<u64> = of(&watch, "waiting", victim.pid).filter_map(|row| row["age_ns"].as_u64()).collect();
    let oldest = ages.iter().copied().max().unwrap_or(0);
    ensure!((300_000_000..=HELD.as_nanos() as u64 + 100_000_000).contains(&oldest), "{ages:?}");
    // Then it is over, and as long as it looked.
    let over = of(&watch, "waited", victim.pid).max_by_key(|row| row["max_ns"].as_u64());
    let Some(over) = over else { anyhow::bail!("no wait that is over") };
    let max = over["max_ns"].as_u64().unwrap_or(0);
    ensure!(max >= oldest, "over after {max} ns, and waited {oldest} ns before");
    let class = |pid| of(&watch, "running", pid).find_map(|row| row["class"].as_str().map(str::to_owned));
    let classes = [class(urgent.pid), class(victim.pid)];
    ensure!(classes == [Some("fifo 10".to_owned()), Some("nice 7".to_owned())], "{classes:?}");
    ensure!(over["behind"]["pid"] == urgent.pid && over["cpu"] == cpu, "{over:#}");
    Ok(())
}
