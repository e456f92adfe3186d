//! The command line from outside: what it refuses and how, and the texts that need no kernel. No root needed.

mod refusals;
mod screen;
mod texts;

use std::process::{Command, Output};

use stillwatch_tests::stillwatch;

/// Runs with `words` and nothing in the environment that changes the output.
fn run(words: &[&str]) -> Output {
    command(words).output().expect("stillwatch starts")
}

fn command(words: &[&str]) -> Command {
    let mut command = stillwatch();
    command.args(words).env_remove("NO_COLOR").env_remove("STILLWATCH_LOG").env("TERM", "xterm-256color");
    command
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("output is UTF-8")
}
