//! What a compiler loses while somebody looks: this workspace's `xtask`, with all that it depends on, from nothing.

use std::fs;
use std::time::Instant;

use anyhow::Result;

use super::observer::Observer;
use super::report::{Figure, Promise};
use super::stats::Spread;
use super::{Bench, Round};
use crate::workspace::{cargo, run, target_dir};

/// Place among the variants.
const OVERVIEW: usize = 1;

pub fn figure(bench: &Bench) -> Result<Figure> {
    let place = target_dir()?.join("bench-compile");
    let peers = ["biolatency 1", "syscount -L -i 1", "tcpstates"].map(Observer::peer);
    let variants = [
        Observer::nothing(),
        Observer::stillwatch(bench, "1").called("the overview"),
        peers.into_iter().fold(Observer::peer("runqlat 1"), Observer::beside),
    ];
    let compile = || -> Result<[f64; 1]> {
        let _ = fs::remove_dir_all(&place);
        let start = Instant::now();
        run(cargo("build").args(["--quiet", "--offline", "--package", "xtask", "--target-dir"]).arg(&place))?;
        Ok([start.elapsed().as_secs_f64()])
    };
    let rows = bench.rounds(&variants, |variant| {
        let _attached = variant.attach_anywhere()?;
        compile()
    })?;
    let _ = fs::remove_dir_all(&place);
    let mut figure =
        Figure::new("A compile of `xtask` on all CPUs, from nothing", &["attached", "seconds", "more, in percent"]);
    let more = |at: usize| Spread::of(rows[at].iter().map(|it: &Round<1>| 100.0 * it.added()[0] / it.without[0]));
    for (at, variant) in variants.iter().enumerate() {
        figure.row(&variant.name, &[Spread::of(rows[at].iter().map(|it| it.with[0])), more(at)], 1);
    }
    figure.promise(Promise::at_most("a compile beside the overview, added", 1.0, "%", more(OVERVIEW)));
    Ok(figure)
}
