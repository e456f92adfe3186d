//! Whose the writes are that the kernel makes later.

use std::{
    ffi::{CStr, CString},
    fs::{self, File},
    os::{fd::OwnedFd, unix::ffi::OsStringExt},
};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test,
        cpu::quota::Group,
        devices::{Filesystem, LoopDevice, MIB, Mapper, buffered, direct, discard},
        every_kernel, here,
        stillwatch::Watch,
        workload::{Workload, rename},
    },
    seen::{Seen, fresh, watch},
    work::{BLOCK, files, fsync, syncfs, truncate, write_range, writes, writes_of_shared_memory},
};

pub const TESTS: &[Test] = &[
    every_kernel("io_names_a_writer_that_has_ended", ended),
    every_kernel("io_names_who_writes_from_shared_memory", shared_memory),
    every_kernel("io_names_the_cgroup_that_a_worker_sends_for", held_back),
    every_kernel("io_leaves_out_what_was_truncated_away", truncated),
    every_kernel("io_notes_the_writers_of_many_files", many_files),
    every_kernel("io_splits_requests_below_a_device_as_its_own", below),
    every_kernel("io_says_discard_below_a_device", discards),
    here("io_splits_a_file_over_its_writers", proportion),
    here("io_says_that_pages_were_dirtied_before_start", before),
    here("io_says_that_a_file_was_forgotten", forgotten),
    here("io_says_that_a_file_has_many_writers", many_writers),
];

const BEFORE: &str = "pages dirtied before we started";
const NOT_NOTED: &str = "not noted: too many files or writers";

fn open(filesystem: &Filesystem, name: &str) -> Result<OwnedFd> {
    Ok(File::options().create(true).read(true).write(true).truncate(false).open(filesystem.path.join(name))?.into())
}

/// A process of this name that writes a piece of the file.
fn writer(name: &'static CStr, fd: &OwnedFd, offset: u64, bytes: u64) -> Result<Workload> {
    Workload::new(|| {
        rename(name);
        [write_range(fd, BLOCK, offset, bytes).into(), 0]
    })
}

fn write(writer: &Workload) -> Result<()> {
    writer.go();
    ensure!(writer.report()? == [1, 0], "the writer could not write");
    Ok(())
}

/// Another process has everything written.
fn sync(fd: &OwnedFd, how: fn(&OwnedFd) -> i64) -> Result<()> {
    let sync = Workload::new(|| [u64::from(how(fd) == 0), 0])?;
    sync.go();
    ensure!(sync.report()? == [1, 0], "sync failed");
    Ok(())
}

fn written(seen: &Seen, device: &str) -> u64 {
    seen.device(device, "write").bytes + seen.device(device, "sync write").bytes
}

fn writeback_of(pid: u32) -> impl Fn(&Value) -> bool {
    move |row| row["pid"] == pid && row["how"] == "writeback"
}

/// Written back, and this is why nobody is known.
fn nobody(why: &str) -> impl Fn(&Value) -> bool {
    move |row| row["pid"].is_null() && row["unknown"] == why && row["how"] == "writeback"
}

fn ended() -> Result<()> {
    let device = LoopDevice::new(64 * MIB)?;
    let filesystem = Filesystem::on(&device.name)?;
    let fd = open(&filesystem, "file")?;
    let watch = watch(&[])?;
    let writer = writer(c"the-writer", &fd, 0, 32 * MIB)?;
    write(&writer)?;
    let pid = writer.pid;
    writer.end();
    sync(&fd, syncfs)?;
    let seen = Seen::until_now(watch)?;
    let all = written(&seen, &device.name);
    ensure!(all >= 32 * MIB, "only {all} bytes were written");
    let [own, _] = seen.caused(&device.name, |row| writeback_of(pid)(row) && row["comm"] == "the-writer");
    ensure!(own >= all * 9 / 10, "{own} of {all}: {:?}", seen.rows("caused_by", "device", &*device.name));
    Ok(())
}

fn proportion() -> Result<()> {
    let device = LoopDevice::new(64 * MIB)?;
    let filesystem = Filesystem::on(&device.name)?;
    let fd = open(&filesystem, "file")?;
    let watch = watch(&[])?;
    let writers = [writer(c"three-parts", &fd, 0, 24 * MIB)?, writer(c"one-part", &fd, 24 * MIB, 8 * MIB)?];
    writers.iter().try_for_each(write)?;
    sync(&fd, fsync)?;
    let seen = Seen::until_now(watch)?;
    is_split_three_to_one(&seen, &device.name, &writers)
}

fn is_split_three_to_one(seen: &Seen, device: &str, writers: &[Workload; 2]) -> Result<()> {
    let [three, one] = [0, 1].map(|at: usize| seen.caused(device, writeback_of(writers[at].pid))[0]);
    let all = written(seen, device);
    let rows = || seen.rows("caused_by", "device", device);
    ensure!(all > 0 && three + one >= all * 9 / 10, "{device}: {three} + {one} of {all}: {:?}", rows());
    let percent = three * 100 / (three + one).max(1);
    ensure!((65..=85).contains(&percent), "{device}: {three} and {one}: {percent}%");
    Ok(())
}

/// Its pages are those of a file, in memory: nobody dirtied them for a disk.
fn shared_memory() -> Result<()> {
    const WRITES: u64 = 503;
    let device = LoopDevice::new(4 * MIB)?;
    let fd = direct(&device.name)?;
    let writer = Workload::new(|| [writes_of_shared_memory(&fd, WRITES), 0])?;
    let watch = watch(&[])?;
    writer.go();
    ensure!(writer.report()? == [0; 2], "writes failed");
    let seen = Seen::until_now(watch)?;
    seen.has_caused(&device.name, WRITES, |row| row["pid"] == writer.pid && row["how"] == "direct")
}

/// A limit holds a cgroup's writes back, and a worker of the kernel sends them when their time has come.
fn held_back() -> Result<()> {
    const WRITES: u64 = 31;
    const LIMIT: u64 = 16 * BLOCK;
    let device = LoopDevice::new(4 * MIB)?;
    let fd = direct(&device.name)?;
    let number = fs::read_to_string(format!("/sys/block/{}/dev", device.name))?;
    let (unified, own) = (format!("{} wbps={LIMIT}", number.trim()), format!("{} {LIMIT}", number.trim()));
    let group = Group::limited("blkio", ("io.max", &unified), &[("blkio.throttle.write_bps_device", &own)])?;
    let writer = Workload::new(|| [writes(&fd, WRITES), 0])?;
    fs::write(group.dir.join("cgroup.procs"), writer.pid.to_string())?;
    let watch = watch(&[])?;
    writer.go();
    ensure!(writer.report()? == [0; 2], "writes failed");
    let seen = Seen::until_now(watch)?;
    drop(writer);
    let is_sent = |row: &Value| row["how"] == "kernel thread" && row["cgroup"] == group.name().as_str();
    let ([_, sent], [_, own]) =
        (seen.caused(&device.name, is_sent), seen.caused(&device.name, |row| row["how"] == "direct"));
    // What fits into the first moment goes at once.
    ensure!(
        sent + own == WRITES && sent >= WRITES / 2,
        "{sent} and {own}: {:?}",
        seen.table("caused_by").collect::<Vec<_>>()
    );
    Ok(())
}

/// On the device itself, where no filesystem adds anything.
fn before() -> Result<()> {
    let device = LoopDevice::new(16 * MIB)?;
    let fd = buffered(&device.name)?;
    let writer = writer(c"too-early", &fd, 0, 8 * MIB)?;
    write(&writer)?;
    let watch = fresh()?;
    sync(&fd, fsync)?;
    let seen = Seen::until_now(watch)?;
    let all = written(&seen, &device.name);
    ensure!(all == 8 * MIB, "{all} bytes were written");
    let [bytes, _] = seen.caused(&device.name, nobody(BEFORE));
    ensure!(bytes == all, "{bytes}: {:?}", seen.rows("caused_by", "device", &*device.name));
    Ok(())
}

/// All of it, or all but a page: whoever writes after that owns what is written.
fn truncated() -> Result<()> {
    let device = LoopDevice::new(64 * MIB)?;
    let filesystem = Filesystem::on(&device.name)?;
    for left in [0, BLOCK] {
        let fd = open(&filesystem, &format!("file{left}"))?;
        let watch = watch(&[])?;
        let first = Workload::new(|| [(write_range(&fd, BLOCK, 0, 24 * MIB) && truncate(&fd, left)).into(), 0])?;
        write(&first)?;
        let second = writer(c"second", &fd, left, 8 * MIB)?;
        write(&second)?;
        sync(&fd, fsync)?;
        let seen = Seen::until_now(watch)?;
        let [own, _] = seen.caused(&device.name, writeback_of(second.pid));
        ensure!(own >= 8 * MIB * 9 / 10, "{own}: {:?}", seen.rows("caused_by", "device", &*device.name));
    }
    Ok(())
}

/// A process that makes as many files, in a few directories.
fn maker_of_files(filesystem: &Filesystem, number: usize) -> Result<Workload> {
    const DIRECTORIES: usize = 8;
    let directories = [(); DIRECTORIES].iter().enumerate().map(|(at, ())| filesystem.path.join(at.to_string()));
    let directories: Vec<_> = directories.collect();
    directories.iter().try_for_each(fs::create_dir)?;
    let path = |at: usize| directories[at % DIRECTORIES].join(at.to_string()).into_os_string().into_vec();
    let paths: Vec<CString> = (0..number).map(|at| CString::new(path(at))).collect::<Result<_, _>>()?;
    Workload::new(move || [files(&paths).into(), 0])
}

fn many_files() -> Result<()> {
    const FILES: usize = 5_003;
    let device = LoopDevice::new(128 * MIB)?;
    let filesystem = Filesystem::on(&device.name)?;
    let fd = open(&filesystem, "file")?;
    let watch = watch(&[])?;
    let maker = maker_of_files(&filesystem, FILES)?;
    write(&maker)?;
    sync(&fd, syncfs)?;
    let seen = Seen::until_now(watch)?;
    let all = written(&seen, &device.name);
    ensure!(all >= FILES as u64 * BLOCK, "only {all} bytes were written");
    let [own, _] = seen.caused(&device.name, writeback_of(maker.pid));
    ensure!(own >= all * 9 / 10, "{own} of {all}: {:?}", seen.rows("caused_by", "device", &*device.name));
    Ok(())
}

/// The device below gets the same pages as the one above. Of a file in a partition, and of the device itself behind it.
fn below() -> Result<()> {
    let lower = LoopDevice::new(64 * MIB)?;
    let upper = LoopDevice::directly_over(&direct(&lower.name)?.into())?;
    let part = upper.partition(MIB, 32 * MIB)?;
    let filesystem = Filesystem::on(&part)?;
    for (device, fd) in [(&part, open(&filesystem, "file")?), (&upper.name, buffered(&upper.name)?)] {
        let watch = watch(&[])?;
        let writers = [writer(c"three-parts", &fd, 40 * MIB, 6 * MIB)?, writer(c"one-part", &fd, 46 * MIB, 2 * MIB)?];
        writers.iter().try_for_each(write)?;
        sync(&fd, fsync)?;
        let seen = Seen::until_now(watch)?;
        for device in [device, &lower.name] {
            is_split_three_to_one(&seen, device, &writers)?;
        }
    }
    Ok(())
}

/// They come from a worker of the kernel, after a while.
fn discards() -> Result<()> {
    const DISCARDS: u64 = 11;
    let lower = LoopDevice::new(16 * MIB)?;
    let upper = Mapper::delay(&lower.name, 16 * MIB, 1)?;
    let fd = buffered(&upper.name)?;
    let workload = Workload::new(|| [(0..DISCARDS).all(|at| discard(&fd, at * MIB, MIB)).into(), 0])?;
    let watch = watch(&[])?;
    write(&workload)?;
    let seen = Seen::until_now(watch)?;
    let is_discard = |row: &Value| row["how"] == "discard";
    let asked = seen.caused(&upper.name, |row| is_discard(row) && row["pid"] == workload.pid);
    let below = seen.caused(&lower.name, is_discard);
    let all = seen.device(&lower.name, "discard");
    let rows = seen.rows("caused_by", "device", &*lower.name);
    ensure!(
        asked == [DISCARDS * MIB, DISCARDS] && below == [all.bytes, all.ios],
        "{asked:?}, {below:?} of {all:?}: {rows:?}"
    );
    ensure!(all.bytes == DISCARDS * MIB, "{all:?}");
    Ok(())
}

fn forgotten() -> Result<()> {
    const FILES: usize = 1_009;
    let device = LoopDevice::new(64 * MIB)?;
    let filesystem = Filesystem::on(&device.name)?;
    let fd = open(&filesystem, "file")?;
    let mut watch = Watch::of("io", &[], &[("STILLWATCH_DIRTY", "64")])?;
    // In the first second a file is taken for one that was dirtied while the programs were loaded.
    (0..6).try_for_each(|_| watch.next().map(drop))?;
    let maker = maker_of_files(&filesystem, FILES)?;
    write(&maker)?;
    sync(&fd, syncfs)?;
    let seen = Seen::until_now(watch)?;
    let all = written(&seen, &device.name);
    let [forgotten, before] = [NOT_NOTED, BEFORE].map(|why| seen.caused(&device.name, nobody(why))[0]);
    let rows = seen.rows("caused_by", "device", &*device.name);
    ensure!(forgotten >= all / 2 && before <= all / 20, "{forgotten} and {before} of {all}: {rows:?}");
    Ok(())
}

/// Of a request three are named, and all others are one.
fn many_writers() -> Result<()> {
    const WRITERS: u64 = 5;
    let device = LoopDevice::new(64 * MIB)?;
    let filesystem = Filesystem::on(&device.name)?;
    let fd = open(&filesystem, "file")?;
    let watch = watch(&[])?;
    let writers =
        (0..WRITERS).map(|at| writer(c"one-of-many", &fd, at * 4 * MIB, 4 * MIB)).collect::<Result<Vec<_>>>()?;
    writers.iter().try_for_each(write)?;
    sync(&fd, fsync)?;
    let seen = Seen::until_now(watch)?;
    let all = written(&seen, &device.name);
    let percent = |whose: &dyn Fn(&Value) -> bool| seen.caused(&device.name, whose)[0] * 100 / all.max(1);
    let mut shares: Vec<u64> = writers.iter().map(|writer| percent(&writeback_of(writer.pid))).collect();
    shares.sort_unstable();
    let others = percent(&nobody(NOT_NOTED));
    let right = shares[2..].iter().all(|share| (15..=25).contains(share)) && (35..=45).contains(&others);
    ensure!(right && shares[..2] == [0, 0], "{shares:?}, others {others} of {all}");
    Ok(())
}
