//! More than anybody can read.

use std::{
    net::TcpStream,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test, here,
        stillwatch::{Watch, losses},
        workload::Workload,
    },
    Lost,
    connects::connect,
    fresh, in_net, lost,
    net::Net,
};

pub const TESTS: &[Test] = &[
    here("tcp_adds_up_a_storm_of_events_and_lists_a_part", storm),
    here("tcp_looks_at_a_part_of_a_flood_of_drops", flood),
    here("tcp_hands_events_over_before_their_interval_ends", live),
    here("tcp_takes_no_more_memory_while_connections_come_and_go", churn),
];

fn sum(watch: &Watch, of: impl Fn(&Value) -> Option<u64>) -> u64 {
    watch.snapshots.iter().filter_map(of).sum()
}

/// Each attempt is a packet that is dropped, a reset and a failed connection, and nothing waits in between.
fn storm() -> Result<()> {
    const ATTEMPTS: u64 = 20_011;
    let net = Net::new()?;
    let mut watch = fresh()?;
    let listener = net.listen("127.0.0.1")?;
    let to = listener.local_addr()?;
    drop(listener);
    let before = net.counter("OutRsts")?;
    let start = Instant::now();
    net.inside(|| {
        thread::scope(|scope| {
            let attempts = |times| move || (0..times).all(|_| connect(to) == libc::ECONNREFUSED);
            let other = scope.spawn(attempts(ATTEMPTS / 2));
            let refused = attempts(ATTEMPTS - ATTEMPTS / 2)();
            ensure!(refused && other.join().is_ok_and(|refused| refused), "not all were refused");
            Ok(())
        })
    })?;
    let took = start.elapsed();
    let resets = net.counter("OutRsts")? - before;
    watch.next()?;
    watch.next()?;
    watch.stop()?;
    let Lost { missed, unlisted } = lost(&watch)?;
    let nearly = |count: u64, of: u64| count <= of && count + missed >= of;
    let refused = sum(&watch, |it| it["opened"]["refused"].as_u64());
    ensure!(refused + missed >= ATTEMPTS, "{refused} refused in the totals, of {ATTEMPTS}, {missed} missed");
    let rows = watch.snapshots.iter().flat_map(|it| it["drops"].as_array().into_iter().flatten());
    let dropped: u64 = rows.filter(|row| row["netns"] == net.number).filter_map(|row| row["packets"].as_u64()).sum();
    let right = nearly(dropped, ATTEMPTS) && resets == ATTEMPTS;
    ensure!(right, "{dropped} dropped, {missed} missed, {resets} resets, of {ATTEMPTS}");
    // What is not listed is said to be so, and all of it together is all there was.
    let sampled = sum(&watch, |it| it["totals"]["events_sampled"].as_u64());
    let failed = sum(&watch, |it| {
        Some(
            it["opened"]
                .as_object()?
                .iter()
                .filter(|(name, _)| *name != "established")
                .filter_map(|(_, count)| count.as_u64())
                .sum(),
        )
    });
    let all = failed
        + sum(&watch, |it| it["dropped"].as_u64())
        + sum(&watch, |it| it["resets"]["sent"].as_u64())
        + sum(&watch, |it| it["resets"]["received"].as_u64())
        + sum(&watch, |it| it["totals"]["attempts"].as_u64());
    let listed = watch.events.len() as u64;
    let listed_or_said = listed + sampled + unlisted == all && sampled > 0;
    ensure!(listed_or_said, "{listed} events listed, {sampled} not, {unlisted} lost, {all} in the sums");
    eprintln!("{all} events in {took:?}, {listed} listed");
    let own = std::process::id();
    let wrong = watch.events.iter().find(|&event| {
        let known = missed == 0 || !event["pid"].is_null();
        in_net(&net)(event) && event["event"] == "connect" && known && event["pid"] != own
    });
    ensure!(wrong.is_none(), "{wrong:#?}");
    Ok(())
}

/// Segments that nobody can want, as fast as they can be sent: all are counted, and of those that are not looked at the tool says so.
fn flood() -> Result<()> {
    const SEGMENTS: u64 = 80_021;
    let net = Net::new()?;
    let mut watch = fresh()?;
    let before = net.counter("InCsumErrors")?;
    net.inside(|| send_wrong(SEGMENTS))?;
    let sent = net.counter("InCsumErrors")? - before;
    watch.next()?;
    watch.next()?;
    watch.stop()?;
    let lost = losses(&watch.snapshots);
    let left_out = lost.get("drops in a flood").copied().unwrap_or(0);
    let dropped = sum(&watch, |it| it["dropped"].as_u64());
    let rows = watch.snapshots.iter().flat_map(|it| it["drops"].as_array().into_iter().flatten());
    let looked_at: u64 = rows.filter_map(|row| row["packets"].as_u64()).sum();
    ensure!(sent == SEGMENTS && dropped >= SEGMENTS, "{sent} wrong segments arrived, {dropped} dropped");
    ensure!(looked_at + left_out == dropped && left_out > 0, "{looked_at} looked at, {left_out} not, of {dropped}");
    Ok(())
}

/// SYNs whose checksum is wrong.
fn send_wrong(times: u64) -> Result<()> {
    let mut segment = [0_u8; 20];
    (segment[12], segment[13]) = (5 << 4, 2);
    segment[16..18].copy_from_slice(&[0xba, 0xad]);
    // SAFETY: no pointers.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_TCP) };
    ensure!(socket >= 0, "socket: {}", std::io::Error::last_os_error());
    // SAFETY: just opened, and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let to = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    for _ in 0..times {
        // SAFETY: buffer and address are as long as is said.
        let sent = unsafe {
            libc::sendto(
                socket.as_raw_fd(),
                segment.as_ptr().cast(),
                segment.len(),
                0,
                (&raw const to).cast(),
                size_of_val(&to) as u32,
            )
        };
        ensure!(sent == segment.len() as isize, "sendto: {}", std::io::Error::last_os_error());
    }
    Ok(())
}

/// An interval is long; what happens in it is not kept until its end.
fn live() -> Result<()> {
    const INTERVAL: Duration = Duration::from_secs(4);
    let net = Net::new()?;
    let mut watch = Watch::every("4", "tcp", &[], &[])?;
    let listener = net.listen("127.0.0.1")?;
    let to = listener.local_addr()?;
    drop(listener);
    let start = Instant::now();
    ensure!(net.inside(move || Ok(TcpStream::connect(to).is_err()))?, "{to} answers");
    let snapshots = watch.snapshots.len();
    while !watch.events.iter().any(|event| in_net(&net)(event) && event["outcome"] == "refused") {
        watch.line()?;
        ensure!(watch.snapshots.len() == snapshots, "the interval was over: {:#?}", watch.events);
    }
    let seen = start.elapsed();
    watch.next()?;
    let over = start.elapsed();
    ensure!(seen < over && over < INTERVAL + Duration::from_secs(2), "seen after {seen:?}, over after {over:?}");
    let refused = watch.snapshots.last().context("no snapshot")?["opened"]["refused"].as_u64();
    ensure!(refused >= Some(1), "{refused:?}");
    Ok(())
}

/// A thousand connections a second, as far as this machine can.
fn churn() -> Result<()> {
    const CONNECTIONS: u64 = 3_001;
    const REFUSED: u64 = CONNECTIONS / 97;
    let net = Net::new()?;
    let listener = net.listen("127.0.0.1")?;
    let closed = net.listen("127.0.0.1")?;
    let (to, nobody) = (listener.local_addr()?, closed.local_addr()?);
    drop(closed);
    let client = net.inside(|| {
        Workload::new(|| {
            let mut done = [0; 2];
            for at in 1..=CONNECTIONS {
                done[0] += u64::from(connect(to) == 0);
                if at % 97 == 0 {
                    done[1] += u64::from(connect(nobody) == libc::ECONNREFUSED);
                }
            }
            done
        })
    })?;
    let mut watch = fresh()?;
    let acceptor = thread::spawn(move || (0..CONNECTIONS).filter(|_| listener.accept().is_ok()).count() as u64);
    let warm = watch.next()?["self"]["rss_bytes"].as_u64().context("no memory")?;
    client.go();
    let report = client.report()?;
    ensure!(report == [CONNECTIONS, REFUSED], "{report:?}");
    ensure!(acceptor.join().ok().context("the acceptor panicked")? == CONNECTIONS, "not all were accepted");
    watch.next()?;
    watch.next()?;
    let pid = client.pid;
    watch.stop()?;
    let Lost { missed, .. } = lost(&watch)?;
    let remotes = watch.snapshots.iter().flat_map(|it| it["remotes"].as_array().into_iter().flatten());
    let remotes: Vec<_> = remotes.filter(|row| row["netns"] == net.number).collect();
    let count = |outcome: &str| remotes.iter().filter_map(|row| row["connections"][outcome].as_u64()).sum::<u64>();
    let right = [("established", CONNECTIONS), ("refused", REFUSED)].iter().all(|&(outcome, wanted)| {
        let seen = count(outcome);
        seen <= wanted && seen + missed >= wanted
    });
    ensure!(right, "{missed} missed: {remotes:#?}");
    let connects: Vec<_> =
        watch.events.iter().filter(|&event| in_net(&net)(event) && event["event"] == "connect").collect();
    // Whose call was missed is not known; never is it another's.
    let right = |event: &&Value| event["pid"] == pid || (missed > 0 && event["pid"].is_null());
    ensure!(connects.iter().all(right), "{connects:#?}");
    let last = watch.snapshots.last().context("no snapshot")?;
    let rss = last["self"]["rss_bytes"].as_u64().context("no memory")?;
    // Tables of one interval grow with what happens in it, and stay.
    const GROWTH: u64 = 3 << 20;
    ensure!(rss < warm + GROWTH, "from {warm} to {rss} bytes");
    Ok(())
}
