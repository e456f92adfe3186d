//! The `cpu` probe against tasks that wait and run in a known way.

mod behind;
mod ended;
mod interrupts;
mod moved;
mod now;
pub mod quota;
mod runqlat;
mod spinners;
mod wakeups;
pub mod work;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    Test,
    stillwatch::{Watch, losses},
};

pub fn tests() -> Vec<Test> {
    [
        spinners::TESTS,
        behind::TESTS,
        wakeups::TESTS,
        moved::TESTS,
        now::TESTS,
        quota::TESTS,
        ended::TESTS,
        interrupts::TESTS,
        runqlat::TESTS,
    ]
    .concat()
}

fn watch(flags: &[&str]) -> Result<Watch> {
    if flags.is_empty() { Watch::shared("cpu") } else { Watch::of("cpu", flags, &[]) }
}

/// Rows of a table over all snapshots.
fn rows<'a>(watch: &'a Watch, table: &'a str) -> impl Iterator<Item = &'a Value> {
    watch.snapshots.iter().flat_map(move |snapshot| snapshot[table].as_array().into_iter().flatten())
}

/// The same of one process.
fn of<'a>(watch: &'a Watch, table: &'a str, pid: u32) -> impl Iterator<Item = &'a Value> {
    rows(watch, table).filter(move |row| row["pid"] == pid)
}

fn sum<'a>(rows: impl Iterator<Item = &'a Value>, field: &str) -> u64 {
    rows.filter_map(|row| row[field].as_u64()).sum()
}

/// What holds of every run: nothing lost, and the idle task is nobody.
fn is_sound(watch: &Watch) -> Result<()> {
    let lost = losses(&watch.snapshots);
    ensure!(lost.values().sum::<u64>() == 0, "lost: {lost:?}");
    for table in ["waited", "waiting", "running", "by"] {
        for row in rows(watch, table) {
            let comm = row["comm"].as_str().unwrap_or_default();
            ensure!(row["pid"] != 0 && !comm.starts_with("swapper"), "the idle task is in {table}: {row}");
            ensure!(row["behind"]["pid"] != 0, "the idle task stands in the way: {row}");
        }
    }
    Ok(())
}
