//! The root of a machine: busybox, stillwatch, the tests, a few modules, and one command to run.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::cpio::Archive;
use super::guest::Binaries;
use super::kernels::Fetched;
use super::modules;
use crate::workspace::{read, which};

pub fn write(to: &Path, kernel: &Fetched, binaries: &Binaries, files: &[PathBuf], command: &str) -> Result<()> {
    let mut archive = Archive::default();
    for dir in ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var"] {
        archive.dir(dir);
    }
    archive.symlink("sbin", "bin");
    archive.symlink("usr/bin", "../bin");
    archive.symlink("usr/sbin", "../bin");
    archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n");
    archive.file("etc/group", b"root:x:0:\n");
    archive.file("etc/hosts", b"127.0.0.1 localhost\n");

    let busybox = which("busybox").context("busybox is missing: run `cargo xtask setup`")?;
    archive.copy(&busybox, "bin/busybox")?;
    // Links made here: making four hundred in the guest takes seconds.
    for applet in read(Command::new(&busybox).arg("--list"))?.lines() {
        if applet != "busybox" {
            archive.symlink(&format!("bin/{applet}"), "busybox");
        }
    }
    archive.copy(&binaries.stillwatch, "bin/stillwatch")?;
    if let Some(tests) = &binaries.tests {
        archive.copy(tests, "bin/kernel-tests")?;
    }
    for file in files {
        let name = file.file_name().context("--file needs the path of a file")?;
        archive.copy(file, &format!("root/{}", name.display()))?;
    }
    modules::add(&mut archive, &kernel.modules)?;
    archive.file("init", include_bytes!("init.sh"));
    let clock = if kernel.counts_instructions { "" } else { "export STILLWATCH_HOSTS_CLOCK=1\n" };
    archive.file("command", format!("export STILLWATCH_VM={}\n{clock}{command}\n", kernel.name).as_bytes());
    std::fs::write(to, archive.finish()).with_context(|| format!("writing {}", to.display()))
}
