//! Names of a host, its users and what runs there become stand-ins: the same name the same one, in all of a report.
//!
//! What is recorded is changed, before anything is told of it: sentences are made of stand-ins. A text is kept only where it is known to
//! be of the kernel's words or ours (`KEPT`); whatever is added to snapshots later is a name until it stands there.

mod kernel_log;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::IpAddr};

use anyhow::{Context, Result};
use rmpv::Value;
use serde::{Serialize, de::DeserializeOwned};

use crate::record::{self, Entry, Head};

/// What is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Address,
    Arguments,
    Boot,
    Cgroup,
    Host,
    Interface,
    KernelThread,
    Name,
    Note,
    Path,
    Process,
    User,
}

#[derive(Default)]
pub struct Redaction {
    stand_ins: BTreeMap<(Sort, String), String>,
    numbers: BTreeMap<Sort, u32>,
}

/// Keys of texts that are the kernel's words or ours.
const KEPT: &[&str] = &[
    "after",
    "architecture",
    "area",
    "at",
    "began",
    "by",
    "cause",
    "certainty",
    "class",
    "constraint",
    "device",
    "did",
    "direction",
    "disk",
    "errno",
    "function",
    "gfp",
    "how",
    "kernel",
    "kind",
    "level",
    "mems_allowed",
    "mode",
    "name",
    "nodes",
    "op",
    "outcome",
    "probe",
    "reason",
    "softirqs",
    "stack",
    "state",
    "syscall",
    "unknown",
    "version",
    "without",
];
/// Keys of sentences of ours, in which a path may stand.
const SENTENCES: &[&str] = &[
    "Err",
    "Not",
    "log_unavailable",
    "missing",
    "report_unknown",
    "residents_unavailable",
    "unavailable",
    "unprotected",
    "why",
];
/// Not told in a report, or not in one that is sent away.
const LEFT_OUT: &[&str] = &["findings", "interrupts", "log"];
/// A path that every host has.
const COMMON: &[&str] = &["/proc/pressure", "/dev/kmsg"];

impl Redaction {
    pub fn entry(&mut self, entry: &Entry) -> Result<Entry> {
        self.all(entry).context("an entry cannot be redacted")
    }

    pub fn head(&mut self, head: &Head) -> Result<Head> {
        self.all(head).context("the head of the recording cannot be redacted")
    }

    /// What stands for what.
    pub fn map(&self) -> Result<String> {
        let names = self.stand_ins.iter().map(|((_, name), stand_in)| (stand_in.as_str(), name.as_str()));
        Ok(serde_json::to_string_pretty(&names.collect::<BTreeMap<_, _>>())? + "\n")
    }

    fn all<T: Serialize + DeserializeOwned>(&mut self, whole: &T) -> Result<T> {
        // As it stands in a recording.
        let mut value = rmpv::decode::read_value(&mut &record::encode(whole)?[..])?;
        self.value("", false, &mut value);
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &value)?;
        record::decode(&bytes).context("what came of it is none")
    }

    /// `key`: of the nearest object around it that names it.
    fn value(&mut self, key: &str, is_kernel: bool, value: &mut Value) {
        match value {
            Value::Map(map) => self.map_of(key, map),
            Value::Array(values) => values.iter_mut().for_each(|one| self.value(key, is_kernel, one)),
            Value::String(text) => *text = self.text(key, is_kernel, text.as_str().unwrap_or_default()).into(),
            // Root is root everywhere.
            Value::Integer(number) if key == "uid" && number.as_u64() != Some(0) => {
                *value = self.user(&number.to_string()).into();
            }
            _ => {}
        }
    }

    fn map_of(&mut self, around: &str, map: &mut [(Value, Value)]) {
        let is_kernel = map.iter().any(|(key, value)| key.as_str() == Some("kernel_thread") && *value == true.into());
        for (key, value) in map {
            match key.as_str().unwrap_or_default() {
                left_out if LEFT_OUT.contains(&left_out) => *value = Value::Nil,
                // What is known, and why it is not.
                "Value" | "Ok" => self.value(around, is_kernel, value),
                "V4" | "V6" if around == "address" => self.octets(value),
                "Mark" => self.value("note", is_kernel, value),
                "text" if around == "note" => self.value("note", is_kernel, value),
                key => self.value(key, is_kernel, value),
            }
        }
    }

    fn text(&mut self, key: &str, is_kernel: bool, text: &str) -> String {
        match key {
            key if KEPT.contains(&key) => text.to_owned(),
            key if SENTENCES.contains(&key) || is_why(key) => self.sentence(text),
            "comm" | "noted" if is_kernel => self.kernel_thread(text),
            "comm" | "noted" => self.process(text),
            "cgroup" | "group" | "oom_memcg" | "task_memcg" | "cpuset" => self.cgroup(text),
            "address" => self.address(text),
            "cmdline" => self.stand_in(Sort::Arguments, text, |n| format!("arguments-{n}")),
            "place" | "alias" => self.path(text),
            "interface" => self.stand_in(Sort::Interface, text, |n| format!("interface-{n}")),
            "io_limit" => match text.rsplit_once(" of ") {
                Some((limit, path)) => format!("{limit} of {}", self.cgroup(path)),
                None => self.name(text),
            },
            // The kernel's own: `S`, `P.`; or of our command line.
            "flags" if is_flag(text) => text.to_owned(),
            "host" => self.stand_in(Sort::Host, text, |n| format!("host-{n}")),
            "boot_id" => self.stand_in(Sort::Boot, text, |n| format!("boot-{n}")),
            "note" => self.stand_in(Sort::Note, text, |n| format!("note-{n}")),
            "text" => self.kernel_log(text),
            _ => self.name(text),
        }
    }

    fn stand_in(&mut self, sort: Sort, name: &str, make: impl FnOnce(u32) -> String) -> String {
        if name.is_empty() {
            return String::new();
        }
        let number = self.numbers.entry(sort).or_insert(0);
        let known = self.stand_ins.entry((sort, name.to_owned())).or_insert_with(|| {
            *number += 1;
            make(*number)
        });
        known.clone()
    }

    fn process(&mut self, name: &str) -> String {
        self.stand_in(Sort::Process, name, |n| format!("process-{n}"))
    }

    /// The kernel's word, without what it is for: a disk, an interface.
    fn kernel_thread(&mut self, name: &str) -> String {
        let word = name.split(|char: char| !char.is_ascii_lowercase()).next().filter(|word| !word.is_empty());
        let word = word.unwrap_or("kernel").to_owned();
        self.stand_in(Sort::KernelThread, name, |n| format!("{word}-{n}"))
    }

    fn name(&mut self, name: &str) -> String {
        self.stand_in(Sort::Name, name, |n| format!("name-{n}"))
    }

    fn path(&mut self, path: &str) -> String {
        self.stand_in(Sort::Path, path, |n| format!("path-{n}"))
    }

    /// Step by step: what lies in what can be seen.
    fn cgroup(&mut self, path: &str) -> String {
        let step = |step: &str| {
            let kind = [".slice", ".service", ".scope"].into_iter().find(|kind| step.ends_with(kind)).unwrap_or("");
            self.stand_in(Sort::Cgroup, step, |n| format!("group-{n}{kind}"))
        };
        path.split('/').map(step).collect::<Vec<_>>().join("/")
    }

    /// Of ranges that nobody has (RFC 2544, RFC 3849). The machine itself stays what it is.
    fn address(&mut self, text: &str) -> String {
        match text.parse::<IpAddr>() {
            Ok(address) if address.is_loopback() || address.is_unspecified() => text.to_owned(),
            Ok(IpAddr::V4(_)) => self
                .stand_in(Sort::Address, text, |n| format!("198.{}.{}.{}", 18 + (n >> 16 & 1), n >> 8 & 255, n & 255)),
            _ => self.stand_in(Sort::Address, text, |n| format!("2001:db8::{:x}:{:x}", n >> 16, n & 0xffff)),
        }
    }

    fn octets(&mut self, value: &mut Value) {
        let octets = value.as_array().map(|octets| octets.iter().filter_map(|octet| octet.as_u64()?.try_into().ok()));
        let octets: Vec<u8> = octets.into_iter().flatten().collect();
        let v4 = <[u8; 4]>::try_from(&octets[..]).map(IpAddr::from);
        let address = v4.or_else(|_| <[u8; 16]>::try_from(&octets[..]).map(IpAddr::from));
        let stand_in = address.ok().and_then(|address| self.address(&address.to_string()).parse().ok());
        let octets = match stand_in {
            Some(IpAddr::V4(address)) => address.octets().to_vec(),
            Some(IpAddr::V6(address)) => address.octets().to_vec(),
            // Nobody's, rather than what nobody understands.
            None => vec![0; octets.len()],
        };
        *value = octets.into_iter().map(Value::from).collect::<Vec<_>>().into();
    }

    fn user(&mut self, id: &str) -> u32 {
        self.stand_in(Sort::User, id, |n| n.to_string()).parse().unwrap_or(0)
    }

    fn sentence(&mut self, text: &str) -> String {
        let word = |word: &str| {
            let is_path = word.contains('/') && !COMMON.iter().any(|path| word.starts_with(path));
            if is_path { self.path(word) } else { word.to_owned() }
        };
        text.split(' ').map(word).collect::<Vec<_>>().join(" ")
    }
}

/// Kinds of not knowing.
fn is_why(key: &str) -> bool {
    matches!(key, "NotMeasured" | "Unavailable" | "Unknown" | "NotLookedAt")
}

fn is_flag(text: &str) -> bool {
    let is_tcp = text.chars().all(|char| "SFRPUEW.".contains(char));
    is_tcp || text.starts_with('-') && !text.contains('=')
}
