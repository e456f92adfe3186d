//! Tasks that no tick sees.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{
    super::{Test, every_kernel, workload::Workload},
    is_sound, rows, sum, watch,
    work::{rename, spin},
};

pub const TESTS: &[Test] = &[every_kernel("cpu_time_of_processes_that_come_and_go_is_not_lost", ended)];

const PROCESSES: u64 = 23;

fn ended() -> Result<()> {
    let workload = Workload::new(|| {
        let mut spun = 0;
        for _ in 0..PROCESSES {
            // SAFETY: the child only spins and leaves.
            unsafe {
                let pid = libc::fork();
                if pid == 0 {
                    rename(c"short-lived");
                    spin(Duration::from_millis(10));
                    libc::_exit(0);
                }
                libc::waitpid(pid, std::ptr::null_mut(), 0);
            }
            spun += 10_000_000;
        }
        [spun, 0]
    })?;
    let mut watch = watch(&[])?;
    workload.go();
    let [spun, _] = workload.report()?;
    watch.next()?;
    watch.stop()?;
    is_sound(&watch)?;
    let own = || rows(&watch, "running").filter(|row| row["comm"] == "short-lived");
    let ended = sum(own(), "ended_tasks");
    ensure!(ended == PROCESSES, "{ended} have ended");
    let ran = sum(own(), "ran_ns");
    // They wait for others meanwhile, too, which spinning does not notice.
    ensure!(ran * 2 >= spun && ran <= spun * 2, "{ran} ns of {spun}");
    Ok(())
}
