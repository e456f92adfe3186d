//! Builds the eBPF crate for the BPF target and leaves the object as `$OUT_DIR/stillwatch.bpf.o`.

#[path = "../xtask/src/ebpf.rs"]
mod ebpf;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use object::{build::elf, elf::SHT_STRTAB};

fn main() -> ExitCode {
    // Printed here, not returned: the remedy would drown in a backtrace.
    if let Err(error) = build() {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn build() -> Result<()> {
    let out_dir = PathBuf::from(var("OUT_DIR")?);
    let manifest_dir = PathBuf::from(var("CARGO_MANIFEST_DIR")?);
    let root = manifest_dir.parent().context("the tool has no workspace around it")?;
    // target/[TRIPLE/]PROFILE/build/…/out
    let target_dir = out_dir
        .ancestors()
        .find(|dir| dir.ends_with("build"))
        .and_then(Path::parent)
        .and_then(ebpf::target_dir)
        .context("cannot tell cargo's target directory from OUT_DIR")?;
    let arch = var("CARGO_CFG_TARGET_ARCH")?;
    let endian = var("CARGO_CFG_TARGET_ENDIAN")?;

    watch(root, &["Cargo.lock", "Cargo.toml", "tool/build.rs", "xtask/src/ebpf.rs", "tool-ebpf", "tool-common"]);
    let linker = ebpf::linker(target_dir).context("bpf-linker is missing: run `cargo xtask setup`")?;
    watch(target_dir, &["tools/ebpf-toolchain", "tools/bin/bpf-linker"]);

    let mut command = ebpf::cargo(root, target_dir, &linker, &arch, &endian, "build");
    if std::env::var_os("CARGO_FEATURE_KERNEL_LOG").is_some() {
        command.args(["--features", "log"]);
    }
    let output = command.output().context("no cargo for the eBPF crate: run `cargo xtask setup`")?;
    let messages = String::from_utf8_lossy(&output.stderr);
    eprint!("{messages}");
    if !output.status.success() {
        if messages.contains("rust-src") || messages.contains("-Z` is only accepted") {
            bail!("no toolchain here can build `core` for the BPF target: run `cargo xtask setup`");
        }
        bail!("the eBPF crate does not build (see above)");
    }

    let triple = if endian == "big" { "bpfeb-unknown-none" } else { "bpfel-unknown-none" };
    let object = target_dir.join("ebpf").join(&arch).join(triple).join("release/stillwatch-ebpf");
    let built = std::fs::read(&object).with_context(|| format!("reading {}", object.display()))?;
    let stripped = strip(&built).with_context(|| format!("stripping {}", object.display()))?;
    std::fs::write(out_dir.join("stillwatch.bpf.o"), stripped).context("writing the stripped object")
}

/// Leaves out what only debuggers read. The compiler needs it to make BTF of, and it is four fifths of the object, which would be in
/// the binary and in memory.
fn strip(object: &[u8]) -> Result<Vec<u8>> {
    let mut elf = elf::Builder::read(object)?;
    for section in elf.sections.iter_mut() {
        section.delete = section.name.starts_with(b".debug_") || section.name.starts_with(b".rel.debug_");
    }
    // LLVM keeps the names of sections among those of symbols, the builder wants a table of their own.
    let names = elf.sections.add();
    names.name = b".shstrtab"[..].into();
    (names.sh_type, names.sh_addralign, names.data) = (SHT_STRTAB, 1, elf::SectionData::SectionString);
    elf.delete_orphans();
    let mut stripped = Vec::new();
    elf.write(&mut stripped)?;
    Ok(stripped)
}

fn var(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("cargo did not set {name}"))
}

/// Only what exists: cargo takes a watched path that is missing as changed, every time.
fn watch(dir: &Path, names: &[&str]) {
    for path in names.iter().map(|name| dir.join(name)).filter(|path| path.exists()) {
        println!("cargo:rerun-if-changed={}", path.display());
    }
}
