//! Looks at places that change, each done by a thread that no tick waits for, as often as it may cost.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    kernel::{
        cost::{children_time, since, thread_time},
        in_time::yield_to_others,
        search::Search,
    },
    sample::{Change, ChangeKind, Did, Moment, Watch},
};

/// Of one look; the earliest of more are left out.
const MOST: usize = 1024;

/// What a look is told.
pub struct Glance {
    pub now: Moment,
    /// When the look before this began.
    pub before: Option<Timestamp>,
    /// What the host keeps of the time from then on is told at the first look.
    pub since: Timestamp,
}

/// What a look has found.
#[derive(Default)]
pub struct Found {
    pub changes: Vec<Change>,
    pub left_out: u64,
    pub why: Option<String>,
}

/// Something that changes.
pub trait Watched: Send {
    fn look(&mut self, glance: &Glance, found: &mut Found);
}

pub struct Watching {
    area: &'static str,
    watched: Arc<Mutex<Vec<Box<dyn Watched>>>>,
    search: Search<Found>,
    /// When the look began that goes on, or was the last.
    begun: Option<Moment>,
    left_out: u64,
    why: Option<String>,
}

impl Watching {
    pub fn new(area: &'static str, (least, rest): (Duration, u32), watched: Vec<Box<dyn Watched>>) -> Self {
        let (watched, search) = (Arc::new(Mutex::new(watched)), Search::new(least, rest).spent(spent));
        Self { area, watched, search, begun: None, left_out: 0, why: None }
    }

    /// What the last look has found, if it has ended since; begins another if one is due, and `waits` for it for a moment.
    pub fn look(&mut self, now: Moment, since: Duration, waits: bool) -> Vec<Change> {
        let mut changes = self.search.found().map(|seen| self.take(seen)).unwrap_or_default();
        if self.search.is_due(now.clock) {
            // What the first look finds is of the first interval, which begins with it.
            let waits = waits && self.begun.is_some();
            changes.extend(self.begin(now, since, waits));
        }
        changes
    }

    fn take(&mut self, found: Found) -> Vec<Change> {
        (self.left_out, self.why) = (found.left_out, found.why);
        found.changes
    }

    fn begin(&mut self, now: Moment, since: Duration, waits: bool) -> Vec<Change> {
        let before = self.search.took().and(self.begun).map(|before| before.wall);
        let since = SignedDuration::try_from(since).ok().and_then(|since| now.wall.checked_sub(since).ok());
        let glance = Glance { now, before, since: since.unwrap_or(Timestamp::MIN) };
        let watched = self.watched.clone();
        self.begun = Some(now);
        let search = move || {
            yield_to_others();
            look(&watched, &glance)
        };
        if waits {
            return self.search.begin_and_wait(now.clock, search).map(|seen| self.take(seen)).unwrap_or_default();
        }
        self.search.begin(now.clock, search);
        Vec::new()
    }

    /// How its looks are.
    pub fn state(&self, now: Moment) -> Watch {
        let going_on = self.begun.filter(|_| self.search.goes_on());
        Watch {
            area: self.area,
            took: self.search.took(),
            goes_on: going_on.map(|begun| now.clock.saturating_sub(begun.clock)).filter(|time| !time.is_zero()),
            left_out: self.left_out,
            why: self.why.clone(),
        }
    }
}

/// Of this thread, and of what it had done for it.
fn spent() -> Duration {
    thread_time() + children_time()
}

fn look(watched: &Mutex<Vec<Box<dyn Watched>>>, glance: &Glance) -> Found {
    let mut found = Found::default();
    for one in watched.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
        one.look(glance, &mut found);
    }
    // By the end of a look, what it has seen was so.
    let took = SignedDuration::try_from(since(glance.now.clock)).unwrap_or_default();
    for change in found.changes.iter_mut().filter(|change| change.after.is_some()) {
        change.at = change.at.checked_add(took).unwrap_or(change.at);
    }
    if glance.is_first() {
        found.changes.retain(|change| change.at >= glance.since);
    }
    found.changes.sort_by_key(|change| change.at);
    let many = found.changes.len().saturating_sub(MOST);
    found.changes.drain(..many);
    found.left_out += many as u64;
    found
}

impl Glance {
    pub fn is_first(&self) -> bool {
        self.before.is_none()
    }

    /// Something that was not so at the look before.
    pub fn seen(&self, kind: ChangeKind, did: Did, what: impl Into<String>, source: &'static str) -> Change {
        Change { after: self.before, ..Self::kept(self.now.wall, kind, did, what, source) }
    }

    /// The same with its time, if that is later than the look before: what is earlier was not kept when it happened.
    pub fn at(&self, at: Option<Timestamp>, change: Change) -> Change {
        // The kernel's time of files is that of its last tick.
        const TICK: SignedDuration = SignedDuration::from_millis(20);
        let is_later = |at: &Timestamp| self.before.is_none_or(|before| before.duration_since(*at) < TICK);
        match at.filter(is_later) {
            Some(at) => Change { at, after: None, ..change },
            None => change,
        }
    }

    /// Something of which the host keeps when it was.
    pub fn kept(at: Timestamp, kind: ChangeKind, did: Did, what: impl Into<String>, source: &'static str) -> Change {
        let (from, to, author, pid, cgroup) = (None, None, None, None, None);
        Change { kind, did, what: what.into(), at, after: None, from, to, author, pid, cgroup, source }
    }

    /// The wall's time of a moment since boot, suspended time included.
    pub fn since_boot(&self, moment: Duration) -> Timestamp {
        let ago = SignedDuration::try_from(self.now.clock + self.now.asleep).unwrap_or_default()
            - SignedDuration::try_from(moment).unwrap_or_default();
        self.now.wall.checked_sub(ago).unwrap_or(self.now.wall)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The look of that second.
    pub fn glance(second: i64) -> Glance {
        let at = |second| Timestamp::from_second(1_772_366_400 + second).unwrap();
        let now =
            Moment { wall: at(second), clock: Duration::from_secs((1000 + second) as u64), asleep: Duration::ZERO };
        Glance { now, before: (second > 0).then(|| at(second - 1)), since: at(-3600) }
    }

    pub fn look(watched: &mut dyn Watched, second: i64) -> Vec<Change> {
        let mut found = Found::default();
        watched.look(&glance(second), &mut found);
        found.changes
    }

    struct Many(u64);

    impl Watched for Many {
        fn look(&mut self, glance: &Glance, found: &mut Found) {
            let one =
                |at| Glance::kept(glance.since_boot(Duration::from_secs(at)), ChangeKind::File, Did::Written, "x", "");
            found.changes.extend((0..self.0).rev().map(one));
        }
    }

    fn ended(watching: &mut Watching, second: i64) -> Vec<Change> {
        let now = glance(second).now;
        let mut changes = Vec::new();
        while watching.search.goes_on() {
            changes = watching.look(now, Duration::from_secs(600), false);
        }
        changes
    }

    #[test]
    fn a_first_look_goes_back_so_far_and_no_look_is_longer_than_its_bound() {
        let mut watching = Watching::new("many", (Duration::from_secs(1), 4000), vec![Box::new(Many(5000))]);
        let now = glance(0).now;
        assert!(watching.look(now, Duration::from_secs(600), false).is_empty());
        assert!(
            watching.state(now).took.is_none() && watching.state(glance(1).now).goes_on == Some(Duration::from_secs(1))
        );
        let found = ended(&mut watching, 0);
        assert_eq!(found.len(), MOST);
        assert!(found.windows(2).all(|pair| pair[0].at <= pair[1].at));
        // Of seconds 400 on after boot, which was a thousand ago.
        assert_eq!((watching.left_out, found[0].at), (4600 - MOST as u64, glance(5000 - MOST as i64 - 1000).now.wall));
        assert_eq!(watching.state(now).goes_on, None);
    }

    #[test]
    fn a_long_interval_has_what_was_found_at_its_end() {
        struct Once;
        impl Watched for Once {
            fn look(&mut self, glance: &Glance, found: &mut Found) {
                found.changes.push(glance.seen(ChangeKind::File, Did::Written, "x", ""));
            }
        }
        let mut watching = Watching::new("once", (Duration::from_secs(1), 4000), vec![Box::new(Once)]);
        let mut look = |second| watching.look(glance(second).now, Duration::ZERO, true);
        assert!(look(0).is_empty());
        let mut found = Vec::new();
        // A busy machine may take longer than is waited for.
        while found.len() < 2 {
            found.extend(look(60));
        }
        // Those of the first look, and of this one.
        let after: Vec<_> = found.iter().map(|change| change.after).collect();
        assert_eq!(after, [None, Some(glance(0).now.wall)]);
    }

    #[test]
    fn a_time_that_was_kept_counts_where_it_is_later_than_the_look_before() {
        let (first, later) = (glance(0), glance(9));
        let change = |glance: &Glance| glance.seen(ChangeKind::File, Did::Replaced, "x", "");
        let kept = |second| Some(glance(second).now.wall);
        assert_eq!(first.at(kept(-9), change(&first)).after, None);
        assert_eq!(later.at(kept(9), change(&later)).after, None);
        let before = later.at(kept(3), change(&later));
        assert_eq!((before.at, before.after), (later.now.wall, later.before));
        assert_eq!(later.at(None, change(&later)), change(&later));
    }
}
