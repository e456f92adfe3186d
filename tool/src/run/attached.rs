//! Programs in the kernel, and everything that is read of them.

mod extras;

use std::{os::fd::OwnedFd, rc::Rc, time::Duration};

use anyhow::Result;
use aya::Ebpf;

use super::{
    budget::{Budget, Spent, Step},
    calibration::Calibration,
    host::now,
    readers::Readers,
    start::{Failed, Start, by_reason, none_left},
};
use crate::{
    between,
    cli::plan::{Mode, Plan},
    engine::Input,
    kernel::{
        btf::KernelBtf,
        cost::{self, Runs},
        facts::{self, Facts},
        features::{FOREIGN, Features},
        in_time,
        loader::{self, Hook, Links, Loaded},
        memory,
    },
    names::Names,
    probes::{self, Tick, With, filter, tcp},
    sample::{Moment, ReasonNames, Sample, Usage},
    snapshot::{Lost, Unavailable, tcp::Packet},
};

/// A run, attached: everything that is read at a tick.
pub struct Attached {
    pub ebpf: Ebpf,
    readers: Readers,
    /// What is measured of what was asked for.
    plan: Plan,
    /// What could not be attached.
    unavailable: Vec<Unavailable>,
    calibration: Calibration,
    /// How often programs ran until the last sample, and how long, where that is known.
    runs: Runs,
    programs: Duration,
    process: Duration,
    /// When; before the first there is nothing to compare with.
    sampled: Option<Moment>,
    budget: Budget,
    links: Links,
    kernel_bytes: u64,
    /// What cannot be measured, and why.
    pub missing: Vec<String>,
}

pub fn attach(plan: &Plan, features: &Features) -> Result<Attached> {
    let processors = aya::util::nr_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))?;
    let mut start = Start::new(plan);
    let Resolved { mut common, each, reasons } = resolve(&mut start, features)?;
    if !each.iter().any(|(_, facts)| facts.has(&facts::SCHED_QUEUED)) {
        start.plan.look_at_all_sleeps();
    }
    common.set(&facts::STARTED_NS, now().ns());
    let (loaded, mut readers, facts, kernel_bytes) = start.attempt(|plan| {
        let mut facts = common.clone();
        let running = plan.probes();
        each.iter().filter(|(probe, _)| running.contains(probe)).for_each(|(_, more)| facts.add(more));
        let (mut loaded, kernel_bytes) = load(plan, &mut facts, processors)?;
        let with = With { processors, facts: &facts, reasons: &reasons, refused: &loaded.refused, rest: plan.rest() };
        let readers = Readers::open(&mut loaded.ebpf, plan, &with)?;
        loaded.attach()?;
        Ok((loaded, readers, facts, kernel_bytes))
    })?;
    for (probes, why) in by_reason(&start.unavailable) {
        tracing::warn!("{probes} unavailable: {why}");
    }
    let mut missing = Vec::new();
    if features.privileges.first_pid_namespace == Some(false) {
        tracing::warn!("{FOREIGN}: processes keep the names that the kernel noted");
        missing.push(format!("names of processes ({FOREIGN})"));
    }
    for (hook, why) in &loaded.refused {
        tracing::warn!("no {hook}: {why}; carrying on without {}", hook.needed_for);
        missing.push(format!("{} ({hook}: {why})", hook.needed_for));
    }
    for (lost, why) in &facts.missing {
        tracing::warn!("{lost}: {why}");
        missing.push(format!("{lost} ({why})"));
    }
    let calibration = Calibration::begin(&loaded.ebpf);
    cost::trim();
    if let Some(reader) = &mut readers.oom.reader {
        reader.protect();
    }
    let plan = start.plan;
    Ok(Attached {
        ebpf: loaded.ebpf,
        readers,
        budget: Budget::new(plan.budget_percent, processors, extras::sheddable(&plan)),
        runs: Runs::new(),
        programs: Duration::ZERO,
        process: cost::process_time(),
        sampled: None,
        calibration,
        links: loaded.links,
        plan,
        unavailable: start.unavailable,
        kernel_bytes,
        missing,
    })
}

/// What the kernel's types say.
#[derive(Default)]
struct Resolved {
    common: Facts,
    /// What one probe needs beyond that: half of it would be in the way of others.
    each: Vec<(&'static str, Facts)>,
    reasons: Rc<ReasonNames>,
}

/// Nothing, where no program is to be loaded, or none can be.
fn resolve(start: &mut Start, features: &Features) -> Result<Resolved> {
    let probes: Vec<_> = probes::ALL.iter().filter(|probe| !(probe.hooks)(&start.plan).is_empty()).collect();
    if probes.is_empty() {
        return Ok(Resolved::default());
    }
    let btf = match KernelBtf::open() {
        Ok(btf) => btf,
        Err(error) => return start.without_programs(error.into()).map(|()| Resolved::default()),
    };
    let mut common = Facts::of_every_probe(&btf)?;
    filter::set(&start.plan.filter, &mut common, &btf, features)?;
    let mut each = Vec::new();
    for probe in probes {
        let mut facts = common.clone();
        match facts.resolve(probe.name, &btf) {
            Ok(()) => each.push((probe.name, facts)),
            Err(error) => start.leave_out(probe.name, error.into())?,
        }
    }
    let reasons = Rc::new(start.plan.tcp.as_ref().map(|_| tcp::reasons::resolve(&btf)).unwrap_or_default());
    Ok(Resolved { common, each, reasons })
}

/// Loads what a plan needs.
fn load(plan: &Plan, facts: &mut Facts, processors: usize) -> Result<(Loaded, u64), Failed> {
    let (mut hooks, mut entries, mut per_processor) = (vec![], vec![], vec![]);
    for probe in probes::ALL {
        (probe.set)(plan, facts);
        for hook in (probe.hooks)(plan) {
            match hooks.iter_mut().find(|known: &&mut Hook| known.name == hook.name) {
                // One program, which a run can do without only if all of its probes can.
                Some(known) => known.optional &= hook.optional,
                None => hooks.push(hook),
            }
        }
        entries.extend((probe.entries)(plan, processors as u32));
        per_processor.extend(probe.per_processor);
    }
    let maps =
        memory::maps(loader::OBJECT, &entries, &per_processor, processors as u32).map_err(anyhow::Error::from)?;
    let mut loaded = loader::load(facts, &entries, &hooks)?;
    if loaded.is_nothing() {
        return Ok((loaded, 0));
    }
    filter::fill(&plan.filter, &mut loaded.ebpf)?;
    Ok((loaded, maps.iter().map(|map| map.bytes(processors as u64)).sum()))
}

impl Attached {
    /// Where long sleeps can't be told from others without.
    pub fn looks_at_all_sleeps(&self) -> bool {
        self.plan.syscalls.as_ref().is_some_and(|syscalls| syscalls.mode == Mode::Blocked)
    }

    pub fn drain(&mut self) {
        if let Some(reader) = &mut self.readers.oom.reader {
            reader.drain();
        }
    }

    pub fn record(&mut self, names: &mut Names) {
        if let Some(reader) = &mut self.readers.oom.reader {
            reader.record(names, now().clock);
        }
    }

    /// Kills that can be told now, and whether others have to wait.
    pub fn kills(&mut self) -> Option<(Input, bool)> {
        let reader = self.readers.oom.reader.as_mut()?;
        let now = now();
        let (kills, more) = reader.kills(now.ns());
        Some((Input::Kills(Box::new(kills), now), more))
    }

    /// `last`: what waits for more to be known is told now.
    pub fn sample(&mut self, last: bool, names: &mut Names) -> Result<Sample> {
        in_time::begin_tick();
        self.calibration.learn(&self.ebpf);
        let now = now();
        let before = self.readers.are_there();
        let left_out = self.left_out();
        let mut tick = Tick { ebpf: &mut self.ebpf, names, now, last };
        let mut sample = self.readers.read(&mut tick, &left_out);
        let there = self.readers.are_there();
        before.iter().filter(|probe| !there.contains(probe)).for_each(|probe| self.detach(probe));
        sample.unavailable.extend(self.unavailable.iter().cloned());
        if there.is_empty() {
            return Err(none_left(&sample.unavailable));
        }
        self.say_what_is_left_out(&mut sample);
        // Probes that share a hook share its program, and each has counted all of its runs.
        let mut runs = Runs::new();
        for counters in self.readers.counters() {
            for &(program, count) in &counters.runs {
                let known: &mut u64 = runs.entry(program).or_default();
                *known = count.max(*known);
            }
            sample.lost.extend(&counters.lost);
        }
        sample.lost.push(Lost { cause: "reads that did not end in time", count: in_time::given_up() });
        sample.lost.push(Lost { cause: cost::RUNNING, count: cost::recursion_misses(&self.ebpf) });
        let more = self.more(&runs);
        let spent = self.spend(&more);
        self.runs = runs;
        sample.usage = Usage {
            process: self.process,
            // Of a probe that was not read it is not known how often its programs ran.
            programs: self.readers.work().then_some(self.programs),
            are_measured: self.calibration.knows(&more),
            rss_bytes: cost::rss_bytes(),
            kernel_bytes: self.kernel_bytes,
            pid: names.has_kernel_s_numbers().then(std::process::id),
        };
        if let Some(before) = self.sampled.replace(now) {
            let interval = now.clock.saturating_sub(before.clock);
            // The first look is none.
            let steps =
                if interval * 4 > self.plan.interval * 3 { self.budget.step(&spent, interval) } else { Vec::new() };
            for step in steps {
                match step {
                    Step::Shed(extra) => self.shed(extra),
                    Step::TryAgain(extra) => self.take_up(extra, &mut sample, names),
                }
            }
        }
        Ok(sample)
    }

    /// Runs since the last sample.
    fn more(&self, runs: &Runs) -> Runs {
        let more = runs.iter().map(|(&program, &now)| {
            let before = self.runs.get(program).copied().unwrap_or(0);
            (program, now.saturating_sub(before))
        });
        more.collect()
    }

    /// What was spent since the last sample, in which programs ran so often.
    fn spend(&mut self, runs: &Runs) -> Spent {
        let programs = self.calibration.cost_of(runs);
        self.programs += programs.values().sum::<Duration>();
        let process = cost::process_time();
        let before = std::mem::replace(&mut self.process, process);
        Spent { process: process.saturating_sub(before), programs }
    }

    /// Hooks that nobody reads any more what they count would only cost.
    fn detach(&mut self, probe: &str) {
        let all = |plan: &Plan| probes::ALL.iter().flat_map(|probe| (probe.hooks)(plan)).collect::<Vec<_>>();
        let before = all(&self.plan);
        self.plan = self.plan.clone().without(probe);
        let after = all(&self.plan);
        for hook in before.iter().filter(|hook| after.iter().all(|other| other.name != hook.name)) {
            loader::unload(&mut self.ebpf, hook);
        }
    }

    /// What wakes us when there is a kill to tell. Without it they are told at the interval's end.
    pub fn kill_events(&self) -> Option<OwnedFd> {
        let events = self.readers.oom.reader.as_ref()?.events();
        events.inspect_err(|error| tracing::warn!("kills are told at the end of an interval: {error}")).ok()
    }

    /// Single events that came since the last look, if there are any.
    pub fn events(&mut self) -> Option<Input> {
        if !self.readers.tcp.works() {
            return None;
        }
        let now = now();
        match self.readers.tcp.reader.as_mut()?.events(now.clock) {
            Ok(events) => Some(Input::Events(Box::new(events?), now)),
            Err(error) => {
                self.readers.tcp.fail("tcp", &error);
                None
            }
        }
    }

    /// Packets of connections that something happened to, that have come since.
    pub fn packets(&mut self) -> Vec<Packet> {
        let captured = self.readers.tcp.reader.as_mut().map(tcp::Reader::captured).unwrap_or_default();
        between::tcp::packets(&captured, now())
    }

    /// At every tick, after [`Self::sample`]: measures anew what our programs cost, where that is due.
    pub async fn calibrate(&mut self) {
        self.calibration.go_on(&self.ebpf, &self.runs, self.plan.interval).await;
    }
}
