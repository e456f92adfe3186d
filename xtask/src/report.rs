//! What passed, what failed, what was skipped and why: one count over everything.

use std::process::{Command, ExitCode};

use crate::libtest::{Case, Outcome};
use crate::workspace::run;

#[derive(Default)]
pub struct Report {
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<(String, String)>,
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

    /// One check that is a whole command.
    pub fn check(&mut self, what: &str, command: &mut Command) {
        println!("\n== {what}");
        match run(command) {
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
            let name = format!("{place:10}  {}", case.name);
            let word = match &case.outcome {
                Outcome::Passed => "ok",
                Outcome::Failed => "FAILED",
                Outcome::Skipped(_) => "skipped",
            };
            println!("{name:76}  {word:7}  ({:.1}s)", case.took.as_secs_f64());
            match &case.outcome {
                Outcome::Passed => self.pass(),
                Outcome::Skipped(why) => self.skip(name, why),
                Outcome::Failed => {
                    case.output.lines().for_each(|line| println!("    {line}"));
                    self.fail(name);
                }
            }
        }
    }

    /// Prints the summary; a run in which nothing ran has failed, too.
    pub fn finish(self) -> ExitCode {
        println!();
        for (what, why) in &self.skipped {
            println!("skipped  {what}: {why}");
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
