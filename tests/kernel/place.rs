//! Where a test has to run to say something, and when it can't.

use anyhow::Result;
use libtest_mimic::{Completion, Failed};

use super::stillwatch::forget_shared;

/// One test, and where it runs.
#[derive(Clone, Copy)]
pub struct Test {
    pub name: &'static str,
    pub run: fn() -> Result<()>,
    place: Place,
    alone: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    EveryKernel,
    Here,
    OneMachine,
}

/// What it looks at is the kernel's: hooks and the order of their arguments, offsets, helpers, iterators, the verifier.
pub const fn every_kernel(name: &'static str, run: fn() -> Result<()>) -> Test {
    Test { name, run, place: Place::EveryKernel, alone: false }
}

/// What it looks at is ours, whatever the kernel is: arithmetic, grouping, filters, limits of tables, bounds of findings, text. Or its
/// load needs the pace of a real CPU, or several at the same instant. Once, on the host.
pub const fn here(name: &'static str, run: fn() -> Result<()>) -> Test {
    Test { name, run, place: Place::Here, alone: false }
}

/// As [`here`], with a device or a cgroup version that a host need not have. Once, in the machine [`ONE_MACHINE`].
pub const fn one_machine(name: &'static str, run: fn() -> Result<()>) -> Test {
    Test { name, run, place: Place::OneMachine, alone: false }
}

/// A kernel that people run, and old enough to be boring.
const ONE_MACHINE: &str = "6.12";

impl Test {
    /// On the host nothing else may run meanwhile, also not while all CPUs are idle: it is about pressure on them, and waits for them.
    pub const fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Whether it is of the part that was asked for with `STILLWATCH_ALONE`: those that have to be alone, or all others.
    pub fn is_of_part(&self) -> bool {
        match std::env::var("STILLWATCH_ALONE").as_deref() {
            Ok("only") => self.alone,
            Ok("no") => !self.alone,
            _ => true,
        }
    }

    /// Whether it runs on this kernel. In a machine `STILLWATCH_VM` has its name; `STILLWATCH_ANYWHERE` asks for all tests.
    pub fn belongs_here(&self) -> bool {
        if std::env::var_os("STILLWATCH_ANYWHERE").is_some() {
            return true;
        }
        match (std::env::var("STILLWATCH_VM"), self.place) {
            (_, Place::EveryKernel) => true,
            (Err(_), place) => place == Place::Here,
            (Ok(machine), place) => place == Place::OneMachine && machine == ONE_MACHINE,
        }
    }
}

/// Whether this is a machine of the matrix: an emulated one, with nothing to lose.
pub fn in_machine() -> bool {
    std::env::var_os("STILLWATCH_VM").is_some()
}

/// Whether it is one whose time is the host's, in which it is slow: how late something is says nothing there.
pub fn on_hosts_clock() -> bool {
    std::env::var_os("STILLWATCH_HOSTS_CLOCK").is_some()
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

pub fn skip(why: impl Into<String>) -> anyhow::Error {
    Skip(why.into()).into()
}

pub fn is_skip(error: &anyhow::Error) -> bool {
    error.is::<Skip>()
}

/// One second chance, and never in silence: other programs' requests, sleeps and memory are in every figure of a host. What is
/// wrong is wrong twice. `cargo xtask test` counts those that needed it, and fails when they are many.
pub fn tried(test: &Test) -> Result<Completion, Failed> {
    let result = match (test.run)() {
        Err(error) if !is_skip(&error) => {
            println!("once more: {error:#}");
            forget_shared();
            (test.run)()
        }
        result => result,
    };
    match result {
        Ok(()) => Ok(Completion::Completed),
        Err(error) => match error.downcast_ref::<Skip>() {
            Some(why) => Ok(Completion::ignored_with(why)),
            None => Err(Failed::from(format!("{error:#}"))),
        },
    }
}
