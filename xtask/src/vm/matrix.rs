//! The tests on this kernel and on every kernel of the matrix. A machine keeps one CPU busy. Those whose clock counts their own
//! instructions do not notice what runs beside them (docs/decisions/0017-machines-count-instructions.md): they all have the time that the
//! tests of this kernel, and after these the machines on the host's clock, leave.

use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result};

use super::boot::{End, Machine, Run};
use super::guest::{self, Binaries};
use super::kernels::{self, Fetched, Kernel};
use super::options::Choice;
use super::pause::Pause;
use crate::libtest::{self, Reader};
use crate::report::Report;
use crate::setup;
use crate::workspace::read;

/// What machines need, and each kernel or why there is none.
pub struct Prepared(Result<Vec<(&'static Kernel, Result<Fetched>)>>);

/// Installs and fetches. Mostly waits for others, so that builds can go on meanwhile.
pub fn prepare(choice: &Choice) -> Prepared {
    let fetch = || choice.kernels.iter().map(|&kernel| (kernel, kernels::fetch(kernel))).collect();
    Prepared(setup::machines().map(|()| fetch()))
}

/// The static builds of the tool and of its kernel tests.
pub fn build(choice: &Choice) -> Result<Binaries> {
    if choice.build {
        guest::everything()?;
    }
    Ok(Binaries { stillwatch: guest::stillwatch(false)?, tests: Some(guest::tests(choice.build)?) })
}

/// Whether this kernel's machine has anything to do: asked here, since starting one takes a while.
fn has_tests(kernel: &Kernel, tests: &Path, choice: &Choice) -> bool {
    let mut list = Command::new(tests);
    list.args(["--list", "--format=terse"]).args(&choice.tests).envs(choice.environment());
    read(list.env("STILLWATCH_VM", kernel.name)).is_ok_and(|list| !list.trim().is_empty())
}

/// Of the tests of this kernel.
#[derive(Clone, Copy)]
pub enum Part {
    /// Others may use the CPUs that these leave idle.
    Beside,
    Alone,
}

/// `here` runs a part of this kernel's tests. `others` use idle CPUs, too, and have ended before the tests that have to be alone.
/// Returns what they do.
pub fn matrix<T: Send>(
    report: &mut Report,
    choice: &Choice,
    prepared: Prepared,
    binaries: &Binaries,
    here: impl Fn(&mut Report, Part),
    others: impl FnOnce() -> T + Send,
) -> T {
    let fetched = with_tests(report, choice, prepared, binaries);
    let (counting, real) = fetched.iter().partition::<Vec<_>, _>(|kernel| kernel.counts_instructions);
    let (ended, ends) = mpsc::channel();
    let pauses: Vec<Pause> = counting.iter().map(|_| Pause::default()).collect();
    thread::scope(|scope| {
        for (kernel, pause) in counting.into_iter().zip(&pauses) {
            let ended = ended.clone();
            scope.spawn(move || {
                leave_the_cpus_to_others();
                let _ = ended.send((kernel, test(kernel, Some(pause), binaries, choice)));
            });
        }
        let others = scope.spawn(|| {
            leave_the_cpus_to_others();
            others()
        });
        here(report, Part::Beside);
        let others = others.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        pauses.iter().for_each(Pause::begin);
        here(report, Part::Alone);
        pauses.iter().for_each(Pause::end);
        println!("\n== tests, kernel matrix");
        for kernel in real {
            let ended = ended.clone();
            scope.spawn(move || {
                let _ = ended.send((kernel, test(kernel, None, binaries, choice)));
            });
        }
        drop(ended);
        for (kernel, tested) in ends {
            match tested {
                Ok(tested) => tell(report, kernel, tested),
                Err(error) => {
                    println!("{:10}  {error:#}", kernel.version);
                    report.fail(format!("{:10}  {error:#}", kernel.version));
                }
            }
        }
        others
    })
}

/// The kernels that there is anything to test on. Says why others are not there.
fn with_tests(report: &mut Report, choice: &Choice, prepared: Prepared, binaries: &Binaries) -> Vec<Fetched> {
    let prepared = match prepared.0 {
        Ok(kernels) => kernels,
        Err(error) => {
            for kernel in &choice.kernels {
                report.skip(format!("kernel {}", kernel.name), format!("{error:#}"));
            }
            return Vec::new();
        }
    };
    let mut fetched = Vec::new();
    for (kernel, result) in prepared {
        if !binaries.tests.as_ref().is_some_and(|tests| has_tests(kernel, tests, choice)) {
            println!("{:10}  no test matches", kernel.name);
            continue;
        }
        match result {
            Ok(kernel) => fetched.push(kernel),
            Err(error) => {
                println!("{:10}  not fetched: {error:#}", kernel.name);
                report.skip(format!("kernel {}", kernel.name), format!("not fetched: {error:#}"));
            }
        }
    }
    fetched
}

/// Makes this thread, and what it starts, run only while a CPU has nothing else to do. Without it, everything takes its turn.
fn leave_the_cpus_to_others() {
    let thread = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    if let Some(thread) = thread.file_name() {
        let _ = Command::new("chrt").args(["--idle", "--pid", "0"]).arg(thread).status();
    }
}

/// One kernel's machine, from its start to its end.
struct Tested {
    run: Run,
    reader: Reader,
    /// Why it had to be started a second time, and where its console ended.
    again: Option<(String, String)>,
}

fn test(kernel: &Fetched, pause: Option<&Pause>, binaries: &Binaries, choice: &Choice) -> Result<Tested> {
    let environment: Vec<String> =
        choice.environment().into_iter().map(|(name, value)| format!("{name}='{value}' ")).collect();
    let mut command = format!("{}kernel-tests {}", environment.concat(), libtest::ARGS.join(" "));
    if let Some(test) = &choice.tests {
        command += &format!(" '{}'", test.replace('\'', ""));
    }
    let machine = Machine { kernel, binaries, files: &[], command: &command, timeout: choice.timeout, pause };
    let start = || -> Result<(Run, Reader)> {
        let mut reader = Reader::new(&kernel.version);
        let run = machine.run(|line| reader.line(line)).context("its machine")?;
        Ok((run, reader))
    };
    let (run, reader) = start()?;
    let Some(why) = emulators_fault(&run) else { return Ok(Tested { run, reader, again: None }) };
    let during = reader.running.as_deref().unwrap_or("no test");
    let why = format!("{why} during {during}, after {} tests", reader.cases.len());
    let (again, reader) = start()?;
    Ok(Tested { run: again, reader, again: Some((why, run.console)) })
}

fn tell(report: &mut Report, kernel: &Fetched, Tested { run, reader, again }: Tested) {
    if let Some((why, console)) = again {
        println!("{:10}  !! {why}; started once more. The end of its console:\n{console}", kernel.version);
        report.again(&kernel.version, "its machine", why);
    }
    println!(
        "{:10}  booted in {:.1}s, off after {:.1}s",
        kernel.version,
        run.booted_in.as_secs_f64(),
        run.took.as_secs_f64()
    );
    report.stages.stage(format!("machine {}", kernel.version), run.took);
    report.add(&kernel.version, &reader.cases);
    if reader.summaries == 0 {
        let why = why_unfinished(&run, &reader);
        println!("{:10}  {why}; the end of its console:\n{}", kernel.version, run.console);
        report.fail(format!("{:10}  {why}", kernel.version));
    }
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
