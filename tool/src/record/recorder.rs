//! Keeps what a run sees without making it wait: a thread of its own writes, and what a disk is too slow for stays in memory.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use super::{
    Entry, Gap, Payload,
    store::{Kept, Store, Wrong},
};
use crate::{
    cli::plan::Pins,
    snapshot::{
        Lost,
        finding::{Findings, State},
    },
};

/// What may wait for the disk: of a host with many rows, more than five minutes at an interval of a second.
const WAITING: usize = 32 << 20;
/// After an error it is tried again with the next entry, and after that long.
const AGAIN: Duration = Duration::from_secs(1);
/// A disk that hangs at the end of a run.
const PATIENCE: Duration = Duration::from_secs(3);

pub struct Recorder {
    queue: Arc<Queue>,
    pins: Pins,
}

#[derive(Default)]
struct Queue {
    state: Mutex<Backlog>,
    changed: Condvar,
}

#[derive(Default)]
struct Backlog {
    entries: VecDeque<Kept>,
    bytes: usize,
    /// In all, and since it was written down last.
    dropped: u64,
    untold: u64,
    over: bool,
    done: bool,
}

impl Recorder {
    pub fn new(store: Box<dyn Store>, pins: Pins) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let writer = queue.clone();
        thread::Builder::new().name("recorder".into()).spawn(move || writer.write_to(store))?;
        Ok(Self { queue, pins })
    }

    /// `payload`: the entry, as it is written.
    pub fn keep(&self, entry: &Entry, payload: Payload) {
        let (wrong, urgent) = wrong_in(entry, self.pins);
        let mut state = self.queue.state();
        state.bytes += payload.bytes.len();
        state.entries.push_back(Kept { payload, wrong, urgent });
        while state.bytes > WAITING && state.entries.len() > 1 {
            let oldest = state.entries.pop_front();
            state.bytes -= oldest.map_or(0, |oldest| oldest.payload.bytes.len());
            state.dropped += 1;
            state.untold += 1;
        }
        self.queue.changed.notify_all();
    }

    pub fn lost(&self) -> Lost {
        Lost { cause: "intervals that were not recorded", count: self.queue.state().dropped }
    }
}

impl Drop for Recorder {
    /// Waits for what is not written yet, but not for a disk that hangs.
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.over = true;
        self.queue.changed.notify_all();
        while !state.done {
            let left = state.entries.len();
            let news;
            (state, news) = self.queue.wait(state, PATIENCE);
            if !news && state.entries.len() == left {
                drop(state);
                return tracing::warn!("the disk does not answer: {} entries are not recorded", left + 1);
            }
        }
    }
}

/// What is wrong as an entry has it, of what begins an incident, and whether something began or ended with it.
fn wrong_in(entry: &Entry, pins: Pins) -> (Option<Wrong>, bool) {
    match entry {
        Entry::Snapshot(snapshot) => {
            let Some(Findings { open, over, .. }) = &snapshot.findings else { return (None, false) };
            let worst = open
                .iter()
                .filter(|open| pins.findings && open.now && open.finding.harm > 0.0)
                .map(|open| Wrong { harm: open.finding.harm, statement: open.finding.statement.clone() });
            let worst = worst.max_by(|a, b| a.harm.total_cmp(&b.harm));
            (worst, !over.is_empty() || open.iter().any(|open| open.state == State::Started))
        }
        Entry::Kills(kills) => {
            let victim = kills.iter().find_map(|kill| kill.victim.who.comm.clone());
            let statement = match victim {
                Some(comm) => format!("the kernel killed {} for want of memory", crate::escape::escape(&comm)),
                None => "the kernel killed a process for want of memory".to_owned(),
            };
            (pins.kills.then_some(Wrong { harm: KILL, statement }), true)
        }
        Entry::Mark(mark) => {
            let statement = format!("marked: {}", crate::escape::escape(&mark.text));
            (Some(Wrong { harm: 0.0, statement }), true)
        }
        Entry::Events(_) | Entry::Dropped(_) => (None, false),
    }
}

/// A finding of one says its harm itself.
const KILL: f64 = 0.1;

impl Queue {
    fn state(&self) -> MutexGuard<'_, Backlog> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False: there was no news for that long.
    fn wait<'a>(&self, state: MutexGuard<'a, Backlog>, most: Duration) -> (MutexGuard<'a, Backlog>, bool) {
        let (state, waited) = self.changed.wait_timeout(state, most).unwrap_or_else(PoisonError::into_inner);
        (state, !waited.timed_out())
    }

    /// The thread that writes.
    fn write_to(&self, mut store: Box<dyn Store>) {
        let mut failing = false;
        let mut state = self.state();
        loop {
            let Some(kept) = state.entries.pop_front() else {
                if state.over {
                    break;
                }
                (state, _) = self.wait(state, Duration::from_secs(3600));
                continue;
            };
            state.bytes -= kept.payload.bytes.len();
            let untold = state.untold;
            drop(state);
            let told = tell(&mut *store, &kept, untold);
            let untold = if told.is_ok() { untold } else { 0 };
            let result = told.and_then(|()| store.write(&kept));
            state = self.state();
            state.untold -= untold;
            match result {
                Ok(()) => {
                    if std::mem::take(&mut failing) {
                        tracing::warn!("the recording goes on");
                    }
                    self.changed.notify_all();
                }
                Err(error) => {
                    state.bytes += kept.payload.bytes.len();
                    state.entries.push_front(kept);
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!("nothing can be recorded: {error}; the last minutes are kept in memory");
                    }
                    if state.over {
                        tracing::warn!("{} entries are not recorded", state.entries.len());
                        break;
                    }
                    (state, _) = self.wait(state, AGAIN);
                }
            }
        }
        drop(state);
        if let Err(error) = store.close() {
            tracing::warn!("the end of the recording may be lost: {error}");
        }
        self.state().done = true;
        self.changed.notify_all();
    }
}

/// What was dropped stands before what comes after it.
fn tell(store: &mut dyn Store, next: &Kept, entries: u64) -> io::Result<()> {
    if entries == 0 {
        return Ok(());
    }
    let gap = Entry::Dropped(Gap { at: next.payload.at, entries, why: "the disk was too slow, or full".into() });
    let Some(payload) = Payload::of(&gap)? else { return Ok(()) };
    store.write(&Kept { payload, wrong: None, urgent: false })
}
