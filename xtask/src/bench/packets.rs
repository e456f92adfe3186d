//! What it costs to keep the last packets, beside `tcpdump` on the same packets.
//!
//! A round trip of a byte on loopback is two packets, each seen where it is sent and where it comes in. What the programs and the packet socket take is added to the round trip; what the
//! process takes is on another CPU.

use std::fs;

use anyhow::Result;

use super::load::Load;
use super::observer::{LOAD_PID, Observer};
use super::report::{Figure, Promise};
use super::stats::Spread;
use super::user::cpu_time;
use super::{Bench, Round};
use crate::workspace::target_dir;

/// Of one run: 20 ms.
const TRIPS: u64 = 4_000;
const RUNS: usize = 41;

pub fn figure(bench: &Bench) -> Result<Figure> {
    let file = target_dir()?.join("bench.pcapng");
    let variants = [
        Observer::nothing(),
        Observer::stillwatch(bench, "tcp")
            .with("--pcap")
            .with(&file.to_string_lossy())
            .called("`stillwatch tcp --pcap FILE`"),
        Observer::stillwatch(bench, "tcp"),
        Observer::peer(&format!("nsenter --target {LOAD_PID} --net tcpdump -i lo -nn -s 230 -w /dev/null tcp"))
            .called("`tcpdump -i lo -s 230 -w /dev/null tcp`"),
    ];
    let rows = bench.rounds(&variants, |variant| {
        let mut trips = Load::network(bench, "echo", TRIPS)?;
        let _ = fs::remove_file(&file);
        let attached = variant.attach(bench, trips.pid())?;
        let used =
            || if attached.pid() == 0 { Ok(0.0) } else { cpu_time(attached.pid()).map(|time| time.as_nanos() as f64) };
        let before = used()?;
        let runs = (0..RUNS).map(|_| trips.once()).collect::<Result<Vec<_>>>()?;
        let process = (used()? - before) / (RUNS as u64 * TRIPS) as f64;
        Ok([Spread::of(runs).map_or(0.0, |spread| spread.median), process])
    })?;
    let _ = fs::remove_file(&file);
    let title = "The last packets kept, nanoseconds per round trip of a byte on a loopback connection";
    let columns = ["attached", "one round trip", "added", "time of the process"];
    let mut figure = Figure::new(title, &columns);
    let column = |at: usize, of: fn(&Round<2>) -> f64| -> Option<Spread> { Spread::of(rows[at].iter().map(of)) };
    for (at, variant) in variants.iter().enumerate() {
        let cells = [column(at, |it| it.with[0]), column(at, |it| it.added()[0]), column(at, |it| it.with[1])];
        figure.row(&variant.name, &cells, 0);
    }
    let cost = |round: &Round<2>| round.added()[0] + round.with[1];
    let ratios = rows[1].iter().zip(&rows[3]).map(|(ours, theirs)| cost(ours) / cost(theirs));
    figure.promise(Promise::at_most("`tcp --pcap`, of `tcpdump`", 0.4, "×", Spread::of(ratios)));
    Ok(figure)
}
