//! Installs what a build or a virtual machine needs, once. Every check is a look at a file, so that a
//! second start costs nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::ebpf;
use crate::workspace::{cargo, is_root, read, run, target_dir, which};

/// The newest linker that needs no LLVM of the system: it loads rustc's own.
const LINKER_VERSION: &str = "0.10.3";
/// The newest LLVM whose bitcode that linker reads: an older rustc is fine, a newer one is not.
const LINKER_LLVM: u32 = 22;

/// What was installed by this start, and how long it took.
static INSTALLED: Mutex<Vec<(String, Duration)>> = Mutex::new(Vec::new());
/// Debian's package manager does one thing at a time.
static APT: Mutex<()> = Mutex::new(());

pub fn installed() -> Vec<(String, Duration)> {
    INSTALLED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Notes that something was installed, or fetched.
pub fn note(what: impl Into<String>, since: Instant) {
    INSTALLED.lock().unwrap_or_else(PoisonError::into_inner).push((what.into(), since.elapsed()));
}

/// What `cargo build` needs.
pub fn build() -> Result<()> {
    let target_dir = target_dir()?;
    linker(&target_dir)?;
    toolchain(&target_dir)
}

/// What the virtual machines need beyond that.
pub fn machines() -> Result<()> {
    if std::env::consts::ARCH != "x86_64" {
        bail!("the machines are x86-64, this host is {}", std::env::consts::ARCH);
    }
    let missing: Vec<&str> = [
        ("qemu-system-x86", which("qemu-system-x86_64").is_some()),
        ("busybox-static", Path::new("/var/lib/dpkg/info/busybox-static.list").exists()),
        ("xz-utils", which("xz").is_some()),
    ]
    .into_iter()
    .filter_map(|(package, present)| (!present).then_some(package))
    .collect();
    install(&missing)
}

/// What tests compare with, load the host with, and show the screen in. Without it, they are skipped, or make do with a load of their own.
pub fn peers() {
    let wanted = [("libbpf-tools", "runqlat"), ("fio", "fio"), ("tmux", "tmux"), ("tcpdump", "tcpdump")];
    let missing: Vec<&str> =
        wanted.into_iter().filter_map(|(package, program)| which(program).is_none().then_some(package)).collect();
    if !is_root() || which("apt-get").is_none() {
        return;
    }
    if let Err(error) = install(&missing) {
        eprintln!("setup: going without: {error:#}");
    }
}

/// What reads the files that `export` writes, in a test that is skipped without it.
pub fn duckdb() {
    let Ok(folder) = target_dir().map(|target| target.join("tools/duckdb")) else { return };
    let python = folder.join("bin/python");
    if python.exists() {
        return;
    }
    eprintln!("setup: installing DuckDB for Python");
    let start = Instant::now();
    let installed = read(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        .and_then(|_| read(Command::new(&python).args(["-m", "pip", "install", "--quiet", "duckdb"])));
    match installed {
        Ok(_) => note("DuckDB for Python", start),
        Err(error) => {
            // Half of it would be taken for all of it.
            let _ = std::fs::remove_dir_all(&folder);
            eprintln!("setup: going without DuckDB: {error:#}");
        }
    }
}

fn linker(target_dir: &Path) -> Result<()> {
    let tools = target_dir.join("tools");
    // cargo's own record of what it installed there.
    let installed = std::fs::read_to_string(tools.join(".crates.toml")).unwrap_or_default();
    if installed.contains(&format!("\"bpf-linker {LINKER_VERSION} ")) {
        return Ok(());
    }
    eprintln!("setup: installing bpf-linker {LINKER_VERSION} (about a minute, once)");
    let start = Instant::now();
    // Unoptimized it is built in half the time, and links as fast: what takes time is LLVM, which is rustc's own.
    run(cargo("install")
        .args(["--quiet", "--locked", "--force", "--debug", "bpf-linker", "--version", LINKER_VERSION])
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .arg("--root")
        .arg(&tools)
        .arg("--target-dir")
        .arg(tools.join("build")))?;
    // Half a gigabyte that nothing reads again; what stays behind does no harm.
    let _ = std::fs::remove_dir_all(tools.join("build"));
    note(format!("bpf-linker {LINKER_VERSION}"), start);
    Ok(())
}

/// Decides which toolchain compiles the eBPF crate, and notes it for `tool/build.rs`.
///
/// `-Z build-std` is all that is unstable here, and RUSTC_BOOTSTRAP lets any rustc do it.
fn toolchain(target_dir: &Path) -> Result<()> {
    let default = Path::new("rustc");
    let version = read(Command::new(default).arg("-vV"))?;
    let heading = format!("# for the host's {}", version.lines().next().unwrap_or("rustc"));
    let file = ebpf::toolchain_file(target_dir);
    let noted = std::fs::read_to_string(&file).unwrap_or_default();
    if noted.lines().next() == Some(&heading) {
        return Ok(());
    }

    let mut reasons = Vec::new();
    for way in [running as fn() -> Result<String>, nightly, debian] {
        match way() {
            Ok(environment) => {
                let text = format!("{heading}\n{environment}RUSTC_BOOTSTRAP=1\n");
                return std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()));
            }
            Err(reason) => reasons.push(format!("  {reason:#}")),
        }
    }
    bail!("no toolchain can build the eBPF crate:\n{}", reasons.join("\n"))
}

fn running() -> Result<String> {
    usable(Path::new("rustc"), &[]).context("the toolchain in use")?;
    Ok(String::new())
}

fn nightly() -> Result<String> {
    let tool = |name| -> Result<PathBuf> {
        let path = read(Command::new("rustup").args(["which", "--toolchain", "nightly", name]))?;
        Ok(path.trim().into())
    };
    let ready = || -> Result<String> {
        let rustc = tool("rustc")?;
        usable(&rustc, &["--toolchain", "nightly"])?;
        Ok(format!("CARGO={}\nRUSTC={}\n", tool("cargo")?.display(), rustc.display()))
    };
    ready().context("rustup's nightly")
}

/// For a host which cannot reach rustup's server: Debian packages a recent rustc for its browsers.
fn debian() -> Result<String> {
    let rustc = Path::new("/usr/bin/rustc");
    let ready = || {
        if !rustc.exists() {
            install(&["rustc-web", "rust-web-src"])?;
        }
        usable(rustc, &[])
    };
    ready().context("Debian's rustc-web")?;
    Ok(format!("RUSTC={}\n", rustc.display()))
}

/// A rustc whose bitcode the linker reads and which has the sources of `core`, or gets them.
fn usable(rustc: &Path, toolchain: &[&str]) -> Result<()> {
    let version = read(Command::new(rustc).arg("-vV"))?;
    let llvm = version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: ")?.split('.').next()?.parse().ok())
        .unwrap_or(u32::MAX);
    if llvm > LINKER_LLVM {
        bail!("its LLVM {llvm} is newer than bpf-linker's {LINKER_LLVM}");
    }
    let sysroot = read(Command::new(rustc).args(["--print", "sysroot"]))?;
    let sources = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.lock");
    if !sources.exists() && sysroot.contains("toolchains") {
        eprintln!("setup: adding the standard library's sources (rust-src)");
        let start = Instant::now();
        run(Command::new("rustup").args(["component", "add", "rust-src"]).args(toolchain))?;
        note("rust-src", start);
    }
    if !sources.exists() {
        bail!("it lacks the standard library's sources ({})", sources.display());
    }
    Ok(())
}

/// Debian packages; only root can install them, anyone else is told which.
pub fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if which("apt-get").is_none() {
        bail!("not installed: {list} (names of Debian's packages)");
    }
    if !is_root() {
        bail!("not installed: {list} (as root: apt-get install {list})");
    }
    let _one_at_a_time = APT.lock().unwrap_or_else(PoisonError::into_inner);
    eprintln!("setup: installing {list}");
    let start = Instant::now();
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
        command
    };
    run(apt_get().arg("update"))?;
    run(apt_get()
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages)
        .stdout(std::process::Stdio::null()))?;
    note(list, start);
    Ok(())
}
