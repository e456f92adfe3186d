//! Tasks that no tick sees.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{
    super::{
        Test, every_kernel,
        workload::{Workload, rename},
    },
    is_sound, rows, sum, watch,
    work::spin,
};

pub const TESTS: &[Test] = &[every_kernel("cpu_time_of_processes_that_come_and_go_is_not_lost", ended)];

const PROCESSES: u64 = 23;

fn ended() -> Result<()> {
    let workload = Workload::new(|| {
        let mut ran = 0;
        for _ in 0..PROCESSES {
            // SAFETY: the child only spins and leaves; the kernel fills the structure.
            unsafe {
                let pid = libc::fork();
                if pid == 0 {
                    rename(c"short-lived");
                    spin(Duration::from_millis(10));
                    libc::_exit(0);
                }
                let mut used: libc::rusage = std::mem::zeroed();
                libc::wait4(pid, std::ptr::null_mut(), 0, &mut used);
                ran += [used.ru_utime, used.ru_stime].map(ns).iter().sum::<u64>();
            }
        }
        [ran, 0]
    })?;
    let mut watch = watch(&[])?;
    workload.go();
    let [counted, _] = workload.report()?;
    watch.next()?;
    watch.stop()?;
    is_sound(&watch)?;
    let own = || rows(&watch, "running").filter(|row| row["comm"] == "short-lived");
    let ended = sum(own(), "ended_tasks");
    ensure!(ended == PROCESSES, "{ended} have ended");
    // The kernel's own account of each is in microseconds, and leaves out how it was taken off its CPU.
    let ran = sum(own(), "ran_ns");
    ensure!(ran + 2000 * PROCESSES >= counted && ran * 10 <= counted * 11, "{ran} ns, {counted} as the kernel counts");
    Ok(())
}

fn ns(time: libc::timeval) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000
}
