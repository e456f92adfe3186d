//! `cargo xtask test`: everything that can be known about this tree on this machine.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::changed::{self, Touched};
use crate::libtest::{self, Outcome, Reader};
use crate::report::{Report, UNIT};
use crate::vm::{self, Part};
use crate::workspace::root;
use crate::{lint, setup};

/// For the tests of one stage: one that hangs must not cost the summary.
const LIMIT_SECONDS: &str = "1200";

/// This kernel.
const HERE: &str = "here";

/// What of everything.
struct Wanted {
    choice: vm::Choice,
    patterns: Vec<String>,
    lints: bool,
    kernel_tests: bool,
}

impl Wanted {
    fn parse(args: &[OsString]) -> Result<Self> {
        let words: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            [] => Self::matching(&[]),
            ["--changed"] => Self::changed("HEAD"),
            ["--changed", revision] => Self::changed(revision),
            [pattern] if !pattern.starts_with('-') => Self::matching(&[pattern.to_owned()]),
            _ => bail!("usage: cargo xtask test [PATTERN | --changed [REV]]"),
        }
    }

    fn matching(patterns: &[String]) -> Result<Self> {
        let choice = vm::Choice::from_patterns(patterns)?;
        Ok(Self { choice, patterns: patterns.to_vec(), lints: patterns.is_empty(), kernel_tests: true })
    }

    fn changed(revision: &str) -> Result<Self> {
        let touched = changed::touched(&changed::files(revision)?, &changed::probes()?);
        println!("changed since {revision}: {touched:?}");
        let mut wanted = Self::matching(&[])?;
        match touched {
            Touched::All => {}
            Touched::NoKernelTest => wanted.kernel_tests = false,
            Touched::Some(beginnings) => wanted.choice.beginnings = beginnings.into_iter().collect(),
        }
        Ok(wanted)
    }
}

pub fn command(args: Vec<OsString>) -> Result<ExitCode> {
    let start = Instant::now();
    let wanted = Wanted::parse(&args)?;
    let mut report = Report::default();
    thread::scope(|scope| {
        // Packages and kernels come over the network while the CPUs build.
        let prepared = wanted.kernel_tests.then(|| {
            scope.spawn(|| {
                setup::peers();
                vm::prepare(&wanted.choice)
            })
        });
        let duckdb = scope.spawn(setup::duckdb);
        report.stages.timed("set-up for building", setup::build)?;
        if wanted.lints {
            lint::format(&mut report);
        } else {
            report.skip("lints", "a pattern chooses tests only");
        }
        println!("\n== build");
        let binaries = match report.stages.timed("build", || vm::build(&wanted.choice)) {
            Ok(binaries) => binaries,
            Err(error) => {
                report.fail(format!("build: {error:#}"));
                report.skip("all tests", "the build failed");
                return Ok(());
            }
        };
        report.pass();
        report.stages.timed("waiting for DuckDB", || duckdb.join().ok());
        let before = report.count();
        let here = |report: &mut Report, part| host(report, &wanted, &binaries, part);
        let lints = || wanted.lints.then(lints).unwrap_or_default();
        let lints = if let Some(prepared) = prepared {
            let prepared = report.stages.timed("waiting for packages and kernels", || prepared.join());
            let prepared = prepared.map_err(|_| anyhow::anyhow!("the set-up of machines panicked"))?;
            let tests = Instant::now();
            let lints = vm::matrix(&mut report, &wanted.choice, prepared, &binaries, here, lints);
            report.stages.stage("tests here and in machines", tests.elapsed());
            lints
        } else {
            here(&mut report, Part::Beside);
            here(&mut report, Part::Alone);
            lints()
        };
        report.append(lints);
        if report.count() == before {
            report.fail(format!("no test matches {}", wanted.patterns.join(" ")));
        }
        Ok::<(), anyhow::Error>(())
    })?;
    report.stages.stage("all", start.elapsed());
    Ok(report.finish())
}

/// What takes the CPUs for minutes and can be done beside machines.
fn lints() -> Report {
    let mut report = Report::default();
    lint::aarch64(&mut report);
    lint::kernel_side(&mut report);
    report
}

/// The tests that need no virtual machine. Those without a kernel are of the first part.
fn host(report: &mut Report, wanted: &Wanted, binaries: &vm::Binaries, part: Part) {
    let (alone, stage) = match part {
        Part::Beside => ("no", HERE),
        Part::Alone => ("only", "here, alone"),
    };
    if let Part::Beside = part {
        println!("\n== tests, this machine");
        let mut unit = vm::all_tests();
        unit.arg("--no-fail-fast").args(&wanted.patterns).arg("--").args(libtest::ARGS);
        run(report, UNIT, UNIT, unit, binaries);
    }
    if let (true, Some(tests)) = (wanted.kernel_tests, &binaries.tests) {
        let mut kernel = Command::new(tests);
        kernel.args(libtest::ARGS).args(&wanted.patterns).envs(wanted.choice.environment());
        kernel.env("STILLWATCH_ALONE", alone);
        run(report, HERE, stage, kernel, binaries);
    }
}

/// Harnesses, their tests told as soon as each is done.
fn run(report: &mut Report, place: &str, stage: &str, command: Command, binaries: &vm::Binaries) {
    let start = Instant::now();
    if let Err(error) = try_run(report, place, command, binaries) {
        report.fail(format!("{place:10}  {error:#}"));
    }
    report.stages.stage(format!("tests, {stage}"), start.elapsed());
}

fn try_run(report: &mut Report, place: &str, command: Command, binaries: &vm::Binaries) -> Result<()> {
    // Its own process group, so that a test that hangs goes down with all it has started.
    let mut child = Command::new("timeout")
        .args(["--kill-after=10", LIMIT_SECONDS])
        .arg(command.get_program())
        .args(command.get_args())
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("STILLWATCH_BIN", &binaries.stillwatch)
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting the tests")?;
    let (mut reader, mut shown) = (Reader::new(place), 0);
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let summaries = reader.summaries;
            reader.line(&String::from_utf8_lossy(&line?));
            if reader.summaries > summaries {
                report.add(place, &reader.cases[shown..]);
                shown = reader.cases.len();
            }
        }
    }
    let status = child.wait()?;
    report.add(place, &reader.cases[shown..]);
    let failed = reader.cases.iter().any(|case| case.outcome == Outcome::Failed);
    // A harness that died, or a crate that does not compile.
    if let Some(test) = &reader.running {
        let late = status.code() == Some(124);
        let why = if late { "the time limit was reached" } else { "its process ended" };
        bail!("{test} ({why})");
    }
    if !status.success() && !failed {
        bail!("they failed before a test ran");
    }
    Ok(())
}
