//! What it takes to show every segment that TCP retransmits, beside the tool that people use for that.
//!
//! libbpf-tools' and bcc's `tcpretrans` need kprobes. The program here is bpftrace's own `tcpretrans` with the tracepoint in place of
//! its kprobe, and prints the same.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::Bench;
use super::load::Load;
use super::observer::Observer;
use super::programs::{rounds, spread};
use super::report::{Figure, Promise};
use super::stats::Spread;
use super::user::{cpu_time, resident_mib};

/// Of a kilobyte each, of which one in twenty is lost: some ten seconds.
const WRITES: u64 = 40_000;
/// Before: what is needed to print names is read.
const WARM_UP: Duration = Duration::from_secs(2);

const TCPRETRANS: &str = "tracepoint:tcp:tcp_retransmit_skb { \
    time(\"%H:%M:%S \"); \
    printf(\"%-8d %14s:%-6d %14s:%-6d %d\\n\", pid, ntop(args->saddr), args->sport, ntop(args->daddr), args->dport, args->state); }";

pub fn figure(bench: &Bench) -> Result<Figure> {
    let variants = [
        Observer::stillwatch(bench, "tcp 1 --events --no-drops"),
        // Each lost packet is an event, too.
        Observer::stillwatch(bench, "tcp 1 --events"),
        Observer::peer("bpftrace -e").with(TCPRETRANS).called("`bpftrace`, printing what its `tcpretrans` prints"),
    ];
    let rows = rounds(bench, &variants, |variant| {
        if !variant.is_installed() {
            return Ok(None);
        }
        let mut load = Load::network(bench, "lossy", WRITES)?;
        let attached = variant.attach_anywhere()?;
        sleep(WARM_UP);
        let before = cpu_time(attached.pid())?;
        let segments = load.once()?;
        let used = cpu_time(attached.pid())?.saturating_sub(before);
        Ok(Some([segments, used.as_secs_f64() * 1e6 / segments, resident_mib(attached.pid())?]))
    })?;
    let title = "Segments retransmitted on a connection that loses 5 %, each shown";
    let mut figure = Figure::new(title, &["process", "segments", "its CPU time per segment, µs", "RSS, MiB"]);
    for (variant, rounds) in variants.iter().zip(&rows) {
        figure.row(&variant.name, &[0, 1, 2].map(|at| spread(rounds, at)), 1);
    }
    let ratio = rows[0].iter().zip(&rows[2]).map(|(ours, theirs)| ours[1] / theirs[1]);
    figure.promise(Promise::at_most(
        "`tcp --events --no-drops`, CPU per segment, of `bpftrace`",
        1.0,
        "×",
        Spread::of(ratio),
    ));
    figure.promise(Promise::at_most("`tcp`, resident memory", 16.0, "MiB", spread(&rows[1], 2)));
    Ok(figure)
}
