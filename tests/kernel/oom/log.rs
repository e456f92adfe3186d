//! The kernel's own report: verbatim, or unavailable, or all there is.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillwatch_tests::{schema, stillwatch};

use super::{
    super::{Test, every_kernel, stillwatch::Watch},
    brief,
    group::{Group, MIB, holder, inherited, is_killed},
    kill_of, watch,
};

pub const TESTS: &[Test] = &[
    every_kernel("oom_keeps_the_kernels_lines_as_dmesg_has_them", verbatim),
    every_kernel("oom_is_complete_without_the_kernels_log", not_permitted),
    every_kernel("oom_explains_kills_from_before_it_started", last),
];

/// Records by number, from where the file is on.
fn records(log: &mut File) -> BTreeMap<u64, String> {
    let mut found = BTreeMap::new();
    let mut record = [0; 8192];
    while let Ok(bytes) = log.read(&mut record) {
        let text = String::from_utf8_lossy(&record[..bytes]).into_owned();
        let Some((head, text)) = text.split_once(';') else { continue };
        let number = head.split(',').nth(1).and_then(|number| number.parse().ok());
        let text = text.lines().next().unwrap_or_default();
        found.extend(number.map(|number| (number, text.to_owned())));
    }
    found
}

/// The kernel writes ten reports in five seconds, and of further kills one line each.
pub fn until_reports_are_written() {
    std::thread::sleep(Duration::from_secs(6));
}

fn verbatim() -> Result<()> {
    until_reports_are_written();
    let mut log = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg")?;
    log.seek(SeekFrom::End(0))?;
    let group = Group::new("verbatim", Some(20 * MIB))?;
    let mut watch = watch(&[])?;
    let hog = holder(c"ver) \\batim", 40 * MIB, &group)?;
    hog.go();
    is_killed(&hog)?;
    let event = kill_of(&mut watch, hog.pid)?;
    ensure!(event["victim"]["comm"] == "ver) \\batim", "{:#?}", brief(&[event]));
    let records = records(&mut log);
    let lines = event["kernel_log"].as_array().context("no lines")?;
    ensure!(lines.len() > 20, "{lines:#?}");
    for line in lines {
        let number = line["sequence"].as_u64().context("no number")?;
        let text = line["text"].as_str().context("no text")?;
        // The file shows a backslash as the kernel escapes it, and the ends of lines of one record.
        let escaped = text.replace('\\', "\\x5c").replace('\n', "\\x0a");
        ensure!(records.get(&number) == Some(&escaped), "{number}: {text:?}, not {:?}", records.get(&number));
    }
    let first = lines[0]["sequence"].as_u64().context("no number")?;
    let last = lines[lines.len() - 1]["sequence"].as_u64().context("no number")?;
    // All from the first to the line that names the victim.
    let kill = records
        .iter()
        .find(|(number, text)| **number >= first && text.contains(&format!("Killed process {}", hog.pid)));
    ensure!(kill.is_some_and(|(&number, _)| number <= last), "{first} to {last}: {kill:?}");
    Ok(())
}

/// Without CAP_SYSLOG. The programs see who, whom, where and how much; the rest says why it is missing.
fn not_permitted() -> Result<()> {
    const RESTRICTED: &str = "/proc/sys/kernel/dmesg_restrict";
    let before = std::fs::read_to_string(RESTRICTED)?;
    std::fs::write(RESTRICTED, "1")?;
    let result = without_log();
    std::fs::write(RESTRICTED, before)?;
    result
}

fn without_log() -> Result<()> {
    /// From linux/capability.h.
    const CAP_SYS_ADMIN: libc::c_ulong = 21;
    const CAP_SYSLOG: libc::c_ulong = 34;
    let limit = 26 * MIB;
    let group = Group::new("no-log", Some(limit))?;
    let mut command = stillwatch();
    // SAFETY: two system calls.
    unsafe {
        command.pre_exec(|| {
            for capability in [CAP_SYS_ADMIN, CAP_SYSLOG] {
                if libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        })
    };
    let mut watch = Watch::run(command, "0.2", "oom", &[], &[])?;
    let hog = holder(c"no-log", 2 * limit, &group)?;
    hog.go();
    is_killed(&hog)?;
    let event = kill_of(&mut watch, hog.pid)?;
    let short = || format!("{:#?}", brief(std::slice::from_ref(&event)));
    let says = |value: &Value, what: &str| value.as_str().is_some_and(|text| text.contains(what));
    ensure!(event["kernel_log"].is_null() && says(&event["kernel_log_unavailable"], "CAP_SYSLOG"), "{}", short());
    ensure!(event["victim"]["comm"] == "no-log" && event["trigger"]["pid"] == hog.pid, "{}", short());
    ensure!(event["victim"]["cgroup"] == group.path && event["cgroup"] == group.path, "{}", short());
    ensure!(event["scope"] == "memcg" && event["limit_bytes"] == limit, "{}", short());
    ensure!(event["victim"]["memory_from"] == "counters", "{}", short());
    let held = event["victim"]["anon_bytes"].as_u64().with_context(short)?;
    // What it shares with us since the fork is charged to us.
    ensure!(held.abs_diff(limit + inherited()?) < 8 * MIB, "held {held}: {}", short());
    ensure!(event["freed_ns"].is_u64() && event["order"].is_null(), "{}", short());
    let snapshot = watch.snapshots.last().context("no snapshot")?;
    ensure!(says(&snapshot["kernel_log_unavailable"], "CAP_SYSLOG"), "{snapshot:#?}");
    Ok(())
}

fn last() -> Result<()> {
    until_reports_are_written();
    let limit = 22 * MIB;
    let group = Group::new("last", Some(limit))?;
    let hog = holder(c"last", 2 * limit, &group)?;
    hog.go();
    is_killed(&hog)?;
    let output = stillwatch().args(["oom", "--last", "--json"]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let events = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    events.iter().try_for_each(schema::validate)?;
    ensure!(events.iter().all(|event| event["reconstructed"] == true), "{:#?}", brief(&events));
    let event = events.iter().find(|event| event["victim"]["pid"] == hog.pid).context("no such kill")?;
    let short = || format!("{:#?}", brief(std::slice::from_ref(event)));
    ensure!(event["victim"]["comm"] == "last" && event["victim"]["cgroup"] == group.path, "{}", short());
    ensure!(event["trigger"]["pid"] == hog.pid && event["cgroup"] == group.path, "{}", short());
    ensure!(event["limit_bytes"] == limit && event["freed_ns"].is_null() && event["lead_up"].is_null(), "{}", short());
    let text = stillwatch().args(["oom", "--last"]).output()?;
    let text = String::from_utf8(text.stdout)?;
    ensure!(text.contains(&format!("OOM KILL  last {} (reconstructed", hog.pid)), "{text}");
    Ok(())
}
