//! How often something is walked over that grows with the host: as often as it may cost, and no less on a host that is not large.

use std::time::Duration;

use super::cost::thread_time;

/// A walk over so many tasks takes a millisecond,
const FEW: u32 = 2048;
/// unless they have tens of thousands of descriptors.
const LONG: Duration = Duration::from_millis(20);

pub struct Pace {
    /// After a walk, so many times as long without one.
    rest: u32,
    /// When the last one began, on the programs' clock, and what it took of the CPU.
    last: Option<(Duration, Duration)>,
}

impl Pace {
    pub const fn new(rest: u32) -> Self {
        Self { rest, last: None }
    }

    /// `tasks`: those of the host.
    pub fn is_due(&self, now: Duration, tasks: u32) -> bool {
        self.has_rested(now) || tasks <= FEW && self.last.is_some_and(|(_, took)| took <= LONG)
    }

    /// Whatever the host is like.
    pub fn has_rested(&self, now: Duration) -> bool {
        self.last.is_none_or(|(at, took)| now >= at + took * self.rest)
    }

    pub fn walk<T>(&mut self, now: Duration, walk: impl FnOnce() -> T) -> T {
        let before = thread_time();
        let result = walk();
        self.note(now, thread_time().saturating_sub(before));
        result
    }

    /// One that took long by chance is not followed by a long time without any: beyond what is long it counts as twice the last one.
    fn note(&mut self, at: Duration, took: Duration) {
        let most = self.last.map_or(LONG, |(_, last)| LONG.max(2 * last));
        self.last = Some((at, took.min(most)));
    }

    /// How long ago the last one was.
    pub fn age(&self, now: Duration) -> Option<Duration> {
        self.last.map(|(at, _)| now.saturating_sub(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_host_is_walked_over_as_often_as_it_may_cost() {
        let (second, took) = (Duration::from_secs(1), Duration::from_millis(10));
        let pace = Pace { rest: 1000, last: Some((second, took)) };
        let due = |after: u64, tasks| pace.is_due(second * after as u32, tasks);
        assert_eq!([due(2, FEW), due(10, FEW + 1), due(11, FEW + 1)], [true, false, true]);
        let long = Pace { rest: 100, last: Some((second, 2 * LONG)) };
        assert_eq!([long.is_due(4 * second, FEW), long.is_due(5 * second, FEW)], [false, true]);
        assert!(Pace::new(1000).is_due(Duration::ZERO, u32::MAX));
        assert_eq!((pace.age(4 * second), Pace::new(1).age(second)), (Some(3 * second), None));
    }

    #[test]
    fn one_long_walk_on_a_small_host_is_chance() {
        let (mut pace, second) = (Pace::new(1000), Duration::from_secs(1));
        pace.note(second, 3 * LONG);
        assert!(pace.is_due(2 * second, FEW));
        pace.note(2 * second, 3 * LONG);
        assert!(!pace.is_due(3 * second, FEW) && pace.is_due(42 * second, FEW));
        pace.note(42 * second, LONG);
        assert!(pace.is_due(43 * second, FEW));
    }

    #[test]
    fn what_a_walk_takes_of_the_cpu_counts() {
        let mut pace = Pace::new(2);
        let end = thread_time() + Duration::from_millis(20);
        pace.walk(Duration::ZERO, || while thread_time() < end {});
        pace.walk(Duration::from_secs(1), || std::thread::sleep(Duration::from_millis(50)));
        assert!(pace.last.is_some_and(|(_, took)| took < Duration::from_millis(20)), "{:?}", pace.last);
    }
}
