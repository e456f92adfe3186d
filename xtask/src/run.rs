//! `cargo xtask run`: from a clean clone to the tool's output in one command.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, anyhow};

use crate::setup;
use crate::workspace::{cargo, run as finish, target_dir};

pub fn run(mut args: Vec<OsString>) -> Result<()> {
    if args.first().is_some_and(|first| first == "--") {
        args.remove(0);
    }
    setup::build()?;
    let error = Command::new(build()?).args(args).exec();
    Err(anyhow!(error).context("starting stillwatch"))
}

/// The release binary.
pub fn build() -> Result<PathBuf> {
    finish(cargo("build").args(["--release", "--package", "stillwatch"]))?;
    Ok(target_dir()?.join("release/stillwatch"))
}
