//! Hosts that are well.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::{
    super::{
        Test,
        stillwatch::Watch,
        workload::{Workload, sleep},
    },
    told,
};

pub const TESTS: &[Test] =
    &[("findings_none_on_a_quiet_host", quiet), ("findings_none_on_a_busy_host_that_is_well", busy)];

/// Watches for so long. Nothing may be found, and everything that is measured is ruled out.
fn nothing_for(long: Duration) -> Result<()> {
    let mut watch = Watch::everything(&[])?;
    let until = Instant::now() + long;
    while Instant::now() < until {
        watch.next()?;
    }
    watch.stop()?;
    let wrong: Vec<_> = told(&watch).map(|finding| finding["statement"].to_string()).collect();
    ensure!(wrong.is_empty(), "{wrong:#?}");
    let areas = |finding: &serde_json::Value| finding["areas"].as_array().map_or(0, Vec::len);
    let fine: Vec<usize> = watch.findings.iter().map(areas).collect();
    ensure!(fine.len() as u64 >= long.as_secs() * 9 / 10, "only {} intervals", fine.len());
    ensure!(fine.iter().filter(|&&areas| areas == 5).count() * 10 >= fine.len() * 9, "not ruled out: {fine:?}");
    Ok(())
}

/// A minute; in a virtual machine, of which there are several, less.
fn quiet() -> Result<()> {
    nothing_for(Duration::from_secs(if in_machine() { 10 } else { 60 }))
}

fn in_machine() -> bool {
    std::env::var_os("STILLWATCH_VM").is_some()
}

/// As many processes at work as there are processors, as of a compiler: they compute, write files and read them.
fn busy() -> Result<()> {
    let processors = std::thread::available_parallelism()?.get();
    let dir = std::env::temp_dir().join(format!("stillwatch-busy-{}", std::process::id()));
    fs::create_dir(&dir)?;
    let workers: Result<Vec<Workload>> = (0..processors)
        .map(|at| {
            let file = dir.join(at.to_string());
            Workload::new(move || {
                loop {
                    let until = Instant::now() + Duration::from_millis(40);
                    let mut text = vec![0u8; 1 << 16];
                    while Instant::now() < until {
                        text.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(3).wrapping_add(1));
                    }
                    let _ = fs::write(&file, &text).and_then(|()| fs::read(&file));
                    sleep(Duration::from_millis(5));
                }
            })
        })
        .collect();
    let workers = workers?;
    workers.iter().for_each(Workload::go);
    let result = nothing_for(Duration::from_secs(if in_machine() { 10 } else { 20 }));
    drop(workers);
    fs::remove_dir_all(&dir)?;
    result
}
