//! What logs keep: packages, and who changed them.

use std::{fs, io::Write};

use anyhow::{Result, ensure};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{Folder, Test, Watch, has_time, here, settled, wait_for};

pub const TESTS: &[Test] = &[here("changes_of_packages_before_and_during_a_run", packages)];

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
