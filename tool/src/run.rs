//! The only clock: tick → sample → snapshot → sinks.

mod attached;
mod host;

use std::{io::Write, os::fd::OwnedFd, time::Duration};

use anyhow::Result;
use jiff::Timestamp;
use tokio::{
    io::{Interest, unix::AsyncFd},
    signal::unix::{SignalKind, signal},
    time::{Instant, MissedTickBehavior},
};

use self::{
    attached::{Attached, attach},
    host::clock,
};
use crate::{
    attribution,
    cli::plan::Plan,
    kernel::features::Features,
    names::Names,
    probes::oom,
    sinks,
    snapshot::{Snapshot, between::oom::reconstructed},
};

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
