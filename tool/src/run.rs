//! The only clock: tick → sample → snapshot → sinks.

use std::{fs, io, time::Duration};

use anyhow::{Context, Result};
use aya::Ebpf;
use jiff::Timestamp;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, MissedTickBehavior},
};

use crate::{
    attribution,
    cli::plan::Plan,
    kernel::{
        btf::KernelBtf,
        cost::{self, RunCost, Usage},
        facts::Facts,
        features::Features,
        loader, memory,
    },
    names::Names,
    probes::{self, filter, syscalls::Reader},
    sample::{PressureTotals, Sample, StallTotals},
    sinks,
    snapshot::{Lost, Snapshot},
};

/// A run, attached: everything that is read at a tick.
struct Attached {
    ebpf: Ebpf,
    syscalls: Reader,
    names: Names,
    run_cost: Option<RunCost>,
    kernel_bytes: u64,
}

/// Attaches, measures and prints until the plan's count is reached, or until SIGINT or SIGTERM.
pub fn run(plan: &Plan, features: &Features) -> Result<()> {
    let mut attached = attach(plan, features)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(ticks(plan, &mut attached)) {
        // Whoever read us has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        result => result,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

fn attach(plan: &Plan, features: &Features) -> Result<Attached> {
    let processors = aya::util::nr_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))?;
    let btf = KernelBtf::open()?;
    let mut facts = Facts::resolve(&btf)?;
    filter::set(&plan.syscalls.filter, &mut facts, &btf, features)?;
    drop(btf);
    facts.word("STARTED_NS", clock().as_nanos() as u64);
    let (mut hooks, mut entries, mut per_processor) = (vec![], vec![], vec![]);
    for probe in probes::ALL {
        (probe.set)(plan, &mut facts);
        hooks.extend((probe.hooks)(plan));
        entries.extend((probe.entries)(plan, processors as u32));
        per_processor.extend(probe.per_processor);
    }
    let kernel_bytes =
        memory::maps(loader::OBJECT, &entries, &per_processor)?.iter().map(|map| map.bytes(processors as u64)).sum();
    let mut loaded = loader::load(&facts, &entries, &hooks)?;
    filter::fill(&plan.syscalls.filter, &mut loaded.ebpf)?;
    let syscalls = Reader::new(&mut loaded.ebpf, &plan.syscalls, processors)?;
    loaded.attach()?;
    for (hook, why) in &loaded.refused {
        tracing::warn!("no {hook}: {why}; carrying on without {}", hook.needed_for);
    }
    for (lost, why) in &facts.missing {
        tracing::warn!("{lost}: {why}");
    }
    let run_cost = RunCost::calibrate(&loaded.ebpf);
    if run_cost.is_none() {
        tracing::warn!("own kernel CPU is not measured: the kernel keeps no statistics of BPF programs");
    }
    cost::trim();
    Ok(Attached { ebpf: loaded.ebpf, syscalls, names: Names::new(features), run_cost, kernel_bytes })
}

async fn ticks(plan: &Plan, attached: &mut Attached) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    #[cfg(feature = "kernel-log")]
    tokio::spawn(kernel_log(aya_log::EbpfLogger::init(&mut attached.ebpf)?));
    let mut sink = sinks::of(plan);
    let mut prev = attached.sample()?;
    let mut tick = tokio::time::interval_at(Instant::now() + plan.interval, plan.interval);
    // A tick that comes late must not be followed by a burst of short ones.
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut left = plan.count;
    loop {
        let last = tokio::select! {
            _ = tick.tick() => false,
            _ = interrupt.recv() => true,
            _ = terminate.recv() => true,
        };
        let next = attached.sample()?;
        let mut snapshot = Snapshot::between(&prev, &next, plan, attached.kernel_bytes);
        attribution::resolve(&mut snapshot, &mut attached.names, plan);
        sink.snapshot(&snapshot)?;
        prev = next;
        left = left.map(|left| left - 1);
        if last || left == Some(0) {
            sink.finish()?;
            return Ok(());
        }
    }
}

/// Passes messages of the kernel side on, for as long as the run lasts.
#[cfg(feature = "kernel-log")]
async fn kernel_log<T: log::Log + 'static>(logger: aya_log::EbpfLogger<T>) -> Result<()> {
    use tokio::io::{Interest, unix::AsyncFd};
    // SAFETY: the logger owns its descriptor, and keeps it open until it is dropped with the `AsyncFd` around it.
    let mut logger = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE)? };
    loop {
        let mut ready = logger.readable_mut().await?;
        ready.get_inner_mut().flush();
        ready.clear_ready();
    }
}

impl Attached {
    fn sample(&mut self) -> Result<Sample> {
        self.names.tick();
        let clock = clock();
        let (mut syscalls, mut runs) =
            self.syscalls.read(&mut self.names, clock.as_nanos() as u64).context("reading the syscalls maps")?;
        self.syscalls.tidy(&mut syscalls);
        let programs = self.run_cost.as_ref().map(|cost| self.syscalls.program_ns(&runs, cost));
        runs.lost.push(Lost { cause: "program already running", count: cost::recursion_misses(&self.ebpf) });
        Ok(Sample {
            at: Timestamp::now(),
            clock,
            usage: Usage {
                process: cost::process_time(),
                programs: programs.map(|ns| Duration::from_nanos(ns as u64)),
                rss_bytes: cost::rss_bytes(),
            },
            pressure: pressure(),
            lost: runs.lost,
            syscalls,
        })
    }
}

/// `CLOCK_MONOTONIC`, which the programs read as `bpf_ktime_get_ns`.
fn clock() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills the structure it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Totals from `/proc/pressure`, or why there are none.
fn pressure() -> Result<PressureTotals, String> {
    let read = |resource| {
        let text = fs::read_to_string(format!("/proc/pressure/{resource}")).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "no PSI in this kernel, or off: boot with psi=1".to_owned(),
            // The file is there, but opening or reading it fails while PSI is switched off.
            _ => format!("PSI is off: boot with psi=1 ({error})"),
        })?;
        let total = |kind| {
            let line = text.lines().find(|line| line.starts_with(kind))?;
            line.rsplit_once("total=")?.1.trim().parse().ok()
        };
        let time = |kind| Duration::from_micros(total(kind).unwrap_or(0));
        Ok::<_, String>(StallTotals { some: time("some"), full: time("full") })
    };
    Ok(PressureTotals { cpu: read("cpu")?, io: read("io")?, memory: read("memory")? })
}
