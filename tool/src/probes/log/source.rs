//! A log that is followed: what a thread has read of it, until a tick takes it.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    kernel::cost::since,
    log_line::{Harm, LONGEST, Severity, TimeOf, text},
    sample::{LineAt, LineCounts, Moment, Said},
};

/// Lines of a source that are kept of an interval: the first, and as many last ones.
const EDGE: usize = 100;
/// Their text, of all sources together.
const BYTES: usize = 64 << 10;
/// Of one source, at least.
const LEAST: usize = 1024;
/// Lines that mean harm, of an interval.
const HARM: usize = 64;

/// What one thread follows.
#[derive(Default)]
pub struct Inbox {
    sources: Mutex<Vec<Arc<Source>>>,
    /// Odd: the thread is about to touch what may not answer.
    hand: AtomicU64,
    /// Only lines with these words are kept.
    grep: Option<String>,
}

pub struct Source {
    pub name: String,
    pile: Mutex<Pile>,
}

#[derive(Default)]
pub struct Pile {
    pub counts: LineCounts,
    /// Why nothing is known of it.
    pub why: Option<String>,
    first: Edge,
    last: Edge,
    harm: Vec<(Said, Harm)>,
    /// Of text at each edge.
    room: usize,
    grep: Option<String>,
}

/// Lines of an interval that are kept.
#[derive(Default)]
struct Edge {
    lines: VecDeque<Said>,
    bytes: usize,
}

impl Edge {
    fn push(&mut self, line: Said) {
        self.bytes += line.text.len();
        self.lines.push_back(line);
    }

    /// One line has room always.
    fn is_full(&self, room: usize, more: usize) -> bool {
        !self.lines.is_empty() && (self.lines.len() >= EDGE || self.bytes + more > room)
    }

    fn pop(&mut self) -> Option<Said> {
        let line = self.lines.pop_front()?;
        self.bytes -= line.text.len();
        Some(line)
    }
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inbox {
    pub fn new(grep: Option<String>) -> Self {
        Self { grep, ..Self::default() }
    }

    pub fn add(&self, name: &str) -> Arc<Source> {
        let pile = Mutex::new(Pile { room: BYTES / 16, grep: self.grep.clone(), ..Pile::default() });
        let source = Arc::new(Source { name: name.to_owned(), pile });
        locked(&self.sources).push(source.clone());
        source
    }

    pub fn sources(&self) -> Vec<Arc<Source>> {
        locked(&self.sources).clone()
    }

    /// What is not followed any more.
    pub fn remove(&self, source: &Arc<Source>) {
        locked(&self.sources).retain(|other| !Arc::ptr_eq(other, source));
    }

    /// Does something that may hang.
    pub fn touch<T>(&self, work: impl FnOnce() -> T) -> T {
        self.hand.fetch_add(1, Ordering::Relaxed);
        let done = work();
        self.hand.fetch_add(1, Ordering::Relaxed);
        done
    }

    pub fn hand(&self) -> u64 {
        self.hand.load(Ordering::Relaxed)
    }
}

impl Source {
    pub fn pile(&self) -> MutexGuard<'_, Pile> {
        locked(&self.pile)
    }
}

impl Pile {
    /// A line that was looked at.
    pub fn add(&mut self, line: Said) {
        self.counts.lines += 1;
        self.counts.errors += u64::from(line.severity.is_some_and(Severity::is_error));
        self.counts.new += u64::from(line.new == Some(true));
        if self.grep.as_ref().is_some_and(|words| !line.text.contains(words)) {
            self.counts.left_out += 1;
            return;
        }
        let (room, more) = (self.room.max(LEAST), line.text.len());
        if self.last.lines.is_empty() && !self.first.is_full(room, more) {
            return self.first.push(line);
        }
        while self.last.is_full(room, more) {
            self.last.pop();
            self.counts.left_out += 1;
        }
        self.last.push(line);
    }

    pub fn add_harm(&mut self, line: &Said, harm: Harm) {
        self.counts.harm += 1;
        if self.harm.len() < HARM {
            self.harm.push((line.clone(), harm));
        }
    }

    /// Lines that nobody has looked at.
    pub fn skip(&mut self, lines: u64) {
        self.counts.lines += lines;
        self.counts.left_out += lines;
        self.counts.unread += lines;
    }

    /// What is there, of so many sources.
    pub fn take(&mut self, sources: usize) -> (Vec<Said>, Vec<(Said, Harm)>) {
        self.room = BYTES / 2 / sources.max(1);
        let lines = std::mem::take(&mut self.first.lines).into_iter().chain(std::mem::take(&mut self.last.lines));
        (self.first.bytes, self.last.bytes) = (0, 0);
        (lines.collect(), std::mem::take(&mut self.harm))
    }
}

/// The time, for a thread that was told it once.
pub struct Clock(Moment);

impl Clock {
    pub fn new(begin: Moment) -> Self {
        Self(begin)
    }

    /// On the clock of the programs.
    pub fn now(&self) -> Duration {
        self.0.clock + since(self.0.clock)
    }

    /// When it was told.
    pub fn begin(&self) -> Timestamp {
        self.0.wall
    }

    pub fn wall(&self) -> Timestamp {
        self.0.wall.checked_add(since(self.0.clock)).unwrap_or(self.0.wall)
    }
}

/// A line that came now, and of which nothing is known yet.
pub fn arrived(source: &str, bytes: &[u8], length: u64, now: Duration) -> Said {
    let (text, encoded) = text(&bytes[..bytes.len().min(LONGEST)]);
    Said {
        source: source.to_owned(),
        at: LineAt::Clock(now.as_nanos() as u64),
        time_of: TimeOf::Arrival,
        severity: None,
        unit: None,
        ident: None,
        pid: None,
        comm: None,
        cgroup: None,
        new: None,
        bytes: length,
        text,
        encoded,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_lines_with_some_words_are_kept() {
        let source = Inbox::new(Some("late".to_owned())).add("x");
        let mut pile = source.pile();
        for number in 0..1000 {
            let line = if number % 100 == 7 { format!("{number} is late") } else { format!("{number} is well") };
            pile.add(arrived("x", line.as_bytes(), line.len() as u64, Duration::ZERO));
        }
        let (kept, _) = pile.take(1);
        assert!(kept.len() == 10 && kept.iter().all(|line| line.text.contains("late")), "{kept:?}");
        assert_eq!((pile.counts.lines, pile.counts.left_out), (1000, 990));
    }

    proptest! {
        /// Whatever comes: what is kept and what is left out are all lines, the first and the last are there, and room is bounded.
        #[test]
        fn first_and_last_are_kept(lengths in prop::collection::vec(0_usize..6000, 0..700), skipped in 0_u64..9) {
            let mut pile = Pile::default();
            pile.take(1);
            for (number, &length) in lengths.iter().enumerate() {
                let mut line = format!("{number} ").into_bytes();
                line.resize(line.len() + length, b'x');
                pile.add(arrived("x", &line, line.len() as u64, Duration::ZERO));
            }
            pile.skip(skipped);
            let (kept, _) = pile.take(1);
            let counts = pile.counts;
            prop_assert_eq!(kept.len() as u64 + counts.left_out, counts.lines);
            prop_assert_eq!(counts.lines, lengths.len() as u64 + skipped);
            let number = |line: &Said| line.text.split_once(' ').unwrap().0.parse::<usize>().unwrap();
            if !lengths.is_empty() {
                prop_assert_eq!((number(&kept[0]), number(&kept[kept.len() - 1])), (0, lengths.len() - 1));
            }
            prop_assert!(kept.windows(2).all(|two| number(&two[0]) < number(&two[1])));
            prop_assert!(kept.iter().map(|line| line.text.len()).sum::<usize>() <= BYTES && kept.len() <= 2 * EDGE);
        }
    }
}
