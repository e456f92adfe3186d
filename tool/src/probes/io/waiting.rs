//! Tasks that wait at the moment of a sample: what a wait is for is read from /proc while it goes on.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::PathBuf,
};

use stillwatch_common::io::{BEFORE_START, Request, TaskAsleep, tgid_of};

use super::devices::of_node;
use crate::{
    kernel::{
        capabilities::as_admin,
        in_time::{self, in_time},
    },
    reasons,
    sample::Waiting,
    snapshot::{io::NOT_LOOKED_AT, who::NOT_IN_TIME},
    syscall_names,
};

/// Waits that are looked into at one sample: a host that hangs as a whole has thousands, which say the same.
const LOOKED_AT: usize = 64;

/// Tables of mounts, by mount namespace. `None`: not read in time.
type Mounts = HashMap<PathBuf, Option<String>>;

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
            not_looked_at: Some(NOT_LOOKED_AT),
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
    let (tgid, tid, kernel_thread, dev) = (task.tgid, task.tid, task.kernel_thread, task.dev);
    let Some(seen) = in_time(format!("wait of {tid}"), move || Glance::of(tgid, tid, kernel_thread, dev)) else {
        task.not_looked_at = Some(NOT_IN_TIME);
        return;
    };
    task.not_looked_at = None;
    (task.stack, task.syscall) = (seen.stack, seen.syscall);
    task.dev = seen.dev.or_else(|| device_of_mount(tgid, &seen.mount?, mounts));
}

/// What `/proc` says of a wait.
struct Glance {
    stack: Vec<String>,
    syscall: Option<String>,
    dev: Option<u32>,
    /// That of the file that the call works on, where its device is to be found by that: namespace and number.
    mount: Option<(PathBuf, String)>,
}

impl Glance {
    /// May take for ever: a task that executes a program holds up whoever asks for its stack.
    fn of(tgid: u32, tid: u32, kernel_thread: bool, dev: Option<u32>) -> Self {
        let directory = format!("/proc/{tgid}/task/{tid}");
        let text = |file: &str| fs::read_to_string(format!("{directory}/{file}")).unwrap_or_default();
        let (call, stack) = as_admin(|| (text("syscall"), text("stack")));
        let descriptor = if dev.is_none() { file_of_call(&call) } else { None };
        let node = || of_node(&fs::read_link(format!("/proc/{tgid}/fd/{}", descriptor?)).ok()?);
        let dev = dev.or_else(node);
        Self {
            stack: reasons::parse_stack(&stack).into_iter().map(str::to_owned).collect(),
            // Of a kernel thread, zeros.
            syscall: name_of_call(&call).filter(|_| !kernel_thread),
            mount: if dev.is_none() { descriptor.and_then(|descriptor| mount_of(tgid, descriptor)) } else { None },
            dev,
        }
    }
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

/// The descriptor of the file that a call works on.
fn file_of_call(call: &str) -> Option<u32> {
    let mut words = call.split_ascii_whitespace();
    let nr: u32 = words.next()?.parse().ok()?;
    let on_file = syscall_names::works_on_file(nr);
    // The register is 64 bits wide, the descriptor 32.
    on_file.then(|| Some(u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()? as u32))?
}

fn mount_of(pid: u32, descriptor: u32) -> Option<(PathBuf, String)> {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}")).ok()?;
    let mount = info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim();
    Some((fs::read_link(format!("/proc/{pid}/ns/mnt")).ok()?, mount.to_owned()))
}

/// The device below a file. Asked of the process's table of mounts, not of the file: its file system may be what hangs.
fn device_of_mount(pid: u32, (namespace, mount): &(PathBuf, String), mounts: &mut Mounts) -> Option<u32> {
    let known = mounts.entry(namespace.clone());
    let mounts = known.or_insert_with(|| in_time::text(format!("/proc/{pid}/mountinfo"))).as_ref()?;
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
            not_looked_at: None,
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
