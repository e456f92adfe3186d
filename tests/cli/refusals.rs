//! Bad input ends with code 2 and one line on stderr that names the bad word and says what to do.

use super::{run, text};

/// (words, the bad one, a part of the remedy)
const TABLE: &[(&[&str], &str, &str)] = &[
    (&["syscals"], "'syscals'", "did you mean 'syscalls'?"),
    (&["nonsense"], "'nonsense'", "--help"),
    (&["1", "syscalls"], "'syscalls'", "first"),
    (&["--blocked"], "'--blocked'", "stillwatch syscalls"),
    (&["0"], "'0'", "10ms"),
    (&["syscalls", "0"], "'0'", "10ms"),
    (&["syscalls", "0ms"], "'0ms'", "10ms"),
    (&["syscalls", "9ms"], "'9ms'", "10ms"),
    (&["syscalls", "-1"], "'-1'", "write a duration"),
    (&["syscalls", "-250ms"], "'-250ms'", "write a duration"),
    (&["syscalls", "1x"], "'1x'", "250ms"),
    (&["syscalls", "1", "-1"], "'-1'", "1 or more"),
    (&["syscalls", "1", "0"], "'0'", "1 or more"),
    (&["syscalls", "1", "1.5"], "'1.5'", "1 or more"),
    (&["syscalls", "1", "2", "3"], "'3'", "too many"),
    (&["syscalls", "--syscall", "raed"], "'raed'", "did you mean 'read'?"),
    (&["syscalls", "--syscall", "read,,write"], "''", "no such system call"),
    (&["syscalls", "--hist", "raed"], "'raed'", "did you mean 'read'?"),
    (&["syscalls", "-p", "4294967295"], "'4294967295'", "no such process"),
    (&["syscalls", "-p", "1,0"], "'0'", "1 or more"),
    (&["-p", "-1"], "'-1'", "1 or more"),
    (&["-p", "init"], "'init'", "process number"),
    (&["-c", "no-such-cgroup-anywhere"], "'no-such-cgroup-anywhere'", "cgroup"),
    (&["--comm", "sixteen-bytes-xx"], "'sixteen-bytes-xx'", "15 bytes"),
    (&["--comm", ""], "''", "ps -L"),
    (&["--top", "0"], "'0'", "1 or more"),
    (&["--top", "-5"], "'-5'", "1 or more"),
    (&["--color", "blue"], "'blue'", "always"),
    (&["syscalls", "--slow", "0"], "'0'", "--by process"),
    (&["syscalls", "--by", "user"], "'user'", "process"),
    (&["syscalls", "--bloked"], "'--bloked'", "did you mean '--blocked'?"),
    (&["syscalls", "--blocked", "--errors"], "'--blocked'", "cannot be used with"),
    (&["syscalls", "--heat", "--hist", "read"], "'--heat'", "cannot be used with"),
    (&["syscalls", "--json", "--heat"], "'--heat'", "cannot be used with"),
    (&["syscalls", "--json", "--hist", "read"], "'--hist", "cannot be used with"),
    (&["syscalls", "--syscall", "read", "--hist", "write"], "'write'", "--syscall"),
    (&["syscalls", "--slow"], "'--slow", "value is required"),
    (&["io", "-d", "nosuch"], "'nosuch'", "ls /sys/class/block"),
    (&["io", "-d", ".."], "'..'", "block device"),
    (&["io", "-d", "/dev/null"], "'/dev/null'", "block device"),
    (&["io", "-d", ""], "''", "block device"),
    (&["io", "--devices", "--blame"], "'--blame'", "cannot be used with"),
    (&["io", "--devices", "--slow", "1"], "'--devices'", "cannot be used with"),
    (&["io", "--devices", "-p", "1"], "'--devices'", "cannot be used with"),
    (&["io", "--stall", "0"], "'0'", "100us"),
    (&["io", "--stall", "-5ms"], "'-5ms'", "write a duration"),
    (&["io", "--slow", "0"], "'0'", "histograms"),
    (&["io", "--slow", "-1"], "'-1'", "write a duration"),
    (&["io", "-1"], "'-1'", "write a duration"),
    (&["io", "1", "0"], "'0'", "1 or more"),
    (&["io", "--blocked"], "'--blocked'", "syscalls"),
    (&["io", "--blam"], "'--blam'", "did you mean '--blame'?"),
    (&["disk", "--find", "/no/such/file"], "'/no/such/file'", "there is no such"),
    (&["--horizon", "30s"], "'30s'", "1m to 24h"),
    (&["disk", "--find", "70000"], "'70000'", "1 to 65535"),
    (&["disk", "--find", "/", "5"], "'--find", "cannot be used with"),
    (&["oom", "--last", "5"], "'--last'", "cannot be used with"),
    (&["oom", "--last", "--signals"], "'--last'", "cannot be used with"),
    (&["oom", "--lead-up", "3s"], "'3s'", "1m to 1h"),
    (&["oom", "--lead-up", "-1"], "'-1'", "write a duration"),
    (&["oom", "--blame"], "'--blame'", "belongs to io"),
    (&["1", "io"], "'io'", "first"),
    (&["--blame"], "'--blame'", "stillwatch io"),
    (&["completions", "tcsh"], "'tcsh'", "bash"),
    (&["completions"], "<SHELL>", "--help"),
    (&["export"], "<FILE>", "--help"),
    (&["export", "/dev/null"], "/dev/null", "empty"),
    (&["export", "/no/such/file"], "/no/such/file", "No such file"),
    (&["export", "/dev/null", "--format", "xml"], "'xml'", "parquet"),
    (&["export", "/dev/null", "--table", "io.device"], "'io.device'", "io.devices"),
    (&["export", "/dev/null", "--format", "csv"], "--table", "io.devices"),
    (&["export", "/dev/null", "--format", "parquet"], "--table", "io.devices"),
    (&["doctor", "--yaml"], "'--yaml'", "--help"),
    (&["record", "--keep", "0"], "'0'", "1s to 3660d"),
    (&["record", "--max", "5"], "'5'", "512MiB"),
    (&["record", "--max", "1000TiB", "--incidents", "9000000TiB"], "'9000000TiB'", "1024TiB"),
    (&["record", "--on", "all"], "'all'", "finding"),
    (&["record", "--json"], "'--json'", "--help"),
    (&["--keep", "24h"], "'--keep'", "stillwatch record"),
    (&["replay"], "<FILE|DIR>", "--help"),
    (&["replay", "x", "--from", "noon"], "'noon'", "14:02"),
    (&["replay", "x", "io", "--incident", "1", "--to", "14:02"], "'--incident", "cannot be used with"),
    (&["replay", "/nonexistent", "io"], "/nonexistent", "No such file"),
    (&["incidents", "/nonexistent"], "/nonexistent", "No such file"),
    (&["mark"], "TEXT", "--help"),
    (&["report", "x"], "--output", "--help"),
    (&["report", "x", "-o", "incident.pdf"], "'incident.pdf'", ".html"),
    (&["report", "x", "-o", "x.md", "--from", "noon"], "'noon'", "14:02"),
    (&["report", "/no/recording", "-o", "x.md"], "/no/recording", "No such file"),
    (&["report", "/dev/null", "-o", "x.md"], "/dev/null", "nothing was recorded"),
];

#[test]
fn one_line_that_names_the_bad_word_and_the_remedy() {
    for (words, bad, remedy) in TABLE {
        let output = run(words);
        let (said, printed) = (text(output.stderr), text(output.stdout));
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert_eq!(printed, "", "{words:?}");
        assert!(said.ends_with('\n') && said.matches('\n').count() == 1, "{words:?}: {said:?}");
        assert!(said.starts_with("stillwatch: ") && said.contains(bad) && said.contains(remedy), "{words:?}: {said}");
    }
}

#[test]
fn a_thread_is_not_taken_for_a_process() {
    let (said, own) = std::thread::spawn(|| {
        // SAFETY: no precondition.
        let tid = unsafe { libc::gettid() }.to_string();
        (text(run(&["-p", &tid]).stderr), std::process::id())
    })
    .join()
    .expect("the thread ends");
    assert!(said.contains(&format!("its process is {own}")), "{said}");
}

#[test]
fn words_cannot_steer_the_terminal_or_fake_a_line() {
    for word in ["--x\u{1b}[2J", "x\u{1b}]0;title\u{7}", "a\nstillwatch: all is well", "\u{202e}abc"] {
        let output = run(&[word]);
        let said = text(output.stderr);
        assert_eq!((output.status.code(), said.matches('\n').count()), (Some(2), 1), "{said:?}");
        assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{said:?}");
    }
}

#[test]
fn words_that_are_not_utf8_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let word = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    for before in [&["syscalls"][..], &["--comm"], &[]] {
        let output = super::command(before).arg(word).output().expect("stillwatch starts");
        let said = text(output.stderr);
        assert_eq!((output.status.code(), said.matches('\n').count()), (Some(2), 1), "{before:?}: {said:?}");
    }
}
