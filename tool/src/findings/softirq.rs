//! A CPU that is taken by interrupts, mostly those that are worked off later (softirqs): packets, timers, disks.
//!
//! Holds when they take half of a CPU's time. Whoever runs there loses it, and no process has it.

use super::{Scene, words::names};
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
    Some(Finding {
        rule: RULE,
        subject: number.to_string(),
        statement: format!(
            "interrupts take {} of CPU {number}, {} of it in softirqs; {waiting}{mainly}",
            format::percent(100.0 * share),
            format::percent(100.0 * processor.softirq_ns as f64 / taken_ns.max(1) as f64)
        ),
        harm: share,
        evidence,
        victims,
        unknown: vec!["which of them takes the time: only their number is known without --interrupts".into()],
        next: "stillwatch cpu --interrupts".into(),
        ..Finding::default()
    })
}
