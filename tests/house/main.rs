//! The rules of the house (CONTRIBUTING.md), checked against the sources.

mod code;

use std::{
    collections::BTreeMap,
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
    for folder in ["between", "snapshot", "table", "findings", "attribution", "selection"] {
        refuse(&format!("tool/src/{folder}"), &[], &["std::fs", "std::io"]);
    }
}

/// How long one's own work takes is measured where costs are, and a frame is late where frames are drawn.
#[test]
fn only_run_knows_what_time_it_is() {
    let clocks = ["Instant::now", "Timestamp::now", "SystemTime", "clock_gettime"];
    refuse("tool/src", &["src/run.rs", "src/run/", "kernel/cost.rs", "screen/terminal.rs"], &clocks);
}

/// Each room of the tool, and those that it may name: all arrows of the corridor. What several need stands in small rooms of its own.
const ARROWS: &[(&str, &[&str])] = &[
    ("asked", &[]),
    ("attribution", &["cli", "names", "reasons", "snapshot", "table"]),
    ("between", &["cli", "missing", "oom_report", "reasons", "sample", "snapshot", "syscall_names", "table"]),
    ("change", &[]),
    ("cli", &["asked", "escape", "kernel", "syscall_names"]),
    ("coarser", &["snapshot", "table"]),
    ("constant", &[]),
    ("doctor", &["escape", "kernel"]),
    ("engine", &["attribution", "between", "cli", "findings", "names", "sample", "selection", "snapshot"]),
    ("escape", &[]),
    ("export", &["cli", "record", "sinks"]),
    ("findings", &["escape", "format", "reasons", "snapshot", "syscall_names", "table"]),
    ("format", &["escape", "snapshot"]),
    ("for_tests", &[]),
    ("kernel", &["for_tests"]),
    ("lead_up", &[]),
    ("log_line", &[]),
    ("missing", &["constant"]),
    ("names", &["cli", "escape", "kernel", "snapshot"]),
    ("oom_report", &[]),
    (
        "probes",
        &[
            "cli",
            "doctor",
            "for_tests",
            "kernel",
            "log_line",
            "missing",
            "names",
            "oom_report",
            "reasons",
            "sample",
            "snapshot",
            "syscall_names",
        ],
    ),
    ("reasons", &["kernel"]),
    ("record", &["cli", "engine", "escape", "snapshot", "table"]),
    ("report", &["cli", "escape", "findings", "format", "lead_up", "oom_report", "record", "snapshot", "table"]),
    (
        "run",
        &[
            "attribution",
            "between",
            "cli",
            "coarser",
            "engine",
            "escape",
            "findings",
            "for_tests",
            "format",
            "kernel",
            "missing",
            "names",
            "probes",
            "record",
            "sample",
            "screen",
            "selection",
            "sinks",
            "snapshot",
        ],
    ),
    ("screen", &["cli", "escape", "for_tests", "format", "record", "selection", "sinks", "snapshot", "table"]),
    ("sample", &["change", "lead_up", "log_line", "missing", "oom_report"]),
    ("selection", &["cli", "snapshot", "table"]),
    (
        "sinks",
        &["cli", "escape", "for_tests", "format", "log_line", "oom_report", "snapshot", "syscall_names", "table"],
    ),
    (
        "snapshot",
        &[
            "asked",
            "change",
            "constant",
            "lead_up",
            "log_line",
            "missing",
            "oom_report",
            "reasons",
            "syscall_names",
            "table",
        ],
    ),
    ("syscall_names", &[]),
    ("table", &[]),
];

/// Files that only tests are compiled with.
const FOR_TESTS: &[&str] = &[
    "/tests.rs",
    "/tests/",
    "fixture.rs",
    "sinks/sample.rs",
    "sinks/golden.rs",
    "table/any.rs",
    "names/fake.rs",
    "src/docs/",
];

/// No room knows one that knows it, however far round.
#[test]
fn no_arrow_comes_back() {
    let mut left: Vec<_> = ARROWS.to_vec();
    loop {
        let names: Vec<_> = left.iter().map(|(room, _)| *room).collect();
        let before = left.len();
        left.retain(|(_, known)| known.iter().any(|room| names.contains(room)));
        if left.len() == before {
            break;
        }
    }
    assert!(left.is_empty(), "in a circle: {left:?}");
}

#[test]
fn data_flows_one_way() {
    let tool = root().join("tool/src");
    for (path, code) in sources("tool/src") {
        let text = path.to_string_lossy();
        let Ok(inside) = path.strip_prefix(&tool) else { continue };
        let first = inside.iter().next().expect("a name").to_string_lossy();
        let room = first.trim_end_matches(".rs");
        if ["lib", "main", "list"].contains(&room) || FOR_TESTS.iter().any(|part| text.contains(part)) {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else { panic!("{room} is a new room") };
        for named in code::rooms(&code) {
            assert!(
                named == room
                    || allowed.contains(&named.as_str())
                    || !tool.join(&named).exists() && !tool.join(named.clone() + ".rs").exists(),
                "{text}: {room} must not know {named}"
            );
        }
    }
}

/// What each probe has under the same name.
const OF_EACH_PROBE: &[&str] = &["Syscalls", "Io", "Tcp", "Oom", "Cpu", "Disk", "Log", "Changes", "Reader", "PerCpu"];

/// As a rule: what the kernel side counts, and what is shown of it.
#[test]
fn a_name_is_of_two_types_at_the_most() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for folder in ["tool/src", "tool-common/src", "tool-ebpf/src"] {
        for (path, code) in sources(folder) {
            let path = path.to_string_lossy();
            if !FOR_TESTS.iter().any(|part| path.contains(part)) {
                code::types(&code).into_iter().for_each(|name| places.entry(name).or_default().push(path.to_string()));
            }
        }
    }
    places.retain(|name, places| places.len() > 2 && !OF_EACH_PROBE.contains(&name.as_str()));
    assert!(places.is_empty(), "{places:#?}");
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
