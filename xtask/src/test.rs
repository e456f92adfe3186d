//! `cargo xtask test`: everything that can be known about this tree on this machine.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::libtest::{self, Reader};
use crate::report::Report;
use crate::workspace::{cargo, root};
use crate::{lint, run, setup, vm};

/// For the build and the tests of one stage: a hanging test must not cost the summary.
const LIMIT_SECONDS: &str = "1200";

/// Where the tests outside the matrix run.
const HERE: &str = "here";

pub fn command(args: Vec<OsString>) -> Result<ExitCode> {
    let patterns: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    if patterns.len() > 1 || patterns.iter().any(|pattern| pattern.starts_with('-')) {
        bail!("usage: cargo xtask test [PATTERN]");
    }
    let choice = vm::Choice::from_patterns(&patterns)?;
    setup::build()?;
    setup::peers();
    let mut report = Report::default();
    if patterns.is_empty() {
        lint::lint(&mut report);
        lint::aarch64(&mut report);
    } else {
        report.skip("lints", "a pattern chooses tests only");
    }
    println!("\n== build");
    match run::build() {
        Ok(binary) => {
            report.pass();
            let before = report.count();
            if let Err(error) = host(&mut report, &binary, &patterns) {
                report.fail(format!("{HERE:10}  {error:#}"));
            }
            vm::matrix(&mut report, &choice);
            if report.count() == before {
                report.fail(format!("no test matches {}", patterns.join(" ")));
            }
        }
        Err(error) => {
            report.fail(format!("build: {error:#}"));
            report.skip("all tests", "the build failed");
        }
    }
    Ok(report.finish())
}

/// The tests that need no virtual machine.
fn host(report: &mut Report, binary: &Path, patterns: &[String]) -> Result<()> {
    println!("\n== tests, this machine");
    let cargo = cargo("test");
    // Its own process group, so that a test that hangs goes down with all it has started.
    let mut child = Command::new("timeout")
        .args(["--kill-after=10", LIMIT_SECONDS])
        .arg(cargo.get_program())
        .args(cargo.get_args())
        .current_dir(root())
        .args(["--workspace", "--exclude", "stillwatch-ebpf", "--no-fail-fast"])
        .args(patterns)
        .arg("--")
        .args(libtest::ARGS)
        .env("STILLWATCH_BIN", binary)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cargo test")?;
    let (mut reader, mut shown) = (Reader::new(), 0);
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let summaries = reader.summaries;
            reader.line(&String::from_utf8_lossy(&line?));
            // Each harness's tests as soon as it is done.
            if reader.summaries > summaries {
                report.add(HERE, &reader.cases[shown..]);
                shown = reader.cases.len();
            }
        }
    }
    let status = child.wait()?;
    report.add(HERE, &reader.cases[shown..]);
    let failed = reader.cases.iter().any(|case| case.outcome == libtest::Outcome::Failed);
    // A harness that died, or a crate that does not compile.
    if let Some(test) = &reader.running {
        let late = status.code() == Some(124);
        let why = if late { "the time limit was reached" } else { "its process ended" };
        report.fail(format!("{HERE:10}  {test} ({why})"));
    } else if !status.success() && !failed {
        report.fail(format!("{HERE:10}  cargo test failed before a test ran"));
    }
    Ok(())
}
