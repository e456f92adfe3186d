use super::*;
use crate::kernel::features::{Helper, Lockdown, Privileges};
use caps::Capability;
use serde_json::Value;

fn features() -> Features {
    Features {
        release: Some("6.12.0-test".into()),
        arch: "x86_64",
        btf: Availability::Available,
        lockdown: Some(Lockdown::Integrity),
        privileges: Privileges {
            euid: Some(0),
            held: Some(vec![Capability::CAP_BPF, Capability::CAP_PERFMON]),
            memlock: Some(8 << 20),
            first_user_namespace: Some(true),
            first_pid_namespace: Some(true),
        },
        unprivileged_bpf_disabled: Some(2),
        jit: Some(true),
        psi: Availability::Unavailable("absent or switched off: boot with psi=1, on a kernel with CONFIG_PSI=y".into()),
        cgroups: Default::default(),
        possible_cpus: Some(256),
        online_cpus: None,
        helpers: vec![Helper { name: "bpf_task_pt_regs", supported: Ok(false) }],
        memlock_counts: Some(true),
    }
}

fn probes() -> Vec<ProbeReport> {
    let hook = |hook: &str, state| HookReport { hook: hook.into(), needed_for: "exact mode".into(), state };
    vec![ProbeReport {
        probe: "syscalls".into(),
        state: Availability::Degraded(
            "32-bit calls appear under 64-bit names, since the kernel's types say nothing of it".into(),
        ),
        hooks: vec![
            hook("tp_btf sys_enter", Availability::Available),
            hook("tp_btf sched_switch", Availability::Unavailable("no \x1b[31m rights".into())),
        ],
        kernel_bytes: 3 << 20,
        kernel_bytes_at_256_cpus: 20 << 20,
    }]
}

fn written(json: bool, features: &Features) -> String {
    let mut out = Vec::new();
    run(json, &probes(), features, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn text_says_what_is_lost_and_what_helps() {
    let text = written(false, &features());
    for part in [
        "6.12.0-test x86_64",
        "integrity",
        "without CAP_SYS_ADMIN",
        "ulimit -l unlimited",
        "boot with psi=1",
        "unknown online, 256 possible",
        "without bpf_task_pt_regs",
        "PROBE syscalls    degraded",
        "3.0 MiB here, 20.0 MiB with 256 CPUs",
        "  tp_btf sys_enter     available    exact mode\n",
        "  tp_btf sched_switch  unavailable  exact mode\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn text_is_narrow_and_safe() {
    for line in written(false, &features()).lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(!line.contains('\x1b') && !line.ends_with(' '), "{line:?}");
    }
}

#[test]
fn json_is_one_object_on_one_line() {
    let text = written(true, &features());
    assert_eq!(text.lines().count(), 1);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&report["v"], &report["type"]), (&1.into(), &"doctor".into()));
    assert_eq!(report["lockdown"], "integrity");
    assert_eq!(report["capabilities"]["CAP_BPF"], true);
    assert_eq!(report["capabilities"]["CAP_SYS_ADMIN"], false);
    assert_eq!(report["psi"]["state"], "unavailable");
    assert_eq!(report["cgroup"]["version"], "none");
    assert_eq!(report["memlock"]["counts"], true);
    let probe = &report["probes"][0];
    assert_eq!((&probe["probe"], &probe["state"]), (&"syscalls".into(), &"degraded".into()));
    assert_eq!(probe["hooks"][0].get("why"), None);
    assert_eq!(probe["hooks"][1]["why"], "no \x1b[31m rights");
}

#[test]
fn what_is_not_known_is_said() {
    let unknown = Features {
        release: None,
        lockdown: None,
        jit: None,
        helpers: vec![],
        memlock_counts: None,
        privileges: Privileges {
            euid: None,
            held: None,
            memlock: None,
            first_user_namespace: None,
            first_pid_namespace: None,
        },
        ..features()
    };
    let report: Value = serde_json::from_str(&written(true, &unknown)).unwrap();
    assert!(report["lockdown"].is_null() && report["lockdown_unknown"].is_string());
    assert!(report["memlock"]["bytes"].is_null() && report["jit"].is_null());
    let text = written(false, &unknown);
    assert!(text.matches("unknown").count() >= 6, "{text}");
}

#[test]
fn this_machine_can_be_reported() {
    let text = written(false, &Features::read());
    println!("{text}");
    assert!(text.starts_with("MACHINE\n"));
}
