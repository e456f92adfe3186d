//! What `/proc` says of a process that makes calls.

use std::fs;

use crate::{
    kernel::{capabilities::as_admin, in_time::in_time},
    reasons,
};

/// Whether there is a process of this id that can still run. A thread's id is not a process's, and a zombie only
/// waits for its parent, unless it is a main thread that has left others behind.
pub fn is_alive(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/status")).is_ok_and(|status| can_run(pid, &String::from_utf8_lossy(&status)))
}

fn can_run(pid: u32, status: &str) -> bool {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let ended = field("State:").is_none_or(|state| state.starts_with(['Z', 'X']));
    let alone = field("Threads:").is_none_or(|threads| threads == "1");
    !(ended && alone) && field("Tgid:") == Some(pid.to_string().as_str())
}

/// Kernel functions that a thread is inside of, innermost first; empty where that may not be read. `None`: not in time, as of one that
/// executes a program and does not get on with it.
pub fn stack(pid: u32, tid: u32) -> Option<Vec<String>> {
    let path = format!("/proc/{pid}/task/{tid}/stack");
    let text = in_time(path.clone(), move || as_admin(|| fs::read_to_string(path).unwrap_or_default()))?;
    Some(reasons::parse_stack(&text).into_iter().map(str::to_owned).collect())
}

/// How often a thread has been given a CPU.
pub fn runs(pid: u32, tid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/schedstat")).ok()?;
    text.split_ascii_whitespace().nth(2)?.parse().ok()
}

/// Whether a thread that sleeps in a `read`-like call (the file is its first argument) waits for somebody else by
/// design: for a pipe, a socket, a terminal, an event. Files, directories and disks are not supposed to make it
/// wait. `None`: not readable, not in time, or the thread has moved on.
///
/// Nothing is asked of the file itself, which may lie on the very file system that hangs: a FIFO outside `/dev`
/// therefore counts as a file.
pub fn waits_by_design(pid: u32, tid: u32) -> Option<bool> {
    in_time(format!("file of {tid}"), move || waits_for_others(pid, tid))?
}

fn waits_for_others(pid: u32, tid: u32) -> Option<bool> {
    let call = as_admin(|| fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall"))).ok()?;
    let argument = call.split_ascii_whitespace().nth(1)?.strip_prefix("0x")?;
    // The register is 64 bits wide, the descriptor 32.
    let descriptor = u64::from_str_radix(argument, 16).ok()? as u32;
    let target = fs::read_link(format!("/proc/{pid}/task/{tid}/fd/{descriptor}")).ok()?;
    Some(is_waited_on(&target.to_string_lossy()))
}

fn is_waited_on(target: &str) -> bool {
    if ["pipe:", "socket:", "anon_inode:"].iter().any(|kind| target.starts_with(kind)) {
        return true;
    }
    use std::os::unix::fs::FileTypeExt;
    // devtmpfs and devpts live in memory: asking does not hang.
    let is_device = |kind: fs::FileType| kind.is_char_device() || kind.is_fifo() || kind.is_socket();
    target.starts_with("/dev/")
        && !target.starts_with("/dev/shm/")
        && fs::symlink_metadata(target).is_ok_and(|file| is_device(file.file_type()))
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::fd::AsRawFd, process, thread, time::Duration};

    use super::*;

    #[test]
    fn a_process_lives_until_it_is_killed() {
        let mut child = process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(is_alive(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_alive(child.id()));
    }

    #[test]
    fn a_thread_is_not_a_process() {
        // SAFETY: gettid has no arguments and can't fail.
        let tid = thread::spawn(|| (is_alive(process::id()), is_alive(unsafe { libc::gettid() } as u32)));
        assert_eq!(tid.join().unwrap(), (true, false));
        assert!(!is_alive(u32::MAX));
    }

    #[test]
    fn a_main_thread_that_has_ended_leaves_a_process() {
        let status = |state, threads| format!("Name:\tx\nState:\t{state}\nTgid:\t7\nThreads:\t{threads}\n");
        let runs = |state, threads| can_run(7, &status(state, threads));
        assert!(runs("Z (zombie)", 2) && !runs("Z (zombie)", 1) && runs("S (sleeping)", 1));
    }

    #[test]
    fn reading_a_pipe_waits_by_design() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let (send, receive) = std::sync::mpsc::channel();
        let waiting = thread::spawn(move || {
            // SAFETY: gettid has no arguments and can't fail.
            send.send((unsafe { libc::gettid() } as u32, reader.as_raw_fd())).unwrap();
            let _ = reader.read(&mut [0]);
        });
        let (tid, _) = receive.recv().unwrap();
        let mut answer = None;
        for _ in 0..100 {
            thread::sleep(Duration::from_millis(2));
            answer = waits_by_design(process::id(), tid);
            if answer.is_some() {
                break;
            }
        }
        drop(writer);
        waiting.join().unwrap();
        match answer {
            None => eprintln!("skipped: /proc/PID/syscall is not readable here"),
            answer => assert_eq!(answer, Some(true)),
        }
        assert_eq!(waits_by_design(u32::MAX, u32::MAX), None);
    }

    #[test]
    fn a_thread_that_sleeps_does_not_run() {
        let mut child = process::Command::new("sleep").arg("60").spawn().unwrap();
        let sleeps =
            || fs::read_to_string(format!("/proc/{}/syscall", child.id())).is_ok_and(|call| call.contains("0x"));
        for _ in 0..1000 {
            if sleeps() {
                break;
            }
            thread::sleep(Duration::from_millis(2));
        }
        let [pid, own] = [child.id(), process::id()];
        let before = (runs(pid, pid), runs(own, own));
        thread::sleep(Duration::from_millis(20));
        assert_eq!(runs(pid, pid), before.0);
        assert!(before.0.is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(runs(pid, pid), None);
    }

    #[test]
    fn kinds_of_files() {
        for (target, waited_on) in [
            ("pipe:[123]", true),
            ("socket:[9]", true),
            ("anon_inode:[eventfd]", true),
            ("/dev/null", true),
            ("/dev/shm/x", false),
            ("/proc/self/stat", false),
            ("/", false),
            ("/gone (deleted)", false),
        ] {
            assert_eq!(is_waited_on(target), waited_on, "{target}");
        }
    }
}
