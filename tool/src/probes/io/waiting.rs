//! Tasks that wait at the moment of a sample: what a wait is for is read from /proc while it goes on.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    fs,
    path::PathBuf,
};

use stillwatch_common::io::{BEFORE_START, Request, TaskAsleep, tgid_of};

use super::devices::of_node;
use crate::{kernel::in_time, reasons, sample::Waiting, syscall_names};

/// Waits that are looked into at one sample: a host that hangs as a whole has thousands, which say the same.
const LOOKED_AT: usize = 64;

/// Tables of mounts, by mount namespace.
type Mounts = HashMap<PathBuf, String>;

/// Waits of at least `stall_ns`, the oldest first. One of each name is looked into before the others: it stands for them.
pub fn waiting(tasks: &[TaskAsleep], requests: &[Request], now_ns: u64, stall_ns: u64) -> Vec<Waiting> {
    let age =
        |task: &TaskAsleep| if task.since_ns == BEFORE_START { u64::MAX } else { now_ns.saturating_sub(task.since_ns) };
    let mut tasks: Vec<&TaskAsleep> = tasks.iter().filter(|task| task.since_ns != 0 && age(task) >= stall_ns).collect();
    tasks.sort_unstable_by_key(|task| task.since_ns);
    let asleep = |task: &&TaskAsleep| {
        let stat = fs::read_to_string(format!("/proc/{}/task/{}/stat", task.tgid, task.tid)).ok()?;
        // The wait may be over, in a way that we were not told of.
        let (comm, _) = name_and_state(&stat).filter(|(_, state)| *state == 'D')?;
        Some(Waiting {
            tid: task.tid,
            tgid: task.tgid,
            kernel_thread: task.kernel_thread != 0,
            since_ns: (task.since_ns != BEFORE_START).then_some(task.since_ns),
            comm: comm.to_owned(),
            syscall: None,
            stack: Vec::new(),
            is_looked_at: false,
            dev: device(requests, task.tgid),
        })
    };
    let mut waiting: Vec<Waiting> = tasks.iter().filter_map(asleep).collect();
    let mut mounts = Mounts::new();
    for at in first_of_each(&waiting).into_iter().take(LOOKED_AT) {
        look_into(&mut waiting[at], &mut mounts);
    }
    waiting
}

/// The oldest of each name, then the others.
fn first_of_each(waiting: &[Waiting]) -> Vec<usize> {
    let mut names = HashSet::new();
    let (first, others): (Vec<_>, Vec<_>) =
        waiting.iter().enumerate().partition(|(_, task)| names.insert(task.comm.as_str()));
    first.into_iter().chain(others).map(|(at, _)| at).collect()
}

fn look_into(task: &mut Waiting, mounts: &mut Mounts) {
    let directory = format!("/proc/{}/task/{}", task.tgid, task.tid);
    let text = |file: &str| fs::read_to_string(format!("{directory}/{file}")).unwrap_or_default();
    task.is_looked_at = true;
    task.stack = reasons::parse_stack(&text("stack")).into_iter().map(str::to_owned).collect();
    let call = text("syscall");
    // Of a kernel thread, zeros.
    task.syscall = name_of_call(&call).filter(|_| !task.kernel_thread);
    task.dev = task.dev.or_else(|| device_of_file(task.tgid, &call, mounts));
}

/// From `PID (name) S …`; the name may hold anything.
fn name_and_state(stat: &str) -> Option<(&str, char)> {
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
    Some((name, rest.chars().next()?))
}

/// From `NUMBER ARGUMENTS…`; a task outside of calls has -1 there.
fn name_of_call(text: &str) -> Option<String> {
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
fn device_of_file(pid: u32, call: &str, mounts: &mut Mounts) -> Option<u32> {
    let mut words = call.split_ascii_whitespace();
    let nr: u32 = words.next()?.parse().ok()?;
    if !syscall_names::works_on_file(nr) {
        return None;
    }
    let descriptor = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()? as u32;
    let target = fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).ok();
    if let Some(dev) = target.and_then(|target| of_node(&target)) {
        return Some(dev);
    }
    let info = in_time::text(format!("/proc/{pid}/fdinfo/{descriptor}"))?;
    let mount = info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim();
    let namespace = fs::read_link(format!("/proc/{pid}/ns/mnt")).ok()?;
    let mounts = match mounts.entry(namespace) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(place) => place.insert(in_time::text(format!("/proc/{pid}/mountinfo"))?),
    };
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
    fn one_of_each_name_is_looked_into_first() {
        let task = |comm: &str| Waiting {
            tid: 1,
            tgid: 1,
            kernel_thread: false,
            since_ns: None,
            comm: comm.into(),
            syscall: None,
            stack: Vec::new(),
            is_looked_at: false,
            dev: None,
        };
        assert_eq!(first_of_each(&["a", "a", "a", "b", "a", "c"].map(task)), [0, 3, 5, 1, 2, 4]);
    }

    #[test]
    fn a_device_is_named_only_when_there_is_one() {
        let request = |tgid: u32, dev| Request { submitter: u64::from(tgid) << 32, dev, ..Request::default() };
        let requests = [request(1, 8), request(1, 8), request(2, 8), request(2, 9)];
        assert_eq!((device(&requests, 1), device(&requests, 2), device(&requests, 3)), (Some(8), None, None));
    }
}
