//! A CPU that is taken by interrupts, mostly those that are worked off later (softirqs): packets, timers, disks.
//!
//! Holds when they take half of a CPU's time. Whoever runs there loses it, and no process has it. Where most of them receive packets, a
//! process is named that the probe `tcp` has seen half as many packets of: retransmitted, dropped, of connections that fail or break off.

use std::collections::BTreeMap;

use super::{
    Scene,
    words::{name, names},
};
use crate::{
    format,
    snapshot::{
        Who,
        cpu::{Cpu, Processor},
        finding::{Evidence, Finding, Value},
    },
};

const RULE: &str = "softirq";
const SHARE: f64 = 0.5;
/// The softirq that receives packets, one or several each time.
const RECEIVES: &str = "net_rx";

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(cpu) = &scene.now.cpu else { return Vec::new() };
    cpu.processors.iter().filter_map(|processor| one(scene, cpu, processor)).collect()
}

fn one(scene: &Scene, cpu: &Cpu, processor: &Processor) -> Option<Finding> {
    let taken_ns = processor.softirq_ns + processor.irq_ns;
    let share = scene.share(taken_ns);
    if share < SHARE {
        return None;
    }
    let number = processor.number;
    let victims: Vec<Who> = cpu.waited.iter().filter(|row| row.cpu == number).map(|row| row.who.clone()).collect();
    let most = cpu.softirqs.first();
    let mainly = most.map_or_else(String::new, |(name, count)| {
        format!("; most frequent on the host: {name}, {}/s", format::rate(*count, scene.now.interval))
    });
    let waiting = if victims.is_empty() {
        "nobody waits for it".to_owned()
    } else {
        format!("{} waited for it", names(&victims))
    };
    let mut evidence = vec![
        Evidence {
            probe: "cpu",
            what: format!("softirqs of CPU {number}"),
            value: Value::NanosecondsPerSecond(scene.ns_rate(processor.softirq_ns)),
        },
        Evidence {
            probe: "cpu",
            what: format!("interrupts of CPU {number}"),
            value: Value::NanosecondsPerSecond(scene.ns_rate(processor.irq_ns)),
        },
    ];
    evidence.extend(most.map(|(name, count)| Evidence {
        probe: "cpu",
        what: format!("softirqs of kind {name}"),
        value: Value::PerSecond(scene.rate(*count)),
    }));
    let received = most.filter(|(name, _)| name == RECEIVES).map(|(_, count)| *count);
    let owner = received.and_then(|softirqs| owner(scene, softirqs));
    let whose = owner.as_ref().map_or_else(String::new, |(who, packets)| {
        format!("; {} has at least {} packets/s", name(who), format::rate(*packets, scene.now.interval))
    });
    let culprits: Vec<Who> = owner.into_iter().map(|(who, _)| who).collect();
    let not_whose = (received.is_some() && culprits.is_empty()).then(|| match scene.now.tcp {
        Some(_) => "whose packets they are".to_owned(),
        None => format!("whose packets they are: {}", scene.lacks("tcp", "no TCP")),
    });
    Some(Finding {
        rule: RULE,
        subject: number.to_string(),
        statement: format!(
            "interrupts take {} of CPU {number}, {} of it in softirqs; {waiting}{mainly}{whose}",
            format::percent(100.0 * share),
            format::percent(100.0 * processor.softirq_ns as f64 / taken_ns.max(1) as f64)
        ),
        harm: share,
        evidence,
        victims,
        culprits,
        unknown: std::iter::once(
            "which of them takes the time: only their number is known without --interrupts".into(),
        )
        .chain(not_whose)
        .collect(),
        next: "stillwatch cpu --interrupts".into(),
        ..Finding::default()
    })
}

/// Whose most of the packets are, and how many of them were seen, if that is half of the softirqs that receive some.
fn owner(scene: &Scene, softirqs: u64) -> Option<(Who, u64)> {
    let events = &scene.now.tcp.as_ref()?.events;
    let dropped = events.drops.iter().map(|event| (&event.owners.who, 1));
    let retransmitted = events.retransmits.iter().map(|event| (&event.owners.who, event.segments));
    let reset = events.resets.iter().map(|event| (&event.owners.who, 1));
    let tried = events.connects.iter().map(|event| (&event.who, 1));
    let mut counts: BTreeMap<u32, (&Who, u64)> = BTreeMap::new();
    for (who, packets) in dropped.chain(retransmitted).chain(reset).chain(tried) {
        if let Some(pid) = who.pid {
            counts.entry(pid).or_insert((who, 0)).1 += packets;
        }
    }
    let (who, packets) = counts.into_values().max_by_key(|(_, packets)| *packets)?;
    (packets >= softirqs.div_ceil(2)).then(|| (who.clone(), packets))
}
