//! Whose a connection is.

use std::{
    ffi::CStr,
    io::{Read, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use anyhow::{Result, ensure};

use super::{
    super::{
        Test, every_kernel, here,
        workload::{Workload, rename},
    },
    net::{Loss, Net, lose},
    wait_for, watch,
};

pub const TESTS: &[Test] = &[
    every_kernel("tcp_names_a_worker_that_was_handed_the_connection", worker),
    here("tcp_names_who_was_sent_the_connection_as_a_message", passed),
    here("tcp_names_all_who_share_a_connection", shared),
    every_kernel("tcp_names_a_process_that_has_ended_before_its_data_arrived", orphan),
];

const NAME: &CStr = c"tcp-worker";

/// A process of its own name that sends on the connection.
fn sender(socket: &OwnedFd) -> Result<Workload> {
    let fd = socket.as_raw_fd();
    Workload::new(|| {
        rename(NAME);
        // SAFETY: a live buffer.
        unsafe { [(libc::write(fd, b"lost".as_ptr().cast(), 4) == 4).into(), 0] }
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

/// It is younger than the worker, who gets it through a socket of the local kind (`SCM_RIGHTS`).
fn passed() -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs) = UnixStream::pair()?;
    let worker = Workload::new(move || {
        rename(NAME);
        // SAFETY: a live buffer.
        unsafe {
            let fd = receive(theirs.as_raw_fd());
            [(libc::write(fd, b"lost".as_ptr().cast(), 4) == 4).into(), 0]
        }
    })?;
    let mut watch = watch(&[])?;
    let (client, server) = net.connect("127.0.0.1")?;
    let local = server.local_addr()?.to_string();
    lose(&client, Loss::All)?;
    pass(ours.as_raw_fd(), server.as_raw_fd())?;
    drop(server);
    send(&worker)?;
    let event = wait_for(&mut watch, "retransmit", |event| event["local"] == local.as_str())?;
    ensure!(event["pid"] == worker.pid && event["comm"] == "tcp-worker", "{event:#?}");
    ensure!(event["shared"].is_null() && event["closed"].is_null(), "{event:#?}");
    Ok(())
}

/// Room for the header of a control message and one descriptor, aligned as the header.
type Control = [u64; 3];

/// A message of one byte with room for a descriptor. The pointers are into the arguments.
fn message(byte: &mut [u8; 1], part: &mut libc::iovec, control: &mut Control) -> libc::msghdr {
    part.iov_base = byte.as_mut_ptr().cast();
    part.iov_len = 1;
    // SAFETY: all zeros are an empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of::<Control>() as _;
    message
}

fn pass(through: i32, fd: i32) -> Result<()> {
    let mut part = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
    let (mut byte, mut control) = ([1], Control::default());
    let message = message(&mut byte, &mut part, &mut control);
    // SAFETY: the control buffer has room for one descriptor; all buffers are alive.
    let sent = unsafe {
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<i32>() as u32) as _;
        libc::CMSG_DATA(header).cast::<i32>().write_unaligned(fd);
        libc::sendmsg(through, &message, 0)
    };
    ensure!(sent == 1, "sendmsg: {}", std::io::Error::last_os_error());
    Ok(())
}

/// -1 if none came. Takes no lock and no memory.
fn receive(through: i32) -> i32 {
    let mut part = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
    let (mut byte, mut control) = ([0], Control::default());
    let mut message = message(&mut byte, &mut part, &mut control);
    // SAFETY: all buffers are alive; the kernel fills the header that is read.
    unsafe {
        let header =
            if libc::recvmsg(through, &mut message, 0) == 1 { libc::CMSG_FIRSTHDR(&message) } else { return -1 };
        if header.is_null() { -1 } else { libc::CMSG_DATA(header).cast::<i32>().read_unaligned() }
    }
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
