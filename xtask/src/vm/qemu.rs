//! Which QEMU runs the machines, and how.
//!
//! Attaching a program rewrites the kernel's code: for a moment the first byte of a tracepoint's site is a breakpoint.
//! Up to 8.0 QEMU read code for translation before it watched the page, so with a thread for each processor one of
//! them could keep the breakpoint as translated, and run it when the kernel no longer knew of it: an oops ("int3") in
//! whatever function was traced. 8.1 to 9.0 watch only the first page of a block that reaches into the next.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt::Apt;
use crate::workspace::{read, target_dir, which};

/// The first release with both repaired.
const NEEDED: (u32, u32) = (9, 1);

/// Its firmware belongs to it; its libraries are those that Debian's own QEMU brings.
const PACKAGES: [&str; 3] = ["qemu-system-x86", "qemu-system-data", "seabios"];
const PROGRAM: &str = "usr/bin/qemu-system-x86_64";
const FIRMWARE: [&str; 2] = ["usr/share/qemu", "usr/share/seabios"];

pub struct Qemu {
    program: PathBuf,
    /// Instead of the system's.
    firmware: Vec<PathBuf>,
    /// Why it may not run the processors in parallel.
    pub limited: Option<String>,
}

impl Qemu {
    /// The system's if it is new enough, else our own copy of Debian's backport, else the system's with one thread
    /// for all processors: slower, but no processor translates what another one writes.
    pub fn find() -> Result<Self> {
        let system = which("qemu-system-x86_64").context("qemu-system-x86_64 is missing: run `cargo xtask setup`")?;
        let found = version(&system)?;
        if found >= NEEDED {
            return Ok(Self { program: system, firmware: Vec::new(), limited: None });
        }
        let own = dir()?;
        let wanting = format!("QEMU {} is older than {}", shown(found), shown(NEEDED));
        if !own.exists() {
            eprintln!("setup: {wanting}: fetching a newer one from Debian's backports (once)");
            if let Err(error) = fetch(&own) {
                let limited = Some(format!("{wanting}, and a newer one cannot be had: {error:#}"));
                return Ok(Self { program: system, firmware: Vec::new(), limited });
            }
        }
        Ok(Self { program: own.join(PROGRAM), firmware: FIRMWARE.map(|part| own.join(part)).into(), limited: None })
    }

    /// Ready for the options of a machine.
    pub fn command(&self) -> Command {
        // Should xtask be killed, the machine goes with it.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.program);
        for dir in &self.firmware {
            command.arg("-L").arg(dir);
        }
        command.args(["-accel", if self.limited.is_some() { "tcg,thread=single" } else { "tcg" }]);
        command
    }
}

fn dir() -> Result<PathBuf> {
    Ok(target_dir()?.join("tools/qemu"))
}

/// Unpacked, started once to see whether it finds its libraries, and only then put in place.
fn fetch(to: &Path) -> Result<()> {
    let os = fs::read_to_string("/etc/os-release").context("reading /etc/os-release")?;
    let codename =
        os.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).context("this release has no codename")?;
    let suite = format!("{codename}-backports");
    // Two may fetch at once.
    let part = to.with_extension(format!("{}.part", std::process::id()));
    let ready = || {
        Apt::updated(&suite)?.unpack(&PACKAGES, &part)?;
        let found = version(&part.join(PROGRAM))?;
        if found < NEEDED {
            bail!("{suite} has QEMU {}", shown(found));
        }
        match fs::rename(&part, to) {
            Err(_) if to.exists() => Ok(()),
            renamed => renamed.with_context(|| format!("putting it into {}", to.display())),
        }
    };
    let result = ready();
    // What is left of an attempt that came to nothing; there may be nothing.
    let _ = fs::remove_dir_all(&part);
    result
}

fn version(program: &Path) -> Result<(u32, u32)> {
    let text = read(Command::new(program).arg("--version"))?;
    parse(&text).with_context(|| format!("{} does not tell its version", program.display()))
}

fn parse(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_once("version ")?.1.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn shown((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let debian = parse("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)\nCopyright (c)");
        assert_eq!(debian, Some((10, 0)));
        assert!(debian > Some(NEEDED));
        assert!(parse("QEMU emulator version 7.2.22 (Debian)") < Some(NEEDED));
        assert_eq!(parse("no number"), None);
    }
}
