//! The tests on every kernel, one machine after the other: two at once would share two cores and blur
//! what the tests measure.

use std::process::Command;

use anyhow::Result;

use super::boot::{End, Machine, Run};
use super::guest::{self, Binaries};
use super::kernels::{self, Fetched, Kernel};
use super::options::Choice;
use crate::libtest::{self, Reader};
use crate::report::Report;
use crate::setup;
use crate::workspace::read;

pub fn matrix(report: &mut Report, choice: &Choice) {
    println!("\n== tests, kernel matrix");
    if let Err(error) = setup::machines() {
        for kernel in &choice.kernels {
            report.skip(format!("kernel {}", kernel.name), format!("{error:#}"));
        }
        return;
    }
    match build(choice) {
        Ok(Some(binaries)) => choice.kernels.iter().for_each(|kernel| one(report, kernel, &binaries, choice)),
        Ok(None) => println!("no kernel test matches"),
        Err(error) => {
            println!("{error:#}");
            report.fail(format!("kernel matrix: {error:#}"));
        }
    }
}

/// The static builds, unless no test matches: asked here, since starting four machines takes a while.
fn build(choice: &Choice) -> Result<Option<Binaries>> {
    let tests = guest::tests(choice.build)?;
    let list = read(Command::new(&tests).args(["--list", "--format=terse"]).args(&choice.tests))?;
    if list.trim().is_empty() {
        return Ok(None);
    }
    let stillwatch = guest::stillwatch(choice.build)?;
    Ok(Some(Binaries { stillwatch, tests: Some(tests) }))
}

fn one(report: &mut Report, kernel: &Kernel, binaries: &Binaries, choice: &Choice) {
    match kernels::fetch(kernel) {
        Ok(fetched) => {
            if let Err(error) = test(report, &fetched, binaries, choice) {
                println!("{:10}  {error:#}", fetched.version);
                report.fail(format!("{:10}  {error:#}", fetched.version));
            }
        }
        Err(error) => {
            println!("{:10}  not fetched: {error:#}", kernel.name);
            report.skip(format!("kernel {}", kernel.name), format!("not fetched: {error:#}"));
        }
    }
}

fn test(report: &mut Report, kernel: &Fetched, binaries: &Binaries, choice: &Choice) -> Result<()> {
    let mut command = format!("kernel-tests {}", libtest::ARGS.join(" "));
    if let Some(test) = &choice.tests {
        command += &format!(" '{}'", test.replace('\'', ""));
    }
    let machine = Machine { kernel, binaries, files: &[], command: &command, timeout: choice.timeout };
    let mut reader = Reader::new();
    let mut run = machine.run(|line| reader.line(line))?;
    if let Some(why) = emulators_fault(&run) {
        let during = reader.running.as_deref().unwrap_or("no test");
        println!(
            "{:10}  !! {why} during {during}, after {} tests; the end of its console:\n{}\n{:10}  !! once more",
            kernel.version,
            reader.cases.len(),
            run.console,
            kernel.version
        );
        report.skip(format!("{:10}  its first start", kernel.version), format!("{why} during {during}; started again"));
        reader = Reader::new();
        run = machine.run(|line| reader.line(line))?;
    }

    println!(
        "{:10}  booted in {:.1}s, off after {:.1}s",
        kernel.version,
        run.booted_in.as_secs_f64(),
        run.took.as_secs_f64()
    );
    report.add(&kernel.version, &reader.cases);
    if reader.summaries == 0 {
        let why = why_unfinished(&run, &reader);
        println!("{:10}  {why}; the end of its console:\n{}", kernel.version, run.console);
        report.fail(format!("{:10}  {why}", kernel.version));
    }
    Ok(())
}

/// Ends that an emulator can be the cause of, so that they are worth a second start, said aloud. There is no third: a
/// test that hangs or that leaves breakpoints behind does so again.
fn emulators_fault(run: &Run) -> Option<&'static str> {
    match run.end {
        End::TimedOut => Some("it stood still"),
        End::Died if run.stale_breakpoint => Some("it died of a stale breakpoint"),
        _ => None,
    }
}

fn why_unfinished(run: &Run, reader: &Reader) -> String {
    let during = reader.running.as_ref().map_or(String::new(), |test| format!(" during {test}"));
    match run.end {
        End::Exited(code) => format!("the tests ended early with status {code}{during}"),
        ref end => format!("{end}{during}"),
    }
}
