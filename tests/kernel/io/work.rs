//! What workloads do to devices.

use std::{
    ffi::CString,
    os::fd::{AsRawFd, OwnedFd},
};

use super::super::workload::{call, monotonic_ns};

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

/// How long something took.
pub fn timed<T>(work: impl FnOnce() -> T) -> u64 {
    let start = monotonic_ns();
    work();
    monotonic_ns() - start
}
