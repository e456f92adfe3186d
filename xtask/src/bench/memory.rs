//! Kernel memory, as `stillwatch doctor` computes it from the sizes of the maps.

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Bench;
use super::report::{Figure, Promise};
use super::stats::Spread;
use crate::workspace::read;

const MIB: f64 = 1024.0 * 1024.0;

pub fn figure(bench: &Bench) -> Result<Figure> {
    let report: Value = serde_json::from_str(&read(Command::new(&bench.stillwatch).args(["doctor", "--json"]))?)?;
    let probes = report["probes"].as_array().context("doctor lists no probes")?;
    let mut figure = Figure::new("Kernel memory, MiB", &["probe", "here", "with 256 CPUs"]);
    let (mut sum, mut io, mut tcp, mut oom, mut cpu) = (Some(0.0), None, None, None, None);
    for probe in probes {
        let mib = |key: &str| probe[key].as_f64().map(|bytes| bytes / MIB);
        let at_256 = mib("kernel_bytes_at_256_cpus");
        let cells = [mib("kernel_bytes"), at_256].map(Spread::of);
        let name = probe["probe"].as_str().unwrap_or("?");
        figure.row(&format!("`{name}`"), &cells, 1);
        match name {
            "io" => io = at_256,
            "tcp" => tcp = at_256,
            "oom" => oom = at_256,
            "cpu" => cpu = at_256,
            _ => {}
        }
        sum = sum.zip(at_256).map(|(sum, more)| sum + more);
    }
    figure.promise(Promise::at_most("`io`, with 256 CPUs", 16.0, "MiB", Spread::of(io)));
    figure.promise(Promise::at_most("`tcp`, with 256 CPUs", 8.0, "MiB", Spread::of(tcp)));
    figure.promise(Promise::at_most("`oom`, with 256 CPUs", 1.5, "MiB", Spread::of(oom)));
    figure.promise(Promise::at_most("`cpu`, with 256 CPUs", 1.5, "MiB", Spread::of(cpu)));
    figure.promise(Promise::at_most("all probes, with 256 CPUs", 36.0, "MiB", Spread::of(sum)));
    Ok(figure)
}
