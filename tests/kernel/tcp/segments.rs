//! How many segments, of which kind.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test, every_kernel, here,
        stillwatch::{Watch, is_count, losses},
    },
    Lost, fresh, lost,
    net::{Loss, Net, lose, lose_nothing},
    raw::Raw,
    wait_for, watch,
};

pub const TESTS: &[Test] = &[
    every_kernel("tcp_counts_segments_as_the_kernel_does", || counts("127.0.0.1")),
    every_kernel("tcp_counts_segments_of_ipv6_as_the_kernel_does", || counts("::1")),
    every_kernel("tcp_tells_timeouts_and_loss_probes", timeouts),
    every_kernel("tcp_tells_fast_retransmits", fast),
    here("tcp_tells_that_the_other_side_has_no_room", zero_window),
    every_kernel("tcp_tells_syns", syns),
    every_kernel("tcp_tells_syn_acks", syn_acks),
    here("tcp_shows_only_connections_that_are_asked_for", filters),
    here("tcp_counts_what_it_has_no_room_for", no_room),
];

/// A prime number of bytes: some fourteen hundred segments.
const BYTES: usize = 1_000_003;

fn sum(watch: &Watch, net: &Net, field: &str) -> u64 {
    let flows = watch.snapshots.iter().flat_map(|snapshot| snapshot["flows"].as_array().into_iter().flatten());
    flows.filter(|flow| flow["netns"] == net.number).filter_map(|flow| flow[field].as_u64()).sum()
}

/// A lossy connection, from its begin to its end.
struct Transfer {
    net: Net,
    /// What the kernel had retransmitted before.
    before: u64,
    reader: JoinHandle<(usize, TcpStream)>,
    writer: JoinHandle<Result<()>>,
}

impl Transfer {
    fn begin(address: &str) -> Result<Self> {
        let net = Net::new()?;
        let before = net.counter("RetransSegs")?;
        let (mut client, mut server) = net.connect(address)?;
        lose(&server, Loss::Random(150))?;
        let reader = thread::spawn(move || {
            let mut read = 0;
            let mut buffer = vec![0; 1 << 16];
            while let Ok(bytes @ 1..) = server.read(&mut buffer) {
                read += bytes;
            }
            (read, server)
        });
        let writer = thread::spawn(move || -> Result<()> {
            client.write_all(&vec![7; BYTES])?;
            Ok(client.shutdown(std::net::Shutdown::Write)?)
        });
        Ok(Self { net, before, reader, writer })
    }

    /// How many segments the kernel has retransmitted meanwhile.
    fn end(self) -> Result<(Net, u64)> {
        self.writer.join().ok().context("the writer panicked")??;
        let (read, _server) = self.reader.join().ok().context("the reader panicked")?;
        ensure!(read == BYTES, "{read} of {BYTES} bytes arrived");
        // Until what is on its way has been acknowledged.
        thread::sleep(Duration::from_secs(1));
        let counted = self.net.counter("RetransSegs")? - self.before;
        Ok((self.net, counted))
    }
}

fn counts(address: &str) -> Result<()> {
    let mut watch = watch(&[])?;
    let mut transferred = || -> Result<_> {
        let transfer = Transfer::begin(address)?;
        while !transfer.reader.is_finished() {
            watch.next()?;
        }
        let before = transfer.before;
        let (net, counted) = transfer.end()?;
        Ok((net, before, counted))
    };
    let mut last = transferred()?;
    // A packet is up to 64 KiB, of which chance may have dropped one.
    for _ in 0..5 {
        if last.2 > 50 {
            break;
        }
        last = transferred()?;
    }
    let (net, before, counted) = last;
    ensure!(counted > 50, "{counted} segments of a lossy connection were retransmitted");
    watch.stop()?;
    // Something may still be retransmitted until the last interval is over.
    let until = net.counter("RetransSegs")? - before;
    let Lost { missed, unlisted } = lost(&watch)?;
    let sampled: u64 =
        watch.snapshots.iter().filter_map(|snapshot| snapshot["totals"]["events_sampled"].as_u64()).sum();
    let seen = sum(&watch, &net, "segments");
    let right = |count: u64| (counted..=until).any(|counted| is_count(count, counted, missed));
    ensure!(right(seen), "{seen} segments in the table of flows, {counted} to {until} retransmitted");
    let events = watch.events.iter().filter(|event| event["netns"] == net.number);
    let listed: u64 = events.clone().filter_map(|event| event["segments"].as_u64()).sum();
    let all_listed = right(listed) || sampled + unlisted > 0;
    ensure!(all_listed, "{listed} segments among the events, {counted} retransmitted");
    let own = std::process::id();
    let strange = events.clone().find(|event| event["event"] == "retransmit" && event["pid"] != own);
    ensure!(strange.is_none(), "not of this process: {strange:#?}");
    Ok(())
}

/// Both ends know how long a round trip takes.
fn warm(client: &mut TcpStream, server: &mut TcpStream) -> Result<()> {
    for _ in 0..10 {
        let mut byte = [0];
        client.write_all(b"?")?;
        server.read_exact(&mut byte)?;
        server.write_all(b"!")?;
        client.read_exact(&mut byte)?;
    }
    Ok(())
}

fn of(stream: &TcpStream) -> Result<impl Fn(&Value) -> bool + use<>> {
    let local = stream.local_addr()?.to_string();
    Ok(move |event: &Value| event["local"] == local.as_str())
}

fn timeouts() -> Result<()> {
    let net = Net::new()?;
    let (mut client, mut server) = net.connect("127.0.0.1")?;
    warm(&mut client, &mut server)?;
    let mut watch = fresh()?;
    lose(&server, Loss::All)?;
    client.write_all(b"first")?;
    client.write_all(b"second")?;
    let ours = of(&client)?;
    let probe = wait_for(&mut watch, "loss probe", |event| ours(event) && event["kind"] == "tlp")?;
    ensure!(probe["bytes"] == 6 && probe["segments"] == 1 && probe["retransmits"] == 0, "{probe:#?}");
    let timeout = wait_for(&mut watch, "timeout", |event| {
        ours(event) && event["kind"] == "rto" && event["backoff"].as_u64() >= Some(2)
    })?;
    let first = watch.events.iter().find(|&event| ours(event)).context("no event")?;
    ensure!(first["kind"] == "tlp", "the probe comes before the timeouts: {first:#?}");
    // The kernel may send both as one.
    ensure!(timeout["retransmits"].as_u64() >= Some(2), "{timeout:#?}");
    ensure!(timeout["bytes"] == 5 || timeout["bytes"] == 11, "{timeout:#?}");
    ensure!(timeout["state"] == "established" && timeout["cwnd"] == 1, "{timeout:#?}");
    ensure!(timeout["pid"] == std::process::id() && timeout["failed"].is_null(), "{timeout:#?}");
    ensure!(timeout["srtt_us"].as_u64().is_some_and(|srtt| (1..1_000_000).contains(&srtt)), "{timeout:#?}");
    Ok(())
}

fn fast() -> Result<()> {
    let net = Net::new()?;
    let mut watch = watch(&[])?;
    // The timer of the loss probe runs meanwhile; on a slow machine it may be the first.
    for _ in 0..20 {
        let (mut client, mut server) = net.connect("127.0.0.1")?;
        warm(&mut client, &mut server)?;
        lose(&server, Loss::All)?;
        client.write_all(b"lost")?;
        lose_nothing(&server)?;
        for _ in 0..20 {
            client.write_all(b"arrives")?;
        }
        let mut all = [0; 4 + 20 * 7];
        server.read_exact(&mut all)?;
        ensure!(all.starts_with(b"lostarrives"), "TCP keeps the order");
        watch.next()?;
        watch.next()?;
        let ours = of(&client)?;
        let events: Vec<&Value> = watch.events.iter().filter(|&event| ours(event)).collect();
        ensure!(!events.is_empty(), "the lost segment was retransmitted, and not seen");
        if let Some(event) = events.iter().find(|event| event["kind"] == "fast") {
            ensure!(event["bytes"] == 4 && event["segments"] == 1, "{event:#?}");
            return Ok(());
        }
    }
    anyhow::bail!("no fast retransmit: {:#?}", watch.events)
}

/// Half of what was sent is acknowledged, and there is no room for the rest.
fn zero_window() -> Result<()> {
    let net = Net::new()?;
    let mut watch = watch(&[])?;
    let (client, server) = net.connect("127.0.0.1")?;
    let to = server.local_addr()?.port();
    let raw = Raw::new(&net, libc::IPPROTO_TCP)?;
    lose(&server, Loss::All)?;
    (&client).write_all(b"no room")?;
    let sent = raw.segment(|segment| segment.destination() == to && segment.payload() == 7)?;
    raw.send(&sent.acknowledged_without_room(3))?;
    let ours = of(&client)?;
    let event = wait_for(&mut watch, "retransmit without room", |event| ours(event) && event["zero_window"] == true)?;
    ensure!(event["bytes"] == 4, "{event:#?}");
    Ok(())
}

fn syns() -> Result<()> {
    let net = Net::new()?;
    let mut watch = watch(&[])?;
    let listener = net.listen("127.0.0.1")?;
    let to = listener.local_addr()?;
    lose(&listener, Loss::All)?;
    let _client = net.begin_connect(to, None)?;
    let remote = to.to_string();
    let syn = wait_for(&mut watch, "SYN", |event| event["remote"] == remote.as_str() && event["kind"] == "syn")?;
    ensure!(syn["state"] == "syn-sent" && syn["segments"] == 1, "{syn:#?}");
    ensure!(syn["pid"] == std::process::id(), "{syn:#?}");
    Ok(())
}

fn syn_acks() -> Result<()> {
    let net = Net::new()?;
    let mut watch = watch(&[])?;
    let listener = net.listen("127.0.0.1")?;
    let to = listener.local_addr()?;
    let before = net.counter("RetransSegs")?;
    let client = net.begin_connect(to, Some(Loss::All))?;
    let local = to.to_string();
    let synack =
        wait_for(&mut watch, "SYN-ACK", |event| event["kind"] == "synack" && event["local"] == local.as_str())?;
    ensure!(synack["state"] == "syn-recv" && synack["pid"] == std::process::id(), "{synack:#?}");
    ensure!(synack["srtt_us"].is_null() && synack["cwnd"].is_null(), "there is no connection yet: {synack:#?}");
    drop(client);
    drop(listener);
    thread::sleep(Duration::from_millis(300));
    let counted = net.counter("RetransSegs")? - before;
    watch.stop()?;
    let until = net.counter("RetransSegs")? - before;
    let seen = sum(&watch, &net, "segments");
    let right = (counted..=until).contains(&seen);
    ensure!(right, "{seen} SYNs and SYN-ACKs in the table of flows, {counted} to {until} retransmitted");
    Ok(())
}

/// Two connections that are cut, of which one is asked for.
fn filters() -> Result<()> {
    let net = Net::new()?;
    let pairs = [net.connect("127.0.0.1")?, net.connect("127.0.0.1")?];
    let port = pairs[0].0.local_addr()?.port().to_string();
    let mut watch = watch(&["--port", &port, "--address", "127.0.0.0/8", "-p", &std::process::id().to_string()])?;
    for (client, server) in &pairs {
        lose(server, Loss::All)?;
        (&*client).write_all(b"lost")?;
    }
    let wanted = of(&pairs[0].0)?;
    wait_for(&mut watch, "event of the one", &wanted)?;
    watch.next()?;
    watch.stop()?;
    let is = |event: &Value, what: &str| event["event"] == what;
    let has_port = |end: &Value| end.as_str().is_some_and(|end| end.ends_with(&format!(":{port}")));
    let other = watch.events.iter().find(|&event| match is(event, "drop") {
        true => !has_port(&event["from"]) && !has_port(&event["to"]),
        false => !wanted(event),
    });
    ensure!(other.is_none(), "nobody asked for {other:#?}");
    let attempts = |snapshot: &Value| snapshot["totals"]["attempts"].as_u64();
    let all: u64 = watch.snapshots.iter().filter_map(attempts).sum();
    let shown = watch.events.iter().filter(|&event| is(event, "retransmit")).count() as u64;
    ensure!(all > shown && shown > 0, "the totals count everybody's: {all}, {shown} are shown");
    Ok(())
}

fn no_room() -> Result<()> {
    let net = Net::new()?;
    let pairs = [net.connect("127.0.0.1")?, net.connect("127.0.0.1")?, net.connect("127.0.0.1")?];
    let mut watch = Watch::of("tcp", &[], &[("STILLWATCH_FLOWS", "1")])?;
    for (client, server) in &pairs {
        lose(server, Loss::All)?;
        (&*client).write_all(b"lost")?;
    }
    for (client, _) in &pairs {
        wait_for(&mut watch, "event", of(client)?)?;
    }
    watch.stop()?;
    let lost = losses(&watch.snapshots);
    ensure!(lost.get("retransmitting flows full").is_some_and(|&lost| lost >= 2), "{lost:?}");
    Ok(())
}
