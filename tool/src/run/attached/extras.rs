//! What a run does without for a while, and how it is taken up again.

use anyhow::Result;

use super::Attached;
use crate::{
    cli::plan::{Mode, Plan},
    kernel::loader::{self, TASK_ITER},
    names::Names,
    probes::Tick,
    run::budget::Extra,
    sample::Sample,
    snapshot::{Level, Unavailable},
};

/// What a plan may have less of for a while.
pub fn sheddable(plan: &Plan) -> Vec<Extra> {
    let is_there = |extra: &Extra| match extra {
        Extra::Calls => plan.syscalls.as_ref().is_some_and(|syscalls| syscalls.mode == Mode::Exact),
        Extra::Drops => plan.tcp.as_ref().is_some_and(|tcp| tcp.drops),
        Extra::Switches => plan.cpu.is_some(),
        // All that a sleep in a call is measured by is at switches.
        Extra::Stalls => {
            let needs = plan.syscalls.as_ref().is_some_and(|syscalls| syscalls.mode == Mode::Blocked);
            plan.io.as_ref().is_some_and(|io| !io.devices_only) && !needs
        }
    };
    Extra::ALL.into_iter().filter(is_there).collect()
}

/// Probes that see nothing without it.
fn blinded(extra: Extra, plan: &Plan) -> Vec<&'static str> {
    match extra {
        Extra::Calls => vec!["syscalls"],
        Extra::Drops | Extra::Stalls => vec![],
        Extra::Switches if plan.syscalls.as_ref().is_some_and(|syscalls| syscalls.mode == Mode::Long) => {
            vec!["cpu", "syscalls"]
        }
        Extra::Switches => vec!["cpu"],
    }
}

impl Attached {
    /// Probes that are not read now.
    pub(super) fn left_out(&self) -> Vec<&'static str> {
        self.budget.without().flat_map(|extra| blinded(extra, &self.plan)).collect()
    }

    /// Says of a sample what is not in it.
    pub(super) fn say_what_is_left_out(&self, sample: &mut Sample) {
        let percent = self.plan.budget_percent;
        for probe in self.left_out() {
            let why = format!("not measured for a while, to cost no more than {percent}% of all CPUs (--budget)");
            sample.unavailable.push(Unavailable { probe, why });
        }
        let without: Vec<Extra> = self.budget.without().collect();
        if let Some(tcp) = &mut sample.tcp {
            tcp.no_drops = without.contains(&Extra::Drops);
        }
        if let Some(io) = &mut sample.io {
            io.no_stalls = without.contains(&Extra::Stalls);
        }
        sample.level = Level { budget_percent: percent, without: without.into_iter().map(Extra::name).collect() };
    }

    pub(super) fn shed(&mut self, extra: Extra) {
        self.calibration.soon();
        let percent = self.plan.budget_percent;
        tracing::warn!(
            "{} are not measured for a while, to cost no more than {percent}% of all CPUs (--budget)",
            extra.name()
        );
        self.switch(extra, true);
        self.detach_hooks(extra);
    }

    /// What was shed is measured again from this sample on.
    pub(super) fn take_up(&mut self, extra: Extra, sample: &mut Sample, names: &mut Names) {
        self.calibration.soon();
        if let Err(error) = self.attach_hooks(extra) {
            tracing::warn!("{} can't be measured again yet: {error:#}", extra.name());
            self.detach_hooks(extra);
            return self.budget.give_up(extra);
        }
        self.switch(extra, false);
        let mut tick = Tick { ebpf: &mut self.ebpf, names, now: sample.taken, last: false };
        for probe in blinded(extra, &self.plan) {
            self.readers.read_one(probe, &mut tick, sample);
        }
    }

    fn detach_hooks(&mut self, extra: Extra) {
        extra.hooks().iter().for_each(|hook| self.links.detach(&mut self.ebpf, hook));
    }

    /// What was noted of calls and waits that went on is not so any more; who is inside of one now, is walked over, as when the run began.
    fn attach_hooks(&mut self, extra: Extra) -> Result<()> {
        match extra {
            Extra::Calls => self.readers.syscalls.reader.as_mut().map_or(Ok(()), |reader| reader.forget())?,
            Extra::Stalls => self.readers.io.reader.as_mut().map_or(Ok(()), |reader| reader.forget_waits())?,
            Extra::Drops | Extra::Switches => {}
        }
        for hook in extra.hooks().iter().rev() {
            self.links.attach(&mut self.ebpf, hook)?;
        }
        if matches!(extra, Extra::Calls | Extra::Stalls) {
            loader::visit_again(&mut self.ebpf, TASK_ITER.name);
        }
        Ok(())
    }

    /// A part of a program is skipped, or is not any more.
    fn switch(&mut self, extra: Extra, off: bool) {
        if let (Extra::Switches, Some(reader)) = (extra, &mut self.readers.cpu.reader) {
            reader.shed(off);
        }
    }
}
