//! What may not hold up a tick.

mod hangs;
mod loads;
mod output;

use std::time::Duration;

use super::{Test, here, stillwatch::Watch};

pub const TESTS: &[Test] = &[
    here("survives_a_pipe_that_nobody_reads", output::unread),
    here("survives_a_terminal_that_is_stopped", output::stopped),
    here("survives_a_full_disk", output::full),
    here("survives_files_that_cannot_be_read", hangs::unreadable),
    here("survives_ten_times_the_work_that_cpus_can_do", loads::hogs).alone(),
    here("survives_a_cgroup_without_memory", loads::memory),
    here("survives_a_storm_of_forks", loads::forks).alone(),
];

/// By so much a tick may be late.
const LATE: Duration = Duration::from_millis(250);

/// How late each tick was.
fn lateness(watch: &Watch, interval: Duration) -> Vec<Duration> {
    let ticks = watch.snapshots.iter().filter(|line| line["probe"] == "cpu");
    let passed = ticks.filter_map(|line| line["interval_ns"].as_u64()).map(Duration::from_nanos);
    passed.map(|passed| passed.saturating_sub(interval)).collect()
}
