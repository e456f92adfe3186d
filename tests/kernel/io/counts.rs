//! Exact numbers.

use std::fs;

use anyhow::{Result, ensure};

use super::{
    super::{
        Test,
        devices::{LoopDevice, MIB, Mapper, NullBlk, SECTOR, Zram, buffered, direct, memory_file, seal},
        every_kernel, in_machine,
        stillwatch::missed,
        workload::Workload,
    },
    seen::{Seen, fresh, number, watch},
    work::{BLOCK, fsync, offset_of, read_range, reads, write_out, write_range, writes},
};

pub const TESTS: &[Test] = &[
    every_kernel("io_counts_every_request_with_its_owner", requests),
    every_kernel("io_counts_flushes", flushes),
    every_kernel("io_agrees_with_the_kernel_on_split_and_merged_requests", split_and_merged),
    every_kernel("io_names_partitions", partition),
    every_kernel("io_shows_zram_from_bios", zram),
    every_kernel("io_counts_failed_writes", failed),
    every_kernel("io_counts_failed_reads_of_bad_sectors", bad_sectors),
    every_kernel("io_counts_failed_bios", failed_bios),
    every_kernel("io_goes_on_when_a_device_is_removed", removed),
];

fn requests() -> Result<()> {
    let device = LoopDevice::new(4 * MIB)?;
    let fd = direct(&device.name)?;
    // Each is a millisecond's work for an emulated CPU.
    let [read, written] = if in_machine() { [1_009, 503] } else { [10_007, 5_003] };
    let workload = Workload::new(|| [reads(&fd, read), writes(&fd, written)])?;
    let watch = watch(&[])?;
    workload.go();
    let failed = workload.report()?;
    ensure!(failed == [0; 2], "the workload's own I/O failed: {failed:?}");
    let seen = Seen::until_now(watch)?;
    for (op, ios) in [("read", read), ("sync write", written)] {
        let row = seen.did(&device.name, op, ios)?;
        ensure!(row.errors == 0, "{row:?}");
        let timed = row.ios - row.untimed;
        ensure!([&row.queue, &row.service, &row.total].map(|part| part.count()) == [timed; 3], "{row:?}");
    }
    seen.has_caused(&device.name, read + written, |row| row["pid"] == workload.pid && row["how"] == "direct")?;
    ensure!(seen.lost.values().sum::<u64>() == missed(&seen.lost), "{:?}", seen.lost);
    Ok(())
}

/// fsync of a block device empties its cache, whether or not something was written.
fn flushes() -> Result<()> {
    let device = LoopDevice::new(MIB)?;
    let fd = buffered(&device.name)?;
    let workload = Workload::new(|| [(0..101).filter(|_| fsync(&fd) != 0).count() as u64, 0])?;
    let watch = watch(&[])?;
    workload.go();
    ensure!(workload.report()? == [0; 2], "fsync failed");
    let seen = Seen::until_now(watch)?;
    let row = seen.device(&device.name, "flush");
    ensure!((row.ios, row.bytes, row.errors) == (101, 0, 0), "{row:?}");
    let own = seen.caused(&device.name, |row| row["pid"] == workload.pid && row["how"] == "flush");
    ensure!(own[1] == 101, "{own:?} of {:?}", seen.rows("caused_by", "device", &*device.name));
    Ok(())
}

/// The kernel's own count of a device's reads and writes, and of their bytes.
fn kernels_own(device: &str) -> Result<[u64; 4]> {
    let text = fs::read_to_string(format!("/sys/block/{device}/stat"))?;
    let numbers: Vec<u64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    ensure!(numbers.len() >= 11, "{text}");
    Ok([numbers[0], numbers[2] * SECTOR, numbers[4], numbers[6] * SECTOR])
}

/// Large pieces are split for the device, small ones are merged on their way to it.
fn split_and_merged() -> Result<()> {
    let device = LoopDevice::new(16 * MIB)?;
    fs::write(format!("/sys/block/{}/queue/max_sectors_kb", device.name), "64")?;
    let (past, through) = (direct(&device.name)?, buffered(&device.name)?);
    let workload = Workload::new(|| {
        let mut done = write_range(&past, MIB, 0, 5 * MIB) && read_range(&past, MIB, 0, 3 * MIB);
        done &= write_range(&through, BLOCK, 5 * MIB, 7 * MIB) && write_out(&through);
        // The rest is not in the page cache: it is read ahead.
        [(done && read_range(&through, BLOCK, 12 * MIB, 4 * MIB)).into(), 0]
    })?;
    let watch = watch(&[])?;
    let before = kernels_own(&device.name)?;
    workload.go();
    ensure!(workload.report()? == [1, 0], "reads or writes failed");
    let after = kernels_own(&device.name)?;
    let seen = Seen::until_now(watch)?;
    let [read, write, sync] = ["read", "write", "sync write"].map(|op| seen.device(&device.name, op));
    let ours = [read.ios, read.bytes, write.ios + sync.ios, write.bytes + sync.bytes];
    let theirs: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    ensure!(ours == *theirs, "{ours:?}, and as the kernel counts {theirs:?}");
    ensure!((ours[1], ours[3]) == (7 * MIB, 12 * MIB), "{ours:?}");
    ensure!(ours[0] >= 112 && ours[2] >= 192, "not split: {ours:?}");
    Ok(())
}

fn partition() -> Result<()> {
    let (device, other) = (LoopDevice::new(8 * MIB)?, LoopDevice::new(MIB)?);
    let part = device.partition(MIB, 4 * MIB)?;
    let fds = [direct(&part)?, direct(&device.name)?, direct(&other.name)?];
    // The disk is found by its partition's I/O, too, when it has none itself.
    let runs = [(&part, [211, 101, 53], [211, 0, 0]), (&device.name, [211, 0, 53], [211, 0, 0])];
    // That is ours, and no matter of the kernel's.
    let runs = if in_machine() { &runs[..1] } else { &runs[..] };
    for &(only, times, shown) in runs {
        let workload = Workload::new(|| [fds.iter().zip(times).map(|(fd, times)| reads(fd, times)).sum(), 0])?;
        let watch = watch(&["-d", only])?;
        workload.go();
        ensure!(workload.report()? == [0; 2], "reads failed");
        let seen = Seen::until_now(watch)?;
        let names = [&part, &device.name, &other.name];
        let ios = names.map(|name| seen.device(name, "read").ios);
        ensure!(ios == shown, "-d {only} shows {ios:?} of {names:?}, not {shown:?}");
        let caused = names.map(|name| seen.caused(name, |row| row["pid"] == workload.pid)[1]);
        ensure!(caused == shown, "-d {only}: causes {caused:?}, not {shown:?}");
    }
    Ok(())
}

fn zram() -> Result<()> {
    let device = Zram::new(4 * MIB)?;
    let fd = direct(&device.name)?;
    let workload = Workload::new(|| [writes(&fd, 503), reads(&fd, 1_009)])?;
    let watch = watch(&[])?;
    workload.go();
    ensure!(workload.report()? == [0; 2], "reads or writes failed");
    let seen = Seen::until_now(watch)?;
    for (op, ios) in [("read", 1_009), ("sync write", 503)] {
        let row = seen.did(&device.name, op, ios)?;
        ensure!(row.errors == 0, "{op}: {row:?}");
        ensure!([&row.queue, &row.service, &row.total].map(|part| part.count()) == [0, 0, row.ios], "{op}: {row:?}");
    }
    seen.has_caused(&device.name, 1_512, |row| row["pid"] == workload.pid && row["how"] == "direct")
}

/// The file behind the device refuses writes; reads go on.
fn failed() -> Result<()> {
    let file = memory_file(MIB)?;
    let device = LoopDevice::over(&file)?;
    seal(&file)?;
    let fd = direct(&device.name)?;
    let workload = Workload::new(|| [writes(&fd, 53), reads(&fd, 101)])?;
    let watch = watch(&[])?;
    workload.go();
    let failed = workload.report()?;
    ensure!(failed == [53, 0], "of 53 writes and 101 reads failed {failed:?}");
    let seen = Seen::until_now(watch)?;
    let write = seen.device(&device.name, "sync write");
    ensure!((write.ios, write.errors) == (53, 53), "{write:?}");
    let read = seen.device(&device.name, "read");
    ensure!((read.ios, read.errors) == (101, 0), "{read:?}");
    Ok(())
}

fn bad_sectors() -> Result<()> {
    let device = NullBlk::new(1_000_000, &[])?;
    // Four of the 128 blocks that are read again and again.
    device.break_sectors(offset_of(1) / SECTOR, offset_of(5) / SECTOR - 1)?;
    let fd = direct(&device.name)?;
    let workload = Workload::new(|| [reads(&fd, 521), 0])?;
    let watch = watch(&[])?;
    workload.go();
    let [failed, _] = workload.report()?;
    ensure!(failed == 20, "{failed} of 521 reads failed");
    let seen = Seen::until_now(watch)?;
    let row = seen.device(&device.name, "read");
    ensure!((row.ios, row.errors) == (521, 20), "{row:?}");
    Ok(())
}

fn failed_bios() -> Result<()> {
    let device = Mapper::error(MIB)?;
    let fd = direct(&device.name)?;
    let workload = Workload::new(|| [reads(&fd, 53), writes(&fd, 31)])?;
    let watch = watch(&[])?;
    workload.go();
    let failed = workload.report()?;
    ensure!(failed == [53, 31], "failed: {failed:?}");
    let seen = Seen::until_now(watch)?;
    for (op, ios) in [("read", 53), ("sync write", 31)] {
        let row = seen.device(&device.name, op);
        ensure!((row.ios, row.errors) == (ios, ios), "{op}: {row:?}");
    }
    Ok(())
}

fn removed() -> Result<()> {
    let device = LoopDevice::new(MIB)?;
    let name = device.name.clone();
    let fd = direct(&name)?;
    let workload = Workload::new(|| [reads(&fd, 101), 0])?;
    let mut watch = fresh()?;
    workload.go();
    workload.report()?;
    watch.next()?;
    workload.end();
    drop((fd, device));
    for _ in 0..3 {
        watch.next()?;
    }
    let last = watch.snapshots.len();
    let seen = Seen::until_now(watch)?;
    ensure!(seen.device(&name, "read").ios == 101, "{:?}", seen.device(&name, "read"));
    for snapshot in &seen.snapshots[last - 1..] {
        let stale = snapshot["devices"].as_array().into_iter().flatten().find(|row| row["device"] == *name);
        ensure!(stale.is_none_or(|row| number(&row["in_flight"]) == 0 && number(&row["ios"]) == 0), "{snapshot}");
    }
    ensure!(seen.complaints.is_empty(), "{}", seen.complaints);
    Ok(())
}
