use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;

use super::*;
use crate::{
    record::{FORMAT, Head, Payload, Segment},
    snapshot::Snapshot,
};

const RECORDS: [(&str, &str); 3] = [
    ("db1", include_str!("../../../tests/recorded/device_saturated.jsonl")),
    ("web1", include_str!("../../../tests/recorded/retransmits.jsonl")),
    ("web2", include_str!("../../../tests/recorded/slow_calls.jsonl")),
];

/// Gone when it is dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn head(host: &str) -> Head {
    Head {
        format: FORMAT,
        version: String::new(),
        host: host.to_owned(),
        kernel: String::new(),
        architecture: String::new(),
        boot_id: String::new(),
        cpus: 0,
        memory_bytes: 0,
        disks: Vec::new(),
        began: Timestamp::UNIX_EPOCH,
        interval: Duration::from_secs(1),
        flags: Vec::new(),
        missing: Vec::new(),
    }
}

/// How many intervals.
fn record(path: &Path, host: &str, lines: &str) -> usize {
    let mut segment = Segment::new(File::create(path).unwrap(), head(host));
    let snapshots = lines.lines().map(|line| serde_json::from_str::<Snapshot>(line).unwrap());
    let entries = snapshots.map(|snapshot| Entry::Snapshot(Box::new(snapshot)));
    entries.map(|entry| segment.write(&Payload::of(&entry).unwrap().unwrap()).unwrap()).count()
}

#[test]
fn files_of_many_hosts() {
    let folder = Folder(std::env::temp_dir().join(format!("stillwatch-hosts-{}", std::process::id())));
    fs::create_dir(&folder.0).unwrap();
    for (host, lines) in RECORDS {
        let file = folder.0.join(host).with_extension("swr");
        let intervals = record(&file, host, lines);
        let export = |format, table: Option<&str>| {
            let output = folder.0.join(host).with_extension("out");
            let table = table.map(str::to_owned);
            let asked = Export { file: file.clone(), format, table, tables: false, output: Some(output.clone()) };
            super::export(&asked).unwrap();
            fs::read(output).unwrap()
        };
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let csv = text(export(Exported::Csv, Some("overview.intervals")));
        assert!(csv.starts_with("at,interval_ns,host,user_cpu_percent,") && csv.lines().count() == 1 + intervals);
        assert!(csv.lines().skip(1).all(|line| line.split(',').nth(2) == Some(host)), "{csv}");
        let all = text(export(Exported::Ndjson, None));
        let devices = text(export(Exported::Ndjson, Some("io.devices")));
        let of_all = all.lines().filter(|line| line.starts_with("{\"table\":\"io.devices\","));
        assert!(of_all.eq(devices.lines()) && (host != "db1" || !devices.is_empty()), "{devices}");
        #[cfg(feature = "parquet")]
        assert!(export(Exported::Parquet, Some("io.devices")).ends_with(b"PAR1"));
    }
}
