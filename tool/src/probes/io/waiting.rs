//! Tasks that wait at the moment of a sample: what a wait is for is read from /proc while it goes on.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
};

use stillwatch_common::io::{BEFORE_START, Request, Task, tgid_of};

use crate::{reasons, sample::Waiting, syscall_names};

/// Waits whose stack is read at one sample: a host that hangs as a whole has thousands, which say the same.
const STACKS: usize = 64;

/// Waits of at least `stall_ns`, the oldest first.
pub fn waiting(tasks: &[Task], requests: &[Request], now_ns: u64, stall_ns: u64) -> Vec<Waiting> {
    let age = |task: &Task| if task.since_ns == BEFORE_START { u64::MAX } else { now_ns.saturating_sub(task.since_ns) };
    let mut tasks: Vec<&Task> = tasks.iter().filter(|task| task.since_ns != 0 && age(task) >= stall_ns).collect();
    tasks.sort_unstable_by_key(|task| task.since_ns);
    let mut read = 0;
    tasks
        .into_iter()
        .filter_map(|task| {
            let directory = format!("/proc/{}/task/{}", task.tgid, task.tid);
            let stat = fs::read_to_string(format!("{directory}/stat")).ok()?;
            // The wait may be over, in a way that we were not told of.
            let (comm, state) = name_and_state(&stat)?;
            if state != 'D' {
                return None;
            }
            read += 1;
            let text = |file: &str| fs::read_to_string(format!("{directory}/{file}")).ok().filter(|_| read <= STACKS);
            let stack = text("stack").unwrap_or_default();
            Some(Waiting {
                tid: task.tid,
                tgid: task.tgid,
                kernel_thread: task.kernel_thread != 0,
                since_ns: (task.since_ns != BEFORE_START).then_some(task.since_ns),
                comm: comm.to_owned(),
                // Of a kernel thread, zeros.
                syscall: text("syscall").filter(|_| task.kernel_thread == 0).and_then(|text| call(&text)),
                stack: reasons::parse_stack(&stack).into_iter().map(str::to_owned).collect(),
                dev: device(requests, task.tgid).or_else(|| device_of_file(task.tgid, &directory)),
            })
        })
        .collect()
}

/// From `PID (name) S …`; the name may hold anything.
fn name_and_state(stat: &str) -> Option<(&str, char)> {
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
    Some((name, rest.chars().next()?))
}

/// From `NUMBER ARGUMENTS…`; a task outside of calls has -1 there.
fn call(text: &str) -> Option<String> {
    let nr = text.split_ascii_whitespace().next()?.parse().ok()?;
    Some(syscall_names::label(nr).into_owned())
}

/// The device of this process's own requests in flight, if it is one only.
fn device(requests: &[Request], tgid: u32) -> Option<u32> {
    let mut devices = requests.iter().filter(|request| tgid_of(request.submitter) == tgid).map(|request| request.dev);
    let first = devices.next()?;
    devices.all(|dev| dev == first).then_some(first)
}

/// The device below the file that a call works on. Asked of the process's table of mounts, not of the file: its file system may
/// be what hangs.
fn device_of_file(pid: u32, task: &str) -> Option<u32> {
    let call = fs::read_to_string(format!("{task}/syscall")).ok()?;
    let mut words = call.split_ascii_whitespace();
    let nr: u32 = words.next()?.parse().ok()?;
    if !syscall_names::works_on_file(nr) {
        return None;
    }
    let descriptor = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()? as u32;
    // devtmpfs lives in memory: asking does not hang.
    if let Ok(target) = fs::read_link(format!("/proc/{pid}/fd/{descriptor}"))
        && target.starts_with("/dev")
        && let Ok(file) = fs::metadata(&target)
        && file.file_type().is_block_device()
    {
        return Some(libc::major(file.rdev()) << 20 | libc::minor(file.rdev()));
    }
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}")).ok()?;
    let mount = info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim();
    let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).ok()?;
    let place = mounts.lines().find_map(|line| line.strip_prefix(mount)?.strip_prefix(' ')?.split(' ').nth(1))?;
    super::devices::number(place).filter(|dev| dev >> 20 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_anything() {
        assert_eq!(name_and_state("12 (a) D (b) S 1 2"), Some(("a) D (b", 'S')));
        assert_eq!(name_and_state("12 (jbd2/sda1-8) D 2 0"), Some(("jbd2/sda1-8", 'D')));
        assert_eq!(name_and_state("12 jbd2"), None);
    }

    #[test]
    fn a_device_is_named_only_when_there_is_one() {
        let request = |tgid: u32, dev| Request { submitter: u64::from(tgid) << 32, dev, ..Request::default() };
        let requests = [request(1, 8), request(1, 8), request(2, 8), request(2, 9)];
        assert_eq!((device(&requests, 1), device(&requests, 2), device(&requests, 3)), (Some(8), None, None));
    }
}
