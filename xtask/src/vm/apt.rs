//! An apt of our own for one suite of Debian's: its own lists and cache, the system's left alone, signature
//! checks on. What it fetches is unpacked below `target/` and never installed, which needs no root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::{read, run, target_dir};

pub struct Apt {
    suite: String,
    config: PathBuf,
}

impl Apt {
    /// With the lists as they are now.
    pub fn updated(suite: &str) -> Result<Self> {
        let config = config(suite, &target_dir()?.join("vm/apt").join(suite))?;
        let apt = Self { suite: suite.to_owned(), config };
        read(apt.command("apt-get").args(["-qq", "--error-on=any", "update"]))?;
        Ok(apt)
    }

    /// The newest package called `prefix`…`suffix`: exact versions leave the archive within weeks.
    pub fn newest(&self, prefix: &str, suffix: &str) -> Result<String> {
        let names = read(self.command("apt-cache").args(["pkgnames", prefix]))?;
        names
            .lines()
            .filter(|name| name.ends_with(suffix))
            .max_by_key(|name| numbers(name))
            .map(str::to_owned)
            .with_context(|| format!("{} has no {prefix}*{suffix}", self.suite))
    }

    /// Unpacks packages into `root`; the answer is their version, without Debian's part of it.
    pub fn unpack(&self, packages: &[impl AsRef<str>], root: &Path) -> Result<String> {
        fs::create_dir_all(root).with_context(|| format!("creating {}", root.display()))?;
        let names = packages.iter().map(AsRef::as_ref);
        run(self.command("apt-get").args(["-qq", "download"]).args(names).current_dir(root))?;
        let mut upstream = String::new();
        for entry in fs::read_dir(root)? {
            let deb = entry?.path();
            if deb.extension().is_some_and(|it| it == "deb") {
                run(Command::new("dpkg").arg("-x").args([&deb, root]))?;
                let version = read(Command::new("dpkg-deb").arg("-f").arg(&deb).arg("Version"))?;
                version.trim().split('-').next().unwrap_or_default().clone_into(&mut upstream);
                fs::remove_file(&deb)?;
            }
        }
        Ok(upstream)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", &self.config).env("LC_ALL", "C");
        command
    }
}

/// A mirror that lags behind its own expiry date will do: the signature still counts, and nothing is installed.
fn config(suite: &str, dir: &Path) -> Result<PathBuf> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_the_one_with_the_greatest_numbers() {
        let names = ["linux-image-6.12.9+deb12-cloud-amd64", "linux-image-6.12.43+deb12-cloud-amd64"];
        assert_eq!(names.iter().max_by_key(|name| numbers(name)), Some(&names[1]));
    }
}
