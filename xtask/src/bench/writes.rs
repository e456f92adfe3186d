//! What a page costs more that a buffered write makes dirty: `io` notes who did, to know who causes what is written later.

use anyhow::Result;

use super::Bench;
use super::disk::Disk;
use super::load::Load;
use super::observer::Observer;
use super::report::Figure;
use super::stats::Spread;

/// Of one run, of which there are many in a round: 64 MiB, far from where the kernel makes writers wait.
const PAGES: u64 = 16_384;

pub fn figure(bench: &Bench) -> Result<Figure> {
    let variants =
        [Observer::nothing(), Observer::stillwatch(bench, "io --devices"), Observer::stillwatch(bench, "io")];
    let disk = Disk::ext4()?;
    let rows = bench.rounds(&variants, |variant| {
        let mut load = Load::on(&disk, bench, "writes", PAGES)?;
        let _attached = variant.attach(bench, load.pid())?;
        Ok([load.run(bench)?])
    })?;

    let title = "A page dirtied by a buffered write, nanoseconds per `pwrite` of 4 KiB to a file on ext4";
    let mut figure = Figure::new(title, &["attached", "one page", "added"]);
    for (variant, rounds) in variants.iter().zip(&rows) {
        let with = Spread::of(rounds.iter().map(|round| round.with[0]));
        figure.row(&variant.name, &[with, Spread::of(rounds.iter().map(|round| round.added()[0]))], 0);
    }
    Ok(figure)
}
