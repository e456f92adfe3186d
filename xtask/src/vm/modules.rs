//! The few kernel modules tests load (exact delays, lossy links), with what they need themselves.
//!
//! Debian's packages ship no `modules.dep` (it is written at installation), so the needs are read from
//! the modules.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cpio::Archive;

const WANTED: [&str; 14] = [
    "null_blk",
    "dm_delay",
    "dm_flakey",
    "scsi_debug",
    "sd_mod",
    "loop",
    "ext4",
    "xfs",
    "sch_netem",
    "veth",
    "nf_tables",
    "tcp_bbr",
    "zram",
    "lzo_rle",
];

/// Adds them below `/lib/modules/RELEASE`, ready for `modprobe`. A kernel may have them built in.
pub fn add(archive: &mut Archive, dir: &Path) -> Result<()> {
    let release = dir.file_name().unwrap_or_default().to_string_lossy();
    let root = format!("lib/modules/{release}");
    archive.dir("lib");
    archive.dir("lib/modules");
    archive.dir(&root);
    let mut files = HashMap::new();
    find(dir, &mut files)?;

    let mut chosen: BTreeMap<String, (Vec<u8>, Vec<String>)> = BTreeMap::new();
    let mut waiting: Vec<String> = WANTED.map(str::to_owned).into();
    while let Some(name) = waiting.pop() {
        let Some(path) = files.get(&name).filter(|_| !chosen.contains_key(&name)) else {
            continue;
        };
        let content = read_module(path)?;
        let needs = needs(&content);
        waiting.extend(needs.iter().cloned());
        chosen.insert(name, (content, needs));
    }
    let mut list = String::new();
    for (name, (content, _)) in &chosen {
        archive.file(&format!("{root}/{name}.ko"), content);
        let mut needed = Vec::new();
        order(name, &chosen, &mut needed);
        // modprobe loads from the right to the left, the module itself last.
        let needed: Vec<_> = needed.iter().rev().skip(1).map(|it| format!("{it}.ko")).collect();
        list += &format!("{name}.ko: {}\n", needed.join(" "));
    }
    archive.file(&format!("{root}/modules.dep"), list.as_bytes());
    // So that modprobe knows those it need not load.
    archive.copy(&dir.join("modules.builtin"), &format!("{root}/modules.builtin"))?;
    Ok(())
}

/// A module after everything it needs, each once.
fn order<'a>(name: &'a str, chosen: &'a BTreeMap<String, (Vec<u8>, Vec<String>)>, to: &mut Vec<&'a str>) {
    if let Some((_, needs)) = chosen.get(name).filter(|_| !to.contains(&name)) {
        for need in needs {
            order(need, chosen, to);
        }
        to.push(name);
    }
}

fn find(dir: &Path, files: &mut HashMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            find(&path, files)?;
        } else if let Some((name, _)) = entry.file_name().to_string_lossy().split_once(".ko") {
            // File names have dashes where the kernel says underscore.
            files.insert(name.replace('-', "_"), path);
        }
    }
    Ok(())
}

fn read_module(path: &Path) -> Result<Vec<u8>> {
    if path.extension().is_none_or(|it| it != "xz") {
        return fs::read(path).with_context(|| format!("reading {}", path.display()));
    }
    let output = Command::new("xz").arg("-dc").arg(path).output().context("starting xz")?;
    if !output.status.success() {
        bail!("xz cannot unpack {}", path.display());
    }
    Ok(output.stdout)
}

/// The `depends=` entry of a module's `.modinfo`: names separated by commas.
fn needs(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let value = module[at + KEY.len()..].split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(value)
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_read_from_modinfo() {
        assert_eq!(needs(b"x\0license=GPL\0depends=dm-mod,jbd2\0y"), ["dm_mod", "jbd2"]);
        assert!(needs(b"x\0depends=\0y").is_empty());
        assert!(needs(b"nothing").is_empty());
    }
}
