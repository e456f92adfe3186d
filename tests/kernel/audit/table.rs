//! What came of loads, for people.

use std::fmt::Write;

use super::{APART, Audited, Compared};

pub const HEAD: &str = "\
| Load | Lost | Explained | For | Ledger and kernel | Missed |
|---|---:|---:|---|---|---|
";

pub fn row(audited: &Audited) -> String {
    let mut areas: Vec<_> = audited.lost.iter().collect();
    areas.sort_by(|a, b| b.1.total_cmp(a.1));
    let areas: Vec<_> = areas.into_iter().map(|(area, lost)| format!("{area} {}", seconds(*lost))).collect();
    let compared: Vec<_> = audited.compared.iter().map(compared).collect();
    let explained = audited.explained().map_or("–".to_owned(), |part| format!("{:.0} %", 100.0 * part));
    let missed = audited.missed(APART);
    let missed = if missed.is_empty() { "–".to_owned() } else { format!("**{}**", missed.join(", ")) };
    let mut row = format!(
        "| {} | {} | {explained} | {} | {} | {missed} |\n",
        audited.load,
        seconds(audited.lost()),
        list(areas),
        list(compared)
    );
    for (area, because) in &audited.unclear {
        // Writing to a String does not fail.
        let _ = writeln!(row, "| | | | {area} not clear: {because} | | |");
    }
    row
}

fn list(words: Vec<String>) -> String {
    if words.is_empty() { "–".to_owned() } else { words.join(", ") }
}

fn compared(one: &Compared) -> String {
    let Compared { what, ours, kernels, is_time } = one;
    let [ours, kernels] = [ours, kernels].map(|value| if *is_time { seconds(*value) } else { format!("{value:.1}/s") });
    format!("{ours}, {what} {kernels} ({:+.1} %)", 100.0 * one.apart())
}

fn seconds(per_second: f64) -> String {
    format!("{:.0} ms/s", 1000.0 * per_second)
}
