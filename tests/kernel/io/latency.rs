//! Injected latency: what takes 40 ms takes 40 ms.

use anyhow::{Result, ensure};

use super::{
    super::{
        Test,
        devices::{LoopDevice, MIB, Mapper, NullBlk, SECTOR, ScsiDebug, direct},
        every_kernel, one_machine,
        workload::Workload,
    },
    seen::{Seen, number, watch},
    work::{BLOCK, offset_of, reads, threads},
};

pub const TESTS: &[Test] = &[
    every_kernel("io_shows_40_ms_as_service_time", service),
    every_kernel("io_shows_a_limited_queue_as_queue_time", queue),
    every_kernel("io_shows_a_slow_mapped_device", mapped),
    one_machine("io_lists_slow_requests_one_by_one", slow),
];

const DELAY_NS: u64 = 40_000_000;

/// A median in the bucket that holds 40 ms, or in the next: an emulated machine's timer is late at times.
fn is_delay(p50: u64) -> bool {
    (DELAY_NS - DELAY_NS / 16..=DELAY_NS + DELAY_NS / 10).contains(&p50)
}

fn service() -> Result<()> {
    let device = NullBlk::new(DELAY_NS, &[])?;
    let fd = direct(&device.name)?;
    let workload = Workload::new(|| [reads(&fd, 23), 0])?;
    let watch = watch(&[])?;
    workload.go();
    ensure!(workload.report()? == [0; 2], "reads failed");
    let seen = Seen::until_now(watch)?;
    let row = seen.device(&device.name, "read");
    ensure!((row.ios, row.bytes) == (23, 23 * BLOCK), "{row:?}");
    ensure!(is_delay(row.service.p50()) && is_delay(row.total.p50()), "{row:?}");
    ensure!(row.queue.p50() < DELAY_NS / 10, "{row:?}");
    Ok(())
}

/// Three readers, one request at a time: two always wait for their turn. The disk is found out while we are attached, by commands that
/// are for no disk yet.
fn queue() -> Result<()> {
    let attached = watch(&[])?;
    let device = ScsiDebug::new(DELAY_NS, 1)?;
    drop(attached);
    let fd = direct(&device.name)?;
    let workload = Workload::new(|| [threads(3, || reads(&fd, 11)), 0])?;
    let watch = watch(&[])?;
    workload.go();
    ensure!(workload.report()? == [0; 2], "reads failed");
    let seen = Seen::until_now(watch)?;
    let row = seen.device(&device.name, "read");
    ensure!((row.ios, row.bytes) == (33, 33 * BLOCK), "{row:?}");
    ensure!(is_delay(row.service.p50()), "{row:?}");
    ensure!((DELAY_NS * 9 / 10..DELAY_NS * 5 / 2).contains(&row.queue.p50()), "{row:?}");
    let own = seen.caused(&device.name, |row| row["pid"] == workload.pid && row["how"] == "direct");
    let rows = seen.rows("caused_by", "device", &*device.name);
    ensure!(own[1] == 33, "issued by whoever came along, and owned by the reader: {own:?} of {rows:?}");
    Ok(())
}

/// A device that takes bios has no queue of its own.
fn mapped() -> Result<()> {
    let below = LoopDevice::new(4 * MIB)?;
    let device = Mapper::delay(&below.name, 4 * MIB, 40)?;
    let fd = direct(&device.name)?;
    let workload = Workload::new(|| [reads(&fd, 23), 0])?;
    let watch = watch(&[])?;
    workload.go();
    ensure!(workload.report()? == [0; 2], "reads failed");
    let seen = Seen::until_now(watch)?;
    let row = seen.device(&device.name, "read");
    ensure!((row.ios, row.bytes, row.total.count()) == (23, 23 * BLOCK, 23), "{row:?}");
    // The target counts in ticks of the kernel's clock.
    ensure!((DELAY_NS * 9 / 10..DELAY_NS * 3 / 2).contains(&row.total.p50()), "{row:?}");
    ensure!(row.queue.count() == 0 && row.service.count() == 0, "{row:?}");
    let rows = seen.rows("devices", "device", &*device.name);
    ensure!(rows.iter().all(|row| row["alias"] == *device.alias), "{rows:?}");
    ensure!(rows.iter().all(|row| number(&row["ios"]) == 0 || row["queue_unknown"].is_string()), "{rows:?}");
    let below = seen.device(&below.name, "read");
    ensure!(below.ios == 23 && below.service.p50() < DELAY_NS, "{below:?}");
    Ok(())
}

fn slow() -> Result<()> {
    let device = NullBlk::new(DELAY_NS, &[])?;
    let fd = direct(&device.name)?;
    let workload = Workload::new(|| [reads(&fd, 11), 0])?;
    let watch = watch(&["--slow", "20ms"])?;
    workload.go();
    ensure!(workload.report()? == [0; 2], "reads failed");
    let seen = Seen::until_now(watch)?;
    let own: Vec<_> = seen.events.iter().filter(|event| event["device"] == *device.name).collect();
    let sectors: Vec<u64> = own.iter().map(|event| number(&event["sector"])).collect();
    ensure!(sectors == (0..11).map(|at| offset_of(at) / SECTOR).collect::<Vec<_>>(), "{own:?}");
    for event in own {
        ensure!(event["event"] == "slow_request" && event["op"] == "read" && event["failed"] == false, "{event}");
        ensure!(event["pid"] == workload.pid && event["how"] == "direct", "{event}");
        ensure!(number(&event["bytes"]) == BLOCK && number(&event["service_ns"]) >= DELAY_NS, "{event}");
    }
    Ok(())
}
