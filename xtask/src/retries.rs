//! Tests that passed at their second try only: how many a run may have, and a list of them over all runs.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::workspace::{read, root, target_dir};

/// One in fifty.
const MOST: usize = 50;
/// Fewer tests than these are no measure: one of ten is nothing to judge by.
const MEASURE: usize = 100;

pub struct Retry {
    pub kernel: String,
    pub test: String,
    pub why: String,
}

/// Why a run with so many tests and second tries is not to be trusted.
pub fn too_many(retries: usize, tests: usize) -> Option<String> {
    (tests >= MEASURE && retries * MOST > tests)
        .then(|| format!("{retries} of {tests} tests needed a second try: more than one in {MOST}"))
}

/// Adds them to `target/retries.tsv`: seconds since 1970, commit, kernel, test, reason.
pub fn keep(retries: &[Retry]) -> Result<()> {
    if retries.is_empty() {
        return Ok(());
    }
    let path = target_dir()?.join("retries.tsv");
    let commit = read(Command::new("git").current_dir(root()).args(["rev-parse", "--short", "HEAD"]));
    let commit = commit.unwrap_or_else(|_| "-".to_owned());
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut text = String::new();
    for Retry { kernel, test, why } in retries {
        text += &format!("{now}\t{}\t{kernel}\t{test}\t{why}\n", commit.trim());
    }
    let mut file = OpenOptions::new().create(true).append(true).open(&path).context("target/retries.tsv")?;
    Ok(file.write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_fifty_is_let_pass() {
        assert!(too_many(8, 400).is_none());
        assert!(too_many(9, 400).is_some());
        assert!(too_many(1, 3).is_none());
    }
}
