//! The command line of `cargo xtask vm`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lexopt::prelude::*;

use super::kernels::{self, KERNELS, Kernel};

/// Which tests on which kernels, and how.
pub struct Choice {
    pub kernels: Vec<&'static Kernel>,
    /// Part of a test's name; none means all tests.
    pub tests: Option<String>,
    /// Beginnings of tests' names; none means all tests.
    pub beginnings: Vec<String>,
    /// Tests that belong elsewhere, too.
    pub anywhere: bool,
    pub build: bool,
    pub timeout: Duration,
}

impl Choice {
    /// A pattern that names a kernel chooses it, any other one chooses tests.
    pub fn from_patterns(patterns: &[String]) -> Result<Self> {
        let (chosen, tests): (Vec<_>, Vec<_>) = patterns.iter().partition(|pattern| kernels::by_name(pattern).is_ok());
        if tests.len() > 1 {
            bail!("one pattern for tests, please: the harness takes one ({tests:?})");
        }
        let kernels = KERNELS
            .iter()
            .filter(|kernel| chosen.is_empty() || chosen.iter().any(|name| *name == kernel.name))
            .collect();
        let tests = tests.first().map(|test| test.to_string());
        let (beginnings, anywhere) = (Vec::new(), false);
        Ok(Self { kernels, tests, beginnings, anywhere, build: true, timeout: Duration::from_secs(1800) })
    }

    /// What the test binary has to know of it (tests/kernel/place.rs).
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = Vec::new();
        if !self.beginnings.is_empty() {
            environment.push(("STILLWATCH_TESTS", self.beginnings.join(",")));
        }
        if self.anywhere {
            environment.push(("STILLWATCH_ANYWHERE", "1".to_owned()));
        }
        environment
    }
}

pub struct Options {
    pub choice: Choice,
    pub list: bool,
    pub shell: Option<&'static Kernel>,
    pub files: Vec<PathBuf>,
    pub command: Vec<String>,
}

impl Options {
    pub fn parse(args: Vec<OsString>) -> Result<Self> {
        let (mut patterns, mut shell, mut files) = (Vec::new(), None, Vec::new());
        let (mut list, mut build, mut anywhere, mut timeout) = (false, true, false, None);
        // Everything behind `--` belongs to the guest, options included.
        let (ours, guests) = match args.iter().position(|arg| arg == "--") {
            Some(at) => (&args[..at], &args[at + 1..]),
            None => (&args[..], &[][..]),
        };
        let command = guests.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
        let mut parser = lexopt::Parser::from_args(ours);
        while let Some(arg) = parser.next()? {
            match arg {
                Long("list") => list = true,
                Long("no-build") => build = false,
                Long("anywhere") => anywhere = true,
                Long("shell") => shell = Some(kernels::by_name(&parser.value()?.string()?)?),
                Long("file") => files.push(PathBuf::from(parser.value()?)),
                Long("timeout") => timeout = Some(parser.value()?.parse().context("--timeout")?),
                Value(pattern) => patterns.push(pattern.string()?),
                other => return Err(other.unexpected().into()),
            }
        }
        let mut choice = Choice::from_patterns(&patterns)?;
        (choice.build, choice.anywhere) = (build, anywhere);
        choice.timeout = timeout.map_or(choice.timeout, Duration::from_secs);
        Ok(Self { choice, list, shell, files, command })
    }
}
