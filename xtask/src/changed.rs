//! What a change can touch: `cargo xtask test --changed`.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::{read, root};

/// Tests that are worth running after a change. Lints, unit tests and those of the command line and the house always are.
#[derive(Debug, PartialEq)]
pub enum Touched {
    /// Nothing that a kernel test sees.
    NoKernelTest,
    /// Kernel tests whose names begin so.
    Some(BTreeSet<String>),
    All,
}

/// The files that differ from a revision, those that git does not know yet among them.
pub fn files(revision: &str) -> Result<Vec<String>> {
    let git = |args: &[&str]| read(Command::new("git").current_dir(root()).args(args)).context("git");
    let changed = git(&["diff", "--name-only", revision, "--"])?;
    let new = git(&["ls-files", "--others", "--exclude-standard"])?;
    Ok(changed.lines().chain(new.lines()).map(str::to_owned).collect())
}

/// A room is named after its probe on every side, and so are the tests (docs: CONTRIBUTING.md). What all probes share touches all.
pub fn touched(files: &[String], probes: &[String]) -> Touched {
    let mut names = BTreeSet::new();
    for file in files {
        match file.split('/').collect::<Vec<_>>()[..] {
            ["tool", "src", "findings", ..] | ["tests", "kernel", "findings", ..] => {
                names.insert("findings_".to_owned());
            }
            // Words, tables and tools: unit tests and those of the command line have them.
            ["docs", ..]
            | ["xtask", ..]
            | ["tests", "cli" | "house" | "btf", ..]
            | ["tool", "src", "cli" | "doctor", ..] => {}
            [name] if name.ends_with(".md") => {}
            ["tool" | "tool-ebpf" | "tool-common" | "tests", ref path @ ..] => {
                let probe = probes.iter().find(|probe| path.iter().any(|part| part.trim_end_matches(".rs") == **probe));
                let Some(probe) = probe else { return Touched::All };
                names.extend([format!("{probe}_"), "findings_none".to_owned()]);
            }
            _ => return Touched::All,
        }
    }
    if names.is_empty() { Touched::NoKernelTest } else { Touched::Some(names) }
}

/// Those that have a room: of them, not all have a kernel side.
pub fn probes() -> Result<Vec<String>> {
    let rooms = std::fs::read_dir(root().join("tool/src/probes")).context("the probes' rooms")?;
    let mut probes = Vec::new();
    for room in rooms {
        let room = room?;
        if room.file_type()?.is_dir() {
            probes.push(room.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(probes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[&str]) -> Touched {
        let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
        touched(&files, &["io".to_owned(), "tcp".to_owned()])
    }

    #[test]
    fn a_probes_room_touches_its_tests_and_the_healthy_hosts() {
        let wanted = |names: &[&str]| Touched::Some(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(of(&["tool-ebpf/src/probes/io/done.rs", "docs/probes/io.md"]), wanted(&["findings_none", "io_"]));
        assert_eq!(of(&["tool-common/src/tcp.rs"]), wanted(&["findings_none", "tcp_"]));
        assert_eq!(of(&["tool/src/findings/harm.rs"]), wanted(&["findings_"]));
    }

    #[test]
    fn what_all_share_touches_all() {
        for file in
            ["tool-ebpf/src/hooks/sched_switch.rs", "tool/src/kernel/loader.rs", "Cargo.lock", "tests/kernel/main.rs"]
        {
            assert_eq!(of(&["docs/probes/io.md", file]), Touched::All, "{file}");
        }
    }

    #[test]
    fn words_touch_no_kernel_test() {
        assert_eq!(of(&["README.md", "xtask/src/test.rs", "tool/src/cli/args.rs"]), Touched::NoKernelTest);
        assert_eq!(of(&[]), Touched::NoKernelTest);
    }
}
