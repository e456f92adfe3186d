//! What had changed before something went wrong.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    super::{
        Test,
        changes::logs::{Logs, second},
        here,
        stillwatch::Watch,
        workload::sleep,
    },
    is_sound, names, only,
    space::leaker,
    wait_for,
};

pub const TESTS: &[Test] = &[here("findings_name_what_changed_before_them", before_it)];

/// A file of `/etc`, removed when dropped.
struct Configuration(PathBuf);

impl Drop for Configuration {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// When that changed last.
fn time(finding: &Value, kind: &str, what: &str) -> Option<Timestamp> {
    let mut rows = finding["before_it"].as_array().into_iter().flatten();
    rows.find(|row| row["kind"] == kind && row["what"] == what)?["at"].as_str()?.parse().ok()
}

/// A package is upgraded and a file of `/etc` written; then a process runs out of descriptors.
fn before_it() -> Result<()> {
    let logs = Logs::new()?;
    let file = Configuration(format!("/etc/stillwatch-{}.conf", std::process::id()).into());
    fs::write(&file.0, "limit = 1024")?;
    let environment = [("STILLWATCH_ROOT", &*logs.root.text())];
    let mut watch = Watch::every("1", "", &[], &environment)?;
    // So that looks were made before, and the file is not new.
    sleep(Duration::from_secs(4));
    let package = second(Timestamp::now());
    logs.upgraded(package, "libleak1:amd64")?;
    let from = Timestamp::now();
    fs::write(&file.0, "limit = 1009")?;
    let to = Timestamp::now();
    sleep(Duration::from_secs(3));
    let opener = leaker()?;
    opener.go();
    opener.report()?;
    let path = file.0.to_string_lossy();
    // The kernel's time of files is that of its last tick; the first look has told when the file was made.
    let tick = SignedDuration::from_millis(20);
    let named = |finding: &Value| {
        let written = time(finding, "file", &path).is_some_and(|at| from.duration_since(at) <= tick);
        written && time(finding, "package", "libleak1:amd64").is_some()
    };
    let found = wait_for(&mut watch, "descriptors", |finding| names(finding, "victims", opener.pid) && named(finding))?;
    is_sound(&found)?;
    let since: Timestamp = found["since"].as_str().context("no time")?.parse()?;
    ensure!(time(&found, "file", &path).is_some_and(|at| at <= to && at < since), "{from} to {to}: {found}");
    ensure!(time(&found, "package", "libleak1:amd64") == Some(package), "{package}: {found}");
    only(&watch, &["descriptors"])
}
