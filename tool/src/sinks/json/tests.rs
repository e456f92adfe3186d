use serde_json::{Value, json};
use stillwatch_tests::schema;

use super::{line::NO_RUN_TIME, *};
use crate::{
    sinks::sample,
    snapshot::syscalls::{Call, Mode, NOT_TIMED},
    table::{Known, ROWS},
};

/// All lines, each of which the schema allows.
pub fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.inspect(|line| schema::validate(line).unwrap()).collect()
}

fn line(snapshot: &Snapshot) -> (String, Value) {
    let mut out = Vec::new();
    Json::new(&mut out, sample::view()).snapshot(snapshot).unwrap();
    let text = String::from_utf8(out).unwrap();
    let value = lines(&text).swap_remove(0);
    (text, value)
}

#[test]
fn one_object_on_one_line_with_all_rows() {
    let (text, value) = line(&sample::busy());
    assert_eq!(text.matches('\n').count(), 1);
    assert_eq!((&value["v"], &value["type"], &value["probe"]), (&json!(1), &json!("snapshot"), &json!("syscalls")));
    assert_eq!((&value["at"], &value["mode"]), (&json!("2026-03-01T14:02:11.25Z"), &json!("exact")));
    assert_eq!(value["interval_ns"], 1_001_000_000);
    assert!(sample::view().top < 6 && value["syscalls"].as_array().unwrap().len() == 6);
    assert_eq!(value["self"]["lost_by"], json!({ "task table full": 17 }));
    assert_eq!((&value["self"]["lost"], &value["self"]["level"]), (&json!(17), &json!("full")));
    assert_eq!(value["pressure"]["io"], json!({ "some": 61.0, "full": 43.8 }));
    assert!(value.get("pressure_unavailable").is_none() && value.get("by").is_none());
}

#[test]
fn the_schema_refuses_what_is_not_declared() {
    let (_, good) = line(&sample::busy());
    let refused = |change: fn(&mut Value), complaint: &str| {
        let mut bad = good.clone();
        change(&mut bad);
        let error = schema::validate(&bad).unwrap_err().root_cause().to_string();
        assert!(error.contains(complaint), "{error}");
    };
    refused(|line| line["more"] = json!(1), "/more is not in the schema");
    refused(|line| line["slow"][0]["more"] = json!(1), "/slow/0/more is not in the schema");
    refused(|line| line["slow"][0] = json!({}), "is missing");
    refused(|line| line["slow"][0]["pid"] = json!("430"), "/slow/0/pid: \"430\" is not of type");
    refused(|line| line["syscalls"][0]["calls"] = Value::Null, "/syscalls/0/calls: null is not of type");
    refused(|line| line["total"]["untimed"] = json!(-1), "/total/untimed: -1 is below 0");
    refused(|line| line["syscalls"][0]["histogram"] = json!([[1]]), "/syscalls/0/histogram/0: too short");
    refused(|line| line["probe"] = json!("disk"), "/probe: \"disk\" is not \"io\"");
}

#[test]
fn a_row() {
    let (_, value) = line(&sample::busy());
    let row = &value["syscalls"][2];
    assert_eq!((&row["syscall"], &row["calls"], &row["errors"]), (&json!("openat"), &json!(3410), &json!(1300)));
    assert_eq!(row["commonest_error"], json!({ "name": "ENOENT", "count": 1209 }));
    assert_eq!(row["histogram"], json!([[1856, 3000], [7680, 410]]));
    assert_eq!(value["syscalls"][1]["untimed"], 2);
    assert_eq!(value["total"]["interrupted"], 3);
    assert!(value["total"].get("syscall").is_none());
}

#[test]
fn who_and_how_long() {
    let (_, value) = line(&sample::busy());
    assert_eq!(
        value["slow"][0],
        json!({
            "pid": 430, "comm": "postgres", "cgroup": "/system.slice/postgresql.service", "syscall": "fsync",
            "count": 38, "max_ns": 390_000_000, "total_ns": 7_410_000_000u64,
        })
    );
    let gone = &value["slow"][2];
    assert_eq!((&gone["comm"], &gone["unknown"]), (&Value::Null, &json!("ended before it could be looked up")));
    let (old, young) = (&value["in_flight"][0], &value["in_flight"][1]);
    assert_eq!((&old["age_ns"], &old["age_unknown"]), (&Value::Null, &json!("since before start")));
    assert_eq!((&young["age_ns"], &young["tid"]), (&json!(1_130_000_000), &json!(812)));
    assert!(young.get("age_unknown").is_none());
}

#[test]
fn what_is_not_known_is_null_with_the_reason() {
    let (_, value) = line(&sample::idle());
    assert_eq!(
        (&value["pressure"], &value["pressure_unavailable"]),
        (&Value::Null, &json!("PSI is off: boot with psi=1"))
    );
    let own = &value["self"];
    assert_eq!((&own["kernel_cpu_percent"], &own["cpu_percent"]), (&Value::Null, &Value::Null));
    assert_eq!(own["kernel_cpu_percent_unknown"], NO_RUN_TIME);
    assert_eq!((&value["total"]["p50_ns"], &value["total"]["latency_unknown"]), (&Value::Null, &json!(NOT_TIMED)));
    assert_eq!((&value["total"]["calls"], &value["total"]["total_ns"]), (&json!(0), &json!(0)));
}

#[test]
fn of_calls_without_a_latency_no_time_is_known() {
    let mut snapshot = sample::idle();
    let (latency, syscall) = (Known::unknown(NOT_TIMED), "exit_group".to_owned());
    sample::calls(&mut snapshot).rows =
        vec![Call { syscall, calls: Some(2), untimed: 2, unreturned: 2, latency, ..Call::none(Mode::Exact) }];
    let (text, value) = line(&snapshot);
    assert_eq!(value["syscalls"][0]["calls"], 2);
    let end = r#""max_ns":null,"total_ns":null,"latency_unknown":"no call has a latency","histogram":[]}],"total""#;
    assert!(text.contains(end), "{text}");
}

#[test]
fn blocked_mode_has_sleeps_and_no_errors() {
    let mut snapshot = sample::busy();
    let slow = sample::calls(&mut snapshot).slow.clone();
    sample::calls(&mut snapshot).by = Some(slow.iter().map(|slow| sample::by(slow.clone(), 0)).collect());
    sample::blocked(&mut snapshot);
    let (_, value) = line(&snapshot);
    for row in [&value["syscalls"][0], &value["by"][0]] {
        assert!(row["sleeps"].is_u64() && row.get("calls").is_none());
        assert_eq!((&row["errors"], &row["errors_unknown"]), (&Value::Null, &json!("blocked mode")));
    }
}

#[test]
fn behind_the_rows_stands_what_adds_up_of_the_others() {
    let mut snapshot = sample::busy();
    let calls = sample::calls(&mut snapshot);
    calls.slow = vec![calls.slow[0].clone(); ROWS + 3].into();
    calls.slow.bound(|_| false);
    let (_, value) = line(&snapshot);
    let rows = value["slow"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[ROWS - 1]["pid"]), (ROWS + 1, &json!(430)));
    assert_eq!(rows[ROWS], json!({ "others": 3, "count": 114, "max_ns": 390_000_000, "total_ns": 22_230_000_000u64 }));
}

#[test]
fn printing_a_line_is_harmless_and_loses_nothing() {
    let (text, value) = line(&sample::busy());
    assert_eq!(value["slow"][1]["comm"], sample::HOSTILE);
    assert!(text.contains(r"\u009b1m\u202ex"), "{text}");
    assert!(text.trim_end().chars().all(|c| !c.is_control() && c != '\u{202e}'));
    let mut snapshot = sample::busy();
    sample::calls(&mut snapshot).slow[1].who.comm = Some("\u{7f}é\\\"名\u{e0001}".into());
    let (text, value) = line(&snapshot);
    assert!(text.contains(r#"\u007fé\\\"名"#), "{text}");
    assert_eq!(value["slow"][1]["comm"], "\u{7f}é\\\"名\u{e0001}");
}

#[test]
fn findings_and_what_is_ruled_out() {
    use sample::{HOSTILE, idle, view, who};

    use crate::{
        findings::fixture::change,
        snapshot::{
            changes::{ChangeKind, Did},
            finding::{Evidence, Finding, Findings, Open, RuledOut, State, Value as Amount},
        },
    };
    let finding = Finding {
        rule: "io_hung",
        subject: "sdb".into(),
        statement: "sdb has completed nothing".into(),
        harm: 1.5,
        evidence: vec![Evidence { probe: "io", what: "oldest".into(), value: Amount::Nanoseconds(42) }],
        victims: vec![who(430, HOSTILE, "/db")],
        culprits: Vec::new(),
        doubts: vec!["17 events were lost".into()],
        unknown: vec!["why".into()],
        next: "stillwatch io".into(),
        at_once: true,
    };
    let open = |state| Open {
        finding: finding.clone(),
        state,
        now: true,
        since: "2026-03-01T14:02:00Z".parse().unwrap(),
        lasted: std::time::Duration::from_secs(12),
        before_it: vec![change(ChangeKind::File, Did::Written, HOSTILE, "2026-03-01T14:01:50Z".parse().unwrap())],
    };
    let findings = Findings {
        open: vec![open(State::Started)],
        over: vec![open(State::Over)],
        ruled_out: vec![RuledOut { area: "memory", because: "nobody waited".into() }],
        unclear: vec![RuledOut { area: "disks", because: "sda p99 405ms".into() }],
        not_measured: vec!["calls that fail".into()],
        ledger: Vec::new(),
    };
    let snapshot = Snapshot { syscalls: None, findings: Some(findings), ..idle() };
    let mut out = Vec::new();
    Json::new(&mut out, view()).snapshot(&snapshot).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    let lines = lines(&text);
    let [started, over, ruled_out, unclear, overview] = &lines[..] else { panic!("{lines:#?}") };
    assert_eq!(
        started,
        &json!({
            "v": 1, "type": "finding", "rule": "io_hung", "at": snapshot.at.to_string(), "interval_ns": 250_000_000,
            "state": "started", "now": true, "rank": 1, "subject": "sdb", "since": "2026-03-01T14:02:00Z",
            "lasted_ns": 12_000_000_000u64, "statement": "sdb has completed nothing", "harm": 1.5,
            "evidence": [{"probe": "io", "what": "oldest", "value": 42.0, "unit": "ns"}], "confidence": "medium",
            "doubts": ["17 events were lost"], "unknown": ["why"], "next": "stillwatch io",
            "victims": [{"pid": 430, "comm": HOSTILE, "cgroup": "/db"}], "culprits": [],
            "before_it": [{
                "at": "2026-03-01T14:01:50Z", "kind": "file", "did": "written", "what": HOSTILE, "by": null,
                "by_unknown": "nothing keeps who did it", "certainty": "as the host keeps it", "source": "statx",
            }],
        })
    );
    assert_eq!((&over["state"], &over["rank"]), (&json!("over"), &Value::Null));
    assert_eq!(ruled_out["areas"], json!([{"area": "memory", "because": "nobody waited"}]));
    assert_eq!((&unclear["rule"], &unclear["areas"][0]["because"]), (&json!("unclear"), &json!("sda p99 405ms")));
    assert!(unclear.get("not_measured").is_none());
    assert_eq!((&overview["probe"], &overview["ledger"]), (&json!("overview"), &json!([])));
    assert_eq!((&ruled_out["rule"], &ruled_out["not_measured"]), (&json!("ruled_out"), &json!(["calls that fail"])));
}

#[test]
fn a_probe_that_is_unavailable_has_a_line_without_tables() {
    let unavailable = vec![Unavailable { probe: "io", why: "no memory".into() }];
    let mut out = Vec::new();
    Json::new(&mut out, sample::view()).snapshot(&Snapshot { unavailable, ..sample::idle() }).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let probes: Vec<_> = lines.iter().map(|line| (&line["probe"], line.get("unavailable"))).collect();
    assert_eq!(probes, [(&json!("syscalls"), None), (&json!("io"), Some(&json!("no memory")))]);
    assert!(lines[1].get("devices").is_none() && lines[1]["self"].is_object());
}
