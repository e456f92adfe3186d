//! What passed, what failed, what was skipped and why: one count over everything.

use std::process::{Command, ExitCode};

use crate::libtest::{Case, Outcome};
use crate::retries::{self, Retry};
use crate::setup;
use crate::stages::Stages;
use crate::workspace::run;

/// Tests without a kernel's part in them.
pub const UNIT: &str = "unit";

#[derive(Default)]
pub struct Report {
    passed: usize,
    failed: Vec<String>,
    /// Passed, but not at once.
    again: Vec<Retry>,
    skipped: Vec<(String, String)>,
    /// Tests on a kernel that were not skipped.
    on_kernels: usize,
    pub stages: Stages,
}

impl Report {
    pub fn pass(&mut self) {
        self.passed += 1;
    }

    pub fn fail(&mut self, what: impl Into<String>) {
        self.failed.push(what.into());
    }

    pub fn skip(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.skipped.push((what.into(), why.into()));
    }

    pub fn count(&self) -> usize {
        self.passed + self.failed.len() + self.skipped.len()
    }

    /// That of something that was done meanwhile.
    pub fn append(&mut self, other: Self) {
        self.passed += other.passed;
        self.on_kernels += other.on_kernels;
        self.failed.extend(other.failed);
        self.again.extend(other.again);
        self.skipped.extend(other.skipped);
        self.stages.append(other.stages);
    }

    /// Something passed at its second try.
    pub fn again(&mut self, kernel: &str, test: &str, why: impl Into<String>) {
        self.again.push(Retry { kernel: kernel.to_owned(), test: test.to_owned(), why: why.into() });
    }

    /// One check that is a whole command.
    pub fn check(&mut self, what: &str, command: &mut Command) {
        println!("\n== {what}");
        match self.stages.timed(what, || run(command)) {
            Ok(()) => self.pass(),
            Err(error) => {
                println!("{what}: {error:#}");
                self.fail(what);
            }
        }
    }

    /// The tests of one run, told apart from the same tests elsewhere by `place`.
    pub fn add(&mut self, place: &str, cases: &[Case]) {
        for case in cases {
            let is_measured = place != UNIT && !matches!(case.outcome, Outcome::Skipped(_));
            self.on_kernels += usize::from(is_measured);
            self.stages.test(&format!("{place}  {}", case.name), case.took);
            let name = format!("{place:10}  {}", case.name);
            let output = case.output.lines().filter(|_| case.outcome == Outcome::Failed);
            let said: Vec<&str> = case.tries.lines().chain(output).collect();
            if !said.is_empty() {
                println!("{name}\n    {}", said.join("\n    "));
            }
            match &case.outcome {
                Outcome::Passed => {
                    self.pass();
                    if let Some(why) = first_of(&case.tries) {
                        self.again(place, &case.name, why);
                    }
                }
                Outcome::Skipped(why) => self.skip(name, why),
                Outcome::Failed => {
                    let why = first_of(&case.output).or_else(|| first_of(&case.tries)).unwrap_or_default();
                    self.fail(format!("{name}: {why}"));
                }
            }
        }
    }

    /// Prints the summary; a run in which nothing ran has failed, too.
    pub fn finish(mut self) -> ExitCode {
        println!();
        for (what, took) in setup::installed() {
            println!("set up   {:>7.1}s  {what}", took.as_secs_f64());
        }
        self.stages.print();
        for (what, why) in &self.skipped {
            println!("skipped  {what}: {why}");
        }
        for Retry { kernel, test, why } in &self.again {
            println!("again    {kernel:10}  {test}: {why}");
        }
        if let Err(error) = retries::keep(&self.again) {
            println!("again    not kept: {error:#}");
        }
        if let Some(why) = retries::too_many(self.again.len(), self.on_kernels) {
            self.fail(why);
        }
        for what in &self.failed {
            println!("FAILED   {what}");
        }
        let (failed, skipped) = (self.failed.len(), self.skipped.len());
        println!("{} passed, {failed} failed, {skipped} skipped", self.passed);
        if failed > 0 || self.passed == 0 {
            return ExitCode::FAILURE;
        }
        ExitCode::SUCCESS
    }
}

/// The first line that says something, or most of it.
fn first_of(text: &str) -> Option<String> {
    const MOST: usize = 200;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let short: String = line.chars().take(MOST).collect();
    Some(if short.len() < line.len() { format!("{short}…") } else { short })
}
