//! More tasks want to run than there are CPUs: on all of the host, or on one CPU that tasks are bound to.
//!
//! Of the host: it is hardly ever idle, and waits take at least 1.5 s per second and CPU, so that at all times more than one
//! task waits for each. A build with two jobs per CPU waits for less. Long waits of idle-class tasks and of those niced by 19 do not count:
//! they are meant to have what others leave over, and are in nobody's way. Of one CPU: it is never idle while others are, or a real-time
//! task has half of it, and waits of 1 ms and more that ended there, or go on, take 0.7 s per second.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    Scene,
    words::{each_second, name, names, verb},
};
use crate::{
    format,
    snapshot::{
        Latency, Who,
        cpu::{Cpu, Processor, Running, is_background, is_realtime},
        finding::{Evidence, Finding, Value},
    },
    table::{Known, Why},
};

const RULE: &str = "cpu_saturated";
const WAITS_PER_PROCESSOR: f64 = 1.5;
const WAITS_ON_ONE: f64 = 0.7;
const IDLE: f64 = 0.1;
/// Of a full CPU, or of all: who runs less is no hog.
const HOG: f64 = 0.25;
/// Of a CPU that a real-time task has.
const TAKEN: f64 = 0.5;
/// Shorter waits that go on are how a CPU is shared.
const LONG_NS: u64 = 10_000_000;
const STEAL: f64 = 0.1;

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(cpu) = &scene.now.cpu else { return Vec::new() };
    let idle = idle_of(cpu.processors.iter());
    let busy = idle < IDLE && cpu.processors.iter().any(|row| row.all_ns() > 0);
    match &cpu.scheduler.run_queue {
        Known::Not(why) if busy => return vec![cannot_tell(cpu, why)],
        Known::Value(waits) if busy => {
            let lost_ns = cpu.waits_ns();
            if scene.share(lost_ns) >= WAITS_PER_PROCESSOR * cpu.processors.len() as f64 {
                return vec![host(scene, cpu, waits, lost_ns)];
            }
        }
        _ => {}
    }
    cpu.processors.iter().filter_map(|processor| one(scene, cpu, processor)).collect()
}

fn idle_of<'a>(processors: impl Iterator<Item = &'a Processor> + Clone) -> f64 {
    let all: u64 = processors.clone().map(Processor::all_ns).sum();
    processors.map(|row| row.idle_ns).sum::<u64>() as f64 / all.max(1) as f64
}

/// Processes, the one that ran most first: of one CPU or of all. Those of one name, such as compilers, are taken together.
fn hogs(scene: &Scene, cpu: &Cpu, only: Option<u32>) -> (String, Vec<Who>) {
    let on = |row: &Running| match only {
        Some(number) => row.on.get(&number).copied().unwrap_or(0),
        None => row.ran_ns,
    };
    let of_all = if only.is_some() { 1.0 } else { cpu.processors.len() as f64 };
    let mut groups: BTreeMap<&str, Vec<&Running>> = BTreeMap::new();
    for row in cpu.ran().filter(|row| on(row) > 0 && !is_background(&row.class)) {
        groups.entry(row.who.comm.as_deref().unwrap_or("")).or_default().push(row);
    }
    let sum = |rows: &[&Running]| rows.iter().map(|row| on(row)).sum::<u64>();
    let most = groups.into_iter().max_by_key(|(_, rows)| sum(rows));
    let Some((comm, mut rows)) = most.filter(|(_, rows)| scene.share(sum(rows)) >= HOG * of_all) else {
        return ("no process has a quarter of it".to_owned(), Vec::new());
    };
    let ns = sum(&rows);
    rows.sort_by_key(|row| Reverse(on(row)));
    let share = format::percent(100.0 * scene.share(ns) / of_all);
    let whos: Vec<Who> = rows.iter().map(|row| row.who.clone()).collect();
    let who = match &whos[..] {
        [_] => format!("{} has", with_class(rows[0])),
        many => format!("{} processes named {} have", many.len(), crate::escape::escape(comm)),
    };
    (format!("{who} {share} of it"), whos)
}

/// `rt-loop 812 (fifo 40)`.
fn with_class(row: &Running) -> String {
    row.class.as_ref().map_or_else(|| name(&row.who), |class| format!("{} ({class})", name(&row.who)))
}

/// Real-time tasks that have half of a CPU, with its number and how much they have.
fn realtime<'a>(scene: &'a Scene, cpu: &'a Cpu) -> impl Iterator<Item = (&'a Running, u32, f64)> {
    let rows = cpu.ran().filter(|row| is_realtime(&row.class));
    let places = rows.flat_map(move |row| row.on.iter().map(move |(&number, &ns)| (row, number, scene.share(ns))));
    places.filter(|(_, _, share)| *share >= TAKEN)
}

fn victims<'a>(rows: impl Iterator<Item = &'a Who>, hogs: &[Who]) -> Vec<Who> {
    let is_hog = |who: &&Who| hogs.iter().any(|hog| hog.pid.is_some() && hog.pid == who.pid);
    let (own, others): (Vec<&Who>, Vec<&Who>) = rows.partition(is_hog);
    let mut victims: Vec<Who> = Vec::new();
    // Those who only have each other in their way are victims of each other.
    for who in others.into_iter().chain(own) {
        if !victims.iter().any(|known| known.pid == who.pid && known.comm == who.comm) {
            victims.push(who.clone());
        }
    }
    victims
}

fn host(scene: &Scene, cpu: &Cpu, waits: &Latency, lost_ns: u64) -> Finding {
    let (mut words, mut culprits) = hogs(scene, cpu, None);
    for (row, on, share) in realtime(scene, cpu) {
        if culprits == [row.who.clone()] {
            continue;
        }
        words += &format!("; {} has {} of CPU {on}", with_class(row), format::percent(100.0 * share));
        if !culprits.contains(&row.who) {
            culprits.push(row.who.clone());
        }
    }
    let ordinary = cpu.waited.iter().filter(|row| !is_background(&row.class));
    let victims = victims(ordinary.map(|row| &row.who), &culprits);
    let lost = scene.share(lost_ns);
    let number = cpu.processors.len();
    Finding {
        rule: RULE,
        statement: format!(
            "{} {} full: tasks wait {} to run, p99 {}; {words}; {}",
            number,
            verb(number, "CPU is", "CPUs are"),
            each_second(scene.ns_rate(lost_ns)),
            format::duration(waits.p99_ns),
            match victims.len() {
                0 => "nobody waits for 1 ms".to_owned(),
                many => format!("{} {} longest", names(&victims), verb(many, "waits", "wait")),
            }
        ),
        harm: lost,
        evidence: evidence(scene, cpu, waits),
        victims,
        culprits,
        doubts: doubts(cpu),
        next: "stillwatch cpu".into(),
        ..Finding::default()
    }
}

fn evidence(scene: &Scene, cpu: &Cpu, waits: &Latency) -> Vec<Evidence> {
    let of = |what: &str, value| Evidence { probe: "cpu", what: what.into(), value };
    vec![
        of("waits to run", Value::NanosecondsPerSecond(scene.ns_rate(waits.total_ns))),
        of("p99 of a wait", Value::Nanoseconds(waits.p99_ns)),
        of("longest wait", Value::Nanoseconds(waits.max_ns)),
        of("idle", Value::Percent(100.0 * idle_of(cpu.processors.iter()))),
    ]
}

/// Time that the CPUs were not there at all is in every wait.
fn doubts(cpu: &Cpu) -> Vec<String> {
    let all: u64 = cpu.processors.iter().map(Processor::all_ns).sum();
    let steal = cpu.processors.iter().map(|row| row.steal_ns).sum::<u64>() as f64 / all.max(1) as f64;
    let stolen = (steal >= STEAL)
        .then(|| format!("{} of the time the machine itself was not run", format::percent(100.0 * steal)));
    let no_walk = cpu.running.why().map(|why| format!("who ran is not known: {why}"));
    let mean = cpu.running_mean.as_ref().map(|mean| {
        format!("who ran in these very moments: it is known as the mean of {}", format::duration(mean.over_ns))
    });
    stolen.into_iter().chain(no_walk).chain(mean).collect()
}

/// Long waits for one CPU: those that ended there, and those that go on.
fn waits<'a>(scene: &Scene, cpu: &'a Cpu, number: u32) -> Vec<(&'a Who, u64)> {
    let ended = cpu.waited.iter().filter(|row| row.cpu == number && !is_background(&row.class));
    let going_on = cpu.waiting.value().into_iter().flatten();
    let going_on = going_on.filter(|row| row.cpu == number && row.age_ns >= LONG_NS && !is_background(&row.class));
    let going_on = going_on.map(|row| (&row.who, row.age_ns.min(scene.interval_ns())));
    ended.map(|row| (&row.who, row.total_ns)).chain(going_on).collect()
}

/// One CPU, of those of which others are idle, or that a real-time task has.
fn one(scene: &Scene, cpu: &Cpu, processor: &Processor) -> Option<Finding> {
    let here = waits(scene, cpu, processor.number);
    let waits_ns: u64 = here.iter().map(|(_, ns)| ns).sum();
    let lost = scene.share(waits_ns);
    let idle = processor.idle_ns as f64 / processor.all_ns().max(1) as f64;
    if lost < WAITS_ON_ONE || idle >= IDLE / 2.0 {
        return None;
    }
    let others = idle_of(cpu.processors.iter().filter(|other| other.number != processor.number));
    let number = processor.number;
    let takers: Vec<_> = realtime(scene, cpu).filter(|&(_, on, _)| on == number).collect();
    if others < IDLE * 2.0 && takers.is_empty() {
        return None;
    }
    let how = if takers.is_empty() {
        format!("is full while the others are idle {} of the time", format::percent(100.0 * others))
    } else {
        "is taken by a real-time task".to_owned()
    };
    let (words, culprits) = if takers.is_empty() {
        hogs(scene, cpu, Some(number))
    } else {
        // Whatever others of its name do.
        let words = takers
            .iter()
            .map(|(row, _, share)| format!("{} has {} of it", with_class(row), format::percent(100.0 * share)));
        (words.collect::<Vec<_>>().join(", "), takers.iter().map(|(row, ..)| row.who.clone()).collect())
    };
    let victims = victims(here.iter().map(|(who, _)| *who), &culprits);
    Some(Finding {
        rule: RULE,
        subject: number.to_string(),
        statement: format!(
            "CPU {number} {how}: {} {} {} for it; {words}",
            names(&victims),
            verb(victims.len(), "waits", "wait"),
            each_second(scene.ns_rate(waits_ns)),
        ),
        harm: lost,
        evidence: vec![
            Evidence {
                probe: "cpu",
                what: format!("waits of 1 ms and more for CPU {number}"),
                value: Value::NanosecondsPerSecond(scene.ns_rate(waits_ns)),
            },
            Evidence { probe: "cpu", what: format!("CPU {number} idle"), value: Value::Percent(100.0 * idle) },
            Evidence { probe: "cpu", what: "the others idle".into(), value: Value::Percent(100.0 * others) },
        ],
        victims,
        culprits,
        doubts: doubts(cpu),
        unknown: vec!["why they do not move: an affinity mask, a cpuset, or the scheduler".into()],
        next: "stillwatch cpu --slow 1ms".into(),
        ..Finding::default()
    })
}

fn cannot_tell(cpu: &Cpu, why: &Why) -> Finding {
    let number = cpu.processors.len();
    Finding {
        rule: RULE,
        statement: format!(
            "{number} {} busy all the time; cannot tell whether anybody waits for {}, because {why}",
            verb(number, "CPU is", "CPUs are"),
            verb(number, "it", "them"),
        ),
        evidence: vec![Evidence {
            probe: "cpu",
            what: "idle".into(),
            value: Value::Percent(100.0 * idle_of(cpu.processors.iter())),
        }],
        doubts: vec![format!("waits are not measured: {why}"), "a CPU that is busy may be in nobody's way".into()],
        next: "stillwatch cpu".into(),
        ..Finding::default()
    }
}
