//! The only clock: tick → sample → snapshot → sinks.

mod attached;
mod audience;
mod budget;
mod calibration;
mod capture;
mod host;
mod readers;
mod recording;
mod replay;
mod slot;
mod start;

use std::{io::Write, os::fd::OwnedFd, time::Duration};

use anyhow::Result;
use tokio::{
    io::{Interest, unix::AsyncFd},
    signal::unix::{SignalKind, signal},
    time::{Instant, Interval, MissedTickBehavior},
};

use self::{
    attached::{Attached, attach},
    audience::Audience,
    capture::Capture,
    host::now,
    recording::{Opened, Recording, marked},
};
pub use self::{
    recording::{incidents, mark},
    replay::replay,
};
use crate::{
    attribution,
    between::oom::reconstructed,
    cli::{Refusal, plan::Plan},
    engine::{Engine, Input},
    for_tests,
    kernel::{capabilities, features::Features},
    names::{Host, Names},
    probes::{disk, oom},
    record::{Entry, Gap, Mark, Payload, Recorder},
    screen::Ask,
    selection,
    sinks::{self, Note, Out, Sink},
    snapshot::Snapshot,
};

/// Attaches, measures and prints until the plan's count is reached, or until SIGINT or SIGTERM.
pub fn run(plan: &Plan, features: &Features) -> Result<()> {
    if plan.oom.as_ref().is_some_and(|oom| oom.last) {
        return last_kills(plan, features);
    }
    if let Some(asked) = plan.disk.as_ref().and_then(|disk| disk.find.as_ref()) {
        return holders(asked, plan, features);
    }
    let mut attached = attach(plan, features)?;
    let recording = recording::open(plan, &attached.missing)?;
    let capture = Capture::open(plan)?;
    if let Err(error) = capabilities::keep() {
        tracing::warn!("rights that are not needed any more are kept: {error}");
    }
    let mut plan = plan.clone();
    if attached.looks_at_all_sleeps() {
        plan.look_at_all_sleeps();
    }
    let names = Names::new(Host::new(features, &plan.filter));
    let mut engine = Engine::new(&plan, names, attached.missing.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    unless_enough_seen(runtime.block_on(ticks(&plan, &mut attached, &mut engine, (recording, capture))))
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
    let now = now();
    // The log's clock is all there is; it stands still while the machine sleeps, as ours does.
    let moment = |at: Duration| now.wall_at(at.min(now.clock).as_nanos() as u64);
    let mut kills: Vec<_> = reports.iter().flat_map(|report| reconstructed(report, moment)).collect();
    attribution::oom::kills(&mut kills, &mut Names::new(Host::new(features, &plan.filter)));
    selection::keep(&mut kills, &plan.filter);
    let from = kills.len().saturating_sub(if plan.json { usize::MAX } else { plan.top });
    if kills.is_empty() && !plan.json {
        print_unless_closed("the kernel's log has no kill for want of memory\n")?;
    }
    unless_enough_seen(sinks::of(plan, Out::to(std::io::stdout())?).kills(&kills[from..]).map_err(Into::into))
}

/// Who holds something now.
fn holders(asked: &str, plan: &Plan, features: &Features) -> Result<()> {
    let found = disk::find::find(asked, now().wall);
    let mut found = found.map_err(|why| Refusal::value("--find <WHAT>", asked, &why))?;
    attribution::disk::holds(&mut found.holds, &mut Names::new(Host::new(features, &plan.filter)));
    unless_enough_seen(sinks::of(plan, Out::to(std::io::stdout())?).found(&found).map_err(Into::into))
}

fn print_unless_closed(text: &str) -> Result<()> {
    unless_enough_seen(std::io::stdout().write_all(text.as_bytes()).map_err(Into::into))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// Shows of an entry what was asked for.
fn show(sink: &mut dyn Sink, plan: &Plan, entry: Entry) -> std::io::Result<()> {
    match entry {
        Entry::Snapshot(mut snapshot) => {
            selection::select(&mut snapshot, plan);
            sink.snapshot(&snapshot)
        }
        Entry::Events(mut events) => {
            selection::events(&mut events, &plan.filter);
            if events.is_empty() { Ok(()) } else { sink.events(&events) }
        }
        Entry::Kills(mut kills) => {
            selection::keep(&mut kills, &plan.filter);
            if kills.is_empty() { Ok(()) } else { sink.kills(&kills) }
        }
        Entry::Mark(Mark { at, text }) => sink.note(at, Note::Mark { text: &text }),
        Entry::Dropped(Gap { at, entries, why }) => sink.note(at, Note::Gap { entries, why: &why }),
    }
}

/// Keeps an entry, whole, and shows what was asked for.
fn pass(
    audience: &mut Audience,
    plan: &Plan,
    (recorder, capture): (Option<&Recorder>, Option<&Capture>),
    entry: Option<Entry>,
) -> std::io::Result<()> {
    let Some(entry) = entry else { return Ok(()) };
    if let Some(capture) = capture {
        capture.see(&entry);
    }
    if let Entry::Snapshot(snapshot) = &entry {
        // Consequences are drawn again.
        for_tests::keep(|| Snapshot { findings: None, ..(**snapshot).clone() })?;
    }
    let payload = if recorder.is_some() || audience.is_screen() { Payload::of(&entry)? } else { None };
    if let (Some(recorder), Some(payload)) = (recorder, &payload) {
        recorder.keep(&entry, payload.clone());
    }
    match audience {
        Audience::Screen(screen) => {
            payload.into_iter().for_each(|payload| screen.show(payload));
            Ok(())
        }
        Audience::Reader { sink, .. } => show(&mut **sink, plan, entry),
    }
}

async fn ticks(
    plan: &Plan,
    attached: &mut Attached,
    engine: &mut Engine,
    (recording, capture): (Option<Opened>, Option<Capture>),
) -> Result<()> {
    let (recorder, mut marks) = match recording.map(Opened::begin).transpose()? {
        Some(Recording { recorder, marks }) => (Some(recorder), Some(marks)),
        None => (None, None),
    };
    let (recorder, capture) = (recorder.as_ref(), capture.as_ref());
    let show = |audience: &mut Audience, entry| pass(audience, plan, (recorder, capture), entry);
    let keep_packets = |attached: &mut Attached| {
        if let Some(capture) = capture {
            capture.packets(attached.packets());
        }
    };
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    #[cfg(feature = "kernel-log")]
    tokio::spawn(kernel_log(aya_log::EbpfLogger::init(&mut attached.ebpf)?));
    let first = attached.sample(false, &mut engine.names)?;
    if first.unavailable.len() == plan.probes().len() {
        return Err(start::none_left(&first.unavailable));
    }
    engine.feed(Input::Sample(Box::new(first)));
    recording::ready();
    let mut audience = Audience::of(plan, &attached.missing)?;
    // A first look soon, for what is going on already: it does not count as one of the intervals that were asked for.
    let mut first_look = plan.overview && plan.interval > FIRST_LOOK;
    let mut tick = interval(if first_look { FIRST_LOOK } else { plan.interval });
    let mut live = interval(LIVE);
    // Between ticks: kills, which are told at once, and the minutes before them, which do not wait for a long interval.
    let killed = attached.kill_events();
    // SAFETY: it owns its descriptor, and keeps it open until it is dropped with the `AsyncFd` around it.
    let killed = killed.map(|ring| unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) });
    let killed = killed.transpose()?;
    let mut minutes = interval(RECORDED);
    let mut tell_at = None;
    let mut left = plan.count;
    loop {
        let last = tokio::select! {
            biased;
            _ = interrupt.recv() => true,
            _ = terminate.recv() => true,
            news = audience.news() => match news? {
                Ask::End => true,
                Ask::Mark(text) => {
                    show(&mut audience, Some(Entry::Mark(Mark { at: now().wall, text })))?;
                    continue;
                }
            },
            text = marked(marks.as_mut()) => {
                show(&mut audience, Some(Entry::Mark(Mark { at: now().wall, text: text? })))?;
                continue;
            }
            _ = tick.tick() => false,
            _ = live.tick(), if plan.tcp.is_some() => {
                let events = attached.events();
                // Packets of what happens would be overwritten meanwhile.
                if events.is_none() && capture.is_none() {
                    live.reset_after(QUIET);
                }
                keep_packets(attached);
                if let Some(events) = events {
                    show(&mut audience, engine.feed(events).map(Entry::from))?;
                }
                continue;
            }
            ready = happened(killed.as_ref()) => {
                ready?;
                attached.drain();
                tell_at.get_or_insert_with(|| Instant::now() + SETTLES);
                continue;
            }
            () = until(tell_at) => {
                tell_at = None;
                if let Some((kills, more)) = attached.kills() {
                    show(&mut audience, engine.feed(kills).map(Entry::from))?;
                    tell_at = more.then(|| Instant::now() + SETTLES);
                }
                continue;
            }
            _ = minutes.tick(), if killed.is_some() && plan.interval > RECORDED => {
                attached.record(&mut engine.names);
                continue;
            }
        };
        if std::mem::take(&mut first_look) {
            tick = interval(plan.interval);
        } else {
            left = left.map(|left| left - 1);
        }
        let last = last || left == Some(0);
        let mut next = attached.sample(last, &mut engine.names)?;
        next.lost.push(audience.lost());
        next.lost.extend(recorder.map(Recorder::lost));
        next.lost.extend(capture.into_iter().flat_map(Capture::lost));
        keep_packets(attached);
        show(&mut audience, engine.feed(Input::Sample(Box::new(next))).map(Entry::from))?;
        if last {
            return Ok(audience.finish()?);
        }
        attached.calibrate().await;
    }
}

fn interval(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    // A tick that comes late must not be followed by a burst of short ones.
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Attaching takes most of a second: with this, something is on the screen after one and a half.
const FIRST_LOOK: Duration = Duration::from_millis(500);
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

/// Between looks at single events: a person hardly sees the difference, and what a look costs is shared by more events.
const LIVE: Duration = Duration::from_millis(200);
/// The same where there were none at the last.
const QUIET: Duration = Duration::from_millis(400);
