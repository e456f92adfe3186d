//! What passed, what failed, what was skipped and why: one count over everything.

use std::process::{Command, ExitCode};

use crate::libtest::{Case, Outcome};
use crate::workspace::run;

#[derive(Default)]
pub struct Report {
    passed: usize,
    failed: Vec<String>,
    /// Passed, but not at once.
    again: Vec<String>,
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
            for line in case.tries.lines().chain(case.output.lines().filter(|_| case.outcome == Outcome::Failed)) {
                println!("    {line}");
            }
            match &case.outcome {
                Outcome::Passed => {
                    self.pass();
                    if let Some(why) = first_of(&case.tries) {
                        self.again.push(format!("{name}: {why}"));
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
    pub fn finish(self) -> ExitCode {
        println!();
        for (what, why) in &self.skipped {
            println!("skipped  {what}: {why}");
        }
        for what in &self.again {
            println!("again    {what}");
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
