//! Where things are, and how other programs are started.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::ebpf;

/// The repository: xtask is only ever started by cargo, from within it.
pub fn root() -> &'static Path {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest_dir.parent().unwrap_or(manifest_dir)
}

/// The target directory this xtask was built in, which is also where everything else goes.
pub fn target_dir() -> Result<PathBuf> {
    let exe = std::env::current_exe().context("finding this program's own file")?;
    let dir = exe.parent().and_then(ebpf::target_dir).context("xtask does not run from a cargo target directory")?;
    Ok(dir.to_owned())
}

/// The cargo that started us, in the repository.
pub fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).arg(subcommand);
    command
}

/// A program's file, as the shell would find it.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// Runs to the end; anything but success is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| start_error(command))?;
    if !status.success() {
        bail!("{} failed ({status})", describe(command));
    }
    Ok(())
}

/// What a program prints; its last line of complaint is the error.
pub fn read(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| start_error(command))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let why = complaint.lines().rfind(|line| !line.is_empty()).unwrap_or("no message");
        bail!("{}: {why}", describe(command));
    }
    String::from_utf8(output.stdout).context("its output is not text")
}

pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

fn start_error(command: &Command) -> String {
    format!("cannot start {}", command.get_program().display())
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let first = command.get_args().find(|arg| !arg.as_encoded_bytes().starts_with(b"-")).unwrap_or_default();
    let name = program.file_name().unwrap_or_default();
    format!("{} {}", name.display(), first.display())
}
