//! What `tcp` costs connections that nothing goes wrong on.
//!
//! It has no hook on packets, so a round trip on a connection must cost the same as without it. Opening and closing one changes
//! its state some ten times, each of which runs a program. The kernel's account of that leaves out the way into the program, so
//! the time of a whole connection is measured too.

use anyhow::Result;

use super::load::Load;
use super::observer::Observer;
use super::programs::per_event;
use super::report::{Figure, Promise};
use super::stats::Spread;
use super::{Bench, Round};

/// Of one run, of which there are many in a round: 20 ms each.
const TRIPS: u64 = 4_000;
const CONNECTIONS: u64 = 500;

pub fn figure(bench: &Bench) -> Result<Figure> {
    let variants = [
        Observer::nothing(),
        Observer::stillwatch(bench, "tcp"),
        // Has a program on the same hook, and tells user space of every change.
        Observer::peer("tcpstates"),
    ];
    let rows = bench.rounds(&variants, |variant| {
        let mut trips = Load::network(bench, "echo", TRIPS)?;
        let mut tail = Load::network(bench, "echo-tail", TRIPS)?;
        let mut connects = Load::network(bench, "connects", CONNECTIONS)?;
        let attached = variant.attach(bench, trips.pid())?;
        let mut programs = 0.0;
        if attached.pid() != 0 {
            programs = per_event(&attached, &["set_state"], "set_state", || connects.run(bench).map(drop))?;
        }
        Ok([trips.run(bench)?, tail.run(bench)?, connects.run(bench)?, programs])
    })?;
    let title =
        "TCP, nanoseconds per round trip of a byte on a loopback connection, and per connection opened and closed";
    let columns = [
        "attached",
        "one round trip",
        "added",
        "its 99th percentile",
        "added to that",
        "one connection",
        "added to it",
        "in programs per change of state",
    ];
    let mut figure = Figure::new(title, &columns);
    let column = |at: usize, of: fn(&Round<4>) -> f64| -> Option<Spread> { Spread::of(rows[at].iter().map(of)) };
    for (at, variant) in variants.iter().enumerate() {
        let cells = [
            column(at, |round| round.with[0]),
            column(at, |round| round.added()[0]),
            column(at, |round| round.with[1]),
            column(at, |round| round.added()[1]),
            column(at, |round| round.with[2]),
            column(at, |round| round.added()[2]),
            column(at, |round| round.with[3]),
        ];
        figure.row(&variant.name, &cells, 0);
    }
    let percent = |of: fn(&Round<4>) -> f64| column(1, of);
    figure.promise(Promise::at_most(
        "`tcp`, added to a round trip",
        1.0,
        "%",
        percent(|round| 100.0 * round.added()[0] / round.without[0]),
    ));
    figure.promise(Promise::at_most(
        "`tcp`, added to the 99th percentile of round trips",
        1.0,
        "%",
        percent(|round| 100.0 * round.added()[1] / round.without[1]),
    ));
    Ok(figure)
}
