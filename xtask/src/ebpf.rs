//! How the eBPF crate is compiled. One file, two users: `tool/build.rs` includes it to build the
//! object, `xtask lint` to check the same sources with the same flags.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Cargo's target directory, given the directory of a profile in it (`target/release`). For an explicit
/// `--target` there is a level more, named after it.
pub fn target_dir(profile_dir: &Path) -> Option<&Path> {
    let dir = profile_dir.parent()?;
    let name = dir.file_name()?.to_str()?;
    if name.contains("-linux-") { dir.parent() } else { Some(dir) }
}

/// The file in which `cargo xtask setup` notes which toolchain builds the eBPF crate: environment for
/// the inner cargo, one `NAME=value` a line.
pub fn toolchain_file(target_dir: &Path) -> PathBuf {
    target_dir.join("tools/ebpf-toolchain")
}

/// The linker that `cargo xtask setup` installs, else one on PATH.
pub fn linker(target_dir: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(target_dir.join("tools/bin"))
        .chain(std::env::split_paths(&path))
        .map(|dir| dir.join("bpf-linker"))
        .find(|file| file.is_file())
}

/// A cargo command on the eBPF crate for programs that will run on `arch`.
///
/// Its target directory is its own: the inner cargo would wait for the lock that the outer one holds.
pub fn cargo(root: &Path, target_dir: &Path, linker: &Path, arch: &str, endian: &str, subcommand: &str) -> Command {
    let mut env = vec![("RUSTC_BOOTSTRAP".to_owned(), "1".to_owned())];
    if let Ok(noted) = std::fs::read_to_string(toolchain_file(target_dir)) {
        env = noted
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
    }
    let cargo = env
        .iter()
        .find(|(name, _)| name == "CARGO")
        .map(|(_, value)| value.into())
        .or_else(|| std::env::var_os("CARGO"))
        .unwrap_or_else(|| "cargo".into());
    // The whole workspace's flags, said here again: debug info is what becomes BTF and the line numbers
    // in the verifier's messages, whatever profile the tool itself is built with.
    let flags = [
        format!("--cfg=bpf_target_arch=\"{arch}\""),
        "-Cdebuginfo=2".to_owned(),
        format!("-Clinker={}", linker.display()),
        "-Clink-arg=--btf".to_owned(),
    ];
    let target = if endian == "big" { "bpfeb-unknown-none" } else { "bpfel-unknown-none" };

    let mut command = Command::new(cargo);
    for (name, _) in std::env::vars_os() {
        if leaks(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command
        .current_dir(root.join("tool-ebpf"))
        .arg(subcommand)
        .args(["--release", "--target", target, "-Zbuild-std=core"])
        .arg("--target-dir")
        .arg(target_dir.join("ebpf").join(arch))
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .envs(env);
    command
}

/// Settings for the outer build, which must not reach the inner one (clippy's wrapper, for one).
fn leaks(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_INCREMENTAL",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CLIPPY_ARGS",
    ];
    const PREFIXES: [&str; 4] = ["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_", "CARGO_FEATURE_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
