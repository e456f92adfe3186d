//! The report as one JSON object.

use serde_json::{Map, Value, json};

use super::{HookReport, LOCKDOWN_UNKNOWN, ProbeReport, words};
use crate::kernel::features::{
    Availability, Features, Hierarchy,
    privileges::{WANTED, kept},
};

/// Every object with a `state` has `why` beside it unless the state is `available`.
pub fn object(probes: &[ProbeReport], features: &Features) -> Value {
    let rights = &features.privileges;
    let capabilities: Option<Map<String, Value>> = rights.held.as_ref().map(|held| {
        WANTED.iter().map(|(capability, _)| (capability.to_string(), held.contains(capability).into())).collect()
    });
    let helpers = features.helpers.iter().map(|helper| match &helper.supported {
        Ok(supported) => json!({ "helper": helper.name, "supported": supported }),
        Err(why) => json!({ "helper": helper.name, "supported": null, "unknown": why }),
    });
    let mut report = json!({
        "v": 1,
        "type": "doctor",
        "kernel": { "release": features.release, "arch": features.arch },
        "loading": state(&features.loading()),
        "btf": state(&features.btf),
        "lockdown": features.lockdown,
        "euid": rights.euid,
        "capabilities": capabilities,
        "capabilities_kept": kept().map(|capability| capability.to_string()).collect::<Value>(),
        "first_user_namespace": rights.first_user_namespace,
        "first_pid_namespace": rights.first_pid_namespace,
        "memlock": {
            "bytes": rights.memlock.filter(|&bytes| bytes != u64::MAX),
            "unlimited": rights.memlock.map(|bytes| bytes == u64::MAX),
            "counts": features.memlock_counts,
        },
        "unprivileged_bpf_disabled": features.unprivileged_bpf_disabled,
        "jit": features.jit,
        "helpers": helpers.collect::<Value>(),
        "psi": state(&features.psi),
        "cgroup": {
            "version": features.cgroups.version(),
            "names_from": features.cgroups.naming().map(hierarchy),
            "hierarchies": features.cgroups.hierarchies.iter().map(hierarchy).collect::<Value>(),
        },
        "cpus": { "online": features.online_cpus, "possible": features.possible_cpus },
        "probes": probes.iter().map(probe).collect::<Value>(),
    });
    if features.lockdown.is_none() {
        report["lockdown_unknown"] = LOCKDOWN_UNKNOWN.into();
    }
    report
}

fn probe(probe: &ProbeReport) -> Value {
    let mut report = state(&probe.state);
    report["probe"] = probe.probe.as_str().into();
    report["hooks"] = probe.hooks.iter().map(hook).collect();
    report["kernel_bytes"] = probe.kernel_bytes.into();
    report["kernel_bytes_at_256_cpus"] = probe.kernel_bytes_at_256_cpus.into();
    report
}

fn hook(hook: &HookReport) -> Value {
    let mut report = state(&hook.state);
    report["hook"] = hook.hook.as_str().into();
    report["needed_for"] = hook.needed_for.as_str().into();
    report
}

fn state(state: &Availability) -> Value {
    match words(state) {
        (word, None) => json!({ "state": word }),
        (word, Some(why)) => json!({ "state": word, "why": why }),
    }
}

fn hierarchy(hierarchy: &Hierarchy) -> Value {
    json!({
        "controllers": hierarchy.controllers,
        "v2": hierarchy.is_v2(),
        "mount": hierarchy.mount.to_string_lossy(),
    })
}
