//! What logs keep: packages, and who changed them.

use std::{fs, io::Write, os::unix::fs::symlink};

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{super::log::journal::Journald, Folder, Test, Watch, has_time, here, settled, timed, wait_for};

pub const TESTS: &[Test] = &[
    here("changes_of_packages_before_and_during_a_run", packages),
    here("changes_that_only_the_journal_has", journal),
];

/// The logs of a host that has dpkg and apt.
pub struct Logs {
    pub root: Folder,
}

impl Logs {
    pub fn new() -> Result<Self> {
        let root = Folder::new("root")?;
        fs::create_dir_all(root.0.join("var/log/apt"))?;
        Ok(Self { root })
    }

    fn append(&self, log: &str, text: &str) -> Result<()> {
        let path = self.root.0.join("var/log").join(log);
        fs::File::options().create(true).append(true).open(path)?.write_all(text.as_bytes())?;
        Ok(())
    }

    /// As dpkg writes it, in seconds of local time.
    pub fn upgraded(&self, at: Timestamp, package: &str) -> Result<()> {
        let zoned = at.to_zoned(TimeZone::system());
        let (dpkg, apt) = (zoned.strftime("%Y-%m-%d %H:%M:%S"), zoned.strftime("%Y-%m-%d  %H:%M:%S"));
        self.append(
            "apt/history.log",
            &format!("\nStart-Date: {apt}\nCommandline: apt-get upgrade\nEnd-Date: {apt}\n"),
        )?;
        self.append("dpkg.log", &format!("{dpkg} upgrade {package} 1.22.1-9 1.22.2-1\n{dpkg} status installed x\n"))
    }
}

pub fn second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn packages() -> Result<()> {
    let logs = Logs::new()?;
    let now = second(Timestamp::now());
    let [long_ago, before] = [400, 40].map(|ago| now - SignedDuration::from_secs(ago));
    logs.upgraded(long_ago, "too-early:amd64")?;
    logs.upgraded(before, "before:amd64")?;
    let environment = [("STILLWATCH_ROOT", &*logs.root.text())];
    let mut watch = Watch::of("changes", &["--since", "5m"], &environment)?;
    let row = wait_for(&mut watch, "package", "upgraded", "before:amd64")?;
    has_time(&row, before, before)?;
    ensure!(row["from"] == "1.22.1-9" && row["to"] == "1.22.2-1" && row["by"] == "apt-get upgrade", "{row}");
    settled(&mut watch)?;
    let at = second(Timestamp::now());
    logs.upgraded(at, "during:amd64")?;
    has_time(&wait_for(&mut watch, "package", "upgraded", "during:amd64")?, at, at)?;
    let all = watch.snapshots.iter().flat_map(|line| line["changes"].as_array()).flatten();
    let packages: Vec<_> = all.filter(|row| row["kind"] == "package").map(|row| row["what"].clone()).collect();
    ensure!(packages == ["before:amd64", "during:amd64"], "{packages:?}");
    Ok(())
}

/// Units, sudo and jobs, of a host whose journald is the only one to write them down: each once, and none that another process made up.
fn journal() -> Result<()> {
    let (journald, root) = (Journald::new()?, Folder::new("root")?);
    let machine = fs::read_to_string("/etc/machine-id")?;
    fs::create_dir_all(root.0.join("var/log/journal"))?;
    symlink(&journald.files, root.0.join("var/log/journal").join(machine.trim()))?;
    let failed = |name: &str| format!("{name}.service: Failed with result 'exit-code'.");
    let (_, from, to) = timed(|| {
        journald.say_as(1, "systemd", &failed("before"))?;
        journald.say(6, b"others write, too")
    })?;
    let environment = [("STILLWATCH_ROOT", &*root.text())];
    let mut watch = Watch::of("changes", &["--since", "5m"], &environment)?;
    let row = wait_for(&mut watch, "unit", "failed", "before.service")?;
    has_time(&row, from, to + SignedDuration::from_secs(1))?;
    ensure!(row["to"] == "exit-code" && row["source"] == "journal", "{row}");
    settled(&mut watch)?;
    let own = i32::try_from(std::process::id())?;
    let (_, from, to) = timed(|| {
        journald.say_as(own, "systemd", &failed("forged"))?;
        journald.say_as(1, "systemd", "Reloaded nginx.service - A server.")?;
        journald.say_as(own, "CRON", "(root) CMD (/usr/bin/backup --all)")?;
        journald.say_as(own, "sudo", "alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/true")
    })?;
    for (kind, did, what) in [
        ("unit", "reloaded", "nginx.service"),
        ("job", "began", "/usr/bin/backup --all"),
        ("sudo", "began", "/bin/true"),
    ] {
        has_time(&wait_for(&mut watch, kind, did, what)?, from, to + SignedDuration::from_secs(1))?;
    }
    // The next look finds none of them again.
    let looks = |watch: &Watch| watch.snapshots.len();
    let seen = looks(&watch);
    while looks(&watch) < seen + 15 {
        watch.next().context("it goes on")?;
    }
    let all = watch.snapshots.iter().flat_map(|line| line["changes"].as_array()).flatten();
    let mut told: Vec<_> =
        all.filter(|row| row["source"] == "journal").filter_map(|row| row["what"].as_str()).collect();
    told.sort_unstable();
    ensure!(told == ["/bin/true", "/usr/bin/backup --all", "before.service", "nginx.service"], "{told:?}");
    Ok(())
}
