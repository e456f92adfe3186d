//! A network namespace, and what is done to its loopback interface.

use std::{
    fs, io,
    net::Ipv4Addr,
    os::{fd::AsRawFd, unix::process::CommandExt},
};

use anyhow::{Result, ensure};
use stillwatch_tests::stillwatch;

use super::{super::tcp::net::Net, Test, Watch, here, is_between, settled, timed, wait_for};

pub const TESTS: &[Test] = &[here("changes_of_links_addresses_routes_and_settings_of_a_network", network)];

/// A request about `lo`.
fn change(request: libc::Ioctl, fill: impl FnOnce(&mut libc::ifreq)) -> Result<()> {
    // SAFETY: no precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    ensure!(socket >= 0, "socket: {}", io::Error::last_os_error());
    // SAFETY: all zeros are an empty request; it is of the kind that the call wants; the socket is our own.
    let result = unsafe {
        let mut of: libc::ifreq = std::mem::zeroed();
        of.ifr_name[..2].copy_from_slice(&[b'l' as _, b'o' as _]);
        fill(&mut of);
        let result = libc::ioctl(socket, request, &of);
        libc::close(socket);
        result
    };
    ensure!(result == 0, "ioctl {request:#x}: {}", io::Error::last_os_error());
    Ok(())
}

fn address(of: Ipv4Addr) -> libc::sockaddr {
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as _,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from(of).to_be() },
        sin_zero: [0; 8],
    };
    // SAFETY: both are 16 bytes of numbers.
    unsafe { std::mem::transmute(address) }
}

/// A default route through `lo`.
fn route() -> Result<()> {
    // SAFETY: no precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    // SAFETY: all zeros are an empty route; its name of a device lives as long as the call.
    let result = unsafe {
        let mut route: libc::rtentry = std::mem::zeroed();
        let any = address(Ipv4Addr::UNSPECIFIED);
        (route.rt_dst, route.rt_genmask, route.rt_gateway) = (any, any, any);
        route.rt_flags = libc::RTF_UP;
        route.rt_dev = c"lo".as_ptr().cast_mut();
        let result = libc::ioctl(socket, libc::SIOCADDRT, &route);
        libc::close(socket);
        result
    };
    ensure!(result == 0, "a route: {}", io::Error::last_os_error());
    Ok(())
}

fn network() -> Result<()> {
    let net = Net::new()?;
    let file = net.inside(|| Ok(fs::File::open("/proc/thread-self/ns/net")?))?;
    let mut command = stillwatch();
    // SAFETY: it only moves what will be stillwatch.
    unsafe {
        command.pre_exec(move || match libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
    let mut watch = Watch::run(command, "0.2", "changes", &[], &[])?;
    settled(&mut watch)?;
    let ((), from, to) = timed(|| net.inside(|| change(libc::SIOCSIFMTU, |of| of.ifr_ifru.ifru_mtu = 1409)))?;
    let row = wait_for(&mut watch, "link", "changed", "lo")?;
    is_between(&row, from, to)?;
    ensure!(row["from"] == "up, mtu 1500" && row["to"] == "up, mtu 1409", "{row}");
    let new = address(Ipv4Addr::new(10, 7, 0, 1));
    let ((), from, to) = timed(|| net.inside(|| change(libc::SIOCSIFADDR, |of| of.ifr_ifru.ifru_addr = new)))?;
    is_between(&wait_for(&mut watch, "address", "appeared", "10.7.0.1 on lo")?, from, to)?;
    is_between(&wait_for(&mut watch, "address", "removed", "127.0.0.1 on lo")?, from, to)?;
    let ((), from, to) = timed(|| net.inside(route))?;
    let row = wait_for(&mut watch, "route", "appeared", "default on lo, metric 0")?;
    is_between(&row, from, to)?;
    ensure!(row["to"] == "directly", "{row}");
    let ((), from, to) = timed(|| net.inside(|| Ok(fs::write("/proc/sys/net/ipv4/ip_forward", "1")?)))?;
    let row = wait_for(&mut watch, "sysctl", "changed", "net.ipv4.ip_forward")?;
    is_between(&row, from, to)?;
    ensure!(row["from"] == "0" && row["to"] == "1", "{row}");
    let ((), from, to) = timed(|| net.inside(|| change(libc::SIOCSIFFLAGS, |of| of.ifr_ifru.ifru_flags = 0)))?;
    let gone = wait_for(&mut watch, "route", "removed", "default on lo, metric 0")?;
    is_between(&gone, from, to)
}
