//! Debian's kernels, fetched once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::apt::Apt;
use crate::workspace::target_dir;

/// What the newest matching package of a suite is called.
pub struct Kernel {
    pub name: &'static str,
    suite: &'static str,
    prefix: &'static str,
    suffix: &'static str,
}

const CLOUD: &str = "-cloud-amd64";

/// The cloud flavour is a quarter of the full one, and has BTF, null_blk, dm-delay and sch_netem, too.
pub const KERNELS: [Kernel; 4] = [
    Kernel { name: "5.10", suite: "bullseye-security", prefix: "linux-image-5.10.0-", suffix: CLOUD },
    Kernel { name: "6.1", suite: "bookworm", prefix: "linux-image-6.1.0-", suffix: CLOUD },
    Kernel { name: "6.12", suite: "bookworm-security", prefix: "linux-image-6.12.", suffix: CLOUD },
    Kernel { name: "sid", suite: "sid", prefix: "linux-binary-", suffix: CLOUD },
];

pub fn by_name(name: &str) -> Result<&'static Kernel> {
    let names = KERNELS.map(|kernel| kernel.name).join(", ");
    KERNELS
        .iter()
        .find(|kernel| kernel.name == name)
        .with_context(|| format!("no kernel `{name}` in the matrix ({names})"))
}

/// A kernel on this disk.
pub struct Fetched {
    pub name: &'static str,
    /// As people say it: 6.12.43.
    pub version: String,
    pub image: PathBuf,
    /// `lib/modules/RELEASE`; its last part is what `uname -r` says.
    pub modules: PathBuf,
}

pub fn fetch(kernel: &Kernel) -> Result<Fetched> {
    let vm = target_dir()?.join("vm");
    let dir = vm.join("kernels").join(kernel.name);
    if !dir.exists() {
        eprintln!("vm: fetching the kernel {} (once)", kernel.name);
        let part = vm.join("kernels").join(format!("{}.part", kernel.name));
        if part.exists() {
            fs::remove_dir_all(&part)?;
        }
        fs::create_dir_all(&part)?;
        download(kernel, &part)?;
        fs::rename(&part, &dir)?;
    }
    let modules = only_entry(&dir.join("modules"))?;
    let version = fs::read_to_string(dir.join("version"))?.trim().to_owned();
    Ok(Fetched { name: kernel.name, version, image: dir.join("vmlinuz"), modules })
}

/// Leaves `vmlinuz`, `version` and `modules/RELEASE` in `dir`.
fn download(kernel: &Kernel, dir: &Path) -> Result<()> {
    let apt = Apt::updated(kernel.suite)?;
    let package = apt.newest(kernel.prefix, kernel.suffix)?;
    let mut packages = vec![package.clone()];
    // From 7.x on, modules and their list are packages of their own.
    if let Some(release) = package.strip_prefix("linux-binary-") {
        packages.extend(["modules", "base"].map(|part| format!("linux-{part}-{release}")));
    }
    let root = dir.join("root");
    fs::write(dir.join("version"), apt.unpack(&packages, &root)?)?;
    let modules = ["usr/lib/modules", "lib/modules"]
        .map(|path| root.join(path))
        .into_iter()
        .find(|path| path.is_dir())
        .context("the package holds no modules")?;
    let release = only_entry(&modules)?;
    let name = release.file_name().unwrap_or_default().to_string_lossy();
    let image = [release.join("vmlinuz"), root.join(format!("boot/vmlinuz-{name}"))]
        .into_iter()
        .find(|path| path.is_file())
        .context("the package holds no vmlinuz")?;
    fs::rename(image, dir.join("vmlinuz"))?;
    fs::rename(modules, dir.join("modules"))?;
    fs::remove_dir_all(root)?;
    Ok(())
}

fn only_entry(dir: &Path) -> Result<PathBuf> {
    let entry = fs::read_dir(dir)
        .with_context(|| format!("reading {}", dir.display()))?
        .next()
        .with_context(|| format!("{} is empty", dir.display()))?;
    Ok(entry?.path())
}
