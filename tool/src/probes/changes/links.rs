//! Network interfaces, their addresses and default routes, in our network namespace.

use std::{
    fs::File,
    io::Read,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsRawFd, OwnedFd},
};

use nix::{
    ifaddrs::{InterfaceAddress, getifaddrs},
    net::if_::InterfaceFlags,
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};

use super::states::There;

/// Of tables that are as long as the network is large: default routes stand first.
const READ: u64 = 256 << 10;
/// `RTF_UP` and `RTF_REJECT` of a route.
const UP: u32 = 0x1;
const REJECT: u32 = 0x200;

/// `up, mtu 1500`, as our network namespace has them: what `/sys` shows is that of whoever mounted it.
pub fn links() -> Option<There> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).ok()?;
    let one = |interface: InterfaceAddress| {
        let state = match interface.flags {
            flags if !flags.contains(InterfaceFlags::IFF_UP) => "down",
            flags if !flags.contains(InterfaceFlags::IFF_RUNNING) => "no carrier",
            _ => "up",
        };
        let mtu = mtu(&socket, &interface.interface_name)?;
        Some((interface.interface_name, format!("{state}, mtu {mtu}")))
    };
    Some(getifaddrs().ok()?.filter_map(one).collect())
}

fn mtu(socket: &OwnedFd, interface: &str) -> Option<i32> {
    // SAFETY: all zeros are an empty request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays 0.
    let name = interface.bytes().take(request.ifr_name.len() - 1);
    request.ifr_name.iter_mut().zip(name).for_each(|(to, byte)| *to = byte as libc::c_char);
    // SAFETY: a request of the kind that the call wants, which fills in what is read of it.
    unsafe {
        let done = libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFMTU, &mut request) == 0;
        done.then_some(request.ifr_ifru.ifru_mtu)
    }
}

/// The interface of each.
pub fn addresses() -> Option<There> {
    let one = |interface: InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::from(address.ip()));
        let v6 = || address.as_sockaddr_in6().map(|address| IpAddr::from(address.ip()));
        Some((format!("{} on {}", v4.or_else(v6)?, interface.interface_name), String::new()))
    };
    Some(getifaddrs().ok()?.filter_map(one).collect())
}

/// `default on eth0, metric 100` with `via 10.0.0.1`.
pub fn routes() -> Option<There> {
    let v4 = text("/proc/net/route").unwrap_or_default();
    let v6 = text("/proc/net/ipv6_route").unwrap_or_default();
    Some(v4.lines().filter_map(route).chain(v6.lines().filter_map(route_of_v6)).collect())
}

fn text(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(READ).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// From `eth0 00000000 0100000A 0003 0 0 100 00000000 0 0 0`: interface, destination, gateway, flags, …, metric, mask.
fn route(line: &str) -> Option<(String, String)> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [interface, "00000000", gateway, flags, _, _, metric, "00000000", ..] = words[..] else { return None };
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let gateway = Ipv4Addr::from(u32::from_str_radix(gateway, 16).ok()?.to_ne_bytes());
    is_used(flags).then_some(default(interface, metric.parse().ok()?, IpAddr::from(gateway)))
}

/// From `000…0 00 000…0 00 fe80…1 00000400 … 00000003 eth0`: destination, its bits, source, its bits, gateway, metric, …, flags, interface.
fn route_of_v6(line: &str) -> Option<(String, String)> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [to, "00", _, _, gateway, metric, _, _, flags, interface] = words[..] else { return None };
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let gateway = Ipv6Addr::from(u128::from_str_radix(gateway, 16).ok()?);
    let is_default = to.bytes().all(|digit| digit == b'0') && interface != "lo";
    let metric = u32::from_str_radix(metric, 16).ok()?;
    (is_default && is_used(flags)).then(|| default(interface, metric, IpAddr::from(gateway)))
}

fn is_used(flags: u32) -> bool {
    flags & UP != 0 && flags & REJECT == 0
}

fn default(interface: &str, metric: u32, gateway: IpAddr) -> (String, String) {
    let via = if gateway.is_unspecified() { "directly".to_owned() } else { format!("via {gateway}") };
    let of = if gateway.is_ipv6() { "default of IPv6" } else { "default" };
    (format!("{of} on {interface}, metric {metric}"), via)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_alone() {
        let gateway = format!("{:08X}", u32::from_ne_bytes([10, 0, 0, 1]));
        let table = format!(
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
             eth0\t00000000\t{gateway}\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
             tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n\
             eth1\t00000000\t{gateway}\t0203\t0\t0\t7\t00000000\t0\t0\t0\n\
             eth0\t0000000A\t00000000\t0001\t0\t0\t100\t000000FF\t0\t0\t0\n"
        );
        let all: Vec<_> = table.lines().filter_map(route).collect();
        let expected = [("default on eth0, metric 100", "via 10.0.0.1"), ("default on tun0, metric 0", "directly")];
        assert_eq!(all, expected.map(|(name, via)| (name.to_owned(), via.to_owned())));
    }

    #[test]
    fn default_routes_of_ipv6_alone() {
        let zeros = "0".repeat(32);
        let line = |to: &str, bits: &str, gateway: &str, flags: &str, interface: &str| {
            format!("{to} {bits} {zeros} 00 {gateway} 00000400 00000001 00000000 {flags} {interface}")
        };
        let router = "fe800000000000000000000000000001";
        let lines = [
            line(&zeros, "00", router, "00000003", "eth0"),
            line(&zeros, "00", &zeros, "00200200", "lo"),
            line("20010db8000000000000000000000000", "40", &zeros, "00000001", "eth0"),
        ];
        let all: Vec<_> = lines.iter().filter_map(|line| route_of_v6(line)).collect();
        assert_eq!(all, [("default of IPv6 on eth0, metric 1024".to_owned(), "via fe80::1".to_owned())]);
    }

    #[test]
    fn this_host_has_a_loopback() {
        let loopback = &links().unwrap()["lo"];
        assert!(loopback.contains(", mtu "), "{loopback}");
    }
}
