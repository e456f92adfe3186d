//! Packets that the kernel drops.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test, every_kernel, here, in_machine,
        stillwatch::{Watch, losses},
    },
    in_net,
    net::{Loss, Net, lose, lose_nothing},
    none_lost, wait_for, watch,
};

pub const TESTS: &[Test] = &[
    every_kernel("tcp_counts_dropped_packets_and_tells_why", || filtered("127.0.0.1", "tcp_v4_rcv")),
    here("tcp_counts_dropped_packets_of_ipv6", || filtered("::1", "tcp_v6_rcv")),
    every_kernel("tcp_tells_drops_that_no_socket_was_there_for", no_socket),
    every_kernel("tcp_shows_no_drops_where_all_goes_well", none),
    here("tcp_leaves_drops_out_on_request", not_measured),
    here("tcp_counts_drops_it_has_no_room_for", no_room),
];

/// Whether this kernel tells the reason (5.17), and the socket that a packet was for (6.11).
fn told() -> Result<(bool, bool)> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().context("no version")?, numbers.next().context("no version")?);
    Ok((version >= (5, 17), version >= (6, 11)))
}

/// Rows of the table of drops, over all snapshots, of this namespace.
fn sites<'a>(watch: &'a Watch, net: &Net) -> impl Iterator<Item = &'a Value> + use<'a> {
    let number = net.number;
    let rows = watch.snapshots.iter().flat_map(|snapshot| snapshot["drops"].as_array().into_iter().flatten());
    rows.filter(move |row| row["netns"] == number)
}

fn packets<'a>(rows: impl Iterator<Item = &'a Value>) -> u64 {
    rows.filter_map(|row| row["packets"].as_u64()).sum()
}

/// The packet is dropped, and so is what is retransmitted of it, until the last time.
fn filtered(address: &str, function: &str) -> Result<()> {
    // A slow machine takes longer than an interval to look the names of functions up, the first time, and may be too slow to look
    // through descriptors.
    for _ in 0..5 {
        if filtered_once(address, function)? {
            return Ok(());
        }
    }
    anyhow::bail!("the names of functions, or of owners, are never there")
}

/// Whether names of functions and owners were there.
fn filtered_once(address: &str, function: &str) -> Result<bool> {
    let net = Net::new()?;
    let mut watch = watch(&[])?;
    let (client, mut server) = net.connect(address)?;
    let (local, remote) = (client.local_addr()?, server.local_addr()?);
    lose(&server, Loss::All)?;
    (&client).write_all(b"once")?;
    let again = |watch: &Watch| {
        let events = watch.events.iter().filter(|event| event["event"] == "retransmit");
        events.filter(|event| event["local"] == local.to_string()).count() as u64
    };
    while again(&watch) < 3 {
        watch.next()?;
    }
    lose_nothing(&server)?;
    let mut data = [0; 4];
    server.read_exact(&mut data)?;
    ensure!(&data == b"once", "{data:?}");
    thread::sleep(Duration::from_millis(300));
    watch.next()?;
    watch.stop()?;
    none_lost(&watch)?;
    let (reasons, sockets) = told()?;
    let wanted = again(&watch);
    let (seen, all) =
        (packets(sites(&watch, &net)), watch.snapshots.iter().filter_map(|it| it["dropped"].as_u64()).sum());
    ensure!(seen == wanted && wanted <= all, "{seen} of {all} packets, {wanted} lost: {:#?}", watch.events);
    let events = watch.events.iter().filter(|&event| in_net(&net)(event));
    if sites(&watch, &net).chain(events).any(|row| row["function_unknown"] == "not looked up yet") {
        return Ok(false);
    }
    for row in sites(&watch, &net) {
        // Both ports are given to those who connect.
        ensure!(row["function"] == function && row["port"].is_null(), "{row:#?}");
        ensure!(row["reason"] == if reasons { "socket filter".into() } else { Value::Null }, "{row:#?}");
        ensure!(reasons || row["reason_unknown"].is_string(), "{row:#?}");
    }
    let drops = watch.events.iter().filter(|&event| in_net(&net)(event) && event["event"] == "drop");
    let drops: Vec<_> = drops.collect();
    ensure!(drops.len() as u64 == wanted, "{} events of {wanted}", drops.len());
    for event in drops {
        ensure!(event["from"] == local.to_string() && event["to"] == remote.to_string(), "{event:#?}");
        ensure!(event["flags"] == "P." && event["function"] == function, "{event:#?}");
        if in_machine() && event["pid_unknown"].as_str().is_some_and(|why| why.starts_with("too many descriptors")) {
            return Ok(false);
        }
        let owner = (&event["pid"], &event["state"]);
        let right = if sockets {
            *owner.0 == std::process::id() && *owner.1 == "established"
        } else {
            owner.0.is_null() && event["pid_unknown"].is_string()
        };
        ensure!(right, "{event:#?}");
    }
    Ok(true)
}

fn refuse(net: &Net, port: u16) -> Result<SocketAddr> {
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    ensure!(net.inside(move || Ok(TcpStream::connect(to).is_err()))?, "{to} answers");
    Ok(to)
}

fn no_socket() -> Result<()> {
    const REFUSED: usize = 7;
    let net = Net::new()?;
    let mut watch = watch(&[])?;
    let mut to = refuse(&net, 7007)?;
    for _ in 1..REFUSED {
        to = refuse(&net, 7007)?;
    }
    wait_for(&mut watch, "dropped packet", |event| in_net(&net)(event) && event["event"] == "drop")?;
    watch.next()?;
    watch.stop()?;
    none_lost(&watch)?;
    let (reasons, _) = told()?;
    let rows = || sites(&watch, &net);
    ensure!(packets(rows()) == REFUSED as u64, "{:#?}", rows().collect::<Vec<_>>());
    ensure!(rows().all(|row| row["port"] == to.port()), "{:#?}", rows().collect::<Vec<_>>());
    for event in watch.events.iter().filter(|&event| in_net(&net)(event) && event["event"] == "drop") {
        ensure!(event["to"] == to.to_string() && event["flags"] == "S" && event["pid"].is_null(), "{event:#?}");
        ensure!(event["reason"] == if reasons { "no socket".into() } else { Value::Null }, "{event:#?}");
    }
    Ok(())
}

/// Ten megabytes each way, and closed in good order.
fn none() -> Result<()> {
    const BYTES: usize = 10_000_019;
    let net = Net::new()?;
    let mut watch = watch(&[])?;
    for address in ["127.0.0.1", "::1"] {
        let (mut client, mut server) = net.connect(address)?;
        let echo = thread::spawn(move || -> Result<usize> {
            let mut all = Vec::new();
            server.read_to_end(&mut all)?;
            server.write_all(&all)?;
            Ok(all.len())
        });
        client.write_all(&vec![7; BYTES])?;
        client.shutdown(std::net::Shutdown::Write)?;
        let mut all = Vec::new();
        client.read_to_end(&mut all)?;
        let echoed = echo.join().ok().context("the echo panicked")??;
        ensure!((all.len(), echoed) == (BYTES, BYTES), "{} and {echoed} bytes", all.len());
    }
    watch.next()?;
    watch.stop()?;
    none_lost(&watch)?;
    // What was retransmitted though it had arrived is dropped at the second time.
    let again = net.counter("RetransSegs")?;
    let rows: Vec<_> = sites(&watch, &net).collect();
    ensure!(packets(sites(&watch, &net)) <= again, "{again} segments retransmitted, {rows:#?}");
    Ok(())
}

fn not_measured() -> Result<()> {
    let net = Net::new()?;
    let mut watch = watch(&["--no-drops"])?;
    refuse(&net, 7007)?;
    wait_for(&mut watch, "refused connection", |event| in_net(&net)(event) && event["outcome"] == "refused")?;
    watch.stop()?;
    ensure!(!watch.events.iter().any(|event| event["event"] == "drop"), "{:#?}", watch.events);
    let measured = watch.snapshots.iter().find(|it| !it["dropped"].is_null() || !it["drops"].is_null());
    ensure!(measured.is_none(), "{measured:#?}");
    Ok(())
}

fn no_room() -> Result<()> {
    const PORTS: u64 = 5;
    let net = Net::new()?;
    let mut watch = Watch::of("tcp", &[], &[("STILLWATCH_DROPS", "1")])?;
    for port in 0..PORTS {
        refuse(&net, 7000 + port as u16)?;
    }
    watch.next()?;
    watch.stop()?;
    let lost = losses(&watch.snapshots);
    // Others on this host may have taken the one place.
    ensure!(lost.get("drops full").is_some_and(|&lost| lost >= PORTS - 1), "{lost:?}");
    let dropped: u64 = watch.snapshots.iter().filter_map(|snapshot| snapshot["dropped"].as_u64()).sum();
    ensure!(dropped >= PORTS, "{dropped} in the totals");
    Ok(())
}
