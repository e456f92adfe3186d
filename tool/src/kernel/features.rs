//! What this kernel and this process can do, as plain data.
//!
//! Nothing here is fatal and nothing is assumed: what can't be found out is `None`, and whoever prints it says so.
//! Reading all of it takes 3 ms, most of them for looking at which cgroup hierarchy is in use.

pub mod cgroups;
pub mod privileges;

use std::{fs, io, path::Path};

use aya::{
    programs::ProgramType,
    sys::{BpfHelper, is_helper_supported},
};
use serde::Serialize;

use super::btf;
pub use cgroups::{Cgroups, Hierarchy};
pub use privileges::{FOREIGN, Privileges, first_pid_namespace};

/// Whether something works here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    Available,
    /// Works, and what is lost.
    Degraded(String),
    /// Does not work, why, and what would help.
    Unavailable(String),
}

/// What the kernel forbids even to root (`lockdown=` at boot, or Secure Boot).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lockdown {
    None,
    /// Nothing may change the running kernel. Some kernels then also refuse kprobes and fentry.
    Integrity,
    /// Nothing may read kernel memory either: BPF programs that do are refused.
    Confidentiality,
}

/// Facts about the machine and about this process on it.
#[derive(Clone, Debug)]
pub struct Features {
    /// As `uname -r` prints it.
    pub release: Option<String>,
    pub arch: &'static str,
    pub btf: Availability,
    pub lockdown: Option<Lockdown>,
    pub privileges: Privileges,
    /// `kernel.unprivileged_bpf_disabled`: 0 allowed, 1 forbidden until reboot, 2 forbidden.
    pub unprivileged_bpf_disabled: Option<u8>,
    /// `net.core.bpf_jit_enable`, which only root may read. Interpreted programs cost several times as much.
    pub jit: Option<bool>,
    /// Pressure stall information.
    pub psi: Availability,
    pub cgroups: Cgroups,
    /// CPUs that may ever come online: per-CPU maps are sized by these.
    pub possible_cpus: Option<usize>,
    pub online_cpus: Option<usize>,
    /// Empty where this process may not ask.
    pub helpers: Vec<Helper>,
    /// Whether maps count against the memlock limit (kernels before 5.11), where this process may ask.
    pub memlock_counts: Option<bool>,
}

impl Features {
    pub fn read() -> Self {
        let privileges = Privileges::read();
        let may_ask = !matches!(privileges.loading(), Availability::Unavailable(_));
        let cpus = |which| cpu_count(&word(&format!("/sys/devices/system/cpu/{which}"))?);
        Self {
            release: word("/proc/sys/kernel/osrelease"),
            arch: std::env::consts::ARCH,
            btf: btf(Path::new(btf::VMLINUX)),
            lockdown: word("/sys/kernel/security/lockdown").and_then(|text| lockdown(&text)),
            privileges,
            unprivileged_bpf_disabled: number("/proc/sys/kernel/unprivileged_bpf_disabled"),
            jit: number("/proc/sys/net/core/bpf_jit_enable").map(|mode| mode != 0),
            psi: psi(fs::read_to_string("/proc/pressure/cpu")),
            cgroups: Cgroups::read(),
            possible_cpus: cpus("possible"),
            online_cpus: cpus("online"),
            helpers: if may_ask { helpers() } else { Vec::new() },
            memlock_counts: if may_ask { memlock_counts() } else { None },
        }
    }

    /// Whether this process may load tracing programs at all, as far as can be told before trying.
    pub fn loading(&self) -> Availability {
        match (&self.btf, self.privileges.loading()) {
            (_, Availability::Unavailable(why)) => Availability::Unavailable(why),
            (Availability::Unavailable(why), _) => Availability::Unavailable(why.clone()),
            _ if self.lockdown == Some(Lockdown::Confidentiality) => Availability::Unavailable(
                "lockdown is at confidentiality, where BPF may not read kernel memory: boot with lockdown=integrity"
                    .into(),
            ),
            (_, state) => state,
        }
    }
}

/// A kernel function that programs call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helper {
    pub name: &'static str,
    /// Whether tracing programs may call it. `Err`: could not be found out, and why.
    pub supported: Result<bool, String>,
}

/// Asks the verifier which helpers exist. Needs the right to load programs; takes 0.05 ms for each.
///
/// The question is put for raw tracepoints, as a BTF tracepoint program would need a target; the kernel gives both
/// kinds the same tracing helpers.
fn helpers() -> Vec<Helper> {
    [
        ("bpf_ktime_get_ns", BpfHelper::BPF_FUNC_ktime_get_ns),
        ("bpf_get_current_task_btf", BpfHelper::BPF_FUNC_get_current_task_btf),
        ("bpf_task_pt_regs", BpfHelper::BPF_FUNC_task_pt_regs),
        ("bpf_get_task_stack", BpfHelper::BPF_FUNC_get_task_stack),
    ]
    .into_iter()
    .map(|(name, helper)| Helper { name, supported: supports(ProgramType::RawTracePoint, helper) })
    .collect()
}

fn supports(kind: ProgramType, helper: BpfHelper) -> Result<bool, String> {
    is_helper_supported(kind, helper).map_err(|error| error.to_string())
}

/// Kernels that charge maps to the memory cgroup instead (5.11) are known by a helper of the same age, which tracing
/// programs may not call.
fn memlock_counts() -> Option<bool> {
    supports(ProgramType::SocketFilter, BpfHelper::BPF_FUNC_ktime_get_coarse_ns).ok().map(|new| !new)
}

fn btf(path: &Path) -> Availability {
    match fs::File::open(path) {
        Ok(_) => Availability::Available,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Availability::Unavailable(
            "the kernel describes no types: it needs to be built with CONFIG_DEBUG_INFO_BTF=y".into(),
        ),
        Err(error) => Availability::Unavailable(format!("can't read {}: {error}", path.display())),
    }
}

fn psi(read: io::Result<String>) -> Availability {
    const REMEDY: &str = "boot with psi=1, on a kernel with CONFIG_PSI=y";
    match read {
        Ok(text) if text.starts_with("some ") => Availability::Available,
        Ok(_) => Availability::Unavailable("/proc/pressure/cpu has an unknown format".into()),
        // Old kernels show the files when PSI is switched off, and refuse to open them.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            Availability::Unavailable(format!("switched off: {REMEDY}"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Availability::Unavailable(format!("absent or switched off: {REMEDY}"))
        }
        Err(error) => Availability::Unavailable(format!("can't read /proc/pressure: {error}")),
    }
}

/// The mode in brackets, as in `none [integrity] confidentiality`.
fn lockdown(text: &str) -> Option<Lockdown> {
    match text.split_once('[')?.1.split_once(']')?.0 {
        "none" => Some(Lockdown::None),
        "integrity" => Some(Lockdown::Integrity),
        "confidentiality" => Some(Lockdown::Confidentiality),
        _ => None,
    }
}

/// Number of CPUs in a list such as `0-3,8`.
fn cpu_count(list: &str) -> Option<usize> {
    let mut count = 0;
    for part in list.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (usize, usize) = (from.parse().ok()?, to.parse().ok()?);
        count += to.checked_sub(from)? + 1;
    }
    Some(count)
}

fn word(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn number(path: &str) -> Option<u8> {
    word(path)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        assert_eq!(cpu_count("0"), Some(1));
        assert_eq!(cpu_count("0-255"), Some(256));
        assert_eq!(cpu_count("0-3,8,10-11"), Some(7));
        for bad in ["", "3-1", "x", "0-"] {
            assert_eq!(cpu_count(bad), None);
        }
    }

    #[test]
    fn lockdown_modes() {
        assert_eq!(lockdown("[none] integrity confidentiality"), Some(Lockdown::None));
        assert_eq!(lockdown("none [integrity] confidentiality"), Some(Lockdown::Integrity));
        assert_eq!(lockdown("none integrity [confidentiality]"), Some(Lockdown::Confidentiality));
        assert_eq!(lockdown("none"), None);
    }

    #[test]
    fn pressure_off_is_told_from_pressure_on() {
        assert_eq!(psi(Ok("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n".into())), Availability::Available);
        for error in [libc::EOPNOTSUPP, libc::ENOENT] {
            let Availability::Unavailable(why) = psi(Err(io::Error::from_raw_os_error(error))) else {
                panic!("{error} must not look available")
            };
            assert!(why.contains("psi=1"), "{why}");
        }
    }

    #[test]
    fn a_kernel_without_types_is_named() {
        assert!(matches!(btf(Path::new("/no/such/file")), Availability::Unavailable(why) if why.contains("CONFIG")));
    }

    #[test]
    fn this_machine_can_be_read() {
        let features = Features::read();
        assert!(features.possible_cpus >= features.online_cpus);
        assert!(features.release.is_some());
    }

    #[test]
    fn the_verifier_is_asked_only_with_rights() {
        let features = Features::read();
        if matches!(features.privileges.loading(), Availability::Unavailable(_)) {
            assert_eq!((features.helpers, features.memlock_counts), (Vec::new(), None));
        } else {
            assert_eq!(features.helpers[0], Helper { name: "bpf_ktime_get_ns", supported: Ok(true) });
        }
    }
}
