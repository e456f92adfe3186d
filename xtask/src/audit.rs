//! `cargo xtask audit`: the ledger against the kernel's own sums, under loads of this host (docs/audit.md).

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::workspace::is_root;
use crate::{setup, vm};

pub fn command(args: Vec<OsString>) -> Result<ExitCode> {
    if !is_root() {
        bail!("only root can attach what is audited");
    }
    setup::build()?;
    let binaries = vm::build(&vm::Choice::from_patterns(&[])?)?;
    let tests = binaries.tests.context("there are no kernel tests")?;
    let status = Command::new(tests).arg("audit").args(args).env("STILLWATCH_BIN", &binaries.stillwatch).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
