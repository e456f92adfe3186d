//! What CPUs did, and what interrupts took of them.

use crate::{
    escape::fit,
    sinks::{
        View,
        format::{self, UNKNOWN},
        rows::Rows,
        table::Noted,
        values::Show,
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
    Rows::new(view, snapshot.interval).own(own).draw(text, &rows);
}

/// What interrupts took, where asked for.
pub fn interrupts(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    let Some(rows) = &cpu.interrupts else { return };
    if rows.is_empty() {
        *text += "no interrupt in this interval\n";
        return;
    }
    text.push('\n');
    Rows::new(view, snapshot.interval).own(own_of_interrupt).draw(text, &rows.iter().collect::<Vec<_>>());
}

/// Columns that only this table can put into words: shares of what is accounted.
pub fn own(row: &Processor, name: &str, _: &Show) -> Noted {
    let ns = match name {
        "user" => row.user_ns,
        "system" => row.system_ns,
        "irq" => row.irq_ns,
        "softirq" => row.softirq_ns,
        "steal" => row.steal_ns,
        "idle" => row.idle_ns,
        _ => return Noted::default(),
    };
    format::percent(100.0 * ns as f64 / row.all_ns().max(1) as f64).into()
}

pub fn own_of_interrupt(row: &Interrupt, name: &str, _: &Show) -> Noted {
    match name {
        "interrupt" => row.irq.map_or_else(|| "softirq".to_owned(), |irq| format!("irq {irq}")).into(),
        "name" => row.name.as_ref().map_or_else(|| UNKNOWN.to_owned(), |name| fit(name, 30)).into(),
        _ => Noted::default(),
    }
}
