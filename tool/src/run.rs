//! The only clock: tick → sample → snapshot → sinks.

use std::{collections::BTreeMap, fs, time::Duration};

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
        cost::{self, RunCost, Usage, Window},
        facts::{Facts, Reasons},
        features::Features,
        loader, memory,
    },
    names::Names,
    probes::{self, Counters, cpu, filter, io, syscalls, tcp},
    sample::{PressureTotals, Sample, StallTotals},
    sinks,
    snapshot::{Lost, Snapshot, tcp::Events},
};

/// A run, attached: everything that is read at a tick.
struct Attached {
    ebpf: Ebpf,
    syscalls: Option<syscalls::Reader>,
    io: Option<io::Reader>,
    tcp: Option<tcp::Reader>,
    cpu: Option<cpu::Reader>,
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
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

fn attach(plan: &Plan, features: &Features) -> Result<Attached> {
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
            if !hooks.contains(&hook) {
                hooks.push(hook);
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
        Some(_) => Some(tcp::Reader::new(&mut loaded.ebpf, processors, reasons)?),
        None => None,
    };
    let cpu = match &plan.cpu {
        Some(plan) => Some(cpu::Reader::new(&mut loaded.ebpf, plan, processors, &facts)?),
        None => None,
    };
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
    Ok(Attached { ebpf: loaded.ebpf, syscalls, io, tcp, cpu, names: Names::new(features), run_cost, kernel_bytes })
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
    let mut live = tokio::time::interval_at(Instant::now() + LIVE, LIVE);
    live.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut left = plan.count;
    loop {
        let last = tokio::select! {
            biased;
            _ = interrupt.recv() => true,
            _ = terminate.recv() => true,
            _ = tick.tick() => false,
            _ = live.tick(), if plan.is_live() => {
                if let Some(events) = attached.events(plan)? {
                    sink.events(&events)?;
                }
                continue;
            }
        };
        let next = attached.sample()?;
        let mut snapshot = Snapshot::between(&prev, &next, plan, attached.kernel_bytes);
        attribution::resolve(&mut snapshot, &mut attached.names, plan);
        sink.snapshot(&snapshot)?;
        let uncalibrated = next.usage.programs.is_none();
        prev = next;
        left = left.map(|left| left - 1);
        if last || left == Some(0) {
            sink.finish()?;
            return Ok(());
        }
        if uncalibrated {
            attached.calibrate(plan.interval).await;
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
        let mut cpu = None;
        if let Some(reader) = &mut self.cpu {
            let (sample, counters) = reader.read(now_ns).context("reading the cpu maps")?;
            count(counters);
            cpu = Some(sample);
        }
        lost.push(Lost { cause: "program already running", count: cost::recursion_misses(&self.ebpf) });
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
            cpu,
        })
    }

    /// Single events that came since the last look, if there are any.
    fn events(&mut self, plan: &Plan) -> Result<Option<Events>> {
        let Some((reader, tcp)) = self.tcp.as_mut().zip(plan.tcp.as_ref()) else { return Ok(None) };
        let Some(sample) = reader.events().context("reading the events of tcp")? else { return Ok(None) };
        let mut events = Events::of(&sample, Timestamp::now(), clock(), tcp);
        // Names that were asked for at the last look may be another process's by now.
        self.names.tick();
        attribution::tcp::events(&mut events, &mut self.names, plan);
        Ok((!events.is_empty()).then_some(events))
    }

    /// Measures programs for which there was nothing to do when the run began, while they have.
    async fn calibrate(&mut self, interval: Duration) {
        let Some(cost) = &mut self.run_cost else { return };
        let Some(window) = Window::open(&self.ebpf) else { return };
        tokio::time::sleep(CALIBRATION.min(interval / 4)).await;
        cost.learn(window, &self.ebpf);
    }
}

/// Between looks at single events: a person does not see the difference, and ten looks a second at an empty ring cost nothing.
const LIVE: Duration = Duration::from_millis(100);

/// Long enough to see some requests on a busy host.
const CALIBRATION: Duration = Duration::from_millis(50);

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
            std::io::ErrorKind::NotFound => "no PSI in this kernel, or off: boot with psi=1".to_owned(),
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
