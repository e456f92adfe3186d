//! The figures of stillwatch against workloads whose answer is known, on the kernel that runs here: this machine's, or
//! in the matrix of virtual machines. Needs root; without it every test is reported as ignored, with the reason.

mod attribution;
mod counts;
mod in_flight;
mod lifetime;
mod modes;
mod stillwatch;
mod workload;

use std::sync::atomic::Ordering;

use libtest_mimic::{Arguments, Failed, Trial};

type Test = (&'static str, fn() -> anyhow::Result<()>);

fn main() {
    let mut arguments = Arguments::from_args();
    // Each test reads counters of the whole host and loads it: one at a time.
    arguments.test_threads = Some(1);
    // SAFETY: no precondition.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        eprintln!("kernel tests are ignored: loading BPF programs needs root");
    }
    let tests: Vec<Test> =
        [counts::TESTS, modes::TESTS, in_flight::TESTS, attribution::TESTS, lifetime::TESTS].concat();
    let trials = tests.into_iter().map(|(name, test)| {
        Trial::test(name, move || tried(test).map_err(|error| Failed::from(format!("{error:#}"))))
            .with_ignored_flag(!root)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

/// Newer kernels let a program on a system call be preempted, and withhold events from it until it goes on. stillwatch
/// counts those as lost; a test that wants exact figures is tried again then, and only then.
fn tried(test: fn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    for _ in 0..4 {
        stillwatch::WITHHELD.store(0, Ordering::Relaxed);
        let result = test();
        let withheld = stillwatch::WITHHELD.load(Ordering::Relaxed);
        match result {
            Err(error) if withheld > 0 => eprintln!("the kernel withheld {withheld} events, once more: {error:#}"),
            result => return result,
        }
    }
    test()
}
