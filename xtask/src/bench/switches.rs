//! What a context switch costs more, in `perf bench sched pipe` on one processor.
//!
//! Two processes wake each other through pipes: a `write`, a `read` and a switch each. Exact mode pays for the two calls as
//! well, and the promise is about the switch. So the same two calls are measured without a switch, through a pipe that
//! never blocks, while the same programs are attached, and taken off. What remains is what switching costs: the program on
//! `sched_switch`, and that a call's start is found in a table afterwards instead of in the processor's slot.

use anyhow::Result;

use super::load::{Load, sched_pipe};
use super::observer::Observer;
use super::report::{Figure, Promise};
use super::stats::{Spread, ratio};
use super::{Bench, Round};
use crate::workspace::which;

/// Of one run, of which there are many in a round.
const PAIRS: u64 = 60_000;
/// Place among the variants; the others that a promise is about follow.
const EXACT: usize = 1;

pub fn figure(bench: &Bench) -> Result<Figure> {
    let mut figure = Figure::new(
        "Context switches, nanoseconds per switch of `perf bench sched pipe`",
        &["attached", "one switch", "added", "added to its two calls", "scheduler part"],
    );
    let variants = [
        Observer::nothing(),
        Observer::stillwatch(bench, "syscalls"),
        Observer::stillwatch(bench, "syscalls --blocked"),
        Observer::stillwatch(bench, "io --syscalls"),
        Observer::peer("runqlat 1"),
        Observer::stillwatch(bench, "io"),
    ];
    let mut rows = vec![Vec::new(); variants.len()];
    if which("perf").is_some() {
        rows = bench.rounds(&variants, |variant| {
            let mut load = Load::ready(bench, "pairs", PAIRS)?;
            let _attached = variant.attach(bench, load.pid())?;
            Ok([load.run(bench)?, sched_pipe(bench)?])
        })?;
    }
    let part = |at: usize| -> Vec<f64> {
        let parts = rows[at].iter().map(Round::added);
        // Only exact mode has hooks on calls; taking off what the others add to calls would add noise.
        parts.map(|[calls, switch]| if at == EXACT { switch - calls } else { switch }).collect()
    };
    let (exact, blocked, both, runqlat) = (part(EXACT), part(EXACT + 1), part(EXACT + 2), part(EXACT + 3));

    for (at, variant) in variants.iter().enumerate() {
        let column = |figure: fn(&Round<2>) -> f64| Spread::of(rows[at].iter().map(figure));
        let cells = [
            column(|round| round.with[1]),
            column(|round| round.added()[1]),
            column(|round| round.added()[0]),
            Spread::of(part(at)),
        ];
        figure.row(&variant.name, &cells, 0);
    }
    let promise = |what, bound, part| Promise::at_most(what, bound, "×", ratio(part, &runqlat));
    figure.promise(promise("exact mode, scheduler part, of `runqlat`", 0.4, &exact));
    figure.promise(promise("blocked mode, per switch, of `runqlat`", 0.4, &blocked));
    figure.promise(promise("`io` and blocked mode together, per switch, of `runqlat`", 0.5, &both));
    Ok(figure)
}
