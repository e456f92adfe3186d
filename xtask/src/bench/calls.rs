//! What a system call costs more, in a loop of the cheapest one there is.

use anyhow::Result;

use super::Bench;
use super::load::Load;
use super::observer::{LOAD_PID, Observer};
use super::report::{Figure, Promise};
use super::stats::{Spread, ratio};

/// Of one run, of which there are many in a round.
const CALLS: u64 = 200_000;

pub fn figure(bench: &Bench) -> Result<Figure> {
    let variants = [
        Observer::nothing(),
        Observer::floor(bench, "clock", &["sys_enter", "sys_exit"])
            .called("a `tp_btf` pair that reads the clock: the floor"),
        Observer::stillwatch(bench, "syscalls"),
        Observer::stillwatch(bench, "syscalls --blocked"),
        Observer::peer("syscount -L -i 1"),
        Observer::stillwatch(bench, "syscalls --by process"),
        Observer::stillwatch(bench, &format!("syscalls -p {LOAD_PID}")).called("`stillwatch syscalls -p` the caller"),
        // Process 1 is always there.
        Observer::stillwatch(bench, "syscalls -p 1").called("`stillwatch syscalls -p` another"),
    ];
    let rows = bench.rounds(&variants, |variant| {
        let mut load = Load::ready(bench, "calls", CALLS)?;
        let _attached = variant.attach(bench, load.pid())?;
        Ok([load.run(bench)?])
    })?;
    let added = |at: usize| -> Vec<f64> { rows[at].iter().map(|round| round.added()[0]).collect() };
    let (floor, exact, blocked, syscount) = (added(1), added(2), added(3), added(4));

    let mut figure = Figure::new("System calls, nanoseconds per `getppid`", &["attached", "one call", "added"]);
    for (at, variant) in variants.iter().enumerate() {
        let cells = [Spread::of(rows[at].iter().map(|round| round.with[0])), Spread::of(added(at))];
        figure.row(&variant.name, &cells, 0);
    }
    figure.promise(Promise::at_most("exact mode, of the floor", 1.3, "×", ratio(&exact, &floor)));
    figure.promise(Promise::at_most("exact mode, of `syscount -L`", 0.6, "×", ratio(&exact, &syscount)));
    figure.promise(Promise::at_most("blocked mode, per call", 5.0, "ns", Spread::of(blocked)));
    Ok(figure)
}
