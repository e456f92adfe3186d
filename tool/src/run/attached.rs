//! Programs in the kernel, and everything that is read of them.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use aya::Ebpf;
use jiff::Timestamp;
use tokio::time::Instant;

use super::host::{clock, pressure};
use crate::{
    attribution,
    cli::plan::Plan,
    kernel::{
        btf::KernelBtf,
        cost::{self, RunCost, Usage, Window},
        facts::{Facts, Reasons},
        features::Features,
        loader::{self, Hook},
        memory,
    },
    names::Names,
    probes::{self, Counters, cpu, filter, io, oom, syscalls, tcp},
    sample::Sample,
    snapshot::{Lost, between, oom::Kill, tcp::Events},
};

/// A run, attached: everything that is read at a tick.
pub struct Attached {
    pub ebpf: Ebpf,
    syscalls: Option<syscalls::Reader>,
    io: Option<io::Reader>,
    tcp: Option<tcp::Reader>,
    pub oom: Option<oom::Reader>,
    cpu: Option<cpu::Reader>,
    pub names: Names,
    named_at: Instant,
    run_cost: Option<RunCost>,
    pub kernel_bytes: u64,
    /// What cannot be measured, and why.
    pub missing: Vec<String>,
}

/// Names are kept this long between ticks.
const NAMES: Duration = Duration::from_secs(1);

/// Long enough to see some requests on a busy host.
const CALIBRATION: Duration = Duration::from_millis(50);

pub fn attach(plan: &Plan, features: &Features) -> Result<Attached> {
    let processors = aya::util::nr_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))?;
    let btf = KernelBtf::open()?;
    let mut facts = Facts::resolve(&btf)?;
    filter::set(&plan.filter, &mut facts, &btf, features)?;
    for probe in probes::ALL.iter().filter(|probe| probe.runs(plan)) {
        (probe.resolve)(&mut facts, &btf)?;
    }
    let reasons = plan.tcp.as_ref().map(|_| Reasons::resolve(&btf)).unwrap_or_default();
    drop(btf);
    facts.word("STARTED_NS", clock().as_nanos() as u64);
    let (mut hooks, mut entries, mut per_processor) = (vec![], vec![], vec![]);
    for probe in probes::ALL {
        (probe.set)(plan, &mut facts);
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
    let kernel_bytes =
        memory::maps(loader::OBJECT, &entries, &per_processor)?.iter().map(|map| map.bytes(processors as u64)).sum();
    let mut loaded = loader::load(&facts, &entries, &hooks)?;
    filter::fill(&plan.filter, &mut loaded.ebpf)?;
    let syscalls = match &plan.syscalls {
        Some(plan) => Some(syscalls::Reader::new(&mut loaded.ebpf, plan, processors)?),
        None => None,
    };
    let io = match &plan.io {
        Some(plan) => Some(io::Reader::new(&mut loaded.ebpf, plan, processors)?),
        None => None,
    };
    let tcp = match &plan.tcp {
        Some(_) => {
            let no_listeners = loaded.why_not(tcp::LISTENER_ITER);
            Some(tcp::Reader::new(&mut loaded.ebpf, processors, reasons, no_listeners)?)
        }
        None => None,
    };
    let oom = match &plan.oom {
        Some(plan) => Some(oom::Reader::new(&mut loaded.ebpf, plan, processors)?),
        None => None,
    };
    let cpu = match &plan.cpu {
        Some(plan) => Some(cpu::Reader::new(&mut loaded.ebpf, plan, processors, &facts)?),
        None => None,
    };
    loaded.attach()?;
    let mut missing = Vec::new();
    for (hook, why) in &loaded.refused {
        tracing::warn!("no {hook}: {why}; carrying on without {}", hook.needed_for);
        missing.push(format!("{} ({hook}: {why})", hook.needed_for));
    }
    for (lost, why) in &facts.missing {
        tracing::warn!("{lost}: {why}");
        missing.push(format!("{lost} ({why})"));
    }
    let run_cost = RunCost::calibrate(&loaded.ebpf);
    if run_cost.is_none() {
        tracing::warn!("own kernel CPU is not measured: the kernel keeps no statistics of BPF programs");
    }
    cost::trim();
    let mut oom = oom;
    if let Some(reader) = &mut oom {
        reader.protect();
    }
    Ok(Attached {
        ebpf: loaded.ebpf,
        syscalls,
        io,
        tcp,
        oom,
        cpu,
        names: Names::new(features),
        named_at: Instant::now(),
        run_cost,
        kernel_bytes,
        missing,
    })
}

impl Attached {
    pub fn drain(&mut self) {
        if let Some(reader) = &mut self.oom {
            reader.drain();
        }
    }

    pub fn record(&mut self) {
        if let Some(reader) = &mut self.oom {
            reader.record(&mut self.names, clock().as_nanos() as u64);
        }
    }

    /// Kills that can be told now, and whether others have to wait.
    pub fn kills(&mut self, plan: &Plan) -> (Vec<Kill>, bool) {
        let Some(reader) = &mut self.oom else { return (Vec::new(), false) };
        let (at, clock) = (Timestamp::now(), clock());
        let (sample, more) = reader.kills(clock.as_nanos() as u64);
        let mut kills = between::oom::kills(&sample, between::oom::moment(at, clock));
        attribution::oom::kills(&mut kills, &mut self.names, plan);
        (kills, more)
    }

    fn begin_names(&mut self) {
        self.named_at = Instant::now();
        self.names.tick();
    }

    /// `last`: what waits for more to be known is told now.
    pub fn sample(&mut self, last: bool) -> Result<Sample> {
        self.begin_names();
        let clock = clock();
        let now_ns = clock.as_nanos() as u64;
        // Probes that share a hook share its program, and each has counted all of its runs.
        let (mut runs, mut lost) = (BTreeMap::new(), Vec::new());
        let mut count = |counters: Counters| {
            for (program, count) in counters.runs {
                let known: &mut u64 = runs.entry(program).or_default();
                *known = count.max(*known);
            }
            lost.extend(counters.lost);
        };
        let mut syscalls = None;
        if let Some(reader) = &mut self.syscalls {
            let (mut sample, counters) = reader.read(&mut self.names, now_ns).context("reading the syscalls maps")?;
            reader.tidy(&mut sample);
            count(counters);
            syscalls = Some(sample);
        }
        let mut io = None;
        if let Some(reader) = &mut self.io {
            let (sample, counters) = reader.read(&mut self.ebpf, now_ns).context("reading the io maps")?;
            count(counters);
            io = Some(sample);
        }
        let mut tcp = None;
        if let Some(reader) = &mut self.tcp {
            let (sample, counters) = reader.read().context("reading the tcp maps")?;
            count(counters);
            tcp = Some(sample);
        }
        let mut oom = None;
        if let Some(reader) = &mut self.oom {
            reader.record(&mut self.names, now_ns);
            let (sample, counters) = reader.read(now_ns, last).context("reading the oom maps")?;
            count(counters);
            oom = Some(sample);
        }
        let mut cpu = None;
        if let Some(reader) = &mut self.cpu {
            let (sample, counters) = reader.read(now_ns).context("reading the cpu maps")?;
            count(counters);
            cpu = Some(sample);
        }
        lost.push(Lost { cause: cost::RUNNING, count: cost::recursion_misses(&self.ebpf) });
        Ok(Sample {
            at: Timestamp::now(),
            clock,
            usage: Usage {
                process: cost::process_time(),
                programs: self.run_cost.as_ref().and_then(|cost| cost.of(&runs)),
                rss_bytes: cost::rss_bytes(),
            },
            pressure: pressure(),
            lost,
            syscalls,
            io,
            tcp,
            oom,
            cpu,
        })
    }

    /// Single events that came since the last look, if there are any.
    pub fn events(&mut self, plan: &Plan) -> Result<Option<Events>> {
        let Some((reader, tcp)) = self.tcp.as_mut().zip(plan.tcp.as_ref()) else { return Ok(None) };
        let Some(sample) = reader.events().context("reading the events of tcp")? else { return Ok(None) };
        let mut events = Events::of(&sample, Timestamp::now(), clock(), tcp);
        // Names that were asked for a while ago may be another process's by now.
        if self.named_at.elapsed() >= NAMES {
            self.begin_names();
        }
        attribution::tcp::events(&mut events, &mut self.names, plan);
        Ok((!events.is_empty()).then_some(events))
    }

    /// Measures programs for which there was nothing to do when the run began, while they have.
    pub async fn calibrate(&mut self, interval: Duration) {
        let Some(cost) = &mut self.run_cost else { return };
        let Some(window) = Window::open(&self.ebpf) else { return };
        tokio::time::sleep(CALIBRATION.min(interval / 4)).await;
        cost.learn(window, &self.ebpf);
    }
}
