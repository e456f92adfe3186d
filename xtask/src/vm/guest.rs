//! What runs inside: static builds, since a machine has no libraries.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace::{cargo, run, target_dir};

const TARGET: &str = "x86_64-unknown-linux-gnu";

pub struct Binaries {
    pub stillwatch: PathBuf,
    pub tests: Option<PathBuf>,
}

pub fn stillwatch(build: bool) -> Result<PathBuf> {
    if build {
        run(&mut static_cargo("build", &["--package", "stillwatch"]))?;
    }
    let path = target_dir()?.join(TARGET).join("release/stillwatch");
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
    let mut command = static_cargo("test", &["--package", "stillwatch-tests", "--test", "kernel"]);
    let output = command
        .args(["--no-run", "--message-format=json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("starting cargo test")?;
    if !output.status.success() {
        bail!("the kernel tests do not build");
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

/// The target is named so that the flags stay away from build scripts, which cannot be static.
fn static_cargo(subcommand: &str, args: &[&str]) -> Command {
    let mut command = cargo(subcommand);
    command.args(["--release", "--target", TARGET]).args(args).env("RUSTFLAGS", "-C target-feature=+crt-static");
    command
}
