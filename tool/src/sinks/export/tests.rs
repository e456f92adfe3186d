use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    sync::{Arc, Mutex},
};

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use stillwatch_tests::schema::validate_by;

use super::{leaf, *};
use crate::{
    sinks::{golden, json, sample},
    table::{
        any::Dice,
        shape::{Shape, Shaped},
        tests::*,
    },
};

mod duckdb;

/// What was written, wherever the writer is.
#[derive(Clone, Default)]
pub struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }
}

const HOST: &str = "db1";

/// Snapshots of all kinds, made by hand.
fn snapshots() -> Vec<Snapshot> {
    [
        golden::calls(),
        golden::ios(),
        golden::tcps(),
        golden::ooms(),
        golden::cpu_times(),
        golden::disks(),
        golden::logs(),
    ]
    .concat()
}

fn export(mut sink: Exporter, snapshots: &[Snapshot]) {
    snapshots.iter().for_each(|snapshot| sink.snapshot(snapshot).unwrap());
    sink.finish().unwrap();
}

fn ndjson(table: Option<&'static str>, snapshots: &[Snapshot]) -> Vec<Value> {
    let written = Written::default();
    export(Exporter::ndjson(written.clone(), table, Some(HOST.into())), snapshots);
    written.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// By name of their columns.
fn csv(table: &'static str, snapshots: &[Snapshot]) -> Vec<BTreeMap<String, String>> {
    let written = Written::default();
    export(Exporter::csv(written.clone(), table, Some(HOST.into())).unwrap(), snapshots);
    ::csv::Reader::from_reader(&written.bytes()[..]).deserialize().map(Result::unwrap).collect()
}

fn is_of_schema(line: &Value) {
    validate_by(&json!({ "$ref": "#/$defs/exported" }), line).unwrap_or_else(|error| panic!("{error:#}"));
}

/// Otherwise a new table would be left out without a word.
#[test]
fn every_table_is_exported_or_part_of_one() {
    fn parts(shape: &Shape, names: &mut BTreeSet<&'static str>) {
        match shape.value() {
            Shape::Row(table) => {
                names.insert(table.name);
                table.columns.iter().for_each(|(_, shape)| parts(shape, names));
            }
            Shape::List(each) => parts(each, names),
            _ => {}
        }
    }
    fn add<R: Columns + Shaped>(exported: &[&str], parts_of: &mut BTreeSet<&'static str>, all: &mut Vec<&str>) {
        all.push(R::NAME);
        if exported.contains(&R::NAME) {
            parts(&R::shape(), parts_of);
        }
    }
    let (exported, mut found, mut tables) = (names(), BTreeSet::from(["export", "tests.sample"]), Vec::new());
    each_table!(add, &exported, &mut found, &mut tables);
    tables.retain(|name| !found.contains(name));
    assert!(tables.is_empty(), "tool/src/snapshot/tables.rs does not have {tables:?}");
}

#[test]
fn lines_are_as_the_schema_says() {
    let lines = ndjson(None, &snapshots());
    assert!(lines.len() > 50, "{}", lines.len());
    lines.iter().for_each(is_of_schema);
    let mut bad = lines.into_iter().find(|line| line["table"] == "io.devices").unwrap();
    bad["more"] = json!(1);
    let refused = validate_by(&json!({ "$ref": "#/$defs/exported" }), &bad);
    assert!(refused.is_err());
}

#[test]
fn one_table_of_all() {
    let devices = ndjson(Some("io.devices"), &snapshots());
    let all = ndjson(None, &snapshots());
    assert_eq!(devices, all.into_iter().filter(|line| line["table"] == "io.devices").collect::<Vec<_>>());
    assert_eq!((&devices[0]["host"], &devices[0]["interval_ns"]), (&json!(HOST), &json!(1_000_000_000)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_snapshot_is_written_in_every_format(seed in any::<u64>()) {
        let snapshot = Dice::new(seed).any::<Snapshot>();
        let snapshots = [snapshot];
        // Others that are none are only here.
        ndjson(None, &snapshots).iter().filter(|line| line["others"] != 0).for_each(is_of_schema);
        for table in names() {
            let rows = ndjson(Some(table), &snapshots).len();
            prop_assert_eq!(csv(table, &snapshots).len(), rows, "{}", table);
        }
    }

    /// CSV and Parquet say what JSON says, under the same names.
    #[test]
    fn flat_rows_are_those_of_json(seed in any::<u64>()) {
        each_table!(agrees, seed);
    }
}

fn agrees<R: Columns + DeserializeOwned + Shaped>(seed: u64) {
    let row = Dice::new(seed).any::<R>();
    let (json, cells) = (serde_json::to_value(json::Row(&row)).unwrap(), row.cells());
    for leaf in leaf::of::<R>() {
        let flat = leaf.get(&cells).map_or(Value::Null, |cell| match &cell {
            Cell::Times(times) => times.histogram().map(|(from, count)| json!([from, count])).collect(),
            cell => serde_json::from_str(&json::text(cell).unwrap()).unwrap(),
        });
        let nothing =
            [Value::Null, json!(0), json!(0.0), json!(false), json!(""), json!([]), json!({})].contains(&flat);
        let told = leaf.name.ends_with("_unknown");
        match at(json.as_object().unwrap(), &leaf.name) {
            // Two columns may share the key of their reasons.
            Some(value) if told => assert_eq!(value.is_string(), flat.is_string(), "{} {}: {json}", R::NAME, leaf.name),
            // JSON has a histogram where there is none.
            Some(value) => assert!(
                *value == flat || flat.is_null() && *value == json!([]),
                "{} {}: {flat}, {json}",
                R::NAME,
                leaf.name
            ),
            // JSON does not say the same reason twice, and has no count beside a histogram.
            None => assert!(nothing || told || leaf.name.ends_with("count"), "{} {}", R::NAME, leaf.name),
        }
    }
}

/// The value of `victim_pid` in `{"victim":{"pid":7}}`.
fn at<'a>(row: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    row.get(name).or_else(|| {
        row.iter().find_map(|(key, value)| {
            let rest = name.strip_prefix(key.as_str())?.strip_prefix('_')?;
            value.as_object().and_then(|inner| at(inner, rest))
        })
    })
}

#[test]
fn names_that_would_be_more_than_text() {
    let hostile =
        ["a\"b,c\r\nd;e", "=1+cmd|' /C calc'!A0", "+1", "-bash", "@SUM(1)", "\u{1b}[2J\t=1", "\\x3d", "数\u{202e}据"];
    let mut snapshot = golden::ios().swap_remove(0);
    let mut device = snapshot.io.as_ref().unwrap().devices[0].clone();
    let devices = hostile.map(|name| {
        device.device = name.to_owned();
        device.clone()
    });
    snapshot.io.as_mut().unwrap().devices = devices.into();
    let rows = csv("io.devices", &[snapshot]);
    let shown: Vec<&str> = rows.iter().map(|row| row["device"].as_str()).collect();
    let right = [
        "a\"b,c\\x0d\\x0ad;e",
        "\\x3d1+cmd|' /C calc'!A0",
        "\\x2b1",
        "\\x2dbash",
        "\\x40SUM(1)",
        "\\x1b[2J\\x09=1",
        "\\\\x3d",
        "数\\u{202e}据",
    ];
    assert_eq!(shown, right);
    assert!(rows.iter().all(|row| row["ios"] == "389" && row["host"] == HOST), "{rows:?}");
}

/// A kill that is told before its interval ends is a row of that interval, or of none.
#[test]
fn what_was_told_before_its_interval_ended() {
    let snapshot = golden::ooms().swap_remove(0);
    let kills = snapshot.oom.as_ref().unwrap().kills.clone();
    let lines = |last: &[Snapshot]| {
        let written = Written::default();
        let mut sink = Exporter::ndjson(written.clone(), Some("oom.kills"), None);
        sink.kills(&kills).unwrap();
        export(sink, last);
        let text = written.text();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let (ended, not_ended) = (lines(&[sample::idle()]), lines(&[]));
    assert!(!kills.is_empty() && ended.len() == kills.len() && not_ended.len() == kills.len());
    assert_eq!((&ended[0]["interval_ns"], &not_ended[0]["interval_ns"]), (&json!(250_000_000), &Value::Null));
    assert_eq!((&ended[0]["at"], &ended[0]["host"]), (&json!(kills[0].at.to_string()), &Value::Null));
    ended.iter().chain(&not_ended).for_each(is_of_schema);
}

/// An unknown is null with its reason, and never 0.
#[test]
fn what_is_not_known_is_empty() {
    let rows = csv("io.devices", &golden::ios());
    let untimed = rows.iter().find(|row| row["total_unknown"] == "no request has a latency").unwrap();
    assert_eq!((untimed["total_p99_ns"].as_str(), untimed["total_count"].as_str()), ("", ""));
    let known = rows.iter().find(|row| row["total_unknown"].is_empty()).unwrap();
    assert!(known["total_p99_ns"].parse::<u64>().unwrap() > 0, "{known:?}");
}
