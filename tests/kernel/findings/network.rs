//! Segments that are lost, connections that are refused, a queue that nobody empties.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test, here, one_machine,
        stillwatch::Watch,
        tcp::{
            connects::connect,
            net::{Loss, Net, lose, lose_nothing},
            sockets::Connections,
        },
        workload::{Workload, sleep},
    },
    LATE, is_sound, names, only, wait_for, wait_until_over,
};

pub const TESTS: &[Test] = &[
    here("findings_retransmits", one_remote),
    here("findings_retransmits_of_an_interface", one_interface),
    here("findings_connects_failing", refused),
    one_machine("findings_accept_queue", full),
    one_machine("findings_close_wait", left),
    one_machine("findings_ports_used_up", ports),
];

/// Both ends of a connection.
type Pair = (TcpStream, TcpStream);

fn one_remote() -> Result<()> {
    let net = Net::new()?;
    retransmits(vec![net.connect("127.0.0.1")?], "to 127.0.0.1")
}

/// In the host's own namespace, of which the names of interfaces are known.
fn one_interface() -> Result<()> {
    let pair = |last| -> Result<Pair> {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, last), 0))?;
        let client = TcpStream::connect(listener.local_addr()?)?;
        client.set_nodelay(true)?;
        Ok((client, listener.accept()?.0))
    };
    retransmits([2, 3, 4].map(pair).into_iter().collect::<Result<_>>()?, "to 3 remotes, all from lo")
}

/// Data is sent to receivers that lose one packet in ten, for as long as this takes.
pub fn lossy_while<T>(pairs: &[Pair], work: impl FnOnce() -> Result<T>) -> Result<T> {
    pairs.iter().try_for_each(|(_, server)| lose(server, Loss::Random(100)))?;
    let over = AtomicBool::new(false);
    let result = thread::scope(|scope| {
        for (client, server) in pairs {
            let (mut client, mut server, over) = (client, server, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) && client.write_all(&[7; 1 << 14]).is_ok() {
                    thread::sleep(Duration::from_millis(5));
                }
                let _ = client.shutdown(std::net::Shutdown::Write);
            });
            scope.spawn(move || while server.read(&mut [0; 1 << 16]).is_ok_and(|bytes| bytes > 0) {});
        }
        let result = work();
        over.store(true, Ordering::Relaxed);
        result
    });
    let _ = pairs.iter().try_for_each(|(_, server)| lose_nothing(server));
    result
}

fn retransmits(pairs: Vec<Pair>, subject: &str) -> Result<()> {
    let mut watch = Watch::everything(&[])?;
    let start = Instant::now();
    let is_right = |finding: &Value| finding["subject"] == subject && names(finding, "victims", std::process::id());
    let found = lossy_while(&pairs, || wait_for(&mut watch, "retransmits", is_right))?;
    let fault = start.elapsed();
    is_sound(&found)?;
    wait_until_over(&mut watch, &found, fault, LATE)?;
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
    let start = Instant::now();
    client.go();
    let is_right = |finding: &Value| finding["subject"] == to.to_string() && names(finding, "victims", client.pid);
    let found = wait_for(&mut watch, "connects_failing", is_right)?;
    drop(client);
    let fault = start.elapsed();
    is_sound(&found)?;
    ensure!(found["statement"].as_str().is_some_and(|text| text.contains("refused")), "{found}");
    wait_until_over(&mut watch, &found, fault, LATE)?;
    only(&watch, &["connects_failing"])
}

/// A process that listens and accepts nothing, in a namespace of its own; others want to be let in.
fn full() -> Result<()> {
    let net = Net::new()?;
    let listener = net.listen("127.0.0.1")?;
    // SAFETY: no memory is involved.
    ensure!(unsafe { libc::listen(listener.as_raw_fd(), 1) } == 0, "listen");
    let to = listener.local_addr()?;
    let owner = Workload::new(|| [0; 2])?;
    drop(listener);
    let mut watch = Watch::everything(&[])?;
    let is_right = |finding: &Value| {
        let is_blamed = |pid| names(finding, "culprits", pid);
        finding["subject"] == to.to_string() && is_blamed(owner.pid) && !is_blamed(std::process::id())
    };
    let start = Instant::now();
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
    drop(owner);
    let fault = start.elapsed();
    is_sound(&found)?;
    wait_until_over(&mut watch, &found, fault, LATE)?;
    // The SYNs of those that are not let in are retransmitted.
    only(&watch, &["accept_queue", "retransmits"])
}

/// Connections that their clients have closed and we do not, more and more of them.
fn left() -> Result<()> {
    let net = Net::new()?;
    let mut all = Connections::new(&net, 70)?;
    all.clients.clear();
    let mut watch = Watch::everything(&[])?;
    // None is told before it has been so for 30 s, and no growth before three more times, ten seconds apart.
    for _ in 0..30 {
        all.more(&net, 1)?;
        all.clients.clear();
        thread::sleep(Duration::from_secs(2));
    }
    let found = wait_for(&mut watch, "close_wait", |finding| names(finding, "culprits", std::process::id()))?;
    is_sound(&found)?;
    let begun = Instant::now();
    drop(all);
    wait_until_over(&mut watch, &found, begun.elapsed(), LATE)?;
    only(&watch, &["close_wait"])
}

/// A network namespace with 40 ports for those who connect, of which one remote has all but two; those in TIME-WAIT are given to others.
fn ports() -> Result<()> {
    let net = Net::new()?;
    net.inside(|| Ok(std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "20000 20039")?))?;
    // So many that they are looked at often.
    let mut all = Connections::new(&net, 33)?;
    let to = all.listener.local_addr()?;
    // What it sees as its own.
    let mut command = stillwatch_tests::stillwatch();
    net.entered_by(&mut command);
    let mut watch = Watch::run(command, "1", "", &[], &[])?;
    all.more(&net, 5)?;
    let start = Instant::now();
    let found = wait_for(&mut watch, "ports_used_up", |finding| finding["subject"] == format!("127.0.0.1 to {to}"))?;
    is_sound(&found)?;
    let text = found["statement"].as_str().unwrap_or_default();
    ensure!(text.contains("use 38 of the 40 ports"), "{text}");
    let fault = start.elapsed();
    drop(all);
    wait_until_over(&mut watch, &found, fault, LATE)?;
    only(&watch, &["ports_used_up"])
}
