//! Rules over snapshots: what is wrong, because of whom, how sure that is, and what to look at next.
//!
//! One file a rule, a pure function from a [`Scene`] to findings, which says in its head when it holds and why the bounds are what
//! they are. [`track::Tracker`] makes findings of intervals into ones that begin, go on and end; [`ruled_out`] says what is fine.
//! Nothing here reads a clock or asks the host.
//!
//! Findings are ranked by harm, not by how unusual a number is: seconds of processes' time lost per second ([`harm`]).

mod accept_queue;
mod before_it;
mod close_wait;
mod connects_failing;
mod cpu_saturated;
mod deleted_open;
mod descriptors;
mod device_saturated;
mod dirty_throttling;
mod disk_filling;
mod disk_full;
mod dropped;
mod failing_calls;
#[cfg(test)]
pub mod fixture;
pub mod harm;
mod held_back;
mod io_hung;
mod ledger;
mod memory_stall;
mod oom_kill;
mod ports_used_up;
mod quota;
mod resets;
mod retransmits;
mod ruled_out;
mod scene;
mod slow_calls;
mod softirq;
mod space;
mod stuck_tasks;
mod sync_stall;
#[cfg(test)]
mod tests;
pub mod track;
mod unexplained;
mod waits;
mod windows;
mod words;

pub use ledger::{LostTime, is_about, lost};
pub use scene::Scene;

use self::ledger::Ledger;
use crate::snapshot::{finding::Finding, ledger::Entry};

/// Looks at an interval, and at what is kept of those before it.
type Rule = fn(&Scene) -> Vec<Finding>;

const RULES: &[Rule] = &[
    oom_kill::look,
    io_hung::look,
    stuck_tasks::look,
    device_saturated::look,
    held_back::look,
    sync_stall::look,
    dirty_throttling::look,
    memory_stall::look,
    cpu_saturated::look,
    quota::look,
    softirq::look,
    retransmits::look,
    connects_failing::look,
    resets::look,
    accept_queue::look,
    close_wait::look,
    ports_used_up::look,
    disk_full::look,
    disk_filling::look,
    deleted_open::look,
    descriptors::look,
    slow_calls::look,
    failing_calls::look,
];

/// Findings of one interval, the most harm first, whether they have held long enough or not; and where the time went.
fn look(scene: &Scene) -> (Vec<Finding>, Vec<Entry>) {
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(scene)).collect();
    let ledger = Ledger::of(scene, &findings).rows();
    findings.extend(unexplained::look(scene, &ledger));
    for finding in &mut findings {
        finding.doubts.extend(scene.losses());
    }
    findings.sort_by(|a, b| b.harm.total_cmp(&a.harm).then_with(|| (a.rule, &a.subject).cmp(&(b.rule, &b.subject))));
    (findings, ledger)
}
