//! What a thread of its own looks for now and then, as often as it may cost; no tick waits for it longer than for anything else.

use std::time::Duration;

use super::{cost::thread_time, in_time::Later};

pub struct Search<T> {
    /// Between the begins of two.
    least: Duration,
    /// After one, this many times as long as it took of the CPU without one.
    rest: u32,
    /// What a thread, and what it had done for it, has taken so far.
    spent: fn() -> Duration,
    going_on: Later<(T, Duration)>,
    /// When the last began, on the programs' clock.
    begun: Option<Duration>,
    /// What the last one took that has ended.
    took: Option<Duration>,
}

impl<T: Send + 'static> Search<T> {
    pub fn new(least: Duration, rest: u32) -> Self {
        Self { least, rest, spent: thread_time, going_on: Later::default(), begun: None, took: None }
    }

    /// For one that has others do a part of it.
    pub fn spent(self, spent: fn() -> Duration) -> Self {
        Self { spent, ..self }
    }

    /// As often as it may cost from now on.
    pub fn set_rest(&mut self, rest: u32) {
        self.rest = rest;
    }

    pub fn goes_on(&self) -> bool {
        self.going_on.goes_on()
    }

    /// What the last one took that has ended; `None`: none has.
    pub fn took(&self) -> Option<Duration> {
        self.took
    }

    pub fn is_due(&self, now: Duration) -> bool {
        // A tick may come a little early.
        let rest = self.least.mul_f64(0.9).max(self.took.unwrap_or_default() * self.rest);
        !self.goes_on() && self.begun.is_none_or(|begun| now >= begun + rest)
    }

    pub fn begin(&mut self, now: Duration, search: impl FnOnce() -> T + Send + 'static) {
        self.begun = Some(now);
        self.going_on.begin(timed(self.spent, search));
    }

    /// What the last one has found, if it has ended since this was asked.
    pub fn found(&mut self) -> Option<T> {
        let (found, took) = self.going_on.found()?;
        self.took = Some(took);
        Some(found)
    }

    /// Begins one, and waits for what it finds for a moment.
    pub fn begin_and_wait(&mut self, now: Duration, search: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.begun = Some(now);
        let (found, took) = self.going_on.get(timed(self.spent, search))?;
        self.took = Some(took);
        Some(found)
    }
}

fn timed<T>(spent: fn() -> Duration, search: impl FnOnce() -> T) -> impl FnOnce() -> (T, Duration) {
    move || {
        let before = spent();
        let found = search();
        (found, spent().saturating_sub(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dear_is_searched_for_seldom() {
        let mut search = Search::<()>::new(Duration::from_secs(1), 4000);
        let due = |search: &Search<()>, seconds| search.is_due(Duration::from_secs(seconds));
        assert!(due(&search, 0));
        search.begun = Some(Duration::from_secs(10));
        assert_eq!([due(&search, 10), due(&search, 11)], [false, true]);
        search.took = Some(Duration::from_millis(3));
        assert_eq!([due(&search, 11), due(&search, 21), due(&search, 22)], [false, false, true]);
    }

    #[test]
    fn what_it_takes_of_the_cpu_is_known_when_it_has_ended() {
        let mut search = Search::new(Duration::ZERO, 1);
        search.begin(Duration::from_secs(1), || {
            let end = thread_time() + Duration::from_millis(5);
            while thread_time() < end {}
            7
        });
        assert!(!search.is_due(Duration::MAX) && search.took().is_none());
        let found = std::iter::from_fn(|| Some(search.found())).flatten().next();
        assert_eq!((found, search.goes_on()), (Some(7), false));
        assert!(search.took().is_some_and(|took| took >= Duration::from_millis(5)));
    }
}
