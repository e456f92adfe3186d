//! Segments that are lost, connections that are refused, a queue that nobody empties.

use std::{
    io::{Read, Write},
    net::TcpListener,
    os::fd::AsRawFd,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test,
        stillwatch::Watch,
        tcp::{
            connects::connect,
            net::{Loss, Net, lose, lose_nothing},
        },
        workload::{Workload, sleep},
    },
    is_sound, names, only, wait_for, wait_until_over,
};

pub const TESTS: &[Test] =
    &[("findings_retransmits", retransmits), ("findings_connects_failing", refused), ("findings_accept_queue", full)];

/// A receiver that loses one packet in ten.
fn retransmits() -> Result<()> {
    let net = Net::new()?;
    let (mut client, mut server) = net.connect("127.0.0.1")?;
    let mut watch = Watch::everything(&[])?;
    lose(&server, Loss::Random(100))?;
    let over = AtomicBool::new(false);
    let found = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) && client.write_all(&[7; 1 << 14]).is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
            let _ = client.shutdown(std::net::Shutdown::Write);
        });
        scope.spawn(|| while server.read(&mut [0; 1 << 16]).is_ok_and(|bytes| bytes > 0) {});
        let is_right =
            |finding: &Value| finding["subject"] == "to 127.0.0.1" && names(finding, "victims", std::process::id());
        let found = wait_for(&mut watch, "retransmits", is_right);
        over.store(true, Ordering::Relaxed);
        found
    })?;
    let _ = lose_nothing(&server);
    is_sound(&found)?;
    wait_until_over(&mut watch, &found)?;
    // A sender whose segments do not arrive waits in its calls, too.
    only(&watch, &["retransmits", "slow_calls"])
}

/// A port that nobody listens at.
fn refused() -> Result<()> {
    let to = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let client = Workload::new(|| {
        loop {
            connect(to);
            sleep(Duration::from_millis(100));
        }
    })?;
    let mut watch = Watch::everything(&[])?;
    client.go();
    let is_right = |finding: &Value| finding["subject"] == to.to_string() && names(finding, "victims", client.pid);
    let found = wait_for(&mut watch, "connects_failing", is_right)?;
    drop(client);
    is_sound(&found)?;
    ensure!(found["statement"].as_str().is_some_and(|text| text.contains("refused")), "{found}");
    wait_until_over(&mut watch, &found)?;
    only(&watch, &["connects_failing"])
}

/// A listener that accepts nothing, in a namespace of its own.
fn full() -> Result<()> {
    let net = Net::new()?;
    let listener = net.listen("127.0.0.1")?;
    // SAFETY: no memory is involved.
    ensure!(unsafe { libc::listen(listener.as_raw_fd(), 1) } == 0, "listen");
    let to = listener.local_addr()?;
    let mut watch = Watch::everything(&[])?;
    let is_right =
        |finding: &Value| finding["subject"] == to.to_string() && names(finding, "culprits", std::process::id());
    let over = AtomicBool::new(false);
    let found = thread::scope(|scope| {
        scope.spawn(|| {
            let mut waiting = Vec::new();
            while !over.load(Ordering::Relaxed) {
                waiting.push(net.begin_connect(to, None));
                thread::sleep(Duration::from_millis(100));
            }
        });
        let found = wait_for(&mut watch, "accept_queue", is_right);
        over.store(true, Ordering::Relaxed);
        found
    })?;
    drop(listener);
    is_sound(&found)?;
    wait_until_over(&mut watch, &found)?;
    // The SYNs of those that are not let in are sent again.
    only(&watch, &["accept_queue", "retransmits"])
}
