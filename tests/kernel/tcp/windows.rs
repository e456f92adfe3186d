//! Who cannot send because the other side does not read.

use std::{
    io::Write,
    net::TcpStream,
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{Test, every_kernel, stillwatch::Watch},
    net::Net,
    watch,
};

pub const TESTS: &[Test] = &[every_kernel("tcp_shows_who_does_not_read", unread)];

/// Until the kernel takes no more.
fn fill(mut stream: &TcpStream) -> Result<()> {
    stream.set_nonblocking(true)?;
    let mut rest = Instant::now() + Duration::from_millis(300);
    while Instant::now() < rest {
        match stream.write(&[7; 4096]) {
            Ok(1..) => rest = Instant::now() + Duration::from_millis(300),
            Ok(0) => anyhow::bail!("nothing is taken"),
            Err(error) => {
                ensure!(error.kind() == std::io::ErrorKind::WouldBlock, "write: {error}");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
    Ok(())
}

fn queued(stream: &TcpStream, request: libc::Ioctl) -> Result<i32> {
    let mut bytes = 0;
    // SAFETY: a place for the number that both requests give.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), request, &raw mut bytes) };
    ensure!(result == 0, "ioctl: {}", std::io::Error::last_os_error());
    Ok(bytes)
}

fn rows<'a>(watch: &'a Watch, net: &Net) -> Result<Vec<&'a Value>> {
    let number = net.number;
    let last = watch.snapshots.last().context("no snapshot")?;
    let rows =
        last["closed_windows"].as_array().with_context(|| format!("no table: {}", last["closed_windows_unknown"]))?;
    Ok(rows.iter().filter(|row| row["netns"] == number).collect())
}

/// One connection of which nobody reads an end, and one that is read.
fn unread() -> Result<()> {
    let net = Net::new()?;
    let (client, server) = net.connect("127.0.0.1")?;
    let (other, _reads) = net.connect("127.0.0.1")?;
    let mut watch = watch(&[])?;
    fill(&client)?;
    (&other).write_all(b"read or not, there is room")?;
    let end = Instant::now() + Duration::from_secs(30);
    while rows(&watch, &net).map_or(true, |rows| rows.is_empty()) {
        ensure!(Instant::now() < end, "no closed window in {:#?}", watch.snapshots.last());
        watch.next()?;
    }
    let all = rows(&watch, &net)?;
    let [row] = all[..] else { anyhow::bail!("one connection is full: {all:#?}") };
    let (unsent, unread) = (queued(&client, libc::TIOCOUTQ)?, queued(&server, libc::FIONREAD)?);
    let me = std::process::id();
    let ends = (client.local_addr()?.to_string(), client.peer_addr()?.to_string());
    ensure!((row["local"].as_str(), row["remote"].as_str()) == (Some(&ends.0), Some(&ends.1)), "{row:#}");
    ensure!(row["pid"] == me && row["reader"]["pid"] == me, "{row:#}");
    ensure!(row["unsent"] == unsent && row["unread"] == unread && unread > 0, "{unsent} and {unread} in {row:#}");
    ensure!(row["age_ns"].as_u64().is_some_and(|age| age >= 1_000_000_000), "{row:#}");
    // Reading opens it.
    server.set_nonblocking(true)?;
    std::io::copy(&mut (&server), &mut std::io::sink()).err().context("it ended")?;
    while !rows(&watch, &net)?.is_empty() {
        ensure!(Instant::now() < end, "still closed: {:#?}", rows(&watch, &net)?);
        watch.next()?;
    }
    watch.stop()?;
    Ok(())
}
