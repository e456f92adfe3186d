//! What each probe can do on this machine, for `stillwatch doctor`: found out by loading its programs, without attaching
//! them, where that is allowed.

use super::Probe;
use crate::{
    cli::plan::Plan,
    doctor::{HookReport, ProbeReport},
    kernel::{
        btf::KernelBtf,
        facts::Facts,
        features::{Availability, Features},
        loader::{self, Hook},
        memory,
    },
};

/// The largest machine that memory is planned for.
const LARGE: u64 = 256;

pub fn examine(probe: &Probe, plan: &Plan, features: &Features) -> ProbeReport {
    let processors = features.possible_cpus.unwrap_or(1) as u32;
    let entries = (probe.entries)(plan, processors);
    let maps = memory::maps(loader::OBJECT, &entries, probe.per_processor, processors).unwrap_or_default();
    let bytes = |processors| {
        let own = maps.iter().filter(|map| map.name.starts_with(probe.maps));
        own.map(|map| map.bytes(processors)).sum()
    };
    let hooks = (probe.hooks)(plan);
    let reads = (probe.reads)();
    let (states, lost) = states(probe, plan, &hooks, &entries, features);
    let worst =
        hooks.iter().zip(&states).find(|(hook, state)| !hook.optional && matches!(state, Availability::Unavailable(_)));
    let state = match (worst, &lost[..]) {
        (Some((_, unavailable)), _) => unavailable.clone(),
        (None, []) if reads.iter().any(|one| one.can.is_err()) => Availability::Degraded("see what it reads".into()),
        (None, []) if states.iter().all(|state| *state == Availability::Available) => Availability::Available,
        (None, []) => Availability::Degraded("see its hooks".into()),
        (None, lost) => Availability::Degraded(lost.join("; ")),
    };
    ProbeReport {
        probe: probe.name.into(),
        state,
        hooks: hooks
            .iter()
            .zip(states)
            .map(|(hook, state)| HookReport { hook: hook.to_string(), needed_for: hook.needed_for.into(), state })
            .chain(reads.into_iter().map(|one| HookReport {
                hook: one.from.into(),
                needed_for: one.needed_for.into(),
                state: one.can.map_or_else(Availability::Unavailable, |()| Availability::Available),
            }))
            .collect(),
        kernel_bytes: bytes(processors.into()),
        kernel_bytes_at_256_cpus: bytes(LARGE),
    }
}

/// The state of each hook, and what is lost because this kernel lacks a fact.
fn states(
    probe: &Probe,
    plan: &Plan,
    hooks: &[Hook],
    entries: &[(&'static str, u32)],
    features: &Features,
) -> (Vec<Availability>, Vec<String>) {
    let all = |state: Availability| (vec![state; hooks.len()], Vec::new());
    if let state @ Availability::Unavailable(_) = features.loading() {
        return all(state);
    }
    let facts = KernelBtf::open().and_then(|btf| {
        let mut facts = Facts::of_every_probe(&btf)?;
        facts.resolve(probe.name, &btf)?;
        Ok(facts)
    });
    let mut facts = match facts {
        Ok(facts) => facts,
        Err(error) => return all(Availability::Unavailable(error.to_string())),
    };
    (probe.set)(plan, &mut facts);
    let lost = facts.missing.iter().map(|(lost, why)| format!("{lost} ({why})")).collect();
    // Each hook by itself, so that one that is missing does not hide the others.
    let state = |hook: &Hook| match loader::load(&facts, entries, std::slice::from_ref(hook)) {
        Ok(loaded) => match loaded.refused.first() {
            Some((_, why)) => Availability::Degraded(format!("no {}: {why}", hook.needed_for)),
            None => Availability::Available,
        },
        Err(error) => Availability::Unavailable(error.to_string()),
    };
    (hooks.iter().map(state).collect(), lost)
}
