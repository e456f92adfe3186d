//! The figures of stillwatch against workloads whose answer is known, on the kernel that runs here: this machine's, or
//! in the matrix of virtual machines. Needs root; without it every test is reported as ignored, with the reason.

mod accounts;
mod audit;
mod budget;
mod changes;
mod cpu;
mod devices;
mod disk;
mod findings;
mod io;
mod lifetime;
mod log;
mod oom;
mod own_cost;
mod place;
mod record;
mod screen;
mod stillwatch;
mod survival;
mod syscalls;
mod tcp;
mod workload;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use place::{Test, every_kernel, here, in_machine, on_hosts_clock, one_machine, skip, tried};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((command, loads)) = words.split_first()
        && command == "audit"
    {
        return audit::command(loads);
    }
    let mut arguments = Arguments::from_args();
    // Each test reads counters of the whole host and loads it: one at a time.
    arguments.test_threads = Some(1);
    // SAFETY: no precondition.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        eprintln!("kernel tests are ignored: loading BPF programs needs root");
    }
    let tests: Vec<Test> = [
        lifetime::TESTS,
        survival::TESTS,
        budget::TESTS,
        own_cost::TESTS,
        &syscalls::tests(),
        &io::tests(),
        &tcp::tests(),
        &oom::tests(),
        &cpu::tests(),
        &disk::tests(),
        &changes::tests(),
        &log::tests(),
        &findings::tests(),
        record::TESTS,
        screen::TESTS,
        audit::TESTS,
    ]
    .concat();
    // Beside the pattern of the command line: names that begin with one of these words.
    let wanted = std::env::var("STILLWATCH_TESTS").unwrap_or_default();
    let is_wanted = |test: &Test| wanted.is_empty() || wanted.split(',').any(|word| test.name.starts_with(word));
    let trials = tests
        .into_iter()
        .filter(|test| test.belongs_here() && test.is_of_part() && is_wanted(test))
        .map(|test| Trial::ignorable_test(test.name, move || tried(&test)).with_ignored_flag(!root));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
