//! Flags, and losses that are forced.

use anyhow::{Result, ensure};

use super::{
    super::{
        Test,
        devices::{LoopDevice, MIB, direct},
        every_kernel, here,
        stillwatch::Watch,
        workload::Workload,
    },
    seen::{Seen, watch},
    work::{BLOCK, reads, threads},
};

pub const TESTS: &[Test] = &[
    every_kernel("io_counts_the_same_with_devices_only", devices_only),
    here("io_filters_owners_and_victims_by_pid", by_pid),
    here("io_counts_and_shows_losses", losses),
];

fn devices_only() -> Result<()> {
    let device = LoopDevice::new(MIB)?;
    let fd = direct(&device.name)?;
    let workload = Workload::new(|| [reads(&fd, 1_009), 0])?;
    let watch = watch(&["--devices"])?;
    workload.go();
    ensure!(workload.report()? == [0; 2], "reads failed");
    let seen = Seen::until_now(watch)?;
    let row = seen.did(&device.name, "read", 1_009)?;
    ensure!(row.errors == 0 && row.total.count() == row.ios - row.untimed, "{row:?}");
    for snapshot in &seen.snapshots {
        for table in ["stalled", "caused_by"] {
            let why = &snapshot[format!("{table}_unknown")];
            ensure!(snapshot[table].is_null() && why.is_string(), "{table}: {snapshot}");
        }
    }
    Ok(())
}

fn by_pid() -> Result<()> {
    let device = LoopDevice::new(MIB)?;
    let fd = direct(&device.name)?;
    let workloads = [Workload::new(|| [reads(&fd, 503), 0])?, Workload::new(|| [reads(&fd, 211), 0])?];
    let watch = watch(&["-p", &workloads[0].pid.to_string()])?;
    for workload in &workloads {
        workload.go();
        ensure!(workload.report()? == [0; 2], "reads failed");
    }
    let seen = Seen::until_now(watch)?;
    let row = seen.device(&device.name, "read");
    ensure!(row.ios == 503 + 211, "devices count everybody's: {} ios, lost {:?}", row.ios, seen.lost);
    for table in ["stalled", "caused_by"] {
        let own = seen.rows(table, "pid", workloads[0].pid).len();
        ensure!(own > 0 && own == seen.table(table).count(), "{table}: {:?}", seen.table(table).collect::<Vec<_>>());
    }
    ensure!(seen.caused(&device.name, |_| true)[1] == 503, "{:?}", seen.table("caused_by").collect::<Vec<_>>());
    Ok(())
}

/// With room for one request in flight, most of eight at a time are not noted; all are counted.
fn losses() -> Result<()> {
    let device = LoopDevice::new(MIB)?;
    let fd = direct(&device.name)?;
    let workload = Workload::new(|| [threads(8, || reads(&fd, 211)), 0])?;
    let watch = Watch::of("io", &[], &[("STILLWATCH_REQUESTS", "1")])?;
    workload.go();
    ensure!(workload.report()? == [0; 2], "reads failed");
    let seen = Seen::until_now(watch)?;
    let row = seen.device(&device.name, "read");
    ensure!((row.ios, row.bytes) == (8 * 211, 8 * 211 * BLOCK), "{row:?}");
    ensure!(seen.lost.get("request table full").is_some_and(|&lost| lost > 0), "{:?}", seen.lost);
    let unknown = seen.caused(&device.name, |row| row["pid"].is_null() && row["unknown"].is_string());
    ensure!(unknown[1] > 0, "{:?}", seen.rows("caused_by", "device", &*device.name));
    Ok(())
}
