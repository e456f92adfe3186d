//! What this process may do.

use std::{fs, os::unix::fs::MetadataExt};

use caps::{CapSet, Capability};
use procfs::process::{LimitValue, Process};

use super::Availability;

/// Inode numbers that the kernel gives to the namespaces it starts with (`PROC_USER_INIT_INO`, `PROC_PID_INIT_INO`).
const FIRST_USER_NAMESPACE: u64 = 0xEFFF_FFFD;
const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Capabilities that matter here, and what each is needed for.
pub const WANTED: [(Capability, &str); 8] = [
    (Capability::CAP_BPF, "load programs, and read their maps"),
    (Capability::CAP_PERFMON, "trace, and read kernel memory"),
    (
        Capability::CAP_SYS_ADMIN,
        "read stacks of tasks that wait, and measure our own cost in the kernel; stands in for the two above",
    ),
    (Capability::CAP_SYS_RESOURCE, "raise the memlock limit (kernels before 5.11 only)"),
    (Capability::CAP_SYS_PTRACE, "look into other users' processes"),
    (Capability::CAP_DAC_READ_SEARCH, "find the cgroup behind an id, and follow logs of others"),
    (Capability::CAP_SYSLOG, "read the kernel's log and the addresses of its functions"),
    (Capability::CAP_IPC_LOCK, "keep our memory locked (`oom`)"),
];

/// Of [`WANTED`], what a run keeps once everything is attached.
pub fn kept() -> impl Iterator<Item = Capability> {
    WANTED.into_iter().map(|(capability, _)| capability).filter(|&one| one != Capability::CAP_SYS_RESOURCE)
}

/// Effective rights of this process. `None`: could not be read.
#[derive(Clone, Debug)]
pub struct Privileges {
    pub euid: Option<u32>,
    /// Those of [`WANTED`] that are held, in its order.
    pub held: Option<Vec<Capability>>,
    /// Bytes of locked memory allowed; `u64::MAX` if unlimited. Only kernels before 5.11 count maps against it.
    pub memlock: Option<u64>,
    /// Whether capabilities count on the whole machine, as they don't in an unprivileged container.
    pub first_user_namespace: Option<bool>,
    /// Whether process ids mean the same to us as to the kernel.
    pub first_pid_namespace: Option<bool>,
}

impl Privileges {
    pub fn read() -> Self {
        let process = Process::myself();
        let held = caps::read(None, CapSet::Effective);
        let limits = process.as_ref().ok().and_then(|process| process.limits().ok());
        Self {
            euid: process.as_ref().ok().and_then(|process| process.status().ok()).map(|status| status.euid),
            held: held.ok().map(|held| WANTED.iter().map(|&(cap, _)| cap).filter(|cap| held.contains(cap)).collect()),
            memlock: limits.map(|limits| match limits.max_locked_memory.soft_limit {
                LimitValue::Unlimited => u64::MAX,
                LimitValue::Value(bytes) => bytes,
            }),
            first_user_namespace: is_namespace("user", FIRST_USER_NAMESPACE),
            first_pid_namespace: first_pid_namespace(),
        }
    }

    /// Whether the capability is held; false where that can't be told.
    pub fn has(&self, capability: Capability) -> bool {
        self.held.as_ref().is_some_and(|held| held.contains(&capability))
    }

    /// Whether these rights suffice to load tracing programs.
    pub fn loading(&self) -> Availability {
        let suffice =
            self.has(Capability::CAP_SYS_ADMIN) || self.has(Capability::CAP_BPF) && self.has(Capability::CAP_PERFMON);
        if !suffice {
            return Availability::Unavailable(
                "not allowed to load BPF programs: run as root, or with CAP_BPF and CAP_PERFMON".into(),
            );
        }
        if self.first_user_namespace == Some(false) {
            return Availability::Unavailable(
                "capabilities held inside a user namespace do not allow loading BPF programs: run on the host, or in a \
                 privileged container"
                    .into(),
            );
        }
        if self.first_pid_namespace == Some(false) {
            return Availability::Degraded(
                "inside a PID namespace process ids can't be matched with names: run with the host's (--pid=host)"
                    .into(),
            );
        }
        Availability::Available
    }
}

/// Why no process has a name where we run in a container with numbers of its own.
pub const FOREIGN: &str = "inside a pid namespace the host's numbers are not ours";

/// As [`Privileges::first_pid_namespace`].
pub fn first_pid_namespace() -> Option<bool> {
    is_namespace("pid", FIRST_PID_NAMESPACE)
}

fn is_namespace(name: &str, inode: u64) -> Option<bool> {
    fs::metadata(format!("/proc/self/ns/{name}")).map(|found| found.ino() == inode).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(held: &[Capability]) -> Privileges {
        Privileges {
            euid: Some(1000),
            held: Some(held.to_vec()),
            memlock: None,
            first_user_namespace: Some(true),
            first_pid_namespace: Some(true),
        }
    }

    #[test]
    fn rights_that_suffice() {
        assert_eq!(with(&[Capability::CAP_SYS_ADMIN]).loading(), Availability::Available);
        assert_eq!(with(&[Capability::CAP_BPF, Capability::CAP_PERFMON]).loading(), Availability::Available);
        for too_few in [&[][..], &[Capability::CAP_BPF], &[Capability::CAP_PERFMON, Capability::CAP_SYS_PTRACE]] {
            assert!(matches!(with(too_few).loading(), Availability::Unavailable(why) if why.contains("CAP_BPF")));
        }
    }

    #[test]
    fn containers_are_named() {
        let root = [Capability::CAP_SYS_ADMIN];
        let rootless = Privileges { first_user_namespace: Some(false), ..with(&root) };
        assert!(matches!(rootless.loading(), Availability::Unavailable(_)));
        let container = Privileges { first_pid_namespace: Some(false), ..with(&root) };
        assert!(matches!(container.loading(), Availability::Degraded(_)));
    }

    #[test]
    fn this_process_can_be_read() {
        let rights = Privileges::read();
        assert!(rights.euid.is_some() && rights.held.is_some() && rights.memlock.is_some());
    }
}
