//! What system call and error numbers mean on this architecture, and how each call waits.
//!
//! Names come from the `syscalls` crate, which generates them from the kernel's tables.

use std::borrow::Cow;

use stillwatch_common::syscalls::{COMPAT, COMPAT_ROW, CallWait, NATIVE, row};
#[cfg(target_arch = "aarch64")]
use syscalls::arm::Sysno as Compat;
#[cfg(target_arch = "x86_64")]
use syscalls::x86::Sysno as Compat;
use syscalls::{Errno, Sysno};

/// Calls that wait for an event which nobody promised a time for: long ones say nothing about the host's health.
const BY_DESIGN: &[&str] = &[
    // Readiness of descriptors. Names with `_time64` exist only among 32-bit calls.
    "poll",
    "ppoll",
    "ppoll_time64",
    "select",
    "_newselect",
    "pselect6",
    "pselect6_time64",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    // Time.
    "nanosleep",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    // Locks and condition variables are one call: an idle thread pool looks like a contended lock.
    "futex",
    "futex_time64",
    "futex_wait",
    "futex_waitv",
    // System V semaphores are used both ways too (idle database workers sit in them).
    "semop",
    "semtimedop",
    "semtimedop_time64",
    // Connections and messages of somebody else. Their sending counterparts are not here: see below.
    "accept",
    "accept4",
    "recv",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "recvmmsg_time64",
    "msgrcv",
    "mq_timedreceive",
    "mq_timedreceive_time64",
    // Children.
    "wait4",
    "waitid",
    "waitpid",
    // Signals.
    "pause",
    "rt_sigtimedwait",
    "rt_sigtimedwait_time64",
    "rt_sigsuspend",
    "sigsuspend",
    // Completions of requests that are already on their way. io_uring_enter also submits, and a submission that blocks
    // cannot be told from a wait here.
    "io_getevents",
    "io_pgetevents",
    "io_pgetevents_time64",
    "io_uring_enter",
    // The kernel's log, which klogd reads by waiting in it.
    "syslog",
    // Continues one of the above after a signal that stopped the task.
    "restart_syscall",
    // 32-bit multiplexers: what blocks in them is mostly receiving, accepting and semaphores.
    "socketcall",
    "ipc",
];

/// Calls whose first argument is the descriptor of the file that they read, write or write back.
const ON_FILE: &[&str] = &[
    "read",
    "pread64",
    "readv",
    "preadv",
    "preadv2",
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "pwritev2",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "syncfs",
    "ftruncate",
    "fallocate",
    "getdents64",
];

/// Calls whose first argument decides: a terminal, pipe, socket, event descriptor or device waits by design.
///
/// `ioctl` is among them for hypervisors (every idle virtual CPU sleeps in `KVM_RUN`), binder and the like; on a
/// disk or a file it is work. The price: an ioctl that hangs on a character device shows only with `--idle`.
const BY_FILE: &[&str] = &["read", "readv", "preadv2", "splice", "tee", "ioctl"];

// Everything else is work, also where one might think otherwise:
// - write, writev, send*, msgsnd, mq_timedsend, vmsplice, sendfile: a full pipe or socket means that the reader does not
//   keep up (a stuck log collector stops a whole service this way), which is what an operator looks for.
// - pread64, preadv: refused on everything that cannot seek, so they only ever wait for a device.
// - flock, fcntl: whoever waits for a file lock is delayed by its holder.
// - connect, close, vfork, execve, sync, fsync, getrandom: someone waits for an answer.

/// Whether a call's first argument is the descriptor of a file that it reads, writes or writes back.
pub fn works_on_file(nr: u32) -> bool {
    name(nr).is_some_and(|name| ON_FILE.contains(&name))
}

/// Name of a native call.
pub fn name(nr: u32) -> Option<&'static str> {
    Some(Sysno::new(nr as usize)?.name())
}

/// Number of a native call.
pub fn number(name: &str) -> Option<u32> {
    let call: Sysno = name.parse().ok()?;
    u32::try_from(call.id()).ok()
}

/// The native call whose name is nearest to `wrong`, if one is near.
pub fn closest(wrong: &str) -> Option<&'static str> {
    nearest(wrong, Sysno::iter().map(|call| call.name()))
}

/// The candidate most like `wrong`, unless none is.
pub fn nearest<'a>(wrong: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(wrong, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// How to show a call number as the kernel side reports it, with [`COMPAT`].
pub fn label(nr: u32) -> Cow<'static, str> {
    let plain = nr & !COMPAT;
    match (compat_name(nr), name(nr)) {
        (Some(name), _) => format!("{name} (32-bit)").into(),
        (None, Some(name)) => name.into(),
        (None, None) if plain != nr => format!("syscall {plain} (32-bit)").into(),
        (None, None) => format!("syscall {nr}").into(),
    }
}

/// How to show a row of the call table.
pub fn row_label(row: usize) -> Cow<'static, str> {
    match row {
        COMPAT_ROW => "32-bit calls".into(),
        _ if row < NATIVE => label(row as u32),
        _ => "unknown number".into(),
    }
}

/// How to show an error number, given without its sign.
pub fn errno(number: i32) -> Cow<'static, str> {
    Errno::new(number).name().map_or_else(|| format!("errno {number}").into(), Cow::Borrowed)
}

/// What an error's name means, in the words of the C library.
pub fn errno_words(name: &str) -> &'static str {
    let named = (1..MAX_ERRNO).map(Errno::new).find(|errno| errno.name() == Some(name));
    named.and_then(|errno| errno.description()).unwrap_or("not known")
}

const MAX_ERRNO: i32 = 4096;

/// How the call waits. An unknown number counts as work: hiding what we don't know would be worse than showing it.
pub fn waits(nr: u32) -> CallWait {
    match compat_name(nr).or_else(|| name(nr)) {
        Some(name) if BY_DESIGN.contains(&name) => CallWait::ByDesign,
        Some(name) if BY_FILE.contains(&name) => CallWait::ByFile,
        _ => CallWait::ForWork,
    }
}

/// [`waits`] of a row. All 32-bit calls share one, where a reader can still tell them apart by number.
pub fn row_waits(row: usize) -> CallWait {
    if row < NATIVE { waits(row as u32) } else { CallWait::ForWork }
}

/// Name of a call made through the 32-bit entry.
fn compat_name(nr: u32) -> Option<&'static str> {
    let compat = (row(nr) == COMPAT_ROW).then(|| Compat::new((nr & !COMPAT) as usize)).flatten()?;
    let name = compat.name();
    // One name (`break`) is a keyword of Rust.
    Some(name.strip_prefix("r#").unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_inverse() {
        assert_eq!(number("read").and_then(name), Some("read"));
        assert_eq!(number("raed"), None);
        let natives: Vec<_> = (0..NATIVE as u32).filter_map(name).collect();
        assert!(natives.len() > 300, "{} names", natives.len());
        assert!(natives.iter().all(|name| number(name).is_some()));
    }

    #[test]
    fn a_typo_finds_its_name() {
        assert_eq!(closest("raed"), Some("read"));
        assert_eq!(closest("epol_wait"), Some("epoll_wait"));
        assert_eq!(closest("qqqqqq"), None);
    }

    #[test]
    fn numbers_without_a_name_are_shown_as_numbers() {
        assert_eq!(label(499), "syscall 499");
        assert_eq!(label(COMPAT | 499), "syscall 499 (32-bit)");
        assert_eq!(row_label(COMPAT_ROW), "32-bit calls");
        assert_eq!(row_label(NATIVE + 1), "unknown number");
        assert_eq!(errno(11), "EAGAIN");
        assert_eq!(errno(3999), "errno 3999");
    }

    #[test]
    fn a_32_bit_number_never_gets_the_native_name() {
        // Number 3 is `read` for 32-bit programs on both architectures, and something else natively.
        assert_eq!(label(COMPAT | 3), "read (32-bit)");
        assert_ne!(label(3), "read");
        assert_eq!(waits(COMPAT | 3), CallWait::ByFile);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(label(COMPAT | 17), "break (32-bit)");
    }

    #[test]
    fn the_table_holds_only_names_that_exist() {
        let known = |name: &&str| number(name).is_some() || name.parse::<Compat>().is_ok();
        // `recv`, `_newselect` and so on exist on one of the two architectures' 32-bit sides only.
        let elsewhere = ["recv", "waitpid", "poll", "select", "pause", "epoll_wait", "sigsuspend"];
        for name in BY_DESIGN.iter().chain(BY_FILE) {
            assert!(known(name) || elsewhere.contains(name), "{name}");
        }
    }

    #[test]
    fn waits_tell_work_from_idling() {
        let of = |name| number(name).map(waits);
        assert_eq!(of("ppoll"), Some(CallWait::ByDesign));
        assert_eq!(of("read"), Some(CallWait::ByFile));
        assert_eq!(of("write"), Some(CallWait::ForWork));
        assert_eq!(of("fsync"), Some(CallWait::ForWork));
        assert_eq!(waits(499), CallWait::ForWork);
    }
}
