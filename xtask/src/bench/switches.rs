//! What a context switch costs more, in `perf bench sched pipe` on one CPU.
//!
//! Two processes wake each other through pipes: a `write`, a `read` and a switch each. Exact mode pays for the two calls as
//! well, and the promise is about the switch. So the same two calls are measured without a switch, through a pipe that
//! never blocks, while the same programs are attached, and taken off. What remains is what switching costs: the program on
//! `sched_switch`, and that a call's start is found in a table afterwards instead of in the CPU's slot.
//! The other modes have nothing on calls: for them, the kernel's account of the scheduler's programs tells it with less noise.

use anyhow::Result;

use super::load::{Load, sched_pipe};
use super::observer::Observer;
use super::programs::per_event;
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
        &["attached", "one switch", "added", "added to its two calls", "in programs on scheduler hooks"],
    );
    let variants = [
        Observer::nothing(),
        Observer::stillwatch(bench, "syscalls"),
        Observer::stillwatch(bench, "syscalls --blocked"),
        Observer::stillwatch(bench, "io --syscalls"),
        Observer::peer("runqlat 1"),
        Observer::stillwatch(bench, "io"),
        Observer::stillwatch(bench, "oom"),
        Observer::stillwatch(bench, "cpu"),
        Observer::stillwatch(bench, "cpu --io --syscalls"),
        Observer::stillwatch(bench, "cpu --by process"),
        Observer::stillwatch(bench, "1").called("the overview"),
        Observer::floor(bench, "empty", &["sched_switch", "sched_waking"])
            .called("an empty program on `sched_switch`, and one on `sched_waking`"),
    ];
    let mut rows = vec![Vec::new(); variants.len()];
    if which("perf").is_some() {
        rows = bench.rounds(&variants, |variant| {
            let mut load = Load::ready(bench, "pairs", PAIRS)?;
            let attached = variant.attach(bench, load.pid())?;
            let mut programs = 0.0;
            if attached.pid() != 0 {
                programs = per_event(&attached, &["sched_"], "sched_switch", || sched_pipe(bench).map(drop))?;
            }
            Ok([load.run(bench)?, sched_pipe(bench)?, programs])
        })?;
    }
    // Only exact mode has hooks on calls; taking off what the others add to calls would add noise.
    let wall = |at: usize| -> Vec<f64> {
        rows[at].iter().map(|round| round.added()).map(|[calls, switch, _]| switch - calls).collect()
    };
    let programs = |at: usize| -> Vec<f64> { rows[at].iter().map(|round: &Round<3>| round.with[2]).collect() };
    let switches = |at: usize| -> Vec<f64> { rows[at].iter().map(|round| round.added()[1]).collect() };

    for (at, variant) in variants.iter().enumerate() {
        let column = |figure: fn(&Round<3>) -> f64| Spread::of(rows[at].iter().map(figure));
        let cells = [
            column(|round| round.with[1]),
            column(|round| round.added()[1]),
            column(|round| round.added()[0]),
            Spread::of(programs(at)),
        ];
        figure.row(&variant.name, &cells, 0);
    }
    let runqlat = EXACT + 3;
    let promise = |what, bound, part: &[f64], of: &[f64]| Promise::at_most(what, bound, "×", ratio(part, of));
    let oom = runqlat + 2;
    figure.promise(promise("`oom`, programs per switch, of `runqlat`", 0.2, &programs(oom), &programs(runqlat)));
    let (blocked, both) = (programs(EXACT + 1), programs(EXACT + 2));
    figure.promise(promise(
        "exact mode, added without its two calls, of `runqlat`",
        0.6,
        &wall(EXACT),
        &switches(runqlat),
    ));
    figure.promise(promise("blocked mode, programs per switch, of `runqlat`", 0.4, &blocked, &programs(runqlat)));
    figure.promise(promise(
        "`io` and blocked mode together, programs per switch, of `runqlat`",
        0.5,
        &both,
        &programs(runqlat),
    ));
    let (cpu, all) = (programs(runqlat + 3), programs(runqlat + 4));
    figure.promise(promise("`cpu`, programs per switch, of `runqlat`", 0.2, &cpu, &programs(runqlat)));
    figure.promise(promise(
        "`cpu`, `io` and blocked mode together, programs per switch, of `runqlat`",
        0.6,
        &all,
        &programs(runqlat),
    ));
    // The kernel's account has two readings of the clock in each run, which is most of what it says of an empty one.
    let (overview, empty) = (programs(runqlat + 6), programs(runqlat + 7));
    let own = Spread::of(overview.iter().zip(&empty).map(|(overview, empty)| overview - empty));
    figure.promise(Promise::at_most("the overview, programs per switch, more than two empty ones", 150.0, "ns", own));
    Ok(figure)
}
