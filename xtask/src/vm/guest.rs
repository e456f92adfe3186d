//! What is tested, on the host and inside: static builds, since a machine has no libraries.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace::{cargo, run, target_dir};

/// Cargo.toml says what it leaves out of a release.
pub const PROFILE: &str = "tests";

pub struct Binaries {
    pub stillwatch: PathBuf,
    pub tests: Option<PathBuf>,
}

/// The tool and all tests at once: built apart, the tool's library would be built twice, with other features of its crates.
pub fn everything() -> Result<()> {
    run(cargo_for_tests("build").args(["--workspace", "--exclude", "stillwatch-ebpf", "--lib", "--bins", "--tests"]))
}

pub fn stillwatch(build: bool) -> Result<PathBuf> {
    if build {
        run(cargo_for_tests("build").args(["--package", "stillwatch"]))?;
    }
    let path = target_dir()?.join(target()).join(PROFILE).join("stillwatch");
    if !path.is_file() {
        bail!("stillwatch has not been built yet: leave out --no-build");
    }
    Ok(path)
}

/// The kernel ring's test binary; its path is noted for `--no-build`.
pub fn tests(build: bool) -> Result<PathBuf> {
    if !build {
        return built_tests().context("the tests have not been built yet");
    }
    let output = all_tests()
        .args(["--test", "kernel", "--no-run", "--message-format=json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("starting cargo test")?;
    if !output.status.success() {
        bail!("the tests do not build");
    }
    let path = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "kernel")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo named no test binary")?;
    std::fs::write(note()?, path.display().to_string())?;
    Ok(path)
}

pub fn built_tests() -> Option<PathBuf> {
    let path = PathBuf::from(std::fs::read_to_string(note().ok()?).ok()?);
    path.is_file().then_some(path)
}

fn note() -> Result<PathBuf> {
    let dir = target_dir()?.join("vm");
    std::fs::create_dir_all(&dir)?;
    Ok(dir.join("kernel-tests"))
}

/// All tests but those of kernels: built together, run by cargo.
pub fn all_tests() -> Command {
    let mut command = cargo_for_tests("test");
    command.args([
        "--workspace",
        "--exclude",
        "stillwatch-ebpf",
        "--lib",
        "--bins",
        "--test",
        "cli",
        "--test",
        "house",
    ]);
    command
}

pub fn cargo_for_tests(subcommand: &str) -> Command {
    let mut command = cargo(subcommand);
    command.args(["--profile", PROFILE, "--target", &target()]).env("RUSTFLAGS", "-C target-feature=+crt-static");
    command
}

/// Named, so that the flags stay away from build scripts, which cannot be static.
fn target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}
