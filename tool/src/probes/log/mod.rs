//! The `log` probe: what was said then; `docs/probes/log.md` has the whole story. It has no hooks.
//!
//! Threads read, each what it is for, into piles that a tick takes: nothing that a log does or does not do holds up a tick.

mod files;
mod journal;
mod kernel;
mod source;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use aya::Ebpf;
use jiff::tz::TimeZone;

use self::source::{Clock, Inbox};
use super::{Counters, Probe, Read, Readable, Tick, With, journalctl};
use crate::{
    cli::plan,
    kernel::{in_time, loader::LoadError},
    sample::{self, LogSource, Moment, Said},
    snapshot::who::NOT_IN_TIME,
};

pub const PROBE: Probe = Probe { reads, ..Probe::without_hooks("log", "LOG_") };

fn reads() -> Vec<Readable> {
    let journal = journalctl::is_there().and_then(|()| journalctl::can_be_run());
    vec![
        Readable { from: "/dev/kmsg", needed_for: "the kernel's log", can: kernel::open().map(drop) },
        Readable { from: "journalctl", needed_for: "the journal", can: journal },
    ]
}

/// What it leaves out it counts by source.
#[cfg(test)]
pub fn causes() -> Vec<&'static str> {
    Vec::new()
}

/// For files: what hangs, hides others of its thread.
const THREADS: usize = 8;
/// What a thread has not come back from for so long, does not answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How far back it is looked for what is usual, by so many looks, no two nearer to each other than that.
const LOOKS: usize = 121;
const APART: Duration = Duration::from_secs(5);

pub struct Reader {
    plan: plan::Log,
    zone: TimeZone,
    /// Until its thread begins.
    kernel: Option<Result<kernel::TwoPlaces, String>>,
    inboxes: Vec<Followed>,
    /// Sources that cannot be read at all, and why.
    silent: Vec<(String, String)>,
    /// Lines of each source.
    past: HashMap<String, VecDeque<(Duration, u64)>>,
}

struct Followed {
    inbox: Arc<Inbox>,
    /// What its thread's hand was at when, first.
    hand: (u64, Duration),
}

impl Read for Reader {
    type Plan = plan::Log;
    type Part = sample::Log;

    fn open(_: &mut Ebpf, plan: &plan::Log, _: &With) -> Result<Self, LoadError> {
        Ok(Self {
            plan: plan.clone(),
            zone: TimeZone::system(),
            kernel: Some(kernel::open()),
            inboxes: Vec::new(),
            silent: Vec::new(),
            past: HashMap::new(),
        })
    }

    fn read(&mut self, tick: &mut Tick) -> std::io::Result<(sample::Log, Counters)> {
        // Not before: by now we have the rights that we keep.
        if let Some(kernel) = self.kernel.take() {
            self.begin(kernel, tick.now);
        }
        Ok((self.take(tick.now.clock), Counters::default()))
    }
}

impl Reader {
    fn begin(&mut self, kernel: Result<kernel::TwoPlaces, String>, now: Moment) {
        let since = self.plan.since;
        match kernel {
            Ok(places) => self.spawn(kernel::NAME, |inbox| kernel::follow(inbox, places, since, Clock::new(now))),
            Err(why) => self.silent.push((kernel::NAME.to_owned(), why)),
        }
        match journal::is_there(self.plan.journal.as_deref()) {
            Ok(()) => {
                let dir = self.plan.journal.clone();
                self.spawn(journal::NAME, |inbox| journal::follow(inbox, dir, since, Clock::new(now)));
            }
            Err(why) => self.silent.push((journal::NAME.to_owned(), why)),
        }
        let files = self.plan.files.clone();
        for some in files.chunks(files.len().div_ceil(THREADS).max(1)) {
            let zone = self.zone.clone();
            self.spawn(&some.join(" "), |inbox| files::follow(inbox, some, zone, Clock::new(now)));
        }
    }

    fn spawn<F: FnOnce() + Send + 'static>(&mut self, what: &str, follow: impl FnOnce(&Arc<Inbox>) -> F) {
        let inbox = Arc::new(Inbox::new(self.plan.grep.clone()));
        match begin(follow(&inbox)) {
            Ok(()) => self.inboxes.push(Followed { inbox, hand: (0, Duration::ZERO) }),
            Err(why) => self.silent.push((what.to_owned(), why)),
        }
    }

    fn take(&mut self, now: Duration) -> sample::Log {
        let mut log = sample::Log::default();
        let number = self.inboxes.iter().map(|followed| followed.inbox.sources().len()).sum();
        for followed in &mut self.inboxes {
            let hangs = followed.hangs(now);
            for source in followed.inbox.sources() {
                let mut pile = source.pile();
                let (lines, harm) = pile.take(number);
                log.lines.extend(lines);
                log.harm.extend(harm);
                let why = hangs.then(|| NOT_IN_TIME.to_owned()).or(pile.why.clone());
                let earlier = earlier(self.past.entry(source.name.clone()).or_default(), pile.counts.lines, now);
                let counts = why.map_or(Ok(pile.counts), Err);
                log.sources.push(LogSource { name: source.name.clone(), counts, earlier });
            }
        }
        let silent = self.silent.iter().cloned();
        log.sources.extend(silent.map(|(name, why)| LogSource { name, counts: Err(why), earlier: None }));
        self.past.retain(|name, _| log.sources.iter().any(|source| source.name == *name));
        log
    }
}

/// A thread that reads a log, after all others.
fn begin(read: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let begun = in_time::begin(move || {
        in_time::yield_to_others();
        read();
    });
    begun.ok_or_else(|| "no thread could be begun for it".to_owned())
}

/// The kernel's log by itself, for what is kept beside it.
pub struct KernelLines {
    /// Until its thread begins.
    places: Option<kernel::TwoPlaces>,
    inbox: Arc<Inbox>,
}

impl KernelLines {
    pub fn open() -> Result<Self, String> {
        Ok(Self { places: Some(kernel::open()?), inbox: Arc::default() })
    }

    /// Those since the last time. The thread begins with the first: by then we have the rights that we keep.
    pub fn take(&mut self, now: Moment) -> Vec<Said> {
        if let Some(places) = self.places.take()
            && let Err(why) = begin(kernel::follow(&self.inbox, places, Duration::ZERO, Clock::new(now)))
        {
            tracing::warn!("the kernel's log is not read: {why}");
        }
        self.inbox.sources().iter().flat_map(|source| source.pile().take(1).0).collect()
    }

    /// Lines that were too many.
    pub fn left_out(&self) -> u64 {
        self.inbox.sources().iter().map(|source| source.pile().counts.left_out).sum()
    }
}

impl Followed {
    fn hangs(&mut self, now: Duration) -> bool {
        let hand = self.inbox.hand();
        if self.hand.0 != hand {
            self.hand = (hand, now);
        }
        hand % 2 == 1 && now.saturating_sub(self.hand.1) >= PATIENCE
    }
}

/// How many lines there were until so long ago, ten minutes at the most; notes how many there are now.
fn earlier(past: &mut VecDeque<(Duration, u64)>, lines: u64, now: Duration) -> Option<(Duration, u64)> {
    let first = past.front().map(|&(at, lines)| (now.saturating_sub(at), lines));
    if past.back().is_none_or(|(at, _)| now.saturating_sub(*at) >= APART) {
        past.push_back((now, lines));
        past.drain(..past.len().saturating_sub(LOOKS));
    }
    first
}
