//! Who waited for a processor, and who had it, as text.

mod running;
#[cfg(test)]
pub mod tests;
mod waits;

use super::{View, bar, format, table::Table, who::more};
use crate::escape::fit;
use crate::snapshot::{
    Latency, Snapshot,
    cpu::{Cpu, Processor},
};

pub fn draw(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    run_queue(text, cpu, snapshot, view);
    for line in notes(cpu, snapshot) {
        *text += &view.dim(&line);
        text.push('\n');
    }
    processors(text, cpu, view);
    interrupts(text, cpu, snapshot, view);
    waits::waited(text, cpu, view);
    waits::waiting(text, cpu, view);
    waits::by(text, cpu, snapshot, view);
    running::running(text, cpu, snapshot, view);
    running::throttled(text, cpu, snapshot, view);
}

/// All waits of the host.
fn run_queue(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    if let Some(why) = cpu.no_waits {
        *text += &format!("waits for a processor unavailable ({why})\n");
        return;
    }
    if cpu.run_queue.count == 0 {
        *text += "nothing waited for a processor in this interval\n";
        return;
    }
    let mut table = times(Table::new().right("WAITS/s", 7), view);
    table.row(cells(vec![format::rate(cpu.run_queue.count, snapshot.interval)], &cpu.run_queue, snapshot, view));
    table.draw(text, view);
}

/// Columns of a distribution.
fn times(mut table: Table, view: &View) -> Table {
    for head in ["p50", "p90", "p99", "p99.9", "MAX"] {
        table = table.close(head, 5);
    }
    table.right("TIME/s", 6).left(bar::spark_head(view.narrow()), 0)
}

fn cells(mut row: Vec<String>, latency: &Latency, snapshot: &Snapshot, view: &View) -> Vec<String> {
    let quantiles = [latency.p50_ns, latency.p90_ns, latency.p99_ns, latency.p999_ns, latency.max_ns];
    row.extend(quantiles.map(format::duration));
    row.push(format::time_rate(latency.total_ns, snapshot.interval));
    row.push(bar::spark(latency, view.narrow()));
    row
}

fn notes(cpu: &Cpu, snapshot: &Snapshot) -> Vec<String> {
    let rate = |count| format::rate(count, snapshot.interval);
    let (all, involuntary) = (rate(cpu.switches), rate(cpu.involuntary));
    let mut notes = vec![format!("{all} switches/s, {involuntary}/s of tasks that could have gone on")];
    if !cpu.softirqs.is_empty() {
        let softirqs: Vec<_> =
            cpu.softirqs.iter().take(4).map(|(name, count)| format!("{name} {}/s", rate(*count))).collect();
        notes.push(format!("softirqs: {}", softirqs.join(", ")));
    }
    if cpu.untimed > 0 && cpu.no_waits.is_none() {
        notes.push(format!("{} no length", format::plural(cpu.untimed, "wait has", "waits have")));
    }
    notes
}

/// The busiest ones.
fn processors(text: &mut String, cpu: &Cpu, view: &View) {
    let sum = |row: &Processor| row.user_ns + row.system_ns + row.idle_ns + row.irq_ns + row.softirq_ns + row.steal_ns;
    let mut rows: Vec<&Processor> = cpu.processors.iter().filter(|row| sum(row) > 0).collect();
    if rows.is_empty() {
        return;
    }
    rows.sort_by(|a, b| {
        let idle = |row: &Processor| row.idle_ns as f64 / sum(row) as f64;
        idle(a).total_cmp(&idle(b))
    });
    let mut table = Table::new().right("CPU", 4).right("USER", 5).close("SYSTEM", 6).close("IRQ", 5);
    table = table.close("SOFTIRQ", 7).close("STEAL", 5).close("IDLE", 5);
    for row in rows.iter().take(view.top) {
        let share = |ns: u64| format::percent(100.0 * ns as f64 / sum(row) as f64);
        let mut cells = vec![row.number.to_string()];
        cells.extend([row.user_ns, row.system_ns, row.irq_ns, row.softirq_ns, row.steal_ns, row.idle_ns].map(share));
        table.row(cells);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, rows.len(), view);
}

/// What interrupts took, where asked for.
fn interrupts(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    let Some(rows) = &cpu.interrupts else { return };
    if rows.is_empty() {
        *text += "no interrupt in this interval\n";
        return;
    }
    let mut table = Table::new().left("INTERRUPT", 9).left("NAME", 15).right("COUNT/s", 7).right("TIME/s", 6);
    table = table.close("MAX", 5);
    for row in rows.iter().take(view.top) {
        let unknown = || format::UNKNOWN.to_owned();
        table.row(vec![
            row.irq.map_or_else(|| "softirq".to_owned(), |irq| format!("irq {irq}")),
            row.name.as_ref().map_or_else(unknown, |name| fit(name, 30)),
            format::rate(row.count, snapshot.interval),
            format::time_rate(row.total_ns, snapshot.interval),
            format::duration(row.max_ns),
        ]);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, rows.len(), view);
}
