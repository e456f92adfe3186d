//! Every call is counted exactly once, whatever happens to the task that makes it.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::super::{
    Test, every_kernel, here,
    stillwatch::watch,
    workload::{call, monotonic_ns, rename, repeat, sleep, sleep_23_times},
};

pub const TESTS: &[Test] = &[
    every_kernel("syscalls_getppid_10007_times", getppid),
    every_kernel("syscalls_nanosleep_23_times_40_ms", nanosleep),
    every_kernel("syscalls_threads_that_are_preempted_and_migrated", threads),
    every_kernel("syscalls_errors_have_names", errors),
    here("syscalls_numbers_that_are_no_call", unknown_numbers),
    every_kernel("syscalls_exits_are_counted", exits),
    every_kernel("syscalls_forks_return_twice_and_count_once", forks),
    every_kernel("syscalls_calls_refused_by_seccomp", seccomp),
    here("syscalls_interrupted_is_not_an_error", interrupted),
    #[cfg(target_arch = "x86_64")]
    every_kernel("syscalls_32_bit_calls_have_their_own_row", compat),
];

fn getppid() -> Result<()> {
    let (seen, _) = watch(&[], || {
        repeat(10_007, libc::SYS_getppid);
        [0; 2]
    })?;
    let row = seen.timed("getppid", 10_007)?;
    ensure!(row.errors == 0, "{row:?}");
    seen.nothing_else_is_lost()
}

fn nanosleep() -> Result<()> {
    let (seen, [median_ns, _]) = watch(&[], sleep_23_times)?;
    let row = seen.timed("nanosleep", 23)?;
    // The caller measured from outside the call, so its figure is a little larger; a bucket is a sixteenth wide.
    let bucket = row.p50_bucket();
    ensure!(bucket <= median_ns && median_ns <= bucket + bucket / 8, "bucket {bucket}, the caller's {median_ns}");
    ensure!(median_ns > 40_000_000 && bucket >= 37_000_000, "{bucket}");
    ensure!(row.total_ns >= (row.calls - row.untimed) * 40_000_000 && row.max_ns >= 40_000_000, "{row:?}");
    Ok(())
}

fn threads() -> Result<()> {
    const THREADS: u64 = 8;
    const CALLS: u64 = 5_003;
    let start = monotonic_ns();
    let (seen, [migrations, _]) = watch(&[], || {
        let processors = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                std::thread::spawn(move || {
                    let mut migrations = 0;
                    for at in 0..CALLS {
                        call(libc::SYS_getpid, [0; 3]);
                        // More threads than CPUs, moved about: each is preempted and migrated all the time.
                        if at % 97 == thread {
                            let mask = 1u64 << ((at / 97 + thread) % processors);
                            call(libc::SYS_sched_setaffinity, [0, 8, &raw const mask as u64]);
                            migrations += 1;
                        }
                        if at % 41 == 0 {
                            call(libc::SYS_sched_yield, [0; 3]);
                        }
                    }
                    migrations
                })
            })
            .collect();
        [threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum(), 0]
    })?;
    let took = monotonic_ns() - start;
    // glibc makes none of these itself for these threads.
    let made =
        [("getpid", THREADS * CALLS), ("sched_setaffinity", migrations), ("sched_yield", THREADS * CALLS.div_ceil(41))];
    // Under so many preemptions a new kernel withholds events in every run. What is missing then is never more than what is
    // said to be lost; without a loss, nothing is.
    let mut missing = 0;
    for (name, made) in made {
        let row = seen.row(name)?;
        ensure!(row.calls <= made, "{made} calls were made: {row:?}");
        ensure!(row.max_ns < took && row.total_ns < THREADS * took, "{name}: {row:?}");
        ensure!(row.untimed <= seen.missed(), "{name}: {row:?}");
        missing += made - row.calls;
    }
    ensure!(missing <= seen.missed(), "{missing} calls are missing, {} events were missed", seen.missed());
    seen.nothing_else_is_lost()
}

fn errors() -> Result<()> {
    let (seen, _) = watch(&[], || {
        for _ in 0..31 {
            call(libc::SYS_close, [u64::MAX, 0, 0]);
        }
        repeat(13, libc::SYS_getppid);
        [0; 2]
    })?;
    let close = seen.made("close", 31)?;
    ensure!(close.errors == close.calls, "{close:?}");
    ensure!(close.commonest_error.as_deref() == Some("EBADF"), "{close:?}");
    ensure!(seen.row("getppid")?.errors == 0);

    let (seen, _) = watch(&["--errors"], || {
        for _ in 0..31 {
            call(libc::SYS_close, [u64::MAX, 0, 0]);
        }
        repeat(13, libc::SYS_getppid);
        [0; 2]
    })?;
    seen.made("close", 31)?;
    ensure!(seen.calls("getppid") == 0, "{:?}", seen.rows);
    Ok(())
}

fn unknown_numbers() -> Result<()> {
    let (seen, _) = watch(&[], || {
        repeat(5, 9_999);
        [0; 2]
    })?;
    let row = seen.made("unknown number", 5)?;
    ensure!(row.errors == row.calls && row.commonest_error.as_deref() == Some("ENOSYS"), "{row:?}");
    Ok(())
}

fn exits() -> Result<()> {
    let (seen, _) = watch(&[], || {
        let threads: Vec<_> = (0..13).map(|_| std::thread::spawn(|| repeat(3, libc::SYS_gettid))).collect();
        for thread in threads {
            let _ = thread.join();
        }
        // The last thread may still be on its way out when its joiner goes on.
        sleep(Duration::from_millis(200));
        [0; 2]
    })?;
    let exit = seen.made("exit", 13)?;
    ensure!(exit.untimed == exit.calls, "{exit:?}");
    Ok(())
}

fn forks() -> Result<()> {
    let workload = || {
        rename(c"stillwatch-fork");
        for _ in 0..17 {
            // clone with nothing but a signal number is fork, on every architecture.
            // SAFETY: as fork; the child only ends.
            unsafe {
                let child = libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0);
                if child == 0 {
                    libc::_exit(0);
                }
                libc::waitpid(child as i32, std::ptr::null_mut(), 0);
            }
        }
        [0; 2]
    };
    let process = super::super::workload::Workload::new(workload)?;
    let mut watch = super::super::stillwatch::Watch::start(&["--comm", "stillwatch-fork"])?;
    process.go();
    process.report()?;
    watch.next()?;
    let seen = watch.finish()?;
    seen.made("clone", 17)?;
    seen.made("exit_group", 17)?;
    ensure!(seen.before_start <= 1, "{}", seen.before_start);
    Ok(())
}

fn seccomp() -> Result<()> {
    let (seen, [installed, _]) = watch(&[], || {
        let word = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
        // Load the number; getppid fails with EPERM, everything else passes.
        let mut filter = [
            word(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            word(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_getppid as u32),
            word(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
            word(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // SAFETY: a filter that lives until the kernel has copied it.
        let installed = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program)
        };
        repeat(11, libc::SYS_getppid);
        repeat(7, libc::SYS_getuid);
        [u64::from(installed == 0), 0]
    })?;
    ensure!(installed == 1, "this kernel has no seccomp filters");
    let row = seen.made("getppid", 11)?;
    ensure!(row.errors == row.calls && row.untimed == row.calls, "{row:?}");
    ensure!(row.commonest_error.as_deref() == Some("EPERM"), "{row:?}");
    seen.timed("getuid", 7)?;
    Ok(())
}

fn interrupted() -> Result<()> {
    extern "C" fn nothing(_: i32) {}
    let (seen, _) = watch(&[], || {
        // SAFETY: a handler that does nothing, and a timer of one shot.
        unsafe {
            libc::signal(libc::SIGALRM, nothing as *const () as libc::sighandler_t);
            let after = libc::timeval { tv_sec: 0, tv_usec: 100_000 };
            let once = libc::itimerval { it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 }, it_value: after };
            libc::syscall(libc::SYS_setitimer, libc::ITIMER_REAL, &once, 0);
        }
        sleep(Duration::from_secs(5));
        [0; 2]
    })?;
    let row = seen.row("nanosleep")?;
    ensure!(row.calls == 1 && row.interrupted == 1 && row.errors == 0, "{row:?}");
    // Its result is a register of the interrupted program, never an error.
    let returned = seen.row("rt_sigreturn")?;
    ensure!(returned.calls == 1 && returned.errors == 0, "{returned:?}");
    Ok(())
}

/// `int 0x80` makes 32-bit calls from a 64-bit program: number 20 is getpid there, and writev here.
#[cfg(target_arch = "x86_64")]
fn compat() -> Result<()> {
    let (seen, [own, other]) = watch(&[], || {
        let (mut own, mut other) = (0, 0);
        for _ in 0..101 {
            let result: i32;
            // SAFETY: getpid takes nothing and changes nothing but the result.
            unsafe {
                std::arch::asm!("int 0x80", inlateout("eax") 20 => result, out("r8") _, out("r9") _, out("r10") _, out("r11") _)
            };
            other += u64::from(result as u32 != std::process::id());
            own += 1;
        }
        [own, other]
    })?;
    ensure!(own == 101 && other == 0, "this kernel does not serve 32-bit calls");
    seen.made("32-bit calls", 101)?;
    ensure!(seen.calls("writev") == 0, "{:?}", seen.row("writev"));
    Ok(())
}
