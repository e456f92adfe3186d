//! Connections that one side breaks off.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::{AsRawFd, OwnedFd},
};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test, every_kernel, here, on_hosts_clock, skip,
        stillwatch::Watch,
        workload::{Workload, rename},
    },
    in_net,
    net::Net,
    none_lost, wait_for, watch,
};

pub const TESTS: &[Test] = &[
    every_kernel("tcp_shows_both_ends_of_a_reset", both),
    every_kernel("tcp_names_a_process_that_ended_and_broke_its_connection_off", unread),
    here("tcp_names_who_closed_what_a_reset_is_sent_for", left),
    every_kernel("tcp_shows_resets_that_no_socket_sends", no_socket),
];

fn of(watch: &Watch, direction: &str, local: SocketAddr) -> Vec<Value> {
    let wanted = |event: &&Value| event["direction"] == direction && event["local"] == local.to_string();
    watch.events.iter().filter(wanted).cloned().collect()
}

/// A prime number of connections that are closed without waiting for their data.
fn both() -> Result<()> {
    if on_hosts_clock() {
        return Err(skip("the walk over descriptors takes an emulated machine longer than the sockets are there"));
    }
    const RESETS: usize = 13;
    let net = Net::new()?;
    let mut watch = watch(&[])?;
    for address in ["127.0.0.1", "::1"] {
        let pairs = (0..RESETS).map(|_| net.connect(address)).collect::<Result<Vec<_>>>()?;
        let ends = pairs.iter().map(|(client, server)| Ok((client.local_addr()?, server.local_addr()?)));
        let ends = ends.collect::<Result<Vec<_>>>()?;
        let mut servers = Vec::new();
        for (client, server) in pairs {
            no_linger(&client)?;
            drop(client);
            servers.push(server);
        }
        let (last_client, _) = ends[RESETS - 1];
        wait_for(&mut watch, "reset", |event| event["remote"] == last_client.to_string())?;
        for (client, server) in ends {
            let (sent, received) = (of(&watch, "sent", client), of(&watch, "received", server));
            // A port may be given to two connections, to different servers.
            let between = |events: Vec<Value>, remote: SocketAddr| -> Vec<Value> {
                events.into_iter().filter(|event| event["remote"] == remote.to_string()).collect()
            };
            let (sent, received) = (between(sent, server), between(received, client));
            ensure!(sent.len() == 1 && received.len() == 1, "{sent:#?} {received:#?}");
            for (event, remote) in [(&sent[0], server), (&received[0], client)] {
                ensure!(event["remote"] == remote.to_string() && event["netns"] == net.number, "{event:#?}");
                ensure!(event["event"] == "reset" && event["pid"] == std::process::id(), "{event:#?}");
            }
            ensure!(received[0]["state"] == "established", "{:#?}", received[0]);
        }
        for mut server in servers {
            ensure!(server.read(&mut [0]).is_err_and(|error| error.raw_os_error() == Some(libc::ECONNRESET)), "reset");
        }
    }
    watch.stop()?;
    none_lost(&watch)?;
    for direction in ["sent", "received"] {
        let of = |snapshot: &Value| snapshot["resets"][direction].as_u64();
        let all: u64 = watch.snapshots.iter().filter_map(of).sum();
        ensure!(all >= 2 * RESETS as u64, "{all} {direction}");
    }
    Ok(())
}

/// Closing will not wait, and break the connection off.
fn no_linger(socket: &TcpStream) -> Result<()> {
    let now = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: a structure and its size.
    let set = unsafe {
        let size = size_of::<libc::linger>() as u32;
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, (&raw const now).cast(), size)
    };
    ensure!(set == 0, "SO_LINGER: {}", std::io::Error::last_os_error());
    Ok(())
}

/// It ends with data that it has not read, and is gone before we look.
fn unread() -> Result<()> {
    let net = Net::new()?;
    let mut watch = watch(&[])?;
    let (mut client, server) = net.connect("127.0.0.1")?;
    let (local, remote) = (server.local_addr()?, client.local_addr()?);
    let server = OwnedFd::from(server);
    let worker = Workload::new(|| {
        rename(c"breaks-off");
        [0; 2]
    })?;
    drop(server);
    client.write_all(b"unread")?;
    worker.go();
    let pid = worker.pid;
    worker.report()?;
    worker.end();
    let event = wait_for(&mut watch, "reset", |event| in_net(&net)(event) && event["direction"] == "sent")?;
    ensure!(event["local"] == local.to_string() && event["remote"] == remote.to_string(), "{event:#?}");
    ensure!(event["pid"] == pid && event["comm"] == "breaks-off" && event["closed"] == true, "{event:#?}");
    let received = wait_for(&mut watch, "reset", |event| in_net(&net)(event) && event["direction"] == "received")?;
    ensure!(received["local"] == remote.to_string() && received["pid"] == std::process::id(), "{received:#?}");
    Ok(())
}

/// A client closes, and is gone, while the other side goes on sending: what stays of the connection answers. Kernels before 6.10 do not show that.
fn left() -> Result<()> {
    let net = Net::new()?;
    let mut watch = watch(&[])?;
    let (client, mut server) = net.connect("127.0.0.1")?;
    let (local, remote) = (client.local_addr()?, server.local_addr()?);
    let client = OwnedFd::from(client);
    let worker = Workload::new(|| {
        rename(c"left-early");
        [0; 2]
    })?;
    drop(client);
    worker.go();
    let pid = worker.pid;
    worker.report()?;
    worker.end();
    // The other side is told, and what is left takes the place of the socket.
    std::thread::sleep(std::time::Duration::from_millis(300));
    server.write_all(b"too late")?;
    let event = wait_for(&mut watch, "reset", |event| in_net(&net)(event) && event["direction"] == "sent")?;
    ensure!(event["local"] == local.to_string() && event["remote"] == remote.to_string(), "{event:#?}");
    ensure!(event["state"] == "time-wait" && event["pid"] == pid && event["comm"] == "left-early", "{event:#?}");
    Ok(())
}

/// Somebody connects to a port where nobody listens: told by kernels that give a reason.
fn no_socket() -> Result<()> {
    let net = Net::new()?;
    let listener = net.listen("127.0.0.1")?;
    let to = listener.local_addr()?;
    drop(listener);
    let mut watch = watch(&[])?;
    let before = net.counter("OutRsts")?;
    let refused = net.inside(move || Ok(TcpStream::connect(to).is_err()))?;
    ensure!(refused && net.counter("OutRsts")? == before + 1, "one reset");
    wait_for(&mut watch, "refused connection", |event| in_net(&net)(event) && event["outcome"] == "refused")?;
    watch.next()?;
    watch.stop()?;
    let sent = of(&watch, "sent", to);
    let received = |event: &&Value| in_net(&net)(event) && event["direction"] == "received";
    ensure!(watch.events.iter().find(received).is_none(), "refused, not broken off");
    if sent.is_empty() {
        // Kernels before 6.10 say nothing.
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
        ensure!(release.starts_with("5.") || release.starts_with("6.1.") || release.starts_with("6.6."), "{release}");
        return Ok(());
    }
    ensure!(sent.len() == 1, "{sent:#?}");
    let event = &sent[0];
    ensure!(event["state"].is_null() && event["pid"].is_null() && event["pid_unknown"].is_string(), "{event:#?}");
    ensure!(event["netns"] == net.number && event["reason"] == "no socket", "{event:#?}");
    Ok(())
}
