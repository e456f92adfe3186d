//! Processes that do something countable.

use std::{
    ffi::CStr,
    fs, io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

/// A forked process that waits for [`Workload::go`], works, and waits for [`Workload::end`].
pub struct Workload {
    pub pid: u32,
    go: i32,
    done: i32,
}

/// What the process reports when its work is done.
pub type Report = [u64; 2];

fn pipe() -> Result<[i32; 2]> {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    ensure!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } == 0, "pipe: {}", io::Error::last_os_error());
    Ok(ends)
}

fn wait_for_byte(fd: i32) -> bool {
    let mut byte = 0u8;
    // SAFETY: room for one byte.
    unsafe { libc::read(fd, (&raw mut byte).cast(), 1) == 1 }
}

impl Workload {
    /// `work` runs in a forked child: it may call the kernel, and nothing that takes a lock of the parent's.
    pub fn new(work: impl FnOnce() -> Report) -> Result<Self> {
        let (go, done) = (pipe()?, pipe()?);
        // SAFETY: the child keeps to what its closure promises, and leaves with `_exit`.
        let pid = unsafe { libc::fork() };
        ensure!(pid >= 0, "fork: {}", io::Error::last_os_error());
        if pid == 0 {
            // The parent's ends: were they open here, the parent's death would not be seen.
            // SAFETY: descriptors of our own.
            unsafe {
                libc::close(go[1]);
                libc::close(done[0]);
            }
            if wait_for_byte(go[0]) {
                let report = work();
                // SAFETY: writes from a live buffer.
                unsafe { libc::write(done[1], report.as_ptr().cast(), size_of::<Report>()) };
                wait_for_byte(go[0]);
            }
            // SAFETY: ends the child without running the parent's destructors.
            unsafe { libc::_exit(0) };
        }
        // SAFETY: the child's ends.
        unsafe {
            libc::close(go[0]);
            libc::close(done[1]);
        }
        Ok(Self { pid: pid as u32, go: go[1], done: done[0] })
    }

    pub fn go(&self) {
        // SAFETY: writes from a live buffer.
        unsafe { libc::write(self.go, [1u8].as_ptr().cast(), 1) };
    }

    /// Waits until the work is done.
    pub fn report(&self) -> Result<Report> {
        let mut report = Report::default();
        // SAFETY: room for the report.
        let bytes = unsafe { libc::read(self.done, report.as_mut_ptr().cast(), size_of::<Report>()) };
        ensure!(bytes == size_of::<Report>() as isize, "the workload died at its work");
        Ok(report)
    }

    /// Whether the work is done.
    pub fn has_reported(&self) -> bool {
        let mut end = libc::pollfd { fd: self.done, events: libc::POLLIN, revents: 0 };
        // SAFETY: one structure.
        unsafe { libc::poll(&mut end, 1, 0) == 1 }
    }

    pub fn end(self) {}
}

impl Drop for Workload {
    fn drop(&mut self) {
        // SAFETY: our own descriptors and child. Closing the pipe lets a waiting child end; the signal ends any other.
        unsafe {
            libc::close(self.go);
            libc::close(self.done);
            libc::kill(self.pid as i32, libc::SIGKILL);
            libc::waitpid(self.pid as i32, std::ptr::null_mut(), 0);
        }
    }
}

/// The calling thread's name from now on.
pub fn rename(name: &CStr) {
    // SAFETY: a string that ends.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// A task leaves its cgroup a moment after it has ended.
pub fn remove_cgroup(dir: &Path) {
    let end = Instant::now() + Duration::from_secs(5);
    while fs::remove_dir(dir).is_err() && dir.exists() && Instant::now() < end {
        thread::sleep(Duration::from_millis(10));
    }
}

/// A system call without the C library in between.
pub fn call(nr: i64, arguments: [u64; 3]) -> i64 {
    let [a, b, c] = arguments;
    // SAFETY: only calls whose arguments are numbers or pointers that the caller keeps alive.
    unsafe { libc::syscall(nr, a, b, c) }
}

pub fn repeat(times: u64, nr: i64) {
    for _ in 0..times {
        call(nr, [0; 3]);
    }
}

pub fn sleep(duration: Duration) {
    let time = libc::timespec { tv_sec: duration.as_secs() as i64, tv_nsec: duration.subsec_nanos().into() };
    call(libc::SYS_nanosleep, [&raw const time as u64, 0, 0]);
}

/// Sleeps 23 times 40 ms, and reports the median that the caller sees.
pub fn sleep_23_times() -> Report {
    let mut slept = [0; 23];
    for slept in &mut slept {
        let start = monotonic_ns();
        sleep(Duration::from_millis(40));
        *slept = monotonic_ns() - start;
    }
    slept.sort_unstable();
    [slept[11], 0]
}

pub fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills the structure it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
