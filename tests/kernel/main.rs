//! The figures of stillwatch against workloads whose answer is known, on the kernel that runs here: this machine's, or
//! in the matrix of virtual machines. Needs root; without it every test is reported as ignored, with the reason.

mod attribution;
mod counts;
mod cpu;
mod devices;
mod findings;
mod in_flight;
mod io;
mod lifetime;
mod modes;
mod oom;
mod stillwatch;
mod tcp;
mod workload;

use std::sync::atomic::Ordering;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

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
    let tests: Vec<Test> = [
        counts::TESTS,
        modes::TESTS,
        in_flight::TESTS,
        attribution::TESTS,
        lifetime::TESTS,
        &io::tests(),
        &tcp::tests(),
        &oom::tests(),
        &cpu::tests(),
        &findings::tests(),
    ]
    .concat();
    let trials = tests
        .into_iter()
        .map(|(name, test)| Trial::ignorable_test(name, move || ended(tried(test))).with_ignored_flag(!root));
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

/// Why a test can't be made here: this kernel lacks what it needs. Reported as ignored, never as passed.
#[derive(Debug)]
struct Skip(String);

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

fn skip(why: impl Into<String>) -> anyhow::Error {
    Skip(why.into()).into()
}

fn ended(result: anyhow::Result<()>) -> Result<Completion, Failed> {
    match result {
        Ok(()) => Ok(Completion::Completed),
        Err(error) => match error.downcast_ref::<Skip>() {
            Some(why) => Ok(Completion::ignored_with(why)),
            None => Err(Failed::from(format!("{error:#}"))),
        },
    }
}

/// Newer kernels let a program on a system call be preempted, and withhold events from it until it goes on; now and then they
/// don't show it that a request is complete. stillwatch counts those as lost; a test that wants exact figures is tried again then.
/// Any other failure has one more chance, and says so: the machines that tests run on are shared, and other programs' requests,
/// sleeps and memory are in every figure of a host. What is wrong is wrong twice.
fn tried(test: fn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut last_chance = false;
    for _ in 0..5 {
        stillwatch::WITHHELD.store(0, Ordering::Relaxed);
        let result = test();
        let withheld = stillwatch::WITHHELD.load(Ordering::Relaxed);
        match result {
            Err(error) if error.is::<Skip>() => return Err(error),
            Err(error) if withheld > 0 => println!("once more: the kernel withheld {withheld} events: {error:#}"),
            Err(error) if !last_chance => {
                println!("once more: {error:#}");
                last_chance = true;
            }
            result => return result,
        }
    }
    test()
}
