//! Help, version, completions and the manual page.

use super::{command, run, text};

fn ask(words: &[&str]) -> String {
    let output = run(words);
    assert_eq!((output.status.code(), text(output.stderr)), (Some(0), String::new()), "{words:?}");
    text(output.stdout)
}

#[test]
fn help_fits_80_columns_and_ends_with_examples() {
    for words in [
        &["--help"][..],
        &["-h"],
        &["syscalls", "--help"],
        &["syscalls", "-h"],
        &["io", "--help"],
        &["io", "-h"],
        &["oom", "--help"],
        &["oom", "-h"],
        &["changes", "--help"],
        &["changes", "-h"],
        &["log", "--help"],
        &["log", "-h"],
        &["record", "--help"],
        &["replay", "--help"],
        &["report", "--help"],
        &["report", "-h"],
        &["export", "--help"],
        &["export", "-h"],
    ] {
        let help = ask(words);
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{words:?}: {line}");
        }
        let (_, examples) = help.split_once("\nExamples:\n").expect("there are examples");
        assert!(examples.lines().filter(|line| line.starts_with("  stillwatch")).count() > 3, "{words:?}: {help}");
        // clap would wrap a line that is too long, which spoils the column.
        let wrapped = |line: &&str| line.starts_with("  ") && !line.starts_with("  stillwatch");
        assert_eq!(examples.lines().find(wrapped), None, "{words:?}");
    }
    for words in [
        ["doctor", "--help"],
        ["completions", "--help"],
        ["man", "--help"],
        ["incidents", "--help"],
        ["mark", "--help"],
    ] {
        assert!(ask(&words).lines().all(|line| line.chars().count() <= 80), "{words:?}");
    }
}

#[test]
fn version() {
    assert_eq!(ask(&["--version"]), format!("stillwatch {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_and_manual_page() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = ask(&["completions", shell]);
        assert!(script.contains("stillwatch") && script.contains("heat") && script.contains("blame"), "{shell}");
    }
    let page = ask(&["man"]);
    for part in [".TH stillwatch 8", ".SH NAME", "INTERVAL", "heat", "blame", ".SH EXAMPLES"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    for words in [&["--help"][..], &["--version"], &["man"], &["completions", "bash"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut child = command(words).stdout(writer).spawn().expect("stillwatch starts");
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{words:?}");
    }
}

#[test]
fn no_colour_where_nobody_sees_it() {
    assert!(!ask(&["--help"]).contains('\x1b'));
}
