//! The report as text: aligned, within 80 columns, nothing cut.

use std::fmt::Write;

use caps::Capability;
use unicode_width::UnicodeWidthStr;

use super::{LOCKDOWN_UNKNOWN, ProbeReport, words};
use crate::{
    escape::{escape, escape_bytes},
    kernel::features::{
        Availability, Cgroups, Features, Lockdown,
        cgroups::Version,
        privileges::{WANTED, kept},
    },
};

const COLUMNS: usize = 80;
const UNKNOWN: &str = "unknown";

pub fn page(probes: &[ProbeReport], features: &Features) -> String {
    let mut out = String::from("MACHINE\n");
    for (label, text) in machine(features) {
        row(&mut out, &format!("  {label:<14}"), &text);
    }
    for probe in probes {
        let (state, why) = words(&probe.state);
        let _ = write!(out, "\nPROBE {:<10}  {state}\n", escape(&probe.probe));
        if let Some(why) = why {
            row(&mut out, &" ".repeat(16), why);
        }
        row(&mut out, &format!("  {:<14}", "kernel memory"), &memory(probe));
        let width = probe.hooks.iter().map(|hook| hook.hook.width()).max().unwrap_or(0).min(40);
        for hook in &probe.hooks {
            let (state, why) = words(&hook.state);
            let head = format!("  {:<width$}  {state:<11}  ", escape(&hook.hook));
            row(&mut out, &head, &hook.needed_for);
            if let Some(why) = why {
                row(&mut out, &format!("  {:<width$}  ", ""), why);
            }
        }
    }
    out
}

fn memory(probe: &ProbeReport) -> String {
    format!("{} here, {} with 256 CPUs", mib(probe.kernel_bytes), mib(probe.kernel_bytes_at_256_cpus))
}

fn machine(features: &Features) -> Vec<(&'static str, String)> {
    let release = features.release.as_deref().unwrap_or(UNKNOWN);
    vec![
        ("kernel", format!("{release} {}", features.arch)),
        ("programs", stated(&features.loading(), "can be loaded")),
        ("kernel types", stated(&features.btf, "available (BTF)")),
        ("lockdown", lockdown(features.lockdown)),
        ("rights", rights(features)),
        ("rights kept", format!("{}, once attached", kept().map(|one| one.to_string()).collect::<Vec<_>>().join(", "))),
        ("memlock", memlock(features)),
        ("BPF compiler", jit(features.jit)),
        ("BPF helpers", helpers(features)),
        ("pressure", stated(&features.psi, "available (PSI)")),
        ("cgroups", cgroups(&features.cgroups)),
        ("CPUs", cpus(features)),
    ]
}

fn stated(state: &Availability, available: &str) -> String {
    match words(state) {
        (_, None) => available.into(),
        (word, Some(why)) => format!("{word}: {why}"),
    }
}

fn lockdown(mode: Option<Lockdown>) -> String {
    match mode {
        None => format!("{UNKNOWN}: {LOCKDOWN_UNKNOWN}"),
        Some(Lockdown::None) => "none".into(),
        Some(Lockdown::Integrity) => "integrity: kprobes and fentry may be refused; no probe needs them".into(),
        Some(Lockdown::Confidentiality) => "confidentiality: BPF may not read kernel memory".into(),
    }
}

fn rights(features: &Features) -> String {
    let rights = &features.privileges;
    let user =
        rights.euid.map_or_else(|| UNKNOWN.into(), |id| if id == 0 { "root".into() } else { format!("user {id}") });
    let lacking: Vec<String> = WANTED
        .iter()
        .filter(|&&(capability, _)| match capability {
            // CAP_SYS_ADMIN includes these two.
            Capability::CAP_BPF | Capability::CAP_PERFMON => {
                !rights.has(Capability::CAP_SYS_ADMIN) && !rights.has(capability)
            }
            Capability::CAP_SYS_RESOURCE => features.memlock_counts != Some(false) && !rights.has(capability),
            capability => !rights.has(capability),
        })
        .map(|(capability, purpose)| format!("{capability} ({purpose})"))
        .collect();
    match (&rights.held, lacking.as_slice()) {
        (None, _) => format!("{user}, capabilities {UNKNOWN}"),
        (_, []) => format!("{user}, all capabilities that matter"),
        (_, lacking) => format!("{user}, without {}", lacking.join(", ")),
    }
}

fn memlock(features: &Features) -> String {
    let limit = match features.privileges.memlock {
        None => UNKNOWN.into(),
        Some(u64::MAX) => "unlimited".into(),
        Some(bytes) => mib(bytes),
    };
    match (features.memlock_counts, features.privileges.memlock) {
        (Some(false), _) => format!("{limit}, which does not matter to this kernel"),
        (Some(true), Some(bytes)) if bytes != u64::MAX => {
            format!("{limit}, and this kernel counts maps against it: raise it (ulimit -l unlimited)")
        }
        (None, _) => format!("{limit}, which matters to kernels before 5.11 only"),
        _ => limit,
    }
}

fn jit(jit: Option<bool>) -> String {
    match jit {
        None => format!("{UNKNOWN}: only root may ask"),
        Some(true) => "on".into(),
        Some(false) => {
            "off: programs are interpreted and cost several times as much (sysctl net.core.bpf_jit_enable=1)".into()
        }
    }
}

fn helpers(features: &Features) -> String {
    let helpers = &features.helpers;
    if helpers.is_empty() {
        return format!("{UNKNOWN}: only who may load programs may ask");
    }
    let missing: Vec<&str> = helpers.iter().filter(|it| it.supported == Ok(false)).map(|it| it.name).collect();
    let unknown = helpers.iter().find_map(|it| it.supported.as_ref().err());
    match (missing.as_slice(), unknown) {
        ([], None) => "all there".into(),
        ([], Some(why)) => format!("{UNKNOWN}: {why}"),
        (missing, _) => format!("without {}", missing.join(", ")),
    }
}

fn cgroups(cgroups: &Cgroups) -> String {
    let version = match cgroups.version() {
        Version::None => "not mounted: processes are shown without them (mount -t cgroup2 none /sys/fs/cgroup)",
        Version::V1 => "v1",
        Version::V2 => "v2",
        Version::Hybrid => "v1 and v2",
    };
    let Some(naming) = cgroups.naming() else { return version.into() };
    let mount = escape_bytes(naming.mount.as_os_str().as_encoded_bytes()).into_owned();
    match naming.controllers.as_str() {
        "" => format!("{version}, names from v2 at {mount}"),
        controllers => format!("{version}, names from {controllers} at {mount}"),
    }
}

fn cpus(features: &Features) -> String {
    let count = |cpus: Option<usize>| cpus.map_or_else(|| UNKNOWN.into(), |cpus| cpus.to_string());
    format!("{} online, {} possible", count(features.online_cpus), count(features.possible_cpus))
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// One row: `head`, then the text beside it, in as many lines as it takes. Breaks between words; a word that is longer
/// than a line (a path) is left whole, so that it can be copied.
fn row(out: &mut String, head: &str, text: &str) {
    let indent = head.width();
    let mut line = head.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        // After splitting, so that an escaped line break does not vanish between words.
        let word = escape(word);
        if !is_empty && line.width() + 1 + word.width() > COLUMNS {
            let _ = writeln!(out, "{line}");
            line = " ".repeat(indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(&word);
        is_empty = false;
    }
    let _ = writeln!(out, "{}", line.trim_end());
}
