//! `disk --find`: who holds a mount, a file, a port. Checked against what was made, and each way of holding once.

use std::{
    ffi::CString,
    fs::{self, File},
    net::{TcpListener, TcpStream},
    os::{
        fd::AsRawFd,
        unix::{ffi::OsStrExt, net::UnixListener},
    },
    path::Path,
    ptr::null_mut,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillwatch_tests::{schema, stillwatch};

use super::super::{
    devices::{LoopDevice, MIB, Tmpfs},
    workload::{Workload, call, rename},
};

/// What is said of it.
fn find(what: &str) -> Result<Value> {
    let output = stillwatch().args(["disk", "--find", what, "--json"]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let line = serde_json::from_slice(&output.stdout)?;
    schema::validate(&line)?;
    ensure!(line["unread"].as_array().is_some_and(Vec::is_empty), "{line}");
    Ok(line)
}

fn find_path(path: &Path) -> Result<Value> {
    find(path.to_str().context("no text")?)
}

/// How it is held, by process; 0: by none.
fn ways(line: &Value) -> Vec<(u64, &str)> {
    let rows = line["holds"].as_array().into_iter().flatten();
    let mut ways: Vec<_> =
        rows.filter_map(|row| Some((row["pid"].as_u64().unwrap_or(0), row["how"].as_str()?))).collect();
    ways.sort_unstable();
    ways
}

fn is_held(line: &Value, expected: &[(u64, &str)]) -> Result<()> {
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    ensure!(ways(line) == expected, "{expected:?}: {line:#}");
    Ok(())
}

pub fn mount() -> Result<()> {
    let place = Tmpfs::new(c"size=64m")?;
    let below = place.path.join("a folder");
    fs::create_dir(&below)?;
    let path = below.join("a file\nof two lines");
    fs::write(&path, [7; 4096])?;
    let (folder, named) = (CString::new(below.as_os_str().as_bytes())?, CString::new(path.as_os_str().as_bytes())?);
    // SAFETY: a string that ends.
    let open = |flags| unsafe { libc::open(named.as_ptr(), flags) };
    let writer = Workload::new(|| {
        rename(c"holds");
        [open(libc::O_WRONLY) as u64, open(libc::O_PATH) as u64]
    })?;
    let stands = Workload::new(|| {
        call(libc::SYS_chdir, [folder.as_ptr() as u64, 0, 0]);
        [0; 2]
    })?;
    let maps = Workload::new(|| {
        let fd = open(libc::O_RDONLY);
        // SAFETY: a new mapping of a page of a file that has one.
        unsafe { libc::mmap(null_mut(), 4096, libc::PROT_READ, libc::MAP_SHARED, fd, 0) };
        call(libc::SYS_close, [fd as u64, 0, 0]);
        [0; 2]
    })?;
    for one in [&writer, &stands, &maps] {
        one.go();
        one.report()?;
    }
    let [writes, works, has] = [&writer, &stands, &maps].map(|one| one.pid as u64);
    let of_file = [(writes, "open to write"), (writes, "open as a place"), (has, "mapping")];
    let all = [&of_file[..], &[(works, "working directory")]].concat();
    let found = find_path(&place.path)?;
    is_held(&found, &all)?;
    ensure!(found["is"] == "the mount point of tmpfs on tmpfs", "{found}");
    let row = found["holds"].as_array().and_then(|rows| rows.iter().find(|row| row["how"] == "open to write"));
    let row = row.context("no row")?;
    ensure!(row["comm"] == "holds" && row["what"] == path.to_str().unwrap_or(""), "{row}");
    let descriptor = format!("/proc/{writes}/fd/{}", row["fd"]);
    ensure!(fs::read_link(&descriptor)? == path, "{descriptor}");
    is_held(&find_path(&below)?, &all)?;
    is_held(&find_path(&path)?, &of_file)?;
    // A line of text stays one.
    let text = stillwatch().args(["disk", "--find"]).arg(&place.path).args(["--top", "100"]).output()?;
    let text = String::from_utf8(text.stdout)?;
    ensure!(
        text.lines().count() == all.len() + 2 && text.contains(r"a file\x0aof two lines") && !text.contains(r"\\012"),
        "{text}"
    );
    drop((writer, stands, maps));
    let nobody = stillwatch().args(["disk", "--find"]).arg(&place.path).output()?;
    ensure!(String::from_utf8_lossy(&nobody.stdout).contains("nobody is seen to hold it"), "{nobody:?}");
    Ok(())
}

/// A loop device over a file keeps its file system from being unmounted.
pub fn loop_device() -> Result<()> {
    let place = Tmpfs::new(c"size=64m")?;
    let path = place.path.join("image");
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    file.set_len(8 * MIB)?;
    let device = LoopDevice::over(&file)?;
    drop(file);
    let found = find_path(&place.path)?;
    is_held(&found, &[(0, "loop device")])?;
    ensure!(found["holds"][0]["what"] == format!("/dev/{}: {}", device.name, path.display()), "{found}");
    // And the device itself is open here.
    let found = find(&device.name)?;
    is_held(&found, &[(std::process::id().into(), "open to read, write")])?;
    ensure!(found["is"] == "a block device, not mounted here", "{found}");
    Ok(())
}

pub fn port() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let client = Workload::new(|| {
        let connection = TcpStream::connect(address);
        let fd = connection.as_ref().map_or(0, |connection| connection.as_raw_fd());
        std::mem::forget(connection);
        [fd as u64, 0]
    })?;
    client.go();
    let [fd, _] = client.report()?;
    let (accepted, _) = listener.accept()?;
    let own = u64::from(std::process::id());
    let found = find(&address.port().to_string())?;
    // The child has the listener, too, of which it is a copy.
    let expected =
        [(own, "listens"), (own, "connection"), (client.pid as u64, "listens"), (client.pid as u64, "connection")];
    is_held(&found, &expected)?;
    let (local, remote) = (accepted.peer_addr()?, address);
    let what = format!("tcp {local} → {remote}");
    let row = found["holds"].as_array().and_then(|rows| rows.iter().find(|row| row["what"] == what.as_str()));
    ensure!(row.is_some_and(|row| row["pid"] == client.pid && row["fd"] == fd), "{what}: {found:#}");
    Ok(())
}

pub fn socket() -> Result<()> {
    let place = Tmpfs::new(c"size=1m")?;
    let path = place.path.join("socket");
    let _listener = UnixListener::bind(&path)?;
    let found = find_path(&path)?;
    is_held(&found, &[(std::process::id().into(), "listens")])
}
