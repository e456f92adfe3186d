//! What CPUs did, and what interrupts took of them.

use crate::{
    escape::fit,
    sinks::{
        View,
        format::{self, UNKNOWN},
        rows::Rows,
    },
    snapshot::{
        Snapshot,
        cpu::{Cpu, Interrupt, Processor},
    },
};

/// The busiest ones.
pub fn processors(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    let mut rows: Vec<&Processor> = cpu.processors.iter().filter(|row| row.all_ns() > 0).collect();
    if rows.is_empty() {
        return;
    }
    let idle = |row: &Processor| row.idle_ns as f64 / row.all_ns() as f64;
    rows.sort_by(|a, b| idle(a).total_cmp(&idle(b)));
    text.push('\n');
    let share = |row: &Processor, ns: u64| format::percent(100.0 * ns as f64 / row.all_ns() as f64);
    Rows::new(view, snapshot.interval)
        .own("user", |row: &Processor| share(row, row.user_ns))
        .own("system", |row: &Processor| share(row, row.system_ns))
        .own("irq", |row: &Processor| share(row, row.irq_ns))
        .own("softirq", |row: &Processor| share(row, row.softirq_ns))
        .own("steal", |row: &Processor| share(row, row.steal_ns))
        .own("idle", |row: &Processor| share(row, row.idle_ns))
        .draw(text, &rows);
}

/// What interrupts took, where asked for.
pub fn interrupts(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    let Some(rows) = &cpu.interrupts else { return };
    if rows.is_empty() {
        *text += "no interrupt in this interval\n";
        return;
    }
    text.push('\n');
    Rows::new(view, snapshot.interval)
        .own("interrupt", |row: &Interrupt| row.irq.map_or_else(|| "softirq".to_owned(), |irq| format!("irq {irq}")))
        .own("name", |row: &Interrupt| row.name.as_ref().map_or_else(|| UNKNOWN.to_owned(), |name| fit(name, 30)))
        .draw(text, &rows.iter().collect::<Vec<_>>());
}
