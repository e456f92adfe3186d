//! Blocked mode, and losses that are forced.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::super::{
    Test, every_kernel, here,
    stillwatch::{Watch, watch},
    workload::{Workload, repeat, sleep, sleep_23_times},
};

pub const TESTS: &[Test] = &[
    every_kernel("syscalls_blocked_mode_counts_sleeps", blocked),
    here("syscalls_losses_are_counted_and_shown", losses),
];

fn blocked() -> Result<()> {
    let (seen, [median_ns, _]) = watch(&["--blocked", "--idle"], || {
        repeat(10_007, libc::SYS_getppid);
        sleep_23_times()
    })?;
    ensure!(seen.calls("getppid") == 0, "a call that does not sleep was counted");
    let row = seen.made("nanosleep", 23)?;
    let bucket = row.p50_bucket();
    ensure!(bucket <= median_ns && median_ns <= bucket + bucket / 8, "bucket {bucket}, the caller's {median_ns}");
    let mode = &seen.snapshots[0]["mode"];
    ensure!(mode == "blocked", "{mode}");
    Ok(())
}

/// With room for four tasks, most of forty sleepers lose their start; the calls still count.
fn losses() -> Result<()> {
    let workload = Workload::new(|| {
        let sleepers: Vec<_> = (0..40).map(|_| std::thread::spawn(|| sleep(Duration::from_millis(50)))).collect();
        for sleeper in sleepers {
            let _ = sleeper.join();
        }
        [0; 2]
    })?;
    let pid = workload.pid.to_string();
    let mut watch = Watch::start_with(&["-p", &pid], &[("STILLWATCH_TASKS", "4")])?;
    workload.go();
    workload.report()?;
    watch.next()?;
    let seen = watch.finish()?;
    let lost = seen.lost.get("task table full").copied().unwrap_or(0);
    let row = seen.row("nanosleep")?;
    ensure!(row.calls == 40, "{row:?}");
    ensure!(row.untimed >= 20 && lost >= row.untimed, "{lost} lost, {row:?}");
    Ok(())
}
