//! What a request to a disk costs more, in a loop of 4 KiB reads that wait for one each.

use anyhow::Result;

use super::Bench;
use super::disk::Disk;
use super::load::Load;
use super::observer::Observer;
use super::programs::{per_event, rounds, spread};
use super::report::{Figure, Promise};
use super::stats::ratio;

/// Of one run, of which there are many in a round: 20 ms where the device answers at once, 100 ms where an idle CPU has to wake up for it.
const READS: u64 = 4_000;
const COMPLETION: &str = "block_rq_complete";

pub fn figure(bench: &Bench) -> Result<Figure> {
    let variants = [
        Observer::nothing(),
        Observer::stillwatch(bench, "io --devices"),
        Observer::stillwatch(bench, "io"),
        Observer::peer("biolatency 1"),
    ];
    let disk = Disk::blank()?;
    let rows = rounds(bench, &variants, |variant| {
        if !variant.is_installed() {
            return Ok(None);
        }
        let mut load = Load::on(&disk, bench, "reads", READS)?;
        let attached = variant.attach(bench, load.pid())?;
        let one = load.run(bench)?;
        if attached.pid() == 0 {
            return Ok(Some([one, 0.0, 0.0]));
        }
        let mut programs = |of: &[&str]| per_event(&attached, of, COMPLETION, || load.run(bench).map(drop));
        // The second are woken and switched to: the loop device's worker, and who waits for it.
        Ok(Some([one, programs(&["block_"])?, programs(&["sched_"])?]))
    })?;

    let title = "Block I/O, nanoseconds per direct 4 KiB read at random places of a loop device over tmpfs";
    let columns = ["attached", "one read", "in programs on block hooks", "in programs on scheduler hooks"];
    let mut figure = Figure::new(title, &columns);
    for (variant, rounds) in variants.iter().zip(&rows) {
        figure.row(&variant.name, &[0, 1, 2].map(|at| spread(rounds, at)), 0);
    }
    let block = |at: usize| -> Vec<f64> { rows[at].iter().map(|round| round[1]).collect() };
    let (devices, io, biolatency) = (block(1), block(2), block(3));
    let promise = |what, bound, part| Promise::at_most(what, bound, "×", ratio(part, &biolatency));
    figure.promise(promise("`io --devices`, programs per read, of `biolatency`", 0.5, &devices));
    figure.promise(promise("`io`, programs on block hooks per read, of `biolatency`", 1.0, &io));
    Ok(figure)
}
