//! The only clock: tick → sample → snapshot → sinks.

use std::{collections::BTreeMap, fs, io::Write, os::fd::OwnedFd, time::Duration};

use anyhow::{Context, Result};
use aya::Ebpf;
use jiff::Timestamp;
use tokio::{
    io::{Interest, unix::AsyncFd},
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
    probes::{self, Counters, cpu, filter, io, oom, syscalls, tcp},
    sample::{PressureTotals, Sample, StallTotals},
    sinks,
    snapshot::{
        Lost, Snapshot,
        between::{self, oom::reconstructed},
        oom::Kill,
        tcp::Events,
    },
};

/// A run, attached: everything that is read at a tick.
struct Attached {
    ebpf: Ebpf,
    syscalls: Option<syscalls::Reader>,
    io: Option<io::Reader>,
    tcp: Option<tcp::Reader>,
    oom: Option<oom::Reader>,
    cpu: Option<cpu::Reader>,
    names: Names,
    named_at: Instant,
    run_cost: Option<RunCost>,
    kernel_bytes: u64,
}

/// Attaches, measures and prints until the plan's count is reached, or until SIGINT or SIGTERM.
pub fn run(plan: &Plan, features: &Features) -> Result<()> {
    if plan.oom.as_ref().is_some_and(|oom| oom.last) {
        return last_kills(plan, features);
    }
    let mut attached = attach(plan, features)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    unless_enough_seen(runtime.block_on(ticks(plan, &mut attached)))
}

/// Whoever read us may have seen enough.
fn unless_enough_seen(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        result => result,
    }
}

/// Kills from before, as the kernel's log has them.
fn last_kills(plan: &Plan, features: &Features) -> Result<()> {
    let reports = oom::last::reports().map_err(anyhow::Error::msg)?;
    let (now, clock) = (Timestamp::now(), clock());
    // The log's clock is all there is; it stands still while the machine sleeps, as ours does.
    let moment = |at: Duration| {
        let ago = clock.saturating_sub(at);
        now.checked_sub(jiff::SignedDuration::try_from(ago).unwrap_or_default()).unwrap_or(now)
    };
    let mut kills: Vec<_> = reports.iter().flat_map(|report| reconstructed(report, moment)).collect();
    attribution::oom::kills(&mut kills, &mut Names::new(features), plan);
    let from = kills.len().saturating_sub(if plan.json { usize::MAX } else { plan.top });
    if kills.is_empty() && !plan.json {
        println_unless_closed("the kernel's log has no kill for want of memory")?;
    }
    unless_enough_seen(sinks::of(plan).kills(&kills[from..]).map_err(Into::into))
}

fn println_unless_closed(line: &str) -> Result<()> {
    unless_enough_seen(writeln!(std::io::stdout(), "{line}").map_err(Into::into))
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
    let oom = match &plan.oom {
        Some(plan) => Some(oom::Reader::new(&mut loaded.ebpf, plan, processors)?),
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
    })
}

async fn ticks(plan: &Plan, attached: &mut Attached) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    #[cfg(feature = "kernel-log")]
    tokio::spawn(kernel_log(aya_log::EbpfLogger::init(&mut attached.ebpf)?));
    let mut sink = sinks::of(plan);
    let mut prev = attached.sample(false)?;
    let mut tick = tokio::time::interval_at(Instant::now() + plan.interval, plan.interval);
    // A tick that comes late must not be followed by a burst of short ones.
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut live = tokio::time::interval_at(Instant::now() + LIVE, LIVE);
    live.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut calibration = Backoff::default();
    // Between ticks: kills, which are told at once, and the minutes before them, which do not wait for a long interval.
    let events = attached.oom.as_ref().map(oom::Reader::events).transpose()?;
    // SAFETY: it owns its descriptor, and keeps it open until it is dropped with the `AsyncFd` around it.
    let events = events.map(|events| unsafe { AsyncFd::register_with_interest(events, Interest::READABLE) });
    let events = events.transpose()?;
    let mut minutes = tokio::time::interval_at(Instant::now() + RECORDED, RECORDED);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tell_at = None;
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
            ready = happened(events.as_ref()) => {
                ready?;
                attached.drain();
                tell_at.get_or_insert_with(|| Instant::now() + SETTLES);
                continue;
            }
            () = until(tell_at) => {
                let (kills, more) = attached.kills(plan);
                if !kills.is_empty() {
                    sink.kills(&kills)?;
                }
                tell_at = more.then(|| Instant::now() + SETTLES);
                continue;
            }
            _ = minutes.tick(), if events.is_some() => {
                attached.record();
                continue;
            }
        };
        left = left.map(|left| left - 1);
        let last = last || left == Some(0);
        let next = attached.sample(last)?;
        let mut snapshot = Snapshot::between(&prev, &next, plan, attached.kernel_bytes);
        attribution::resolve(&mut snapshot, &mut attached.names, plan);
        sink.snapshot(&snapshot)?;
        let uncalibrated = next.usage.programs.is_none() && calibration.is_due();
        prev = next;
        if last {
            sink.finish()?;
            return Ok(());
        }
        if uncalibrated {
            attached.calibrate(plan.interval).await;
        }
    }
}

/// The time until a kill is told, in which the kernel writes its report and the victim's memory may become free.
const SETTLES: Duration = Duration::from_millis(100);
/// Distance of the points that are kept of the minutes before a kill.
const RECORDED: Duration = Duration::from_secs(1);

/// Something is in the ring.
async fn happened(events: Option<&AsyncFd<OwnedFd>>) -> std::io::Result<()> {
    match events {
        Some(events) => {
            events.readable().await?.clear_ready();
            Ok(())
        }
        None => std::future::pending().await,
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Passes messages of the kernel side on, for as long as the run lasts.
#[cfg(feature = "kernel-log")]
async fn kernel_log<T: log::Log + 'static>(logger: aya_log::EbpfLogger<T>) -> Result<()> {
    // SAFETY: the logger owns its descriptor, and keeps it open until it is dropped with the `AsyncFd` around it.
    let mut logger = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE)? };
    loop {
        let mut ready = logger.readable_mut().await?;
        ready.get_inner_mut().flush();
        ready.clear_ready();
    }
}

impl Attached {
    fn drain(&mut self) {
        if let Some(reader) = &mut self.oom {
            reader.drain();
        }
    }

    fn record(&mut self) {
        if let Some(reader) = &mut self.oom {
            reader.record(&mut self.names, clock().as_nanos() as u64);
        }
    }

    /// Kills that can be told now, and whether others have to wait.
    fn kills(&mut self, plan: &Plan) -> (Vec<Kill>, bool) {
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
    fn sample(&mut self, last: bool) -> Result<Sample> {
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
            oom,
            cpu,
        })
    }

    /// Single events that came since the last look, if there are any.
    fn events(&mut self, plan: &Plan) -> Result<Option<Events>> {
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
    async fn calibrate(&mut self, interval: Duration) {
        let Some(cost) = &mut self.run_cost else { return };
        let Some(window) = Window::open(&self.ebpf) else { return };
        tokio::time::sleep(CALIBRATION.min(interval / 4)).await;
        cost.learn(window, &self.ebpf);
    }
}

/// Names are kept this long between ticks.
const NAMES: Duration = Duration::from_secs(1);

/// While the kernel measures programs it does so for all of the host, and switching that on rewrites its code: a program that hardly
/// ever runs is waited for more and more patiently.
#[derive(Default)]
struct Backoff {
    tick: u32,
    due: u32,
}

impl Backoff {
    /// At every tick: at the first, the second, the fourth, the eighth …
    fn is_due(&mut self) -> bool {
        self.tick += 1;
        let due = self.tick > self.due;
        if due {
            self.due = self.tick.saturating_mul(2).saturating_sub(1);
        }
        due
    }
}

/// Between looks at single events: a person hardly sees the difference, and what a look costs is shared by more events.
const LIVE: Duration = Duration::from_millis(200);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_measured_less_and_less_often() {
        let mut backoff = Backoff::default();
        let due: Vec<u32> = (1..=40).filter(|_| backoff.is_due()).collect();
        assert_eq!(due, [1, 2, 4, 8, 16, 32]);
    }
}
