//! What workloads do to devices.

use std::{
    ffi::CString,
    os::fd::{AsRawFd, OwnedFd},
    time::Duration,
};

use super::super::{
    devices::MIB,
    workload::{Report, call, monotonic_ns, sleep},
};

pub const BLOCK: u64 = 4096;
/// Room that direct reads and writes move in.
const SPAN: u64 = 1 << 20;

/// A number of bytes, at an address that direct I/O accepts. `whose`: private or shared.
fn memory(bytes: u64, whose: i32) -> u64 {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, whose | libc::MAP_ANONYMOUS);
    // SAFETY: new memory, kept until the workload ends.
    unsafe { libc::mmap(std::ptr::null_mut(), bytes as usize, protection, flags, -1, 0) as u64 }
}

/// Every other block, so that no request can be merged into another.
pub fn offset_of(at: u64) -> u64 {
    at * 2 * BLOCK % SPAN
}

fn blocks(fd: &OwnedFd, nr: i64, whose: i32, times: u64) -> u64 {
    let (fd, memory) = (fd.as_raw_fd() as u64, memory(BLOCK, whose));
    let mut failed = 0;
    for at in 0..times {
        let offset = offset_of(at);
        // SAFETY: a block of our own.
        let done = unsafe { libc::syscall(nr, fd, memory, BLOCK, offset) };
        failed += u64::from(done != BLOCK as i64);
    }
    failed
}

/// Reads blocks one after the other. How many failed.
pub fn reads(fd: &OwnedFd, times: u64) -> u64 {
    blocks(fd, libc::SYS_pread64, libc::MAP_PRIVATE, times)
}

/// Writes blocks one after the other. How many failed.
pub fn writes(fd: &OwnedFd, times: u64) -> u64 {
    blocks(fd, libc::SYS_pwrite64, libc::MAP_PRIVATE, times)
}

/// The same from memory that processes could share, as databases do.
pub fn writes_of_shared_memory(fd: &OwnedFd, times: u64) -> u64 {
    blocks(fd, libc::SYS_pwrite64, libc::MAP_SHARED, times)
}

fn pieces(fd: &OwnedFd, nr: i64, piece: u64, offset: u64, bytes: u64) -> bool {
    let (fd, memory) = (fd.as_raw_fd() as u64, memory(piece, libc::MAP_PRIVATE));
    // SAFETY: memory of our own, of that size.
    (0..bytes / piece).all(|at| unsafe { libc::syscall(nr, fd, memory, piece, offset + at * piece) == piece as i64 })
}

/// Writes a range, piece by piece. Whether all of it was done.
pub fn write_range(fd: &OwnedFd, piece: u64, offset: u64, bytes: u64) -> bool {
    pieces(fd, libc::SYS_pwrite64, piece, offset, bytes)
}

/// Reads a range, piece by piece. Whether all of it was done.
pub fn read_range(fd: &OwnedFd, piece: u64, offset: u64, bytes: u64) -> bool {
    pieces(fd, libc::SYS_pread64, piece, offset, bytes)
}

/// Makes files of one block. Whether all of it was done.
pub fn files(paths: &[CString]) -> bool {
    let memory = memory(BLOCK, libc::MAP_PRIVATE);
    // SAFETY: strings that end, and a block of our own.
    paths.iter().all(|path| unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_CREAT | libc::O_WRONLY, 0o600);
        let written = libc::write(fd, memory as *const _, BLOCK as usize);
        libc::close(fd);
        written == BLOCK as isize
    })
}

/// Whether it was done.
pub fn truncate(fd: &OwnedFd, bytes: u64) -> bool {
    // SAFETY: no memory is involved.
    unsafe { libc::ftruncate(fd.as_raw_fd(), bytes as i64) == 0 }
}

pub fn fsync(fd: &OwnedFd) -> i64 {
    call(libc::SYS_fsync, [fd.as_raw_fd() as u64, 0, 0])
}

/// Writes a block and waits until it is safe, again and again, until it is killed.
pub fn syncs(fd: &OwnedFd) -> Report {
    loop {
        write_range(fd, BLOCK, MIB, BLOCK);
        fsync(fd);
        sleep(Duration::from_millis(20));
    }
}

/// Has all dirty pages written, and leaves the device's cache alone. Whether it was done.
pub fn write_out(fd: &OwnedFd) -> bool {
    let steps = libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    // SAFETY: no memory is involved.
    unsafe { libc::sync_file_range(fd.as_raw_fd(), 0, 0, steps) == 0 }
}

/// All of one filesystem.
pub fn syncfs(fd: &OwnedFd) -> i64 {
    call(libc::SYS_syncfs, [fd.as_raw_fd() as u64, 0, 0])
}

/// The same in as many threads.
pub fn threads(number: usize, work: impl Fn() -> u64 + Sync) -> u64 {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..number).map(|_| scope.spawn(&work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(u64::MAX)).sum()
    })
}

/// `struct iocb`.
#[repr(C)]
#[derive(Clone, Default)]
struct Control {
    data: u64,
    key_and_flags: u64,
    opcode: u16,
    priority: i16,
    fd: u32,
    memory: u64,
    bytes: u64,
    offset: u64,
    reserved: [u64; 2],
}

/// `struct io_event`.
#[repr(C)]
#[derive(Clone, Default)]
struct Completed {
    data: u64,
    control: u64,
    results: [i64; 2],
}

/// Has so many direct writes under way at all times (libaio's calls), until it is killed.
pub fn asynchronous_writes(fd: &OwnedFd, depth: u64) -> Report {
    const WRITE: u16 = 1;
    let new = |at| Control {
        opcode: WRITE,
        fd: fd.as_raw_fd() as u32,
        memory: memory(BLOCK, libc::MAP_PRIVATE),
        bytes: BLOCK,
        offset: offset_of(at),
        ..Control::default()
    };
    let controls: Vec<Control> = (0..depth).map(new).collect();
    let mut begun: Vec<u64> = controls.iter().map(|control| std::ptr::from_ref(control) as u64).collect();
    let mut completed = vec![Completed::default(); depth as usize];
    let mut context = 0u64;
    call(libc::SYS_io_setup, [depth, &raw mut context as u64, 0]);
    loop {
        call(libc::SYS_io_submit, [context, begun.len() as u64, begun.as_ptr() as u64]);
        // SAFETY: room for as many events.
        let ended = unsafe { libc::syscall(libc::SYS_io_getevents, context, 1, depth, completed.as_mut_ptr(), 0) };
        begun.clear();
        begun.extend(completed.iter().take(ended.max(0) as usize).map(|event| event.control));
    }
}

/// How long something took.
pub fn timed<T>(work: impl FnOnce() -> T) -> u64 {
    let start = monotonic_ns();
    work();
    monotonic_ns() - start
}
