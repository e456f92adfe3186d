//! A cgroup that may not run although it could, because it has used up its quota.
//!
//! Holds when it was throttled for at least 0.1 s per second (added up over CPUs, as the kernel counts it).

use std::cmp::Reverse;

use super::{
    Scene,
    words::{each_second, names},
};
use crate::{
    escape::escape,
    format,
    snapshot::{
        Who,
        cpu::{Cpu, Throttled},
        finding::{Evidence, Finding, Value},
    },
};

const RULE: &str = "quota";
const LOST: f64 = 0.1;

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(cpu) = &scene.now.cpu else { return Vec::new() };
    let rows = cpu.throttled.value().into_iter().flatten();
    rows.filter(|row| scene.share(row.throttled_ns) >= LOST).map(|row| one(scene, cpu, row)).collect()
}

fn one(scene: &Scene, cpu: &Cpu, row: &Throttled) -> Finding {
    let ran_ns = |who: &Who| {
        let own = cpu.ran().filter(|running| running.who.pid.is_some() && running.who.pid == who.pid);
        own.map(|running| running.ran_ns).sum::<u64>()
    };
    let mut victims: Vec<(u64, &Who)> = row.members.iter().map(|who| (ran_ns(who), who)).collect();
    victims.retain(|&(ns, _)| ns > 0 || row.members.len() == 1);
    victims.sort_by_key(|&(ns, _)| Reverse(ns));
    let victims: Vec<Who> = victims.into_iter().map(|(_, who)| who.clone()).collect();
    let whom = if victims.is_empty() { String::new() } else { format!(": {}", names(&victims)) };
    let of = |what: &str, value| Evidence { probe: "cpu", what: what.into(), value };
    let share = 100.0 * row.throttled as f64 / row.periods.max(1) as f64;
    Finding {
        rule: RULE,
        subject: row.cgroup.clone(),
        statement: format!(
            "{} is throttled {} by its CPU quota, in {} of its periods{whom}",
            escape(&row.cgroup),
            each_second(scene.ns_rate(row.throttled_ns)),
            format::percent(share)
        ),
        harm: scene.share(row.throttled_ns),
        evidence: vec![
            of("throttled time", Value::NanosecondsPerSecond(scene.ns_rate(row.throttled_ns))),
            of("periods", Value::Count(row.periods)),
            of("periods in which the quota was used up", Value::Count(row.throttled)),
        ],
        unknown: if victims.is_empty() { vec!["which of its processes wanted to run".into()] } else { Vec::new() },
        victims,
        next: "stillwatch cpu --by cgroup".into(),
        ..Finding::default()
    }
}
