//! Files, settings, mounts, cgroups and executables.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Child, Command},
};

use anyhow::{Context, Result, ensure};

use super::{
    super::{devices::Tmpfs, one_machine, skip, workload::remove_cgroup},
    Folder, Test, Watch, has_time, here, is_between, settled, timed, wait_for, write,
};

pub const TESTS: &[Test] = &[
    one_machine("changes_of_files_have_their_time", files),
    here("changes_of_settings_and_mounts_are_between_two_looks", settings),
    one_machine("changes_of_cgroups", cgroups),
    here("changes_of_executables_that_go_on_running", executables),
];

fn files() -> Result<()> {
    let place = Folder::new("watched")?;
    let hostile = place.0.join(OsStr::from_bytes(b"app\n\x1b[2J.conf"));
    let gone = place.0.join("gone");
    write(&hostile, "a = 1")?;
    write(&gone, "")?;
    let mut watch = Watch::of("changes", &["--watch", &place.text()], &[])?;
    settled(&mut watch)?;
    // The first look has told of what was just made.
    watch.snapshots.clear();
    let ((), from, to) = timed(|| write(&hostile, "a = 23"))?;
    let row = wait_for(&mut watch, "file", "written", &hostile.to_string_lossy())?;
    has_time(&row, from, to)?;
    // As most editors do.
    let new = Folder::new("new")?;
    write(&new.0.join("new"), "a = 37")?;
    let (_, from, to) = timed(|| Ok(fs::rename(new.0.join("new"), &hostile)?))?;
    has_time(&wait_for(&mut watch, "file", "replaced", &hostile.to_string_lossy())?, from, to)?;
    let (_, from, to) = timed(|| Ok(fs::remove_file(&gone)?))?;
    is_between(&wait_for(&mut watch, "file", "removed", &gone.to_string_lossy())?, from, to)
}

/// A setting of the kernel; as it was when dropped.
struct Setting(&'static str, String);

impl Setting {
    fn new(path: &'static str, value: &str) -> Result<Self> {
        let before = fs::read_to_string(path)?.trim().to_owned();
        ensure!(before != value, "{path} is {value} already");
        write(Path::new(path), value)?;
        Ok(Self(path, before))
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        let _ = fs::write(self.0, &self.1);
    }
}

fn settings() -> Result<()> {
    let mut watch = Watch::of("changes", &[], &[])?;
    settled(&mut watch)?;
    // It counts only where memory is not overcommitted.
    let (setting, from, to) = timed(|| Setting::new("/proc/sys/vm/overcommit_ratio", "53"))?;
    let row = wait_for(&mut watch, "sysctl", "changed", "vm.overcommit_ratio")?;
    is_between(&row, from, to)?;
    ensure!(row["from"] == setting.1.as_str() && row["to"] == "53" && row["by"].is_null(), "{row}");
    let (place, from, to) = timed(|| Tmpfs::new(c"size=1m"))?;
    let path = place.path.to_string_lossy().into_owned();
    let row = wait_for(&mut watch, "mount", "appeared", &path)?;
    is_between(&row, from, to)?;
    ensure!(row["to"] == "tmpfs tmpfs read-write", "{row}");
    let (_, from, to) = timed(|| {
        drop(place);
        Ok(())
    })?;
    is_between(&wait_for(&mut watch, "mount", "removed", &path)?, from, to)
}

/// In each hierarchy: one of them names processes.
struct Group(Vec<PathBuf>);

impl Group {
    fn new(name: &str) -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let mounts = mounts.filter(|fields| ["cgroup", "cgroup2"].contains(&fields[2]));
        let folders: Vec<PathBuf> = mounts.map(|fields| Path::new(fields[1]).join(name)).collect();
        if folders.is_empty() {
            return Err(skip("no cgroups"));
        }
        let group = Self(folders);
        group.0.iter().try_for_each(fs::create_dir)?;
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.0.iter().for_each(|folder| remove_cgroup(folder));
    }
}

fn cgroups() -> Result<()> {
    let name = format!("stillwatch-changes-{}", std::process::id());
    let mut watch = Watch::of("changes", &[], &[])?;
    settled(&mut watch)?;
    let (group, from, to) = timed(|| Group::new(&name))?;
    let path = format!("/{name}");
    let row = wait_for(&mut watch, "cgroup", "began", &path)?;
    is_between(&row, from, to)?;
    ensure!(row["who"]["cgroup"] == path.as_str() && row["who"]["pid"].is_null(), "{row}");
    let (_, from, to) = timed(|| {
        drop(group);
        Ok(())
    })?;
    is_between(&wait_for(&mut watch, "cgroup", "ended", &path)?, from, to)
}

/// Ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn executables() -> Result<()> {
    let place = Folder::new("executables")?;
    let [service, other] = ["service", "other"].map(|name| place.0.join(name));
    fs::copy("/bin/sleep", &service)?;
    fs::copy("/bin/sleep", &other)?;
    let running = Running(Command::new(&service).arg("600").spawn()?);
    while fs::read_link(format!("/proc/{}/exe", running.0.id())).context("no executable")? != service {}
    let mut watch = Watch::of("changes", &[], &[])?;
    settled(&mut watch)?;
    let (_, from, to) = timed(|| Ok(fs::rename(&other, &service)?))?;
    let row = wait_for(&mut watch, "executable", "replaced", &service.to_string_lossy())?;
    has_time(&row, from, to)?;
    ensure!(row["who"]["pid"] == running.0.id() && row["who"]["comm"] == "service", "{row}");
    // Who looks later is told as well.
    drop(watch);
    let mut watch = Watch::of("changes", &["--since", "10m"], &[])?;
    let row = wait_for(&mut watch, "executable", "replaced", &service.to_string_lossy())?;
    has_time(&row, from, to)
}
