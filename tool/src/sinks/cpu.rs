//! Who waited in a run queue, and who had the CPU, as text.

pub mod processors;
pub mod running;
#[cfg(test)]
pub mod tests;
pub mod waits;

use super::{View, format, rows::Rows};
use crate::{
    snapshot::{Snapshot, cpu::Cpu},
    table::Known,
};

/// How it runs, for the header.
pub fn mode(_: &Cpu) -> &'static str {
    "cpu"
}

pub fn draw(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    run_queue(text, cpu, snapshot, view);
    for line in notes(cpu, snapshot) {
        *text += &view.dim(&line);
        text.push('\n');
    }
    processors::processors(text, cpu, snapshot, view);
    processors::interrupts(text, cpu, snapshot, view);
    waits::waited(text, cpu, snapshot, view);
    waits::waiting(text, cpu, snapshot, view);
    waits::by(text, cpu, snapshot, view);
    running::running(text, cpu, snapshot, view);
    running::throttled(text, cpu, snapshot, view);
}

/// All waits of the host.
fn run_queue(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    match &cpu.scheduler.run_queue {
        Known::Not(why) => *text += &format!("run queue unavailable ({why})\n"),
        Known::Value(waits) if waits.count == 0 => *text += "nothing waited in a run queue in this interval\n",
        Known::Value(_) => Rows::new(view, snapshot.interval).draw(text, &[&cpu.scheduler]),
    }
}

fn notes(cpu: &Cpu, snapshot: &Snapshot) -> Vec<String> {
    let scheduler = &cpu.scheduler;
    let rate = |count| format::rate(count, snapshot.interval);
    let (all, involuntary) = (rate(scheduler.switches), rate(scheduler.involuntary));
    let mut notes = vec![format!("{all} context switches/s, {involuntary}/s involuntary")];
    if !cpu.softirqs.is_empty() {
        let softirqs: Vec<_> =
            cpu.softirqs.iter().take(4).map(|(name, count)| format!("{name} {}/s", rate(*count))).collect();
        notes.push(format!("softirqs: {}", softirqs.join(", ")));
    }
    if scheduler.untimed > 0 && scheduler.waits.is_known() {
        notes.push(format!("{} no length", format::plural(scheduler.untimed, "wait has", "waits have")));
    }
    notes
}
