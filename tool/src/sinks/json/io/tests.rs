use serde_json::{Value, json};

use super::super::{Json, tests};
use crate::{
    sinks::{Sink, io::fixture, sample},
    snapshot::io as seen,
    snapshot::io::{AGE_UNKNOWN, NO_QUEUE, NO_REQUEST, NOT_TIMED},
};

/// All lines of an interval: events, then the snapshot.
fn lines(io: seen::Io) -> Vec<Value> {
    let mut out = Vec::new();
    Json::new(&mut out, sample::view()).snapshot(&fixture::of(io)).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'));
    tests::lines(&text)
}

fn line(io: seen::Io) -> Value {
    let lines = lines(io);
    assert_eq!(lines.len(), 1);
    lines.into_iter().next().unwrap()
}

#[test]
fn one_line_with_what_all_probes_share() {
    let value = line(fixture::busy());
    assert_eq!((&value["v"], &value["type"], &value["probe"]), (&json!(1), &json!("snapshot"), &json!("io")));
    assert_eq!((&value["at"], &value["interval_ns"]), (&json!("2026-03-01T14:02:12Z"), &json!(1_000_000_000)));
    assert!(value["self"]["rss_bytes"].is_u64() && value["pressure_unavailable"].is_string());
    assert_eq!(value["stall_over_ns"], 1_000_000);
    for (array, rows) in [("devices", 4), ("stalled", 5), ("caused_by", 6)] {
        assert!(value[array].as_array().is_some_and(|all| all.len() == rows), "{array}");
    }
    assert!(value.get("blame").is_none() && value.get("syscalls").is_none());
}

#[test]
fn a_device() {
    let devices = &line(fixture::busy())["devices"];
    let sync = &devices[1];
    assert_eq!(
        sync["queue"],
        json!({
            "p50_ns": 39456, "p90_ns": 39456, "p99_ns": 39456, "p999_ns": 39456, "max_ns": 40_000,
            "total_ns": 920_000, "histogram": [[38912, 23]],
        })
    );
    assert_eq!((&sync["device"], &sync["op"], &sync["ios"]), (&json!("sda"), &json!("sync write"), &json!(23)));
    assert_eq!((&sync["bytes"], &sync["errors"], &sync["untimed"]), (&json!(23 << 12), &json!(2), &json!(1)));
    assert_eq!((&sync["in_flight"], &sync["oldest_ns"]), (&json!(0), &Value::Null));
    for absent in ["alias", "queue_unknown", "service_unknown", "total_unknown", "oldest_unknown"] {
        assert!(sync.get(absent).is_none(), "{absent}");
    }
    let mapped = &devices[2];
    assert_eq!(
        (&mapped["alias"], &mapped["queue"], &mapped["service"]),
        (&json!("vg0-root"), &Value::Null, &Value::Null)
    );
    assert_eq!((&mapped["queue_unknown"], &mapped["service_unknown"]), (&json!(NO_QUEUE), &json!(NO_QUEUE)));
    assert!(mapped["total"]["p99_ns"].is_u64());
}

#[test]
fn a_hung_device_and_one_without_times() {
    let devices = &line(fixture::busy())["devices"];
    let hung = &devices[3];
    assert_eq!(
        (&hung["ios"], &hung["in_flight"], &hung["oldest_ns"]),
        (&json!(0), &json!(17), &json!(42_000_000_000u64))
    );
    assert_eq!((&hung["total"], &hung["total_unknown"]), (&Value::Null, &json!(NO_REQUEST)));

    let untimed = fixture::untimed();
    let value = line(seen::Io { devices: vec![untimed], ..fixture::idle() });
    let device = &value["devices"][0];
    assert_eq!((&device["queue_unknown"], &device["total_unknown"]), (&json!(NOT_TIMED), &json!(NOT_TIMED)));
    assert_eq!((&device["oldest_ns"], &device["oldest_unknown"]), (&Value::Null, &json!(AGE_UNKNOWN)));
}

#[test]
fn who_waited() {
    let stalled = &line(fixture::busy())["stalled"];
    assert_eq!(
        stalled[1],
        json!({
            "pid": 430, "comm": "postgres", "cgroup": "/system.slice/postgresql.service", "kernel_thread": false,
            "waits": 8, "total_ns": 612_000_000, "max_ns": 390_000_000, "now": 0, "now_ns": null,
            "reason": "journal commit", "syscall": "fsync", "device": "sda", "woken_by": "jbd2/sda1-8",
            "stack": ["jbd2_log_wait_commit", "ext4_sync_file", "do_fsync"],
        })
    );
    assert_eq!((&stalled[0]["now"], &stalled[0]["now_ns"]), (&json!(3), &json!(1_100_000_000)));
    let old = &stalled[2];
    assert_eq!((&old["now_ns"], &old["now_unknown"]), (&Value::Null, &json!("since before start")));
    assert_eq!((&old["max_ns"], &old["max_unknown"]), (&Value::Null, &json!("since before start")));
    assert_eq!((&old["pid"], &old["unknown"]), (&json!(977), &json!("ended before it could be looked up")));
    assert!(old["syscall"].is_null() && old["syscall_unknown"].is_string());
    assert_eq!(stalled[3]["kernel_thread"], true);
    let short = &stalled[4];
    assert_eq!((&short["comm"], &short["reason"]), (&json!(sample::HOSTILE), &Value::Null));
    assert!(short["reason_unknown"].is_string() && short["device_unknown"].is_string());
}

#[test]
fn because_of_whom() {
    let causes = &line(fixture::busy())["caused_by"];
    assert_eq!(
        causes[0],
        json!({
            "pid": 812, "comm": "rsync", "cgroup": "/system.slice/backup.service", "device": "sda",
            "bytes": 178_601_852, "ios": 374, "service_ns": 887_880_000, "share": 0.906, "how": "writeback",
        })
    );
    let unknown = &causes[1];
    assert_eq!((&unknown["pid"], &unknown["unknown"]), (&Value::Null, &json!("pages dirtied before we started")));
    let untimed = &causes[5];
    assert_eq!((&untimed["service_ns"], &untimed["share"]), (&Value::Null, &Value::Null));
    assert_eq!((&untimed["service_unknown"], &untimed["how"]), (&json!(NOT_TIMED), &json!("unknown")));
}

#[test]
fn blame_where_asked_for() {
    let value = line(seen::Io { blame: Some(fixture::blame()), ..fixture::idle() });
    assert_eq!(
        value["blame"][0],
        json!({
            "victim": { "pid": 430, "comm": "postgres", "cgroup": "/system.slice/postgresql.service" },
            "device": "sda", "wait_ns": 612_000_000,
            "culprit": { "pid": 812, "comm": "rsync", "cgroup": "/system.slice/backup.service" },
            "how": "writeback", "blamed_ns": 560_000_000,
        })
    );
    assert_eq!(value["blame"][2]["culprit"]["unknown"], "pages dirtied before we started");
}

#[test]
fn slow_requests_come_before_the_snapshot() {
    let lines = lines(seen::Io { slow: fixture::slow(), ..fixture::idle() });
    assert_eq!(lines.iter().map(|line| &line["type"]).collect::<Vec<_>>(), ["event", "event", "event", "snapshot"]);
    assert_eq!(
        lines[0],
        json!({
            "v": 1, "type": "event", "event": "slow_request", "probe": "io", "at": "2026-03-01T14:02:11.25Z",
            "device": "sda", "op": "write", "sector": 1_953_525_160, "bytes": 1_310_720, "failed": false,
            "queue_ns": 100_500_000, "service_ns": 301_500_000, "total_ns": 402_000_000,
            "pid": 812, "comm": "rsync", "cgroup": "/system.slice/backup.service", "how": "writeback",
        })
    );
    let failed = &lines[1];
    assert_eq!(
        (&failed["failed"], &failed["service_ns"], &failed["service_unknown"]),
        (&json!(true), &Value::Null, &json!(NO_QUEUE))
    );
    assert_eq!(failed["comm"], sample::HOSTILE);
}

#[test]
fn what_devices_only_leaves_out_is_not_empty_but_null() {
    let value = line(fixture::devices_only());
    for array in ["stalled", "caused_by"] {
        assert_eq!(
            (&value[array], &value[format!("{array}_unknown")]),
            (&Value::Null, &json!("not measured: --devices"))
        );
    }
    let device = &value["devices"][0];
    assert_eq!((&device["in_flight"], &device["in_flight_unknown"]), (&Value::Null, &json!("not measured: --devices")));
    let idle = line(fixture::idle());
    assert_eq!((&idle["devices"], &idle["stalled"], &idle["caused_by"]), (&json!([]), &json!([]), &json!([])));
}

#[test]
fn keys_stand_in_the_same_order_in_every_line() {
    let mut out = Vec::new();
    let both = crate::snapshot::Snapshot { io: Some(fixture::idle()), ..sample::busy() };
    Json::new(&mut out, sample::view()).snapshot(&both).unwrap();
    let text = String::from_utf8(out).unwrap();
    let [syscalls, io] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert!(syscalls.starts_with(r#"{"v":1,"type":"snapshot","probe":"syscalls","at":"2026"#), "{syscalls}");
    assert!(io.starts_with(r#"{"v":1,"type":"snapshot","probe":"io","at":"2026"#), "{io}");
    assert!(syscalls.contains(r#"}},"mode":"exact","syscalls":[{"syscall":"fsync","calls":390,"#), "{syscalls}");
}
