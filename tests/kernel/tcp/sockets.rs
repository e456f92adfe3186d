//! Sockets by process and state, TIME-WAIT by network namespace, and ports that are used up.

use std::{
    net::{Shutdown, TcpListener, TcpStream},
    process::{Child, Command},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{Test, every_kernel, stillwatch::Watch},
    net::Net,
    watch,
};

pub const TESTS: &[Test] = &[
    every_kernel("tcp_counts_sockets_by_process_and_state", by_state),
    every_kernel("tcp_counts_connections_in_time_wait", time_wait),
    every_kernel("tcp_tells_which_ports_are_used_up", || ports(true)),
    every_kernel("tcp_tells_which_ports_of_another_namespace_are_used_up", || ports(false)),
    every_kernel("tcp_tells_that_ports_are_used_up_where_nobody_has_a_socket", in_time_wait),
];

/// Ends of connections of one listener.
pub struct Connections {
    pub listener: TcpListener,
    pub clients: Vec<TcpStream>,
    pub servers: Vec<TcpStream>,
}

impl Connections {
    pub fn new(net: &Net, count: usize) -> Result<Self> {
        let listener = net.listen("127.0.0.1")?;
        let mut all = Self { listener, clients: Vec::new(), servers: Vec::new() };
        all.more(net, count)?;
        Ok(all)
    }

    pub fn more(&mut self, net: &Net, count: usize) -> Result<()> {
        let to = self.listener.local_addr()?;
        for _ in 0..count {
            self.clients.push(net.inside(|| Ok(TcpStream::connect(to)?))?);
            self.servers.push(self.listener.accept()?.0);
        }
        Ok(())
    }
}

/// How many sockets of the namespace are in each state, as the kernel itself lists them.
fn listed(net: &Net) -> Result<[u64; 16]> {
    let text = net.inside(|| Ok(std::fs::read_to_string("/proc/thread-self/net/tcp")?))?;
    let mut states = [0; 16];
    for line in text.lines().skip(1) {
        let state = line.split_ascii_whitespace().nth(3).context("no state")?;
        states[usize::from(u8::from_str_radix(state, 16)?)] += 1;
    }
    Ok(states)
}

fn row<'a>(watch: &'a Watch, table: &str, of: impl Fn(&Value) -> bool) -> Option<&'a Value> {
    watch.snapshots.last()?[table].as_array()?.iter().find(|row| of(row))
}

/// Reads on until a row of the table is as it should be.
fn wait_for_row(
    watch: &mut Watch,
    table: &str,
    of: impl Fn(&Value) -> bool,
    is_right: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        match row(watch, table, &of) {
            Some(row) if is_right(row) => return Ok(row.clone()),
            row => ensure!(Instant::now() < end, "{table}: {row:#?}"),
        }
        watch.next()?;
    }
}

/// A server that leaves 37 connections open which their clients have closed, one of them with two descriptors.
fn by_state() -> Result<()> {
    const LEFT: usize = 37;
    const OPEN: usize = 5;
    const HALF: usize = 3;
    let net = Net::new()?;
    let mut all = Connections::new(&net, LEFT + OPEN + HALF)?;
    let mut watch = watch(&[])?;
    all.clients.drain(..LEFT);
    // These are closed in one direction, and held on both sides.
    all.clients[..HALF].iter().try_for_each(|client| client.shutdown(Shutdown::Write))?;
    let number = net.number;
    let own = move |row: &Value| row["netns"] == number && row["pid"] == std::process::id();
    let left = (LEFT + HALF) as u64;
    let row = wait_for_row(&mut watch, "sockets", own, |row| row["close_wait"] == left)?;
    let count = |name: &str| row[name].as_u64();
    ensure!(count("established") == Some(2 * OPEN as u64) && count("listening") == Some(1), "{row:#}");
    ensure!(count("closing") == Some(HALF as u64) && count("closed") == Some(0), "{row:#}");
    let listed = listed(&net)?;
    // Those that nobody holds are in no process.
    ensure!((listed[8], listed[1], listed[5]) == (left, 2 * OPEN as u64, left), "{listed:?}");
    let oldest = &row["close_wait_oldest_local"];
    ensure!(*oldest == all.listener.local_addr()?.to_string(), "{row:#}");
    // Whoever closes them has none any more.
    drop(all);
    while self::row(&watch, "sockets", own).is_some() {
        watch.next()?;
    }
    watch.stop()?;
    Ok(())
}

/// A process that lives in the namespace, for as long as this is held.
struct Inhabitant(Child);

impl Inhabitant {
    fn new(net: &Net) -> Result<Self> {
        net.inside(|| Ok(Self(Command::new("sleep").arg("600").spawn()?)))
    }
}

impl Drop for Inhabitant {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Who closes first has the connection in TIME-WAIT, and no process has it.
fn time_wait() -> Result<()> {
    const CLOSED: usize = 23;
    const OPEN: usize = 2;
    let net = Net::new()?;
    let inhabitant = Inhabitant::new(&net)?;
    let mut all = Connections::new(&net, CLOSED + OPEN)?;
    all.clients.drain(..CLOSED);
    std::thread::sleep(Duration::from_millis(100));
    all.servers.drain(..CLOSED);
    let mut watch = Watch::of("tcp", &[], &[])?;
    let number = net.number;
    let own = move |row: &Value| row["netns"] == number;
    let row = wait_for_row(&mut watch, "namespaces", own, |row| row["time_wait"] == CLOSED)?;
    ensure!(row["sockets"] == 2 * OPEN + 1 && row["inhabitant"]["pid"] == inhabitant.0.id(), "{row:#}");
    ensure!(row["time_wait_limit"].is_null() && listed(&net)?[6] == CLOSED as u64, "{row:#}");
    let ours = row_of_ours(&watch)?;
    let limit: u64 = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_max_tw_buckets")?.trim().parse()?;
    ensure!(ours["time_wait_limit"] == limit, "{ours:#}");
    watch.stop()?;
    Ok(())
}

fn row_of_ours(watch: &Watch) -> Result<Value> {
    row(watch, "namespaces", |row| row["netns"].is_null()).cloned().context("our namespace is not there")
}

/// A namespace with 40 ports, of which one remote has 36, six of them in TIME-WAIT.
fn ports(inside_it: bool) -> Result<()> {
    const PORTS: u64 = 40;
    const CLOSED: usize = 6;
    let net = Net::new()?;
    let inside = |file: &str, text: &str| {
        let path = format!("/proc/sys/net/ipv4/{file}");
        net.inside(|| std::fs::write(&path, text).with_context(|| path.clone()))
    };
    let listener = net.listen("127.0.0.1")?;
    let other = net.listen("127.0.0.1")?;
    inside("ip_local_port_range", "20000 20039")?;
    inside("tcp_tw_reuse", "0")?;
    let mut all = Connections { listener, clients: Vec::new(), servers: Vec::new() };
    all.more(&net, 36)?;
    all.clients.drain(..CLOSED);
    std::thread::sleep(Duration::from_millis(100));
    all.servers.drain(..CLOSED);
    let _few = net.inside(|| Ok(TcpStream::connect(other.local_addr()?)?))?;
    // Somebody's file says what is in use there.
    let _inhabitant = Inhabitant::new(&net)?;
    let mut command = stillwatch_tests::stillwatch();
    if inside_it {
        net.entered_by(&mut command);
    }
    let mut watch = Watch::run(command, "0.2", "tcp", &[], &[])?;
    let to = all.listener.local_addr()?.to_string();
    let row = wait_for_row(&mut watch, "ports", |row| row["remote"] == to.as_str(), |_| true)?;
    ensure!((&row["used"], &row["range"], &row["time_wait"]) == (&36.into(), &PORTS.into(), &CLOSED.into()), "{row:#}");
    ensure!(row["address"] == "127.0.0.1" && row["used_share"] == 0.9 && row["assumed"].is_null(), "{row:#}");
    ensure!(row["netns"] == if inside_it { Value::Null } else { net.number.into() }, "{row:#}");
    if inside_it {
        let all_rows = watch.snapshots.last().context("no snapshot")?["ports"].clone();
        ensure!(all_rows.as_array().is_some_and(|rows| rows.len() == 1), "{all_rows:#}");
    }
    // Four are left for that remote.
    all.more(&net, 4)?;
    let full =
        net.inside(|| Ok(TcpStream::connect(all.listener.local_addr()?).map_err(|error| error.raw_os_error())))?;
    ensure!(full.err() == Some(Some(libc::EADDRNOTAVAIL)), "a port was left");
    wait_for_row(&mut watch, "ports", |row| row["remote"] == to.as_str(), |row| row["used_share"] == 1.0)?;
    watch.stop()?;
    Ok(())
}

/// All of a namespace's connections are over, and most of its 40 ports are in TIME-WAIT.
fn in_time_wait() -> Result<()> {
    const CLOSED: usize = 36;
    let net = Net::new()?;
    net.inside(|| Ok(std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "20000 20039")?))?;
    let _inhabitant = Inhabitant::new(&net)?;
    let Connections { listener, clients, servers } = Connections::new(&net, CLOSED)?;
    let to = listener.local_addr()?.to_string();
    drop(clients);
    std::thread::sleep(Duration::from_millis(100));
    drop((servers, listener));
    let mut watch = watch(&[])?;
    let row = wait_for_row(&mut watch, "ports", |row| row["remote"] == to.as_str(), |_| true)?;
    let (used, range, time_wait) = (&row["used"], &row["range"], &row["time_wait"]);
    ensure!((used, range, time_wait) == (&CLOSED.into(), &40.into(), &CLOSED.into()), "{row:#}");
    ensure!(row["netns"] == net.number && row["assumed"].is_null(), "{row:#}");
    watch.stop()?;
    Ok(())
}
