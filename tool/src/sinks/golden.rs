//! Everything that text and JSON say of snapshots made by hand, to the byte: with what is known, and with what is not.

use std::time::Duration;

use super::{
    Sink, View, cpu,
    io::fixture,
    json::{self, Json},
    oom, sample,
    stream::Stream,
    tcp,
};
use crate::{
    cli::plan::By,
    snapshot::{
        Snapshot, Who,
        cpu::{Cpu, Interrupt, InterruptKind, NOT_MEASURED, WaitsBy},
        io::{Device, Io},
        tcp::{FlowsBy, Tcp},
    },
    table::Known,
};

/// What all sinks are asked for.
fn view() -> View {
    View { top: 10, slow_requests: Some(Duration::from_millis(100)), by: Some(By::Process), ..sample::view() }
}

fn json(snapshots: &[Snapshot]) -> String {
    let mut out = Vec::new();
    let mut sink = Json::new(&mut out, view());
    snapshots.iter().for_each(|snapshot| sink.snapshot(snapshot).unwrap());
    let text = String::from_utf8(out).unwrap();
    json::tests::lines(&text);
    text
}

/// At the widths at which the layout differs, and at one beyond.
fn text(snapshots: &[Snapshot]) -> String {
    let mut text = String::new();
    for width in [80, 120, 200] {
        let (mut out, stacks) = (Vec::new(), width > 80);
        let mut sink = Stream::new(&mut out, View { width, limit: width, stacks, kernel_threads: stacks, ..view() });
        snapshots.iter().for_each(|snapshot| sink.snapshot(snapshot).unwrap());
        text += &format!("== {width}\n{}", String::from_utf8(out).unwrap());
    }
    text
}

pub fn calls() -> Vec<Snapshot> {
    let mut asked = sample::busy();
    let calls = sample::calls(&mut asked);
    let errors = [3, 0, 0];
    calls.by = Some(calls.slow.iter().zip(errors).map(|(slow, errors)| sample::by(slow.clone(), errors)).collect());
    let mut blocked = asked.clone();
    sample::blocked(&mut blocked);
    sample::calls(&mut blocked).by.iter_mut().flatten().for_each(|row| row.syscall = None);
    vec![asked, blocked, sample::idle()]
}

pub fn ios() -> Vec<Snapshot> {
    let all = Io { blame: Some(fixture::blame()), slow: fixture::slow(), ..fixture::busy() };
    let untimed = Device { before_start: 2, ..fixture::untimed() };
    let all = [all, Io { devices: vec![untimed], ..fixture::idle() }, fixture::devices_only(), fixture::idle()];
    all.map(fixture::of).into()
}

pub fn tcps() -> Vec<Snapshot> {
    let mut grouped = tcp::tests::snapshot();
    let part = grouped.tcp.as_mut().unwrap();
    (part.by, part.drops) = (Some(FlowsBy::Remote), None);
    let flow = &mut part.flows[0];
    (flow.group, flow.connections, flow.netns, flow.interface) =
        (Some("10.0.0.2".into()), 3, Some(4_026_532_000), Some("eth0".into()));
    (flow.ends, flow.state, flow.sent) = (None, None, None);
    flow.owners.who = Who { unknown: Some("nobody has it open".into()), ..Who::default() };
    flow.trips = crate::snapshot::Latency::default();
    part.remotes[0].group = Some("10.0.0.0/24".into());
    let quiet = Snapshot { tcp: Some(Tcp::default()), ..tcp::tests::snapshot() };
    vec![tcp::tests::snapshot(), grouped, quiet]
}

pub fn ooms() -> Vec<Snapshot> {
    let quiet = Snapshot { oom: Some(crate::snapshot::oom::Oom::default()), ..oom::tests::snapshot() };
    let mut more = oom::tests::snapshot();
    let part = more.oom.as_mut().unwrap();
    part.kills.truncate(1);
    let kill = &mut part.kills[0];
    (kill.group, kill.exited) = (Some("/shop.slice".into()), Some(Duration::from_millis(9)));
    (kill.already_ending, kill.reconstructed) = (true, true);
    if let Ok(scope) = &mut kill.scope {
        scope.nodes = Some("0-1".into());
    }
    part.signals[0].by_oom = true;
    part.log_unavailable = Some("not allowed to read the kernel's log".into());
    part.unprotected = ["locked memory".to_owned()].into();
    part.limits[0].limit_bytes = None;
    part.reclaim[0].who.kernel_thread = true;
    vec![oom::tests::snapshot(), more, quiet]
}

pub fn cpu_times() -> Vec<Snapshot> {
    let of = |cpu: Cpu| Snapshot { syscalls: None, cpu: Some(cpu), ..sample::busy() };
    let interrupt = |name: Option<&str>, irq: Option<u32>| Interrupt {
        kind: if irq.is_none() { InterruptKind::Softirq } else { InterruptKind::Irq },
        name: name.map(Into::into),
        irq,
        count: 1_200,
        total_ns: 3_100_000,
        max_ns: 90_000,
    };
    let by = |who, latencies: &[(u64, u64)]| {
        let latency = sample::latency(latencies);
        WaitsBy { who, waits: latency.count, latency }
    };
    let mut all = cpu::tests::busy();
    all.scheduler.unsure = 4;
    all.running.value_mut().unwrap()[2].waited_ns = Known::unavailable(NOT_MEASURED);
    all.by = Some(vec![by(sample::who(430, "postgres", "/db"), &[(3_000, 9)]), by(sample::gone(977), &[])].into());
    all.interrupts = Some(vec![interrupt(Some("net_rx"), None), interrupt(None, Some(27))]);
    vec![of(all), of(cpu::tests::unknown()), of(cpu::tests::empty())]
}

#[test]
fn json_of_calls() {
    insta::assert_snapshot!(json(&calls()));
}

#[test]
fn json_of_io() {
    insta::assert_snapshot!(json(&ios()));
}

#[test]
fn json_of_tcp() {
    insta::assert_snapshot!(json(&tcps()));
}

#[test]
fn json_of_oom() {
    insta::assert_snapshot!(json(&ooms()));
}

#[test]
fn json_of_cpu() {
    insta::assert_snapshot!(json(&cpu_times()));
}

#[test]
fn text_of_calls() {
    insta::assert_snapshot!(text(&calls()));
}

#[test]
fn text_of_io() {
    insta::assert_snapshot!(text(&ios()));
}

#[test]
fn text_of_tcp() {
    insta::assert_snapshot!(text(&tcps()));
}

#[test]
fn text_of_oom() {
    insta::assert_snapshot!(text(&ooms()));
}

#[test]
fn text_of_cpu() {
    insta::assert_snapshot!(text(&cpu_times()));
}
