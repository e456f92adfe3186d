//! `cargo xtask bench`: every promised cost, measured against the host with nothing attached, the cheapest possible way,
//! and the tools that people use today.
//!
//! Machines are noisy. So variants take turns (A B C A B C …) on an idle host, each difference is taken within a round, and
//! a figure is a median with its spread.

mod calls;
mod compile;
mod disk;
mod host;
mod io;
mod load;
mod losses;
mod memory;
mod observer;
mod packets;
mod programs;
mod record;
mod report;
mod screen;
mod services;
mod start;
mod stats;
mod switches;
mod tcp;
mod user;
mod writes;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use lexopt::prelude::*;

use crate::workspace::{cargo, is_root, run as finish, target_dir, which};
use crate::{run, setup};
use host::Quiet;
use observer::Observer;
use report::Figure;

/// What a figure has at hand.
pub struct Bench {
    pub rounds: usize,
    /// Beside those that cost seconds, peers that cost minutes.
    pub all_peers: bool,
    /// The release binary, as the normal build leaves it.
    pub stillwatch: PathBuf,
    load: PathBuf,
    floor: PathBuf,
    cpus: host::Cpus,
    quiet: Quiet,
}

type Measure = fn(&Bench) -> Result<Figure>;

/// By the names that PATTERN selects from.
const FIGURES: [(&str, Measure); 14] = [
    ("services", services::figure),
    ("compile", compile::figure),
    ("calls", calls::figure),
    ("switches", switches::figure),
    ("io", io::figure),
    ("writes", writes::figure),
    ("tcp", tcp::figure),
    ("packets", packets::figure),
    ("losses", losses::figure),
    ("user", user::figure),
    ("record", record::figure),
    ("screen", screen::figure),
    ("start", start::figure),
    ("memory", memory::figure),
];

/// Debian's packages with what stillwatch is compared to, or what a load needs, and a program of each.
const PEERS: [(&str, &str); 9] = [
    ("libbpf-tools", "syscount"),
    ("bpftrace", "bpftrace"),
    ("linux-perf", "perf"),
    ("bpftool", "bpftool"),
    ("mount", "losetup"),
    ("e2fsprogs", "mkfs.ext4"),
    ("htop", "htop"),
    ("btop", "btop"),
    ("tcpdump", "tcpdump"),
];

struct Options {
    pattern: String,
    rounds: usize,
    all_peers: bool,
    write: bool,
}

pub fn command(args: Vec<OsString>) -> Result<ExitCode> {
    let options = parse(args)?;
    let figures: Vec<_> = FIGURES.iter().filter(|(name, _)| name.contains(&options.pattern)).collect();
    if figures.is_empty() {
        let names = FIGURES.map(|(name, _)| name).join(", ");
        bail!("no figure `{}`: there are {names}", options.pattern);
    }
    if options.write && figures.len() < FIGURES.len() {
        bail!("--write wants all figures: leave the pattern out");
    }
    if !is_root() {
        bail!("only root can attach what is measured");
    }
    let bench = prepare(&options)?;
    let mut measured = Vec::new();
    for (name, measure) in figures {
        eprintln!("bench: {name}");
        bench.quiet.renew();
        measured.push(measure(&bench)?);
    }
    let conditions = host::conditions(&bench);
    let text = report::markdown(&measured, &conditions);
    print!("{text}");
    if options.write {
        report::write(&text)?;
    }
    let missed = measured.iter().any(Figure::missed);
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn parse(args: Vec<OsString>) -> Result<Options> {
    let mut options = Options { pattern: String::new(), rounds: 7, all_peers: false, write: false };
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(arg) = parser.next()? {
        match arg {
            Long("rounds") => options.rounds = parser.value()?.parse()?,
            Long("all-peers") => options.all_peers = true,
            Long("write") => options.write = true,
            Value(pattern) if options.pattern.is_empty() => options.pattern = pattern.string()?,
            unexpected => return Err(unexpected.unexpected().into()),
        }
    }
    if options.rounds == 0 {
        bail!("--rounds wants at least 1");
    }
    Ok(options)
}

fn prepare(options: &Options) -> Result<Bench> {
    setup::build()?;
    let stillwatch = run::build()?;
    finish(cargo("build").args(["--release", "--package", "stillwatch-tests"]).args([
        "--bin",
        "bench-load",
        "--bin",
        "bench-floor",
    ]))?;
    let missing: Vec<_> =
        PEERS.iter().filter(|(_, program)| which(program).is_none()).map(|&(package, _)| package).collect();
    if let Err(error) = setup::install(&missing) {
        eprintln!("bench: going without: {error:#}");
    }
    let release = target_dir()?.join("release");
    Ok(Bench {
        rounds: options.rounds,
        all_peers: options.all_peers,
        stillwatch,
        load: release.join("bench-load"),
        floor: release.join("bench-floor"),
        cpus: host::Cpus::read()?,
        quiet: Quiet::default(),
    })
}

/// What one variant came to in one round: `N` figures, and the same with nothing attached.
#[derive(Clone, Copy)]
pub struct Round<const N: usize> {
    pub with: [f64; N],
    pub without: [f64; N],
}

impl<const N: usize> Round<N> {
    pub fn added(&self) -> [f64; N] {
        std::array::from_fn(|at| self.with[at] - self.without[at])
    }

    /// As it comes: who waits for minutes sees what they will come to.
    fn tell(&self, variant: &Observer) {
        let one = |at: usize| {
            let (with, without) = (self.with[at], self.without[at]);
            let percent = if without == 0.0 { 0.0 } else { 100.0 * (with / without - 1.0) };
            format!("{with:.1} ({percent:+.1}% of {without:.1})")
        };
        eprintln!("bench:     {}: {}", variant.name, (0..N).map(one).collect::<Vec<_>>().join(", "));
    }
}

/// By how much the baselines before and after a measurement may differ.
const DRIFT: f64 = 0.03;

impl Bench {
    /// Measures every variant once per round, in turns, each between two measurements of nothing. Virtual machines have
    /// fast and slow seconds: where the two differ, the machine changed in between, and it is done again.
    /// The result has a row per variant, empty for one that is not installed.
    pub fn rounds<const N: usize>(
        &self,
        variants: &[Observer],
        mut measure: impl FnMut(&Observer) -> Result<[f64; N]>,
    ) -> Result<Vec<Vec<Round<N>>>> {
        let nothing = Observer::nothing();
        let mut rows = vec![Vec::new(); variants.len()];
        let mut measure = |variant: &Observer| {
            self.quiet.wait();
            measure(variant)
        };
        for round in 1..=self.rounds {
            eprintln!("bench:   round {round} of {}", self.rounds);
            let mut before = measure(&nothing)?;
            for (row, variant) in rows.iter_mut().zip(variants).filter(|(_, variant)| variant.is_installed()) {
                loop {
                    let start = Instant::now();
                    let with = measure(variant)?;
                    let after = measure(&nothing)?;
                    let steady =
                        before.iter().zip(after).all(|(before, after)| (before - after).abs() <= before * DRIFT);
                    let without = std::array::from_fn(|at| (before[at] + after[at]) / 2.0);
                    before = after;
                    if steady || !self.quiet.is_patient() {
                        self.quiet.note(steady);
                        let round = Round { with, without };
                        round.tell(variant);
                        row.push(round);
                        break;
                    }
                    self.quiet.lose(start.elapsed());
                }
            }
        }
        Ok(rows)
    }
}
