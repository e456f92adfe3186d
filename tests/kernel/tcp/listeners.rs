//! Who does not accept connections fast enough.

use std::{net::TcpListener, os::fd::AsRawFd, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillwatch_tests::stillwatch;

use super::{
    super::{Test, every_kernel, in_machine, one_machine, skip, stillwatch::Watch, stillwatch::losses},
    fresh, lost,
    net::{Loss, Net},
    watch,
};

pub const TESTS: &[Test] = &[
    every_kernel("tcp_shows_whose_queue_of_connections_is_full", full),
    every_kernel("tcp_counts_half_open_connections", half_open),
    one_machine("tcp_forgets_who_does_not_listen_any_more", closed),
    one_machine("tcp_counts_listeners_it_has_no_room_for", no_room),
];

/// Rows of the table of listeners, over all snapshots, of this namespace.
fn rows<'a>(watch: &'a Watch, net: &Net) -> impl Iterator<Item = &'a Value> + use<'a> {
    let number = net.number;
    let rows = watch.snapshots.iter().flat_map(|snapshot| snapshot["listeners"].as_array().into_iter().flatten());
    rows.filter(move |row| row["netns"] == number)
}

/// So many connections may wait; the kernel lets one more.
fn limit(listener: &TcpListener, connections: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    let limited = unsafe { libc::listen(listener.as_raw_fd(), connections) };
    ensure!(limited == 0, "listen: {}", std::io::Error::last_os_error());
    Ok(())
}

/// Some hosts refuse iterators over maps to everybody. Not the machines, where asking takes most of a minute.
fn skip_unless_queues_are_read() -> Result<()> {
    if in_machine() {
        return Ok(());
    }
    let doctor = stillwatch().args(["doctor", "--json"]).output()?;
    let report: Value = serde_json::from_slice(&doctor.stdout)?;
    let probes = report["probes"].as_array().into_iter().flatten();
    let hook =
        probes.flat_map(|probe| probe["hooks"].as_array().into_iter().flatten()).find(|hook| hook["hook"] == HOOK);
    let hook = hook.with_context(|| format!("doctor knows no {HOOK}: {report}"))?;
    if hook["state"] == "available" { Ok(()) } else { Err(skip(format!("this kernel has no {HOOK}: {}", hook["why"]))) }
}

const HOOK: &str = "iter bpf_map_elem";

/// Sockets that listen before the run begins, one of them of MPTCP as Go's are, and one that does so later.
fn full() -> Result<()> {
    skip_unless_queues_are_read()?;
    const TOO_MANY: usize = 3;
    let net = Net::new()?;
    let mut listeners = vec![net.listen("127.0.0.1")?];
    listeners.extend(net.listen_mptcp()?);
    let mut watch = fresh()?;
    listeners.push(net.listen("127.0.0.1")?);
    let before = ["ListenOverflows", "ListenDrops"].map(|field| net.extended_counter(field));
    for listener in &listeners {
        limit(listener, 1)?;
        let to = listener.local_addr()?;
        let waiting = (0..2).map(|_| net.begin_connect(to, None)).collect::<Result<Vec<_>>>()?;
        thread::sleep(Duration::from_millis(100));
        let refused = (0..TOO_MANY).map(|_| net.begin_connect(to, None)).collect::<Result<Vec<_>>>()?;
        // Until their SYNs have come once more.
        thread::sleep(Duration::from_millis(1300));
        watch.next()?;
        watch.next()?;
        drop((waiting, refused));
    }
    watch.stop()?;
    // What was missed are events: the walk over sockets reads what a queue dropped.
    lost(&watch)?;
    let mut after = Vec::new();
    for (field, before) in ["ListenOverflows", "ListenDrops"].into_iter().zip(before) {
        after.push(net.extended_counter(field)? - before?);
    }
    let sum = |rows: &mut dyn Iterator<Item = &Value>| rows.filter_map(|row| row["dropped"].as_u64()).sum::<u64>();
    let all = sum(&mut rows(&watch, &net));
    ensure!([all, all] == after[..], "{all} in the table of listeners, {after:?} in the kernel's counters");
    for listener in &listeners {
        let local = listener.local_addr()?.to_string();
        let own = || rows(&watch, &net).filter(|row| row["local"] == local.as_str());
        let dropped = sum(&mut own());
        ensure!(dropped >= 2 * TOO_MANY as u64, "{dropped} of {local}");
        let is_right = |row: &&Value| row["pid"] == std::process::id() && row["limit"] == 1;
        ensure!(
            own().all(|row| is_right(&row)) && own().any(|row| row["queue"] == 2),
            "{:#?}",
            own().collect::<Vec<_>>()
        );
    }
    Ok(())
}

/// One that never gets its answer, and three that wait where two may.
fn half_open() -> Result<()> {
    skip_unless_queues_are_read()?;
    let net = Net::new()?;
    let listener = net.listen("127.0.0.1")?;
    limit(&listener, 2)?;
    let mut watch = watch(&[])?;
    let to = listener.local_addr()?;
    let _deaf = net.begin_connect(to, Some(Loss::All))?;
    let _waiting = (0..3).map(|_| net.begin_connect(to, None)).collect::<Result<Vec<_>>>()?;
    while rows(&watch, &net).next().is_none() {
        watch.next()?;
    }
    let row = rows(&watch, &net).next().context("no row")?;
    ensure!(row["half_open"] == 1 && row["queue"] == 3 && row["limit"] == 2, "{row:#}");
    watch.stop()?;
    Ok(())
}

/// Its queue was full until it ended.
fn closed() -> Result<()> {
    let net = Net::new()?;
    let mut watch = watch(&[])?;
    let listener = net.listen("127.0.0.1")?;
    limit(&listener, 1)?;
    let to = listener.local_addr()?;
    let _waiting = (0..2).map(|_| net.begin_connect(to, None)).collect::<Result<Vec<_>>>()?;
    while rows(&watch, &net).next().is_none() {
        watch.next()?;
    }
    drop(listener);
    watch.next()?;
    watch.snapshots.clear();
    watch.next()?;
    let left: Vec<_> = rows(&watch, &net).collect();
    ensure!(left.is_empty(), "{left:#?}");
    Ok(())
}

fn no_room() -> Result<()> {
    let net = Net::new()?;
    let _older = [net.listen("127.0.0.1")?, net.listen("127.0.0.1")?];
    let mut watch = Watch::of("tcp", &[], &[("STILLWATCH_LISTENERS", "1")])?;
    let _younger = net.listen("127.0.0.1")?;
    watch.next()?;
    watch.next()?;
    watch.stop()?;
    let lost = losses(&watch.snapshots);
    ensure!(lost.get("listeners full").is_some_and(|&lost| lost >= 1), "{lost:?}");
    Ok(())
}
