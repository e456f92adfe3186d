//! Formatting and clippy, for the host's crates and for the kernel side on its own target.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::report::Report;
use crate::workspace::{cargo, read, root, target_dir};
use crate::{ebpf, setup, vm};

pub fn command() -> Result<ExitCode> {
    setup::build()?;
    let mut report = Report::default();
    format(&mut report);
    host(&mut report);
    kernel_side(&mut report);
    Ok(report.finish())
}

pub fn format(report: &mut Report) {
    report.check("formatting", cargo("fmt").args(["--all", "--check"]));
}

const DENY: [&str; 3] = ["--", "--deny", "warnings"];

/// With the profile of the tests, so that macros and build scripts are built once.
fn host(report: &mut Report) {
    report.check("clippy, host", all(&mut vm::cargo_for_tests("clippy")).args(DENY));
}

fn all(cargo: &mut Command) -> &mut Command {
    cargo.args(["--workspace", "--exclude", "stillwatch-ebpf", "--all-targets"])
}

pub fn kernel_side(report: &mut Report) {
    const WHAT: &str = "clippy, BPF target";
    match bpf() {
        Ok(Some(mut clippy)) => report.check(WHAT, &mut clippy),
        Ok(None) => report.skip(WHAT, "Debian's rustc-web has no clippy"),
        Err(error) => report.fail(format!("{WHAT}: {error:#}")),
    }
}

/// The kernel side with the flags it is built with; its toolchain may be one without clippy.
fn bpf() -> Result<Option<Command>> {
    let target_dir = target_dir()?;
    let noted = std::fs::read_to_string(ebpf::toolchain_file(&target_dir)).unwrap_or_default();
    if noted.contains("RUSTC=/usr/bin/rustc") {
        return Ok(None);
    }
    let linker = ebpf::linker(&target_dir).context("bpf-linker is missing")?;
    let endian = if cfg!(target_endian = "big") { "big" } else { "little" };
    let mut clippy = ebpf::cargo(root(), &target_dir, &linker, std::env::consts::ARCH, endian, "clippy");
    clippy.args(["--", "--deny", "warnings"]);
    Ok(Some(clippy))
}

/// For the other architecture: its types and its eBPF object too, without a linker for it. What is only for this one has been compiled
/// for its tests.
pub fn aarch64(report: &mut Report) {
    const WHAT: &str = "clippy, aarch64";
    const TARGET: &str = "aarch64-unknown-linux-gnu";
    const CROSS_CC: &str = "aarch64-linux-gnu-gcc";
    let present = read(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))
        .is_ok_and(|libdir| Path::new(libdir.trim()).exists());
    if !present && let Err(error) = read(Command::new("rustup").args(["target", "add", TARGET])) {
        report.skip(WHAT, format!("no standard library for it: {error:#}"));
        return host(report);
    }
    let mut clippy = cargo("clippy");
    // Nothing is linked: what is written in C may be compiled for this machine, where there is no compiler for the other.
    if std::env::var_os("CC_aarch64_unknown_linux_gnu").is_none()
        && read(Command::new(CROSS_CC).arg("--version")).is_err()
    {
        clippy.env("CC_aarch64_unknown_linux_gnu", "cc");
    }
    report.check(WHAT, all(clippy.args(["--profile", vm::PROFILE, "--target", TARGET])).args(DENY));
}
