//! Pictures: what people would rather look at than read.

use jiff::{SignedDuration, Timestamp};

use super::{Block, Clock, Curve, Drawing, Picture, Point, Section, Shades, Unit, words::between};
use crate::{
    format,
    lead_up::LeadUp,
    report::story::{Story, Stretch, key},
    snapshot::{Latency, Pressure, oom::Kill, syscalls::Call, tcp},
    snapshot::{io::Device, ledger::Entry},
    table::Columns,
};

/// Of processes, besides all others.
const APART: usize = 4;
const HEAT: usize = 3;
const KILLS: usize = 3;
const GREW: usize = 3;

pub fn section(story: &Story, clock: &Clock) -> Section {
    let mut blocks = Vec::new();
    if let Some((from, to)) = story.span() {
        let frame = |title: String, unit, source: String, drawing| Picture {
            title,
            unit,
            source,
            from,
            to,
            times: clock.between(from, to),
            harm: harm(story),
            drawing,
        };
        let longest = story.stretches.iter().map(|it| it.to.duration_since(it.from)).max().unwrap_or_default();
        blocks.push(Block::Text(format!(
            "Each step is the mean of {} at most; shaded: a finding of harm held. Where nothing is drawn, nothing was measured.",
            format::duration(longest.as_nanos() as u64)
        )));
        blocks.extend(pressure(story).map(|drawing| {
            let source = "/proc/pressure: share of time in which some task, or all tasks, waited".to_owned();
            Block::Picture(frame("Pressure".to_owned(), Unit::Percent, source, drawing))
        }));
        blocks.extend(waits(story).map(|drawing| {
            let source = format!("{}: {}", Entry::NAME, meaning::<Entry>("lost_ns"));
            Block::Picture(frame("Time lost, by process".to_owned(), Unit::SecondsPerSecond, source, drawing))
        }));
        blocks.extend(heat(story).into_iter().map(|(title, source, shades)| {
            Block::Picture(frame(title, Unit::Nanoseconds, source, Drawing::Heat(shades)))
        }));
        blocks.extend(retransmits(story).map(|drawing| {
            let source =
                format!("{}: {}", source::<tcp::Flow>("segments"), "segments retransmitted, of all connections");
            Block::Picture(frame("Retransmitted".to_owned(), Unit::SegmentsPerSecond, source, drawing))
        }));
        blocks.extend(memory(story).map(|drawing| {
            let source = "/proc/meminfo: the least of each step".to_owned();
            Block::Picture(frame("Memory of the host".to_owned(), Unit::Bytes, source, drawing))
        }));
    }
    blocks.extend(story.kills.iter().filter_map(|kill| before(kill, clock)).take(KILLS).map(Block::Picture));
    Section { title: "Over time", blocks }
}

/// From the begin of a finding to its end, those that overlap as one.
fn harm(story: &Story) -> Vec<(Timestamp, Timestamp)> {
    let mut times: Vec<_> = story.harmful().iter().map(|told| (told.since, told.until)).collect();
    times.sort();
    let mut spans: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (from, to) in times {
        match spans.last_mut() {
            Some((_, last)) if from <= *last => *last = to.max(*last),
            _ => spans.push((from, to)),
        }
    }
    spans
}

fn curve(stretches: &[Stretch], name: &str, broken: bool, of: impl Fn(&Stretch) -> Option<f64>) -> Curve {
    let point = |it: &Stretch| Some(Point { from: it.from, to: it.to, value: of(it)? });
    Curve { name: name.to_owned(), broken, points: stretches.iter().filter_map(point).collect() }
}

fn pressure(story: &Story) -> Option<Drawing> {
    type Of = fn(&Pressure) -> f64;
    let all: [(&str, bool, Of); 5] = [
        ("CPU", false, |it| it.cpu.some),
        ("I/O", false, |it| it.io.some),
        ("I/O, all tasks", true, |it| it.io.full),
        ("memory", false, |it| it.memory.some),
        ("memory, all tasks", true, |it| it.memory.full),
    ];
    let of = |(name, broken, of): (&str, bool, Of)| {
        curve(&story.stretches, name, broken, |it| it.pressure.as_ref().map(|(pressure, _)| of(pressure)))
    };
    let curves: Vec<_> = all.into_iter().map(of).collect();
    curves.iter().any(|curve| !curve.points.is_empty()).then_some(Drawing::Curves(curves))
}

fn waits(story: &Story) -> Option<Drawing> {
    if story.stretches.iter().all(|it| it.lost_ns == 0) {
        return None;
    }
    let seconds = |it: &Stretch, ns: u64| Some(ns as f64 / 1e9 / it.measured());
    let most: Vec<_> = story.lost.most().into_iter().take(APART).collect();
    let of = |it: &Stretch, who| it.lost.get(&key(who)).copied().unwrap_or(0);
    let mut curves: Vec<_> = most
        .iter()
        .map(|share| curve(&story.stretches, &format::name(&share.who), false, |it| seconds(it, of(it, &share.who))))
        .collect();
    let others = |it: &Stretch| it.lost_ns - most.iter().map(|share| of(it, &share.who)).sum::<u64>();
    if story.stretches.iter().any(|it| others(it) > 0) {
        curves.push(curve(&story.stretches, "others", false, |it| seconds(it, others(it))));
    }
    Some(Drawing::Stack(curves))
}

/// Of the disks and calls that findings of harm are about: title, source, distributions.
fn heat(story: &Story) -> Vec<(String, String, Vec<Shades>)> {
    let mut found: Vec<(String, String, Vec<Shades>)> = Vec::new();
    for told in story.harmful() {
        let subject = told.worst.subject.as_str();
        // `postgres fsync`
        let call = subject.rsplit(' ').next().unwrap_or(subject);
        let disk = shades(&story.stretches, |it| it.disks.get(subject));
        let (title, source, shades) = if disk.is_empty() {
            let shades = shades(&story.stretches, |it| it.calls.get(call));
            let source = format!("{}.latency: {}", Call::NAME, meaning::<Call>("latency"));
            (format!("How long calls of {} took", crate::escape::escape(call)), source, shades)
        } else {
            let source = format!("{}: {}", source::<Device>("ios"), meaning::<Device>("total"));
            (format!("How long requests of {} took", crate::escape::escape(subject)), source, disk)
        };
        if !shades.is_empty() && found.len() < HEAT && found.iter().all(|(known, ..)| *known != title) {
            found.push((title, source, shades));
        }
    }
    found
}

fn shades<'a>(stretches: &'a [Stretch], of: impl Fn(&'a Stretch) -> Option<&'a Latency>) -> Vec<Shades> {
    let one = |it: &'a Stretch| {
        let mut counts: Vec<(u32, u64)> = Vec::new();
        for (from_ns, count) in of(it)?.histogram() {
            let octave = from_ns.max(1).ilog2();
            match counts.last_mut() {
                Some((last, sum)) if *last == octave => *sum += count,
                _ => counts.push((octave, count)),
            }
        }
        Some(Shades { from: it.from, to: it.to, counts })
    };
    stretches.iter().filter_map(one).collect()
}

fn retransmits(story: &Story) -> Option<Drawing> {
    let rate = |it: &Stretch| it.retransmitted.map(|(segments, time)| segments as f64 / time.as_secs_f64().max(1e-3));
    let curve = curve(&story.stretches, "segments", false, rate);
    curve.points.iter().any(|point| point.value > 0.0).then(|| Drawing::Curves(vec![curve]))
}

/// Where memory was what was wrong.
fn memory(story: &Story) -> Option<Drawing> {
    let about_memory = story.told.iter().any(|told| ["memory_stall", "oom_kill"].contains(&told.worst.rule));
    if !about_memory && story.kills.is_empty() {
        return None;
    }
    let mut curves =
        vec![curve(&story.stretches, "available", false, |it| it.memory.map(|memory| memory.available as f64))];
    if story.stretches.iter().any(|it| it.memory.is_some_and(|memory| memory.has_swap)) {
        curves.push(curve(&story.stretches, "swap free", false, |it| it.memory.map(|memory| memory.swap_free as f64)));
    }
    (!curves[0].points.is_empty()).then_some(Drawing::Curves(curves))
}

/// The minutes before a kill.
fn before(kill: &Kill, clock: &Clock) -> Option<Picture> {
    let lead_up: &LeadUp = kill.lead_up.as_deref()?;
    let at = |before: &std::time::Duration| kill.at.checked_sub(SignedDuration::try_from(*before).ok()?).ok();
    let times: Vec<Timestamp> = lead_up.before.iter().map(at).collect::<Option<_>>()?;
    let from = *times.first().filter(|_| times.len() > 1)?;
    let curve = |name: String, values: &mut dyn Iterator<Item = Option<u64>>| {
        let ends = times.iter().skip(1).chain([&kill.at]);
        let points = times.iter().zip(ends).zip(values);
        let point = |((from, to), value): ((&Timestamp, &Timestamp), Option<u64>)| {
            Some(Point { from: *from, to: *to, value: value? as f64 })
        };
        Curve { name, broken: false, points: points.filter_map(point).collect() }
    };
    let some = |values: &[u64]| values.iter().copied().map(Some).collect::<Vec<_>>();
    let mut curves = vec![curve("available".to_owned(), &mut some(&lead_up.available).into_iter())];
    if lead_up.swap_used.iter().any(|&used| used > 0) {
        curves.push(curve("swap used".to_owned(), &mut some(&lead_up.swap_used).into_iter()));
    }
    for process in lead_up.processes.iter().take(GREW) {
        let who = crate::snapshot::Who { pid: process.pid, comm: process.comm.clone(), ..Default::default() };
        curves.push(curve(format::name(&who), &mut process.bytes.iter().copied()));
    }
    Some(Picture {
        title: format!("Memory in the {} before {} was killed", between(from, kill.at), format::name(&kill.victim.who)),
        unit: Unit::Bytes,
        source: "/proc/meminfo, and resident memory of the processes that grew most".to_owned(),
        from,
        to: kill.at,
        times: clock.between(from, kill.at),
        harm: Vec::new(),
        drawing: Drawing::Curves(curves),
    })
}

fn source<R: Columns>(column: &str) -> &'static str {
    R::column(column).map_or("", |at| R::COLUMNS[at].source)
}

fn meaning<R: Columns>(column: &str) -> &'static str {
    R::column(column).map_or("", |at| R::COLUMNS[at].meaning)
}
