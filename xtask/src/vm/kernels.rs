//! Debian's kernels: fetched through apt, whose signature checks stay on, unpacked and never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::setup;
use crate::workspace::{read, run, target_dir};

/// What the newest matching package of a suite is called; exact versions leave the archive within weeks.
pub struct Kernel {
    pub name: &'static str,
    suite: &'static str,
    prefix: &'static str,
    suffix: &'static str,
    /// Whether it comes up with two CPUs where the clock counts instructions: kernels before 6.5 wait for the second one in a
    /// way that keeps it from ever getting there.
    pub counts_instructions: bool,
}

const CLOUD: &str = "-cloud-amd64";

/// The cloud flavour is a quarter of the full one, and has BTF, null_blk, dm-delay and sch_netem, too.
pub const KERNELS: [Kernel; 4] = [
    Kernel {
        name: "5.10",
        suite: "bullseye-security",
        prefix: "linux-image-5.10.0-",
        suffix: CLOUD,
        counts_instructions: false,
    },
    Kernel { name: "6.1", suite: "bookworm", prefix: "linux-image-6.1.0-", suffix: CLOUD, counts_instructions: false },
    Kernel {
        name: "6.12",
        suite: "bookworm-security",
        prefix: "linux-image-6.12.",
        suffix: CLOUD,
        counts_instructions: true,
    },
    Kernel { name: "sid", suite: "sid", prefix: "linux-binary-", suffix: CLOUD, counts_instructions: true },
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
    pub counts_instructions: bool,
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
        let start = Instant::now();
        let part = vm.join("kernels").join(format!("{}.part", kernel.name));
        if part.exists() {
            fs::remove_dir_all(&part)?;
        }
        fs::create_dir_all(&part)?;
        download(kernel, &vm.join("apt").join(kernel.suite), &part)?;
        fs::rename(&part, &dir)?;
        setup::note(format!("kernel {}", kernel.name), start);
    }
    let modules = only_entry(&dir.join("modules"))?;
    let version = fs::read_to_string(dir.join("version"))?.trim().to_owned();
    Ok(Fetched {
        name: kernel.name,
        counts_instructions: kernel.counts_instructions,
        version,
        image: dir.join("vmlinuz"),
        modules,
    })
}

/// Leaves `vmlinuz`, `version` and `modules/RELEASE` in `dir`.
fn download(kernel: &Kernel, apt_dir: &Path, dir: &Path) -> Result<()> {
    let config = apt_config(kernel.suite, apt_dir)?;
    let apt = |program: &str| {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", &config).env("LC_ALL", "C").current_dir(dir);
        command
    };
    read(apt("apt-get").args(["-qq", "--error-on=any", "update"]))?;
    let names = read(apt("apt-cache").args(["pkgnames", kernel.prefix]))?;
    let package = names
        .lines()
        .filter(|name| name.ends_with(kernel.suffix))
        .max_by_key(|name| numbers(name))
        .with_context(|| format!("{} has no {}*{}", kernel.suite, kernel.prefix, kernel.suffix))?;
    let mut packages = vec![package.to_owned()];
    // From 7.x on, modules and their list are packages of their own.
    if let Some(release) = package.strip_prefix("linux-binary-") {
        packages.extend(["modules", "base"].map(|part| format!("linux-{part}-{release}")));
    }
    run(apt("apt-get").args(["-qq", "download"]).args(&packages))?;

    let root = dir.join("root");
    for entry in fs::read_dir(dir)? {
        let deb = entry?.path();
        if deb.extension().is_some_and(|it| it == "deb") {
            run(Command::new("dpkg").arg("-x").args([&deb, &root]))?;
            let version = read(Command::new("dpkg-deb").arg("-f").arg(&deb).arg("Version"))?;
            fs::write(dir.join("version"), version.split('-').next().unwrap_or(&version))?;
            fs::remove_file(&deb)?;
        }
    }
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

/// An apt of its own: one suite, its own lists and cache, the system's left alone. A mirror that lags
/// behind its own expiry date will do: the signature still counts, and nothing is installed.
fn apt_config(suite: &str, dir: &Path) -> Result<PathBuf> {
    const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
    if !Path::new(KEYRING).exists() {
        bail!("Debian's keys are not installed (debian-archive-keyring)");
    }
    fs::create_dir_all(dir.join("lists/partial"))?;
    fs::create_dir_all(dir.join("cache/archives/partial"))?;
    let sources = dir.join("sources.list");
    fs::write(&sources, format!("deb [arch=amd64 signed-by={KEYRING}] {} {suite} main\n", site(suite)?))?;
    let config = dir.join("apt.conf");
    let shown = dir.display();
    fs::write(
        &config,
        format!(
            "Dir::Etc::sourcelist \"{}\";\nDir::Etc::sourceparts \"-\";\n\
             Dir::State::Lists \"{shown}/lists\";\nDir::Cache \"{shown}/cache\";\n\
             Acquire::Languages \"none\";\n\
             Acquire::Check-Valid-Until \"false\";\nAPT::Sandbox::User \"root\";\n",
            sources.display()
        ),
    )?;
    Ok(config)
}

/// The mirror this machine itself uses, for security suites its security mirror.
fn site(suite: &str) -> Result<String> {
    let targets = read(Command::new("apt-get").args(["indextargets", "--format", "$(CODENAME) $(SITE)"]))?;
    let security = suite.ends_with("-security");
    targets
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(codename, _)| if security { codename.ends_with("-security") } else { !codename.contains('-') })
        .map(|(_, site)| site.to_owned())
        .with_context(|| format!("apt knows no mirror that could have {suite}"))
}

fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

fn only_entry(dir: &Path) -> Result<PathBuf> {
    let entry = fs::read_dir(dir)
        .with_context(|| format!("reading {}", dir.display()))?
        .next()
        .with_context(|| format!("{} is empty", dir.display()))?;
    Ok(entry?.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_the_one_with_the_greatest_numbers() {
        let names = ["linux-image-6.12.9+deb12-cloud-amd64", "linux-image-6.12.43+deb12-cloud-amd64"];
        assert_eq!(names.iter().max_by_key(|name| numbers(name)), Some(&names[1]));
    }
}
