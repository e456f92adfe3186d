//! When a sample was taken.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// One moment on all clocks: read together, once per look, and handed down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    pub wall: Timestamp,
    /// On the clock of the programs (`CLOCK_MONOTONIC`).
    pub clock: Duration,
    /// Time since boot that the machine was suspended for, which that clock leaves out.
    pub asleep: Duration,
}

impl Moment {
    /// On the clock of the programs.
    pub fn ns(&self) -> u64 {
        self.clock.as_nanos() as u64
    }

    /// How long ago something was, on the clock of the programs.
    pub fn since(&self, at_ns: u64) -> Duration {
        Duration::from_nanos(self.ns().saturating_sub(at_ns))
    }

    /// The wall's time of a moment on the clock of the programs.
    pub fn wall_at(&self, at_ns: u64) -> Timestamp {
        let ago = self.ns() as i64 - at_ns as i64;
        self.wall.checked_sub(SignedDuration::from_nanos(ago)).unwrap_or(self.wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_s_time_of_what_was_and_of_what_is_to_come() {
        let wall: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let now = Moment { wall, clock: Duration::from_secs(100), ..Moment::default() };
        assert_eq!(now.wall_at(98_500_000_000).to_string(), "2026-03-01T11:59:58.5Z");
        assert_eq!(now.wall_at(101_000_000_000).to_string(), "2026-03-01T12:00:01Z");
        assert_eq!((now.since(98_500_000_000).as_millis(), now.since(101_000_000_000).as_millis()), (1500, 0));
    }
}
