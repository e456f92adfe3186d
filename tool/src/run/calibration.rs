//! When it is measured what our programs cost: at the begin, now and then, and until it has been of each one that runs.

use std::{collections::BTreeMap, time::Duration};

use aya::Ebpf;

use crate::kernel::cost::{RunCost, Runs, Window};

/// Intervals between two looks, fewer at first: a host under load is not the idle one of the beginning.
const AGAIN: u32 = 20;
/// Long enough on a busy host.
const LONG: Duration = Duration::from_millis(50);

pub struct Calibration {
    /// `None` where the kernel won't.
    cost: Option<RunCost>,
    /// Open over ticks, where programs run too seldom.
    window: Option<Window>,
    /// Intervals until the next look, and from there until the one after it.
    left: u32,
    then: u32,
    unknown: Backoff,
}

impl Calibration {
    pub fn begin(ebpf: &Ebpf) -> Self {
        let cost = RunCost::calibrate(ebpf);
        if cost.is_none() {
            tracing::warn!("own kernel CPU is not measured: the kernel keeps no statistics of BPF programs");
        }
        Self { cost, window: None, left: 1, then: 1, unknown: Backoff::default() }
    }

    /// A look is due at the next tick.
    pub fn soon(&mut self) {
        (self.left, self.then) = (1, 1);
    }

    /// What such runs cost has been measured.
    pub fn knows(&self, runs: &Runs) -> bool {
        self.cost.as_ref().is_some_and(|cost| cost.knows(runs))
    }

    pub fn cost_of(&self, runs: &Runs) -> BTreeMap<&'static str, Duration> {
        self.cost.as_ref().map(|cost| cost.of(runs)).unwrap_or_default()
    }

    /// At the begin of every tick.
    pub fn learn(&mut self, ebpf: &Ebpf) {
        if let (Some(cost), Some(window)) = (&mut self.cost, &self.window) {
            cost.learn(window, ebpf);
        }
    }

    /// At the end of every tick, with all runs of programs. A tick is a part of what there is to measure: others run more dearly than those
    /// that it brings about.
    pub async fn go_on(&mut self, ebpf: &Ebpf, runs: &Runs, interval: Duration) {
        self.learn(ebpf);
        if self.is_due(ebpf, runs) {
            self.look(ebpf, interval).await;
        }
    }

    fn is_due(&mut self, ebpf: &Ebpf, runs: &Runs) -> bool {
        let is_known = self.knows(runs);
        self.window.take_if(|window| is_known || window.has_enough(ebpf));
        self.left = self.left.saturating_sub(1);
        let again = self.left == 0;
        if again {
            self.left = self.then;
            self.then = (self.then * 2).min(AGAIN);
        }
        !is_known && self.unknown.is_due() || again
    }

    /// Measures programs under the load that there is: for a moment where they run often, else until the next tick, or the one at which no run
    /// is of a program that has not been measured.
    async fn look(&mut self, ebpf: &Ebpf, interval: Duration) {
        let (Some(cost), None) = (&self.cost, &self.window) else { return };
        self.window = Window::open(ebpf, cost);
        tokio::time::sleep(LONG.min(interval / 4)).await;
        if self.window.as_ref().is_some_and(|window| window.has_enough(ebpf)) {
            self.learn(ebpf);
            self.window = None;
        }
    }
}

/// While the kernel measures programs it does so for all of the host, and switching that on rewrites its code: a program that hardly
/// ever runs is waited for more and more patiently.
#[derive(Default)]
struct Backoff {
    tick: u32,
    due: u32,
}

impl Backoff {
    /// At every tick: at the first, the second, the fourth, the eighth …
    fn is_due(&mut self) -> bool {
        self.tick += 1;
        let due = self.tick > self.due;
        if due {
            self.due = self.tick.saturating_mul(2).saturating_sub(1);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_measured_less_and_less_often() {
        let mut backoff = Backoff::default();
        let due: Vec<u32> = (1..=40).filter(|_| backoff.is_due()).collect();
        assert_eq!(due, [1, 2, 4, 8, 16, 32]);
    }
}
