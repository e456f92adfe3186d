//! Connections that are opened, slowly or not at all.

use std::{
    net::{SocketAddr, TcpStream},
    os::fd::{FromRawFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test, every_kernel, here,
        stillwatch::{Watch, losses},
        workload::{Workload, rename},
    },
    in_net,
    net::{Loss, Net, lose, lose_nothing},
    none_lost,
    raw::{Raw, checksum},
    wait_for, watch,
};

pub const TESTS: &[Test] = &[
    every_kernel("tcp_counts_connections_and_their_time", counts),
    here("tcp_shows_how_long_a_connection_took", slow),
    every_kernel("tcp_names_a_process_that_was_refused_and_has_ended", refused),
    here("tcp_tells_connections_that_nobody_answers", timed_out),
    here("tcp_tells_connections_that_were_given_up", given_up),
    here("tcp_tells_connections_to_where_no_way_leads", unreachable),
    every_kernel("tcp_tells_that_no_local_port_is_left", no_port),
    here("tcp_counts_remotes_it_has_no_room_for", no_room),
];

/// Sums of all snapshots, of one remote.
#[derive(Debug, Default)]
struct Sums {
    established: u64,
    failed: u64,
    timed: u64,
    total_ns: u64,
    max_ns: u64,
}

fn sums(watch: &Watch, net: &Net, to: SocketAddr) -> Sums {
    let mut sums = Sums::default();
    let remotes = watch.snapshots.iter().flat_map(|snapshot| snapshot["remotes"].as_array().into_iter().flatten());
    for row in remotes.filter(|row| row["netns"] == net.number && row["remote"] == to.to_string()) {
        for (outcome, count) in row["connections"].as_object().into_iter().flatten() {
            let sum = if outcome == "established" { &mut sums.established } else { &mut sums.failed };
            *sum += count.as_u64().unwrap_or(0);
        }
        let latency = &row["latency"];
        sums.total_ns += latency["total_ns"].as_u64().unwrap_or(0);
        sums.max_ns = sums.max_ns.max(latency["max_ns"].as_u64().unwrap_or(0));
        let buckets = latency["histogram"].as_array().into_iter().flatten();
        sums.timed += buckets.filter_map(|bucket| bucket[1].as_u64()).sum::<u64>();
    }
    sums
}

/// A prime number of connections, of IPv4 and IPv6 each; the time of all calls together bounds the sum of theirs.
fn counts() -> Result<()> {
    const CONNECTIONS: u64 = 211;
    let net = Net::new()?;
    let mut watch = watch(&[])?;
    for address in ["127.0.0.1", "::1"] {
        let listener = net.listen(address)?;
        let to = listener.local_addr()?;
        let took = net.inside(move || {
            let start = Instant::now();
            for _ in 0..CONNECTIONS {
                drop(TcpStream::connect(to)?);
                drop(listener.accept()?);
            }
            Ok(start.elapsed())
        })?;
        watch.next()?;
        watch.next()?;
        let sums = sums(&watch, &net, to);
        none_lost(&watch)?;
        ensure!((sums.established, sums.timed, sums.failed) == (CONNECTIONS, CONNECTIONS, 0), "{sums:?}");
        ensure!(sums.total_ns > 0 && u128::from(sums.total_ns) < took.as_nanos(), "{sums:?} in {took:?}");
    }
    watch.stop()?;
    Ok(())
}

/// The first SYN is lost, the one that is retransmitted after a second is not.
fn slow() -> Result<()> {
    let net = Net::new()?;
    let listener = net.listen("127.0.0.1")?;
    let to = listener.local_addr()?;
    let mut watch = watch(&[])?;
    lose(&listener, Loss::All)?;
    let start = Instant::now();
    let client = net.begin_connect(to, None)?;
    let begun = start.elapsed();
    thread::sleep(Duration::from_millis(200));
    lose_nothing(&listener)?;
    let _accepted = listener.accept()?;
    let took = start.elapsed();
    let event =
        wait_for(&mut watch, "slow connection", |event| in_net(&net)(event) && event["outcome"] == "established")?;
    let waited = Duration::from_nanos(event["waited_ns"].as_u64().context("no time")?);
    ensure!(waited + begun >= Duration::from_millis(900) && waited <= took, "{event:#?} in {took:?}");
    ensure!(event["remote"] == to.to_string() && event["pid"] == std::process::id(), "{event:#?}");
    ensure!(event["local"] == local(&client)?, "{event:#?}");
    watch.stop()?;
    none_lost(&watch)?;
    let sums = sums(&watch, &net, to);
    ensure!((sums.established, sums.timed) == (1, 1) && sums.max_ns >= waited.as_nanos() as u64, "{sums:?}");
    Ok(())
}

fn local(socket: &OwnedFd) -> Result<String> {
    Ok(TcpStream::from(socket.try_clone()?).local_addr()?.to_string())
}

/// It is gone before we look.
fn refused() -> Result<()> {
    const ATTEMPTS: u64 = 7;
    let net = Net::new()?;
    let listener = net.listen("127.0.0.1")?;
    let to = listener.local_addr()?;
    drop(listener);
    let client = net.inside(|| {
        Workload::new(|| {
            rename(c"refused-one");
            let refused = (0..ATTEMPTS).filter(|_| connect(to) == libc::ECONNREFUSED);
            [refused.count() as u64, 0]
        })
    })?;
    let mut watch = watch(&["-p", &client.pid.to_string()])?;
    // Somebody else's, which nobody asked for.
    let other = net.inside(move || Ok(connect(to)))?;
    client.go();
    let pid = client.pid;
    let report = client.report()?;
    client.end();
    ensure!(report[0] == ATTEMPTS && other == libc::ECONNREFUSED, "{report:?} and {other} were not refused");
    wait_for(&mut watch, "refused connection", |event| event["outcome"] == "refused")?;
    watch.stop()?;
    none_lost(&watch)?;
    let wrong = watch.events.iter().find(|event| {
        event["pid"] != pid
            || event["comm"] != "refused-one"
            || event["outcome"] != "refused"
            || event["error"] != libc::ECONNREFUSED
            || event["remote"] != to.to_string()
            || event["waited_ns"].as_u64().is_none_or(|waited| waited == 0)
    });
    ensure!(wrong.is_none(), "{wrong:#?}");
    ensure!(watch.events.len() as u64 == ATTEMPTS, "{} events of {ATTEMPTS}", watch.events.len());
    let sums = sums(&watch, &net, to);
    ensure!((sums.established, sums.failed) == (0, ATTEMPTS + 1), "{sums:?}");
    Ok(())
}

/// 0 or the errno. Takes no lock and no memory.
pub fn connect(to: SocketAddr) -> i32 {
    connect_with(to, |_| true).err().unwrap_or(0)
}

/// The connected socket or the errno.
fn connect_with(to: SocketAddr, prepare: impl Fn(i32) -> bool) -> Result<OwnedFd, i32> {
    // SAFETY: an address and its size; the descriptor is nobody else's.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        if socket < 0 {
            return Err(*libc::__errno_location());
        }
        let (owned, to) = (OwnedFd::from_raw_fd(socket), ipv4(to));
        let done = prepare(socket) && libc::connect(socket, (&raw const to).cast(), size_of_val(&to) as u32) == 0;
        if done { Ok(owned) } else { Err(*libc::__errno_location()) }
    }
}

fn ipv4(end: SocketAddr) -> libc::sockaddr_in {
    // SAFETY: all zeros are an empty address.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    if let SocketAddr::V4(end) = end {
        address.sin_family = libc::AF_INET as _;
        address.sin_port = end.port().to_be();
        address.sin_addr.s_addr = u32::from(*end.ip()).to_be();
    }
    address
}

fn set(socket: i32, level: i32, option: i32, value: i32) -> bool {
    // SAFETY: a number and its size.
    unsafe { libc::setsockopt(socket, level, option, (&raw const value).cast(), size_of::<i32>() as u32) == 0 }
}

/// The kernel stops after one more SYN.
fn timed_out() -> Result<()> {
    let net = Net::new()?;
    let listener = net.listen("127.0.0.1")?;
    let to = listener.local_addr()?;
    let mut watch = watch(&[])?;
    lose(&listener, Loss::All)?;
    let one_more = |socket| set(socket, libc::IPPROTO_TCP, libc::TCP_SYNCNT, 1);
    let connected = net.inside(move || Ok(connect_with(to, one_more)))?;
    ensure!(matches!(connected, Err(libc::ETIMEDOUT)), "{connected:?}");
    let event = wait_for(&mut watch, "connection without an answer", |event| {
        in_net(&net)(event) && event["outcome"] == "timed_out"
    })?;
    ensure!(event["waited_ns"].as_u64() >= Some(1_500_000_000) && event["error"] == libc::ETIMEDOUT, "{event:#?}");
    ensure!(event["pid"] == std::process::id() && event["remote"] == to.to_string(), "{event:#?}");
    Ok(())
}

fn given_up() -> Result<()> {
    let net = Net::new()?;
    let listener = net.listen("127.0.0.1")?;
    let to = listener.local_addr()?;
    let mut watch = watch(&[])?;
    lose(&listener, Loss::All)?;
    let client = net.begin_connect(to, None)?;
    let local = local(&client)?;
    thread::sleep(Duration::from_millis(100));
    drop(client);
    let event = wait_for(&mut watch, "connection that was given up", |event| {
        in_net(&net)(event) && event["outcome"] == "given_up"
    })?;
    ensure!(event["local"] == local.as_str() && event["pid"] == std::process::id(), "{event:#?}");
    ensure!(event["waited_ns"].as_u64() >= Some(100_000_000) && event["error"].is_null(), "{event:#?}");
    Ok(())
}

/// A router answers.
fn unreachable() -> Result<()> {
    let net = Net::new()?;
    let listener = net.listen("127.0.0.1")?;
    let to = listener.local_addr()?;
    let mut watch = watch(&[])?;
    let (seen, answer) = (Raw::new(&net, libc::IPPROTO_TCP)?, Raw::new(&net, libc::IPPROTO_ICMP)?);
    lose(&listener, Loss::All)?;
    let client = net.begin_connect(to, None)?;
    let local = local(&client)?;
    let syn = seen.segment(|segment| segment.is_syn() && segment.destination() == to.port())?;
    // Destination unreachable, host unreachable.
    let mut message = [&[3, 1, 0, 0, 0, 0, 0, 0], syn.quoted()].concat();
    let sum = checksum(&message).to_be_bytes();
    message[2..4].copy_from_slice(&sum);
    answer.send(&message)?;
    let event = wait_for(&mut watch, "connection that no way leads to", |event| {
        in_net(&net)(event) && event["outcome"] == "unreachable"
    })?;
    ensure!(event["local"] == local.as_str() && event["error"] == libc::EHOSTUNREACH, "{event:#?}");
    ensure!(event["pid"] == std::process::id() && event["remote"] == to.to_string(), "{event:#?}");
    Ok(())
}

/// Two ports for four connections, and one that is wanted and taken.
fn no_port() -> Result<()> {
    let net = Net::new()?;
    let listener = net.listen("127.0.0.1")?;
    let to = listener.local_addr()?;
    let mut watch = watch(&[])?;
    let range = |text: &'static str| {
        net.inside(move || Ok(std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", text)?))
            .context("the range of ports")
    };
    range("61000 61001")?;
    let clients: Vec<_> = (0..4).map(|_| net.inside(move || Ok(TcpStream::connect(to)))).collect::<Result<_>>()?;
    let failed = clients.iter().filter_map(|client| client.as_ref().err()?.raw_os_error()).collect::<Vec<_>>();
    ensure!(failed == [libc::EADDRNOTAVAIL; 2], "{failed:?}");
    let is_port = |event: &Value| event["outcome"] == "no_local_port" && event["remote"] == to.to_string();
    wait_for(&mut watch, "connection without a port", is_port)?;

    let taken = SocketAddr::from(([127, 0, 0, 1], 50_021));
    let bind = move |socket| {
        let taken = ipv4(taken);
        // SAFETY: an address and its size.
        set(socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)
            && unsafe { libc::bind(socket, (&raw const taken).cast(), size_of_val(&taken) as u32) } == 0
    };
    let connected = net.inside(move || Ok([connect_with(to, bind), connect_with(to, bind)]))?;
    ensure!(matches!(connected, [Ok(_), Err(libc::EADDRNOTAVAIL)]), "{connected:?}");
    let event = wait_for(&mut watch, "connection that was not sent", |event| {
        in_net(&net)(event) && event["outcome"] == "not_sent"
    })?;
    ensure!(event["local"] == taken.to_string() && event["pid"] == std::process::id(), "{event:#?}");
    watch.stop()?;
    none_lost(&watch)?;
    let ports = watch.events.iter().filter(|&event| is_port(event)).count();
    let sums = sums(&watch, &net, to);
    ensure!(ports == 2 && (sums.established, sums.failed) == (3, 3), "{ports} events, {sums:?}");
    Ok(())
}

fn no_room() -> Result<()> {
    const REFUSED: u64 = 5;
    let net = Net::new()?;
    let mut watch = Watch::of("tcp", &[], &[("STILLWATCH_REMOTES", "1")])?;
    for _ in 0..REFUSED {
        let to = net.listen("127.0.0.1")?.local_addr()?;
        let errno = net.inside(move || Ok(connect(to)))?;
        ensure!(errno == libc::ECONNREFUSED, "{errno}");
    }
    watch.next()?;
    watch.stop()?;
    let lost = losses(&watch.snapshots);
    // Others on this host may have taken the one place.
    ensure!(lost.get("remotes full").is_some_and(|&lost| lost >= REFUSED - 1), "{lost:?}");
    let refused: u64 = watch.snapshots.iter().filter_map(|snapshot| snapshot["opened"]["refused"].as_u64()).sum();
    ensure!(refused >= REFUSED, "{refused} in the totals");
    Ok(())
}
