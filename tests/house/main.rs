//! The rules of the house (CONTRIBUTING.md), checked against the sources.

mod code;

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}

/// Every Rust file below a folder, with its text, items that are compiled for tests only left out.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("text");
                let code = code::without_tests(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                found.push((path, code));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} is empty");
    found
}

fn refuse(folder: &str, except: &[&str], words: &[&str]) {
    for (path, code) in sources(folder) {
        if except.iter().any(|part| path.to_string_lossy().contains(part)) {
            continue;
        }
        for (at, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for word in words {
                assert!(!line.contains(word), "{}:{}: {word} has no place here: {line}", path.display(), at + 1);
            }
        }
    }
}

#[test]
fn the_vocabulary_depends_on_nothing() {
    let manifest = fs::read_to_string(root().join("tool-common/Cargo.toml")).expect("a manifest");
    let dependencies = manifest.split("[dependencies]").nth(1).and_then(|rest| rest.split('[').next()).unwrap_or("");
    let required: Vec<_> =
        dependencies.lines().filter(|line| line.contains('=') && !line.contains("optional = true")).collect();
    assert!(required.is_empty(), "{required:?}");
    refuse("tool-common/src", &[], &["std::", "aya_ebpf"]);
}

#[test]
fn kernel_probes_do_not_know_each_other() {
    let probes: Vec<String> = fs::read_dir(root().join("tool-ebpf/src/probes"))
        .expect("probes")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().trim_end_matches(".rs").to_owned())
        .filter(|name| name != "mod" && name != "filter")
        .collect();
    for probe in &probes {
        for other in probes.iter().filter(|other| *other != probe) {
            refuse(&format!("tool-ebpf/src/probes/{probe}"), &[], &[&format!("probes::{other}")]);
        }
    }
}

#[test]
fn only_kernel_probes_and_run_name_aya() {
    refuse("tool/src", &["/kernel/", "/kernel.rs", "/probes/", "src/run.rs", "src/run/"], &["aya::", "aya_obj::"]);
}

#[test]
fn snapshots_and_findings_do_no_input() {
    for folder in ["snapshot", "table", "findings", "attribution", "selection"] {
        refuse(&format!("tool/src/{folder}"), &[], &["std::fs", "std::io"]);
    }
    refuse(
        "tool/src/findings",
        &["fixture.rs", "tests.rs", "/tests/"],
        &["crate::probes", "crate::sample", "crate::sinks"],
    );
}

/// How long one's own work takes is measured where costs are.
#[test]
fn only_run_knows_what_time_it_is() {
    let clocks = ["Instant::now", "Timestamp::now", "SystemTime", "clock_gettime"];
    refuse("tool/src", &["src/run.rs", "src/run/", "kernel/cost.rs"], &clocks);
}

#[test]
fn sinks_know_snapshots_only() {
    refuse("tool/src/sinks", &[], &["crate::probes", "crate::sample", "crate::kernel", "crate::run"]);
}

#[test]
fn tables_know_snapshots_only() {
    refuse("tool/src/table", &[], &["crate::probes", "crate::sample", "crate::kernel", "crate::run", "crate::sinks"]);
}

#[test]
fn nothing_panics_on_purpose() {
    for folder in ["tool/src", "tool-common/src", "xtask/src"] {
        refuse(
            folder,
            &["tests.rs", "/tests/", "fixture.rs", "sinks/sample.rs", "sinks/golden.rs", "src/docs/"],
            &[".unwrap()", "panic!(", "todo!(", "unimplemented!("],
        );
    }
}
