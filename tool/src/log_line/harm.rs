//! Lines of the kernel that mean harm, with what they are about.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HarmKind {
    IoError,
    ReadOnly,
    FilesystemError,
    HungTask,
    SoftLockup,
    HardLockup,
    RcuStall,
    MachineCheck,
    LinkDown,
    ConntrackFull,
    SynCookies,
    Segfault,
    Bug,
    TimeStepped,
}

impl HarmKind {
    pub const ALL: [Self; 14] = [
        Self::IoError,
        Self::ReadOnly,
        Self::FilesystemError,
        Self::HungTask,
        Self::SoftLockup,
        Self::HardLockup,
        Self::RcuStall,
        Self::MachineCheck,
        Self::LinkDown,
        Self::ConntrackFull,
        Self::SynCookies,
        Self::Segfault,
        Self::Bug,
        Self::TimeStepped,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::IoError => "io_error",
            Self::ReadOnly => "read_only",
            Self::FilesystemError => "filesystem_error",
            Self::HungTask => "hung_task",
            Self::SoftLockup => "soft_lockup",
            Self::HardLockup => "hard_lockup",
            Self::RcuStall => "rcu_stall",
            Self::MachineCheck => "machine_check",
            Self::LinkDown => "link_down",
            Self::ConntrackFull => "conntrack_full",
            Self::SynCookies => "syn_cookies",
            Self::Segfault => "segfault",
            Self::Bug => "bug",
            Self::TimeStepped => "time_stepped",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::IoError => "I/O error",
            Self::ReadOnly => "remounted read-only",
            Self::FilesystemError => "file system error",
            Self::HungTask => "hung task",
            Self::SoftLockup => "soft lockup",
            Self::HardLockup => "hard lockup",
            Self::RcuStall => "RCU stall",
            Self::MachineCheck => "machine check",
            Self::LinkDown => "link down",
            Self::ConntrackFull => "connection table full",
            Self::SynCookies => "SYN cookies sent",
            Self::Segfault => "segfault",
            Self::Bug => "bug in the kernel",
            Self::TimeStepped => "time stepped",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Harm {
    pub kind: HarmKind,
    /// A device, an interface, a CPU.
    pub on: Option<String>,
    /// As the kernel numbers threads.
    pub pid: Option<u32>,
    pub comm: Option<String>,
    /// A sector, seconds, a port.
    pub number: Option<u64>,
}

impl Harm {
    pub fn new(kind: HarmKind) -> Self {
        Self { kind, on: None, pid: None, comm: None, number: None }
    }

    fn on(self, on: Option<&str>) -> Self {
        Self { on: on.map(str::to_owned).filter(|on| !on.is_empty()), ..self }
    }

    fn number(self, number: Option<u64>) -> Self {
        Self { number, ..self }
    }

    fn task(self, task: Option<(&str, u32)>) -> Self {
        Self { comm: task.map(|(comm, _)| comm.to_owned()), pid: task.map(|(_, pid)| pid), ..self }
    }
}

/// What a line of the kernel itself means. Names within it are whatever a user made them: words of the kernel are looked for around them.
pub fn harm(text: &str) -> Option<Harm> {
    const RULES: [fn(&str) -> Option<Harm>; 9] =
        [storage, filesystem, hung, lockup, hardware, network, segfault, bug, stall];
    RULES.iter().find_map(|rule| rule(text))
}

fn storage(text: &str) -> Option<Harm> {
    let error = Harm::new(HarmKind::IoError);
    if text.contains("error, dev ") {
        let on = between(text, "error, dev ", ",");
        return Some(error.on(on).number(after(text, "sector ").and_then(number)));
    }
    if let Some(rest) = after(text, "Buffer I/O error on dev") {
        let rest = rest.strip_prefix("ice ").or(rest.strip_prefix(' '))?;
        return Some(error.on(rest.split(',').next()).number(after(rest, "logical block ").and_then(number)));
    }
    if text.starts_with("nvme ") && text.contains("I/O ") && text.contains("timeout") {
        return Some(error.on(between(text, "nvme ", ":")));
    }
    let failed = after(text, "Disk failure on ").filter(|_| text.starts_with("md"))?;
    Some(error.on(failed.split(',').next()))
}

fn filesystem(text: &str) -> Option<Harm> {
    const SYSTEMS: [&str; 5] = ["EXT4-fs", "XFS", "BTRFS", "F2FS-fs", "EXT3-fs"];
    const ERRORS: [&str; 6] =
        ["orruption", "I/O error", "nternal error", "shut down", "Shutting down", "error (device"];
    if let Some(rest) = text.strip_prefix("Aborting journal on device ") {
        let on = rest.trim_end_matches('.');
        // `sda1-8`: with the number of the journal's inode.
        let on = on.rsplit_once('-').map_or(on, |(device, _)| device);
        return Some(Harm::new(HarmKind::FilesystemError).on(Some(on)));
    }
    SYSTEMS.iter().find(|system| text.starts_with(**system))?;
    let device = text.split_once('(')?.1.split([')', ':']).next()?;
    let device = Some(device.strip_prefix("device ").unwrap_or(device));
    if text.contains("emounting filesystem read-only") || text.contains("forced readonly") {
        return Some(Harm::new(HarmKind::ReadOnly).on(device));
    }
    ERRORS.iter().find(|error| text.contains(**error))?;
    Some(Harm::new(HarmKind::FilesystemError).on(device))
}

fn hung(text: &str) -> Option<Harm> {
    let (task, seconds) = text.strip_prefix("INFO: task ")?.rsplit_once(" blocked for more than ")?;
    Some(Harm::new(HarmKind::HungTask).task(task_of(task)).number(number(seconds)))
}

fn lockup(text: &str) -> Option<Harm> {
    if let Some(rest) = after(text, "soft lockup - CPU#") {
        let on = number(rest).map(|cpu| format!("CPU {cpu}"));
        let task = rest.split_once('[').and_then(|(_, task)| task_of(task.trim_end().strip_suffix(']')?));
        let seconds = after(rest, "stuck for ").and_then(number);
        return Some(Harm::new(HarmKind::SoftLockup).on(on.as_deref()).task(task).number(seconds));
    }
    let rest = after(text, "atchdog detected hard LOCKUP on cpu ")?;
    let on = number(rest).map(|cpu| format!("CPU {cpu}"));
    Some(Harm::new(HarmKind::HardLockup).on(on.as_deref()))
}

fn hardware(text: &str) -> Option<Harm> {
    let rest = after(text, "[Hardware Error]: ")?;
    let on = after(rest, "CPU").and_then(|rest| number(rest.trim_start())).map(|cpu| format!("CPU {cpu}"));
    Some(Harm::new(HarmKind::MachineCheck).on(on.as_deref()))
}

fn network(text: &str) -> Option<Harm> {
    if text.contains("nf_conntrack: table full") {
        return Some(Harm::new(HarmKind::ConntrackFull));
    }
    if let Some(rest) = after(text, "Possible SYN flooding on port ") {
        let port = rest.split(". ").next()?.rsplit(':').next()?;
        return Some(Harm::new(HarmKind::SynCookies).number(number(port)));
    }
    let down = Harm::new(HarmKind::LinkDown);
    if let Some(interface) = after(text, "link status definitely down for interface ") {
        return Some(down.on(interface.split([',', ' ']).next()));
    }
    let at =
        ["Link is Down", "Link is down", "link is down", "SATA link down"].iter().find_map(|words| text.find(words))?;
    let before = text[..at].trim_end().trim_end_matches("NIC").trim_end().trim_end_matches(':');
    Some(down.on(before.rsplit(' ').next()))
}

fn segfault(text: &str) -> Option<Harm> {
    let (task, _) = ["]: segfault at ", "] general protection fault ip:", "] trap invalid opcode ip:"]
        .iter()
        .find_map(|words| text.rsplit_once(words))?;
    let (comm, pid) = task.strip_prefix("traps: ").unwrap_or(task).rsplit_once('[')?;
    Some(Harm::new(HarmKind::Segfault).task(Some((comm, pid.parse().ok()?))))
}

fn bug(text: &str) -> Option<Harm> {
    const BEGIN: [&str; 5] = ["BUG: ", "kernel BUG at ", "Oops: ", "general protection fault", "Kernel panic"];
    BEGIN.iter().find(|begin| text.starts_with(**begin))?;
    Some(Harm::new(HarmKind::Bug))
}

fn stall(text: &str) -> Option<Harm> {
    let rest = text.strip_prefix("rcu: INFO: rcu_")?;
    (rest.contains("self-detected stall") || rest.contains("detected stalls")).then(|| Harm::new(HarmKind::RcuStall))
}

/// `name:with:colons:123`
fn task_of(text: &str) -> Option<(&str, u32)> {
    let (comm, pid) = text.rsplit_once(':')?;
    Some((comm, pid.parse().ok()?))
}

fn after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    text.split_once(words).map(|(_, rest)| rest)
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    after(text, begin)?.split(end).next()
}

/// That it begins with.
fn number(text: &str) -> Option<u64> {
    let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Task = Option<(String, u32)>;

    fn of(text: &str) -> (HarmKind, Option<String>, Task, Option<u64>) {
        let harm = harm(text).unwrap_or_else(|| panic!("{text}"));
        (harm.kind, harm.on, harm.comm.zip(harm.pid), harm.number)
    }

    fn on(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    /// As kernels from 5.10 to 6.18 write them.
    #[test]
    fn what_kernels_write() {
        use HarmKind::*;
        let task = |comm: &str, pid| Some((comm.to_owned(), pid));
        let cases = [
            (
                "I/O error, dev sda, sector 7864320 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2",
                (IoError, on("sda"), None, Some(7_864_320)),
            ),
            (
                "blk_update_request: I/O error, dev loop1, sector 16 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 0",
                (IoError, on("loop1"), None, Some(16)),
            ),
            ("critical medium error, dev sdb, sector 9 op 0x0:(READ)", (IoError, on("sdb"), None, Some(9))),
            ("Buffer I/O error on dev dm-0, logical block 3, async page read", (IoError, on("dm-0"), None, Some(3))),
            ("nvme nvme0: I/O 17 QID 4 timeout, aborting", (IoError, on("nvme0"), None, None)),
            ("md/raid1:md0: Disk failure on sdb1, disabling device.", (IoError, on("sdb1"), None, None)),
            ("EXT4-fs (vda1): Remounting filesystem read-only", (ReadOnly, on("vda1"), None, None)),
            ("BTRFS info (device sdc1: state EA): forced readonly", (ReadOnly, on("sdc1"), None, None)),
            (
                "EXT4-fs error (device loop0): ext4_lookup:1787: inode #2: comm ls: deleted inode referenced: 12",
                (FilesystemError, on("loop0"), None, None),
            ),
            ("Aborting journal on device sda1-8.", (FilesystemError, on("sda1"), None, None)),
            (
                "XFS (sdd): metadata I/O error in \"xfs_buf_ioend\" at daddr 0x2",
                (FilesystemError, on("sdd"), None, None),
            ),
            ("XFS (dm-1): Corruption detected. Unmount and run xfs_repair", (FilesystemError, on("dm-1"), None, None)),
            (
                "INFO: task my: task:4711 blocked for more than 122 seconds.",
                (HungTask, None, task("my: task", 4711), Some(122)),
            ),
            (
                "watchdog: BUG: soft lockup - CPU#3 stuck for 26s! [fio [x]:99]",
                (SoftLockup, on("CPU 3"), task("fio [x]", 99), Some(26)),
            ),
            ("watchdog: Watchdog detected hard LOCKUP on cpu 5", (HardLockup, on("CPU 5"), None, None)),
            ("rcu: INFO: rcu_preempt self-detected stall on CPU", (RcuStall, None, None, None)),
            (
                "mce: [Hardware Error]: CPU 2: Machine Check: 0 Bank 5: be000000",
                (MachineCheck, on("CPU 2"), None, None),
            ),
            ("mce: [Hardware Error]: Machine check events logged", (MachineCheck, None, None, None)),
            ("e1000e 0000:00:19.0 eth0: NIC Link is Down", (LinkDown, on("eth0"), None, None)),
            ("ata3: SATA link down (SStatus 0 SControl 300)", (LinkDown, on("ata3"), None, None)),
            (
                "bond0: (slave eth1): link status definitely down for interface eth1, disabling it",
                (LinkDown, on("eth1"), None, None),
            ),
            ("nf_conntrack: nf_conntrack: table full, dropping packet", (ConntrackFull, None, None, None)),
            (
                "TCP: request_sock_TCP: Possible SYN flooding on port 8443. Sending cookies.  Check SNMP counters.",
                (SynCookies, None, None, Some(8443)),
            ),
            (
                "TCP: request_sock_TCP: Possible SYN flooding on port [::]:80. Sending cookies.",
                (SynCookies, None, None, Some(80)),
            ),
            (
                "a[1]: b[77]: segfault at 0 ip 000055d0 sp 00007ffc error 4 in b[55d0+1000]",
                (Segfault, None, task("a[1]: b", 77), None),
            ),
            ("traps: node[8] general protection fault ip:7f sp:7f error:0", (Segfault, None, task("node", 8), None)),
            ("BUG: kernel NULL pointer dereference, address: 0000000000000000", (Bug, None, None, None)),
        ];
        for (text, expected) in cases {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn what_means_none() {
        for text in [
            "",
            "EXT4-fs (vda1): mounted filesystem with ordered data mode",
            "XFS (sda1): Ending clean mount",
            "e1000e: eth0 NIC Link is Up 1000 Mbps",
            "INFO: task blocked",
            "usb 1-1: new high-speed USB device",
            "segfault at 0",
            "loop1: detected capacity change from 0 to 131072",
        ] {
            assert_eq!(harm(text), None, "{text}");
        }
    }
}
