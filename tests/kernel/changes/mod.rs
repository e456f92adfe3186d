//! The `changes` probe: what is done to a host, and when.

mod host;
pub mod logs;
mod network;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Test, here, stillwatch::Watch};

pub fn tests() -> Vec<Test> {
    [host::TESTS, logs::TESTS, network::TESTS].concat()
}

/// A folder of its own, removed when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("stillwatch-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub fn text(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Looks at folders are rare where they are large, and so are those at processes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads on until there is such a change.
fn wait_for(watch: &mut Watch, kind: &str, did: &str, what: &str) -> Result<Value> {
    let until = Instant::now() + PATIENCE;
    let mut seen = 0;
    while Instant::now() < until {
        for line in &watch.snapshots[seen..] {
            let rows = line["changes"].as_array().into_iter().flatten();
            if let Some(row) =
                rows.into_iter().find(|row| row["kind"] == kind && row["did"] == did && row["what"] == what)
            {
                return Ok(row.clone());
            }
        }
        seen = watch.snapshots.len();
        watch.next()?;
    }
    let all: Vec<&Value> = watch.snapshots.iter().flat_map(|line| line["changes"].as_array()).flatten().collect();
    anyhow::bail!("no {kind} {what:?} that {did}: {all:#?}")
}

/// The first look of each place has ended: what is done from now on has a look before it.
fn settled(watch: &mut Watch) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let watched = watch.next()?["watched"].as_array().context("nothing is watched")?;
        if watched.iter().all(|row| row["took_ns"].is_u64()) {
            return Ok(());
        }
    }
    anyhow::bail!("looks do not end: {:?}", watch.snapshots.last())
}

fn time(row: &Value, key: &str) -> Result<Timestamp> {
    Ok(row[key].as_str().with_context(|| format!("no {key}: {row}"))?.parse()?)
}

/// It has the time that it was done at, which was between these two.
fn has_time(row: &Value, from: Timestamp, to: Timestamp) -> Result<()> {
    // Files have the time of the kernel's last tick.
    const TICK: SignedDuration = SignedDuration::from_millis(20);
    let at = time(row, "at")?;
    ensure!(row["certainty"] == "as the host keeps it" && row.get("after").is_none(), "{row}");
    ensure!(from.duration_since(at) <= TICK && at <= to, "not from {from} to {to}: {row}");
    Ok(())
}

/// It was between two looks, and it was done between these two moments.
fn is_between(row: &Value, from: Timestamp, to: Timestamp) -> Result<()> {
    let (after, at) = (time(row, "after")?, time(row, "at")?);
    ensure!(
        row["certainty"] == "between two looks" && after <= to && from <= at && after < at,
        "{from} to {to}: {row}"
    );
    // Looks are seconds apart.
    ensure!(at.duration_since(after) < SignedDuration::from_secs(30), "{row}");
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Timestamp, Timestamp)> {
    let from = Timestamp::now();
    let result = work()?;
    Ok((result, from, Timestamp::now()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}
