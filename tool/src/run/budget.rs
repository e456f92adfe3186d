//! What we may cost, and what is given up for that.
//!
//! Over the budget for two intervals (a finding needs as many), the dearest of what a run can do without is shed, and so on until the
//! rest fits: its hooks are detached, or its part of a program that others need is skipped, and its tables say so. After a pause it is
//! tried again; each time that this is too dear again the pause is twice as long. Nothing in between: what a hook costs is mostly that it
//! is there (`docs/decisions/0021-budget.md`).

use std::{collections::BTreeMap, time::Duration};

/// What a run can do without for a while. What is not here is never shed: what devices do and because of whom, what TCP retransmits, kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// Calls one by one.
    Calls,
    /// Packets that are dropped.
    Drops,
    /// Waits in run queues, and sleeps that last.
    Switches,
    /// Who waits for disks, and sleeps for want of memory: the rest of what is done at switches.
    Stalls,
}

impl Extra {
    pub const ALL: [Self; 4] = [Self::Calls, Self::Drops, Self::Switches, Self::Stalls];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Calls => "system calls",
            Self::Drops => "dropped packets",
            Self::Switches => "run queues",
            Self::Stalls => "stalls",
        }
    }

    /// What is detached, in this order, and attached again in the opposite one: a call or a sleep whose end is not seen would go on for ever.
    pub const fn hooks(self) -> &'static [&'static str] {
        match self {
            Self::Calls => &["sys_enter", "sys_exit"],
            Self::Drops => &["kfree_skb"],
            // A part of a program that stalls need, too.
            Self::Switches => &[],
            Self::Stalls => &["sched_switch", "sched_waking"],
        }
    }

    /// Programs that run for it, and the share that it has in them.
    const fn programs(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Calls => &[("sys_enter", 1.0), ("sys_exit", 1.0)],
            Self::Drops => &[("kfree_skb", 1.0)],
            Self::Switches => &[("sched_switch", 0.5)],
            Self::Stalls => &[("sched_switch", 0.5), ("sched_waking", 1.0)],
        }
    }

    /// What goes before it, and comes back after it: without switches, no call is known to go on.
    const fn after(self) -> &'static [Self] {
        match self {
            Self::Stalls => &[Self::Calls, Self::Switches],
            _ => &[],
        }
    }
}

/// What an interval cost.
#[derive(Debug, Default)]
pub struct Spent {
    pub process: Duration,
    pub programs: BTreeMap<&'static str, Duration>,
}

impl Spent {
    fn for_extra(&self, extra: Extra) -> f64 {
        let of =
            |&(program, share): &(&str, f64)| self.programs.get(program).map_or(0.0, |time| time.as_secs_f64() * share);
        extra.programs().iter().map(of).sum()
    }

    fn all(&self) -> f64 {
        self.process.as_secs_f64() + self.programs.values().map(Duration::as_secs_f64).sum::<f64>()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Shed(Extra),
    TryAgain(Extra),
}

/// What became of one that was shed once.
struct Shed {
    extra: Extra,
    /// Intervals of its last pause.
    pause: u32,
    /// Of these, those that are left; it is measured at 0.
    left: u32,
    /// Intervals since it is measured again.
    since: u32,
}

pub struct Budget {
    /// Seconds per second.
    allowed: f64,
    /// Intervals in a row that cost more.
    over: u32,
    /// Those that may be shed.
    extras: Vec<Extra>,
    shed: Vec<Shed>,
}

/// Of the budget: what is not worth shedding.
const LITTLE: f64 = 0.05;
/// Of what is too much: what is not worth it, because it would hardly help.
const HELPS: f64 = 0.1;
/// Intervals of the first pause and of the longest.
const PAUSES: (u32, u32) = (8, 256);
/// Intervals after which one that came back is like one that never was away.
const SETTLED: u32 = 8;

impl Budget {
    /// `percent` of what all CPUs can do.
    pub fn new(percent: f64, processors: usize, extras: Vec<Extra>) -> Self {
        Self { allowed: percent / 100.0 * processors as f64, over: 0, extras, shed: Vec::new() }
    }

    /// What is not measured.
    pub fn without(&self) -> impl Iterator<Item = Extra> + '_ {
        self.shed.iter().filter(|shed| shed.left > 0).map(|shed| shed.extra)
    }

    /// After each interval.
    pub fn step(&mut self, spent: &Spent, interval: Duration) -> Vec<Step> {
        let allowed = self.allowed * interval.as_secs_f64();
        let all = spent.all();
        self.over = if all > allowed { self.over + 1 } else { 0 };
        if self.over > 1 {
            return self.shed(spent, all, allowed);
        }
        self.shed.iter_mut().filter(|shed| shed.left == 0).for_each(|shed| shed.since += 1);
        self.shed.retain(|shed| shed.left > 0 || shed.since < SETTLED);
        // One at a time: whether there is room for the next shows then.
        let is_tried = self.shed.iter().any(|shed| shed.left == 0);
        let waits = self.shed.iter_mut().filter(|shed| shed.left > 0);
        waits.for_each(|shed| shed.left = (shed.left - 1).max(1));
        let without: Vec<Extra> = self.without().collect();
        let is_free = |extra| without.iter().all(|other| !other.after().contains(&extra));
        let is_due = |shed: &&mut Shed| shed.left == 1 && !is_tried && self.over == 0 && is_free(shed.extra);
        let Some(due) = self.shed.iter_mut().find(is_due) else { return Vec::new() };
        (due.left, due.since) = (0, 0);
        vec![Step::TryAgain(due.extra)]
    }

    /// As much as it takes, as far as is known.
    fn shed(&mut self, spent: &Spent, mut all: f64, allowed: f64) -> Vec<Step> {
        let mut steps = Vec::new();
        while all > allowed
            && let Some(extra) = self.dearest(spent, all, allowed)
        {
            self.give_up(extra);
            steps.push(Step::Shed(extra));
            all -= spent.for_extra(extra);
        }
        steps
    }

    /// What helps most, or what has to go before it.
    fn dearest(&self, spent: &Spent, all: f64, allowed: f64) -> Option<Extra> {
        let without: Vec<Extra> = self.without().collect();
        let is_left = |extra: &Extra| self.extras.contains(extra) && !without.contains(extra);
        let dearest = |of: &[Extra], least: f64| {
            let costs = of.iter().copied().filter(is_left).map(|extra| (spent.for_extra(extra), extra));
            let worth = costs.filter(|(cost, _)| *cost >= least);
            worth.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, extra)| extra)
        };
        let wanted = dearest(&self.extras, (LITTLE * allowed).max(HELPS * (all - allowed)))?;
        dearest(wanted.after(), 0.0).or(Some(wanted))
    }

    /// Until its pause is over.
    pub fn give_up(&mut self, extra: Extra) {
        let (first, longest) = PAUSES;
        match self.shed.iter_mut().find(|shed| shed.extra == extra) {
            Some(shed) => {
                shed.pause = (shed.pause * 2).min(longest);
                shed.left = shed.pause;
            }
            None => self.shed.push(Shed { extra, pause: first, left: first, since: 0 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn spent(calls_ms: u64, drops_ms: u64, switches_ms: u64) -> Spent {
        let ms = Duration::from_millis;
        let programs = [("sys_exit", ms(calls_ms)), ("kfree_skb", ms(drops_ms)), ("sched_switch", ms(switches_ms))];
        Spent { process: ms(2), programs: programs.into() }
    }

    /// Of two CPUs: 20 ms in a second.
    fn budget() -> Budget {
        Budget::new(1.0, 2, Extra::ALL.to_vec())
    }

    #[test]
    fn a_moment_over_the_budget_is_none() {
        let mut budget = budget();
        for _ in 0..100 {
            assert_eq!(budget.step(&spent(190, 0, 0), SECOND), []);
            assert_eq!(budget.step(&spent(1, 1, 1), SECOND), []);
        }
    }

    #[test]
    fn a_storm_is_over_within_three_intervals() {
        let mut budget = budget();
        assert_eq!(budget.step(&spent(15, 10, 0), SECOND), []);
        assert_eq!(budget.step(&spent(15, 10, 0), SECOND), [Step::Shed(Extra::Calls)]);
        assert_eq!(budget.step(&spent(0, 10, 0), SECOND), []);
        assert_eq!(budget.without().collect::<Vec<_>>(), [Extra::Calls]);
        // Several at once.
        let mut budget = self::budget();
        assert_eq!(budget.step(&spent(400, 300, 10), SECOND), []);
        assert_eq!(budget.step(&spent(400, 300, 10), SECOND), [Extra::Calls, Extra::Drops].map(Step::Shed));
        assert_eq!(budget.step(&spent(0, 0, 10), SECOND), []);
    }

    #[test]
    fn stalls_go_last_and_come_back_first() {
        let mut budget = budget();
        assert_eq!(budget.step(&spent(2, 0, 400), SECOND), []);
        let shed = [Extra::Switches, Extra::Calls, Extra::Stalls].map(Step::Shed);
        assert_eq!(budget.step(&spent(2, 0, 400), SECOND), shed);
        let steps = (0..40).flat_map(|_| budget.step(&spent(0, 0, 0), SECOND));
        assert_eq!(steps.collect::<Vec<_>>(), [Extra::Stalls, Extra::Switches, Extra::Calls].map(Step::TryAgain));
    }

    #[test]
    fn what_costs_little_is_kept() {
        let mut budget = budget();
        // Nor is what hardly helps, where it is our own process that costs too much.
        let dear = Spent { process: SECOND / 20, programs: spent(2, 0, 4).programs };
        assert!((0..10).all(|_| budget.step(&dear, SECOND).is_empty()));
    }

    /// The storm goes on for so many intervals: when it was tried again.
    fn tried(intervals: u32, storm: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut budget = budget();
        let (mut is_on, mut tried) = (true, Vec::new());
        for at in 0..intervals {
            for step in budget.step(&spent(if is_on && storm(at) { 500 } else { 0 }, 0, 0), SECOND) {
                is_on = matches!(step, Step::TryAgain(_));
                if is_on {
                    tried.push(at);
                }
            }
        }
        tried
    }

    #[test]
    fn what_was_shed_is_tried_again_with_growing_pauses() {
        let at = tried(600, |_| true);
        let pauses: Vec<u32> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!((at[0], pauses), (8, vec![17, 33, 65, 129, 257]));
    }

    #[test]
    fn what_is_no_longer_dear_stays() {
        assert_eq!(tried(200, |at| at < 5), [8]);
        // Another storm much later begins with a short pause.
        assert_eq!(tried(400, |at| at < 5 || (100..105).contains(&at)), [8, 108]);
    }
}
