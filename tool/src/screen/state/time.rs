//! Going back, and to where something happened.

use jiff::{SignedDuration, Timestamp, civil::Time};

use super::Machine;
use crate::screen::keys::Wish;

const MINUTE: SignedDuration = SignedDuration::from_secs(60);

impl Machine {
    pub(super) fn travel(&mut self, wish: Wish) {
        let Some((first, newest)) = self.timeline.span() else { return };
        let at = self.shown.as_ref().map_or(newest, |(number, _)| *number);
        let to = match wish {
            Wish::Freeze if self.recorded => {
                return self.says = Some("a recording stands still: ← and → step".to_owned());
            }
            Wish::Freeze if self.at.is_none() => Some(at),
            Wish::Freeze | Wish::Newest => None,
            Wish::First => Some(first),
            Wish::Earlier => Some(self.before(at).unwrap_or(first)),
            // At the newest one stays frozen: what comes is a step further.
            Wish::Later => Some(self.after(at).unwrap_or(newest)),
            Wish::Minutes(by) => Some(self.interval_at(self.moment(at) + MINUTE * by)),
            Wish::EventBefore => match self.remarkable().into_iter().rev().find(|&number| number < at) {
                Some(number) => Some(number),
                None => return self.says = Some("nothing happened before".to_owned()),
            },
            Wish::EventAfter => match self.remarkable().into_iter().find(|&number| number > at) {
                Some(number) => Some(number),
                None => return self.says = Some("nothing happened after".to_owned()),
            },
            _ => return,
        };
        // The end of a recording does not go on.
        self.at = if self.recorded { to.or(Some(newest)) } else { to };
        self.show();
    }

    fn moment(&self, number: u64) -> Timestamp {
        self.timeline.digest(number).map_or(Timestamp::default(), |digest| digest.at)
    }

    fn intervals(&self) -> impl DoubleEndedIterator<Item = (u64, Timestamp)> {
        let intervals = self.timeline.digests().filter(|(_, digest)| digest.what.is_interval());
        intervals.map(|(number, digest)| (number, digest.at))
    }

    fn before(&self, at: u64) -> Option<u64> {
        self.intervals().map(|(number, _)| number).rev().find(|&number| number < at)
    }

    fn after(&self, at: u64) -> Option<u64> {
        self.intervals().map(|(number, _)| number).find(|&number| number > at)
    }

    /// The interval in which that moment lies: the first that ends then, or later.
    fn interval_at(&self, moment: Timestamp) -> u64 {
        let newest = self.timeline.span().map_or(0, |(_, newest)| newest);
        self.intervals().find(|(_, at)| *at >= moment).map_or(newest, |(number, _)| number)
    }

    /// Intervals in which something happened: what stands between two intervals is shown with the one after it.
    fn remarkable(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = Vec::new();
        let mut happened = false;
        for (number, digest) in self.timeline.digests() {
            happened |= digest.what.is_remarkable();
            if digest.what.is_interval() && std::mem::take(&mut happened) {
                numbers.push(number);
            }
        }
        numbers
    }

    /// `14:02:30`, `14:02`, `-90s`.
    pub(super) fn jump(&mut self, text: &str) {
        let Some((first, newest)) = self.timeline.span() else { return };
        match self.moment_of(text.trim(), self.moment(newest)) {
            None => self.says = Some(format!("'{}' is no moment: 14:02:30, or -90s", text.trim())),
            Some(moment) if moment < self.moment(first) => {
                self.at = Some(first);
                self.says = Some("that is before what is kept: this is the first".to_owned());
            }
            Some(moment) if moment > self.moment(newest) => {
                self.at = Some(newest);
                self.says = Some("that is after what is kept: this is the newest".to_owned());
            }
            Some(moment) => self.at = Some(self.interval_at(moment)),
        }
        self.show();
    }

    fn moment_of(&self, text: &str, newest: Timestamp) -> Option<Timestamp> {
        if let Some(ago) = text.strip_prefix('-') {
            let ago: SignedDuration = ago.trim().parse().ok()?;
            return newest.checked_sub(ago).ok();
        }
        let time: Time = text.parse().ok()?;
        let day = newest.to_zoned(self.view.zone.clone()).date();
        let on =
            |day: jiff::civil::Date| Some(day.to_datetime(time).to_zoned(self.view.zone.clone()).ok()?.timestamp());
        // The last that there was: over midnight, yesterday's.
        on(day).filter(|at| *at <= newest + MINUTE).or_else(|| on(day.yesterday().ok()?))
    }
}
