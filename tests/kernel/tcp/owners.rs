//! Whose a connection is.

use std::{
    io::{Read, Write},
    os::fd::{AsRawFd, OwnedFd},
};

use anyhow::{Result, ensure};

use super::{
    super::{Test, workload::Workload},
    net::{Loss, Net, lose},
    wait_for, watch,
};

pub const TESTS: &[Test] = &[
    ("tcp_names_a_worker_that_was_handed_the_connection", worker),
    ("tcp_names_all_who_share_a_connection", shared),
    ("tcp_names_a_process_that_has_ended_before_its_data_arrived", orphan),
];

const NAME: &[u8; 16] = b"tcp-worker\0\0\0\0\0\0";

/// A process of its own name that sends on the connection.
fn sender(socket: &OwnedFd) -> Result<Workload> {
    let fd = socket.as_raw_fd();
    Workload::new(|| {
        // SAFETY: a NUL-terminated name, and a live buffer.
        unsafe {
            libc::prctl(libc::PR_SET_NAME, NAME.as_ptr());
            [(libc::write(fd, b"lost".as_ptr().cast(), 4) == 4).into(), 0]
        }
    })
}

fn send(sender: &Workload) -> Result<()> {
    sender.go();
    ensure!(sender.report()? == [1, 0], "the worker could not send");
    Ok(())
}

/// It was accepted by this process, older than the run, and is held by the worker alone.
fn worker() -> Result<()> {
    let net = Net::new()?;
    let (client, server) = net.connect("127.0.0.1")?;
    let local = server.local_addr()?.to_string();
    let server = OwnedFd::from(server);
    let worker = sender(&server)?;
    drop(server);
    let mut watch = watch(&[])?;
    lose(&client, Loss::All)?;
    send(&worker)?;
    let event = wait_for(&mut watch, "retransmit", |event| event["local"] == local.as_str())?;
    ensure!(event["pid"] == worker.pid && event["comm"] == "tcp-worker", "{event:#?}");
    ensure!(event["shared"].is_null() && event["closed"].is_null(), "{event:#?}");
    Ok(())
}

fn shared() -> Result<()> {
    let net = Net::new()?;
    let mut watch = watch(&[])?;
    let (client, server) = net.connect("::1")?;
    let local = server.local_addr()?.to_string();
    let server = OwnedFd::from(server);
    let worker = sender(&server)?;
    lose(&client, Loss::All)?;
    send(&worker)?;
    let event = wait_for(&mut watch, "retransmit", |event| event["local"] == local.as_str())?;
    let mut pids: Vec<_> = event["shared"].as_array().into_iter().flatten().map(|who| who["pid"].as_u64()).collect();
    pids.sort_unstable();
    let mut wanted = [Some(std::process::id().into()), Some(worker.pid.into())];
    wanted.sort_unstable();
    ensure!(pids == wanted, "{event:#?}");
    Ok(())
}

fn orphan() -> Result<()> {
    let net = Net::new()?;
    let mut watch = watch(&[])?;
    let (mut client, server) = net.connect("127.0.0.1")?;
    let local = server.local_addr()?.to_string();
    let server = OwnedFd::from(server);
    let worker = sender(&server)?;
    drop(server);
    lose(&client, Loss::All)?;
    send(&worker)?;
    let pid = worker.pid;
    worker.end();
    let event = wait_for(&mut watch, "retransmit of a closed connection", |event| {
        event["local"] == local.as_str() && event["state"] == "fin-wait-1"
    })?;
    ensure!(event["pid"] == pid && event["comm"] == "tcp-worker" && event["closed"] == true, "{event:#?}");
    // Now it arrives after all.
    super::net::lose_nothing(&client)?;
    let mut data = Vec::new();
    client.read_to_end(&mut data)?;
    ensure!(data == b"lost", "{data:?}");
    let _ = client.flush();
    Ok(())
}
