//! Two tasks that want the same CPU all the time.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, ensure};

use super::{
    super::{
        Test, every_kernel, in_machine,
        stillwatch::{add_buckets, median_bucket},
        workload::Workload,
    },
    is_sound, of, sum, watch,
    work::{last_processor, pinned, spin},
};

pub const TESTS: &[Test] =
    &[every_kernel("cpu_two_spinners_have_half_a_processor_each_and_wait_for_slices", spinners).alone()];

const TIME: Duration = Duration::from_millis(4000);

fn spinners() -> Result<()> {
    let cpu = last_processor()?;
    let spinner = || pinned(cpu, || [spin(TIME), 0]);
    let pair = [spinner()?, spinner()?];
    let mut watch = watch(&["--by", "process"])?;
    pair.iter().for_each(Workload::go);
    for spinner in &pair {
        spinner.report()?;
    }
    watch.next()?;
    watch.stop()?;
    is_sound(&watch)?;
    let all = sum(watch.snapshots.iter(), "interval_ns");
    let mut halves = Vec::new();
    for (one, other) in [(0, 1), (1, 0)] {
        let pid = pair[one].pid;
        let mut histogram = BTreeMap::new();
        of(&watch, "by", pid).for_each(|row| add_buckets(&mut histogram, &row["histogram"]));
        // From the slice of the newest schedulers (0.7 ms, in whole ticks of 1 to 10 ms) to that of older ones.
        let slice = median_bucket(&histogram);
        ensure!((500_000..30_000_000).contains(&slice), "waits of {slice} ns: {histogram:?}");
        let ran = sum(of(&watch, "running", pid), "ran_ns");
        let here: u64 = of(&watch, "running", pid).filter_map(|row| row["on_ns"][cpu.to_string()].as_u64()).sum();
        // It moves there when it is woken: of that interval the place is not said.
        ensure!(here * 100 >= ran * 75, "{here} of {ran} ns on CPU {cpu}");
        halves.push(ran);
        let waited = sum(of(&watch, "by", pid), "total_ns");
        let apart = (waited + ran).abs_diff(TIME.as_nanos() as u64);
        ensure!(apart < 400_000_000, "ran {ran} ns and waited {waited} ns in {all}");
        let long: Vec<_> = of(&watch, "waited", pid).collect();
        ensure!(!long.is_empty(), "no long waits of {pid}");
        ensure!(long.iter().all(|row| row["behind"]["pid"] != pid), "behind itself: {long:#?}");
        // Elsewhere others may have had it, too.
        let behind = long.iter().filter(|row| row["behind"]["pid"] == pair[other].pid).count();
        ensure!(!in_machine() || behind * 2 >= long.len(), "behind others than the other: {long:#?}");
        let involuntary = sum(of(&watch, "running", pid), "involuntary_switches");
        ensure!(involuntary >= 20, "{involuntary} involuntary switches");
    }
    let (small, large) = (halves[0].min(halves[1]), halves[0].max(halves[1]));
    ensure!(large * 2 <= small * 3, "not half each: {halves:?}");
    // Snapshots see one of the two wait, whenever they look. An emulated walk over tasks takes longer than a slice: whoever waits when
    // it comes by began to after the tick.
    let waiting: Vec<_> = pair.iter().flat_map(|spinner| of(&watch, "waiting", spinner.pid)).collect();
    if in_machine() {
        return Ok(());
    }
    ensure!(waiting.len() >= 4, "seen waiting {} times", waiting.len());
    let oldest = waiting.iter().filter_map(|row| row["age_ns"].as_u64()).max();
    ensure!(oldest.is_some_and(|oldest| oldest < 200_000_000), "{oldest:?}");
    Ok(())
}
