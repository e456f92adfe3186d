//! What a request to a disk costs more, in a loop of 4 KiB reads that wait for one each.

use anyhow::Result;

use super::Bench;
use super::disk::Disk;
use super::load::Load;
use super::observer::Observer;
use super::report::{Figure, Promise};
use super::stats::{Spread, ratio};

/// Of one run, of which there are many in a round: 20 ms where the device answers at once, 100 ms where an idle processor has to wake up for it.
const READS: u64 = 4_000;

pub fn figure(bench: &Bench) -> Result<Figure> {
    let variants = [
        Observer::nothing(),
        Observer::stillwatch(bench, "io --devices"),
        Observer::stillwatch(bench, "io"),
        Observer::peer("biolatency 1"),
    ];
    let disk = Disk::blank()?;
    let rows = bench.rounds(&variants, |variant| {
        let mut load = Load::on(&disk, bench, "reads", READS)?;
        let _attached = variant.attach(bench, load.pid())?;
        Ok([load.run(bench)?])
    })?;
    let added = |at: usize| -> Vec<f64> { rows[at].iter().map(|round| round.added()[0]).collect() };
    let (devices, io, biolatency) = (added(1), added(2), added(3));

    let title = "Block I/O, nanoseconds per direct 4 KiB read at random places of a loop device over tmpfs";
    let mut figure = Figure::new(title, &["attached", "one read", "added"]);
    for (at, variant) in variants.iter().enumerate() {
        let cells = [Spread::of(rows[at].iter().map(|round| round.with[0])), Spread::of(added(at))];
        figure.row(&variant.name, &cells, 0);
    }
    figure.promise(Promise::at_most(
        "`io --devices`, per read, of `biolatency`",
        0.5,
        "×",
        ratio(&devices, &biolatency),
    ));
    figure.promise(Promise::at_most("`io`, per read, of `biolatency`", 1.0, "×", ratio(&io, &biolatency)));
    Ok(figure)
}
