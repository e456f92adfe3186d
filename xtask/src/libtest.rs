//! Reads what Rust's test harness prints, or libtest-mimic in its place, started with [`ARGS`].
//!
//! Rust's harness cannot skip at run time, so a test that cannot do its work here prints a line
//! `skipped: REASON` and returns; this reader makes it a skip instead of a silent pass. A test that is tried again prints
//! `once more: REASON`, so that it is not a silent pass either.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::report::UNIT;

/// One at a time: tests measure the same kernel. With output: a skipped test passes as far as the
/// harness knows, and its output holds the reason. Without colours: a serial port is a terminal.
pub const ARGS: [&str; 3] = ["--test-threads=1", "--show-output", "--color=never"];

const AGAIN: &str = "once more: ";

#[derive(Debug, PartialEq)]
pub enum Outcome {
    Passed,
    Failed,
    Skipped(String),
}

#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub outcome: Outcome,
    pub took: Duration,
    /// Why earlier tries failed.
    pub tries: String,
    /// What the test printed, as the harness shows it after the last one.
    pub output: String,
}

/// Fed with lines as they arrive; prints a line for each test that ends.
pub struct Reader {
    place: String,
    /// The finished ones.
    pub cases: Vec<Case>,
    /// The test that is running.
    pub running: Option<String>,
    /// Harnesses that ran to their summary line.
    pub summaries: usize,
    outputs: HashMap<String, String>,
    since: Instant,
    section: Option<String>,
    tries: String,
    counted: usize,
}

impl Reader {
    /// `place`: which kernel the tests run on.
    pub fn new(place: &str) -> Self {
        Self {
            place: place.to_owned(),
            cases: Vec::new(),
            running: None,
            summaries: 0,
            outputs: HashMap::new(),
            since: Instant::now(),
            section: None,
            tries: String::new(),
            counted: 0,
        }
    }

    pub fn line(&mut self, line: &str) {
        let line = line.trim_end();
        if line.starts_with("running ") && (line.ends_with(" test") || line.ends_with(" tests")) {
            // The harness before this one died in the middle of a test.
            self.end(Outcome::Failed);
            self.section = None;
            self.since = Instant::now();
        } else if line.starts_with("test result: ") {
            self.summary();
        } else if let Some(name) = line.strip_prefix("---- ").and_then(|it| it.strip_suffix(" ----")) {
            self.section = Some(name.trim_end_matches(" stdout").to_owned());
        } else if line == "failures:" || line == "successes:" {
            self.section = None;
        } else if let Some(name) = &self.section {
            let output = self.outputs.entry(name.clone()).or_default();
            output.push_str(line);
            output.push('\n');
        } else if let Some((name, rest)) = line.strip_prefix("test ").and_then(|it| it.split_once(" ... ")) {
            self.running = Some(name.trim_end_matches(" - should panic").trim_end().to_owned());
            self.verdict(rest);
        } else if let Some(name) = line.strip_prefix("test ").and_then(|it| it.strip_suffix(" ...")) {
            self.running = Some(name.trim_end_matches(" - should panic").trim_end().to_owned());
        } else {
            self.verdict(line);
        }
    }

    /// The word after a test's name, or on a later line if something printed in between.
    fn verdict(&mut self, text: &str) {
        let outcome = if text == "FAILED" || text.ends_with("... FAILED") {
            Outcome::Failed
        } else if text == "ok" {
            Outcome::Passed
        } else if let Some(why) = text.strip_prefix("ignored") {
            let why = why.trim_start_matches([',', ' ', '(']).trim_end_matches(')');
            Outcome::Skipped(if why.is_empty() { "ignored" } else { why }.to_owned())
        } else {
            let first = text.strip_prefix(AGAIN);
            if first.is_some() || !self.tries.is_empty() {
                self.tries.push_str(first.unwrap_or(text));
                self.tries.push('\n');
            }
            return;
        };
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(name) = self.running.take() {
            let took = self.since.elapsed();
            let tries = std::mem::take(&mut self.tries);
            let word = match &outcome {
                Outcome::Passed if tries.is_empty() => "ok",
                Outcome::Passed => "ok, again",
                Outcome::Failed => "FAILED",
                Outcome::Skipped(_) => "skipped",
            };
            // Those that need no kernel are many, and over at once.
            if self.place != UNIT || outcome != Outcome::Passed {
                println!("{:10}  {name:64}  {word:9}  {:6.1}s", self.place, took.as_secs_f64());
            }
            self.cases.push(Case { name, outcome, took, tries, output: String::new() });
            self.since = Instant::now();
        }
    }

    fn summary(&mut self) {
        for case in &mut self.cases[self.counted..] {
            case.output = self.outputs.remove(&case.name).unwrap_or_default();
            let why = case.output.lines().find_map(|line| line.strip_prefix("skipped: "));
            if let (Outcome::Passed, Some(why)) = (&case.outcome, why) {
                case.outcome = Outcome::Skipped(why.to_owned());
            }
        }
        self.counted = self.cases.len();
        self.outputs.clear();
        self.section = None;
        self.summaries += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Reader {
        let mut reader = Reader::new("");
        text.lines().for_each(|line| reader.line(line));
        reader
    }

    #[test]
    fn tells_the_four_ends_of_a_test_apart() {
        let reader = read(
            "running 4 tests\r\ntest a ... ok\r\ntest b ... FAILED\ntest c ... ignored, too slow\n\
             test d - should panic ... ok\n\nsuccesses:\n\n---- a stdout ----\nskipped: needs root\n\n\n\
             successes:\n    a\n    d\n\nfailures:\n\n---- b stdout ----\nleft: 1\n\nfailures:\n    b\n\n\
             test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured\n",
        );
        let outcomes: Vec<_> = reader.cases.iter().map(|case| (&*case.name, &case.outcome)).collect();
        assert_eq!(
            outcomes,
            [
                ("a", &Outcome::Skipped("needs root".into())),
                ("b", &Outcome::Failed),
                ("c", &Outcome::Skipped("too slow".into())),
                ("d", &Outcome::Passed),
            ]
        );
        assert!(reader.cases[1].output.contains("left: 1"));
        assert_eq!(reader.summaries, 1);
    }

    #[test]
    fn reads_libtest_mimic() {
        let reader = read(
            "running 2 tests\ntest short    ... FAILED\ntest a_longer ... ignored (no disk)\n\nfailures:\n\n\
             ---- short ----\nwhy it failed\n\n\nfailures:\n    short\n\ntest result: FAILED. 0 passed",
        );
        assert_eq!(reader.cases[0].name, "short");
        assert_eq!(reader.cases[0].output.trim(), "why it failed");
        assert_eq!(reader.cases[1].outcome, Outcome::Skipped("no disk".into()));
    }

    #[test]
    fn a_test_that_never_ended_is_still_running() {
        let reader = read("running 2 tests\ntest a ... ok\ntest b ... \nsome child's words");
        assert_eq!(reader.running.as_deref(), Some("b"));
        assert_eq!(reader.summaries, 0);
    }

    #[test]
    fn a_dead_harness_fails_the_test_it_was_in() {
        let reader = read("running 1 test\ntest a ... \nrunning 1 test\ntest b ... ok\ntest result: ok. 1 passed");
        assert_eq!(reader.cases[0].outcome, Outcome::Failed);
        assert_eq!(reader.cases[1].outcome, Outcome::Passed);
    }

    #[test]
    fn what_was_tried_again_says_why() {
        let reader = read(
            "running 2 tests\ntest a ... once more: 3 of 4: [\n    7,\n]\nonce more: 2 of 4\nok\ntest b ... ok\n\
             test result: ok. 2 passed",
        );
        assert_eq!(reader.cases[0].tries, "3 of 4: [\n    7,\n]\n2 of 4\n");
        assert_eq!((&reader.cases[0].outcome, &reader.cases[1].outcome), (&Outcome::Passed, &Outcome::Passed));
        assert!(reader.cases[1].tries.is_empty());
    }

    #[test]
    fn words_printed_in_between_do_not_hide_the_verdict() {
        let reader = read("running 1 test\ntest a ... a child's words\nok\ntest result: ok. 1 passed");
        assert_eq!(reader.cases[0].outcome, Outcome::Passed);
    }
}
